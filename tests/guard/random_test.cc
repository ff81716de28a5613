// SPDX-License-Identifier: Apache-2.0
// The programs against the model: random policies, random frames, both directions. NLB_GUARD_FRAMES says how
// many (200,000), NLB_GUARD_SEED repeats a run. Reason, fate, mark and event must be the same; and every
// reason must have come up, else the generator has lost its way.
#include <cstdio>
#include <cstdlib>

#include "generator.hh"

namespace nlb::test {
namespace {

uint64_t from_environment(const char* name, uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr ? std::strtoull(value, nullptr, 10) : otherwise;
}

std::string hex(const Frame& frame) {
  std::string text;
  char two[3];
  for (const uint8_t byte : frame) text += (std::snprintf(two, sizeof two, "%02x", byte), two);
  return text;
}

// The kernel takes the outermost tag off; here it is so in every second frame that has one.
std::optional<uint16_t> take_tag_off(GuardGenerator& generator, Frame& frame) {
  if (frame.size() < 33 || frame[12] != 0x81 || frame[13] != 0 || generator.chance(2)) return std::nullopt;
  const auto tag = static_cast<uint16_t>(frame[14] << 8 | frame[15]);
  Frame rest = frame;
  rest.erase(rest.begin() + 12, rest.begin() + 16);
  if (!carried(rest)) return std::nullopt;
  frame = rest;
  return tag;
}

void use_up(GuardGenerator& generator) {
  if (generator.policy().violation == NLB_GUARD_VIOLATION_SHUTDOWN && generator.chance(2))
    guard().clear_states();
  if (generator.policy().storm_limit_pps != 0 || generator.chance(4))
    guard().set_used_up(web1(), generator.chance(2) ? 0 : 3600 * kSecond);
}

TEST(RandomFrames, programs_and_model_agree) {
  const uint64_t frames = from_environment("NLB_GUARD_FRAMES", 200'000);
  const uint64_t seed = from_environment("NLB_GUARD_SEED", std::random_device{}());
  constexpr uint64_t kPerWorld = 200;
  std::printf("%llu frames, NLB_GUARD_SEED=%llu\n", static_cast<unsigned long long>(frames),
              static_cast<unsigned long long>(seed));
  GuardGenerator generator(seed);
  uint64_t done = 0, by_reason[2][NLB_GUARD_REASON_COUNT] = {};
  while (done < frames) {
    generator.arrange();
    for (uint64_t i = 0; i < kPerWorld && done < frames; ++i) {
      Frame frame = generator.frame();
      const auto tag = take_tag_off(generator, frame);
      const Beside beside{tag, generator.checksum(), generator.chance(20), generator.chance(8)};
      if (!carried(frame)) continue;
      use_up(generator);
      generator.announce();
      const auto direction = generator.chance(4) ? NLB_GUARD_RECEIVE : NLB_GUARD_TRANSMIT;
      nlb_guard_reason reason = NLB_GUARD_REASON_passed;
      const std::string difference = guard().difference(web1(), direction, frame, beside, &reason);
      ASSERT_EQ(difference, "") << "frame " << done << (tag ? " tag " + std::to_string(*tag) : "")
                                << (beside.checksum ? " checksum " + std::to_string(beside.checksum->begin) +
                                                          " " + std::to_string(beside.checksum->field)
                                                    : "")
                                << (beside.is_large ? " large " : " ")
                                << (beside.directed ? " directed " : " ")
                                << (direction == NLB_GUARD_TRANSMIT ? "transmit " : "receive ") << hex(frame);
      ++by_reason[direction][reason];
      ++done;
    }
  }
  for (uint32_t reason = 0; reason < NLB_GUARD_REASON_COUNT; ++reason) {
    std::printf("%-22s %9llu %9llu\n", guard_reason_name(reason),
                static_cast<unsigned long long>(by_reason[NLB_GUARD_TRANSMIT][reason]),
                static_cast<unsigned long long>(by_reason[NLB_GUARD_RECEIVE][reason]));
    if (frames < 100'000 || reason == NLB_GUARD_REASON_no_policy) continue;
    EXPECT_GT(by_reason[NLB_GUARD_TRANSMIT][reason] + by_reason[NLB_GUARD_RECEIVE][reason], 0U)
        << guard_reason_name(reason) << " never came up";
  }
}

}  // namespace
}  // namespace nlb::test
