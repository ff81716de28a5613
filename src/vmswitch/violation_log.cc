// SPDX-License-Identifier: Apache-2.0
#include "vmswitch/violation_log.hh"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/hex.hh"

namespace nlb::vmswitch {
namespace {

constexpr int64_t kQuietMs = 60'000;

struct Reason {
  const char* name;
  bool expected;
  const char* text;
};
constexpr Reason kReasons[] = {
#define NLB_GUARD_REASON_ROW(name, expected, text) {#name, expected != 0, text},
    NLB_GUARD_REASONS(NLB_GUARD_REASON_ROW)
#undef NLB_GUARD_REASON_ROW
};
constexpr Reason kUnknown = {"unknown", false, "a reason that this version does not know"};

const Reason& reason_of(uint16_t reason) {
  return reason < std::size(kReasons) ? kReasons[reason] : kUnknown;
}

std::string mac_text(const nlb_guard_event& event) {
  MacAddress mac;
  std::copy(event.mac, event.mac + 6, mac.octets.begin());
  return mac.text();
}

std::string time_text(int64_t unix_ms) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(static_cast<std::time_t>(unix_ms / 1000)),
                     unix_ms % 1000);
}

std::string title(const PortIdentity& who) {
  if (who.vm.empty()) return who.interface;
  return who.vm + (who.adapter.empty() ? "" : "/" + who.adapter) + " (" + who.interface + ")";
}

}  // namespace

const char* reason_name(uint16_t reason) {
  return reason_of(reason).name;
}
const char* reason_text(uint16_t reason) {
  return reason_of(reason).text;
}
bool reason_is_expected(uint16_t reason) {
  return reason_of(reason).expected;
}

std::string fault_address(const nlb_guard_event& event) {
  if (event.has_address == 0) return mac_text(event);
  IpAddress address;
  std::copy(event.address, event.address + 16, address.octets.begin());
  return address.text();
}

std::string describe(const nlb_guard_event& event, const PortIdentity& who) {
  const auto address = fault_address(event);
  const auto mac = mac_text(event);
  return fmt::format(
      "{} was {} {}: {} ({}{})", title(who), event.dropped != 0 ? "prevented from using" : "seen using",
      address, reason_text(event.reason), reason_name(event.reason), address == mac ? "" : ", MAC " + mac);
}

// Taps of libvirt have another name with each start of their machine: without a bound the log would grow with
// every reboot.
void ViolationLog::make_room() {
  while (entries_.size() >= kMostEntries) {
    const auto oldest = std::min_element(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
      return a.second.last_ms < b.second.last_ms;
    });
    entries_.erase(oldest);
  }
}

// Counts of interfaces that are long gone are added up under index 0, which is none.
void ViolationLog::Entry::fold_lives() {
  while (packets.size() > kMostLives) {
    const auto eldest = packets.upper_bound(0);
    packets[0] += eldest->second;
    packets.erase(eldest);
  }
}

ViolationLog::Entry& ViolationLog::entry_of(uint16_t reason, const PortIdentity& who, int64_t unix_ms) {
  if (!entries_.contains({who.interface, reason})) make_room();
  const auto [found, is_new] = entries_.try_emplace({who.interface, reason});
  if (is_new) found->second.first_ms = found->second.last_ms = unix_ms;
  found->second.who = who;
  return found->second;
}

bool ViolationLog::on_event(const nlb_guard_event& event, const PortIdentity& who, int64_t unix_ms) {
  const bool is_new = !entries_.contains({who.interface, event.reason});
  Entry& entry = entry_of(event.reason, who, unix_ms);
  const bool to_be_told = is_new || entry.frame.empty() || unix_ms - entry.last_ms >= kQuietMs;
  entry.address = fault_address(event);
  entry.mac = mac_text(event);
  entry.frame = hex_of({event.head, std::min<std::size_t>(event.head_bytes, NLB_GUARD_HEAD_BYTES)});
  entry.direction = event.direction == NLB_GUARD_RECEIVE ? "receive" : "transmit";
  entry.vlan = event.vlan;
  entry.dropped = event.dropped != 0;
  entry.first_ms = std::min(entry.first_ms, unix_ms);
  entry.last_ms = std::max(entry.last_ms, unix_ms);
  auto& packets = entry.packets[event.ifindex];
  packets = std::max<uint64_t>(packets, 1);  // the counter follows
  entry.fold_lives();
  changed_ = true;
  return to_be_told;
}

void ViolationLog::on_count(uint32_t ifindex, uint16_t reason, uint64_t packets, const PortIdentity& who,
                            int64_t unix_ms) {
  if (reason_is_expected(reason) || packets == 0) return;
  Entry& entry = entry_of(reason, who, unix_ms);
  auto& known = entry.packets[ifindex];
  if (packets <= known) return;
  entry.last_ms = std::max(entry.last_ms, unix_ms);
  known = packets;
  entry.fold_lives();
  changed_ = true;
}

std::string ViolationLog::text() {
  auto all = nlohmann::json::array();
  for (const auto& [key, entry] : entries_) {
    auto packets = nlohmann::json::array();
    for (const auto& [ifindex, count] : entry.packets) packets.push_back({ifindex, count});
    all.push_back({{"vm", entry.who.vm},
                   {"adapter", entry.who.adapter},
                   {"port", key.first},
                   {"reason", key.second},
                   {"address", entry.address},
                   {"mac", entry.mac},
                   {"frame", entry.frame},
                   {"direction", entry.direction},
                   {"vlan", entry.vlan},
                   {"dropped", entry.dropped},
                   {"first_ms", entry.first_ms},
                   {"last_ms", entry.last_ms},
                   {"packets", packets}});
  }
  changed_ = false;
  return all.dump() + "\n";
}

void ViolationLog::restore(const std::string& text) {
  const auto all = nlohmann::json::parse(text, nullptr, false);
  if (!all.is_array()) return;
  for (const auto& one : all) try {
      Entry entry;
      entry.who = {one.at("vm"), one.at("adapter"), one.at("port")};
      entry.address = one.at("address");
      entry.mac = one.at("mac");
      entry.frame = one.at("frame");
      entry.direction = one.at("direction");
      entry.vlan = one.at("vlan");
      entry.dropped = one.at("dropped");
      entry.first_ms = one.at("first_ms");
      entry.last_ms = one.at("last_ms");
      for (const auto& count : one.at("packets")) entry.packets[count.at(0)] = count.at(1);
      const uint16_t reason = one.at("reason");
      entries_[{entry.who.interface, reason}] = std::move(entry);
    } catch (const nlohmann::json::exception&) {
      continue;
    }
}

nlohmann::json ViolationLog::json() const {
  auto all = nlohmann::json::array();
  for (const auto& [key, entry] : entries_) {
    uint64_t count = 0;
    for (const auto& [ifindex, packets] : entry.packets) count += packets;
    all.push_back({{"vm", entry.who.vm},
                   {"adapter", entry.who.adapter},
                   {"port", entry.who.interface},
                   {"reason", reason_name(key.second)},
                   {"text", reason_text(key.second)},
                   {"address", entry.address},
                   {"mac", entry.mac},
                   {"vlan", entry.vlan},
                   {"direction", entry.direction},
                   {"dropped", entry.dropped},
                   {"count", count},
                   {"first", time_text(entry.first_ms)},
                   {"last", time_text(entry.last_ms)},
                   {"frame", entry.frame}});
  }
  return all;
}

}  // namespace nlb::vmswitch
