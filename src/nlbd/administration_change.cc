// SPDX-License-Identifier: Apache-2.0
// Changes of the configuration on all members or on none: the core's two phases (core/change.hh) as messages.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "control/config_edit.hh"
#include "linux/clock.hh"
#include "nlbd/administration.hh"
#include "nlbd/answer.hh"
#include "nlbd/daemon.hh"

namespace nlb {
namespace {

using Json = nlohmann::json;
using Verb = core::ChangeMessage::Verb;
constexpr std::array kVerbs = {"change-prepare", "change-commit", "change-abort", "change-outcome"};
constexpr std::array kPatience = {5 * kSecond, 20 * kSecond, 2 * kSecond, 2 * kSecond};  // by verb
constexpr int kFailed = 1, kUsage = 2;

std::string hosts_text(HostSet hosts) {
  std::string text;
  for_each_host(hosts, [&](HostId id) { text += (text.empty() ? "" : ", ") + std::to_string(id); });
  return text;
}

Json ids_of(HostSet hosts) {
  Json ids = Json::array();
  for_each_host(hosts, [&](HostId id) { ids.push_back(id); });
  return ids;
}

Json to_json(const core::ChangeMessage& message) {
  return {{"command", kVerbs[static_cast<std::size_t>(message.verb)]},
          {"id", message.order.id},
          {"coordinator", message.order.coordinator},
          {"members", message.order.members},
          {"what", message.order.what}};
}

// What another host's program wrote: a field of another type is one that is not there.
std::string text_in(const Json& answer, const char* name) {
  const auto found = answer.find(name);
  return found != answer.end() && found->is_string() ? found->get<std::string>() : "";
}

core::ChangeReply reply_of(const Json& answer) {
  core::ChangeReply reply;
  const std::string state = text_in(answer, "state");
  for (const auto known :
       {core::ChangeState::prepared, core::ChangeState::committed, core::ChangeState::aborted})
    if (state == core::name_of(known)) reply.state = known;
  reply.text = text_in(answer, "text");
  return reply;
}

}  // namespace

Json Administration::change(const Json& request, const std::string& by) {
  const Json wanted = request.value("change", Json::object());
  if (request.value("local", false)) return carry_out_here(request);
  const HostSet members = roster_.hosts() | heard() | bit_of(self_);
  if (request.value("check", false)) return foreseen(wanted, members, true);
  core::ChangeOrder order;
  order.coordinator = self_;
  order.members = members;
  order.what = disk_.describe(wanted).dump();
  uint64_t incarnation = 0;
  daemon_.protocol().inspect(
      [&](const core::Host& host, Nanos) { incarnation = host.settings().incarnation; });
  order.id = fmt::format("{}-{:016x}-{}", self_, incarnation, ++changes_begun_);
  const std::string what = text_of_change(wanted);
  daemon_.events().add(EventId::change_begun, what + ", by " + by + ", on hosts " + hosts_text(members));

  std::promise<core::ClusterChange::End> promise;
  auto ended = promise.get_future();
  (void)desk_.call([&] {
    awaited_ends_.emplace(order.id, std::move(promise));
    send(change_->begin(order, boottime_now()));
    return Json();
  });
  return text_of_end(ended.get(), members, what);
}

Json Administration::foreseen(const Json& change, HostSet members, bool for_all) {
  const auto effect = disk_.foresee(change);
  if (!effect) return failure(effect.error().message, effect.error().code == kUsage ? kUsage : kFailed);
  const HostSet silent = members & ~(heard() | bit_of(self_));
  std::string message = text_of_change(change) + " on " + (for_all ? "hosts " : "host ") +
                        hosts_text(members) + (for_all ? ", on all or on none: " : " alone: ") +
                        label_of(*effect) + ".";
  if (silent != 0)
    message += " Hosts " + hosts_text(silent) + " are not heard: a change for all is refused until they are.";
  return {{"schema", 1},
          {"cluster", daemon_.config().name},
          {"host", self_},
          {"changed", false},
          {"effect", nlb::name_of(*effect)},
          {"label", label_of(*effect)},
          {"text", text_of(*effect)},
          {"members", ids_of(members)},
          {"not_heard", ids_of(silent)},
          {"message", message}};
}

Json Administration::text_of_end(const core::ClusterChange::End& end, HostSet members,
                                 const std::string& what) const {
  if (!end.committed) {
    std::string reasons;
    for (const auto& [host, why] : end.reasons) reasons += "\n" + roster_.text_of(host) + ": " + why;
    daemon_.events().add(EventId::change_refused, what + ":" + reasons);
    return failure("nothing was changed:" + reasons, kFailed);
  }
  daemon_.events().add(EventId::change_made, what + ", on hosts " + hosts_text(members));
  Json answer = {
      {"schema", 1},     {"cluster", daemon_.config().name}, {"host", self_},
      {"changed", true}, {"members", ids_of(members)},       {"unconfirmed", ids_of(end.unconfirmed)}};
  answer["message"] = "In force on hosts " + hosts_text(members & ~end.unconfirmed) + ".";
  if (end.unconfirmed != 0)
    answer["message"] = answer["message"].get<std::string>() + " Prepared on hosts " +
                        hosts_text(end.unconfirmed) +
                        ", which have not confirmed it yet and follow as soon as they are heard.";
  return answer;
}

// On the desk's thread.
void Administration::send(core::ClusterChange::Output output) {
  for (const auto& question : output.asks) ask(question);
  for (auto& end : change_->settle_own().ends) output.ends.push_back(std::move(end));
  for (const auto& end : output.ends)
    if (auto waiting = awaited_ends_.extract(end.id); !waiting.empty()) waiting.mapped().set_value(end);
}

void Administration::ask(const core::ClusterChange::Ask& question) {
  desk_.ask(question.to, to_json(question.message),
            kPatience[static_cast<std::size_t>(question.message.verb)],
            [this, question](const Result<Json>& answer) {
              const Nanos now = boottime_now();
              if (!answer)
                return send(change_->on_silence(question.to, question.message, answer.error().message, now));
              send(change_->on_reply(question.to, question.message, reply_of(*answer), now));
            });
}

Json Administration::hear_change(const Json& request) {
  core::ChangeMessage message;
  const std::string command = request.value("command", "");
  const auto verb = std::find(kVerbs.begin(), kVerbs.end(), command);
  if (verb == kVerbs.end()) return failure("unknown command \"" + command + "\"", kUsage);
  message.verb = static_cast<Verb>(verb - kVerbs.begin());
  message.order = {request.at("id").get<std::string>(), request.at("coordinator").get<HostId>(),
                   request.at("members").get<HostSet>(), request.at("what").get<std::string>()};
  const auto reply = change_->on_message(message, boottime_now());
  if (message.verb == Verb::commit && reply.state == core::ChangeState::committed)
    daemon_.events().add(EventId::change_made,
                         "as host " + std::to_string(message.order.coordinator) + " asked");
  return {{"schema", 1}, {"state", core::name_of(reply.state)}, {"text", reply.text}};
}

}  // namespace nlb
