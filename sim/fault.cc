// SPDX-License-Identifier: Apache-2.0
#include "sim/fault.hh"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/limits.hh"

namespace nlb::sim {
namespace {

struct Description {
  std::string_view name, text;
};
constexpr std::array<Description, kFaultKinds> kDescriptions = {{
#define NLB_SIM_FAULT_DESCRIPTION(name, text, what) {text, what},
    NLB_SIM_FAULTS(NLB_SIM_FAULT_DESCRIPTION)
#undef NLB_SIM_FAULT_DESCRIPTION
}};

std::string text_of_hosts(HostSet hosts) {
  std::string text;
  for_each_host(hosts, [&](HostId id) { text += (text.empty() ? "" : ".") + std::to_string(id); });
  return text.empty() ? "-" : text;
}

std::vector<std::string_view> parts_of(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::optional<int64_t> number(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::optional<HostSet> hosts(std::string_view text) {
  if (text == "-") return HostSet{0};
  HostSet set = 0;
  for (std::string_view part : parts_of(text, '.')) {
    const auto id = number(part);
    if (!id || *id < 1 || *id > static_cast<int64_t>(kMaxHosts)) return std::nullopt;
    set |= bit_of(static_cast<HostId>(*id));
  }
  return set;
}

std::optional<Fault> parse_fault(std::string_view text) {
  const auto fields = parts_of(text, ':');
  const auto at = fields[0].find('@'), plus = fields[0].find('+');
  if (at == std::string_view::npos || plus == std::string_view::npos || plus < at || fields.size() > 4)
    return std::nullopt;
  const auto kind = fault_kind(fields[0].substr(0, at));
  const auto begin = number(fields[0].substr(at + 1, plus - at - 1));
  const auto duration = number(fields[0].substr(plus + 1));
  const auto a = hosts(fields.size() > 1 ? fields[1] : "-"), b = hosts(fields.size() > 2 ? fields[2] : "-");
  const auto value = number(fields.size() > 3 ? fields[3] : "0");
  constexpr int64_t kLongest = 1'000'000'000;  // ms
  const auto in_range = [](int64_t ms) { return ms >= 0 && ms <= kLongest; };
  if (!kind || !begin || !duration || !a || !b || !value || !in_range(*begin) || !in_range(*duration))
    return std::nullopt;
  return Fault{*kind, *begin * kMillisecond, *duration * kMillisecond, *a, *b, *value};
}

// Some hosts, at least one, not all of them where `proper`.
HostSet some_of(HostId count, Random& random, bool proper) {
  const HostSet all = count == 64 ? ~HostSet{0} : bit_of(static_cast<HostId>(count + 1)) - 1;
  for (;;) {
    const HostSet set = random.next() & all;
    if (set != 0 && !(proper && set == all)) return set;
  }
}

HostSet one_of(HostId count, Random& random) {
  return bit_of(static_cast<HostId>(1 + random.below(count)));
}

int64_t draw_value(FaultKind kind, Random& random) {
  switch (kind) {
    case FaultKind::loss:
    case FaultKind::sender_loss:
    case FaultKind::corrupt:
      return 10'000 * (1 + random.below(30));
    case FaultKind::reorder:
    case FaultKind::duplicate:
      return 10'000 * (1 + random.below(80));
    case FaultKind::delay:
      return 1'000 * (1 + random.below(60));
    case FaultKind::late:
      return 1'000 * (10 + random.below(700));
    case FaultKind::starve:
      return 20 + random.below(600);
    case FaultKind::drift:
      return 900'000 + 1'000 * random.below(201);
    case FaultKind::weight:
      return random.below(101);
    case FaultKind::config:
      return random.below(3);
    case FaultKind::slow_scan:
      return 10 + random.below(400);
    case FaultKind::unhealthy:
      return random.below(4);
    case FaultKind::notice_late:
      return 1 + random.below(random.below(2) != 0 ? 50 : 3'000);
    default:
      return 0;
  }
}

void draw_hosts(Fault& fault, HostId count, Random& random) {
  const HostSet all = count == 64 ? ~HostSet{0} : bit_of(static_cast<HostId>(count + 1)) - 1;
  switch (fault.kind) {
    case FaultKind::loss:
    case FaultKind::burst:
    case FaultKind::delay:
    case FaultKind::late:
    case FaultKind::reorder:
    case FaultKind::duplicate:
    case FaultKind::corrupt:
      fault.a = random.below(2) != 0 ? all : some_of(count, random, false);
      fault.b = random.below(2) != 0 ? all : some_of(count, random, false);
      break;
    case FaultKind::split:
      fault.a = some_of(count, random, true);
      fault.b = all & ~fault.a;
      break;
    case FaultKind::one_way:
    case FaultKind::clog:
      fault.a = random.below(2) != 0 ? one_of(count, random) : some_of(count, random, false);
      fault.b = random.below(2) != 0 ? one_of(count, random) : all & ~fault.a;
      break;
    case FaultKind::bad_pair:
      fault.a = one_of(count, random);
      do fault.b = one_of(count, random);
      while (fault.b == fault.a);
      break;
    case FaultKind::power:
    case FaultKind::pause:
    case FaultKind::freeze:
    case FaultKind::starve:
    case FaultKind::drift:
    case FaultKind::sender_loss:
    case FaultKind::crash:
    case FaultKind::unhealthy:
    case FaultKind::port_down:
    case FaultKind::migrate:
    case FaultKind::notice_lost:
    case FaultKind::notice_late:
    case FaultKind::notice_twice:
      fault.a = random.below(3) == 0 ? some_of(count, random, false) : one_of(count, random);
      break;
    default:
      fault.a = one_of(count, random);
  }
}

}  // namespace

std::string_view name_of(FaultKind kind) {
  return kDescriptions[static_cast<std::size_t>(kind)].name;
}

std::string_view text_of(FaultKind kind) {
  return kDescriptions[static_cast<std::size_t>(kind)].text;
}

std::optional<FaultKind> fault_kind(std::string_view name) {
  for (std::size_t i = 0; i < kFaultKinds; ++i)
    if (kDescriptions[i].name == name) return static_cast<FaultKind>(i);
  return std::nullopt;
}

std::string Fault::text() const {
  std::string text(name_of(kind));
  text += '@' + std::to_string(at / kMillisecond) + '+' + std::to_string(duration / kMillisecond);
  if (a != 0 || b != 0 || value != 0) text += ':' + text_of_hosts(a);
  if (b != 0 || value != 0) text += ':' + text_of_hosts(b);
  if (value != 0) text += ':' + std::to_string(value);
  return text;
}

std::string text_of(const FaultPlan& plan) {
  std::string text;
  for (const Fault& fault : plan) text += (text.empty() ? "" : ",") + fault.text();
  return text.empty() ? "none" : text;
}

Result<FaultPlan> parse_faults(std::string_view text) {
  FaultPlan plan;
  if (text == "none") return plan;
  for (std::string_view part : parts_of(text, ',')) {
    const auto fault = parse_fault(part);
    if (!fault)
      return fail("'" + std::string(part) +
                  "' is no fault: KIND@AT+FOR[:HOSTS[:HOSTS[:VALUE]]], times in ms, hosts as 1.2.5");
    plan.push_back(*fault);
  }
  return plan;
}

// Most faults last about as long as it takes a cluster to notice them; some are over before, some last long.
FaultPlan draw_faults(const FaultMix& mix, Random& random) {
  FaultPlan plan;
  for (uint32_t i = 0; i < mix.count && !mix.kinds.empty(); ++i) {
    Fault fault;
    fault.kind = mix.kinds[random.below(static_cast<uint32_t>(mix.kinds.size()))];
    constexpr std::array<Nanos, 4> kLongest = {300 * kMillisecond, 1200 * kMillisecond, 4 * kSecond,
                                               12 * kSecond};
    const auto to_ms = [](Nanos time) { return time / kMillisecond * kMillisecond; };
    fault.duration = to_ms(random.between(5 * kMillisecond, kLongest[random.below(4)]));
    fault.duration = std::min(fault.duration, to_ms((mix.until - mix.from) / 2));
    fault.at = to_ms(random.between(mix.from, mix.until - fault.duration));
    fault.value = draw_value(fault.kind, random);
    draw_hosts(fault, mix.hosts, random);
    plan.push_back(fault);
  }
  std::stable_sort(plan.begin(), plan.end(), [](const Fault& x, const Fault& y) { return x.at < y.at; });
  return plan;
}

}  // namespace nlb::sim
