// SPDX-License-Identifier: Apache-2.0
// Every test draws its topology with `ip` in a network namespace of its own, which is gone with it:
//
//     veth0 ── veth1     the adapter under test and the wire: frames are put in and taken out at veth1
//     10.77.0.11/24      (no address on veth1)
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "linux/adapter.hh"

namespace nlb::testing {

// Output of a shell command, both streams; a failing command fails the test.
std::string sh(const std::string& command);
// The same, where failure is an answer.
bool succeeds(const std::string& command);

// A veth end that has just got its peer sends nothing until the kernel has noticed.
void wait_for_carrier(const std::string& interface);

inline const IpAddress kVip = *IpAddress::parse("10.77.0.100");
inline const IpAddress kDedicated = *IpAddress::parse("10.77.0.11");
inline const MacAddress kClusterMac = *MacAddress::parse("02:bf:0a:4d:00:64");
inline const MacAddress kMaskedMac = *MacAddress::parse("02:01:0a:4d:00:64");
inline const MacAddress kOwnMac = *MacAddress::parse("52:54:00:00:00:01");
inline const MacAddress kWireMac = *MacAddress::parse("52:54:00:00:00:99");
inline const MacAddress kBroadcast = *MacAddress::parse("ff:ff:ff:ff:ff:ff");

class NetnsTest : public ::testing::Test {
 protected:
  void SetUp() override;
  // All that bind() may touch, as text: links, addresses, receive filter, groups, sysctls.
  static std::string everything();
};

BindPlan plan_for(MacStrategy strategy);

}  // namespace nlb::testing
