// SPDX-License-Identifier: Apache-2.0
// A host is heard at tick 0 and at none of the ticks 1 to T-1 (T = tolerance, in periods); the frame of tick
// T is lost as well, or takes longer than that of tick 0 did: silence is then over D before it comes (one
// half). At even ticks two frames are sent, to the group and to the cluster MAC; at odd ones one. From D/2 on
// each other member asks at each of its ticks; question and answer must not both arrive. q accusers are
// needed.
#include "sim/eviction_odds.hh"

#include <cmath>

namespace nlb::sim {
namespace {

double tick_lost(double loss, uint32_t tick) {
  return tick % 2 == 0 ? loss * loss : loss;
}

// The silence begins after a tick of this parity at which something is heard.
double silence_after(double loss, uint32_t parity, uint32_t tolerance) {
  double odds = 1 - tick_lost(loss, parity);
  for (uint32_t tick = 1; tick < tolerance; ++tick) odds *= tick_lost(loss, parity + tick);
  return odds * (1 + tick_lost(loss, parity + tolerance)) / 2;
}

double at_least(int wanted, int of, double odds) {
  double sum = 0;
  for (int k = wanted; k <= of; ++k) {
    double ways = 1;
    for (int i = 0; i < k; ++i) ways = ways * (of - i) / (i + 1);
    sum += ways * std::pow(odds, k) * std::pow(1 - odds, of - k);
  }
  return sum;
}

}  // namespace

double false_evictions_a_day(double loss, int hosts, uint32_t period_ms, uint32_t tolerance) {
  constexpr double kDayMs = 86'400'000;
  const double silent = (silence_after(loss, 0, tolerance) + silence_after(loss, 1, tolerance)) / 2;
  const double unanswered = std::pow(1 - (1 - loss) * (1 - loss), tolerance - tolerance / 2);
  const int others = hosts - 1, accusers = others > 1 ? 2 : 1;
  return hosts * (kDayMs / period_ms) * silent * at_least(accusers, others, unanswered);
}

}  // namespace nlb::sim
