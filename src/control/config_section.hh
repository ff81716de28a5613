// SPDX-License-Identifier: Apache-2.0
// One table of the configuration while it is read: typed getters that complain and carry on, so that one run
// finds all problems, and a last look for keys that nobody asked for.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/config_problem.hh"
#include "control/toml_document.hh"

namespace nlb {

// Collects complaints about one file.
class ProblemList {
 public:
  explicit ProblemList(std::string file) : file_(std::move(file)) {}
  void add(int line, std::string message);  // control characters become '?'
  [[nodiscard]] bool empty() const { return problems_.empty(); }
  [[nodiscard]] const std::string& file() const { return file_; }
  [[nodiscard]] std::vector<ConfigProblem> sorted() const;  // by line

 private:
  std::string file_;
  std::vector<ConfigProblem> problems_;
};

class ConfigSection {
 public:
  // title as in the file, e.g. "[cluster]"; table must outlive this.
  ConfigSection(const TomlNode& table, std::string title, ProblemList& problems)
      : table_(table), title_(std::move(title)), problems_(problems) {}

  // A table of another file on top of this one and of those laid before: its keys win, and complaints about
  // them name that file. Before the first getter; both must outlive this.
  void overlay(const TomlNode& table, ProblemList& problems) { overlays_.push_back({&table, &problems}); }

  [[nodiscard]] int line() const { return table_.line; }
  [[nodiscard]] int line_of(std::string_view key) const;  // the section's own where the key is absent
  [[nodiscard]] bool has(std::string_view key) const { return find(key) != nullptr; }
  [[nodiscard]] ProblemList& problems() const { return problems_; }
  [[nodiscard]] ProblemList& problems_of(std::string_view key) const;  // of the file that gives the key
  void complain(std::string_view key, const std::string& message);     // at the key's line, names the key

  // Absent or wrong (complained): nullopt.
  std::optional<std::string> text(std::string_view key, std::string_view allowed);
  std::optional<uint32_t> number(std::string_view key, uint32_t least, uint32_t most);
  std::optional<bool> flag(std::string_view key);
  // The list's elements that are texts. Absent: nullptr.
  const TomlNode* list(std::string_view key, std::string_view allowed);
  // Tables of an array of tables, e.g. [[port_rule]].
  std::vector<const TomlNode*> tables(std::string_view key, std::string_view header);
  // "number or text" keys are judged by the caller. Absent: nullptr.
  const TomlNode* any(std::string_view key);

  template <typename Enum>
  using Names = std::initializer_list<std::pair<std::string_view, Enum>>;
  template <typename Enum>
  std::optional<Enum> choice(std::string_view key, Names<Enum> names);

  void require(std::string_view key, std::string_view allowed);
  // Call last: every key that was asked for is known, the others are errors.
  void reject_unknown_keys();

 private:
  struct Layer {
    const TomlNode* table = nullptr;
    ProblemList* problems = nullptr;
  };
  [[nodiscard]] const Layer* layer_of(std::string_view key) const;  // the topmost overlay that has the key
  [[nodiscard]] const TomlNode* find(std::string_view key) const;
  const TomlNode* take(std::string_view key);
  void reject_unknown_keys_of(const TomlNode& table, ProblemList& problems) const;

  const TomlNode& table_;
  std::vector<Layer> overlays_;  // the last one wins
  std::string title_;
  ProblemList& problems_;
  std::vector<std::string> known_;
};

// "a, b or c"
[[nodiscard]] std::string joined(const std::vector<std::string>& words);
// The word with the smallest edit distance.
[[nodiscard]] std::string nearest(std::string_view word, const std::vector<std::string>& words);

template <typename Enum>
std::optional<Enum> enum_named(std::string_view text, ConfigSection::Names<Enum> names) {
  for (const auto& [name, value] : names)
    if (name == text) return value;
  return std::nullopt;
}

template <typename Enum>
std::string names_of(ConfigSection::Names<Enum> names) {
  std::vector<std::string> quoted;
  for (const auto& entry : names) quoted.push_back("\"" + std::string(entry.first) + "\"");
  return joined(quoted);
}

template <typename Enum>
std::optional<Enum> ConfigSection::choice(std::string_view key, Names<Enum> names) {
  const auto allowed = names_of<Enum>(names);
  const auto given = text(key, allowed);
  if (!given) return std::nullopt;
  const auto value = enum_named<Enum>(*given, names);
  if (!value) complain(key, "is \"" + *given + "\"; allowed: " + allowed);
  return value;
}

}  // namespace nlb
