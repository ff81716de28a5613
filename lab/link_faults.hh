// SPDX-License-Identifier: Apache-2.0
// What goes wrong between a node and the others while its link stays up: frames are lost, come late, or do
// not get from some nodes to others. All of it happens at the switch, where the node cannot see it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hh"
#include "lab/plan.hh"

namespace nlb::lab {

enum class Direction : uint8_t { in, out, both };  // as the node sees it: what it receives, what it sends
// "" is both. Every wrong word is an error of code 2: wrong usage.
[[nodiscard]] Result<Direction> direction_from(const std::string& word);
[[nodiscard]] Result<unsigned> number_from(const std::string& word, const std::string& what, unsigned most);

// 0 = none is lost any more.
[[nodiscard]] Result<void> lose_frames(const Node& node, unsigned percent, Direction direction);
// All of them, for so long by the kernel's clock, however late this program's turn is; returns at once, and
// what it leaves in the switch lose_frames(0) takes away.
[[nodiscard]] Result<void> lose_all_for(const Node& node, unsigned ms, Direction direction);

// Heartbeats of and for a host: late, each late by another time (so that they overtake one another), or once
// more. Nothing else is touched.
enum class Lateness : uint8_t { delay, reorder, duplicate };
[[nodiscard]] Result<void> delay_heartbeats(const Node& host, Lateness how, unsigned ms);  // 0 ms = no more
// The process that does it, in the switch's namespace, until it is told to end.
int serve_delay(const std::string& port, Lateness how, unsigned ms);

// Nodes of different groups do not hear each other; those of no group hear all.
using Groups = std::vector<std::vector<Node>>;
[[nodiscard]] Result<Groups> groups_from(const Plan& plan, const std::vector<std::string>& words);
[[nodiscard]] Result<void> split_switch(const Groups& groups);
[[nodiscard]] Result<void> unsplit_switch();

}  // namespace nlb::lab
