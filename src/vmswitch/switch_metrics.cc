// SPDX-License-Identifier: Apache-2.0
// What a scrape of the guard is made of. As with every question, the kernel is looked at first: what is told
// is what is in force now.
#include <map>
#include <nlohmann/json.hpp>

#include "nlbd/event_metrics.hh"
#include "vmswitch/switch_daemon.hh"

namespace nlb::vmswitch {

void SwitchDaemon::follow_metrics() {
  std::optional<Endpoint> listen;
  {
    const std::lock_guard lock(mutex_);
    listen = config_.metrics_listen;
  }
  const auto done = metrics_.follow(listen);
  const std::string trouble = done ? "" : done.error().message;
  if (!trouble.empty() && metrics_trouble_.empty()) events_.add(EventId::metrics_not_served, trouble);
  metrics_trouble_ = trouble;
}

std::string SwitchDaemon::metrics_text() {
  const std::lock_guard lock(mutex_);
  const bool in_force = look_again().has_value();
  read_events();
  read_counters();
  Exposition metrics;
  metrics.add(Metric::build_info, 1, {"nlb-vmswitch", NLB_VERSION});
  metrics.add(Metric::start_time, static_cast<double>(began_ms_) / 1000);
  add_events(metrics, events_.counts(), MetricProgram::guard);
  metrics.add(Metric::guard_in_force, in_force ? 1 : 0);
  metrics.add(Metric::guard_problems, static_cast<double>(problems().size() + config_.complaints.size()));
  metrics.add(Metric::guard_events_lost, static_cast<double>(enforcement_->maps().events_lost()));
  add_port_metrics(metrics);
  add_frame_metrics(metrics);
  for (const auto& one : violations_.json())
    metrics.add(Metric::guard_violations, one["count"].get<double>(),
                {one["port"].get<std::string>(), one["vm"].get<std::string>(),
                 one["adapter"].get<std::string>(), one["reason"].get<std::string>()});
  return metrics.text();
}

void SwitchDaemon::add_port_metrics(Exposition& metrics) const {
  std::map<std::pair<std::string, std::string>, int> ports;
  for (const auto& guarded : config_.switches)
    for (const char* role : {"guest", "uplink", "unknown"}) ports[{guarded.bridge, role}] = 0;
  for (const auto& status : enforcement_->ports()) {
    const auto* guest = config_.port_on(status.at.interface);
    ++ports[{status.at.bridge, status.uplink ? "uplink" : guest != nullptr ? "guest" : "unknown"}];
    metrics.add(Metric::guard_port_ready, status.ready ? 1 : 0,
                {status.at.bridge, status.at.interface, guest != nullptr ? guest->vm : ""});
  }
  for (const auto& [of, count] : ports) metrics.add(Metric::guard_ports, count, {of.first, of.second});
}

// Reasons of a newer program have one name; a series may be there once.
void SwitchDaemon::add_frame_metrics(Exposition& metrics) const {
  std::map<std::vector<std::string>, nlb_guard_counter> sums;
  for (const auto& count : enforcement_->maps().counters()) {
    const auto who = identity_of(count.ifindex);
    auto& sum = sums[{who.interface, who.vm, count.direction == NLB_GUARD_TRANSMIT ? "transmit" : "receive",
                      reason_name(count.reason), reason_is_expected(count.reason) ? "yes" : "no"}];
    sum.packets += count.sum.packets;
    sum.bytes += count.sum.bytes;
  }
  for (const auto& [labels, sum] : sums) {
    metrics.add(Metric::guard_frames, static_cast<double>(sum.packets), labels);
    metrics.add(Metric::guard_bytes, static_cast<double>(sum.bytes), labels);
  }
}

}  // namespace nlb::vmswitch
