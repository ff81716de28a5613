// SPDX-License-Identifier: Apache-2.0
// What the daemon answers about extended affinity: which buckets are kept back for returning clients, by
// whom, and until when.
#include <nlohmann/json.hpp>

#include "control/config_json.hh"
#include "nlbd/daemon.hh"

namespace nlb {

using Json = nlohmann::json;

// Of this host with times; of the others what their lists say.
Json Daemon::kept_json(const core::Host& host, Nanos now) const {
  Json kept = Json::array();
  const auto add = [&](HostId id, std::size_t slot, std::size_t buckets) -> Json& {
    kept.push_back({{"slot", slot}, {"rule", rule_text(config_, slot)}, {"host", id}, {"buckets", buckets}});
    return kept.back();
  };
  const auto in_s = [&](Nanos at) { return std::max<Nanos>(0, at - now) / kSecond; };
  for (const auto& own : host.keeper().summary())
    add(config_.id, own.slot, own.buckets)
        .update({{"since_s", (now - own.since) / kSecond},
                 {"first_move_s", in_s(own.first_move)},
                 {"last_move_s", in_s(own.last_move)}});
  for_each_host(host.view().members & ~bit_of(config_.id), [&](HostId id) {
    const auto lists = host.kept_by(id);
    for (std::size_t slot = 0; slot < config_.rules.size(); ++slot)
      if (lists[slot].any()) add(id, slot, lists[slot].count());
  });
  return kept;
}

}  // namespace nlb
