// SPDX-License-Identifier: Apache-2.0
#include "lab/bring_up.hh"

#include <fmt/core.h>
#include <unistd.h>

#include <filesystem>

#include "lab/hosts.hh"
#include "lab/machine.hh"
#include "lab/network.hh"
#include "lab/topology.hh"

namespace nlb::lab {
namespace {

constexpr int kWrongUsage = 2, kNotPermitted = 4;

Result<void> prepare(const Plan& plan) {
  if (geteuid() != 0) return fail("network namespaces need root; run it with sudo", kNotPermitted);
  if (plan.machines && plan.hosts > kMaxLabMachines)
    return fail(fmt::format("--vm: at most {} hosts", kMaxLabMachines), kWrongUsage);
  for (const auto& weight : plan.weights) {
    const bool number =
        !weight.empty() && weight.size() <= 3 && weight.find_first_not_of("0123456789") == std::string::npos;
    if (weight != "equal" && !(number && std::stoi(weight) <= 100))
      return fail(fmt::format("--weights: \"{}\" is not a weight; 0 to 100 or equal", weight), kWrongUsage);
  }
  if (plan.weights.size() > plan.hosts)
    return fail("--weights names more hosts than --hosts asks for", kWrongUsage);
  if (!lab_networks().empty()) return fail("a lab is up already; `nlb lab down` clears it away");
  return {};
}

Result<void> build(const Plan& plan) {
  if (auto mounted = need_bpffs(); !mounted)
    fmt::print(stderr, "nlb lab: note: {}\n", mounted.error().message);
  std::error_code error;
  std::filesystem::create_directories(lab_root(), error);
  if (error) return fail(fmt::format("{}: cannot be made: {}", lab_root(), error.message()));
  if (auto saved = save_plan(plan); !saved) return saved;
  if (auto written = write_key_file(); !written) return written;
  if (auto built = build_topology(plan); !built) return built;
  for (unsigned host = 1; host <= plan.hosts; ++host) {
    if (auto written = write_host_files(plan, host); !written) return written;
    if (auto started = start_service(host); !started) return started;
  }
  return {};
}

}  // namespace

Result<void> bring_up(const Plan& plan, int timeout_s) {
  if (auto prepared = prepare(plan); !prepared) return prepared;
  auto done = build(plan);
  for (unsigned host = 1; done && host <= plan.hosts; ++host) done = start_host(plan, host);
  if (done) done = wait_converged(plan, timeout_s, true);
  if (!done) return fail(done.error().message);  // errno of a step is nobody's exit code
  return {};
}

Result<void> lay_out(const Plan& plan) {
  if (auto prepared = prepare(plan); !prepared) return prepared;
  if (auto built = build(plan); !built) return built;
  for (unsigned host = 1; plan.machines && host <= plan.hosts; ++host)
    if (auto booted = wait_booted(host, kBootSeconds); !booted) return booted;
  return {};
}

std::string summary_of(const Plan& plan) {
  const std::string guard =
      plan.mac_spoofing.empty() ? "" : fmt::format(", guarded switch: MAC spoofing {}", plan.mac_spoofing);
  return fmt::format("{} {}, {} client(s), VIP {} ({}){}", plan.hosts,
                     plan.machines ? "virtual machines" : "hosts", plan.clients, kVip,
                     plan.stand_in ? "stand-in: host 1 alone has it" : plan.mode, guard);
}

}  // namespace nlb::lab
