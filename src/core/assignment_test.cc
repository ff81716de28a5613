// SPDX-License-Identifier: Apache-2.0
// The bucket table against a naive oracle, and the two promises: balance within one bucket, few moves.
#include "core/assignment.hh"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

namespace nlb::core {
namespace {

// The oracle: all (host, bucket) pairs sorted by cost, dealt out greedily while quotas last. Another
// algorithm (and quotas by floating point) that must give the same table.
OwnerTable naive_table(const std::vector<Share>& shares) {
  double total = 0;
  for (auto& share : shares) total += share.weight;
  std::map<HostId, uint32_t> room;
  std::vector<std::pair<double, HostId>> rest;
  uint32_t given = 0;
  for (auto& share : shares) {
    const double ideal = share.weight * double{kBucketCount} / total;
    room[share.id] = static_cast<uint32_t>(std::floor(ideal + 1e-9));
    given += room[share.id];
    rest.emplace_back(-(ideal - std::floor(ideal + 1e-9)), share.id);
  }
  std::sort(rest.begin(), rest.end(), [](auto a, auto b) {
    return std::abs(a.first - b.first) > 1e-9 ? a.first < b.first : a.second < b.second;
  });
  for (std::size_t k = 0; given < kBucketCount; ++k, ++given) ++room[rest[k].second];

  std::vector<std::tuple<uint64_t, uint32_t, HostId>> pairs;
  for (uint32_t bucket = 0; bucket < kBucketCount; ++bucket)
    for (auto& share : shares)
      if (share.weight != 0)
        pairs.emplace_back((uint64_t{distance(bucket, share.id)} << 24) / share.weight, bucket, share.id);
  std::sort(pairs.begin(), pairs.end());
  OwnerTable table{};
  for (auto& [cost, bucket, id] : pairs)
    if (table[bucket] == 0 && room[id] > 0) {
      table[bucket] = id;
      --room[id];
    }
  return table;
}

std::vector<Share> random_shares(std::mt19937& rng, uint32_t count, bool equal) {
  std::vector<HostId> ids(kMaxHosts);
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<HostId>(i + 1);
  std::shuffle(ids.begin(), ids.end(), rng);
  ids.resize(count);
  std::sort(ids.begin(), ids.end());
  std::vector<Share> shares;
  for (HostId id : ids) shares.push_back({id, equal ? 50 : 1 + static_cast<uint32_t>(rng() % 100)});
  return shares;
}

TEST(Assignment, AgreesWithTheNaiveOracle) {
  std::mt19937 rng(1);
  for (uint32_t count : {1u, 2u, 3u, 4u, 7u, 16u, 33u, 64u})
    for (int turn = 0; turn < 3; ++turn) {
      const auto shares = random_shares(rng, count, turn == 0);
      EXPECT_EQ(assign_buckets(shares), naive_table(shares)) << count << " hosts, turn " << turn;
    }
}

TEST(Assignment, EveryShareIsWithinOneBucketOfTheIdeal) {
  std::mt19937 rng(2);
  for (uint32_t count = 1; count <= kMaxHosts; ++count) {
    const auto shares = random_shares(rng, count, count % 3 == 0);
    uint64_t total = 0;
    for (auto& share : shares) total += share.weight;
    std::map<HostId, int> owned;
    for (HostId owner : assign_buckets(shares)) ++owned[owner];
    for (auto& share : shares)
      EXPECT_LT(std::abs(owned[share.id] - share.weight * double{kBucketCount} / static_cast<double>(total)),
                1.0);
  }
}

TEST(Assignment, ALeaveMovesHardlyMoreThanItHasTo) {
  std::mt19937 rng(3);
  double worst = 0;
  for (uint32_t count = 2; count <= kMaxHosts; ++count) {
    auto shares = random_shares(rng, count, count % 2 == 0);
    const auto before = assign_buckets(shares);
    const std::size_t leaver = rng() % count;
    const HostId left = shares[leaver].id;
    shares.erase(shares.begin() + static_cast<std::ptrdiff_t>(leaver));
    const auto after = assign_buckets(shares);
    int excess = 0;
    for (std::size_t bucket = 0; bucket < kBucketCount; ++bucket)
      excess += before[bucket] != left && before[bucket] != after[bucket];
    worst = std::max(worst, 100.0 * excess / double{kBucketCount});
    EXPECT_LE(excess * 100.0 / double{kBucketCount}, 3.0) << count << " hosts";
  }
  RecordProperty("worst_excess_percent", std::to_string(worst));
  std::printf("worst excess: %.2f %% of all buckets\n", worst);
}

TEST(Assignment, WeightZeroTakesNothingAndAllZeroLeavesEverythingUnowned) {
  const std::vector<Share> one_idle = {{1, 0}, {2, 7}};
  for (HostId owner : assign_buckets(one_idle)) EXPECT_EQ(owner, 2);
  const std::vector<Share> all_idle = {{1, 0}, {2, 0}};
  for (HostId owner : assign_buckets(all_idle)) EXPECT_EQ(owner, 0);
}

TEST(Assignment, TheFractionOfADistanceIsALogarithm) {
  // distance is -log2 in 16.16; checked against the C library for a sample of buckets through its own
  // inverse: the mean of -log2 of uniform values is 1/ln 2.
  double sum = 0;
  for (uint32_t bucket = 0; bucket < kBucketCount; ++bucket)
    for (HostId id = 1; id <= kMaxHosts; ++id) sum += distance(bucket, id) / 65536.0;
  EXPECT_NEAR(sum / double{kBucketCount} / double{kMaxHosts}, 1 / std::log(2.0), 0.01);
}

}  // namespace
}  // namespace nlb::core
