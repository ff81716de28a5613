// SPDX-License-Identifier: Apache-2.0
// Slot and bucket of a connection that user space reads: as the rules say, and as the model's bucket.
#include "datapath/connection_place.hh"

#include "harness.hh"

namespace nlb::test {
namespace {

class Place : public testing::Test {
 protected:
  FilterConfig config_ = example_config();
  nlb_bank bank_ = *make_bank(config_);
  std::vector<nlb_port_block> blocks_ = std::vector<nlb_port_block>(kBlocksPerBank);

  void SetUp() override { fill_port_blocks(config_, blocks_); }
  void expect(const IpAddress& client, const IpAddress& vip, uint16_t port, uint32_t slot) {
    const auto place = place_of(bank_, blocks_, {client, vip, 40000, port});
    ASSERT_TRUE(place) << vip.text();
    EXPECT_EQ(place->slot, slot) << vip.text() << " " << port;
    const Affinity affinity = slot < config_.rules.size() ? config_.rules[slot].affinity : Affinity::single;
    EXPECT_EQ(place->bucket, FilterModel::bucket_of(config_, affinity, client, 40000)) << vip.text();
  }
};

TEST_F(Place, is_that_of_the_rule) {
  const IpAddress vip = IpAddress::v4(kVip), other = IpAddress::v4(kOtherVip);
  for (uint32_t number = 0; number < 200; ++number) {
    const IpAddress client = IpAddress::v4(kClient + number * 77);
    expect(client, vip, 80, 0);
    expect(client, other, 443, 1);
    expect(client, vip, 8080, 5);
    expect(client, other, 8080, 4);
    expect(client, vip, 1000, kDefaultSlot);  // a rule of UDP
  }
}

TEST_F(Place, is_that_of_the_rule_for_ipv6) {
  for (uint8_t number = 0; number < 200; ++number) {
    IpAddress client = kClient6;
    client.octets[7] = number;
    client.octets[15] = static_cast<uint8_t>(7 * number);
    expect(client, kVip6, 80, 0);
    expect(client, kOtherVip6, 8090, 6);
    expect(client, kVip6, 8090, 5);
  }
}

TEST_F(Place, is_none_for_another_address) {
  for (const IpAddress& address : {IpAddress::v4(kStranger), kStranger6, kNone6, IpAddress::v4(0)})
    EXPECT_FALSE(place_of(bank_, blocks_, {kClient6, address, 40000, 80})) << address.text();
}

}  // namespace
}  // namespace nlb::test
