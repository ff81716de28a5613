// SPDX-License-Identifier: Apache-2.0
// What one bad path, or one host that comes and goes, must not do: keep the others from serving. The faults
// last; who serves meanwhile is asked, by scenarios that the mix of faults has too seldom.
#include "sim/run.hh"
#include "sim/scenario.hh"

namespace nlb::sim {
namespace {

// Two boot and form a view before they believe a third, which serves and hears of them as late.
TEST(LateAcquaintance, WhoIsHeardOnlyAfterTheViewBeganHasADelayToGiveWay) {
  RunOptions options;
  options.seed = 45;
  options.hosts = 4;
  options.duration = 135 * kSecond;
  options.faults = *parse_faults(
      "forge@58118+88:4,reorder@63022+5714:1.2.3.4:2:330000,duplicate-id@63424+638:1,drain@96144+6348:2,"
      "restart@122611+621:3,one-way@124682+7882:2:1.3.4,forge@125144+3865:1,weight@127424+6944:1:-:41,"
      "late@127741+5960:1.2.4:1.2.3.4:190000,power@130115+225:1.3");
  for (const auto& violation : run(options).violations) ADD_FAILURE() << violation.text();
}

}  // namespace
}  // namespace nlb::sim
