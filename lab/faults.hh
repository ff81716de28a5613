// SPDX-License-Identifier: Apache-2.0
// What can go wrong with a node, on demand; and the way back.
//   kill        nlbd dies at once (SIGKILL); `kill NODE host`: the whole machine, as if its power were cut
//   pause       nlbd is stopped (SIGSTOP); resume: it goes on
//   cut         the link at the switch goes down; heal: it comes up and loses nothing any more
//   loss        that share of the frames is lost, both ways (`loss NODE 5`)
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hh"
#include "lab/plan.hh"

namespace nlb::lab {

// Returns the instant (CLOCK_MONOTONIC, ns) at which the fault began.
[[nodiscard]] Result<int64_t> inject(const Plan& plan, const std::string& fault, const Node& node,
                                     const std::string& argument);
// Everything the lab ever made, also after a crash; fine when there is nothing.
[[nodiscard]] Result<void> tear_down();

}  // namespace nlb::lab
