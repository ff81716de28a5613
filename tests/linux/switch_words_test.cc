// SPDX-License-Identifier: Apache-2.0
// What is made of an announcement: quote, reason, remedy; word for word, because people copy them.
#include "linux/switch_words.hh"

#include <gtest/gtest.h>

namespace nlb {
namespace {

using wire::PortSpoofing;
const ClusterSeat kSeat{"web", 1};

wire::PolicyAnnouncement told(PortSpoofing spoofing = PortSpoofing::off) {
  wire::PolicyAnnouncement policy;
  policy.host = "kvm7";
  policy.bridge = "br0";
  policy.port = "tap1";
  policy.vm = "web1";
  policy.cluster = "web";
  policy.host_id = 1;
  policy.mac_spoofing = spoofing;
  return policy;
}

wire::PolicyAnnouncement undeclared() {
  auto policy = told();
  policy.vm = policy.cluster = "";
  policy.host_id = 0;
  return policy;
}

TEST(SwitchWords, Quote) {
  EXPECT_EQ(quote_of(told()), "port web1 on host kvm7: MAC spoofing off");
  EXPECT_EQ(quote_of(told(PortSpoofing::on)), "port web1 on host kvm7: MAC spoofing on");
  EXPECT_EQ(quote_of(undeclared()), "port tap1 of br0 on host kvm7: not declared, MAC spoofing off");
  auto member = told(PortSpoofing::cluster);
  member.adapter = "net0";
  member.audit = true;
  EXPECT_EQ(quote_of(member),
            "port web1/net0 on host kvm7: MAC spoofing cluster (web, host id 1) (audit: nothing is dropped)");
}

TEST(SwitchWords, Fit) {
  EXPECT_EQ(fit_of(told(), kSeat), SwitchFit::off);
  EXPECT_EQ(fit_of(told(PortSpoofing::on), kSeat), SwitchFit::fits);
  EXPECT_EQ(fit_of(told(PortSpoofing::cluster), kSeat), SwitchFit::fits);
  EXPECT_EQ(fit_of(told(PortSpoofing::cluster), {"web", 2}), SwitchFit::other_host);
  EXPECT_EQ(fit_of(told(PortSpoofing::cluster), {"shop", 1}), SwitchFit::other_name);
}

TEST(SwitchWords, WhatTheProofCannotTellApart) {
  const RefusalWords found{BindReason::rx_or_arp_filtered, "no answer"};
  const auto words = with_switch_words(found, told(), kSeat);
  EXPECT_EQ(words.reason, BindReason::rx_filtered);
  EXPECT_EQ(words.evidence, "no answer; the switch says: port web1 on host kvm7: MAC spoofing off");
}

TEST(SwitchWords, NothingIsBlamedOnASwitchThatDropsNothing) {
  const RefusalWords found{BindReason::rx_or_arp_filtered, "no answer"};
  auto audit = told();
  audit.audit = true;
  for (const auto& policy : {audit, told(PortSpoofing::on), told(PortSpoofing::cluster)}) {
    const auto words = with_switch_words(found, policy, kSeat);
    EXPECT_EQ(words.reason, BindReason::rx_or_arp_filtered);
    EXPECT_NE(words.evidence.find(quote_of(policy)), std::string::npos);
  }
}

TEST(SwitchWords, OtherReasonsStayAsTheyAre) {
  for (const auto reason : {BindReason::driver_refused, BindReason::ip_conflict, BindReason::no_carrier,
                            BindReason::none, BindReason::not_ethernet}) {
    EXPECT_FALSE(may_be_the_switch(reason));
    EXPECT_EQ(with_switch_words({reason, "x"}, told(), kSeat).evidence, "x");
  }
  EXPECT_EQ(with_switch_words({BindReason::tx_filtered, "x"}, told(), kSeat).reason, BindReason::tx_filtered);
}

TEST(SwitchWords, TheRemedyIsACommandToCopy) {
  EXPECT_EQ(remedy_on_switch(told(), kSeat),
            "On host kvm7, with VM web1 stopped: nlb vmswitch set web1 --mac-spoofing cluster --cluster web "
            "--host-id 1; then start VM web1. (--live changes it while the VM runs and is recorded.)");
  auto live = told();
  live.require_stopped = false;
  live.adapter = "net1";
  EXPECT_EQ(
      remedy_on_switch(live, kSeat),
      "On host kvm7: nlb vmswitch set web1/net1 --mac-spoofing cluster --cluster web --host-id 1 (takes "
      "effect at once, VM web1 runs on).");
}

TEST(SwitchWords, TheRemedyNamesWhatIsNotDeclaredYet) {
  auto bare = told();
  bare.cluster = "";
  bare.host_id = 0;
  const auto remedy = remedy_on_switch(bare, kSeat);
  EXPECT_NE(remedy.find("--cluster web --host-id 1;"), std::string::npos) << remedy;
  EXPECT_NE(remedy.find("`nlb vmswitch clusters` lists web"), std::string::npos) << remedy;
  const auto port = remedy_on_switch(undeclared(), kSeat);
  EXPECT_NE(port.find("interface = \"tap1\""), std::string::npos) << port;
  EXPECT_NE(port.find("nlb vmswitch reload"), std::string::npos) << port;
}

TEST(SwitchWords, TheNameIsTheOneThatTheHypervisorKnows) {
  auto other = told();
  other.cluster = "web-cluster";
  EXPECT_NE(remedy_on_switch(other, kSeat).find("--cluster web-cluster --host-id 1"), std::string::npos);
}

TEST(SwitchWords, NoRemedyWhereThePolicyCarriesTheHost) {
  EXPECT_EQ(remedy_on_switch(told(PortSpoofing::on), kSeat), "");
  EXPECT_EQ(remedy_on_switch(told(PortSpoofing::cluster), kSeat), "");
  EXPECT_NE(remedy_on_switch(told(PortSpoofing::cluster), {"web", 2}).find("--host-id 2"), std::string::npos);
}

}  // namespace
}  // namespace nlb
