// SPDX-License-Identifier: Apache-2.0
// Hosts whose frames come, say that they serve, and echo nothing of this one: they do not hear it, or the
// frames are recordings. A host that would begin to serve alone asks their kernels by ARP, and waits for
// those that answer: a recording has none.
#pragma once

#include <array>
#include <vector>

#include "core/kernel_probe.hh"
#include "wire/heartbeat.hh"

namespace nlb::core {

class UnprovenOwners {
 public:
  // Whoever is heard less often is gone. `period`: the least time between two questions to one id.
  UnprovenOwners(Nanos silence_limit, Nanos period);

  // A frame of somebody who is not believed.
  void note(const wire::Heartbeat& heartbeat, Nanos now);
  void forget(HostId id) { of(id).heard_at = 0; }  // it is believed
  // Whether this host would begin to serve alone, if it were not for them, and whom to ask then.
  [[nodiscard]] std::vector<KernelProbe> ask(bool would_begin, Nanos now);
  void hear_answer(const IpAddress& address, Nanos now);
  // Is `id` one of them, and has its kernel answered?
  [[nodiscard]] bool answers(HostId id, Nanos now) const;
  // Is there one that answers, or could not have answered yet? The latter only until this host has wanted to
  // begin for as long as a silence may last, however many there are.
  [[nodiscard]] bool wait(Nanos now) const;

 private:
  struct Owner {
    IpAddress address;  // dedicated, of its adapter
    MacAddress mac;
    Nanos heard_at = 0;  // 0: is none
    Nanos next_question = 0, answered_at = 0;
  };
  [[nodiscard]] Owner& of(HostId id) { return owners_.at(id); }
  [[nodiscard]] bool is_heard(const Owner& owner, Nanos now) const {
    return owner.heard_at != 0 && now - owner.heard_at < silence_limit_;
  }

  Nanos silence_limit_, between_questions_;
  std::array<Owner, kMaxHosts + 1> owners_{};  // by id
  Nanos would_begin_since_ = 0;                // 0: does not
};

}  // namespace nlb::core
