// SPDX-License-Identifier: Apache-2.0
// What the switch in front of this host says of another one behind the same switch: its port has gone down
// and is fenced, nothing gets in or out there, so whatever that host owned it owns no more. Why this may be
// believed, and when not: docs/decisions/0018. It names a life of that host's daemon: a later one is not
// meant.
#pragma once

#include <array>

#include "wire/fence_notice.hh"

namespace nlb::core {

using wire::FenceNotice;

// The numbers that this host has said to its switch, and to nobody else: who repeats one of the latest has
// heard it, and lately. Random ones; they come from outside.
class SwitchNonces {
 public:
  static constexpr Nanos kFresh = 2 * kSecond;  // the host speaks each second at least

  void said(uint64_t nonce, Nanos now) { said_[next_++ % said_.size()] = {nonce, now, true}; }
  [[nodiscard]] bool has(uint64_t nonce, Nanos now) const {
    for (const Said& one : said_)
      if (one.valid && one.nonce == nonce && now - one.at < kFresh) return true;
    return false;
  }

 private:
  struct Said {
    uint64_t nonce = 0;
    Nanos at = 0;
    bool valid = false;
  };
  std::array<Said, 2> said_{};
  std::size_t next_ = 0;
};

}  // namespace nlb::core
