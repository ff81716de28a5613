// SPDX-License-Identifier: Apache-2.0
// The capabilities that a daemon needs, which of them it lacks, and that it keeps no other.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.hh"

namespace nlb {

struct CapabilityNeed {
  int capability;
  const char* name;     // "CAP_NET_ADMIN"
  const char* purpose;  // what does not work without it
  bool required;        // false: works worse without it, or a resource limit does as well
};

// docs/SECURITY-MODEL.md has these lists.
[[nodiscard]] std::span<const CapabilityNeed> nlbd_needs();
[[nodiscard]] std::span<const CapabilityNeed> vmswitch_needs();

struct MissingCapability {
  std::string name;
  std::string purpose;
  bool required = true;
};

// Of the calling thread's effective set; empty = nothing is missing. What a resource limit allows
// (LimitRTPRIO=, LimitMEMLOCK=) is not missing.
[[nodiscard]] std::vector<MissingCapability> missing_capabilities(
    std::span<const CapabilityNeed> needs = nlbd_needs());

// What real-time scheduling and locked memory take, as limits: with these no capability is needed for them.
// Without CAP_SYS_RESOURCE they stay as they are.
void raise_limits();
// Drops all other capabilities for good: from every set of this thread, of threads that it makes and of
// programs that it runs. A needed one that is not there does not come back by this.
[[nodiscard]] Result<void> keep_only(std::span<const CapabilityNeed> needs);
// keep_only(), and the caller becomes another user, of its own groups alone; the capabilities stay with it,
// over an execve too.
struct Account {
  uint32_t user = 0, group = 0;
  std::string name;  // "" when it has none
};
[[nodiscard]] Result<Account> find_account(const std::string& name_or_number);
[[nodiscard]] Result<void> become(const Account& account, std::span<const CapabilityNeed> needs);
// No core file and no reading of this process's memory by others of its user: it holds the cluster's key.
void hide_memory();

// Files are opened as the account would open them while this lives. Root only; of the whole process.
class ActingAs {
 public:
  explicit ActingAs(const Account& account);
  ~ActingAs();
  ActingAs(const ActingAs&) = delete;
  ActingAs& operator=(const ActingAs&) = delete;
  [[nodiscard]] bool worked() const { return worked_; }

 private:
  bool worked_ = false;
};

}  // namespace nlb
