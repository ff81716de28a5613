// SPDX-License-Identifier: Apache-2.0
// Commands that work on a machine without nlbd. Where a daemon runs, `key` and `version` use what it says.
#include <cerrno>

#include "base/limits.hh"
#include "base/net.hh"
#include "control/config_values.hh"
#include "control/control.hh"
#include "control/key_file.hh"
#include "nlb/commands.hh"
#include "nlb/completion.hh"
#include "nlb/first_config.hh"
#include "nlb/invitation.hh"
#include "nlb/json_field.hh"
#include "nlb/output.hh"
#include "nlb/render.hh"

namespace nlb {
namespace {

using nlohmann::json;

Result<json> ip2mac(const Invocation& invocation) {
  const auto parsed = parse_vip(invocation.vip);
  if (!parsed) return fail("\"" + invocation.vip + "\" is not an IP address", kUsage);
  if (const auto objection = vip_objection(*parsed); !objection.empty())
    return fail(invocation.vip + " " + objection, kUsage);
  const IpAddress* const vip = &parsed->address;
  const auto macs = cluster_macs(*vip);
  json masked = json::array();
  for (std::size_t host = 1; host <= kMaxHosts; ++host)
    masked.push_back({{"host", host}, {"mac", masked_mac(*vip, static_cast<HostId>(host)).text()}});
  return json{{"schema", 1},
              {"vip", vip->text()},
              {"unicast", macs.unicast.text()},
              {"multicast", macs.multicast.text()},
              {"igmp", macs.igmp.text()},
              {"heartbeat_group", macs.heartbeat_group.text()},
              {"masked", masked}};
}

Error with_exit_code(const Error& error) {
  return {error.message, error.code == EACCES || error.code == EPERM ? int{kNotPermitted} : int{kFailed}};
}

Result<json> key_status_of_daemon(const Invocation& invocation) {
  const auto path = socket_of(invocation);
  if (!path) return tl::unexpected(path.error());
  return ask(*path, {{"command", "key-status"}}, 2000);
}

// FILE; else the daemon's; else, with --cluster, the usual place.
Result<std::string> key_path(const Invocation& invocation, const Result<json>& daemon) {
  if (!invocation.file.empty()) return invocation.file;
  if (daemon && !field(*daemon, "key_file").empty()) return field(*daemon, "key_file");
  if (is_cluster_name(invocation.cluster)) return "/etc/opennlb/" + invocation.cluster + ".key";
  return fail("which key file? Name it, or use --cluster (the daemon could not be asked: " +
                  (daemon ? "it names none" : daemon.error().message) + ")",
              kUsage);
}

json fingerprints_of(const KeySet& keys) {
  json result = json::array();
  for (const auto& key : keys.keys) result.push_back(key_fingerprint(key));
  return result;
}

Result<json> keygen(const Invocation& invocation) {
  auto file = invocation.file;
  if (file.empty() && is_cluster_name(invocation.cluster))
    file = "/etc/opennlb/" + invocation.cluster + ".key";
  if (file.empty())
    return fail("keygen: name the file to write, or use --cluster NAME for /etc/opennlb/NAME.key", kUsage);
  if (auto written = write_new_keys(file); !written) return tl::unexpected(with_exit_code(written.error()));
  if (auto given = give_to_daemon(file); !given) return tl::unexpected(given.error());
  return json{{"schema", 1},
              {"file", file},
              {"message", file + " written; copy it to every host of the cluster, mode 0600."}};
}

Result<json> key_rotate(const Invocation& invocation) {
  const auto path =
      invocation.file.empty() ? key_path(invocation, key_status_of_daemon(invocation)) : invocation.file;
  if (!path) return tl::unexpected(path.error());
  if (auto rotated = rotate_keys(*path, SecretOwner::any_to_root); !rotated)
    return tl::unexpected(with_exit_code(rotated.error()));
  auto keys = read_keys(*path, SecretOwner::any_to_root);
  if (!keys) return tl::unexpected(with_exit_code(keys.error()));
  json answer = {
      {"schema", 1},
      {"file", *path},
      {"fingerprints", fingerprints_of(*keys)},
      {"message",
       *path + " has a fresh key. Copy the file to every host first; then run \"nlb reload\" on each."}};
  wipe(*keys);
  return answer;
}

Result<json> key_status(const Invocation& invocation) {
  const auto daemon = key_status_of_daemon(invocation);
  const auto path = key_path(invocation, daemon);
  if (!path) return tl::unexpected(path.error());
  auto keys = read_keys(*path, SecretOwner::any_to_root);
  if (!keys) return tl::unexpected(with_exit_code(keys.error()));
  json answer = {{"schema", 1}, {"file", *path}, {"fingerprints", fingerprints_of(*keys)}};
  wipe(*keys);
  if (daemon && field(*daemon, "key_file") == *path) {
    answer["in_force"] = list_field(*daemon, "fingerprints");
    answer["matches"] = answer["in_force"] == answer["fingerprints"];
  }
  return answer;
}

Result<json> version(const Invocation& invocation) {
  json answer = {{"schema", 1}, {"version", NLB_VERSION}};
  const auto path = socket_of(invocation);
  if (!path) return answer;
  const auto daemon = ask(*path, {{"command", "version"}}, 2000);
  if (daemon) answer["daemon"] = field(*daemon, "version");
  return answer;
}

Result<json> completion(const Invocation& invocation) {
  const auto write = invocation.name == "bash"  ? bash_completion
                     : invocation.name == "zsh" ? zsh_completion
                                                : fish_completion;
  return json{{"schema", 1}, {"shell", invocation.name}, {"text", write(command_tree())}};
}

std::string render_script(const json& answer, const Style&) {
  return answer.value("text", "");  // with its line breaks
}

std::string render_version(const json& answer, const Style&) {
  const auto daemon = field(answer, "daemon");
  return "nlb " + field(answer, "version") + "\n" + (daemon.empty() ? "" : "nlbd " + daemon + "\n");
}

}  // namespace

int run_local(const Invocation& invocation, const Style& style) {
  struct Entry {
    const char* name;
    Result<json> (*run)(const Invocation&);
    Renderer render;
  };
  static constexpr Entry entries[] = {{"ip2mac", ip2mac, render_ip2mac},
                                      {"keygen", keygen, render_action},
                                      {"key rotate", key_rotate, render_action},
                                      {"key status", key_status, render_key_status},
                                      {"version", version, render_version},
                                      {"init", init, render_action},
                                      {"completion", completion, render_script},
                                      {"invite", invite, render_action},
                                      {"join", join, render_action}};
  for (const auto& entry : entries) {
    if (invocation.command != entry.name) continue;
    const auto answer = entry.run(invocation);
    return answer ? print_answer(invocation, style, *answer, entry.render)
                  : print_failure(invocation, answer.error());
  }
  return print_failure(invocation, {"unknown command " + invocation.command, kUsage});
}

}  // namespace nlb
