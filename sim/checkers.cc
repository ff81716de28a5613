// SPDX-License-Identifier: Apache-2.0
#include "sim/checkers.hh"

#include <algorithm>
#include <bit>

namespace nlb::sim {
namespace {

constexpr std::size_t kViolationsKept = 5;           // of each invariant
constexpr std::size_t kViewsWithinLimit = 40;        // of one host, within D
constexpr Nanos kLearnsOfResumed = kSecond * 6 / 5;  // a second between questions, and drift of clocks

std::string name(const Node& node) {
  return "host " + std::to_string(node.id) + (node.namesake ? "'" : "");
}

}  // namespace

std::string Violation::text() const {
  return invariant + " at " + std::to_string(at / kMillisecond) + " ms: " + what;
}

void Checkers::violate(const std::string& invariant, const std::string& what) {
  if (!only_.empty() && invariant != only_) return;
  const auto same = [&](const Violation& violation) { return violation.invariant == invariant; };
  if (static_cast<std::size_t>(std::ranges::count_if(violations_, same)) >= kViolationsKept) return;
  violations_.push_back({invariant, what, scene_.now});
  scene_.trace.tell(scene_.now, "VIOLATION " + invariant + ": " + what);
}

// Hosts with different seeds do not mean the same by a bucket: any two of theirs may be one client's.
bool Checkers::overlap(const Node& a, const Node& b) const {
  if (!a.kernel_alive || !b.kernel_alive) return false;
  bool any_a = false, any_b = false;
  for (std::size_t slot : scene_.slots)
    for (std::size_t word = 0; word < a.owned[slot].size(); ++word) {
      const uint64_t in_a = a.owned[slot][word], in_b = b.owned[slot][word];
      if ((in_a & in_b) != 0 && a.hash_seed == b.hash_seed) return true;
      any_a = any_a || in_a != 0;
      any_b = any_b || in_b != 0;
    }
  return a.hash_seed != b.hash_seed && any_a && any_b;
}

std::string Checkers::shared_bucket(const Node& a, const Node& b) const {
  for (std::size_t slot : scene_.slots)
    for (std::size_t word = 0; word < a.owned[slot].size(); ++word)
      if (const uint64_t both = a.owned[slot][word] & b.owned[slot][word]; both != 0)
        return "slot " + std::to_string(slot) + " bucket " +
               std::to_string(word * 64 + static_cast<std::size_t>(std::countr_zero(both)));
  return "a bucket";
}

void Checkers::states_changed(Port port) {
  const Node& node = scene_.nodes[port];
  std::erase_if(overlapping_, [&](const Pair& pair) { return pair.a == port || pair.b == port; });
  for (const Port other : scene_.ports)
    if (other != port && overlap(node, scene_.nodes[other])) overlapping_.push_back({port, other});
  check_keep_flow(node);
}

// keep-flow: "an established TCP connection stays on its host as long as that host lives and is not stopped".
// The filter of its home drops its segments in state foreign alone.
void Checkers::check_keep_flow(const Node& node) {
  if (!node.kernel_alive || node.filter_closed) return;
  for (const uint32_t index : node.flows) {
    const Flow& flow = scene_.flows[index];
    const uint32_t bucket = bucket_of(flow.client, node.hash_seed);
    if (node.state(flow.slot, bucket) == BucketState::foreign)
      return violate("keep-flow", name(node) + " drops its own connection in slot " +
                                      std::to_string(flow.slot) + " bucket " + std::to_string(bucket));
  }
}

void Checkers::judge_overlaps() {
  for (const Pair& pair : overlapping_) judge_overlap(scene_.nodes[pair.a], scene_.nodes[pair.b]);
}

// Exception of one-owner, measured apart: a machine that stood still with its clock takes its old lease for
// valid when it goes on, until it ends. That window must never exceed the lease.
bool Checkers::excused_by_standstill(const Node& node) {
  const Nanos local = node.clock.local(scene_.now);
  if (local >= node.excused_until) return false;
  const Nanos window = local - node.resumed_local;
  longest_frozen_window_ = std::max(longest_frozen_window_, window);
  if (window > scene_.lease_length())
    violate("frozen-window", name(node) + " still takes the lease of before its standstill for valid");
  return true;
}

// one-owner: "among hosts that have heard each other, both ways, for two periods, at no time do two accept a
// new flow of the same bucket". silent-when-stalled: a host whose daemon has no turn has no more lease when
// others take its buckets; this binds those whom it was acquainted with when it lost its turn, who have run
// since, and from whom it was not cut meanwhile.
void Checkers::judge_overlap(const Node& a, const Node& b) {
  const Nanos now = scene_.now;
  const auto accepting = [&](const Node& node) {
    return node.kernel_runs() && !node.filter_closed && !node.plug.fenced && node.lease_valid(now);
  };
  if (!accepting(a) || !accepting(b)) return;
  const bool a_excused = excused_by_standstill(a), b_excused = excused_by_standstill(b);
  if (a_excused || b_excused) return;
  const bool a_runs = a.daemon_runs(), b_runs = b.daemon_runs();
  const auto both = [&] { return shared_bucket(a, b) + " of " + name(a) + " and " + name(b); };
  if (a_runs && b_runs && scene_.known.acquainted(a.port, b.port, now)) return violate("one-owner", both());
  if (a_runs != b_runs) {
    const Node& stalled = a_runs ? b : a;
    const Node& running = a_runs ? a : b;
    if ((stalled.knew & bit_of(running.port)) != 0)
      violate("silent-when-stalled", both() + "; the daemon of " + name(stalled) + " does not run");
  }
}

// full-cover: "a settled group has an owner for every bucket of every enabled rule for which some member has
// weight and is neither draining nor unhealthy", and just now accepts there. A kept bucket moves within a
// view: between its two owners is a message, which may have to be repeated.
void Checkers::full_cover(HostSet group) {
  for (std::size_t slot : scene_.slots) {
    BucketWords covered{};
    for_each_host(group, [&](Port port) {
      const Node& node = scene_.nodes[port];
      if (!node.kernel_runs() || node.plug.fenced || !node.lease_valid(scene_.now)) return;
      for (std::size_t word = 0; word < covered.size(); ++word) covered[word] |= node.owned[slot][word];
    });
    for_each_host(group, [&](Port port) {
      for (const auto& [where, at] : scene_.nodes[port].visits.let_go_at)
        if (where.first == slot && scene_.now - at < scene_.silence_limit())
          covered[where.second / 64] |= uint64_t{1} << where.second % 64;
    });
    for (std::size_t word = 0; word < covered.size(); ++word)
      if (covered[word] != ~uint64_t{0})
        return violate(
            "full-cover",
            "nobody accepts in slot " + std::to_string(slot) + " bucket " +
                std::to_string(word * 64 + static_cast<std::size_t>(std::countr_one(covered[word]))));
  }
}

// no-foreign-reset: "no host resets a connection that another living host holds". It binds a host that could
// know of the holder: both daemons run and are acquainted; or the holder's does not run, and the host was
// acquainted and in one view with it when it stopped, and has run since on a path without faults. A machine
// that stands still as a whole does not live: it answers nobody; that it goes on, without its daemon, is seen
// when it is asked again. And a host whose daemon has no turn can learn nothing; past its lease it lets no
// reset out.
void Checkers::reset_sent(Port by, const Flow& flow) {
  const Node& resetter = scene_.nodes[by];
  const Node& home = scene_.nodes[flow.home];
  const bool knows = home.daemon_runs() ? scene_.known.acquainted(by, flow.home, scene_.now)
                                        : (resetter.remembers & bit_of(flow.home)) != 0;
  const bool unasked =
      !home.daemon_runs() && home.resumed_at != 0 && scene_.now - home.resumed_at < kLearnsOfResumed;
  if (!home.kernel_runs() || !resetter.daemon_runs() || !knows || unasked) {
    ++excused_resets_;
    return;
  }
  violate("no-foreign-reset", name(resetter) + " resets a connection of " + name(home) + " in slot " +
                                  std::to_string(flow.slot) + " bucket " +
                                  std::to_string(bucket_of(flow.client, resetter.hash_seed)));
}

// extended-affinity: "a client that returns within the timeout meets the host that it met last, if that host
// lives, takes connections and has never had to give up what it owned". It binds hosts that could know of
// each other: on the two sides of a split, each serves.
void Checkers::client_returned(const Visitor& client, Port met, Nanos timeout) {
  const Nanos absent = scene_.now - client.met_at;
  if (client.met == 0 || client.met == met || !client.counts || absent >= timeout / 10 * 9) return;
  const Node& before = scene_.nodes[client.met];
  if (!before.daemon_runs() || before.visits.epoch != client.epoch) return;
  if (!scene_.known.acquainted(client.met, met, scene_.now)) return;
  violate("extended-affinity", "a client of " + name(before) + " is answered by " + name(scene_.nodes[met]) +
                                   " after " + std::to_string(absent / kMillisecond) + " ms");
}

// let-go: a kept bucket moves when none of the clients for whom it is kept came for the timeout; looked at
// where nothing is in the way: an acquired view, and a daemon that runs.
void Checkers::let_go(Nanos timeout) {
  const Nanos patience = timeout + timeout / 10 + scene_.silence_limit() + 4 * kSecond;
  for (const Port port : scene_.ports) {
    const Node& node = scene_.nodes[port];
    if (!node.daemon_runs() || node.host->phase() != core::Phase::acquired) continue;
    for (const auto& [where, counted_at] : node.visits.counted_at)
      if (const Nanos since = node.clock.local(scene_.now) - counted_at;
          node.visits.kept[where.first][where.second] && since > patience)
        return violate("let-go", name(node) + " keeps bucket " + std::to_string(where.second) +
                                     " for nobody since " + std::to_string(since / kMillisecond) + " ms");
  }
}

// churn: views come and go with what happens, not with every frame: two hosts that each take up what the
// other has just given up would go on for ever.
void Checkers::view_begun(Port port) {
  auto& views = scene_.nodes[port].views;
  views.push_back(scene_.now);
  while (scene_.now - views.front() > scene_.silence_limit()) views.pop_front();
  if (views.size() <= kViewsWithinLimit) return;
  violate("churn", name(scene_.nodes[port]) + " has changed its view " + std::to_string(views.size()) +
                       " times within " + std::to_string(scene_.silence_limit() / kMillisecond) + " ms");
  views.clear();
}

// lease, the ground of silent-when-stalled: a lease ends L after a send that at least all but one of the
// other members (the one other, in a view of two) have taken in: none that is younger can have accused this
// host for want of frames. What it was told counts for nothing here, only what reached whom.
void Checkers::lease_written(const Node& node) {
  check_cut_off(node);
  const uint64_t incarnation = node.host->settings().incarnation;
  std::vector<Nanos> newest;
  for_each_host(node.host->view().members & ~bit_of(node.id),
                [&](HostId id) { newest.push_back(receipts_.newest(incarnation, id)); });
  if (newest.empty()) return;
  std::ranges::sort(newest);
  const Nanos from = newest[newest.size() == 1 ? 0 : 1];
  if (node.lease > from + scene_.lease_length())
    violate("lease", name(node) + " has a lease of " + std::to_string((node.lease - from) / kMillisecond) +
                         " ms from what others have heard of it last");
}

// cut-off: "a host that hears nobody serves only with carrier and, where it has a gateway, an answered ARP
// probe". It may take D until nobody is heard any more, and D until the gateway is known to be silent.
void Checkers::check_cut_off(const Node& node) {
  const bool alone = std::popcount(node.host->view().members) == 1;
  if (!alone || node.host->settings().gateway.is_unspecified()) return;
  const Nanos silence = scene_.now - node.company_at;
  if (silence > 3 * scene_.silence_limit())
    violate("cut-off", name(node) + " serves alone, and has heard neither a host nor its gateway for " +
                           std::to_string(silence / kMillisecond) + " ms");
}

// replay: nobody begins to believe a daemon that ended more than 2 D ago: it cannot have echoed what was sent
// within D. A listener whose clock has stood still since takes old echoes for fresh and is not bound.
void Checkers::believed(const Node& node, const wire::Header& header) {
  const auto ended = ended_.find(header.incarnation);
  if (ended == ended_.end() || scene_.now - ended->second <= 2 * scene_.silence_limit()) return;
  if (node.clock_shifted_at > ended->second) return;
  violate("replay", name(node) + " believes a daemon of host " + std::to_string(header.sender) +
                        " that ended " + std::to_string((scene_.now - ended->second) / kMillisecond) +
                        " ms ago");
}

// mac-truth, guarded-port, as far as a switch can judge: the cluster MAC is never an Ethernet source, so no
// switch can learn it.
void Checkers::frame_sent(Port by, const MacAddress& source, bool learnt_cluster_mac) {
  if (learnt_cluster_mac)
    violate("mac-truth", name(scene_.nodes[by]) + " sends from the cluster MAC " + source.text());
}

}  // namespace nlb::sim
