// SPDX-License-Identifier: Apache-2.0
// Who broke which rule, how often, since when: one entry a port and reason. Events give the evidence (they
// are limited in rate, a flood is one every 200 ms), counters the number. Pure: times are arguments.
#pragma once

#include <nlb/abi/guard.h>

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>

#include "base/net.hh"

namespace nlb::vmswitch {

[[nodiscard]] const char* reason_name(uint16_t reason);  // "unknown" for one of a newer program
[[nodiscard]] const char* reason_text(uint16_t reason);
[[nodiscard]] bool reason_is_expected(uint16_t reason);

// Whose the port is; vm is empty for uplinks and unknown ports.
struct PortIdentity {
  std::string vm, adapter, interface;
};

class ViolationLog {
 public:
  // True when a person should hear of it: the first of its kind, or the first after a minute of silence.
  [[nodiscard]] bool on_event(const nlb_guard_event& event, const PortIdentity& who, int64_t unix_ms);
  // The counter of this interface index as it is now. An index belongs to one life of an interface.
  void on_count(uint32_t ifindex, uint16_t reason, uint64_t packets, const PortIdentity& who,
                int64_t unix_ms);

  // For the next daemon: it knows since when, and the evidence. A text that is none is passed over.
  [[nodiscard]] std::string text();  // and is unchanged from then on
  void restore(const std::string& text);
  [[nodiscard]] bool changed() const { return changed_; }

  [[nodiscard]] nlohmann::json json() const;  // the shape of `nlb vmswitch violations --json`

 private:
  struct Entry {
    PortIdentity who;
    std::string address, mac, frame;
    std::string direction;
    uint16_t vlan = 0;
    bool dropped = true;
    int64_t first_ms = 0, last_ms = 0;
    std::map<uint32_t, uint64_t> packets;  // by interface index
    void fold_lives();
  };
  static constexpr std::size_t kMostEntries = 1000, kMostLives = 16;
  void make_room();
  Entry& entry_of(uint16_t reason, const PortIdentity& who, int64_t unix_ms);
  std::map<std::pair<std::string, uint16_t>, Entry> entries_;  // (interface, reason)
  bool changed_ = false;
};

[[nodiscard]] std::string describe(const nlb_guard_event& event, const PortIdentity& who);
[[nodiscard]] std::string fault_address(
    const nlb_guard_event& event);  // the IP address if one is at fault, else the MAC

}  // namespace nlb::vmswitch
