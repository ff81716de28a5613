// SPDX-License-Identifier: Apache-2.0
// How a changed configuration comes into force: what `nlbd` does on a reload, and what a page says before it.
// One function judges both. What a key of a port rule does is found by changing that key in an example, so
// that no list can say something else.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "core/config.hh"

namespace nlb {

enum class ChangeEffect {
  live,         // the members' rules and addresses are the same: buckets move at most
  convergence,  // other rules: no host owns anything until all have them
  rebind,       // other addresses, MAC strategy or profile: besides, the bind is made anew
};

[[nodiscard]] ChangeEffect change_effect(const Config& before, const Config& after);
// VIPs that `one` has and `other` has not.
[[nodiscard]] std::vector<IpAddress> vips_only_in(const Config& one, const Config& other);
[[nodiscard]] const char* name_of(ChangeEffect effect);
// "takes effect live", "causes convergence"
[[nodiscard]] const char* label_of(ChangeEffect effect);
// What happens to clients, in a sentence.
[[nodiscard]] const char* text_of(ChangeEffect effect);

// {"rule":[{"key","kind":"choice|number|ports|vip|weight","choices":[…],"least":0,"most":100,
//   "default","modes":["multiple"],"effect","label"}],"add":{"effect","label"},"remove":{…},"vip":{…}}
[[nodiscard]] nlohmann::json change_fields();

}  // namespace nlb
