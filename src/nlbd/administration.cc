// SPDX-License-Identifier: Apache-2.0
#include "nlbd/administration.hh"

#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "control/config_json.hh"
#include "linux/clock.hh"
#include "nlbd/answer.hh"
#include "nlbd/daemon.hh"

namespace nlb {
namespace {

using Json = nlohmann::json;
constexpr Nanos kPatience = 5 * kSecond, kReloadPatience = 60 * kSecond;
constexpr Nanos kNamePause = 2 * kSecond;
constexpr int kFailed = 1, kUsage = 2, kNoDaemon = 3, kNotPermitted = 4;

std::string own_name() {
  char name[65] = {};
  (void)gethostname(name, sizeof name - 1);
  return name;
}

// 0: none, or no host id.
HostId member_in(const Json& request) {
  return static_cast<HostId>(number_in(request, "member", kMaxHosts).value_or(0));
}

RemoteControl needed_for(Role role) {
  return role == Role::read      ? RemoteControl::query
         : role == Role::operate ? RemoteControl::operate
                                 : RemoteControl::admin;
}

bool is_change_verb(const std::string& command) {
  return command.starts_with("change-");
}

// What the host said itself is a sentence; that it said nothing is one with its name.
Json as_answer(const Result<Json>& answer, const std::string& host) {
  if (answer) return *answer;
  const bool silent = answer.error().code == kNoDaemon;
  return failure((silent ? host + " " : "") + answer.error().message, answer.error().code);
}

}  // namespace

Administration::Administration(Daemon& daemon)
    : daemon_(daemon),
      self_(daemon.config().id),
      roster_(daemon.paths().state_directory + "/members.json"),
      disk_(daemon),
      desk_([this](const Json& request, HostId from) { return answer_member(request, from); }) {
  note_member(self_, own_name());
}

Administration::~Administration() {
  stop();
}

void Administration::start(Protocol& protocol) {
  change_ = std::make_unique<core::ClusterChange>(self_, disk_, disk_.load());
  desk_.start(protocol);
  desk_.post([this] { send(change_->resume(boottime_now())); });
}

void Administration::stop() {
  desk_.stop();
}

void Administration::tick() {
  learn_names();
  desk_.post([this] { send(change_->on_tick(boottime_now())); });
}

HostSet Administration::heard() {
  HostSet hosts = 0;
  daemon_.protocol().inspect([&](const core::Host& host, Nanos now) {
    for (HostId id = 1; id <= kMaxHosts; ++id)
      if (host.hears(id, now)) hosts |= bit_of(id);
  });
  return hosts;
}

Json Administration::known() const {
  Json known = Json::array();
  for_each_host(roster_.hosts() | bit_of(self_), [&](HostId id) {
    known.push_back({{"id", id}, {"name", roster_.name_of(id)}});
  });
  return known;
}

void Administration::note_member(HostId host, const std::string& name) {
  std::string problem;
  if (roster_.note(host, name) && !roster_.save(problem))
    daemon_.events().add(EventId::state_not_saved, problem);
}

// A name is asked for once in each life of a member: heartbeats have no room for it.
void Administration::learn_names() {
  std::map<HostId, uint64_t> lives;
  daemon_.protocol().inspect([&](const core::Host& host, Nanos now) {
    for (HostId id = 1; id <= kMaxHosts; ++id)
      if (host.hears(id, now)) lives[id] = host.peers()[id].incarnation;
  });
  const Nanos now = boottime_now();
  for (const auto& [id, incarnation] : lives) {
    note_member(id, "");
    {
      const std::lock_guard lock(named_mutex_);
      if (const auto named = named_.find(id); named != named_.end() && named->second == incarnation) continue;
    }
    auto& asked = asked_for_name_[id];
    if (asked.first == incarnation && now - asked.second < kNamePause) continue;
    asked = {incarnation, now};
    desk_.ask(id, {{"command", "hello"}}, kNamePause,
              [this, host = id, life = incarnation](const Result<Json>& answer) {
                if (!answer || !answer->contains("name") || !(*answer)["name"].is_string()) return;
                note_member(host, (*answer)["name"].get<std::string>());
                const std::lock_guard lock(named_mutex_);
                named_[host] = life;
              });
  }
}

bool Administration::waits(const Json& request) {
  const Json command = request.value("command", Json());
  return request.contains("hosts") || command == "change" || command == "forget";
}

Result<HostSet> Administration::targets_of(const Json& request) {
  const Json& hosts = request.at("hosts");
  const HostSet known = roster_.hosts() | heard() | bit_of(self_);
  if (hosts == "all") return known;
  const bool one = hosts.is_array() && hosts.size() == 1 && hosts[0].is_number_integer() && hosts[0] >= 1 &&
                   hosts[0] <= kMaxHosts;
  if (!one) return fail("hosts is \"all\" or a list of one host id", kUsage);
  const auto host = hosts[0].get<HostId>();
  if (!(known & bit_of(host)))
    return fail("this host has never heard of host " + std::to_string(host), kFailed);
  return bit_of(host);
}

Json Administration::answer(const Json& request, const Peer& peer) {
  const std::string command = request.value("command", "");
  const std::string by = "host " + std::to_string(self_) + ", " + peer.text();
  if (!request.contains("hosts")) {
    if (command == "forget") return forget(member_in(request));
    return change(request, by);
  }
  const auto targets = targets_of(request);
  if (!targets) return failure(targets.error().message, targets.error().code);
  if (command == "change" && !request.value("local", false))
    return failure("a change for the whole cluster is asked of one host, which brings it to the others",
                   kUsage);
  Json message = request;
  message.erase("hosts");
  std::map<HostId, Json> answers;
  if (*targets & bit_of(self_)) answers[self_] = carry_out_here(message);
  message["by"] = by;
  const Nanos patience = command == "reload" || command == "change" ? kReloadPatience : kPatience;
  for (auto& [host, given] : desk_.ask_all(*targets & ~bit_of(self_), message, patience))
    answers[host] = as_answer(given, roster_.text_of(host));
  if (request["hosts"] != "all") return answers.begin()->second;
  Json all = {{"schema", 1}, {"cluster", daemon_.config().name}, {"host", self_}, {"answers", Json::array()}};
  for (auto& [host, given] : answers)
    all["answers"].push_back({{"host", host}, {"name", name_of(host)}, {"answer", std::move(given)}});
  return all;
}

Json Administration::carry_out_here(const Json& request) {
  if (request.value("command", "") != "change") return daemon_.answer_here(request);
  return desk_.call([&] { return change_here(request); });
}

Json Administration::change_here(const Json& request) {
  if (request.value("check", false))
    return foreseen(request.value("change", Json::object()), bit_of(self_), false);
  if (!change_->record().prepared.empty())
    return failure("a change for all hosts waits for its outcome here; try again later", kFailed);
  const auto done = disk_.apply_here(request.value("change", Json::object()));
  if (!done) return failure(done.error().message, done.error().code == kUsage ? kUsage : kFailed);
  return {{"schema", 1},
          {"cluster", daemon_.config().name},
          {"host", self_},
          {"changed", true},
          {"message", "In force on host " + std::to_string(self_) + " alone."}};
}

// On the desk's thread.
Json Administration::answer_member(const Json& request, HostId from) {
  const std::string command = request.value("command", "");
  if (command == "hello") return {{"schema", 1}, {"name", own_name()}, {"version", NLB_VERSION}};
  const bool verb = is_change_verb(command);
  const Role role = verb ? Role::admin : role_for(command);
  const RemoteControl allowed = daemon_.config().remote;
  // The outcome of a change is settled between those who took part: that it was allowed was judged before.
  if (allowed < needed_for(role) && !(verb && command != "change-prepare"))
    return failure("host " + std::to_string(self_) + " does not do `" + command +
                       "` for other members: [control] remote = \"" + nlb::name_of(allowed) + "\" there",
                   kNotPermitted);
  if (verb) return hear_change(request);
  Json here = request;
  here.erase("hosts");
  here.erase("by");
  if (role != Role::read)
    daemon_.events().add(EventId::commanded,
                         "`" + command + "` by " + request.value("by", "host " + std::to_string(from)));
  if (command == "forget") {
    const HostId member = member_in(request);
    if (member == 0) return failure("member is a host id", kUsage);
    std::string problem;
    roster_.forget(member);
    change_->forget(member);
    if (!roster_.save(problem)) return failure(problem, kFailed);
    return {{"schema", 1}, {"message", "forgotten"}};
  }
  return command == "change" ? change_here(here) : daemon_.answer_here(here);
}

Json Administration::forget(HostId host) {
  if (host == 0) return failure("which host is to be forgotten? member is a host id", kUsage);
  if (host == self_) return failure("a host does not forget itself", kFailed);
  if (heard() & bit_of(host))
    return failure(roster_.text_of(host) + " is heard: stop its nlbd first, or it is known again at once",
                   kFailed);
  const bool known = (roster_.hosts() & bit_of(host)) != 0;
  const std::string text = roster_.text_of(host);
  roster_.forget(host);
  std::string problem;
  if (!roster_.save(problem)) return failure(problem, kFailed);
  desk_.post([this, host] { change_->forget(host); });
  Json answer = {{"schema", 1}, {"cluster", daemon_.config().name}, {"host", self_}, {"changed", known}};
  std::string silent;
  for (const auto& [other, given] :
       desk_.ask_all(heard(), {{"command", "forget"}, {"member", host}}, kPatience))
    if (!given) silent += " " + roster_.text_of(other) + ": " + given.error().message + ".";
  answer["message"] = text + (known ? " is forgotten." : " was not known here.") + silent;
  return answer;
}

}  // namespace nlb
