// SPDX-License-Identifier: Apache-2.0
// Events as journald knows them: a MESSAGE_ID that the catalog explains, and fields that `journalctl
// NLB_EVENT_NUMBER=53` finds.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "nlbd/event_list.hh"

namespace nlb {

// "NAME=value" each. The event's own fields become NLB_<NAME>.
[[nodiscard]] std::vector<std::string> journal_fields(const EventKind& kind, const nlohmann::json& event,
                                                      const std::string& cluster, int host);
// False: there is no journal here, or it does not take the event.
bool send_to_journal(const EventKind& kind, const nlohmann::json& event, const std::string& cluster,
                     int host);
// Whether stderr ends in the journal as well (a unit of systemd): a line there would be a second entry.
[[nodiscard]] bool stderr_is_journal();

}  // namespace nlb
