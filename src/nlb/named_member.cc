// SPDX-License-Identifier: Apache-2.0
#include "nlb/named_member.hh"

#include <set>

#include "nlb/invocation.hh"
#include "nlb/json_field.hh"

namespace nlb {

Result<int> member_named(const nlohmann::json& query, const std::string& text) {
  std::set<int> found;
  const auto look_at = [&](const nlohmann::json& host) {
    const auto name = field(host, "name");
    const bool named = !name.empty() && (name == text || name.substr(0, name.find('.')) == text);
    const bool fits =
        text == "0" ? flag_field(host, "default") : named || field(host, "dedicated_ip") == text;
    if (fits) found.insert(static_cast<int>(number_field(host, "id")));
  };
  for (const auto& host : list_field(query, "members")) look_at(host);
  for (const auto& host : list_field(query, "known")) look_at(host);
  if (found.size() == 1) return *found.begin();
  if (found.empty() && text == "0") return fail("there is no default host at the moment", kFailed);
  if (found.empty())
    return fail(
        "no host of cluster " + field(query, "cluster") + " is known as \"" + text +
            "\"; allowed: a host id, a name or a dedicated IP of `nlb query`, or 0 for the default host",
        kFailed);
  std::string ids;
  for (const int id : found) ids += (ids.empty() ? "" : ", ") + std::to_string(id);
  return fail("hosts " + ids + " are named \"" + text + "\"; name one by its id", kFailed);
}

}  // namespace nlb
