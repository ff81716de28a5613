// SPDX-License-Identifier: Apache-2.0
// How many values fell below each of a few bounds, and their sum: what a histogram of the metrics is made of.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace nlb {

class Distribution {
 public:
  // Ascending. A value counts below a bound that it is equal to.
  explicit Distribution(std::vector<double> bounds) : bounds_(std::move(bounds)), below_(bounds_.size()) {}

  void add(double value) {
    for (std::size_t i = 0; i < bounds_.size(); ++i)
      if (value <= bounds_[i]) ++below_[i];
    sum_ += value;
    ++count_;
  }

  [[nodiscard]] const std::vector<double>& bounds() const { return bounds_; }
  [[nodiscard]] const std::vector<uint64_t>& below() const { return below_; }  // by bound, cumulative
  [[nodiscard]] double sum() const { return sum_; }
  [[nodiscard]] uint64_t count() const { return count_; }

 private:
  std::vector<double> bounds_;
  std::vector<uint64_t> below_;
  double sum_ = 0;
  uint64_t count_ = 0;
};

}  // namespace nlb
