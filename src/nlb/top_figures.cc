// SPDX-License-Identifier: Apache-2.0
#include "nlb/top_figures.hh"

#include <nlb/abi/verdict.h>

#include <algorithm>

#include "nlb/json_field.hh"

namespace nlb {
namespace {

using nlohmann::json;

struct Verdict {
  const char* name;
  nlb_action action;
};
constexpr Verdict kVerdicts[] = {
#define NLB_VERDICT_ROW(name, action, expected, text) {#name, NLB_ACTION_##action},
    NLB_VERDICTS(NLB_VERDICT_ROW)
#undef NLB_VERDICT_ROW
};

// By host id; a host that failed to answer is not in it.
std::map<int, json> by_host(const json& answer) {
  std::map<int, json> answers;
  if (!answer.contains("answers")) {
    if (answer.is_object() && !answer.contains("error") && answer.contains("host"))
      answers[static_cast<int>(number_field(answer, "host"))] = answer;
    return answers;
  }
  for (const auto& entry : list_field(answer, "answers")) {
    const auto& one = object_field(entry, "answer");
    if (!one.contains("error")) answers[static_cast<int>(number_field(entry, "host"))] = one;
  }
  return answers;
}

std::string failures_of(const json& answer) {
  std::string text;
  for (const auto& entry : list_field(answer, "answers")) {
    const auto& error = object_field(object_field(entry, "answer"), "error");
    if (!error.empty())
      text += (text.empty() ? "" : " · ") + ("host " + field(entry, "host") + ": " + field(error, "message"));
  }
  return text;
}

struct Packets {
  int64_t accepted = 0, dropped = 0;
};

Packets packets_of(const json& counters) {
  Packets sum;
  for (const auto& counter : list_field(counters, "counters")) {
    const auto name = field(counter, "name");
    const auto* found = std::find_if(std::begin(kVerdicts), std::end(kVerdicts),
                                     [&](const Verdict& one) { return name == one.name; });
    if (found == std::end(kVerdicts)) continue;
    if (found->action == NLB_ACTION_ACCEPT) sum.accepted += number_field(counter, "packets");
    if (found->action == NLB_ACTION_DROP) sum.dropped += number_field(counter, "packets");
  }
  return sum;
}

// A counter that went back began anew, with its daemon's filter.
std::optional<double> rate(int64_t now, int64_t before, double seconds) {
  if (seconds <= 0 || now < before) return std::nullopt;
  return static_cast<double>(now - before) / seconds;
}

TopHost& host_of(std::map<int, TopHost>& hosts, int id) {
  TopHost& host = hosts[id];
  host.id = id;
  return host;
}

void add_members(std::map<int, TopHost>& hosts, const json& answer, int seen_from) {
  for (const auto& known : list_field(answer, "known")) {
    TopHost& host = host_of(hosts, static_cast<int>(number_field(known, "id")));
    host.name = field(known, "name");
  }
  for (const auto& member : list_field(answer, "members")) {
    TopHost& host = host_of(hosts, static_cast<int>(number_field(member, "id")));
    if (const auto name = field(member, "name"); !name.empty()) host.name = name;
    host.state = field(member, "state");
    host.is_default = flag_field(member, "default");
    if (host.id != seen_from) host.silent_ms = number_field(member, "last_heard_ms");
  }
}

void add_rates(std::map<int, TopHost>& hosts, const TopAnswers& now, const TopAnswers& before) {
  const auto earlier = by_host(before.counters);
  for (const auto& [id, counters] : by_host(now.counters)) {
    const auto found = earlier.find(id);
    if (found == earlier.end()) continue;
    const auto fresh = packets_of(counters), old = packets_of(found->second);
    TopHost& host = host_of(hosts, id);
    host.accepted_pps = rate(fresh.accepted, old.accepted, now.at_s - before.at_s);
    host.dropped_pps = rate(fresh.dropped, old.dropped, now.at_s - before.at_s);
  }
}

std::vector<TopRule> rules_of(const TopAnswers& now) {
  std::vector<TopRule> rules;
  const auto connections = by_host(now.connections);
  for (const auto& one : list_field(now.queryport, "rules")) {
    TopRule rule{field(one, "rule"),    field(one, "mode"), field(one, "affinity"), {}, 0, 0,
                 connections.size() < 2};
    for (const auto& member : list_field(one, "members"))
      rule.shares[static_cast<int>(number_field(member, "id"))] = fraction_field(member, "share");
    for (const auto& [id, answer] : connections)
      for (const auto& counted : list_field(answer, "rules")) {
        if (field(counted, "rule") != rule.rule) continue;
        rule.connections += number_field(counted, "connections");
        rule.held += number_field(counted, "held_buckets");
      }
    rules.push_back(std::move(rule));
  }
  return rules;
}

// Rules of mode single have one host; they would say nothing of how much it takes.
void add_shares(std::map<int, TopHost>& hosts, const std::vector<TopRule>& rules) {
  const auto is_spread = [](const TopRule& rule) { return rule.mode == "multiple"; };
  const auto spread = std::count_if(rules.begin(), rules.end(), is_spread);
  for (const auto& rule : rules)
    for (const auto& [id, share] : rule.shares)
      if (is_spread(rule)) host_of(hosts, id).share += share / static_cast<double>(spread);
}

}  // namespace

TopFigures top_figures(const TopAnswers& now, const TopAnswers& before) {
  TopFigures figures;
  const auto answers = by_host(now.query);
  figures.trouble = failures_of(now.query);
  figures.seen_from = static_cast<int>(number_field(now.query, "host"));
  const auto seen = answers.find(figures.seen_from);
  std::map<int, TopHost> hosts;
  if (seen != answers.end()) {
    figures.cluster = field(seen->second, "cluster");
    figures.view = number_field(seen->second, "view");
    add_members(hosts, seen->second, figures.seen_from);
  }
  for (const auto& [id, answer] : answers) {  // itself knows best
    TopHost& host = host_of(hosts, id);
    host.answers = true;
    host.state = field(answer, "state");
    host.is_default = flag_field(answer, "default");
  }
  for (const auto& [id, answer] : by_host(now.connections))
    host_of(hosts, id).connections = number_field(answer, "total");
  add_rates(hosts, now, before);
  figures.rules = rules_of(now);
  add_shares(hosts, figures.rules);
  for (auto& [id, host] : hosts) figures.hosts.push_back(std::move(host));
  return figures;
}

}  // namespace nlb
