// SPDX-License-Identifier: Apache-2.0
// The lab's arithmetic: addresses, configuration, answers, and what exactly a gap is.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <thread>

#include "lab/agent_frames.hh"
#include "lab/gap.hh"
#include "lab/guarded_switch.hh"
#include "lab/link_faults.hh"
#include "lab/plan.hh"
#include "lab/tools.hh"

namespace nlb::lab {
namespace {

TEST(Plan, AddressesAreThoseOfTheContract) {
  Plan plan;
  plan.client_addresses = 252;
  EXPECT_EQ(host_node(2).addresses[0], "10.77.0.12/24");
  const auto client = client_node(plan, 1);
  EXPECT_EQ(client.addresses[0], "10.77.0.201/24");
  EXPECT_EQ(client.addresses[1], "10.81.0.1/32");
  EXPECT_EQ(client.addresses[2], "10.81.1.1/32");    // another /24 network
  EXPECT_EQ(client.addresses[251], "10.81.0.2/32");  // the first network again
}

TEST(Plan, NodesAreFoundByEveryNameTheyHave) {
  const Plan plan;
  for (const auto* name : {"host2", "nlb-host2", "web2", "2"})
    EXPECT_EQ(find_node(plan, name)->network, "nlb-host2");
  EXPECT_EQ(find_node(plan, "client1")->port, "c1");
  EXPECT_EQ(find_node(plan, "gateway")->network, "nlb-gateway");
  EXPECT_FALSE(find_node(plan, "host4"));
  EXPECT_FALSE(find_node(plan, ""));
}

TEST(Plan, WeightsStandInEachHostsRules) {
  Plan plan;
  plan.weights = {"30"};
  EXPECT_NE(configuration_of(plan, 1).find("weight = 30\n"), std::string::npos);
  EXPECT_NE(configuration_of(plan, 2).find("weight = \"equal\"\n"), std::string::npos);
}

TEST(Plan, StrategyIsSaidInUnicastModeOnly) {
  Plan plan;
  EXPECT_NE(configuration_of(plan, 1).find("mac_strategy"), std::string::npos);
  plan.mode = "igmp";
  EXPECT_EQ(configuration_of(plan, 1).find("mac_strategy"), std::string::npos);
}

TEST(Plan, TheGuardKnowsEveryPort) {
  Plan plan;
  plan.mac_spoofing = "off";
  const auto text = switch_configuration(plan);
  EXPECT_NE(text.find("uplinks = [\"gw\"]"), std::string::npos) << text;
  EXPECT_NE(text.find("vm = \"web3\"\nadapter = \"net0\"\ninterface = \"h3\""), std::string::npos) << text;
  EXPECT_NE(text.find("addresses = [\"10.77.0.13\"]\ncluster = \"web\"\nhost_id = 3\n"), std::string::npos)
      << text;
  EXPECT_NE(text.find("vm = \"client1\""), std::string::npos) << text;
  plan.declare_cluster = plan.announce = false;
  EXPECT_EQ(switch_configuration(plan).find("cluster"), std::string::npos);
  EXPECT_EQ(switch_configuration(plan).find("addresses"), std::string::npos);
  EXPECT_NE(switch_configuration(plan).find("announce = false\n"), std::string::npos);
}

TEST(Plan, PinsAreNamedAfterTheRuntimeDirectory) {
  unsetenv("NLB_LAB_ROOT");
  EXPECT_EQ(pin_directory(1), "/sys/fs/bpf/opennlb/run-opennlb-lab-host1");
  setenv("NLB_LAB_ROOT", "/tmp/x/", 1);
  EXPECT_EQ(runtime_directory(3), "/tmp/x/host3");
  EXPECT_EQ(state_directory(3), "/tmp/x/state/host3");
  unsetenv("NLB_LAB_ROOT");
}

// What a fault's words may be; wrong ones are wrong usage, and the text says what is allowed.
TEST(Fault, NumbersAndDirectionsAreChecked) {
  EXPECT_EQ(*number_from("0", "a percentage", 100), 0U);
  EXPECT_EQ(*number_from("100", "a percentage", 100), 100U);
  for (const auto* wrong : {"", "101", "-1", "5x", "5 ", "x", "99999999999"}) {
    const auto number = number_from(wrong, "a percentage", 100);
    ASSERT_FALSE(number) << wrong;
    EXPECT_EQ(number.error().code, 2) << wrong;
    EXPECT_NE(number.error().message.find("a percentage of 0 to 100"), std::string::npos);
  }
  EXPECT_EQ(*direction_from(""), Direction::both);
  EXPECT_EQ(*direction_from("in"), Direction::in);
  EXPECT_EQ(*direction_from("out"), Direction::out);
  EXPECT_EQ(direction_from("up").error().code, 2);
}

TEST(Fault, GroupsOfASplitNameEachNodeOnce) {
  const Plan plan;
  const auto groups = groups_from(plan, {"host1,client1", "2", "gateway,web3"});
  ASSERT_TRUE(groups);
  ASSERT_EQ(groups->size(), 3U);
  EXPECT_EQ((*groups)[0][1].port, "c1");
  EXPECT_EQ((*groups)[2][1].port, "h3");
  for (const std::vector<std::string>& wrong : std::vector<std::vector<std::string>>{{},
                                                                                     {"host1"},
                                                                                     {"host1", "host1"},
                                                                                     {"host1,web1", "host2"},
                                                                                     {"host1", "host9"},
                                                                                     {"switch", "host1"}}) {
    const auto refused = groups_from(plan, wrong);
    ASSERT_FALSE(refused) << wrong.size();
    EXPECT_EQ(refused.error().code, 2) << refused.error().message;
  }
}

TEST(Answer, HeaderAndBodyMustAgree) {
  EXPECT_EQ(host_in("HTTP/1.1 200 OK\r\nX-NLB-Host: 3\r\n\r\nhost=3\n"), 3U);
  EXPECT_EQ(host_in("HTTP/1.1 200 OK\r\nX-NLB-Host: 3\r\n\r\nhost=2\n"), 0U);
  EXPECT_EQ(host_in("HTTP/1.1 404 Not Found\r\nX-NLB-Host: 3\r\n\r\nhost=3\n"), 0U);
  EXPECT_EQ(host_in("host=2\n"), 2U);  // a datagram
  EXPECT_EQ(host_in("something else"), 0U);
}

// One attempt every 5 ms, each 1 ms long when good and 100 ms when it fails.
std::vector<Attempt> attempts(const std::string& outcomes) {
  std::vector<Attempt> all;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    Attempt attempt;
    attempt.started = static_cast<Monotonic>(i) * 5'000'000;
    attempt.outcome = outcomes[i] == '+' ? Outcome::ok : Outcome::timeout;
    attempt.ended = attempt.started + (outcomes[i] == '+' ? 1'000'000 : 100'000'000);
    all.push_back(attempt);
  }
  return all;
}

TEST(Outage, LastsUntilTheFirstAttemptAfterWhichNoneFails) {
  const auto outage = outage_after(attempts("++--+-++"), 10'000'000);
  EXPECT_TRUE(outage.ended);
  EXPECT_EQ(outage.gap_ns, 20'000'000);
  EXPECT_EQ(outage.failed_after, 3U);
  EXPECT_EQ(outage.failed_before, 0U);
}

TEST(Outage, AnAttemptUnderWayWhenTheFaultComesBelongsToIt) {
  EXPECT_EQ(outage_after(attempts("+-++"), 7'000'000).gap_ns, 3'000'000);
}

TEST(Outage, OfALongCommandOnlyTheTimeWithoutServiceIsUnserved) {
  const auto outage = outage_after(attempts("+-++++--++"), 2'000'000);
  EXPECT_EQ(outage.gap_ns, 38'000'000);
  EXPECT_EQ(outage.unserved_ns, 15'000'000);
  EXPECT_EQ(outage_after(attempts("+-++"), 7'000'000).unserved_ns, 3'000'000);
}

TEST(Outage, NoFailureIsNoGap) {
  EXPECT_EQ(outage_after(attempts("++++"), 7'000'000).gap_ns, 0);
  EXPECT_EQ(outage_after(attempts("++++"), 7'000'000).unserved_ns, 0);
  EXPECT_EQ(outage_after({}, 0).gap_ns, 0);
}

TEST(Outage, FailuresBeforeTheFaultAreCountedApart) {
  const auto outage = outage_after(attempts("-+++"), 500'000'000);
  EXPECT_EQ(outage.failed_before, 1U);
  EXPECT_EQ(outage.failed_after, 0U);
  EXPECT_EQ(outage.gap_ns, 0);
}

TEST(Outage, OneThatNeverEndsIsSaidToBe) {
  const auto outage = outage_after(attempts("++--"), 10'000'000);
  EXPECT_FALSE(outage.ended);
  EXPECT_EQ(outage.gap_ns, 105'000'000);
  EXPECT_EQ(outage.unserved_ns, 105'000'000);
}

TEST(StreamByte, ShiftedDataIsNoticed) {
  for (const unsigned shift : {1U, 2U, 8U, 256U, 500U, 1448U, 65536U}) {
    unsigned equal = 0;
    for (uint64_t at = 0; at < 10'000; ++at) equal += stream_byte(at) == stream_byte(at + shift) ? 1U : 0U;
    EXPECT_LT(equal, 5'000U) << "shift " << shift;
  }
}

// ---- what the agent of a guest and its caller say to each other ----

class AgentFrames : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends_.data()), 0); }
  void TearDown() override {
    for (const int end : ends_) close(end);
  }
  void say(const std::string& bytes) { ASSERT_TRUE(write_all(ends_[0], bytes.data(), bytes.size())); }
  std::array<int, 2> ends_{-1, -1};
};

TEST_F(AgentFrames, CarryAnyBytesOfAnyLengthUpToTheLimit) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{70'000}, kMaxFrameBytes}) {
    const std::string sent(size, '\0');
    std::thread writer([&] { EXPECT_TRUE(write_frame(ends_[0], FrameKind::output, sent)); });
    const auto frame = read_frame(ends_[1]);
    writer.join();
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->kind, FrameKind::output);
    EXPECT_EQ(frame->bytes, sent);
  }
}

TEST_F(AgentFrames, ComeInPieces) {
  const std::string whole = frame_of(FrameKind::exit, "127");
  say(whole.substr(0, 3));
  std::thread late([&] { say(whole.substr(3)); });
  const auto frame = read_frame(ends_[1]);
  late.join();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->bytes, "127");
}

TEST(ReceivedFrames, AreTakenWhenTheyAreWhole) {
  const std::string first = frame_of(FrameKind::output, "one"), second = frame_of(FrameKind::exit, "7");
  std::string received;
  for (const char byte : first) {
    const auto none = take_frame(received);
    ASSERT_TRUE(none && !*none) << received.size() << " bytes";
    received += byte;
  }
  received += second + "O";
  for (const auto* const expected : {"one", "7"}) {
    const auto taken = take_frame(received);
    ASSERT_TRUE(taken && *taken);
    EXPECT_EQ((*taken)->bytes, expected);
  }
  EXPECT_EQ(received, "O") << "the beginning of a third is left";
  received = "O\xff\xff\xff\xff";
  EXPECT_FALSE(take_frame(received)) << "more than a frame holds";
}

TEST_F(AgentFrames, EndWithTheConnectionAndAtALengthThatIsNone) {
  say(std::string("O\x7f\xff\xff\xff", 5));
  EXPECT_FALSE(read_frame(ends_[1]));
  say(frame_of(FrameKind::output, "cut off").substr(0, 8));
  shutdown(ends_[0], SHUT_WR);
  EXPECT_FALSE(read_frame(ends_[1]));
}

}  // namespace
}  // namespace nlb::lab
