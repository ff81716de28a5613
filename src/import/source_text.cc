// SPDX-License-Identifier: Apache-2.0
#include "import/source_text.hh"

#include <boost/locale/utf.hpp>
#include <cstddef>
#include <iterator>

namespace nlb::import {
namespace {

namespace utf = boost::locale::utf;
constexpr utf::code_point kByteOrderMark = 0xFEFF;

struct Encoding {
  const char* name;
  std::string_view mark;
  std::size_t unit_bytes;
  bool big_endian;
};
constexpr Encoding kMarked[] = {{"UTF-8", "\xEF\xBB\xBF", 1, false},
                                {"UTF-16LE", "\xFF\xFE", 2, false},
                                {"UTF-16BE", "\xFE\xFF", 2, true}};
constexpr Encoding kUnmarked = {"UTF-8", "", 1, false};

Encoding encoding_of(std::string_view bytes) {
  for (const Encoding& encoding : kMarked)
    if (bytes.starts_with(encoding.mark)) return encoding;
  return kUnmarked;
}

std::u16string units_of(std::string_view bytes, bool big_endian) {
  std::u16string units;
  for (std::size_t at = 0; at + 1 < bytes.size(); at += 2) {
    const auto first = static_cast<unsigned char>(bytes[at]);
    const auto second = static_cast<unsigned char>(bytes[at + 1]);
    units += static_cast<char16_t>(big_endian ? first << 8 | second : second << 8 | first);
  }
  return units;
}

// Returns the line of the first unit that is no character, or 0. A mark inside comes from files that were put
// together; a carriage return before a line feed says nothing.
template <typename Text>
int convert(const Text& text, std::string& out) {
  using Traits = utf::utf_traits<typename Text::value_type>;
  int line = 1;
  for (auto at = text.begin(); at != text.end();) {
    const auto code = Traits::decode(at, text.end());
    if (code == utf::illegal || code == utf::incomplete) return line;
    if (code == '\n') {
      ++line;
      if (out.ends_with('\r')) out.pop_back();
    }
    if (code != kByteOrderMark) utf::utf_traits<char>::encode(code, std::back_inserter(out));
  }
  return 0;
}

}  // namespace

tl::expected<std::string, ConfigProblem> utf8_of(std::string_view bytes, const std::string& file) {
  const Encoding encoding = encoding_of(bytes);
  bytes.remove_prefix(encoding.mark.size());
  std::string text;
  int bad_line = 0;
  if (encoding.unit_bytes == 2) {
    bad_line = convert(units_of(bytes, encoding.big_endian), text);
    if (bad_line == 0 && bytes.size() % 2 != 0)
      return tl::unexpected(ConfigProblem{file, 0, "ends within a character; the file was cut off"});
  } else {
    bad_line = convert(bytes, text);
  }
  if (bad_line != 0)
    return tl::unexpected(
        ConfigProblem{file, bad_line,
                      std::string("is not ") + encoding.name + "; allowed: UTF-8, or UTF-16 with its mark"});
  if (text.find('\0') != std::string::npos)
    return tl::unexpected(
        ConfigProblem{file, 0, "holds zero bytes; allowed: text, in UTF-8, or in UTF-16 with its mark"});
  return text;
}

}  // namespace nlb::import
