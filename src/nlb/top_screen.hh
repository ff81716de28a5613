// SPDX-License-Identifier: Apache-2.0
// One frame of `nlb top` as lines that fit the terminal. Pure.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "nlb/text_table.hh"
#include "nlb/top_figures.hh"

namespace nlb {

enum class TopOrder { id, share, connections, accepted, dropped };

struct TopView {
  TopOrder order = TopOrder::id;
  bool reversed = false;                           // ids ascend and figures descend unless reversed
  bool help = false, paused = false, live = true;  // live: there are keys to name
  double interval_s = 1;
  std::string clock;    // the time of day, as shown
  std::string trouble;  // nobody answers: figures are those of before
};

struct TerminalSize {
  std::size_t columns = 80, lines = 24;  // lines 0: as many as there are
};

// Each without its end; never wider than the terminal, never more than its lines.
[[nodiscard]] std::vector<std::string> top_screen(const TopFigures& figures,
                                                  const std::vector<nlohmann::json>& events,
                                                  const TopView& view, TerminalSize size, const Style& style);

}  // namespace nlb
