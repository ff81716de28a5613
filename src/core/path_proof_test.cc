// SPDX-License-Identifier: Apache-2.0
// The proof against a neighbour and a switch that filters one thing at a time.
#include "core/path_proof.hh"

#include <gtest/gtest.h>

#include <algorithm>

namespace nlb::core {
namespace {

const MacAddress kOwn = *MacAddress::parse("52:54:00:00:00:01");
const MacAddress kCluster = *MacAddress::parse("02:bf:0a:4d:00:64");
const MacAddress kMasked = *MacAddress::parse("02:01:0a:4d:00:64");
const IpAddress kGateway = *IpAddress::parse("10.77.0.1"), kPeer = *IpAddress::parse("10.77.0.12");

struct Segment {
  bool answers = true;           // the neighbours are there
  bool foreign_source = true;    // the switch lets the masked MAC out
  bool foreign_delivery = true;  // ... and other MACs in
  bool foreign_payload = true;   // ... and ARP with another MAC than the adapter's
  Nanos round_trip = kMillisecond;
  double lost = 0;

  struct Answer {
    Nanos at;
    MacAddress to;
    IpAddress from;
  };
  PathVerdict prove(bool replace, std::vector<IpAddress> neighbours = {kGateway}, bool peer_heard = false) {
    PathProof proof({kOwn, kCluster, kMasked, replace}, 0);
    if (peer_heard) proof.on_frame_to_cluster_mac();
    std::vector<Answer> on_the_way;
    for (; !proof.over(now); now += kMillisecond) {
      for (const auto& question : proof.on_tick(neighbours, now)) {
        EXPECT_NE(question.source, kCluster) << "the switch would learn it";
        EXPECT_TRUE(replace || question.source == kOwn) << "a foreign source without need";
        if (answer_to(question)) on_the_way.push_back({now + round_trip, question.payload, question.target});
      }
      std::erase_if(on_the_way, [&](const Answer& answer) {
        if (answer.at > now) return false;
        proof.on_answer(answer.to, answer.from, now);
        return true;
      });
    }
    return proof.verdict();
  }
  bool answer_to(const PathQuestion& question) {
    sent += 1;
    if (lost > 0 && static_cast<int>(lost * sent) != static_cast<int>(lost * (sent - 1))) return false;
    return answers && (foreign_source || question.source == kOwn) &&
           (foreign_delivery || question.payload == kOwn) && (foreign_payload || question.payload == kOwn);
  }
  Nanos now = 0;
  double sent = 0;
};

const MacAddress kGroup = *MacAddress::parse("01:00:5e:7f:00:64");
constexpr Nanos kPeriod = 50 * kMillisecond;

// A segment where the cluster MAC is a group: who answers to a group, and what a peer is heard by.
struct GroupSegment {
  std::vector<IpAddress> neighbours{kGateway};
  std::vector<IpAddress> answer_to_group{kGateway};
  bool peer = false, peer_by_ip = false;
  Nanos period = kPeriod;
  Nanos now = 0;

  PathVerdict prove() {
    PathProof proof({kOwn, kGroup, {}, false, true, period}, 0);
    for (; !proof.over(now); now += kMillisecond) {
      for (const auto& question : proof.on_tick(neighbours, now)) {
        EXPECT_EQ(question.source, kOwn);
        const auto found = std::find(answer_to_group.begin(), answer_to_group.end(), question.target);
        if (question.payload == kOwn || found != answer_to_group.end())
          proof.on_answer(question.payload, question.target, now);
      }
      if (peer && now >= period && now % period == 0) proof.on_peer(kPeer, now);
      if (peer_by_ip && now >= period && now % (2 * period) == 0) proof.on_frame_to_cluster_mac();
    }
    return proof.verdict();
  }
};

TEST(PathProof, APeersIpToTheGroupProvesIt) {
  for (const Nanos period : {10 * kMillisecond, kPeriod, 1000 * kMillisecond}) {
    GroupSegment segment{.answer_to_group = {}, .peer = true, .peer_by_ip = true, .period = period};
    EXPECT_EQ(segment.prove().reason, BindReason::none) << period;
  }
}

TEST(PathProof, ASwitchThatSnoopsForwardsArpAndKeepsIpBack) {
  GroupSegment segment{.peer = true};
  const auto verdict = segment.prove();
  EXPECT_EQ(verdict.reason, BindReason::rx_filtered);
  EXPECT_NE(verdict.evidence.find("snoops IGMP"), std::string::npos) << verdict.evidence;
}

TEST(PathProof, APeerThatAnswersPlainProbesAloneTellsOfFilteredArp) {
  GroupSegment segment{
      .neighbours = {kGateway, kPeer}, .answer_to_group = {}, .peer = true, .peer_by_ip = true};
  EXPECT_EQ(segment.prove().reason, BindReason::arp_filtered);
  // A router need not answer to a group.
  segment = {.neighbours = {kGateway}, .answer_to_group = {}, .peer = true, .peer_by_ip = true};
  EXPECT_EQ(segment.prove().reason, BindReason::none);
  segment = {.neighbours = {}, .peer = true, .peer_by_ip = true};
  EXPECT_EQ(segment.prove().reason, BindReason::none) << "a host without IPv4";
}

TEST(PathProof, ALoneHostIsProvenByWhoeverAnswersToAGroup) {
  GroupSegment segment{.neighbours = {kPeer, kGateway}};
  const auto verdict = segment.prove();
  EXPECT_EQ(verdict.reason, BindReason::none);
  EXPECT_NE(verdict.evidence.find(kGateway.text()), std::string::npos) << verdict.evidence;
  EXPECT_GE(segment.now, kPathCompany) << "a peer would have had no time to speak";
  EXPECT_LT(segment.now, kPathCompany + 10 * kMillisecond);
}

TEST(PathProof, ARouterThatAnswersToNoGroupProvesNothing) {
  const auto verdict = GroupSegment{.answer_to_group = {}}.prove();
  EXPECT_EQ(verdict.reason, BindReason::unproven);
  EXPECT_NE(verdict.evidence.find("RFC 1812"), std::string::npos) << verdict.evidence;
  EXPECT_EQ(GroupSegment{.neighbours = {}}.prove().reason, BindReason::unproven);
}

TEST(PathProof, AnOpenSegmentIsProvenAtOnce) {
  for (const bool replace : {false, true}) {
    Segment segment;
    EXPECT_EQ(segment.prove(replace).reason, BindReason::none);
    EXPECT_LT(segment.now, 20 * kMillisecond);
  }
}

TEST(PathProof, AFilteredSourceMattersToReplaceAlone) {
  Segment segment{.foreign_source = false};
  EXPECT_EQ(segment.prove(false).reason, BindReason::none);
  const auto verdict = Segment{.foreign_source = false}.prove(true);
  EXPECT_EQ(verdict.reason, BindReason::tx_filtered);
  EXPECT_NE(verdict.evidence.find(kMasked.text()), std::string::npos) << verdict.evidence;
  EXPECT_NE(verdict.evidence.find(kGateway.text()), std::string::npos) << verdict.evidence;
}

TEST(PathProof, AFilteredReceiverOrPayloadLooksAlike) {
  EXPECT_EQ(Segment{.foreign_delivery = false}.prove(false).reason, BindReason::rx_or_arp_filtered);
  EXPECT_EQ(Segment{.foreign_payload = false}.prove(false).reason, BindReason::rx_or_arp_filtered);
  EXPECT_EQ(Segment{.foreign_delivery = false}.prove(true).reason, BindReason::rx_or_arp_filtered);
}

TEST(PathProof, APeersFrameToTheClusterMacTellsThemApart) {
  EXPECT_EQ(Segment{.foreign_payload = false}.prove(false, {kGateway}, true).reason,
            BindReason::arp_filtered);
}

TEST(PathProof, ALockedPortIsCalledTransmitFilteredUnderReplace) {
  Segment segment{.foreign_source = false, .foreign_delivery = false, .foreign_payload = false};
  EXPECT_EQ(segment.prove(true).reason, BindReason::tx_filtered);
}

TEST(PathProof, NobodyAnswersIsUnproven) {
  EXPECT_EQ(Segment{.answers = false}.prove(false).reason, BindReason::unproven);
  const auto alone = Segment{}.prove(false, {});
  EXPECT_EQ(alone.reason, BindReason::unproven);
  EXPECT_NE(alone.evidence.find("nobody to ask"), std::string::npos);
}

TEST(PathProof, SlowAndLossySegmentsAreProvenToo) {
  for (const Nanos round_trip : {30, 90, 150, 300}) {
    EXPECT_EQ(Segment{.round_trip = round_trip * kMillisecond}.prove(true).reason, BindReason::none)
        << round_trip << " ms";
    EXPECT_EQ((Segment{.foreign_source = false, .round_trip = round_trip * kMillisecond}).prove(true).reason,
              BindReason::tx_filtered)
        << round_trip << " ms: a late plain answer was taken for one to the masked source";
  }
  EXPECT_EQ(Segment{.lost = 0.4}.prove(true).reason, BindReason::none);
}

TEST(PathProof, OneOfSeveralNeighboursSuffices) {
  EXPECT_EQ(Segment{}.prove(true, {kPeer, kGateway}).reason, BindReason::none);
}

}  // namespace
}  // namespace nlb::core
