// SPDX-License-Identifier: Apache-2.0
// The section [metrics], which nlbd and nlb-vmswitch have alike.
#pragma once

#include <optional>

#include "base/net.hh"
#include "control/config_section.hh"

namespace nlb {

// Where metrics are asked for; nullopt = nowhere.
[[nodiscard]] std::optional<Endpoint> read_metrics_listen(ConfigSection& section);

}  // namespace nlb
