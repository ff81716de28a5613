// SPDX-License-Identifier: Apache-2.0
#include "core/group_carriage.hh"

namespace nlb::core {

void GroupCarriage::on_heartbeat(const wire::Heartbeat& heartbeat, Nanos now) {
  if (!in_ip()) return;
  if ((heartbeat.flags & wire::kInIp) != 0)
    in_ip_[heartbeat.header.sender] = heartbeat.header.incarnation;
  else  // for as long as it would take to find it silent, by its own measure
    ethernet_until_ = now + kMillisecond * heartbeat.digests.period_ms * heartbeat.digests.tolerance;
}

bool GroupCarriage::comes_in_ip_too(const wire::Frame& frame) const {
  if (!in_ip()) return false;
  const auto* heartbeat = std::get_if<wire::Heartbeat>(&frame);
  if (heartbeat != nullptr) return (heartbeat->flags & wire::kInIp) != 0;
  const wire::Header& header = wire::header_of(frame);
  return header.sender <= kMaxHosts && header.incarnation != 0 && in_ip_[header.sender] == header.incarnation;
}

}  // namespace nlb::core
