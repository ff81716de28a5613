// SPDX-License-Identifier: Apache-2.0
// One command is one request; what waits (query --wait-converged, drainstop --wait) or follows (events) asks
// again.
#include <chrono>
#include <iostream>
#include <map>
#include <sstream>
#include <thread>

#include "control/control.hh"
#include "nlb/commands.hh"
#include "nlb/json_field.hh"
#include "nlb/output.hh"
#include "nlb/render.hh"

namespace nlb {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr auto kQueryPause = std::chrono::milliseconds(100);
constexpr auto kFollowPause = std::chrono::milliseconds(200);
constexpr double kConvergeTimeoutS = 30;
constexpr int kReloadTimeoutMs = 60000;  // adapter and filter may be set up anew

Clock::time_point after(double seconds) {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

Result<json> ask_daemon(const Invocation& invocation, const json& request) {
  const auto path = socket_of(invocation);
  if (!path) return tl::unexpected(path.error());
  return request["command"] == "reload" ? ask(*path, request, kReloadTimeoutMs) : ask(*path, request);
}

// A daemon that is not there yet counts as not converged yet: `nlbd & nlb query --wait-converged` is a fair
// script.
Result<json> wait_converged(const Invocation& invocation) {
  const double timeout_s = invocation.timeout_s.value_or(kConvergeTimeoutS);
  const auto deadline = after(timeout_s);
  while (true) {
    auto answer = ask_daemon(invocation, invocation.request);
    if (answer && field(*answer, "state") == "converged") return answer;
    if (!answer && answer.error().code != kNoDaemon) return answer;
    if (Clock::now() >= deadline) {
      if (!answer) return answer;
      std::ostringstream text;
      text << "not converged within " << timeout_s << " s, the state is " << field(*answer, "state")
           << "; \"nlb display\" says more";
      return fail(text.str(), kFailed);
    }
    std::this_thread::sleep_for(kQueryPause);
  }
}

Result<json> drain_and_wait(const Invocation& invocation) {
  auto begun = ask_daemon(invocation, invocation.request);
  if (!begun) return begun;
  while (true) {
    const auto now = ask_daemon(invocation, {{"command", "query"}});
    if (!now) return tl::unexpected(now.error());
    const auto state = field(*now, "state");
    if (state == "stopped" || state == "suspended") {
      (*begun)["state"] = state;
      (*begun)["message"] = "Drained; cluster operations stopped.";
      return begun;
    }
    if (state != "draining")
      return fail("draining was ended by another command, the state is " + state, kFailed);
    std::this_thread::sleep_for(kQueryPause);
  }
}

void print_events(const Invocation& invocation, const Style& style, const json& answer) {
  for (const auto& event : list_field(answer, "events"))
    std::cout << (invocation.json ? event.dump(-1, ' ', false, json::error_handler_t::replace) + "\n"
                                  : render_event(event, style));
  if (const auto lost = number_field(answer, "lost"); lost > 0)
    std::cerr << "nlb: " << lost << " events were lost in between\n";
  std::cout.flush();
}

int show_events(const Invocation& invocation, const Style& style) {
  auto request = invocation.request;
  auto answer = ask_daemon(invocation, request);
  if (!answer) return print_failure(invocation, answer.error());
  print_events(invocation, style, *answer);
  request.erase("limit");
  while (invocation.follow && std::cout) {
    request["log"] = field(*answer, "log");
    request["after"] = number_field(*answer, "last");
    std::this_thread::sleep_for(kFollowPause);
    auto next = ask_daemon(invocation, request);
    if (!next && next.error().code != kNoDaemon) return print_failure(invocation, next.error());
    if (!next) continue;  // a daemon that restarts comes back
    answer = std::move(next);
    print_events(invocation, style, *answer);
  }
  return std::cout ? kDone : kFailed;
}

Renderer renderer_of(const std::string& command) {
  static const std::map<std::string, Renderer> renderers = {
      {"query", render_query},         {"display", render_display},         {"params", render_params},
      {"queryport", render_queryport}, {"connections", render_connections}, {"filter", render_filter},
      {"history", render_history},     {"counters", render_counters}};
  const auto found = renderers.find(command);
  return found == renderers.end() ? render_action : found->second;
}

}  // namespace

int run_remote(const Invocation& invocation, const Style& style) {
  const auto& command = invocation.command;
  if (command == "events") return show_events(invocation, style);
  const auto answer = !invocation.wait     ? ask_daemon(invocation, invocation.request)
                      : command == "query" ? wait_converged(invocation)
                                           : drain_and_wait(invocation);
  if (!answer) return print_failure(invocation, answer.error());
  return print_answer(invocation, style, *answer, renderer_of(command));
}

}  // namespace nlb
