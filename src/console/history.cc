// SPDX-License-Identifier: Apache-2.0
#include "console/history.hh"

#include <algorithm>
#include <cmath>
#include <set>

namespace nlb::console {
namespace {

using Json = nlohmann::json;

// Over a longer time a mean says nothing of a second.
constexpr double kLongestS = 15;

// The verdicts that accept a frame of a virtual IP address; by their names the rest is told apart.
bool accepts(const std::string& verdict) {
  static const std::set<std::string> names = {"owned", "held", "cookie", "icmp_error", "fragment", "asked"};
  return names.contains(verdict);
}

// Foreign frames are the price of having no dispatcher: what a host drops because another one serves it.
bool drops(const std::string& verdict) {
  static const std::set<std::string> names = {
      "foreign",    "stray",          "no_lease",         "not_bound",    "rule_disabled", "not_vip",
      "bad_header", "icmp_unrelated", "fragment_unknown", "vip_conflict", "header_chain"};
  return names.contains(verdict);
}

// When the host read them, by its own clock: an answer may have waited for hosts that are silent.
Reading reading_of(const Json& answer, double at_s) {
  const auto read_at = answer.find("at_ms");
  const bool told = read_at != answer.end() && read_at->is_number();
  Reading reading{told ? read_at->get<double>() / 1000 : at_s, {}};
  for (const auto& counter : answer.value("counters", Json::array()))
    reading.counts[counter.value("name", "")] = counter.value("packets", uint64_t{0});
  const auto tcp = answer.find("tcp");
  if (tcp != answer.end() && tcp->is_object())
    reading.counts["tcp.passive_opens"] = tcp->value("passive_opens", uint64_t{0});
  return reading;
}

// To a hundredth: seventeen digits say no more.
double rounded(double rate) {
  return std::round(rate * 100) / 100;
}

std::optional<Json> rates_of(const Reading& before, const Reading& now) {
  const double seconds = now.at_s - before.at_s;
  if (seconds <= 0 || seconds > kLongestS) return std::nullopt;
  double accepted = 0, dropped = 0;
  Json rates = {{"verdicts", Json::object()}};
  for (const auto& [name, count] : now.counts) {
    const auto earlier = before.counts.find(name);
    const uint64_t was = earlier == before.counts.end() ? 0 : earlier->second;
    if (count < was) return std::nullopt;
    const double rate = static_cast<double>(count - was) / seconds;
    if (name == "tcp.passive_opens") {
      rates["opens"] = rounded(rate);
      continue;
    }
    if (accepts(name)) accepted += rate;
    if (drops(name)) dropped += rate;
    if (rate > 0) rates["verdicts"][name] = rounded(rate);
  }
  rates["accepted"] = rounded(accepted);
  rates["dropped"] = rounded(dropped);
  return rates;
}

}  // namespace

Json Rates::add(int64_t time_ms, double at_s, const Json& answers) {
  Json sample = {{"time_ms", time_ms}, {"hosts", Json::object()}};
  std::map<int, Reading> now;
  for (const auto& entry : answers) {
    const auto& answer = entry.at("answer");
    if (!answer.contains("counters")) continue;
    const int host = entry.value("host", 0);
    auto reading = reading_of(answer, at_s);
    if (const auto before = last_.find(host); before != last_.end())
      if (auto rates = rates_of(before->second, reading)) sample["hosts"][std::to_string(host)] = *rates;
    now[host] = std::move(reading);
  }
  for (auto& [host, reading] : now) last_[host] = std::move(reading);
  Json kept = sample;
  for (auto& host : kept["hosts"]) host["verdicts"] = Json::object();
  newest_ = sample.dump();
  samples_.push_back(kept.dump());
  if (samples_.size() > kMost) samples_.pop_front();
  return sample;
}

std::string Rates::all() const {
  std::string text = "[";
  for (const auto& sample : samples_) {
    if (text.size() > 1) text += ',';
    text += &sample == &samples_.back() ? newest_ : sample;
  }
  return text + "]";
}

void EventLog::add(Json event) {
  const auto time = event.value("time", "");
  const auto after = std::upper_bound(
      events_.begin(), events_.end(), time,
      [](const std::string& value, const Json& one) { return value < one.value("time", ""); });
  events_.insert(after, std::move(event));
  if (events_.size() > kMost) events_.pop_front();
}

Json EventLog::newest(std::size_t count) const {
  const auto skipped = events_.size() - std::min(count, events_.size());
  return Json(std::vector<Json>(events_.begin() + static_cast<std::ptrdiff_t>(skipped), events_.end()));
}

}  // namespace nlb::console
