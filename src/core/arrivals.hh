// SPDX-License-Identifier: Apache-2.0
// Hosts that boot together come a few at a time. Admitted as each is ready, every few of them would cost a
// view. So when several have come one soon after the other, those in no view are let in when nobody has come
// for a while, and with each view at most D later than they might have been. Who comes alone is let in at
// once; nothing else waits: no eviction, no merging of views.
#pragma once

#include "base/net.hh"

namespace nlb::core {

class Arrivals {
 public:
  // Who takes part now, and which of them are in no view. A member that falls out of its view does not come.
  void see(HostSet present, HostSet in_no_view, Nanos now, Nanos period) {
    for_each_host(present & ~present_ & in_no_view, [&](HostId) {
      several_ = last_ != 0 && now - last_ < kSoon * period;
      if (!several_) since_ = now;
      last_ = now;
    });
    present_ = present;
  }
  void view_begins(Nanos now) { since_ = now; }
  [[nodiscard]] bool more_expected(Nanos now, Nanos period, Nanos longest) const {
    return several_ && now - last_ < kSoon * period && now - since_ < longest;
  }

 private:
  static constexpr int kSoon = 3;  // periods
  HostSet present_ = 0;
  bool several_ = false;
  Nanos last_ = 0, since_ = 0;  // since_: the first of them, or the last view
};

}  // namespace nlb::core
