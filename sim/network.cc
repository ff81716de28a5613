// SPDX-License-Identifier: Apache-2.0
#include "sim/network.hh"

#include <algorithm>

namespace nlb::sim {

uint32_t Packets::keep(Packet packet) {
  packet.references = 1;
  if (free_.empty()) {
    packets_.push_back(std::move(packet));
    return static_cast<uint32_t>(packets_.size() - 1);
  }
  const uint32_t index = free_.back();
  free_.pop_back();
  packets_[index] = std::move(packet);
  return index;
}

// Bursts need no state of their own: stretches of 80 ms are good or bad by a hash of their number.
bool Network::in_burst(Port from, Port to, Nanos now) {
  const auto stretch = static_cast<uint64_t>(now / (80 * kMillisecond));
  return (mix(stretch << 16 | uint64_t{from} << 8 | to) & 1) != 0;
}

Passage Network::pass(Port from, Port to, Nanos now, Random& random) const {
  const Path& path = paths_[from][to];
  Passage passage;
  passage.copies = 1;
  const auto usual = [&] { return random.between(delay_low_, delay_high_); };
  passage.delay[0] = usual();
  if (loss_ != 0 && random.chance(static_cast<uint32_t>(loss_))) passage.copies = 0;
  if (path.clean()) return passage;
  constexpr uint32_t kBurstLoss = 950'000, kAll = 1'000'000;
  const auto happens = [&](int64_t rate) {
    return random.chance(static_cast<uint32_t>(std::min<int64_t>(rate, kAll)));
  };
  if (path.cut != 0 || happens(path.loss)) passage.copies = 0;
  if (path.burst != 0 && in_burst(from, to, now) && random.chance(kBurstLoss)) passage.copies = 0;
  if (passage.copies == 0) return passage;
  passage.waits = path.clogged != 0;
  passage.delay[0] += path.late + random.between(0, path.delay);
  if (happens(path.reorder)) {
    passage.delay[0] += random.between(0, 30 * kMillisecond);
    passage.overtakes = true;
  }
  passage.damaged = happens(path.corrupt);
  if (happens(path.duplicate)) {
    passage.copies = 2;
    passage.delay[1] = usual() + random.between(0, 20 * kMillisecond);
  }
  return passage;
}

void Network::heal() {
  for (auto& row : paths_) row.fill({});
}

void Network::apply(const Fault& fault, int by) {
  const auto each = [&](HostSet from, HostSet to, auto change) {
    for_each_host(from,
                  [&](Port a) { for_each_host(to & ~bit_of(a), [&](Port b) { change(paths_[a][b]); }); });
  };
  const auto cut = [&](Path& path) { path.cut += by; };
  switch (fault.kind) {
    case FaultKind::loss:
      return each(fault.a, fault.b, [&](Path& path) { path.loss += by * fault.value; });
    case FaultKind::burst:
      return each(fault.a, fault.b, [&](Path& path) { path.burst += by; });
    case FaultKind::delay:
      return each(fault.a, fault.b, [&](Path& path) { path.delay += by * fault.value * kMicrosecond; });
    case FaultKind::late:
      return each(fault.a, fault.b, [&](Path& path) { path.late += by * fault.value * kMicrosecond; });
    case FaultKind::reorder:
      return each(fault.a, fault.b, [&](Path& path) { path.reorder += by * fault.value; });
    case FaultKind::duplicate:
      return each(fault.a, fault.b, [&](Path& path) { path.duplicate += by * fault.value; });
    case FaultKind::corrupt:
      return each(fault.a, fault.b, [&](Path& path) { path.corrupt += by * fault.value; });
    case FaultKind::clog:
      return each(fault.a, fault.b, [&](Path& path) { path.clogged += by; });
    case FaultKind::one_way:
      return each(fault.a, fault.b, cut);
    case FaultKind::split:
    case FaultKind::bad_pair:
      each(fault.a, fault.b, cut);
      return each(fault.b, fault.a, cut);
    default:
      return;
  }
}

}  // namespace nlb::sim
