// SPDX-License-Identifier: Apache-2.0
// One command is one request; what waits (query --wait-converged, drainstop --wait) or follows (events) asks
// again.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <iostream>
#include <map>
#include <sstream>
#include <thread>

#include "control/control.hh"
#include "nlb/commands.hh"
#include "nlb/json_field.hh"
#include "nlb/named_member.hh"
#include "nlb/output.hh"
#include "nlb/render.hh"

namespace nlb {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr auto kQueryPause = std::chrono::milliseconds(100);
constexpr auto kFollowPause = std::chrono::milliseconds(200);
constexpr double kConvergeTimeoutS = 30;
constexpr int kReloadTimeoutMs = 60000;   // adapter and filter may be set up anew
constexpr int kClusterTimeoutMs = 70000;  // longer than a daemon waits for the others

Clock::time_point after(double seconds) {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

Result<json> ask_daemon(const Invocation& invocation, const json& request) {
  const auto path = socket_of(invocation);
  if (!path) return tl::unexpected(path.error());
  const auto& command = request["command"];
  if (request.contains("hosts") || command == "change" || command == "forget")
    return ask(*path, request, kClusterTimeoutMs);
  return command == "reload" ? ask(*path, request, kReloadTimeoutMs) : ask(*path, request);
}

// What one host answered, or each of several (--all); a host without an answer is {}.
std::vector<json> answers_of(const json& answer) {
  if (!answer.contains("answers")) return {answer};
  std::vector<json> all;
  for (const auto& entry : list_field(answer, "answers")) all.push_back(object_field(entry, "answer"));
  return all;
}

template <typename Condition>
bool all_are(const json& answer, Condition condition) {
  const auto answers = answers_of(answer);
  return std::all_of(answers.begin(), answers.end(),
                     [&](const json& one) { return condition(field(one, "state")); });
}

std::string states_text(const json& answer) {
  std::string text;
  for (const auto& one : answers_of(answer)) {
    const auto state = field(one, "state");
    text += (text.empty() ? "" : ", ") + (state.empty() ? std::string("unknown") : state);
  }
  return text;
}

// A daemon that is not there yet counts as not converged yet: `nlbd & nlb query --wait-converged` is a fair
// script.
Result<json> wait_converged(const Invocation& invocation) {
  const double timeout_s = invocation.timeout_s.value_or(kConvergeTimeoutS);
  const auto deadline = after(timeout_s);
  while (true) {
    auto answer = ask_daemon(invocation, invocation.request);
    const auto is_converged = [](const std::string& state) { return state == "converged"; };
    if (answer && all_are(*answer, is_converged)) return answer;
    if (!answer && answer.error().code != kNoDaemon) return answer;
    if (Clock::now() >= deadline) {
      if (!answer) return answer;
      std::ostringstream text;
      text << "not converged within " << timeout_s << " s, the state is " << states_text(*answer)
           << "; \"nlb display\" says more";
      return fail(text.str(), kFailed);
    }
    std::this_thread::sleep_for(kQueryPause);
  }
}

volatile std::sig_atomic_t interrupted = 0;

// What is left of a drain, on one line that is written over: for a person who watches.
class Countdown {
 public:
  explicit Countdown(bool quiet) : shown_(!quiet && isatty(STDERR_FILENO) != 0) {
    std::signal(SIGINT, [](int) { interrupted = 1; });
  }
  ~Countdown() {
    if (shown_ && width_ > 0) std::cerr << "\r" << std::string(width_, ' ') << "\r";
    std::signal(SIGINT, SIG_DFL);
  }
  Countdown(const Countdown&) = delete;
  Countdown& operator=(const Countdown&) = delete;

  void show(const json& answer) {
    if (!shown_) return;
    const std::string text = render_drain(answers_of(answer));
    std::cerr << "\r" << text << std::string(width_ > text.size() ? width_ - text.size() : 0, ' ')
              << std::flush;
    width_ = text.size();
  }

 private:
  bool shown_;
  std::size_t width_ = 0;
};

Result<json> drain_and_wait(const Invocation& invocation) {
  auto begun = ask_daemon(invocation, invocation.request);
  if (!begun) return begun;
  json question = {{"command", "query"}};
  if (invocation.request.contains("hosts")) question["hosts"] = invocation.request["hosts"];
  Countdown countdown(invocation.json);
  while (true) {
    const auto now = ask_daemon(invocation, question);
    if (!now) return tl::unexpected(now.error());
    const auto is_over = [](const std::string& state) { return state == "stopped" || state == "suspended"; };
    const auto is_fine = [&](const std::string& state) { return is_over(state) || state == "draining"; };
    if (all_are(*now, is_over)) {
      if (begun->contains("answers")) return now;
      (*begun)["state"] = field(*now, "state");
      (*begun)["message"] = "Drained; cluster operations stopped.";
      return begun;
    }
    if (!all_are(*now, is_fine))
      return fail("draining was ended by another command, the state is " + states_text(*now), kFailed);
    countdown.show(*now);
    if (interrupted != 0)
      return fail(
          "no longer waiting; draining goes on (`nlb start` ends it, `nlb drainstop --wait` waits again)",
          kFailed);
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
      {"history", render_history},     {"counters", render_counters},       {"rule list", render_rule_list}};
  const auto found = renderers.find(command);
  return found == renderers.end() ? render_action : found->second;
}

json rules_alone(const json& params) {
  return {{"schema", 1},
          {"cluster", field(params, "cluster")},
          {"host", number_field(params, "host")},
          {"port_rules", list_field(object_field(params, "in_force"), "port_rules")}};
}

// 0 when all hosts did it; else 1, and stderr says who did not.
int print_all(const Invocation& invocation, const Style& style, json answer) {
  int exit = kDone;
  for (auto& entry : answer["answers"]) {
    const auto& error = object_field(object_field(entry, "answer"), "error");
    if (!error.empty()) {
      exit = kFailed;
      std::cerr << "nlb: host " << field(entry, "host") << ": " << field(error, "message") << "\n";
    } else if (invocation.command == "rule list") {
      entry["answer"] = rules_alone(entry["answer"]);
    }
  }
  // After drainstop --wait the last answers are those of query.
  const auto command = invocation.command == "drainstop" && invocation.wait ? "query" : invocation.command;
  if (invocation.json)
    std::cout << answer.dump(2, ' ', false, json::error_handler_t::replace) << "\n";
  else
    std::cout << render_hosts(answer, command, renderer_of(command), style);
  std::cout.flush();
  return std::cout ? exit : int{kFailed};
}

}  // namespace

int run_remote(const Invocation& asked, const Style& style) {
  Invocation invocation = asked;
  if (!invocation.member.empty()) {
    const auto query = ask_daemon(invocation, {{"command", "query"}});
    const auto id =
        query ? member_named(*query, invocation.member) : Result<int>(tl::unexpected(query.error()));
    if (!id) return print_failure(invocation, id.error());
    invocation.request["hosts"] = {*id};
  }
  const auto& command = invocation.command;
  if (command == "events") return show_events(invocation, style);
  const auto answer = !invocation.wait     ? ask_daemon(invocation, invocation.request)
                      : command == "query" ? wait_converged(invocation)
                                           : drain_and_wait(invocation);
  if (!answer) return print_failure(invocation, answer.error());
  if (answer->contains("answers")) return print_all(invocation, style, *answer);
  return print_answer(invocation, style, command == "rule list" ? rules_alone(*answer) : *answer,
                      renderer_of(command));
}

}  // namespace nlb
