// SPDX-License-Identifier: Apache-2.0
// Shell completion: the command tree as tables, and a few lines of each shell that find the place in them.
#pragma once

#include <string>

#include "nlb/command_tree.hh"

namespace nlb {

[[nodiscard]] std::string bash_completion(const CommandNode& root);
[[nodiscard]] std::string zsh_completion(const CommandNode& root);
[[nodiscard]] std::string fish_completion(const CommandNode& root);

}  // namespace nlb
