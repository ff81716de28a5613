// SPDX-License-Identifier: Apache-2.0
// `nlb lab story`: five symptoms that Windows NLB shows on a virtual machine whose switch forbids MAC
// spoofing, in order, and what OpenNLB does instead; then the cure. `as_windows` is the control group: no
// proof, no help from the switch, strategy replace; there the claims about the symptoms must fail.
#pragma once

#include <string>

#include "base/result.hh"
#include "lab/plan.hh"

namespace nlb::lab {

struct StoryOptions {
  std::string mac_strategy = "auto";  // auto, add or replace
  bool as_windows = false;
  bool machines = false;  // hosts are virtual machines
  bool json = false;
  bool keep = false;  // leave the lab up at the end
};

// Exit code: 0 = all claims hold (as_windows: every symptom occurred), 1 = not so.
[[nodiscard]] Result<int> tell_story(const StoryOptions& options);

}  // namespace nlb::lab
