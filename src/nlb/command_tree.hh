// SPDX-License-Identifier: Apache-2.0
// The commands and options of nlb as data, made of the option tree itself: what completes a command line and
// what compares the manual with the program read this, so that neither has a list of its own.
#pragma once

#include <string>
#include <vector>

namespace nlb {

struct CommandOption {
  std::vector<std::string> names;  // with their dashes: "-o", "--output"
  std::string text;
  bool takes_value = false;
  std::vector<std::string> values;  // where only these are allowed
};

struct CommandNode {
  std::string path;  // "" for nlb itself, "rule", "rule add"
  std::string text;
  std::vector<CommandOption> options;  // its own, and those of its parents that are understood behind it
  std::vector<CommandNode> children;

  [[nodiscard]] std::string name() const { return path.substr(path.rfind(' ') + 1); }
};

[[nodiscard]] CommandNode command_tree();

}  // namespace nlb
