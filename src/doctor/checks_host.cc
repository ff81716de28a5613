// SPDX-License-Identifier: Apache-2.0
// What concerns the host as such: kernel, rights, configuration, and what the daemon tells.
#include <algorithm>
#include <array>

#include "core/bind_reason.hh"
#include "doctor/checks.hh"

namespace nlb::doctor {
namespace {

void check_capabilities(const SystemFacts& system, Report& report) {
  std::vector<std::string> needed, useful;
  for (const auto& missing : system.missing_capabilities)
    (missing.required ? needed : useful).push_back(missing.name + " (" + missing.purpose + ")");
  constexpr const char* id = "kernel.capabilities";
  if (!needed.empty())
    report.fail(id, "missing here: " + joined(needed, ", "),
                "run `nlb doctor` and nlbd as root, or give the unit AmbientCapabilities=CAP_NET_ADMIN "
                "CAP_NET_RAW CAP_BPF CAP_PERFMON CAP_IPC_LOCK CAP_SYS_NICE");
  else
    report.judge(id, Status::warn, joined(useful, ", "), "give nlbd these capabilities, too",
                 "all are there");
}

// Without CAP_BPF every probe says no: that tells nothing of the kernel.
void check_programs(const SystemFacts& system, Report& report) {
  const auto& lacks = system.missing_capabilities;
  const bool blind =
      std::any_of(lacks.begin(), lacks.end(), [](const auto& it) { return it.name == "CAP_BPF"; });
  if (blind)
    report.warn("kernel.bpf", "could not be tried without CAP_BPF", "run it as root");
  else
    report.judge("kernel.bpf", Status::fail, joined(system.kernel.missing, ", "),
                 "run a kernel that has them (5.10 or later, CONFIG_BPF_SYSCALL, CONFIG_NET_CLS_BPF)",
                 "all kinds of programs and helpers are there");
}

void check_clsact(const SystemFacts& system, Report& report) {
  const std::string& trouble = system.kernel.clsact_trouble;
  if (!system.kernel.unprobed.empty())
    report.warn("kernel.clsact", "could not be tried: " + system.kernel.unprobed, "run it as root");
  else
    report.judge("kernel.clsact", Status::fail, trouble.empty() ? "" : "no clsact qdisc: " + trouble,
                 "modprobe sch_ingress cls_bpf (CONFIG_NET_SCH_INGRESS, CONFIG_NET_CLS_BPF)",
                 "a clsact qdisc can be made");
}

void check_clock(const SystemFacts& system, Report& report) {
  constexpr std::array slow = {"acpi_pm", "hpet", "jiffies", "refined-jiffies"};
  const bool bad = std::find(slow.begin(), slow.end(), system.clock_source) != slow.end();
  report.judge(
      "kernel.clock", Status::warn,
      bad ? "the clock source is " + system.clock_source + ": slow to read or coarse" : "",
      "let the hypervisor offer its own clock (kvm-clock, hyperv_clocksource_tsc_page, tsc); then: echo "
      "tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource",
      "the clock source is " + (system.clock_source.empty() ? "not told" : system.clock_source));
}

std::string heartbeats_refused(const DaemonFacts& daemon) {
  std::vector<std::string> texts;
  for (const auto& [reason, count] : daemon.refused)
    if (count > 0) texts.push_back(std::to_string(count) + " heartbeats refused: " + reason);
  return joined(texts);
}

}  // namespace

void check_system(const Facts& facts, Report& report) {
  const SystemFacts& system = facts.system;
  check_capabilities(system, report);
  check_programs(system, report);
  report.judge("kernel.btf", Status::fail,
               system.kernel.btf ? "" : "/sys/kernel/btf/vmlinux cannot be read: the kernel has no BTF",
               "run a kernel with CONFIG_DEBUG_INFO_BTF=y (every kernel of a current distribution)",
               "/sys/kernel/btf/vmlinux is there");
  report.judge("kernel.bpffs", Status::warn, system.kernel.bpffs ? "" : "no bpf file system at /sys/fs/bpf",
               "mount -t bpf bpf /sys/fs/bpf (nlbd does it itself where it may)", "/sys/fs/bpf is one");
  check_clsact(system, report);
  report.judge(
      "kernel.realtime", Status::warn, system.realtime_trouble,
      "give nlbd CAP_SYS_NICE or LimitRTPRIO=50; in a container also a share of real-time scheduling "
      "(kernel.sched_rt_runtime_us)",
      "SCHED_FIFO is permitted");
  check_clock(system, report);
}

void check_configuration(const Facts& facts, Report& report) {
  if (!facts.config_trouble.empty())
    report.fail("config.valid", facts.config_trouble, "nlb doctor --config FILE, or --cluster NAME");
  else
    report.judge("config.valid", Status::fail, joined(facts.config_problems, "\n"),
                 "correct the named lines; nlbd --config " + facts.config_path + " --check-config",
                 facts.config_path);
  if (!facts.config) return;
  report.judge("config.key", Status::fail, joined(facts.key_problems, "\n"),
               "chown root:root " + facts.config->key_file + " && chmod 0600 " + facts.config->key_file +
                   "; where there is none: nlb keygen " + facts.config->key_file +
                   " on one host, copied to all",
               facts.config->key_file);
}

void check_daemon(const Facts& facts, Report& report) {
  if (!facts.daemon) {
    report.warn("daemon.running", "nlbd does not answer: " + facts.daemon_trouble,
                "start it: nlbd --config " + (facts.config_path.empty() ? "FILE" : facts.config_path));
    return;
  }
  const DaemonFacts& daemon = *facts.daemon;
  report.pass("daemon.running", "nlbd answers, the state of this host is " + daemon.state);
  const bool refused = daemon.bind != "bound";
  const bool deaf = daemon.bind_reason == name_of(BindReason::rx_filtered);
  const std::string reason = " (" + daemon.bind_reason + "): " + daemon.evidence;
  report.judge("daemon.bind", Status::fail,
               refused ? "the cluster is not bound to the adapter" + reason
               : deaf  ? "bound, but nothing sent to the cluster MAC arrives" + reason
                       : "",
               daemon.remedy.empty() ? "nlb events says what happened" : daemon.remedy, "bound");
  std::vector<std::string> wrong = daemon.differences;
  if (daemon.state == "refused" && !daemon.reason_text.empty() && !refused)
    wrong.insert(wrong.begin(), daemon.reason_text);
  report.judge(
      "cluster.agreement", Status::fail, joined(wrong),
      "make mode, vips, rules, seed and heartbeat profile equal on all hosts, ids different; nlb params "
      "shows what is in force",
      "nobody is heard who differs");
  report.judge("cluster.heartbeats", Status::warn, heartbeats_refused(daemon),
               "compare the key files of both hosts (nlb key status); else another cluster, or an attacker",
               "none was refused");
  const std::string members = daemon.members == 1 ? "no other member is heard"
                                                  : std::to_string(daemon.members) + " members share a view";
  const bool idle = daemon.members == 0;
  report.judge("cluster.members", Status::warn, idle ? "this host is in no view: " + daemon.state : "",
               "nlb start; nlb display says why when it does not take part", members);
}

}  // namespace nlb::doctor
