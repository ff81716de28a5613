// SPDX-License-Identifier: Apache-2.0
// What a story is told with: things done in the lab as an administrator does them, things shown as they see
// them, and claims that hold or do not.
#pragma once

#include <functional>
#include <future>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "lab/plan.hh"
#include "lab/process.hh"

namespace nlb::lab {

struct Claim {
  int symptom = 0;  // 1..5 of docs/lab.md; 0 = of the cure
  std::string text;
  bool holds = false;
  std::string seen;
};

class Stage {
 public:
  // quiet: nothing but the claims at the end, as JSON.
  Stage(Plan plan, bool quiet) : plan_(std::move(plan)), quiet_(quiet) {}

  [[nodiscard]] const Plan& plan() const { return plan_; }
  [[nodiscard]] const std::vector<Claim>& claims() const { return claims_; }

  // ---- doing ----
  [[nodiscard]] Finished on(const Node& node, const std::vector<std::string>& command) const;
  [[nodiscard]] std::future<Finished> beside(const Node& node, const std::vector<std::string>& command) const;
  [[nodiscard]] Finished nlb(unsigned host, const std::vector<std::string>& words) const;  // asks its nlbd
  [[nodiscard]] Finished vmswitch(const std::vector<std::string>& words) const;
  [[nodiscard]] Finished lab(const std::vector<std::string>& words) const;
  // The JSON documents, one a line or one in all; null when there is none.
  [[nodiscard]] nlohmann::json nlb_json(unsigned host, const std::vector<std::string>& words) const;
  [[nodiscard]] nlohmann::json vmswitch_json(const std::vector<std::string>& words) const;
  // Seconds until it is so; negative = not within the time.
  [[nodiscard]] static double wait_for(const std::function<bool()>& is_so, double seconds);

  // ---- showing ----
  void title(const std::string& text) const;
  void say(const std::string& text) const;
  // "$ command" and those of its lines that begin (after blanks) with one of the words; none given: all.
  void show(const std::string& command, const std::string& output,
            const std::vector<std::string>& beginnings = {}) const;
  void claim(int symptom, const std::string& text, bool holds, const std::string& seen);

 private:
  Plan plan_;
  bool quiet_;
  std::vector<Claim> claims_;
};

}  // namespace nlb::lab
