// SPDX-License-Identifier: Apache-2.0
// What a guard's announcement means for this host, in words: the quote, what it adds to a reason that a proof
// has found, and the exact remedy. It never decides whether a bind holds: a forged one misleads a text, no
// more.
#pragma once

#include <string>

#include "core/bind_reason.hh"
#include "wire/policy_announcement.hh"

namespace nlb {

// "port web1 on host kvm7: MAC spoofing off"
[[nodiscard]] std::string quote_of(const wire::PolicyAnnouncement& told);

// Who this host is.
struct ClusterSeat {
  std::string cluster;
  HostId host_id = 0;
};

// Whether a port with that policy carries this host's part of the cluster.
enum class SwitchFit : uint8_t {
  fits,
  off,         // nothing of any cluster passes, whatever its mode
  other_host,  // declared, with another host id: the masked MAC is another
  other_name   // declared for a cluster of another name, which may be the same one or not
};
[[nodiscard]] SwitchFit fit_of(const wire::PolicyAnnouncement& told, const ClusterSeat& seat);

// A refusal with the switch's words. What a proof could not tell apart, they may; in audit nothing is dropped
// by that switch, and that is said.
struct RefusalWords {
  BindReason reason = BindReason::none;
  std::string evidence;
};
[[nodiscard]] RefusalWords with_switch_words(RefusalWords refusal, const wire::PolicyAnnouncement& told,
                                             const ClusterSeat& seat);

// What to do on the hypervisor, word for word; "" where its policy carries this host.
[[nodiscard]] std::string remedy_on_switch(const wire::PolicyAnnouncement& told, const ClusterSeat& seat);
// The reasons that a switch can be the cause of.
[[nodiscard]] bool may_be_the_switch(BindReason reason);

}  // namespace nlb
