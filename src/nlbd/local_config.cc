// SPDX-License-Identifier: Apache-2.0
#include "nlbd/local_config.hh"

#include "linux/adapter.hh"

namespace nlb {

tl::expected<Config, std::vector<ConfigProblem>> read_local_config(const std::string& path,
                                                                   SecretOwner key_of) {
  auto parsed = read_config_file(path, key_of);
  if (!parsed) return tl::unexpected(parsed.error());
  std::vector<ConfigProblem> problems;
  if (const auto facts = read_adapter(parsed->config.interface); facts && !facts->addresses.empty())
    for (const auto& objection : vip_objections(parsed->config, *facts))
      problems.push_back({path, parsed->vips_line, objection});
  if (!problems.empty()) return tl::unexpected(problems);
  return in_common_order(std::move(parsed->config));
}

}  // namespace nlb
