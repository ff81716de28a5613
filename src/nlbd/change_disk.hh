// SPDX-License-Identifier: Apache-2.0
// What a change of the configuration means on this host (core/change.hh): the file is changed by program,
// judged, and put beside the one in force; then in its place, and loaded.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "control/change_effect.hh"
#include "core/change.hh"

namespace nlb {

class Daemon;

class ChangeDisk final : public core::ChangeStore {
 public:
  explicit ChangeDisk(Daemon& daemon);

  [[nodiscard]] Result<std::string> stage(const core::ChangeOrder& order) override;
  [[nodiscard]] bool apply(const core::ChangeOrder& order) override;
  void discard(const core::ChangeOrder& order) override;
  [[nodiscard]] Result<void> save(const core::ChangeRecord& record) override;
  [[nodiscard]] core::ChangeRecord load() const;

  // `what` of an order: the change, and what the coordinator has it build on.
  [[nodiscard]] nlohmann::json describe(const nlohmann::json& change) const;
  // How it would come into force here; an error when this host would refuse it. Nothing is written.
  [[nodiscard]] Result<ChangeEffect> foresee(const nlohmann::json& change) const;
  // On this host alone, whatever the others have.
  [[nodiscard]] Result<void> apply_here(const nlohmann::json& change);

 private:
  [[nodiscard]] Result<std::string> edited(const nlohmann::json& change) const;  // and judged
  [[nodiscard]] std::string staged_file() const;
  [[nodiscard]] Result<Config> judged_file(const std::string& path) const;  // removes one that cannot be

  Daemon& daemon_;
};

}  // namespace nlb
