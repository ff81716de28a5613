// SPDX-License-Identifier: Apache-2.0
// Machines whose daemons have fallen silent: their kernels may live on, and their connections with them.
// no-foreign-reset is checked at every step.
#include "sim/scenario.hh"

namespace nlb::sim {
namespace {

struct Ghosts : Scenario {
  void hosts_with_clients(HostId count) {
    hosts(count);
    world.let_clients_come(true);
    world.run_for(10 * kSecond);
  }
};

// The newcomer says that it holds nothing. That tells nothing of the machine whose id it has taken.
TEST_F(Ghosts, AMachineThatTakesTheIdOfADeadDaemonDoesNotSpeakForItsConnections) {
  hosts_with_clients(3);
  plan("crash@0+9000:2,duplicate-id@80+731:2");
  world.run_for(15 * kSecond);
}

// An adapter without a MAC address: a tunnel.
TEST_F(Ghosts, OfAdaptersWithoutAnAddressAreTwo) {
  hosts_with_clients(4);
  for (const Port port : {Port{2}, Port{3}})
    world.perform(port, world.host(port).on_adapter_mac({}, world.node(port).clock.local(world.now())));
  world.run_for(200 * kMillisecond);
  plan("crash@0+3000:2.3");
  world.run_for(800 * kMillisecond);
  EXPECT_EQ(world.host(1).ghosts().size(), 2U);
  world.run_for(4 * kSecond);
}

TEST_F(Ghosts, AreNotForgottenWithANewConfiguration) {
  hosts_with_clients(2);
  plan("crash@0+3000:2,config@1600+800:1");
  world.run_for(6 * kSecond);
}

// The same, and it had not yet been given up as a member.
TEST_F(Ghosts, MembersThatFallSilentDuringANewConfigurationBecomeOnes) {
  hosts_with_clients(2);
  plan("crash@0+3000:2,config@300+2000:1");
  world.run_for(2 * kSecond);
  EXPECT_FALSE(world.host(1).ghosts().empty());
  world.run_for(4 * kSecond);
  EXPECT_TRUE(world.host(1).ghosts().empty()) << "it is back";
}

TEST_F(Ghosts, AHostOutsideOurViewThatFallsSilentBecomesOne) {
  hosts_with_clients(3);
  plan("config@0+6000:2,crash@2000+3000:2");
  world.run_for(kSecond);
  EXPECT_TRUE(world.host(1).ghosts().empty());
  world.run_for(2 * kSecond);
  EXPECT_FALSE(world.host(1).ghosts().empty());
  world.run_for(6 * kSecond);
  EXPECT_TRUE(world.host(1).ghosts().empty()) << "it is back";
}

TEST_F(Ghosts, AHostOutsideOurViewThatHasStoppedDoesNot) {
  hosts_with_clients(3);
  plan("config@0+6000:2");
  world.run_for(2 * kSecond);
  world.command(2, core::HostEvent::stop);
  world.run_for(2 * kSecond);
  EXPECT_TRUE(world.host(1).ghosts().empty());
}

// It stands still as a machine, and answers nothing; when it goes on its daemon does not.
TEST_F(Ghosts, AMachineThatGoesOnWithoutItsDaemonIsNoticed) {
  hosts_with_clients(2);
  plan("freeze@0+7257:1,stall@3474+9135:1");
  world.run_for(5 * kSecond);
  EXPECT_TRUE(world.host(2).ghosts().empty()) << "its kernel does not answer";
  world.run_for(4 * kSecond);
  EXPECT_FALSE(world.host(2).ghosts().empty()) << "it does again";
  world.run_for(6 * kSecond);
  EXPECT_TRUE(world.host(2).ghosts().empty()) << "its daemon is back";
}

}  // namespace
}  // namespace nlb::sim
