// SPDX-License-Identifier: Apache-2.0
// Figures of `nlb top` from answers as the daemon gives them, and frames that fit whatever terminal there is.
#include <gtest/gtest.h>

#include <algorithm>

#include "nlb/top_screen.hh"

namespace nlb {
namespace {

using nlohmann::json;

json all(const std::vector<std::pair<int, json>>& answers) {
  json list = json::array();
  for (const auto& [id, answer] : answers)
    list.push_back({{"host", id}, {"name", "web"}, {"answer", answer}});
  return {{"schema", 1}, {"cluster", "web"}, {"host", 1}, {"answers", list}};
}

json query_of(int host, const char* state) {
  const json members = {
      {{"id", 1}, {"name", "web1"}, {"state", "converged"}, {"default", true}, {"last_heard_ms", 0}},
      {{"id", 2}, {"name", "web2"}, {"state", "converged"}, {"default", false}, {"last_heard_ms", 37}}};
  return {{"cluster", "web"},
          {"host", host},
          {"state", state},
          {"default", host == 1},
          {"view", 12},
          {"members", members},
          {"known", {{{"id", 3}, {"name", "web3"}}}}};
}

json counters_of(int host, int64_t owned, int64_t foreign) {
  return {{"host", host},
          {"counters",
           {{{"name", "owned"}, {"packets", owned}},
            {{"name", "foreign"}, {"packets", foreign}},
            {{"name", "masked"}, {"packets", 999}}}}};
}

json connections_of(int host, int total) {
  return {{"host", host},
          {"total", total},
          {"rules", {{{"rule", "all:80 tcp"}, {"connections", total}, {"held_buckets", host}}}}};
}

TopAnswers answers(double at_s, int64_t owned) {
  const json down = {{"error", {{"message", "host 3 does not answer"}, {"exit", 3}}}};
  TopAnswers round;
  round.at_s = at_s;
  round.query = all({{1, query_of(1, "converged")}, {2, query_of(2, "converged")}, {3, down}});
  round.connections = all({{1, connections_of(1, 7)}, {2, connections_of(2, 11)}, {3, down}});
  round.counters = all({{1, counters_of(1, owned, 3 * owned)}, {2, counters_of(2, 5, 10)}, {3, down}});
  const auto rule = [](const char* name, const char* mode, double first, double second) -> json {
    return {{"rule", name},
            {"mode", mode},
            {"affinity", "single"},
            {"members", {{{"id", 1}, {"share", first}}, {{"id", 2}, {"share", second}}}}};
  };
  round.queryport = {
      {"host", 1},
      {"rules", {rule("all:80 tcp", "multiple", 0.25, 0.75), rule("all:25 tcp", "single", 1, 0)}}};
  return round;
}

TEST(TopFigures, AreThoseOfAllHosts) {
  const auto figures = top_figures(answers(12, 300), answers(10, 100));
  EXPECT_EQ(figures.cluster, "web");
  EXPECT_EQ(figures.view, 12);
  EXPECT_EQ(figures.trouble, "host 3: host 3 does not answer");
  ASSERT_EQ(figures.hosts.size(), 3U);
  const auto &first = figures.hosts[0], &second = figures.hosts[1], &third = figures.hosts[2];
  EXPECT_EQ(first.accepted_pps, 100);
  EXPECT_EQ(first.dropped_pps, 300);
  EXPECT_EQ(second.accepted_pps, 0);
  EXPECT_DOUBLE_EQ(first.share, 0.25) << "the rule of one host says nothing of shares";
  EXPECT_TRUE(first.is_default);
  EXPECT_FALSE(first.silent_ms);
  EXPECT_EQ(second.silent_ms, 37);
  EXPECT_EQ(second.connections, 11);
  EXPECT_EQ(third.name, "web3");
  EXPECT_FALSE(third.answers);
  EXPECT_EQ(third.state, "");
  EXPECT_FALSE(third.connections);
  ASSERT_EQ(figures.rules.size(), 2U);
  EXPECT_EQ(figures.rules[0].connections, 18);
  EXPECT_EQ(figures.rules[0].held, 3);
}

TEST(TopFigures, HaveNoRatesAtFirstAndAfterARestart) {
  EXPECT_FALSE(top_figures(answers(12, 300), {}).hosts[0].accepted_pps);
  EXPECT_FALSE(top_figures(answers(12, 50), answers(10, 100)).hosts[0].accepted_pps);
}

TEST(TopFigures, OfAnythingElseAreEmpty) {
  TopAnswers odd;
  for (json* answer : {&odd.query, &odd.connections, &odd.counters, &odd.queryport})
    *answer = {{"answers", {{{"host", "x"}, {"answer", 7}}}}, {"rules", {1, {{"members", "none"}}}}};
  EXPECT_TRUE(top_figures(odd, odd).cluster.empty());
}

std::size_t columns_of(const std::string& line) {
  return static_cast<std::size_t>(
      std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

TEST(TopScreen, FitsEveryTerminal) {
  const auto figures = top_figures(answers(12, 300), answers(10, 100));
  const json event = {{"time", "2026-01-31T12:00:00.123Z"},
                      {"number", 28},
                      {"name", "converged"},
                      {"severity", "info"},
                      {"text", std::string(300, 'x')}};
  for (const std::size_t columns : {1U, 20U, 79U, 80U, 200U, 400U})
    for (const std::size_t lines : {1U, 2U, 5U, 10U, 24U, 60U})
      for (const bool help : {false, true}) {
        TopView view;
        view.help = help;
        const auto screen =
            top_screen(figures, std::vector<json>(50, event), view, {columns, lines}, Style{false});
        EXPECT_EQ(screen.size(), lines) << columns << "x" << lines;
        for (const auto& line : screen) EXPECT_LE(columns_of(line), columns) << line;
      }
}

TEST(TopScreen, At80ColumnsSaysAllOfAHost) {
  TopView view;
  view.clock = "12:00:00";
  const auto text =
      joined(top_screen(top_figures(answers(12, 300), answers(10, 100)), {}, view, {}, Style{false}));
  for (const char* part :
       {"nlb top · web · ", "view 12", "2 of 3 serve · 12:00:00\n", "1*", "web2", "not heard", "25.0 %",
        "37 ms", "all:80 tcp", "1:25% 2:75%", "host 1", "q quit", "300"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  EXPECT_EQ(text.find('\x1b'), std::string::npos) << "colour without leave";
}

TEST(TopScreen, OrdersHosts) {
  const auto figures = top_figures(answers(12, 300), answers(10, 100));
  const auto first = [&](TopOrder order, bool reversed) {
    TopView view;
    view.order = order;
    view.reversed = reversed;
    const auto screen = top_screen(figures, {}, view, {}, Style{false});
    const auto heading = std::find_if(screen.begin(), screen.end(),
                                      [](const std::string& line) { return line.starts_with("HOST"); });
    return std::string(heading + 1 < screen.end() ? (heading + 1)->substr(2, 1) : "");
  };
  EXPECT_EQ(first(TopOrder::id, false), "1");
  EXPECT_EQ(first(TopOrder::id, true), "3");
  EXPECT_EQ(first(TopOrder::share, false), "2");
  EXPECT_EQ(first(TopOrder::connections, false), "2");
  EXPECT_EQ(first(TopOrder::accepted, false), "1");
  EXPECT_EQ(first(TopOrder::dropped, true), "3");
}

TEST(TopScreen, ControlCharactersOfAnEventDoNotReachTheTerminal) {
  const json event = {
      {"time", "t"}, {"number", 1}, {"name", "n"}, {"severity", "info"}, {"text", "a\x1b[2Jb"}};
  const auto text = joined(top_screen({}, {event}, {}, {}, Style{false}));
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace nlb
