// SPDX-License-Identifier: Apache-2.0
// The hosts of the lab: their files, the service behind the VIP, nlbd; and the wait until they have
// converged.
#pragma once

#include <optional>
#include <string>

#include "base/result.hh"
#include "lab/plan.hh"
#include "lab/process.hh"

namespace nlb::lab {

[[nodiscard]] Result<void> write_key_file();
[[nodiscard]] Result<void> write_host_files(const Plan& plan, unsigned host);
// The service behind the VIP; then what does not run of service and nlbd.
[[nodiscard]] Result<void> start_service(unsigned host);
[[nodiscard]] Result<void> start_host(const Plan& plan, unsigned host);
[[nodiscard]] Result<void> stop_nlbd(unsigned host);  // by SIGTERM, and the wait for its end
// A name for the nlbd that runs, another one after each start; "" when none runs.
[[nodiscard]] std::string which_nlbd(unsigned host);
// SIGTERM to nlbd (a planned restart), the wait for its end, and a new one.
[[nodiscard]] Result<void> restart_nlbd(const Plan& plan, unsigned host);
// Until the hosts report `converged` in one view of just them. `everyone`: every host but those that are dead
// as a whole; else those that were stopped, drained, suspended, paused or killed are not waited for.
// With mac_spoofing "off" it is enough that all are refused.
[[nodiscard]] Result<void> wait_converged(const Plan& plan, int timeout_s, bool everyone);
[[nodiscard]] Result<void> wait_answering(unsigned host, int timeout_s);

struct HostReport {
  bool dead = false;  // killed as a whole by `fault kill HOST host`
  bool nlbd = false, service = false, paused = false, carrier = false;
  std::string state;  // what `nlb query` says, "" when it does not answer
  std::string view;
  std::size_t members = 0;
};
[[nodiscard]] HostReport report_of(const Plan& plan, unsigned host);

[[nodiscard]] std::optional<ProcessId> nlbd_of(unsigned host);
[[nodiscard]] std::string log_of(unsigned host);
[[nodiscard]] std::string log_tail(unsigned host, std::size_t lines);
[[nodiscard]] std::string dead_marker(unsigned host);  // exists while the host as a whole is dead

}  // namespace nlb::lab
