// SPDX-License-Identifier: Apache-2.0
// The manual says every reason in the words of the list.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "guard/guard_model.hh"

namespace nlb {
namespace {

TEST(GuardReasons, stand_in_the_manual) {
  std::ifstream file(NLB_GUARD_MANUAL);
  std::stringstream manual;
  manual << file.rdbuf();
  for (uint32_t reason = 0; reason < NLB_GUARD_REASON_COUNT; ++reason) {
    const bool expected = is_expected(static_cast<nlb_guard_reason>(reason));
    const std::string row = std::string("| `") + guard_reason_name(reason) + "` | " +
                            (expected ? "expected" : "violation") + " | " + guard_reason_text(reason) +
                            " |\n";
    EXPECT_NE(manual.str().find(row), std::string::npos) << row;
  }
}

}  // namespace
}  // namespace nlb
