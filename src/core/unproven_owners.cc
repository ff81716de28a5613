// SPDX-License-Identifier: Apache-2.0
#include "core/unproven_owners.hh"

#include <algorithm>

#include "core/membership.hh"

namespace nlb::core {
namespace {

constexpr int kQuestions = 5;  // in the time that a silence may last

}  // namespace

UnprovenOwners::UnprovenOwners(Nanos silence_limit, Nanos period)
    : silence_limit_(silence_limit), between_questions_(std::max(period, silence_limit / kQuestions)) {}

// It began when it said that it had acquired; while it is in a view it goes on, also from one to the next.
void UnprovenOwners::note(const wire::Heartbeat& heartbeat, Nanos now) {
  Owner& owner = of(heartbeat.header.sender);
  const bool can_be_asked = heartbeat.dedicated_ip.is_v4() && !heartbeat.dedicated_ip.is_unspecified() &&
                            !heartbeat.adapter_mac.is_zero();
  if (!in_a_view(heartbeat) || !may_take_new_flows(heartbeat) || !can_be_asked) {
    owner.heard_at = 0;
    return;
  }
  if (!serves(heartbeat) && !is_heard(owner, now)) return;
  // Most are believed with their next frame.
  if (!is_heard(owner, now)) owner.next_question = std::max(owner.next_question, now + between_questions_);
  owner.address = heartbeat.dedicated_ip;
  owner.mac = heartbeat.adapter_mac;
  owner.heard_at = now;
}

std::vector<KernelProbe> UnprovenOwners::ask(bool would_begin, Nanos now) {
  std::vector<KernelProbe> questions;
  if (!would_begin) {
    would_begin_since_ = 0;
    return questions;
  }
  if (would_begin_since_ == 0) would_begin_since_ = now;
  for (HostId id = 1; id <= kMaxHosts; ++id) {
    Owner& owner = of(id);
    if (!is_heard(owner, now) || now < owner.next_question) continue;
    questions.push_back({id, owner.address, owner.mac});
    owner.next_question = now + between_questions_;
  }
  return questions;
}

void UnprovenOwners::hear_answer(const IpAddress& address, Nanos now) {
  if (would_begin_since_ == 0) return;
  for (Owner& owner : owners_)
    if (owner.heard_at != 0 && owner.address == address) owner.answered_at = now;
}

bool UnprovenOwners::answers(HostId id, Nanos now) const {
  const Owner& owner = owners_.at(id);
  return is_heard(owner, now) && owner.answered_at != 0 && now - owner.answered_at < silence_limit_;
}

bool UnprovenOwners::wait(Nanos now) const {
  const bool had_no_time = now - would_begin_since_ < silence_limit_;
  for (HostId id = 1; id <= kMaxHosts; ++id)
    if (answers(id, now) || (had_no_time && is_heard(owners_[id], now))) return true;
  return false;
}

}  // namespace nlb::core
