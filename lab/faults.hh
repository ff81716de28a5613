// SPDX-License-Identifier: Apache-2.0
// What can go wrong with a node, on demand; and the way back.
//   kill        nlbd dies at once (SIGKILL); `kill NODE host`: the whole machine, as if its power were cut
//   pause       nlbd is stopped (SIGSTOP); resume: it goes on
//   cut         the link at the switch goes down; heal: it comes up and loses and delays nothing any more
//   loss        that share of the frames is lost (`loss NODE 5`), `in` what it receives, `out` what it sends
//   burst       every frame is lost for so many milliseconds (`burst NODE 300`)
//   delay, reorder, duplicate   a host's heartbeats, both ways (`delay NODE MS`)
//   split       groups of nodes do not hear each other (`split host1,client1 host2`); `heal switch` joins
//   them
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hh"
#include "lab/plan.hh"

namespace nlb::lab {

inline const std::vector<std::string> kFaults = {"kill",  "pause", "resume",  "cut",       "heal", "loss",
                                                 "burst", "delay", "reorder", "duplicate", "split"};

// `words` follow the fault's name: the node (of split: the groups) and what else it takes. Returns the
// instant (CLOCK_MONOTONIC, ns) at which the fault began. Error::code 2 = wrong usage.
[[nodiscard]] Result<int64_t> inject(const Plan& plan, const std::string& fault,
                                     const std::vector<std::string>& words);
// Everything the lab ever made, also after a crash; fine when there is nothing.
[[nodiscard]] Result<void> tear_down();

}  // namespace nlb::lab
