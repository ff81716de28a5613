// SPDX-License-Identifier: Apache-2.0
// A key file of any bytes. What is accepted is good for something and reads back as itself; what is refused
// is refused with words that tell nothing of what stood there.
#include <algorithm>
#include <cctype>
#include <string_view>

#include "control/key_file.hh"
#include "require.hh"

namespace {

using nlb::fuzz::require;

template <typename Octets>
std::string hex(const Octets& octets) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const uint8_t octet : octets) {
    text += digits[octet >> 4];
    text += digits[octet & 15];
  }
  return text;
}

template <typename Octets>
bool is_zero(const Octets& octets) {
  return std::all_of(octets.begin(), octets.end(), [](uint8_t octet) { return octet == 0; });
}

void check_keys(const nlb::KeySet& keys) {
  require(!keys.keys.empty() && keys.keys.size() <= nlb::kMaxKeys && !is_zero(keys.seed));
  std::string text = "seed " + hex(keys.seed) + "\n";
  for (const auto& key : keys.keys) {
    require(!is_zero(key));
    text += "key " + hex(key) + "\n";
  }
  const auto again = nlb::parse_keys(text, "again");
  require(again && again->seed == keys.seed && again->keys == keys.keys);
}

// Words of 16 characters and more of the file may be secrets.
void check_silence(std::string_view text, const std::string& message) {
  std::size_t at = 0;
  while (at < text.size()) {
    const auto end = std::find_if(text.begin() + static_cast<std::ptrdiff_t>(at), text.end(),
                                  [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; });
    const auto length = static_cast<std::size_t>(end - text.begin()) - at;
    if (length >= 16) require(message.find(text.substr(at, length)) == std::string::npos);
    at += length + 1;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto keys = nlb::parse_keys(text, "web.key");
  if (keys) {
    check_keys(*keys);
    return 0;
  }
  require(!keys.error().empty());
  for (const auto& problem : keys.error()) {
    require(!problem.message.empty());
    check_silence(text, problem.message);
  }
  return 0;
}
