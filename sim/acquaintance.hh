// SPDX-License-Identifier: Apache-2.0
// Who knows of whom. Several invariants bind only hosts that "have heard each other, both ways, for two
// periods": nobody can mind a host that it cannot hear. This keeps that relation from what really reached
// running daemons, apart from what they conclude.
#pragma once

#include <array>

#include "base/limits.hh"
#include "base/net.hh"

namespace nlb::sim {

using Port = uint8_t;  // of the switch: a host's id, then those of namesakes; 0 = the gateway

class Acquaintance {
 public:
  // An echo that comes later than D cannot be told from a replay. Its age: a frame there, up to a period in
  // which no newer one came to be echoed, and a frame back, by a clock that may run 10 % fast.
  Acquaintance(Nanos period, Nanos silence_limit)
      : period_(period), oldest_((silence_limit - period) * 10 / 11 / 2) {}

  // A heartbeat that `from` sent at `sent_at` has been judged by the daemon of `listener`. Two that are older
  // than that when they are judged may make an echo that nobody can believe: that is no hearing. Nor is a
  // part of a held list: it says neither whom its sender hears nor what it owns.
  void hear(Port listener, Port from, Nanos sent_at, Nanos now) {
    Hearing& hearing = hearing_[listener][from];
    if (now - sent_at > oldest_ || now < hearing.predecessor_until) return;
    if (hearing.last == 0 || now - hearing.last > 3 * period_) {
      hearing = {now, now, 0, 0};
      hearing_[from][listener].answered = 0;  // what it heard before was said by who heard it then
    }
    hearing.last = now;
    const Hearing& back = hearing_[from][listener];
    if (hearing.answered == 0 && back.last != 0 && back.since < sent_at) hearing.answered = now;
  }
  // A frame of an earlier daemon of `from`, which has ended. For two periods the listener has to think that
  // this one lives, and does not list its successor.
  void hear_predecessor(Port listener, Port from, Nanos now) {
    hearing_[listener][from] = {0, 0, 0, now + 2 * period_};
  }
  void cut(Port listener, Port from) { hearing_[listener][from] = {}; }
  void forget(Port port) {  // a new daemon has heard nobody, and nobody has heard it
    for (std::size_t other = 0; other <= kMaxHosts; ++other)
      hearing_[port][other] = hearing_[other][port] = {};
  }
  // Both hear each other, have done so for two periods, and each has heard what the other said after that.
  [[nodiscard]] bool acquainted(Port a, Port b, Nanos now) const {
    return heard(a, b, now) && heard(b, a, now);
  }

 private:
  struct Hearing {
    Nanos since = 0, last = 0;  // without a gap of more than two periods and what a tick may be late
    Nanos answered = 0;         // since when frames come that were sent after the sender heard the listener
    Nanos predecessor_until = 0;
  };
  [[nodiscard]] bool heard(Port listener, Port from, Nanos now) const {
    const Hearing& hearing = hearing_[listener][from];
    return hearing.answered != 0 && now - hearing.last <= 3 * period_ && now - hearing.since > 2 * period_ &&
           now - hearing.answered > period_;
  }
  Nanos period_, oldest_;
  std::array<std::array<Hearing, kMaxHosts + 1>, kMaxHosts + 1> hearing_{};
};

}  // namespace nlb::sim
