// SPDX-License-Identifier: Apache-2.0
// What members announce, in the kernel's maps: whole or not at all, shared where it is the same, gone with
// the port.
#include "vmswitch/steering.hh"

#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "vmswitch/guard_programs.hh"

namespace nlb::vmswitch {
namespace {

wire::SteeringContent said(uint8_t variant = 0) {
  wire::SteeringContent content;
  content.rules.seed[0] = variant;
  content.rules.vips = {*IpAddress::parse("10.77.0.100"), *IpAddress::parse("fd77::100")};
  content.rules.ports = {{0, 0, true, false, 80, 89}, {1, 2, true, true, 85, 65535}};
  content.rows[0].set(5);
  content.rows[NLB_SLOT_DEFAULT].set();
  return content;
}

nlb_steering_part part_of(uint32_t ifindex, const std::vector<uint8_t>& payload) {
  nlb_steering_part part{};
  part.ifindex = ifindex;
  part.bytes = static_cast<uint32_t>(payload.size());
  std::copy(payload.begin(), payload.end(), part.payload);
  return part;
}

class SteeringTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "maps of the kernel need root";
    if (programs_ == nullptr) {  // loading takes a while
      auto programs = GuardPrograms::load({});
      ASSERT_TRUE(programs) << programs.error().message;
      programs_ = std::move(*programs);
    }
    begin();
  }
  void begin() {
    auto steering = Steering::over(programs_->maps());
    ASSERT_TRUE(steering) << steering.error().message;
    steering_ = std::move(*steering);
  }
  bool hear(uint32_t ifindex, uint32_t generation, const wire::SteeringContent& content) {
    bool changed = false;
    for (const auto& part : wire::encode_steering(generation, content))
      changed = steering_->take(part_of(ifindex, part)) || changed;
    return changed;
  }
  std::optional<nlb_guard_steered> steered(uint32_t ifindex) {
    nlb_guard_steered value{};
    if (bpf_map_lookup_elem(map("guard_steered"), &ifindex, &value) != 0) return std::nullopt;
    return value;
  }
  std::optional<nlb_steering_row> row(uint32_t ifindex, uint32_t slot) {
    const nlb_steering_row_key key{ifindex, slot};
    nlb_steering_row value{};
    if (bpf_map_lookup_elem(map("guard_rows"), &key, &value) != 0) return std::nullopt;
    return value;
  }
  uint32_t vip_number(uint32_t config, const char* text) {
    nlb_steering_vip_key key{};
    key.config = config;
    const auto address = *IpAddress::parse(text);
    std::copy(address.octets.begin(), address.octets.end(), key.address);
    uint32_t number = 0;
    return bpf_map_lookup_elem(map("guard_vips"), &key, &number) == 0 ? number : 0;
  }
  std::unique_ptr<nlb_steering_config> config(uint32_t index) {
    auto value = std::make_unique<nlb_steering_config>();
    EXPECT_EQ(bpf_map_lookup_elem(map("guard_steering"), &index, value.get()), 0);
    return value;
  }
  int map(const char* name) { return programs_->maps().find(std::string_view(name))->second.get(); }

  static inline std::unique_ptr<GuardPrograms> programs_;
  std::unique_ptr<Steering> steering_;
};

TEST_F(SteeringTest, AnAnnouncementIsInForceAsItWasSaid) {
  steering_->follow({{7, 1}});
  EXPECT_EQ(steering_->why_flooded(7), "it has announced nothing yet");
  EXPECT_TRUE(hear(7, 40, said()));
  EXPECT_EQ(steering_->in_force(7), 40U);
  EXPECT_EQ(steering_->why_flooded(7), "");
  const auto entry = steered(7);
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->generation, 40U);
  ASSERT_TRUE(row(7, 0) && row(7, NLB_SLOT_DEFAULT));
  EXPECT_FALSE(row(7, 1)) << "of a slot that nothing was said of";
  EXPECT_EQ(row(7, 0)->generation, 40U);
  EXPECT_EQ(row(7, 0)->accepts[0], uint64_t{1} << 5);
  EXPECT_EQ(row(7, NLB_SLOT_DEFAULT)->accepts[63], ~uint64_t{0});
  EXPECT_EQ(vip_number(entry->config, "10.77.0.100"), 1U);
  EXPECT_EQ(vip_number(entry->config, "fd77::100"), 2U);
  EXPECT_EQ(vip_number(entry->config, "10.77.0.101"), 0U);
}

TEST_F(SteeringTest, APortLeadsToItsSlotByTheFirstRule) {
  steering_->follow({{7, 1}});
  ASSERT_TRUE(hear(7, 40, said()));
  const auto rules = config(steered(7)->config);
  const auto slot = [&](std::size_t table, std::size_t vip, uint16_t port) {
    return int{rules->slots[table][vip][rules->classes[table][port]]};
  };
  for (const auto& [port, first, second] :
       {std::tuple{79, 64, 64}, {80, 0, 0}, {85, 0, 0}, {89, 0, 0}, {90, 64, 1}, {65535, 64, 1}}) {
    EXPECT_EQ(slot(NLB_STEERING_TABLE_TCP, 0, static_cast<uint16_t>(port)), first) << port;
    EXPECT_EQ(slot(NLB_STEERING_TABLE_TCP, 1, static_cast<uint16_t>(port)), second) << port;
  }
  EXPECT_EQ(slot(NLB_STEERING_TABLE_UDP, 1, 85), 1);
  EXPECT_EQ(slot(NLB_STEERING_TABLE_UDP, 0, 85), 64);
}

TEST_F(SteeringTest, MembersThatAgreeShareTheirRules) {
  steering_->follow({{7, 1}, {8, 1}, {9, 2}});
  EXPECT_TRUE(hear(7, 40, said()));
  EXPECT_TRUE(hear(8, 77, said()));
  EXPECT_EQ(steered(7)->config, steered(8)->config);
  EXPECT_TRUE(hear(9, 40, said()));
  EXPECT_NE(steered(9)->config, steered(8)->config) << "of another cluster";
}

TEST_F(SteeringTest, WhatTwoMembersTakeIsAReplicaAtTheLaterPort) {
  steering_->follow({{7, 1}, {8, 1}, {9, 2}});
  ASSERT_TRUE(hear(8, 77, said()) && hear(9, 5, said()));
  EXPECT_EQ(row(8, 0)->replicas[0], 0U) << "a member of another cluster is none";
  ASSERT_TRUE(hear(7, 40, said()));
  EXPECT_EQ(row(8, 0)->replicas[0], uint64_t{1} << 5);
  EXPECT_EQ(row(8, 0)->generation, 77U);
  EXPECT_EQ(row(7, 0)->replicas[0], 0U);
  steering_->follow({{8, 1}, {9, 2}});
  EXPECT_EQ(row(8, 0)->replicas[0], 0U) << "the other one has gone";
}

TEST_F(SteeringTest, NoClusterHasMoreThanTwoKindsOfRules) {
  steering_->follow({{7, 1}, {8, 1}, {9, 1}});
  EXPECT_TRUE(hear(7, 1, said(0)));
  EXPECT_TRUE(hear(8, 1, said(1)));
  EXPECT_FALSE(hear(9, 1, said(2)));
  EXPECT_FALSE(steered(9));
  EXPECT_NE(steering_->why_flooded(9), "");
  EXPECT_TRUE(hear(8, 2, said(3))) << "its former rules go";
  EXPECT_FALSE(hear(9, 2, said(2)));
  EXPECT_TRUE(hear(7, 2, said(3))) << "the change has gone round";
  EXPECT_TRUE(hear(9, 3, said(2)));
}

TEST_F(SteeringTest, WhoIsNotFollowedIsNotHeardAndLeavesNothing) {
  EXPECT_FALSE(hear(7, 40, said()));
  steering_->follow({{7, 1}});
  EXPECT_TRUE(hear(7, 40, said()));
  steering_->follow({{7, 2}});
  EXPECT_FALSE(steered(7)) << "its cluster is another one";
  EXPECT_TRUE(hear(7, 41, said()));
  steering_->follow({});
  EXPECT_FALSE(steered(7));
  EXPECT_FALSE(row(7, 0));
}

TEST_F(SteeringTest, ASlotOfWhichNothingIsSaidAnyMoreIsForgotten) {
  steering_->follow({{7, 1}});
  ASSERT_TRUE(hear(7, 40, said()));
  auto less = said();
  less.rows.erase(0);
  ASSERT_TRUE(hear(7, 41, less));
  EXPECT_FALSE(row(7, 0));
  EXPECT_EQ(row(7, NLB_SLOT_DEFAULT)->generation, 41U);
}

TEST_F(SteeringTest, ARepetitionChangesNothingAndATransitionIsTold) {
  steering_->follow({{7, 1}});
  ASSERT_TRUE(hear(7, 40, said()));
  EXPECT_FALSE(hear(7, 40, said()));
  EXPECT_FALSE(steering_->take(part_of(7, wire::encode_steering_mark(41, true))));
  EXPECT_EQ(steering_->why_flooded(7), "its buckets are in transition");
  EXPECT_FALSE(steering_->take(part_of(7, {1, 2, 3})));
  EXPECT_NE(steering_->why_flooded(7).find("refused"), std::string::npos);
}

TEST_F(SteeringTest, ADaemonThatBeginsForgetsWhatAnotherHasPutThere) {
  steering_->follow({{7, 1}});
  ASSERT_TRUE(hear(7, 40, said()));
  const uint32_t config = steered(7)->config;
  begin();
  EXPECT_FALSE(steered(7));
  EXPECT_FALSE(row(7, 0));
  EXPECT_EQ(vip_number(config, "10.77.0.100"), 0U);
}

TEST_F(SteeringTest, RulesThatNobodyHasGiveTheirPlaceToOthers) {
  steering_->follow({{7, 1}});
  for (uint32_t turn = 1; turn <= 2 * NLB_STEERING_MAX_CONFIGS; ++turn) {
    auto content = said(static_cast<uint8_t>(turn));
    content.rules.vips = {IpAddress::v4(0x0a4d0000 + turn)};
    content.rules.ports.clear();
    ASSERT_TRUE(hear(7, turn, content)) << turn;
    ASSERT_EQ(vip_number(steered(7)->config, IpAddress::v4(0x0a4d0000 + turn).text().c_str()), 1U);
  }
  uint32_t left = 0;
  for (uint32_t i = 0; i < NLB_STEERING_MAX_CONFIGS; ++i)
    for (uint32_t turn = 1; turn <= 2 * NLB_STEERING_MAX_CONFIGS; ++turn)
      left += vip_number(i, IpAddress::v4(0x0a4d0000 + turn).text().c_str());
  EXPECT_EQ(left, NLB_STEERING_MAX_CONFIGS) << "one address each";
}

}  // namespace
}  // namespace nlb::vmswitch
