// SPDX-License-Identifier: Apache-2.0
// Fields of an answer, read without trust: a missing field or one of another type is shown as empty, never a
// crash. A newer daemon may answer a little differently. Text from outside is stripped of control characters.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace nlb {

// Texts as they are, numbers and booleans in words; "" otherwise.
[[nodiscard]] std::string field(const nlohmann::json& object, const char* key);
[[nodiscard]] std::string words(const nlohmann::json& value);
[[nodiscard]] int64_t number_field(const nlohmann::json& object, const char* key, int64_t otherwise = 0);
[[nodiscard]] double fraction_field(const nlohmann::json& object, const char* key);
[[nodiscard]] bool flag_field(const nlohmann::json& object, const char* key);
// An array or object; an empty one when it is something else.
[[nodiscard]] const nlohmann::json& list_field(const nlohmann::json& object, const char* key);
[[nodiscard]] const nlohmann::json& object_field(const nlohmann::json& object, const char* key);

[[nodiscard]] std::string duration_text(int64_t milliseconds);   // "12 ms", "3.2 s", "5 min 2 s", "3 h 4 min"
[[nodiscard]] std::string share_text(double share);              // "33.3 %"
[[nodiscard]] std::string time_text(int64_t unix_milliseconds);  // 2026-01-31 12:00:00.123 UTC

}  // namespace nlb
