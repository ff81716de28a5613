// SPDX-License-Identifier: Apache-2.0
// A daemon of another ABI version, for the upgrade test: attaches, opens everything, leaves.
#include <cstdio>
#include <ctime>

#include "datapath/datapath.hh"

int main(int argc, char** argv) {
  using namespace nlb;
  if (argc < 2) return 2;
  const DatapathKind kind = argc > 2 ? DatapathKind::xdp_generic : DatapathKind::xdp_native;
  auto datapath = Datapath::attach({argv[1], "/sys/fs/bpf/nlb-attach-test", kind});
  if (!datapath) return std::fprintf(stderr, "%s\n", datapath.error().message.c_str()), 1;
  FilterConfig config;
  config.vips = {*IpAddress::parse("10.9.0.10")};
  config.rules.resize(1);
  config.adapter_mac = *MacAddress::parse("52:54:00:09:00:01");
  config.cluster_mac = *MacAddress::parse("02:bf:0a:09:00:0a");
  config.masked_mac = *MacAddress::parse("02:01:0a:09:00:0a");
  config.dedicated_ip = *IpAddress::parse("10.9.0.1");
  config.bound = true;
  if (!(*datapath)->configure(config)) return 1;
  SlotStates owned;
  owned.fill(BucketState::owned);
  for (std::size_t slot = 0; slot < kMaxSlots; ++slot) (*datapath)->set_buckets(slot, owned);
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  (*datapath)->set_lease((now.tv_sec + 600) * kSecond);
  return 0;
}
