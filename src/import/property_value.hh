// SPDX-License-Identifier: Apache-2.0
// Values of exported properties: numbers, words, masks; and what becomes of the properties that no
// configuration of nlbd has a key for.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "import/import.hh"
#include "import/source_object.hh"

namespace nlb::import {

// One value of an enumeration: its word, and the number that WMI documents for it (-1 = none documented).
template <typename Enum>
struct Word {
  std::string_view word;
  int number;
  Enum value;
};

// Reads the properties of one object. A value that cannot be is a problem, and reads as not there.
class ObjectReader {
 public:
  ObjectReader(const SourceObject& object, std::vector<Note>& notes, std::vector<ConfigProblem>& problems)
      : object_(object), notes_(notes), problems_(problems) {}

  using Names = std::initializer_list<std::string_view>;

  [[nodiscard]] const Property* find(Names names);  // complains of a value that was cut off
  [[nodiscard]] std::string text(Names names);
  [[nodiscard]] std::optional<uint32_t> number(Names names, uint32_t least, uint32_t most);
  [[nodiscard]] std::optional<bool> flag(Names names);
  [[nodiscard]] std::optional<IpAddress> address(Names names);
  // "255.255.255.0" → 24; nullopt for none, "::" and a mask with holes (a problem).
  [[nodiscard]] std::optional<uint8_t> prefix_length(Names names);
  template <typename Enum>
  [[nodiscard]] std::optional<Enum> word(Names names, std::initializer_list<Word<Enum>> words) {
    const auto* property = find(names);
    if (property == nullptr) return std::nullopt;
    std::string allowed;
    for (const auto& entry : words) {
      if (property->number ? is_number(*property, entry.number) : same_word(property->value, entry.word)) {
        if (property->number) note_number(*property, entry.word);
        return entry.value;
      }
      allowed += (allowed.empty() ? "" : ", ") + std::string(entry.word);
    }
    complain_of_word(*property, allowed);
    return std::nullopt;
  }

  void complain(int line, const std::string& what) { problems_.push_back(object_.problem(line, what)); }
  void note(const Property& property, const std::string& what) {
    notes_.push_back({object_.place(property.line), property.name + " " + property.value + ": " + what});
  }
  // Notes on what has a value and no place in nlbd's configuration.
  void note_what_is_left_out();

 private:
  static bool is_number(const Property& property, int number);
  void note_number(const Property& property, std::string_view word);
  void complain_of_word(const Property& property, const std::string& allowed);

  const SourceObject& object_;
  std::vector<Note>& notes_;
  std::vector<ConfigProblem>& problems_;
};

}  // namespace nlb::import
