// SPDX-License-Identifier: Apache-2.0
// A manual page as its tests see it: entries (.It) by section (.Ss, .Sh), their text without mdoc's macros.
#pragma once

#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace nlb {

struct ManualEntry {
  std::string section, head;  // ".It …" as it stands
  std::string text;           // head and body; what a macro marks stands in quotes
};

class ManualPage {
 public:
  explicit ManualPage(const std::string& path) {
    std::ifstream file(path);
    std::string section, line;
    bool open = false;
    while (std::getline(file, line)) {
      if (line.starts_with(".Ss ") || line.starts_with(".Sh ")) section = line.substr(4), open = false;
      if (line.starts_with(".El")) open = false;
      if (line.starts_with(".It ")) entries_.push_back({section, line.substr(4), ""}), open = true;
      if (open) append(entries_.back().text, plain(line));
      append(whole_, plain(line));
    }
  }

  [[nodiscard]] const std::vector<ManualEntry>& entries() const { return entries_; }
  [[nodiscard]] const std::string& whole() const { return whole_; }

  // The entry of a key: ".It Li a , b" in a section that begins with this title.
  [[nodiscard]] const ManualEntry* of_key(const std::string& title, const std::string& key) const {
    for (const auto& entry : entries_) {
      std::istringstream words(entry.head);
      for (std::string word; words >> word;)
        if (word == key && entry.section.starts_with(title) && entry.head.starts_with("Li ")) return &entry;
    }
    return nullptr;
  }

  static std::string plain(std::string line) {
    replace(line, "\\(dq", "\"");
    replace(line, "\\&", "");
    if (!line.starts_with(".")) return line;
    static const std::set<std::string> kMarks = {"Dq", "Cm", "Li", "Ar", "Fl", "Pa"};
    std::istringstream words(line.substr(1));
    std::string word, out;
    words >> word;
    bool marked = kMarks.contains(word);
    if (word == "It") marked = false;
    while (words >> word) {
      if (kMarks.contains(word)) {
        marked = true;
      } else if (word.size() == 2 && std::isupper(word[0]) != 0 && std::islower(word[1]) != 0) {
        marked = false;  // another macro
      } else {
        const bool name = word.size() > 1 || std::isalnum(static_cast<unsigned char>(word[0])) != 0;
        if (!out.empty() && out.back() != ' ') out += " ";
        out += (marked && name ? "\"" + word + "\"" : word) + " ";
      }
    }
    return out;
  }

 private:
  static void append(std::string& text, std::string line) {
    while (line.ends_with(" ")) line.pop_back();
    text += (text.empty() ? "" : " ") + line;
  }
  static void replace(std::string& text, const std::string& from, const std::string& to) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
      text.replace(at, from.size(), to);
  }

  std::vector<ManualEntry> entries_;
  std::string whole_;
};

}  // namespace nlb
