// SPDX-License-Identifier: Apache-2.0
// The commands in README.md and docs/operating: each block of them says which test runs it, or why none does,
// and each `nlb` command without a placeholder, in a block or in a sentence, is one that nlb takes.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "nlb/invocation.hh"

namespace nlb {
namespace {

const std::string kRoot = NLB_ROOT;

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::filesystem::path> documents() {
  std::vector<std::filesystem::path> found{kRoot + "/README.md"};
  for (const auto& entry : std::filesystem::directory_iterator(kRoot + "/docs/operating"))
    found.push_back(entry.path());
  return found;
}

std::vector<std::smatch> all(const std::string& text, const std::regex& what) {
  return {std::sregex_iterator(text.begin(), text.end(), what), std::sregex_iterator()};
}

// What stands between pipes, && and comments of a shell line, or between backticks.
std::vector<std::string> commands_in(const std::string& text) {
  static const std::regex kBlock("```sh\n([^`]*)```"), kInline("`(nlb [^`\n]*)`");
  std::string lines;
  for (const auto& block : all(text, kBlock)) lines += block[1].str();
  for (const auto& one : all(text, kInline)) lines += one[1].str() + "\n";
  static const std::regex kCommand(R"((?:^|\n|\| ssh \S+ |&& |sudo |bin/)(nlb [^#|&\n]*))");
  std::vector<std::string> found;
  for (const auto& one : all(lines, kCommand)) found.push_back(one[1].str());
  return found;
}

// IP:PORT, ID, FILE…, [--json], a|b
bool has_placeholder(const std::string& command) {
  static const std::regex kPlaceholder(R"([A-Z]{2}|…|\[|\\|\b[A-Z]\b)");
  return std::regex_search(command, kPlaceholder);
}

bool taken(const std::string& command) {
  std::istringstream text(command);
  std::vector<std::string> words{std::istream_iterator<std::string>(text), {}};
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const auto parsed = parse_arguments(static_cast<int>(arguments.size()), arguments.data());
  testing::internal::GetCapturedStdout();
  const auto refusal = testing::internal::GetCapturedStderr();
  // In a sentence a command is named without what it has to be told.
  return parsed || refusal.find("required") != std::string::npos;
}

TEST(DocumentedCommands, AreTaken) {
  std::size_t commands = 0;
  for (const auto& document : documents()) {
    for (const auto& command : commands_in(content_of(document))) {
      if (has_placeholder(command) || command.starts_with("nlb lab")) continue;  // the lab's own parser
      ++commands;
      EXPECT_TRUE(taken(command)) << document.filename() << ": " << command;
    }
  }
  EXPECT_GT(commands, 50U) << "they are not found any more";
}

TEST(DocumentedCommands, SayWhatRunsThem) {
  const auto registered = content_of(NLB_TEST_LIST);
  static const std::regex kBlock("([^\n]*)\n+```sh\n"), kRun("<!-- run by (\\S+) -->"),
      kElse("<!-- (run|not run here): .+ -->");
  for (const auto& document : documents()) {
    const auto text = content_of(document);
    std::smatch run;
    for (const auto& block : all(text, kBlock)) {
      const auto mark = block[1].str();
      if (!std::regex_match(mark, run, kRun)) {
        EXPECT_TRUE(std::regex_match(mark, kElse)) << document.filename() << ": " << mark;
        continue;
      }
      EXPECT_NE(registered.find(" " + run[1].str() + "\n"), std::string::npos) << "no such test: " << mark;
    }
  }
}

}  // namespace
}  // namespace nlb
