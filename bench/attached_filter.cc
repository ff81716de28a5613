// SPDX-License-Identifier: Apache-2.0
// Our filter on an interface, for the rate benchmark: attached_filter INTERFACE native|generic|tc
// foreign|owned VIP MAC (the adapter's). Says "ready", and goes when its input ends; says then what the
// filter counted.
#include <cstdio>
#include <cstring>
#include <string>

#include "datapath/datapath.hh"

namespace {

using namespace nlb;

DatapathKind kind_of(const std::string& name) {
  return name == "native"    ? DatapathKind::xdp_native
         : name == "generic" ? DatapathKind::xdp_generic
                             : DatapathKind::tc;
}

FilterConfig config_of(const IpAddress& vip, const MacAddress& mac) {
  FilterConfig config;
  config.vips = {vip};
  PortRule rule;
  rule.first_port = rule.last_port = 80;
  config.rules = {rule};
  config.adapter_mac = mac;
  const auto macs = cluster_macs(vip);
  config.cluster_mac = macs.unicast;
  config.masked_mac = masked_mac(vip, 1);
  config.bound = true;
  return config;
}

int complain(const Error& error) {
  std::fprintf(stderr, "attached_filter: %s\n", error.message.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const auto vip = argc == 6 ? IpAddress::parse(argv[4]) : std::nullopt;
  const auto mac = argc == 6 ? MacAddress::parse(argv[5]) : std::nullopt;
  if (!vip || !mac)
    return std::fprintf(stderr, "attached_filter INTERFACE native|generic|tc foreign|owned VIP MAC\n"), 2;
  const DatapathOptions options{argv[1], "/sys/fs/bpf/opennlb-bench", kind_of(argv[2])};
  auto filter = Datapath::attach(options);
  if (!filter) return complain(filter.error());
  if (auto done = (*filter)->configure(config_of(*vip, *mac)); !done) return complain(done.error());
  SlotStates states;
  states.fill(std::strcmp(argv[3], "owned") == 0 ? BucketState::owned : BucketState::foreign);
  for (std::size_t slot = 0; slot < kMaxSlots; ++slot) (*filter)->set_buckets(slot, states);
  (*filter)->set_lease(INT64_MAX / 2);
  if ((*filter)->attached_kind() != options.at_most)
    return complain({"attached otherwise than asked for", 0});
  std::puts("ready");
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  for (const Counter& counter : (*filter)->counters())
    if (counter.packets > 0)
      std::printf("%s %llu\n", counter.name.c_str(), static_cast<unsigned long long>(counter.packets));
  filter->reset();
  if (auto done = Datapath::remove(options); !done) return complain(done.error());
  return 0;
}
