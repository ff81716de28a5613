// SPDX-License-Identifier: Apache-2.0
#include "shell.hh"

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

namespace nlb::testing {
namespace {

int run(const std::string& command, std::string& output) {
  FILE* pipe = popen(("{ " + command + "\n} 2>&1").c_str(), "r");
  if (!pipe) return -1;
  char buffer[4096];
  for (std::size_t got; (got = fread(buffer, 1, sizeof buffer, pipe)) > 0;) output.append(buffer, got);
  return pclose(pipe);
}

}  // namespace

std::string sh(const std::string& command) {
  std::string output;
  const int status = run(command, output);
  EXPECT_EQ(status, 0) << command << "\n" << output;
  return output;
}

bool succeeds(const std::string& command) {
  std::string output;
  return run(command, output) == 0;
}

void wait_for_carrier(const std::string& interface) {
  sh("for i in $(seq 200); do ip -o link show dev " + interface +
     " | grep -q 'state UP' && exit 0; sleep 0.01; done; exit 1");
}

void NetnsTest::SetUp() {
  if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "needs root for a network namespace";
  // No duplicate detection: a link-local address that turns from tentative to valid would look like a change.
  sh("sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0"
     "  net.ipv6.conf.default.router_solicitations=0\n"
     "ip link set lo up\n"
     "ip link add veth0 address " +
     kOwnMac.text() + " type veth peer name veth1 address " + kWireMac.text() +
     "\n"
     "ip addr add 10.77.0.11/24 dev veth0\n"
     "ip link set veth1 up && ip link set veth0 up");
  wait_for_carrier("veth0");
  wait_for_carrier("veth1");
}

std::string NetnsTest::everything() {
  return sh(
      "ip -d addr show dev veth0; bridge fdb show dev veth0; ip maddr show dev veth0; ip route show table "
      "all;"
      "sysctl -a 2>/dev/null | grep '\\.veth0\\.'");
}

BindPlan plan_for(MacStrategy strategy) {
  BindPlan plan;
  plan.interface = "veth0";
  plan.strategy = strategy;
  plan.cluster_mac = kClusterMac;
  plan.masked_mac = kMaskedMac;
  plan.own_mac = kOwnMac;
  plan.vips = {kVip};
  return plan;
}

}  // namespace nlb::testing
