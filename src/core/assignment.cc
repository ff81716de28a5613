// SPDX-License-Identifier: Apache-2.0
// Problem: shares must be exact (clients notice 5 %), yet a join or leave must move hardly more buckets than
// it has to, and all hosts must compute the same table without talking about it. Idea: weighted rendezvous
// hashing gives each bucket an order of hosts (cost = -log2(hash)/weight, lowest first); quotas bound each
// host. Every bucket proposes to hosts in its order; a full host keeps the proposals of lowest cost. As both
// sides rank by the same cost, the stable matching is unique, whatever the order of proposals: a function of
// members and weights. Departure from plain rendezvous: a quota displaces about sqrt(buckets/hosts) buckets a
// host, which is the price of a balance within one bucket (figures: assignment_test).
#include "core/assignment.hh"

#include <algorithm>
#include <bit>
#include <limits>
#include <memory>
#include <mutex>
#include <queue>

#include "core/planted.hh"

namespace nlb::core {
namespace {

uint32_t mix(uint32_t bucket, HostId id) {
  uint64_t x = (uint64_t{bucket} << 8 | id) + 0x9e3779b97f4a7c15u;  // splitmix64's finalizer
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return static_cast<uint32_t>((x ^ (x >> 31)) >> 32);
}

// log2 of value/2^32 negated, 16.16. value 0 counts as 1.
uint32_t negated_log2(uint32_t value) {
  value = std::max(value, 1u);
  const int leading = std::countl_zero(value);
  uint64_t mantissa = uint64_t{value} << leading;  // in [2^31, 2^32)
  uint32_t fraction = 0;
  for (int bit = 15; bit >= 0; --bit) {  // squaring doubles the logarithm: one bit of it a turn
    mantissa = mantissa * mantissa >> 31;
    if (mantissa >> 32) {
      fraction |= 1u << bit;
      mantissa >>= 1;
    }
  }
  const uint32_t log2_of_mantissa = fraction;  // 0.16, of a mantissa in [1, 2)
  return ((static_cast<uint32_t>(leading) + 1) << 16) - log2_of_mantissa;
}

// Of one host, by bucket. They do not depend on weights: computed once, read by every table. Those of all 64
// hosts would take longer than the rest of a daemon's start.
using Distances = std::array<uint32_t, kBucketCount>;

const Distances& distances_of(HostId id) {
  static std::array<std::once_flag, kMaxHosts + 1> computed;
  static std::array<std::unique_ptr<Distances>, kMaxHosts + 1> known;
  std::call_once(computed[id], [&] {
    known[id] = std::make_unique<Distances>();
    for (uint32_t bucket = 0; bucket < kBucketCount; ++bucket)
      (*known[id])[bucket] = negated_log2(mix(bucket, id));
  });
  return *known[id];
}

struct Proposal {
  uint64_t cost = 0;
  uint32_t bucket = 0;
  bool operator<(const Proposal& other) const {
    return cost != other.cost ? cost < other.cost : bucket < other.bucket;
  }
};

class Matching {
 public:
  Matching(std::span<const Share> shares, const std::vector<uint32_t>& quota)
      : shares_(shares), quota_(quota), kept_(shares.size()) {
    refused_.fill(kNobodyYet);
    compute_costs();
  }

  OwnerTable run() {
    for (uint32_t bucket = 0; bucket < kBucketCount; ++bucket) place(bucket);
    OwnerTable table{};
    for (std::size_t i = 0; i < shares_.size(); ++i)
      for (; !kept_[i].empty(); kept_[i].pop()) table[kept_[i].top().bucket] = shares_[i].id;
    return table;
  }

 private:
  struct Choice {
    uint64_t cost = 0;
    std::size_t index = 0;
  };
  static constexpr std::size_t kNobodyYet = std::numeric_limits<std::size_t>::max();

  [[nodiscard]] uint64_t cost(uint32_t bucket, std::size_t index) const {
    return costs_[bucket * shares_.size() + index];
  }
  void compute_costs() {  // each is looked at several times, and a division is dear
    costs_.resize(kBucketCount * shares_.size());
    for (std::size_t i = 0; i < shares_.size(); ++i) {
      if (shares_[i].weight == 0) continue;
      const Distances& distances = distances_of(shares_[i].id);
      for (uint32_t bucket = 0; bucket < kBucketCount; ++bucket)
        costs_[bucket * shares_.size() + i] = (uint64_t{distances[bucket]} << 24) / shares_[i].weight;
    }
  }

  // The next host in this bucket's order after the one that refused it last.
  [[nodiscard]] Choice next_choice(uint32_t bucket) const {
    const std::size_t after = refused_[bucket];
    const uint64_t after_cost = after == kNobodyYet ? 0 : cost(bucket, after);
    Choice best{std::numeric_limits<uint64_t>::max(), kNobodyYet};
    for (std::size_t i = 0; i < shares_.size(); ++i) {
      if (shares_[i].weight == 0) continue;
      const uint64_t c = cost(bucket, i);
      const bool later = after == kNobodyYet || c > after_cost || (c == after_cost && i > after);
      if (later && (c < best.cost || best.index == kNobodyYet)) best = {c, i};
    }
    return best;
  }

  void place(uint32_t bucket) {
    for (;;) {
      const Choice choice = next_choice(bucket);
      if (choice.index == kNobodyYet) return;  // only when every weight is 0: quotas add up to all buckets
      auto& kept = kept_[choice.index];
      const Proposal proposal{choice.cost, bucket};
      if (kept.size() < quota_[choice.index]) {
        kept.push(proposal);
        return;
      }
      if (!kept.empty() && proposal < kept.top()) {
        const uint32_t displaced = kept.top().bucket;
        kept.pop();
        kept.push(proposal);
        bucket = displaced;
      }
      refused_[bucket] = choice.index;
    }
  }

  std::span<const Share> shares_;
  const std::vector<uint32_t>& quota_;
  std::vector<uint64_t> costs_;                      // bucket by bucket
  std::vector<std::priority_queue<Proposal>> kept_;  // worst on top
  std::array<std::size_t, kBucketCount> refused_;
};

// Rules of equal weights have equal tables, and hosts that come and go bring back the same few: what was
// computed last is kept.
class KnownTables {
 public:
  const OwnerTable& table_for(std::span<const Share> shares) {
    std::vector<uint32_t> quota = quotas(shares);
    for (const Known& known : known_)
      if (known.quota == quota &&
          std::equal(shares.begin(), shares.end(), known.shares.begin(), known.shares.end()))
        return known.table;
    Known& oldest = known_[next_++ % known_.size()];
    oldest.table = Matching(shares, quota).run();
    oldest.shares.assign(shares.begin(), shares.end());
    oldest.quota = std::move(quota);
    return oldest.table;
  }

 private:
  struct Known {
    std::vector<Share> shares;
    std::vector<uint32_t> quota;
    OwnerTable table{};
  };
  std::array<Known, 32> known_;
  std::size_t next_ = 0;
};

}  // namespace

uint32_t distance(uint32_t bucket, HostId id) {
  return distances_of(id)[bucket];
}

std::vector<uint32_t> quotas(std::span<const Share> shares) {
  uint64_t total = 0;
  for (const Share& share : shares) total += share.weight;
  std::vector<uint32_t> quota(shares.size(), 0);
  if (total == 0) return quota;
  std::vector<std::pair<uint64_t, std::size_t>> remainders;
  uint64_t given = 0;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const uint64_t scaled = uint64_t{shares[i].weight} * kBucketCount;
    quota[i] = static_cast<uint32_t>(scaled / total);
    given += quota[i];
    remainders.emplace_back(scaled % total, i);
  }
  std::stable_sort(remainders.begin(), remainders.end(), [](auto& a, auto& b) { return a.first > b.first; });
  for (std::size_t k = 0; given < kBucketCount; ++k, ++given) ++quota[remainders[k].second];
  if (planted(Bug::quota_off_by_one))
    for (uint32_t& one : quota) one -= one != 0;
  return quota;
}

OwnerTable assign_buckets(std::span<const Share> shares) {
  thread_local KnownTables known;
  return known.table_for(shares);
}

}  // namespace nlb::core
