// SPDX-License-Identifier: Apache-2.0
// A machine outside the cluster that uses what is the cluster's: when to tell of it, and for how long to
// remember it. Whoever is on the segment can make one up with every frame, so telling has a pace of its own.
#pragma once

#include <optional>

#include "base/net.hh"
#include "core/address_claim.hh"

namespace nlb {

inline constexpr Nanos kVipUserRemembered = 60 * kSecond;
// Twice as long as switches remember where they have heard a MAC.
inline constexpr Nanos kMacUserRemembered = 600 * kSecond;

class Stranger {
 public:
  explicit Stranger(Nanos remembered_for) : remembered_for_(remembered_for) {}

  // True: tell of it. That is so at most once in kSilence, whoever is heard.
  bool hear(const core::AddressConflict& use, Nanos now) {
    use_ = use;
    heard_at_ = now;
    if (told_at_ && now - *told_at_ < kSilence) return false;
    told_at_ = now;
    return true;
  }
  // The last one heard; nullopt when that is too long ago.
  [[nodiscard]] std::optional<core::AddressConflict> remembered(Nanos now) const {
    if (use_ && now - heard_at_ < remembered_for_) return use_;
    return std::nullopt;
  }

  static constexpr Nanos kSilence = 10 * kSecond;  // DEFEND_INTERVAL of RFC 5227

 private:
  Nanos remembered_for_;
  std::optional<core::AddressConflict> use_;
  Nanos heard_at_ = 0;
  std::optional<Nanos> told_at_;
};

}  // namespace nlb
