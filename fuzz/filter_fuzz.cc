// SPDX-License-Identifier: Apache-2.0
// A capture through the filters of a cluster of three, as the C++ model judges it (tests/bpf holds the model
// to the kernel programs). What one host alone cannot show, three do: of each frame for a VIP that begins a
// flow, exactly one host takes it; what is not about buckets all judge alike.
#include <algorithm>
#include <array>

#include "datapath/filter_model.hh"
#include "pcap_file.hh"
#include "require.hh"

namespace {

using namespace nlb;
using fuzz::require;

constexpr std::size_t kHosts = 3;
constexpr Nanos kNow = 1000, kLease = 2000;
constexpr std::size_t kMaxFrames = 64;  // of a file: more teach nothing new and take time

FilterConfig config_of(bool bound) {
  FilterConfig config;
  const auto vip = IpAddress::v4(0x0a4d0064);
  const auto macs = cluster_macs(vip);
  config.vips = {vip, IpAddress::v4(0x0a4d0065), *IpAddress::parse("fd77::100")};
  config.rules.resize(3);
  config.rules[0].first_port = 80;
  config.rules[0].last_port = 443;
  config.rules[0].protocol = RuleProtocol::tcp;
  config.rules[0].affinity = Affinity::none;
  config.rules[1].vip = vip;
  config.rules[1].first_port = 53;
  config.rules[1].last_port = 53;
  config.rules[1].protocol = RuleProtocol::udp;
  config.rules[1].affinity = Affinity::network;
  config.rules[2].first_port = 9;
  config.rules[2].last_port = 9;
  config.rules[2].mode = FilteringMode::disabled;
  for (std::size_t i = 0; i < config.seed.size(); ++i) config.seed[i] = static_cast<uint8_t>(i);
  config.adapter_mac = MacAddress{{0x52, 0x54, 0, 0, 0, 1}};
  config.cluster_mac = macs.unicast;
  config.masked_mac = masked_mac(vip, 1);
  config.bound = bound;
  return config;
}

FilterModel host(std::size_t index, bool bound = true, Nanos lease = kLease) {
  FilterModel model(config_of(bound));
  for (std::size_t slot = 0; slot < kMaxSlots; ++slot) {
    SlotStates states{};
    for (std::size_t bucket = index; bucket < kBucketCount; bucket += kHosts)
      states[bucket] = BucketState::owned;
    model.set_buckets(slot, states);
  }
  model.set_lease(lease);
  return model;
}

bool is_about_buckets(nlb_verdict verdict) {
  return verdict == NLB_VERDICT_owned || verdict == NLB_VERDICT_foreign;
}
bool is_fragment(nlb_verdict verdict) {
  return verdict == NLB_VERDICT_fragment || verdict == NLB_VERDICT_fragment_unknown;
}

// Of IP and ARP only what their headers say they are; padding behind it changes nothing.
bool says_its_length(nlb_verdict verdict) {
  return verdict != NLB_VERDICT_passed && verdict != NLB_VERDICT_bad_header &&
         verdict != NLB_VERDICT_not_vip && verdict != NLB_VERDICT_header_chain;
}

struct Cluster {
  std::array<FilterModel, kHosts> hosts = {host(0), host(1), host(2)};
  FilterModel unbound = host(0, false), late = host(0, true, kNow);

  void judge(std::span<const uint8_t> frame) {
    std::array<nlb_verdict, kHosts> verdicts{};
    for (std::size_t i = 0; i < kHosts; ++i) verdicts[i] = hosts[i].judge(frame, kNow);
    const auto taken = std::count(verdicts.begin(), verdicts.end(), NLB_VERDICT_owned);
    if (is_about_buckets(verdicts[0])) {
      require(taken == 1 && std::all_of(verdicts.begin(), verdicts.end(), is_about_buckets));
    } else if (is_fragment(verdicts[0])) {  // several hosts may own buckets of the first ones
      require(std::all_of(verdicts.begin(), verdicts.end(), is_fragment));
    } else {
      require(verdicts[1] == verdicts[0] && verdicts[2] == verdicts[0]);
    }
    const auto closed = unbound.judge(frame, kNow);
    require(!is_about_buckets(closed) && !is_fragment(closed) && closed != NLB_VERDICT_icmp_error &&
            closed != NLB_VERDICT_arp_answered && closed != NLB_VERDICT_nd_answered);
    const auto after = late.judge(frame, kNow);
    require(after != NLB_VERDICT_arp_answered && after != NLB_VERDICT_nd_answered &&
            after != NLB_VERDICT_icmp_error);
    if (after == NLB_VERDICT_no_lease)
      require(verdicts[0] == NLB_VERDICT_owned || verdicts[0] == NLB_VERDICT_arp_answered ||
              verdicts[0] == NLB_VERDICT_nd_answered || verdicts[0] == NLB_VERDICT_icmp_error);
    std::vector<uint8_t> padded(frame.begin(), frame.end());
    padded.resize(padded.size() + 7, 0xa5);
    if (says_its_length(verdicts[0])) require(hosts[0].judge(padded, kNow) == verdicts[0]);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  const auto frames = fuzz::read_pcap({data, size});
  if (!frames) return 0;
  static const Cluster fresh;  // making one takes longer than a judgement; no fragment is known to it
  Cluster cluster = fresh;
  for (std::size_t i = 0; i < std::min(frames->size(), kMaxFrames); ++i) cluster.judge((*frames)[i]);
  return 0;
}
