// SPDX-License-Identifier: Apache-2.0
// The manual against the programs: what their parsers know has to be in the pages, with the ranges, choices
// and defaults that the parsers have. The parsers are asked by mistakes: they say what they know and what
// they allow.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <regex>

#include "control/config_file.hh"
#include "control/config_json.hh"
#include "manual_page.hh"
#include "nlb/command_tree.hh"
#include "vmswitch/switch_config.hh"

namespace nlb {
namespace {

using Problems = std::vector<ConfigProblem>;
using nlohmann::json;

std::string page(const char* name) {
  return std::string(NLB_MANUALS) + "/" + name;
}

Problems problems_of_nlbd(const std::string& text) {
  const auto parsed = parse_config(text, "x.toml");
  return parsed ? Problems{} : parsed.error();
}

Problems problems_of_switch(const std::string& text) {
  const auto parsed = vmswitch::parse_switch_config({"x.toml", text}, {});
  return parsed ? Problems{} : parsed.error();
}

std::vector<std::string> matches(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  std::vector<std::string> found;
  for (std::sregex_iterator at(text.begin(), text.end(), regex), end; at != end; ++at)
    found.push_back(at->size() > 1 ? (*at)[1].str() : at->str());
  return found;
}

// One section of a file and how it is written, e.g. {"[host]", "[host]\n"}.
struct Section {
  std::string title, header;
};

class Parser {
 public:
  Parser(Problems (*problems)(const std::string&), std::vector<Section> sections)
      : problems_(problems), sections_(std::move(sections)) {}
  [[nodiscard]] const std::vector<Section>& sections() const { return sections_; }

  // From "unknown key … (known: a, b or c)", without the tables below.
  [[nodiscard]] std::vector<std::string> keys(const Section& section) const {
    for (const auto& problem : problems_(section.header + "no_such_key = 1\n")) {
      const auto known = matches(problem.message, "unknown key \"no_such_key\" in .*\\(known: (.*)\\)");
      if (known.empty()) continue;
      auto keys = matches(known.front(), "[a-z_]+");
      std::erase_if(keys, [](const std::string& key) { return key == "or" || key == "health"; });
      return keys;
    }
    return {};
  }
  // From what it says of a value of a wrong type.
  [[nodiscard]] std::string allowed(const Section& section, const std::string& key) const {
    for (const auto& problem : problems_(section.header + key + " = 0.5\n"))
      if (problem.message.starts_with(key + " ") && problem.message.find("allowed: ") != std::string::npos)
        return problem.message.substr(problem.message.find("allowed: ") + 9);
    return "";
  }
  [[nodiscard]] bool required(const Section& section, const std::string& key) const {
    for (const auto& problem : problems_(section.header))
      if (problem.message.starts_with(key + " is missing in " + section.title)) return true;
    return false;
  }

 private:
  Problems (*problems_)(const std::string&);
  std::vector<Section> sections_;
};

const Parser& nlbd_parser() {
  static const Parser parser(problems_of_nlbd,
                             {{"[cluster]", "[cluster]\n"},
                              {"[host]", "[host]\n"},
                              {"[control]", "[control]\n"},
                              {"[heartbeat]", "[heartbeat]\n"},
                              {"[[port_rule]]", "[[port_rule]]\n"},
                              {"[[port_rule.health]]", "[[port_rule]]\n[[port_rule.health]]\n"}});
  return parser;
}

const Parser& switch_parser() {
  static const Parser parser(
      problems_of_switch,
      {{"[[switch]]", "[[switch]]\n"}, {"[[cluster]]", "[[cluster]]\n"}, {"[[port]]", "[[port]]\n"}});
  return parser;
}

void expect_keys_ranges_and_choices(const Parser& parser, const ManualPage& manual) {
  for (const auto& section : parser.sections()) {
    const auto keys = parser.keys(section);
    ASSERT_FALSE(keys.empty()) << section.title;
    for (const auto& key : keys) {
      const auto* entry = manual.of_key(section.title, key);
      ASSERT_NE(entry, nullptr) << section.title << " " << key << " has no entry";
      const std::string allowed = parser.allowed(section, key);
      for (const auto& range : matches(allowed, "\\d+\\.\\.\\d+")) {
        // timeout_ms goes up to interval_ms, which has the same end.
        const auto least = range.substr(0, range.find('.')) + "..";
        EXPECT_TRUE(
            entry->text.find(range) != std::string::npos ||
            entry->text.find(least + "interval_ms") != std::string::npos ||
            std::regex_search(entry->text, std::regex(least.substr(0, least.size() - 2) +
                                                      " \\(default\\) \\.\\. " + range.substr(least.size()))))
            << section.title << " " << key << ": " << range << "\n"
            << entry->text;
      }
      for (const auto& choice : matches(allowed, "\"([a-z]+)\""))
        EXPECT_NE(entry->text.find("\"" + choice + "\""), std::string::npos)
            << section.title << " " << key << ": " << choice << "\n"
            << entry->text;
      if (parser.required(section, key)) {
        EXPECT_NE(entry->text.find("Required"), std::string::npos) << section.title << " " << key;
      }
    }
  }
}

TEST(Manual, NlbdTomlHasEveryKeyRangeAndChoice) {
  expect_keys_ranges_and_choices(nlbd_parser(), ManualPage(page("nlbd.toml.5")));
}

TEST(Manual, VmswitchTomlHasEveryKeyRangeAndChoice) {
  expect_keys_ranges_and_choices(switch_parser(), ManualPage(page("vmswitch.toml.5")));
}

json defaults(const std::string& rule) {
  const auto parsed = parse_config(
      "[cluster]\nname = \"web\"\nvips = [\"10.77.0.100\"]\nkey_file = \"k\"\n[host]\nid = 1\ninterface = "
      "\"eth0\"\n" +
          rule,
      "x.toml");
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().front().text());
  return parsed ? to_json(parsed->config) : json();
}

void expect_default(const ManualPage& manual, const std::string& title, const std::string& key,
                    const json& value) {
  const auto* entry = manual.of_key(title, key);
  if (entry == nullptr || entry->text.find("Required") != std::string::npos) return;
  std::string text = value.is_array()    ? (value.empty() ? "" : value.front().get<std::string>())
                     : value.is_string() ? value.get<std::string>()
                                         : value.dump();
  if (text.empty()) return;  // what is absent by default
  text = std::regex_replace(text, std::regex("[/.]"), "\\$&");
  const std::regex either("(^|[ \"])" + text + "\"? \\(default|[Dd]efault:? [^.;]*\"?" + text +
                          "\\b|default \"?" + text);
  EXPECT_TRUE(std::regex_search(entry->text, either)) << title << " " << key << ": default " << text << "\n"
                                                      << entry->text;
}

TEST(Manual, NlbdTomlHasEveryDefault) {
  const ManualPage manual(page("nlbd.toml.5"));
  const json shared =
      defaults("[[port_rule]]\n[[port_rule.health]]\ntype = \"http\"\ntarget = \"127.0.0.1:80\"\n");
  const json single = defaults("[[port_rule]]\nmode = \"single\"\n");
  for (const char* section : {"cluster", "host", "control", "heartbeat"})
    for (const auto& [key, value] : shared.at(section).items())
      expect_default(manual, "[" + std::string(section) + "]", key, value);
  const json& rule = shared.at("port_rules").at(0);
  for (const auto& [key, value] : rule.items())
    if (key != "slot" && key != "health") expect_default(manual, "[[port_rule]]", key, value);
  expect_default(manual, "[[port_rule]]", "priority", single.at("port_rules").at(0).at("priority"));
  for (const auto& [key, value] : rule.at("health").at(0).items())
    expect_default(manual, "[[port_rule.health]]", key, value);
}

// ".It Cm rule add …", ".It Cm start , stop", ".It Cm vip add | remove …"
const ManualEntry* entry_of_command(const ManualPage& manual, const std::string& path) {
  const auto blank = path.find(' ');
  const std::string first = path.substr(0, blank), last = path.substr(path.rfind(' ') + 1);
  for (const auto& entry : manual.entries()) {
    if (!entry.head.starts_with("Cm ")) continue;
    std::istringstream words(entry.head.substr(3));
    std::string word, before = ",";
    bool parent = blank == std::string::npos, found = false;
    for (int place = 0; words >> word; before = word, ++place) {
      if (place == 0 && word == first) parent = true;
      found = found || (word == last && (blank != std::string::npos || before == ","));
    }
    if (parent && found) return &entry;
  }
  return nullptr;
}

void expect_command(const ManualPage& manual, const CommandNode& root, const CommandNode& node) {
  for (const auto& child : node.children) expect_command(manual, root, child);
  if (!node.children.empty() || node.path.empty()) return;
  const auto* entry = entry_of_command(manual, node.path);
  ASSERT_NE(entry, nullptr) << "nlb " << node.path << " has no entry";
  for (const auto& option : node.options) {
    const auto& name = option.names.back();
    const bool global = std::any_of(root.options.begin(), root.options.end(),
                                    [&](const CommandOption& other) { return other.names.back() == name; });
    if (global || name == "--help") continue;
    EXPECT_NE(entry->text.find("\"" + name.substr(1) + "\""), std::string::npos)
        << "nlb " << node.path << " " << name << "\n"
        << entry->text;
    for (const auto& value : option.values)
      EXPECT_NE(manual.whole().find(value), std::string::npos)
          << "nlb " << node.path << " " << name << " " << value;
  }
}

TEST(Manual, NlbHasEveryCommandAndOption) {
  const ManualPage manual(page("nlb.1"));
  const CommandNode root = command_tree();
  EXPECT_GT(root.children.size(), 20U);
  expect_command(manual, root, root);
  for (const auto& option : root.options)
    EXPECT_NE(manual.whole().find("\"" + option.names.back().substr(1) + "\""), std::string::npos)
        << option.names.back();
}

}  // namespace
}  // namespace nlb
