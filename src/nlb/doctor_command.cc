// SPDX-License-Identifier: Apache-2.0
// nlb doctor: which configuration and which daemon are meant, then facts, checks and their rendering.
#include <algorithm>
#include <fstream>
#include <sstream>

#include "control/config_file.hh"
#include "control/config_values.hh"
#include "control/control.hh"
#include "doctor/check.hh"
#include "doctor/gather.hh"
#include "nlb/commands.hh"
#include "nlb/output.hh"
#include "nlb/render.hh"

namespace nlb {
namespace {

// The daemon that belongs to a file is the one of the cluster that the file names.
Result<std::string> socket_for(const Invocation& invocation) {
  if (invocation.config.empty() || !invocation.socket.empty() || !invocation.cluster.empty())
    return socket_of(invocation);
  std::ostringstream content;
  content << std::ifstream(invocation.config).rdbuf();
  const auto parsed = parse_config(content.str(), invocation.config);
  if (!parsed) return fail("its configuration cannot be read");
  Invocation named = invocation;
  named.cluster = parsed->config.name;
  return socket_of(named);
}

doctor::Request request_of(const Invocation& invocation) {
  doctor::Request request;
  request.config_path = invocation.config;
  if (is_cluster_name(invocation.cluster))
    request.usual_path = "/etc/opennlb/" + invocation.cluster + ".toml";
  if (const auto socket = socket_for(invocation))
    request.socket = *socket;
  else
    request.socket_trouble = socket.error().message;
  return request;
}

}  // namespace

int run_doctor(const Invocation& invocation, const Style& style) {
  const auto checks = doctor::examine(doctor::gather(request_of(invocation)));
  nlohmann::json document = {{"schema", 1}, {"checks", nlohmann::json::array()}};
  for (const doctor::Check& check : checks)
    document["checks"].push_back({{"id", check.id},
                                  {"status", doctor::name_of(check.status)},
                                  {"detail", check.detail},
                                  {"remedy", check.remedy}});
  const int printed = print_answer(invocation, style, document, render_doctor);
  const bool failed = std::any_of(checks.begin(), checks.end(), [](const doctor::Check& check) {
    return check.status == doctor::Status::fail;
  });
  return failed ? int{kFailed} : printed;
}

}  // namespace nlb
