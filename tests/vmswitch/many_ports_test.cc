// SPDX-License-Identifier: Apache-2.0
// What one more port costs where there are many.
#include <chrono>
#include <cstdio>

#include "guarded_bridge.hh"
#include "vmswitch/port_hooks.hh"

namespace nlb::vmswitch {
namespace {

// A host with many machines: the look after one more has joined, which attaches programs, writes its policy
// and opens the gate for it. Best of several, as a shared machine is slow at times.
class ManyPorts : public GuardedBridge, public ::testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(By, ManyPorts, ::testing::Bool(),
                         [](const auto& hook) { return hook.param ? "tcx" : "clsact"; });

TEST_P(ManyPorts, TheTwoHundredthPortCostsNoMoreThanTwiceTheSecond) {
  if (GetParam() && !PortHooks::kernel_has_tcx()) GTEST_SKIP() << "this kernel has no tcx";
  constexpr int kPorts = 200;
  constexpr int kTries = 7;
  std::string text = kConfig, text_of_two, batch;
  for (int i = 1; i <= kPorts; ++i) {
    const std::string name = "vm" + std::to_string(i);
    char mac[32];
    std::snprintf(mac, sizeof mac, "52:54:00:02:00:%02x", static_cast<unsigned>(i));
    if (i == 2) text_of_two = text;
    text += "[[port]]\nvm = \"" + name + "\"\ninterface = \"" + name + "\"\nmac = \"" + mac + "\"\n";
    batch += "link add " + name + " type veth peer name far" + std::to_string(i) + "\n";
  }
  sh("set -e\nip -batch - <<'END'\n" + batch + "END\nip link del tap2; ip link del eno1");
  configure(text_of_two);
  start(GetParam());
  const auto cost_of_joining = [&](const std::string& name) {
    auto least = std::chrono::steady_clock::duration::max();
    for (int i = 0; i < kTries; ++i) {
      sh("ip link set " + name + " nomaster");
      look();
      sh("ip link set " + name + " master br0");
      const auto begin = std::chrono::steady_clock::now();
      EXPECT_TRUE(said(look(), Finding::Kind::port_joined, name));
      least = std::min(least, std::chrono::steady_clock::now() - begin);
      EXPECT_TRUE(port(name).ready);
    }
    return std::chrono::duration<double, std::milli>(least).count();
  };
  const double second = cost_of_joining("vm1");
  configure(text);
  std::string join;
  for (int i = 2; i < kPorts; ++i) join += "link set vm" + std::to_string(i) + " master br0\n";
  sh("ip -batch - <<'END'\n" + join + "END");
  look();
  EXPECT_EQ(guard_->ports().size(), std::size_t{kPorts});  // tap1 and all but the last
  const double last = cost_of_joining("vm" + std::to_string(kPorts));
  std::printf("the second port: %.2f ms, the %dth: %.2f ms\n", second, kPorts, last);
  EXPECT_LE(last, 2 * second);
}

}  // namespace
}  // namespace nlb::vmswitch
