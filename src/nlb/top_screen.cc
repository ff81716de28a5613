// SPDX-License-Identifier: Apache-2.0
#include "nlb/top_screen.hh"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "nlb/json_field.hh"
#include "nlb/render.hh"

namespace nlb {
namespace {

using Line = std::vector<Cell>;  // pieces side by side

bool begins_character(char c) {
  return (c & 0xc0) != 0x80;
}

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

std::string cut(std::string_view text, std::size_t columns) {
  std::size_t seen = 0;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (begins_character(text[i]) && seen++ == columns) return std::string(text.substr(0, i));
  return std::string(text);
}

std::string fitted(const Line& line, std::size_t columns, const Style& style) {
  std::string out;
  std::size_t left = columns;
  for (const auto& piece : line) {
    const auto text = cut(piece.text, left);
    out += style.paint(text, piece.colour);
    left -= width_of(text);
  }
  return out;
}

std::string padded(const std::string& text, std::size_t columns) {
  const auto shown = cut(text, columns);
  return shown + std::string(columns - width_of(shown), ' ');
}
std::string right(const std::string& text, std::size_t columns) {
  const auto shown = cut(text, columns);
  return std::string(columns - width_of(shown), ' ') + shown;
}

// "998", "12.3k", "4.5M": never wider than six.
std::string count_text(double value) {
  if (value < 9999.5) return fmt::format("{:.0f}", value);
  if (value < 999.95e3) return fmt::format("{:.1f}k", value / 1e3);
  if (value < 999.95e6) return fmt::format("{:.1f}M", value / 1e6);
  return fmt::format("{:.1f}G", value / 1e9);
}

template <typename Number>
std::string count_or_dash(const std::optional<Number>& value) {
  return value ? count_text(static_cast<double>(*value)) : "-";
}

std::string bar(double share, std::size_t columns) {
  const auto full =
      std::min(columns, static_cast<std::size_t>(std::lround(share * static_cast<double>(columns))));
  std::string text;
  for (std::size_t i = 0; i < columns; ++i) text += i < full ? "█" : "·";
  return text;
}

// What is left of the terminal when all other columns have theirs, shared between name and bar.
struct Columns {
  std::size_t name = 8, bar = 10;
  explicit Columns(std::size_t terminal) {
    constexpr std::size_t kOthers = 61;
    const std::size_t spare = terminal > kOthers + name + bar ? terminal - kOthers - name - bar : 0;
    name += std::min<std::size_t>(spare / 4, 16);
    bar += std::min<std::size_t>(spare - (name - 8), 60);
  }
};

std::vector<TopHost> in_order(std::vector<TopHost> hosts, const TopView& view) {
  const auto key = [&](const TopHost& host) -> double {
    switch (view.order) {
      case TopOrder::share:
        return -host.share;
      case TopOrder::connections:
        return -static_cast<double>(host.connections.value_or(-1));
      case TopOrder::accepted:
        return -host.accepted_pps.value_or(-1);
      case TopOrder::dropped:
        return -host.dropped_pps.value_or(-1);
      case TopOrder::id:
        break;
    }
    return host.id;
  };
  std::stable_sort(hosts.begin(), hosts.end(),
                   [&](const TopHost& a, const TopHost& b) { return key(a) < key(b); });
  if (view.reversed) std::reverse(hosts.begin(), hosts.end());
  return hosts;
}

Line title(const TopFigures& figures, const TopView& view) {
  const auto serving = std::count_if(figures.hosts.begin(), figures.hosts.end(),
                                     [](const TopHost& host) { return host.state == "converged"; });
  Line line = {
      {"nlb top", Colour::bold},
      {fmt::format(" · {} · asks host {} · view {} · ", figures.cluster, figures.seen_from, figures.view)},
      {fmt::format("{} of {} serve", serving, figures.hosts.size()),
       serving > 0 ? Colour::green : Colour::red},
      {" · " + view.clock}};
  if (view.paused) line.emplace_back(" · paused", Colour::yellow);
  return line;
}

Line host_heading(const TopView& view, const Columns& columns) {
  const auto mark = [&](const char* name, TopOrder order) {
    const bool up = view.reversed != (order == TopOrder::id);
    return std::string(name) + (view.order != order ? "" : up ? "▲" : "▼");
  };
  return {{padded(mark("HOST", TopOrder::id), 6) + padded("NAME", columns.name) + " " + padded("STATE", 11) +
               padded("", columns.bar) + right(mark("SHARE", TopOrder::share), 9) +
               right(mark("CONN", TopOrder::connections), 8) + right(mark("ACC/s", TopOrder::accepted), 9) +
               right(mark("DROP/s", TopOrder::dropped), 9) + right("HEARD", 8),
           Colour::dim}};
}

Line host_line(const TopHost& host, const Columns& columns) {
  const auto state = host.state.empty() ? std::string("not heard") : host.state;
  const auto colour = host.state.empty() ? Colour::red : colour_of_state(host.state);
  const auto heard = host.silent_ms ? fmt::format("{} ms", *host.silent_ms) : std::string("-");
  return {{padded(fmt::format("{:>3}{}", host.id, host.is_default ? "*" : ""), 6), Colour::bold},
          {padded(host.name.empty() ? "-" : host.name, columns.name) + " "},
          {padded(state, 11), colour},
          {bar(host.share, columns.bar), host.share > 0 ? Colour::green : Colour::dim},
          {right(fmt::format("{:.1f} %", 100 * host.share), 9) + right(count_or_dash(host.connections), 8) +
           right(count_or_dash(host.accepted_pps), 9) + right(count_or_dash(host.dropped_pps), 9) +
           right(heard, 8)}};
}

// Who has how much of a rule: "1:34% 2:33% 3:33%"; a rule of one host, "host 2".
std::string owners_text(const TopRule& rule) {
  std::string text;
  for (const auto& [id, share] : rule.shares) {
    if (share <= 0) continue;
    if (share > 0.9999) return fmt::format("host {}", id);
    text += fmt::format("{}{}:{:.0f}%", text.empty() ? "" : " ", id, 100 * share);
  }
  return text.empty() ? "nobody" : text;
}

Line rule_heading(const std::vector<TopRule>& rules) {
  const bool here = !rules.empty() && rules.front().here_only;
  return {{padded("RULE", 24) + padded("MODE", 10) + padded("AFFINITY", 9) +
               right(here ? "CONN here" : "CONN", 9) + right("HELD", 6) + "  OWNERS",
           Colour::dim}};
}

Line rule_line(const TopRule& rule) {
  const auto owners = owners_text(rule);
  return {{padded(rule.rule, 23) + " " + padded(rule.mode, 10) +
           padded(rule.affinity.empty() ? "-" : rule.affinity, 9) +
           right(count_text(static_cast<double>(rule.connections)), 9) +
           right(count_text(static_cast<double>(rule.held)), 6) + "  "},
          {owners, owners == "nobody" ? Colour::red : Colour::plain}};
}

Line event_line(const nlohmann::json& event) {
  const auto severity = field(event, "severity");
  const auto time = field(event, "time");  // 2026-01-31T12:00:00.123Z
  return {{padded(time.size() > 19 ? time.substr(11, 8) : time, 10), Colour::dim},
          {right(field(event, "number"), 4) + " "},
          {padded(field(event, "name"), 20) + " ", severity == "error"     ? Colour::red
                                                   : severity == "warning" ? Colour::yellow
                                                                           : Colour::plain},
          {field(event, "text")}};
}

std::vector<Line> help_lines() {
  return {{{"Keys", Colour::bold}},
          {{"  q, Ctrl-C    quit"}},
          {{"  h, ?         this help, and back"}},
          {{"  i s c a d    order the hosts by id, share, connections, accepted, dropped"}},
          {{"  r            reverse the order"}},
          {{"  + -          ask more seldom, more often (0.2 to 10 s)"}},
          {{"  space        pause, and go on"}},
          {},
          {{"What is shown", Colour::bold}},
          {{"  HOST    its id; * = default host          SHARE   of the buckets, over all spread rules"}},
          {{"  CONN    live TCP connections              ACC/s   frames its filter let in, a second"}},
          {{"  DROP/s  frames its filter dropped: what others own is dropped by each host but one"}},
          {{"  HEARD   since the host that is asked heard it last"}},
          {{"  HELD    buckets that are another's, held for connections that are still here"}}};
}

std::size_t shown_of(std::size_t count, std::size_t most) {
  return std::min(count, most);
}

void add_section(std::vector<Line>& lines, const Line& heading, const std::vector<Line>& rows,
                 std::size_t most) {
  if (most < 2) return;
  lines.push_back(heading);
  const auto shown = shown_of(rows.size(), most - 1);
  lines.insert(lines.end(), rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(shown));
  if (shown < rows.size() && shown > 0)
    lines.back() = {{fmt::format("  … {} more", rows.size() - shown + 1), Colour::dim}};
}

template <typename Items, typename Make>
std::vector<Line> lines_of(const Items& items, Make make) {
  std::vector<Line> lines;
  for (const auto& item : items) lines.push_back(make(item));
  return lines;
}

// Hosts come first; then rules; events take what is left. Each section that has something gets some lines.
void add_figures(std::vector<Line>& lines, const TopFigures& figures,
                 const std::vector<nlohmann::json>& events, const TopView& view, TerminalSize size) {
  const Columns columns(size.columns);
  const auto hosts =
      lines_of(in_order(figures.hosts, view), [&](const TopHost& host) { return host_line(host, columns); });
  const auto rules = lines_of(figures.rules, rule_line);
  const std::size_t free = size.lines == 0 ? 1000 : size.lines - std::min(size.lines, lines.size() + 3);
  const std::size_t for_events = std::min<std::size_t>(events.size() + 1, std::max<std::size_t>(free / 4, 3));
  const std::size_t for_rules = std::min(rules.size() + 1, std::max<std::size_t>(free / 4, 3));
  const std::size_t for_hosts = free - std::min(free, for_events + for_rules);
  add_section(lines, host_heading(view, columns), hosts, for_hosts);
  lines.emplace_back();
  const std::size_t used = hosts.size() + 1;
  const std::size_t spare = for_hosts > used ? for_hosts - used : 0;
  add_section(lines, rule_heading(figures.rules), rules, for_rules + spare);
  lines.emplace_back();
  const std::size_t left = size.lines == 0 ? 11 : size.lines - std::min(size.lines, lines.size() + 1);
  const std::size_t shown = shown_of(events.size(), left > 0 ? left - 1 : 0);
  const std::vector<nlohmann::json> newest(events.end() - static_cast<std::ptrdiff_t>(shown), events.end());
  add_section(lines, {{"EVENTS of this host, newest last", Colour::dim}}, lines_of(newest, event_line), left);
}

}  // namespace

std::vector<std::string> top_screen(const TopFigures& figures, const std::vector<nlohmann::json>& events,
                                    const TopView& view, TerminalSize size, const Style& style) {
  std::vector<Line> lines = {title(figures, view)};
  if (!view.trouble.empty()) lines.push_back({{view.trouble, Colour::red}});
  if (!figures.trouble.empty()) lines.push_back({{figures.trouble, Colour::yellow}});
  lines.emplace_back();
  if (view.help) {
    for (auto& line : help_lines()) lines.push_back(std::move(line));
  } else {
    add_figures(lines, figures, events, view, size);
  }
  if (view.live && size.lines > 0) {
    lines.resize(size.lines - 1);
    lines.push_back(
        {{fmt::format("q quit · h help · i s c a d order · r reverse · space pause · +/- every {:.1f} s",
                      view.interval_s),
          Colour::dim}});
  }
  std::vector<std::string> shown;
  for (const auto& line : lines) shown.push_back(fitted(line, size.columns, style));
  return shown;
}

}  // namespace nlb
