// SPDX-License-Identifier: Apache-2.0
#include "core/change.hh"

#include <algorithm>

namespace nlb::core {
namespace {

constexpr std::size_t kEndsKept = 16;
constexpr Nanos kDoubtAfter = 2 * kSecond;  // the coordinator's own patience with the others is longer
constexpr Nanos kAskAgain = kSecond;

using Verb = ChangeMessage::Verb;

}  // namespace

const char* name_of(ChangeState state) {
  constexpr const char* names[] = {"unknown", "prepared", "committed", "aborted"};
  return names[static_cast<std::size_t>(state)];
}

ClusterChange::ClusterChange(HostId self, ChangeStore& store, ChangeRecord record)
    : self_(self), store_(store), record_(std::move(record)) {}

ChangeRecord::Ended* ClusterChange::ended(const std::string& id) {
  const auto found = std::find_if(record_.ended.begin(), record_.ended.end(),
                                  [&](const auto& end) { return end.order.id == id; });
  return found == record_.ended.end() ? nullptr : &*found;
}

void ClusterChange::remember_end(const ChangeOrder& order, bool committed, HostSet unconfirmed) {
  if (ended(order.id) != nullptr) return;
  record_.ended.push_back({order, committed, unconfirmed});
  const auto settled = [](const auto& end) { return end.unconfirmed == 0; };
  while (record_.ended.size() > kEndsKept) {
    const auto oldest = std::find_if(record_.ended.begin(), record_.ended.end(), settled);
    if (oldest == record_.ended.end()) return;
    record_.ended.erase(oldest);
  }
}

// A coordinator that died before it decided has decided: nobody can have been told to commit.
ClusterChange::Output ClusterChange::resume(Nanos now) {
  Output out;
  prepared_at_ = now - kDoubtAfter;  // ask at once
  if (record_.prepared.empty()) {
    store_.discard({});  // staged, and dead before it was written down
    return out;
  }
  const ChangeOrder order = record_.prepared.front();
  const auto* end = ended(order.id);
  if (end != nullptr) settle(order, end->committed);
  if (end == nullptr && order.coordinator == self_) {
    settle(order, false);
    ask_all(order.members, Verb::abort, order, out);
  }
  return out;
}

ChangeReply ClusterChange::prepare(const ChangeOrder& order, Nanos now) {
  if (ended(order.id) != nullptr) return {ChangeState::aborted, "this change was given up already"};
  if (!record_.prepared.empty())
    return {ChangeState::aborted, "another change waits for its outcome (host " +
                                      std::to_string(record_.prepared.front().coordinator) +
                                      " knows it; if that host is gone for good: nlb forget " +
                                      std::to_string(record_.prepared.front().coordinator) + ")"};
  auto staged = store_.stage(order);
  if (!staged) return {ChangeState::aborted, staged.error().message};
  record_.prepared = {order};
  if (auto saved = store_.save(record_); !saved) {
    record_.prepared.clear();
    store_.discard(order);
    return {ChangeState::aborted, saved.error().message};
  }
  prepared_at_ = now;
  ask_at_ = 0;
  doubt_answers_ = 0;
  return {ChangeState::prepared, *staged};
}

// Applied, then written down: after a crash in between, the outcome is asked for once more and applied again.
void ClusterChange::settle(const ChangeOrder& order, bool committed) {
  if (committed && !store_.apply(order)) return;  // stays prepared, and asks again
  if (!committed) store_.discard(order);
  if (!record_.prepared.empty() && record_.prepared.front().id == order.id) record_.prepared.clear();
  remember_end(order, committed, 0);
  (void)store_.save(record_);
}

void ClusterChange::ask_all(HostSet hosts, Verb verb, const ChangeOrder& order, Output& out) const {
  for_each_host(hosts & ~bit_of(self_), [&](HostId id) { out.asks.push_back({id, {verb, order}}); });
}

ClusterChange::Output ClusterChange::begin(const ChangeOrder& order, Nanos now) {
  Output out;
  if (running_) {
    out.ends.push_back({false, order.id, {{self_, "another change is under way"}}, 0});
    return out;
  }
  const ChangeReply own = prepare(order, now);
  if (own.state != ChangeState::prepared) {
    out.ends.push_back({false, order.id, {{self_, own.text}}, 0});
    return out;
  }
  running_ = Running{order, order.members & ~bit_of(self_), false, own.text, {}, 0};
  ask_all(running_->awaited, Verb::prepare, order, out);
  if (running_->awaited == 0) all_have_voted(out);
  return out;
}

void ClusterChange::all_have_voted(Output& out) {
  const ChangeOrder order = running_->order;
  const HostSet others = order.members & ~bit_of(self_);
  if (running_->reasons.empty()) {
    remember_end(order, true, others);
    if (auto saved = store_.save(record_); saved) {
      running_->decided = true;
      running_->awaited = others;
      running_->own_due = true;
      return ask_all(others, Verb::commit, order, out);
    } else {
      record_.ended.pop_back();
      running_->reasons[self_] = saved.error().message;
    }
  }
  settle(order, false);
  ask_all(others, Verb::abort, order, out);
  end(out, false);
}

ClusterChange::Output ClusterChange::settle_own() {
  Output out;
  if (!running_ || !running_->own_due) return out;
  running_->own_due = false;
  settle(ChangeOrder(running_->order), true);
  if (running_->awaited == 0) end(out, true);
  return out;
}

void ClusterChange::end(Output& out, bool committed) {
  out.ends.push_back({committed, running_->order.id, running_->reasons, running_->unconfirmed});
  running_.reset();
}

ChangeReply ClusterChange::on_message(const ChangeMessage& message, Nanos now) {
  const ChangeOrder& order = message.order;
  if (message.verb == Verb::prepare) return prepare(order, now);
  const bool is_prepared = !record_.prepared.empty() && record_.prepared.front().id == order.id;
  if (is_prepared && message.verb != Verb::outcome) {
    settle(ChangeOrder(record_.prepared.front()), message.verb == Verb::commit);
  } else if (!is_prepared && ended(order.id) == nullptr && message.verb != Verb::commit) {
    // Never heard of: whoever hears that may abort, so this host will not prepare it any more.
    remember_end(order, false, 0);
    (void)store_.save(record_);
  }
  const bool still_prepared = !record_.prepared.empty() && record_.prepared.front().id == order.id;
  const auto* end = ended(order.id);
  if (end != nullptr && !(still_prepared && message.verb == Verb::commit))
    return {end->committed ? ChangeState::committed : ChangeState::aborted, ""};
  return {still_prepared ? ChangeState::prepared : ChangeState::unknown, ""};
}

ClusterChange::Output ClusterChange::on_reply(HostId from, const ChangeMessage& asked,
                                              const ChangeReply& reply, Nanos now) {
  Output out;
  if (asked.verb == Verb::outcome && in_doubt() && record_.prepared.front().id == asked.order.id)
    hear_of_outcome(from, reply.state);
  if (asked.verb == Verb::commit && reply.state == ChangeState::prepared)
    return on_silence(from, asked, "cannot put its file in place", now);
  if (asked.verb == Verb::commit) confirm(from, asked.order.id);
  if (!running_ || running_->order.id != asked.order.id || !(running_->awaited & bit_of(from))) return out;
  if (asked.verb == Verb::prepare && !running_->decided) {
    running_->awaited &= ~bit_of(from);
    if (reply.state != ChangeState::prepared)
      running_->reasons[from] = reply.text;
    else if (reply.text != running_->agreed)
      running_->reasons[from] = "its configuration would differ from that of host " + std::to_string(self_);
    if (running_->awaited == 0) all_have_voted(out);
  } else if (asked.verb == Verb::commit && running_->decided) {
    running_->awaited &= ~bit_of(from);
    if (running_->awaited == 0 && !running_->own_due) end(out, true);
  }
  return out;
}

ClusterChange::Output ClusterChange::on_silence(HostId from, const ChangeMessage& asked,
                                                const std::string& why, Nanos) {
  Output out;
  if (!running_ || running_->order.id != asked.order.id || !(running_->awaited & bit_of(from))) return out;
  const bool votes = asked.verb == Verb::prepare && !running_->decided;
  const bool confirms = asked.verb == Verb::commit && running_->decided;
  if (!votes && !confirms) return out;
  running_->awaited &= ~bit_of(from);
  if (votes) running_->reasons[from] = why;
  if (confirms) running_->unconfirmed |= bit_of(from);
  if (running_->awaited != 0) return out;
  if (votes)
    all_have_voted(out);
  else if (!running_->own_due)
    end(out, true);
  return out;
}

void ClusterChange::confirm(HostId from, const std::string& id) {
  auto* end = ended(id);
  if (end == nullptr || !(end->unconfirmed & bit_of(from))) return;
  end->unconfirmed &= ~bit_of(from);
  (void)store_.save(record_);
}

void ClusterChange::hear_of_outcome(HostId from, ChangeState state) {
  const ChangeOrder order = record_.prepared.front();
  if (state == ChangeState::committed || state == ChangeState::aborted)
    return settle(order, state == ChangeState::committed);
  doubt_answers_ |= bit_of(from);
  const HostSet left = order.members & ~forgotten_ & ~bit_of(self_);
  if ((forgotten_ & bit_of(order.coordinator)) && (left & ~doubt_answers_) == 0) settle(order, false);
}

ClusterChange::Output ClusterChange::on_tick(Nanos now) {
  Output out;
  if (in_doubt() && now - prepared_at_ >= kDoubtAfter && now >= ask_at_) {
    const ChangeOrder order = record_.prepared.front();
    ask_at_ = now + kAskAgain;
    doubt_answers_ = 0;
    const bool alone = (order.members & ~forgotten_ & ~bit_of(self_)) == 0;
    if (const auto* end = ended(order.id))
      settle(order, end->committed);  // known, and could not be done
    else if (alone && (forgotten_ & bit_of(order.coordinator)))
      settle(order, false);
    else
      ask_all(order.members & ~forgotten_, Verb::outcome, order, out);
  }
  if (now < confirm_at_) return out;
  confirm_at_ = now + kAskAgain;
  for (auto& end : record_.ended) {
    if (running_ && running_->order.id == end.order.id) continue;
    end.unconfirmed &= ~forgotten_;
    ask_all(end.unconfirmed, Verb::commit, end.order, out);
  }
  return out;
}

}  // namespace nlb::core
