// SPDX-License-Identifier: Apache-2.0
// A fixture is a sentence, the frame, what should be decided, and what was arranged before. The frame runs
// through XDP, tc ingress and the C++ model, each of which must come to the same verdict and do what the
// verdict says.
#pragma once

#include <functional>

#include "harness.hh"

namespace nlb::test {

struct Arrangement {
  FilterConfig config = example_config();
  BucketState buckets = BucketState::owned;  // of all slots
  Nanos lease = kForever;
  std::vector<std::pair<std::size_t, BucketState>> slots = {};  // other than `buckets`
  bool budgets_spent = false;                                   // of heartbeats
};

struct Fixture {
  std::string sentence;
  Frame frame;
  nlb_verdict verdict;
  std::function<void(Arrangement&)> arrange = [](Arrangement&) {};
  std::vector<Frame> before = {};  // run through first
};

inline void PrintTo(const Fixture& fixture, std::ostream* out) {
  *out << fixture.sentence;
}
std::string fixture_name(const testing::TestParamInfo<Fixture>& info);
void run_fixture(const Fixture& fixture);

// Short forms for the tables.
inline const Ethernet kToCluster{kClusterMac, kClientMac};
inline Frame to_vip(uint8_t protocol, const Frame& payload) {
  return kToCluster.wrap(0x0800, Ipv4{kClient, kVip}.wrap(protocol, payload));
}
inline void state(Arrangement& arrangement, BucketState buckets) {
  arrangement.buckets = buckets;
}

}  // namespace nlb::test

#define NLB_FIXTURES(suite, table)                                    \
  class suite : public testing::TestWithParam<nlb::test::Fixture> {}; \
  TEST_P(suite, decided) {                                            \
    nlb::test::run_fixture(GetParam());                               \
  }                                                                   \
  INSTANTIATE_TEST_SUITE_P(all, suite, testing::ValuesIn(table), nlb::test::fixture_name)
