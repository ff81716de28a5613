// SPDX-License-Identifier: Apache-2.0
// Why an adapter does not carry the cluster, or not as it should: one list for display, events and doctor.
// Names are part of the outside contract; append only.
#pragma once

#include <cstdint>
#include <string_view>

namespace nlb {

//  X(enumerator, name, text)
#define NLB_BIND_REASONS(X)                                                                                \
  X(none, "none", "nothing speaks against it")                                                             \
  X(driver_refused, "driver-refused", "the driver refused the change of the MAC address")                  \
  X(tx_filtered, "tx-filtered", "frames with the masked MAC as source do not leave the switch port")       \
  X(rx_filtered, "rx-filtered", "frames to the cluster MAC do not reach the adapter")                      \
  X(arp_filtered, "arp-filtered", "ARP that binds an address to the cluster MAC does not pass the switch") \
  X(rx_or_arp_filtered, "rx-or-arp-filtered",                                                              \
    "no answer comes to the cluster MAC: its frames or its ARP are "                                       \
    "filtered")                                                                                            \
  X(unproven, "unproven", "nobody answered, so nothing is known about the path")                           \
  X(ip_conflict, "ip-conflict", "somebody outside the cluster uses the VIP")                               \
  X(vip_added_by_hand, "vip-added-by-hand", "the VIP was added to the adapter by somebody else")           \
  X(mac_changed_by_hand, "mac-changed-by-hand", "the adapter's MAC was changed by somebody else")          \
  X(no_carrier, "no-carrier", "the adapter has no carrier")                                                \
  X(no_address, "no-address", "the adapter has no address of its own in the VIP's subnet")                 \
  X(not_ethernet, "not-ethernet", "the interface is not Ethernet")

enum class BindReason : uint8_t {
#define NLB_BIND_REASON_ENUM(name, text, meaning) name,
  NLB_BIND_REASONS(NLB_BIND_REASON_ENUM)
#undef NLB_BIND_REASON_ENUM
};

[[nodiscard]] constexpr std::string_view name_of(BindReason reason) {
  constexpr std::string_view names[] = {
#define NLB_BIND_REASON_NAME(name, text, meaning) text,
      NLB_BIND_REASONS(NLB_BIND_REASON_NAME)
#undef NLB_BIND_REASON_NAME
  };
  return names[static_cast<std::size_t>(reason)];
}

[[nodiscard]] constexpr std::string_view text_of(BindReason reason) {
  constexpr std::string_view texts[] = {
#define NLB_BIND_REASON_TEXT(name, text, meaning) meaning,
      NLB_BIND_REASONS(NLB_BIND_REASON_TEXT)
#undef NLB_BIND_REASON_TEXT
  };
  return texts[static_cast<std::size_t>(reason)];
}

}  // namespace nlb
