// SPDX-License-Identifier: Apache-2.0
// A configuration, a zero byte, and a change of it as JSON. What is edited is a configuration again, and a
// second host with the same file comes to the same text.
#include <nlohmann/json.hpp>

#include "control/config_edit.hh"
#include "control/config_file.hh"
#include "require.hh"

using nlb::fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  const auto zero = input.find('\0');
  if (zero == std::string::npos) return 0;
  const std::string text = input.substr(0, zero);
  const auto change = nlohmann::json::parse(input.substr(zero + 1), nullptr, false);
  if (!change.is_object()) return 0;
  try {
    const auto edited = nlb::edit_config(text, "web.toml", change);
    if (!edited) {
      require(!edited.error().message.empty() && edited.error().code >= 1 && edited.error().code <= 2);
      return 0;
    }
    require(nlb::parse_config(*edited, "web.toml").has_value());
    const auto again = nlb::edit_config(text, "web.toml", change);
    require(again.has_value() && *again == *edited);
  } catch (const nlohmann::json::exception&) {
    // A key of the change is missing or of another type: whoever calls says so (src/nlbd/change_disk.cc).
  }
  return 0;
}
