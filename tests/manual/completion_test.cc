// SPDX-License-Identifier: Apache-2.0
// The written completion, asked as shells ask it. zsh and fish take part where they are installed; bash is
// always.
#include "nlb/completion.hh"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>

namespace nlb {
namespace {

std::string output_of(const std::string& command) {
  std::string out;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return out;
  std::array<char, 4096> buffer{};
  while (std::fgets(buffer.data(), static_cast<int>(buffer.size()), pipe) != nullptr) out += buffer.data();
  pclose(pipe);
  return out;
}

bool installed(const std::string& program) {
  return !output_of("command -v " + program).empty();
}

class Completion : public ::testing::Test {
 protected:
  ~Completion() override { std::filesystem::remove(path_); }
  std::string script(const std::string& text) {
    std::ofstream(path_) << text;
    return path_.string();
  }

 private:
  std::filesystem::path path_ =
      std::filesystem::temp_directory_path() / ("nlb-completion-" + std::to_string(getpid()));
};

std::string bash(const std::string& script, const std::string& words) {
  return output_of("bash -c 'source " + script + "; COMP_WORDS=(nlb " + words +
                   "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _nlb; echo \"${COMPREPLY[*]}\"' 2>&1");
}

TEST_F(Completion, BashKnowsCommandsOptionsAndValues) {
  const auto path = script(bash_completion(command_tree()));
  EXPECT_EQ(bash(path, "rule \"\"").substr(0, 20), "list add set remove ");
  EXPECT_EQ(bash(path, "drains"), "drainstop\n");
  EXPECT_EQ(bash(path, "filter --protocol \"\""), "ah esp gre icmp sctp tcp udp\n");
  EXPECT_EQ(bash(path, "--socket /run/x rule remove --l"), "--local\n") << "a value is no command";
  EXPECT_EQ(bash(path, "switch-config --vendor j"), "juniper\n");
  EXPECT_EQ(bash(path, "doctor --config \"\""), "\n") << "a file: bash's own completion";
}

TEST_F(Completion, ZshTakesTheScript) {
  if (!installed("zsh")) GTEST_SKIP() << "zsh is not installed";
  const auto path = script(zsh_completion(command_tree()));
  EXPECT_EQ(
      output_of("zsh -fc 'autoload -U compinit; compinit -D; source " + path +
                "; _nlb_words \"rule add\"; print -r -- ${(M)words_here:#--local*}; _nlb_values filter "
                "--protocol; print $_comps[nlb]' 2>&1"),
      "--local:on this host alone; the others then disagree with it\nah esp gre icmp sctp tcp udp\n_nlb\n");
}

TEST_F(Completion, FishCompletes) {
  if (!installed("fish")) GTEST_SKIP() << "fish is not installed";
  const auto path = script(fish_completion(command_tree()));
  const auto fish = [&](const std::string& line) {
    return output_of("HOME=/nonexistent fish --no-config -c 'source " + path + "; complete -C \"" + line +
                     "\"' 2>&1");
  };
  EXPECT_EQ(fish("nlb rule a"), "add\tadd a port rule on all members\n");
  EXPECT_EQ(fish("nlb --socket /run/x switch-config --vendor j"), "juniper\twhose syntax\n");
}

}  // namespace
}  // namespace nlb
