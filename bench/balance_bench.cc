// SPDX-License-Identifier: Apache-2.0
// Balance and moved share when a host leaves and joins again, N = 2…64, exact: our bucket table beside what
// others do. Counted, not measured: the same on every machine. Run: build/bench/balance_bench.
//   modulo      hash mod N: CLUSTERIP, xt_cluster, CARP, nft jhash
//   60 buckets  60 buckets that survivors take over in turn, as few as can move: the grain of Windows NLB
//   HRW         rendezvous hashing over 4096 buckets, without quotas
//   Maglev      its table of 65537 entries
// Keys are 16 bits of a hash: a table of M buckets is judged by the whole table, not by a sample.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/assignment.hh"

namespace {

using Table = std::vector<int>;  // owner of each bucket
using Hosts = std::vector<int>;

// splitmix64's finalizer; stands for any good hash.
uint64_t mixed(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31);
}
uint64_t hash_of(int host, uint64_t bucket) {
  return mixed(mixed(static_cast<uint64_t>(host) * 0x9e3779b97f4a7c15ULL) + bucket + 1);
}

Table ours(const Hosts& hosts) {
  std::vector<nlb::core::Share> shares;
  for (const int host : hosts) shares.push_back({static_cast<nlb::HostId>(host), nlb::kEqualWeight});
  const auto table = nlb::core::assign_buckets(shares);
  return {table.begin(), table.end()};
}

// The least common multiple of what is compared would be exact; 2^20 values are within 64/2^20 of it.
Table modulo(const Hosts& hosts) {
  Table table(1U << 20);
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = hosts[i % hosts.size()];
  return table;
}

Table rendezvous(const Hosts& hosts) {
  Table table(4096);
  for (std::size_t bucket = 0; bucket < table.size(); ++bucket)
    table[bucket] = *std::max_element(hosts.begin(), hosts.end(),
                                      [&](int a, int b) { return hash_of(a, bucket) < hash_of(b, bucket); });
  return table;
}

// Each host fills by its own permutation, in turn, until no entry is left (the paper's pseudocode).
Table maglev(const Hosts& hosts) {
  constexpr uint64_t kSize = 65537;
  Table table(kSize, 0);
  std::vector<uint64_t> next(hosts.size(), 0);
  for (std::size_t filled = 0;;) {
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      const uint64_t offset = hash_of(hosts[i], 1) % kSize, skip = hash_of(hosts[i], 2) % (kSize - 1) + 1;
      uint64_t entry = 0;
      do entry = (offset + next[i]++ * skip) % kSize;
      while (table[entry] != 0);
      table[entry] = hosts[i];
      if (++filled == kSize) return table;
    }
  }
}

// A table that remembers: who leaves gives its buckets to those with the fewest; who joins takes from those
// with the most. With 60 buckets the grain is Windows NLB's.
Table sixty(const Table& before, const Hosts& hosts) {
  Table table = before.empty() ? Table(60, 0) : before;
  const auto count = [&](int host) { return std::count(table.begin(), table.end(), host); };
  const auto fewest = [&] {
    return *std::min_element(hosts.begin(), hosts.end(), [&](int a, int b) { return count(a) < count(b); });
  };
  for (int& owner : table)
    if (std::find(hosts.begin(), hosts.end(), owner) == hosts.end()) owner = 0;
  for (int& owner : table)
    if (owner == 0) owner = fewest();
  for (;;) {
    const int most =
        *std::max_element(hosts.begin(), hosts.end(), [&](int a, int b) { return count(a) < count(b); });
    const int least = fewest();
    if (count(most) - count(least) < 2) return table;
    *std::find(table.begin(), table.end(), most) = least;
  }
}

struct Figures {
  double max_over_mean = 0, moved_on_leave = 0, excess_on_leave = 0, excess_on_join = 0;
};

double moved(const Table& from, const Table& to) {
  std::size_t differ = 0;
  for (std::size_t i = 0; i < from.size(); ++i) differ += from[i] != to[i];
  return static_cast<double>(differ) / static_cast<double>(from.size());
}

double share_of(const Table& table, int host) {
  return static_cast<double>(std::count(table.begin(), table.end(), host)) /
         static_cast<double>(table.size());
}

double max_over_mean(const Table& table, const Hosts& hosts) {
  double most = 0;
  for (const int host : hosts) most = std::max(most, share_of(table, host));
  return most * static_cast<double>(hosts.size());
}

// The host in the middle leaves and comes back. What must move is its share; the rest is excess, in parts of
// all keys.
template <typename Make>
Figures judge(int count, Make make) {
  Hosts all, rest;
  const int leaver = (count + 1) / 2;
  for (int host = 1; host <= count; ++host) {
    all.push_back(host);
    if (host != leaver) rest.push_back(host);
  }
  const Table before = make({}, all), without = make(before, rest), again = make(without, all);
  Figures figures;
  figures.max_over_mean = max_over_mean(before, all);
  figures.moved_on_leave = moved(before, without);
  figures.excess_on_leave = figures.moved_on_leave - share_of(before, leaver);
  figures.excess_on_join = moved(without, again) - share_of(again, leaver);
  return figures;
}

}  // namespace

int main() {
  using Method = std::function<Table(const Table&, const Hosts&)>;
  const std::vector<std::pair<std::string, Method>> methods = {
      {"OpenNLB, 4096 buckets", [](const Table&, const Hosts& hosts) { return ours(hosts); }},
      {"modulo N", [](const Table&, const Hosts& hosts) { return modulo(hosts); }},
      {"60 buckets", sixty},
      {"HRW, 4096 buckets", [](const Table&, const Hosts& hosts) { return rendezvous(hosts); }},
      {"Maglev, 65537 entries", [](const Table&, const Hosts& hosts) { return maglev(hosts); }}};
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  std::printf("%-24s %3s %9s %9s %9s %9s\n", "", "N", "max/mean", "moved", "excess", "on join");
  for (const auto& [name, make] : methods)
    for (const int count : {2, 3, 4, 8, 16, 32, 64}) {
      const auto figures = judge(count, make);
      std::printf("%-24s %3d %9.3f %8.2f%% %8.2f%% %8.2f%%\n", name.c_str(), count, figures.max_over_mean,
                  100 * figures.moved_on_leave, 100 * figures.excess_on_leave, 100 * figures.excess_on_join);
      rows.push_back({{"method", name},
                      {"hosts", count},
                      {"max_over_mean", figures.max_over_mean},
                      {"moved_on_leave", figures.moved_on_leave},
                      {"excess_on_leave", figures.excess_on_leave},
                      {"excess_on_join", figures.excess_on_join}});
    }
  if (FILE* file = std::fopen(NLB_BENCH_DIR "/balance.json", "w"); file != nullptr) {
    std::fprintf(file, "%s\n", nlohmann::ordered_json{{"rows", rows}}.dump(1).c_str());
    std::fclose(file);
  }
  return 0;
}
