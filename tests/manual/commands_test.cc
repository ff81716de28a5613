// SPDX-License-Identifier: Apache-2.0
// The commands in README.md and docs/operating: each block of them says which test runs it, or why none does,
// and each `nlb` command without a placeholder, in a block or in a sentence, is one that nlb takes.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
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

// A fenced block, also one within a list, and what is written of it in the line above.
struct Block {
  std::string mark, language, body;
};

std::string trimmed(const std::string& line) {
  const auto begin = line.find_first_not_of(' ');
  return begin == std::string::npos ? "" : line.substr(begin, line.find_last_not_of(' ') + 1 - begin);
}

std::vector<Block> blocks_of(const std::string& text) {
  std::istringstream lines(text);
  std::vector<Block> found;
  std::string above;
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    line = trimmed(line);
    if (line.starts_with("```")) {
      inside = !inside;
      if (inside) found.push_back({above, line.substr(3), ""});
    } else if (inside) {
      found.back().body += line + "\n";
    } else if (!line.empty()) {
      above = line;
    }
  }
  return found;
}

// What a file holds is not run, and other tests read it.
bool is_file(const Block& block) {
  return block.language == "toml" || block.language == "xml" || block.language == "yaml";
}

// What stands between pipes, && and comments of a shell line, or between backticks.
std::vector<std::string> commands_in(const std::string& text) {
  static const std::regex kInline("`(nlb [^`\n]*)`");
  std::string lines;
  for (const auto& block : blocks_of(text))
    if (block.language == "sh") lines += block.body;
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
      // The lab and the console have parsers of their own.
      const bool handed_on = command.starts_with("nlb lab") || command.starts_with("nlb console -");
      if (has_placeholder(command) || handed_on) continue;
      ++commands;
      EXPECT_TRUE(taken(command)) << document.filename() << ": " << command;
    }
  }
  EXPECT_GT(commands, 50U) << "they are not found any more";
}

// The text of a test: live_doctor's is tests/live/doctor.py. A newcomer's path takes its commands from its
// document.
std::string source_of(const std::string& test) {
  static const std::map<std::string, std::string> kDirectories{
      {"live", "live"}, {"vmswitch", "vmswitch"}, {"console", "console"}, {"package", "packages"}};
  const auto kind = test.substr(0, test.find('_')), name = test.substr(test.find('_') + 1);
  if (!kDirectories.contains(kind)) return "";
  const auto path = kRoot + "/tests/" + kDirectories.at(kind) + "/" + name;
  auto text = content_of(path + ".py") + content_of(path + ".mjs");
  if (test == "package_quick_start") text += content_of(kRoot + "/docs/operating/quick-start.md");
  return text;
}

// The subcommands and options of a command: what a test that runs it has to name.
std::vector<std::string> words_of(const std::string& command) {
  static const std::regex kWord("(--)?[a-z][a-z0-9-]*");
  std::istringstream text(command);
  std::vector<std::string> found;
  std::string word;
  text >> word;
  while (text >> word && std::regex_match(word, kWord)) found.push_back(word);
  return found;
}

// "run by TEST TEST…; what else is to be said": those tests are registered and know the commands.
void expect_run(const Block& block, const std::string& tests) {
  static const auto kRegistered = content_of(NLB_TEST_LIST);
  std::istringstream names(tests);
  std::string sources;
  for (std::string test; names >> test;) {
    EXPECT_NE(kRegistered.find(" " + test + "\n"), std::string::npos) << "no such test: " << block.mark;
    sources += source_of(test);
  }
  for (const auto& command : commands_in("```sh\n" + block.body + "```"))
    for (const auto& word : words_of(command))
      EXPECT_NE(sources.find(word), std::string::npos) << tests << ": no " << word << " of " << command;
}

// Of each block: what runs it, or why nothing does. A file, a drawing and what a program printed are not run.
TEST(DocumentedCommands, SayWhatRunsThem) {
  static const std::regex kRun("<!-- run by ([^;]+?)(; .+)? -->"),
      kElse("<!-- ((not run here|shown): .+|demo output) -->"), kPath("<!-- run: .+ -->");
  std::size_t run = 0;
  for (const auto& document : documents()) {
    // Its blocks are read by tests/packages/quick_start.py.
    const bool is_path = document.filename() == "quick-start.md";
    std::smatch tests;
    for (const auto& block : blocks_of(content_of(document))) {
      if (is_file(block) || std::regex_match(block.mark, kElse)) continue;
      if (is_path && std::regex_match(block.mark, kPath)) continue;
      const bool marked = std::regex_match(block.mark, tests, kRun);
      EXPECT_TRUE(marked) << document.filename() << ": " << block.mark << "\n" << block.body;
      if (marked) ++run, expect_run(block, tests[1].str());
    }
  }
  EXPECT_GE(run, 6U) << "they are not found any more";
}

// What is said of the front door and of the other programs in a sentence is there, too.
TEST(DocumentedCommands, ExistInMakefileAndManuals) {
  static const std::regex kMake("`(?:sudo )?make ([a-z-]+)"), kProgram("`(nlbd|nlb-[a-z]+) ([^`\n]*)`"),
      kOption("--([a-z-]+)");
  const auto makefile = content_of(kRoot + "/Makefile");
  std::size_t found = 0;
  for (const auto& document : documents()) {
    const auto text = content_of(document);
    for (const auto& target : all(text, kMake))
      EXPECT_NE(makefile.find("\n" + target[1].str() + ":"), std::string::npos) << target[0].str();
    for (const auto& command : all(text, kProgram)) {
      const auto name = command[1].str();
      const bool is_daemon = name == "nlbd" || name == "nlb-vmswitch";
      const auto page = content_of(kRoot + "/man/" + name + (is_daemon ? ".8" : ".1"));
      const auto words = command[2].str();
      for (const auto& option : all(words, kOption)) {
        ++found;
        EXPECT_NE(page.find("Fl -" + option[1].str()), std::string::npos) << command[0].str();
      }
    }
  }
  EXPECT_GT(found, 3U) << "they are not found any more";
}

}  // namespace
}  // namespace nlb
