// SPDX-License-Identifier: Apache-2.0
#include "nlb/json_field.hh"

#include <algorithm>
#include <cstdio>
#include <ctime>

namespace nlb {
namespace {

const nlohmann::json& find(const nlohmann::json& object, const char* key) {
  static const nlohmann::json nothing;
  if (!object.is_object()) return nothing;
  const auto found = object.find(key);
  return found == object.end() ? nothing : *found;
}

std::string printable(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return ((c & 0xe0) == 0 && c != '\n') || c == 0x7f; }, '?');
  return text;
}

}  // namespace

std::string words(const nlohmann::json& value) {
  if (value.is_string()) return printable(value.get<std::string>());
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_number()) return value.dump();
  if (!value.is_array()) return "";
  std::string out;
  for (const auto& item : value) out += (out.empty() ? "" : ", ") + words(item);
  return out;
}

std::string field(const nlohmann::json& object, const char* key) {
  return words(find(object, key));
}

int64_t number_field(const nlohmann::json& object, const char* key, int64_t otherwise) {
  const auto& value = find(object, key);
  return value.is_number() ? value.get<int64_t>() : otherwise;
}

double fraction_field(const nlohmann::json& object, const char* key) {
  const auto& value = find(object, key);
  return value.is_number() ? value.get<double>() : 0.0;
}

bool flag_field(const nlohmann::json& object, const char* key) {
  const auto& value = find(object, key);
  return value.is_boolean() && value.get<bool>();
}

const nlohmann::json& list_field(const nlohmann::json& object, const char* key) {
  static const nlohmann::json empty = nlohmann::json::array();
  const auto& value = find(object, key);
  return value.is_array() ? value : empty;
}

const nlohmann::json& object_field(const nlohmann::json& object, const char* key) {
  static const nlohmann::json empty = nlohmann::json::object();
  const auto& value = find(object, key);
  return value.is_object() ? value : empty;
}

std::string duration_text(int64_t milliseconds) {
  if (milliseconds < 1000) return std::to_string(milliseconds) + " ms";
  const int64_t seconds = milliseconds / 1000;
  if (seconds < 60) return std::to_string(seconds) + "." + std::to_string(milliseconds % 1000 / 100) + " s";
  if (seconds < 3600) return std::to_string(seconds / 60) + " min " + std::to_string(seconds % 60) + " s";
  return std::to_string(seconds / 3600) + " h " + std::to_string(seconds / 60 % 60) + " min";
}

std::string share_text(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", share * 100);
  return text;
}

std::string time_text(int64_t unix_milliseconds) {
  const std::time_t seconds = unix_milliseconds / 1000;
  std::tm parts{};
  if (::gmtime_r(&seconds, &parts) == nullptr) return "?";
  char date[64], text[80];
  std::strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", &parts);
  std::snprintf(text, sizeof text, "%s.%03d UTC", date,
                static_cast<int>((unix_milliseconds % 1000 + 1000) % 1000));
  return text;
}

}  // namespace nlb
