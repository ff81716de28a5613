// SPDX-License-Identifier: Apache-2.0
// What a user may write for an address with a port, and what is refused.
#include "nlb/address_port.hh"

#include <gtest/gtest.h>

namespace nlb {
namespace {

TEST(PortSelection, IsReadAsNlbExeTakesIt) {
  struct {
    const char* text;
    std::optional<std::string> vip;
    std::optional<uint16_t> port;
  } const cases[] = {
      {"80", std::nullopt, 80},         {"0", std::nullopt, 0},
      {"all", std::nullopt, {}},        {"ALL", std::nullopt, {}},
      {"10.0.0.1:80", "10.0.0.1", 80},  {"all:443", "all", 443},
      {"10.0.0.1:all", "10.0.0.1", {}}, {"[2001:DB8::1]:80", "2001:db8::1", 80},
      {"ALL:ALL", "all", {}},
  };
  for (const auto& good : cases) {
    const auto selection = parse_port_selection(good.text);
    ASSERT_TRUE(selection.has_value()) << good.text;
    EXPECT_EQ(selection->vip, good.vip) << good.text;
    EXPECT_EQ(selection->port, good.port) << good.text;
  }
  for (const char* bad : {"", "65536", "-1", "+1", "80x", "10.0.0.1", "10.0.0.1:", ":80", "x:80",
                          "2001:db8::1", "[::1]", "[::1]80", "[::1:80", "10.0.0.256:80", "80-90"}) {
    const auto selection = parse_port_selection(bad);
    ASSERT_FALSE(selection.has_value()) << bad;
    EXPECT_EQ(selection.error().code, 2);
    EXPECT_NE(selection.error().message.find("allowed: PORT, VIP:PORT or [IPV6]:PORT"), std::string::npos);
  }
}

TEST(AddressPort, TakesThePortOrNot) {
  EXPECT_EQ(parse_address_port("10.0.0.1")->port, std::nullopt);
  EXPECT_EQ(parse_address_port("10.0.0.1:5")->port, 5);
  EXPECT_EQ(parse_address_port("::1")->address, "::1");
  EXPECT_EQ(parse_address_port("[::1]")->port, std::nullopt);
  EXPECT_EQ(parse_address_port("[::1]:65535")->port, 65535);
  for (const char* bad :
       {"", "all", "all:1", "10.0.0.1:x", "10.0.0.1:", "10.0.0.1:65536", "[10.0.0.1", "[::1]x", "host:80"})
    EXPECT_FALSE(parse_address_port(bad).has_value()) << bad;
}

}  // namespace
}  // namespace nlb
