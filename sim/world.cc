// SPDX-License-Identifier: Apache-2.0
#include "sim/world.hh"

#include <cstdio>

namespace nlb::sim {

World::World(uint64_t seed, uint32_t period_ms, uint32_t tolerance)
    : rng_(seed), period_ms_(period_ms), tolerance_(tolerance) {}

core::Settings World::settings(HostId id, uint8_t weight) {
  core::Settings settings;
  settings.id = id;
  settings.incarnation = (uint64_t{1} << 32) * static_cast<uint64_t>(now_ / kSecond) | (rng_() & 0xffffffff);
  settings.period_ms = period_ms_;
  settings.tolerance = tolerance_;
  settings.rules = rules;
  settings.offers.fill(weight);
  settings.dedicated_ip = IpAddress::v4(0x0a4d000au + id);
  settings.adapter_mac = MacAddress{{0x52, 0x54, 0, 0, 0, id}};
  settings.gateway = gateway_;
  return settings;
}

void World::add(HostId id, uint8_t weight) {
  weights_[id] = weight;
  Node& node = nodes_[id];
  node.kernel_alive = true;
  for (auto& states : node.states) states.fill(BucketState::foreign_checked);
  restart_daemon(id);
}

void World::restart_daemon(HostId id) {
  Node& node = nodes_[id];
  node.frozen = false;
  node.inbox.clear();
  node.lease = 0;  // a starting daemon writes lease 0 before its first frame
  ++node.starts;
  forget_hearing(id);
  node.host = std::make_unique<core::Host>(settings(id, weights_[id]), now_);
  perform(id, node.host->on_bind(true, "", now_));
  perform(id, node.host->command(core::HostEvent::start, now_));
}

void World::stop_planned(HostId id) {
  perform(id, nodes_[id].host->leave_for_restart(now_));
  nodes_[id].host.reset();
}

void World::kill_daemon(HostId id) {
  nodes_[id].host.reset();
}

void World::kill_host(HostId id) {
  Node& node = nodes_[id];
  node.host.reset();
  node.kernel_alive = false;
  node.lease = 0;
  std::erase_if(flows_, [&](const Flow& flow) { return flow.host == id; });
}

void World::freeze(HostId id) {
  nodes_[id].frozen = true;
}

void World::thaw(HostId id) {
  Node& node = nodes_[id];
  node.frozen = false;
  auto inbox = std::move(node.inbox);
  node.inbox.clear();
  for (auto& frame : inbox)
    perform(id, node.host->on_frame(frame, now_));  // frames are judged before any timer
}

void World::cut(HostId from, HostId to) {
  cuts_.insert({from, to});
  hearing_.erase({to, from});
}

void World::cut_both(HostId a, HostId b) {
  cut(a, b);
  cut(b, a);
}

void World::add_gateway() {
  gateway_ = IpAddress::v4(0x0a4d0001);
}

void World::heal() {
  cuts_.clear();
  healed_at_ = now_;
}

void World::run_for(Nanos duration) {
  for (const Nanos end = now_ + duration; now_ < end;) step();
}

void World::step() {
  now_ += kMillisecond;
  while (!network_.empty() && network_.top().at <= now_) {
    const Delivery delivery = network_.top();
    network_.pop();
    Node& node = nodes_[delivery.to];
    if (!node.host || !node.kernel_alive) continue;
    if (node.frozen) {
      node.inbox.push_back(delivery.frame);
    } else {
      hear(delivery.to, delivery.from, delivery.sent_at);
      perform(delivery.to, node.host->on_frame(delivery.frame, now_));
    }
  }
  for (auto& [id, node] : nodes_)
    if (node.host && !node.frozen && node.kernel_alive && now_ >= node.host->next_wakeup())
      perform(id, node.host->on_tick(now_));
  check();
}

core::SlotBuckets World::live(HostId id, uint64_t& count) const {
  core::SlotBuckets live(kMaxSlots);
  for (const Flow& flow : flows_) {
    if (flow.host != id) continue;
    live[flow.slot].set(flow.bucket);
    ++count;
  }
  return live;
}

void World::perform(HostId id, core::Actions actions) {
  Node& node = nodes_[id];
  for (const auto& notice : actions.notices)
    if (trace)
      std::printf("%8.3f host %d: %s %s\n", static_cast<double>(now_) / 1e9, id,
                  notice.peer ? ("[" + std::to_string(notice.peer) + "]").c_str() : "", notice.text.c_str());
  if (actions.states_changed)
    for (std::size_t slot : node.host->ownership().slots()) node.states[slot] = node.host->states(slot);
  if (actions.lease) node.lease = *actions.lease;
  for (const auto& message : actions.sends) send(id, message);
  for (const auto& probe : actions.probes) {
    const bool answers = probe.peer == 0 || nodes_[probe.peer].kernel_alive;
    if (answers && !cuts_.contains({id, probe.peer}) && !cuts_.contains({probe.peer, id}))
      perform(id, node.host->on_kernel_answer(probe.address, now_));
  }
  if (actions.scan) {
    uint64_t count = 0;
    const auto sockets = live(id, count);
    perform(id, node.host->on_scan(*actions.scan, sockets, count, now_));
  }
}

void World::send(HostId from, const core::Send& message) {
  for (auto& [to, node] : nodes_) {
    const auto mac = MacAddress{{0x52, 0x54, 0, 0, 0, to}};
    if (to == from || cuts_.contains({from, to})) continue;
    if (message.to == core::Send::To::peer && !(message.mac == mac)) continue;
    if (std::uniform_real_distribution<>(0, 1)(rng_) < loss_) continue;
    const Nanos delay =
        delay_low_ + static_cast<Nanos>(rng_() % static_cast<uint64_t>(delay_high_ - delay_low_ + 1));
    network_.push({now_, now_ + delay, ++order_, from, to, message.frame});
  }
}

std::vector<HostId> World::acceptors(std::size_t slot, uint32_t bucket) const {
  std::vector<HostId> who;
  for (const auto& [id, node] : nodes_) {
    const BucketState state = node.states[slot][bucket];
    const bool owns = state == BucketState::owned || state == BucketState::owned_checked;
    if (node.kernel_alive && owns && now_ < node.lease) who.push_back(id);
  }
  return who;
}

bool World::connect(std::size_t slot) {
  const auto bucket = static_cast<uint32_t>(rng_() % kBucketCount);
  const auto who = acceptors(slot, bucket);
  if (who.empty()) return false;
  flows_.push_back({who.front(), slot, bucket, 0});
  return true;
}

void World::close_flows(HostId host) {
  std::erase_if(flows_, [&](const Flow& flow) { return flow.host == host; });
}

bool World::linked(HostId a, HostId b) const {
  const bool cut_now = cuts_.contains({a, b}) || cuts_.contains({b, a});
  return !cut_now && now_ - healed_at_ > 2 * kMillisecond * period_ms_ + 4 * delay_high_;
}

void World::hear(HostId listener, HostId from, Nanos sent_at) {
  if (cuts_.contains({from, listener})) return;  // was on its way before the cut
  Hearing& hearing = hearing_[{listener, from}];
  if (now_ - hearing.last > kMillisecond * period_ms_ * tolerance_) hearing = {now_, now_, 0};
  hearing.last = now_;
  const auto back = hearing_.find({from, listener});
  if (hearing.answered == 0 && back != hearing_.end() && back->second.since < sent_at)
    hearing.answered = now_;
}

void World::forget_hearing(HostId id) {
  std::erase_if(hearing_, [&](const auto& one) { return one.first.first == id || one.first.second == id; });
}

bool World::acquainted(HostId a, HostId b) const {
  const auto answered = [&](HostId listener, HostId from) {
    const auto found = hearing_.find({listener, from});
    if (found == hearing_.end() || found->second.answered == 0) return false;
    const Nanos period = kMillisecond * period_ms_;
    return now_ - found->second.since > 2 * period && now_ - found->second.answered > period;
  };
  return answered(a, b) && answered(b, a);
}

void World::violation(const std::string& name, const std::string& what) {
  if (violations_.size() < 20)
    violations_.push_back(name + " at " + std::to_string(now_ / kMillisecond) + " ms: " + what);
}

void World::check() {
  check_one_owner();
  check_flows();
}

void World::check_one_owner() {
  for (std::size_t slot : core::slots_in_use(rules.size()))
    for (uint32_t bucket = static_cast<uint32_t>(now_ / kMillisecond) % 61; bucket < kBucketCount;
         bucket += 61) {
      const auto who = acceptors(slot, bucket);
      for (std::size_t i = 0; i < who.size(); ++i)
        for (std::size_t j = i + 1; j < who.size(); ++j)
          if (acquainted(who[i], who[j]))
            violation("one-owner", "slot " + std::to_string(slot) + " bucket " + std::to_string(bucket) +
                                       " hosts " + std::to_string(who[i]) + "," + std::to_string(who[j]));
    }
}

void World::check_flows() {
  for (Flow& flow : flows_) {
    const Node& home = nodes_.at(flow.host);
    if (home.states[flow.slot][flow.bucket] == BucketState::foreign)
      violation("keep-flow", "host " + std::to_string(flow.host) + " drops its own connection");
    bool exposed = false;  // past its lease a host lets no reset out, so there it cannot do harm
    for (const auto& [id, node] : nodes_)
      exposed = exposed || (id != flow.host && node.kernel_alive && linked(id, flow.host) &&
                            now_ < node.lease && node.states[flow.slot][flow.bucket] == BucketState::owned);
    if (!protects_daemonless && (!home.host || home.frozen)) exposed = false;
    if (!exposed) {
      flow.exposed_since = 0;
    } else if (flow.exposed_since == 0) {
      flow.exposed_since = now_;
    } else if (now_ - flow.exposed_since > 2 * kMillisecond * period_ms_) {
      violation("no-foreign-reset", "connection of host " + std::to_string(flow.host) + ", bucket " +
                                        std::to_string(flow.bucket));
      flow.exposed_since = now_;
    }
  }
}

bool World::converged(const std::set<HostId>& members) const {
  HostSet set = 0;
  for (HostId id : members) set |= bit_of(id);
  const core::View* common = nullptr;
  for (HostId id : members) {
    const auto& host = nodes_.at(id).host;
    if (!host || host->phase() != core::Phase::acquired || host->view().members != set) return false;
    if (common != nullptr && !(*common == host->view())) return false;
    common = &host->view();
  }
  return true;
}

bool World::run_until_converged(const std::set<HostId>& members, Nanos limit) {
  for (const Nanos end = now_ + limit; now_ < end; step())
    if (converged(members)) return true;
  return converged(members);
}

}  // namespace nlb::sim
