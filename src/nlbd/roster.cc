// SPDX-License-Identifier: Apache-2.0
#include "nlbd/roster.hh"

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/limits.hh"
#include "control/durable_file.hh"

namespace nlb {
namespace {

using Json = nlohmann::json;

// Told by another machine, shown on terminals.
std::string printable(std::string name) {
  constexpr std::size_t kLongest = 64;  // HOST_NAME_MAX
  for (char& c : name)
    if ((c & 0xe0) == 0 || c == 0x7f) c = '?';
  return name.substr(0, kLongest);
}

}  // namespace

Roster::Roster(std::string file) : file_(std::move(file)) {
  std::ifstream stream(file_);
  const Json json = Json::parse(stream, nullptr, false);
  if (!json.is_object() || !json.contains("members") || !json["members"].is_array()) return;
  for (const Json& member : json["members"]) {
    if (!member.is_object() || !member.contains("id") || !member["id"].is_number_unsigned()) continue;
    const auto id = member["id"].get<uint64_t>();
    const Json name = member.value("name", Json());
    if (id >= 1 && id <= kMaxHosts)
      names_[static_cast<HostId>(id)] = name.is_string() ? printable(name.get<std::string>()) : "";
  }
}

bool Roster::note(HostId host, const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto [at, fresh] = names_.try_emplace(host);
  const std::string shown = printable(name);
  if (shown.empty() || at->second == shown) return fresh;
  at->second = shown;
  return true;
}

bool Roster::forget(HostId host) {
  const std::lock_guard lock(mutex_);
  return names_.erase(host) != 0;
}

bool Roster::save(std::string& problem) const {
  const std::lock_guard saving(saving_);
  Json members = Json::array();
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, name] : names_) members.push_back({{"id", id}, {"name", name}});
  }
  const auto saved = write_durably(file_, Json{{"members", members}}.dump() + "\n");
  if (!saved) problem = saved.error().message;
  return saved.has_value();
}

HostSet Roster::hosts() const {
  const std::lock_guard lock(mutex_);
  HostSet hosts = 0;
  for (const auto& [id, name] : names_) hosts |= bit_of(id);
  return hosts;
}

std::string Roster::name_of(HostId host) const {
  const std::lock_guard lock(mutex_);
  const auto found = names_.find(host);
  return found == names_.end() ? "" : found->second;
}

std::string Roster::text_of(HostId host) const {
  const std::string name = name_of(host);
  return "host " + std::to_string(host) + (name.empty() ? "" : " (" + name + ")");
}

}  // namespace nlb
