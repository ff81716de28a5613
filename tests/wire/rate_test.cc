// SPDX-License-Identifier: Apache-2.0
// What a flood costs. Anybody on the segment can send forged frames, so each kind's cost is measured and
// printed; asserted is only what holds on any machine: an unknown key is refused without computing an HMAC.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>

#include "sample_frames.hh"
#include "wire/layout.hh"

namespace nlb::wire {
namespace {

constexpr int kFrames = 20'000;

// Nanoseconds a call, the best of five rounds: what else runs on the machine only ever makes it slower.
template <typename Work>
double nanoseconds_each(const char* what, Work work) {
  double best = 1e12;
  for (int round = 0; round < 5; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < kFrames; ++i) work();
    const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - begin;
    best = std::min(best, spent.count() / kFrames);
  }
  std::printf("%-52s %8.0f ns  %10.0f a second\n", what, best, 1e9 / best);
  return best;
}

TEST(Rate, OfForgedAndGoodFrames) {
  const Codec codec(sample_keys(), "web", sample_vip());
  Heartbeat heartbeat = sample_heartbeat();
  const auto three = codec.encode(heartbeat);
  const auto sixty_four = codec.encode(fullest_heartbeat());
  auto wrong_key = sixty_four, forged_three = three, forged_sixty_four = sixty_four;
  wrong_key[12] ^= 1;
  forged_three.back() ^= 1;
  forged_sixty_four.back() ^= 1;
  const auto decode = [&](const std::vector<uint8_t>& bytes) { return [&] { (void)codec.decode(bytes); }; };

  const double unknown = nanoseconds_each("refuse: unknown key id, 1228 bytes", decode(wrong_key));
  const double forged =
      nanoseconds_each("refuse: right key id, forged, 1228 bytes", decode(forged_sixty_four));
  nanoseconds_each("refuse: right key id, forged, 236 bytes", decode(forged_three));
  nanoseconds_each("accept: 64 hosts, 1228 bytes", decode(sixty_four));
  nanoseconds_each("accept: three hosts, 236 bytes", decode(three));
  nanoseconds_each("encode: three hosts, 236 bytes", [&] { (void)codec.encode(heartbeat); });
  EXPECT_LT(unknown * 3, forged);
}

}  // namespace
}  // namespace nlb::wire
