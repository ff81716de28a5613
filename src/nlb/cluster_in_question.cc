// SPDX-License-Identifier: Apache-2.0
#include "nlb/cluster_in_question.hh"

#include "control/config_file.hh"
#include "control/config_json.hh"
#include "control/config_text.hh"
#include "control/config_values.hh"
#include "control/control.hh"
#include "nlb/json_field.hh"
#include "nlb/output.hh"

namespace nlb {
namespace {

// The key file is another matter: a file made on another machine does.
Result<Config> of_file(const std::string& path) {
  const auto text = read_config_text(path);
  if (!text) return fail(path + ": " + text.error().message, kUsage);
  const auto parsed = parse_config(*text, path);
  if (!parsed) return fail(text_of(parsed.error()), kUsage);
  return parsed->config;
}

Result<Config> of_daemon(const Invocation& invocation) {
  const auto socket = socket_of(invocation);
  if (!socket) return tl::unexpected(socket.error());
  const auto answer = ask(*socket, {{"command", "params"}});
  if (!answer) return tl::unexpected(answer.error());
  const auto& in_force = object_field(*answer, "in_force");
  const auto& cluster = object_field(in_force, "cluster");
  Config config;
  config.name = field(cluster, "name");
  for (const auto& text : list_field(cluster, "vips"))
    if (const auto vip = text.is_string() ? parse_vip(text.get<std::string>()) : std::nullopt)
      config.vips.push_back(*vip);
  for (const auto mode : {ClusterMode::unicast, ClusterMode::multicast, ClusterMode::igmp})
    if (field(cluster, "mode") == name_of(mode)) config.mode = mode;
  config.interface = field(object_field(in_force, "host"), "interface");
  if (config.vips.empty()) return fail("the daemon names no VIP; --config FILE reads a file", kFailed);
  return config;
}

}  // namespace

Result<Config> cluster_in_question(const Invocation& invocation) {
  if (!invocation.config.empty()) return of_file(invocation.config);
  auto running = of_daemon(invocation);
  if (running || !is_cluster_name(invocation.cluster)) return running;
  return of_file("/etc/opennlb/" + invocation.cluster + ".toml");
}

}  // namespace nlb
