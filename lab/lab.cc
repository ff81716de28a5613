// SPDX-License-Identifier: Apache-2.0
// The command line of the lab.
#include "lab/lab.hh"

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "lab/agent.hh"
#include "lab/bring_up.hh"
#include "lab/console.hh"
#include "lab/faults.hh"
#include "lab/guarded_switch.hh"
#include "lab/hosts.hh"
#include "lab/link_faults.hh"
#include "lab/machine.hh"
#include "lab/network.hh"
#include "lab/plan.hh"
#include "lab/power.hh"
#include "lab/process.hh"
#include "lab/statistics.hh"
#include "lab/story.hh"
#include "lab/tools.hh"
#include "lab/topology.hh"

namespace nlb {
namespace {

using namespace lab;

constexpr int kFailed = 1, kWrongUsage = 2, kNotPermitted = 4;

int complain(const Error& error, int exit_code = kFailed) {
  fmt::print(stderr, "nlb lab: {}\n", error.message);
  return exit_code;
}

// ---- up, down, status ----

struct UpOptions {
  Plan plan;
  std::string weights;
  int timeout_s = 0;  // 0: what such a lab needs
};

int up(UpOptions options) {
  if (!options.weights.empty()) options.plan.weights = CLI::detail::split(options.weights, ',');
  if (options.timeout_s == 0) options.timeout_s = options.plan.machines ? 90 : 30;
  const auto began = std::chrono::steady_clock::now();
  if (auto done = bring_up(options.plan, options.timeout_s); !done)
    return complain(done.error(), done.error().code != 0 ? done.error().code : kFailed);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  fmt::print("lab is up after {:.1f} s: {}\n", took.count(), summary_of(options.plan));
  return 0;
}

int down() {
  if (geteuid() != 0) return complain({"network namespaces need root; run it with sudo", 0}, kNotPermitted);
  if (auto gone = tear_down(); !gone) return complain(gone.error());
  return 0;
}

int console() {
  if (geteuid() != 0) return complain({"the lab is root's; run it with sudo", 0}, kNotPermitted);
  const auto said = start_console();
  if (!said) return complain(said.error());
  fmt::print("{}", *said);
  return 0;
}

std::string process_word(const HostReport& report) {
  if (report.dead) return "dead";
  if (!report.nlbd) return "not running";
  return report.paused ? "paused" : "running";
}

int status(bool as_json) {
  const auto plan = load_plan();
  if (!plan) {
    if (as_json) fmt::print("{}\n", nlohmann::json{{"schema", 1}, {"up", false}}.dump());
    return complain(plan.error());
  }
  nlohmann::json hosts = nlohmann::json::array();
  if (!as_json)
    fmt::print("{:<8} {:<12} {:<12} {:<9} {:<6} {}\n", "host", "address", "nlbd", "service", "link", "state");
  for (unsigned id = 1; id <= plan->hosts; ++id) {
    const auto report = report_of(*plan, id);
    const auto node = host_node(id);
    const auto address = node.addresses[0].substr(0, node.addresses[0].find('/'));
    if (!as_json) {
      fmt::print("{:<8} {:<12} {:<12} {:<9} {:<6} {}\n", node.name, address, process_word(report),
                 report.service ? "running" : "-", report.carrier ? "up" : "down", report.state);
    }
    hosts.push_back({{"id", id},
                     {"name", node.name},
                     {"address", address},
                     {"nlbd", process_word(report)},
                     {"service", report.service},
                     {"carrier", report.carrier},
                     {"state", report.state},
                     {"members", report.members}});
  }
  if (!as_json) return 0;
  nlohmann::json clients = nlohmann::json::array();
  for (unsigned number = 1; number <= plan->clients; ++number) {
    const auto node = client_node(*plan, number);
    clients.push_back({{"name", node.name}, {"addresses", node.addresses}});
  }
  fmt::print("{}\n", nlohmann::json{{"schema", 1},
                                    {"up", true},
                                    {"vip", kVip},
                                    {"mode", plan->mode},
                                    {"hosts", hosts},
                                    {"clients", clients}}
                         .dump());
  return 0;
}

// ---- what happens to one node ----

template <typename Action>
int with_node(const std::string& name, Action action) {
  const auto plan = load_plan();
  if (!plan) return complain(plan.error());
  const auto node = find_node(*plan, name);
  if (!node) return complain(node.error(), kWrongUsage);
  return action(*plan, *node);
}

int fault(const std::string& kind, const std::vector<std::string>& words) {
  const auto plan = load_plan();
  if (!plan) return complain(plan.error());
  const auto instant = inject(*plan, kind, words);
  if (!instant) return complain(instant.error(), instant.error().code == kWrongUsage ? kWrongUsage : kFailed);
  // CLOCK_MONOTONIC; `nlb lab gap` reads it
  fmt::print("{} {} at_ns={}\n", kind, fmt::join(words, " "), *instant);
  return 0;
}

// nlb lab exec NODE -- COMMAND…: everything behind the node belongs to the command.
int exec_in(int argc, char** argv) {
  int first = 3;
  if (argc > first && std::strcmp(argv[first], "--") == 0) ++first;
  if (argc <= first) return complain({"exec: say NODE -- COMMAND", 0}, kWrongUsage);
  return with_node(argv[2], [&](const Plan&, const Node& node) {
    if (is_machine(node.host_id)) {
      const auto code = exec_in_machine(node.host_id, {argv + first, argv + argc});
      return code ? *code : complain(code.error());
    }
    if (auto entered = enter_network(node.network); !entered) return complain(entered.error());
    put_own_directory_on_path();
    if (node.host_id != 0) setenv("NLB_SOCKET", control_socket(node.host_id).c_str(), 1);
    setenv("NLB_VMSWITCH_SOCKET", switch_socket().c_str(), 1);
    execvp(argv[first], argv + first);
    return complain({fmt::format("{}: cannot be run: {}", argv[first], std::strerror(errno)), 0}, 127);
  });
}

int switch_machine(const std::string& action, const std::string& name, int timeout_s) {
  return with_node(name, [&](const Plan& plan, const Node& node) {
    const auto done = action == "stop"     ? shut_down(node)
                      : action == "reboot" ? reboot(plan, node)
                                           : start_node(plan, node);
    if (!done) return complain(done.error());
    if (action == "stop" || timeout_s == 0) return 0;
    const auto answered = wait_answering(node.host_id, timeout_s);
    return answered ? 0 : complain(answered.error());
  });
}

int start_again(const std::string& name, bool restart, int timeout_s) {
  return with_node(name, [&](const Plan& plan, const Node& node) {
    const bool planned = restart && node.host_id != 0;
    const auto started = planned ? restart_nlbd(plan, node.host_id) : start_node(plan, node);
    if (!started) return complain(started.error());
    if (timeout_s == 0) return 0;
    if (auto converged = wait_converged(plan, timeout_s, false); !converged)
      return complain(converged.error());
    return 0;
  });
}

// ---- addresses on the command line ----

sockaddr_in endpoint_from(const std::string& text) {
  sockaddr_in endpoint{};
  endpoint.sin_family = AF_INET;
  const auto colon = text.rfind(':');
  const auto port = colon == std::string::npos ? 0 : std::atoi(text.c_str() + colon + 1);
  if (port <= 0 || port > 65535 || inet_pton(AF_INET, text.substr(0, colon).c_str(), &endpoint.sin_addr) != 1)
    throw CLI::ValidationError("--to", "\"" + text + "\" is not ADDRESS:PORT");
  endpoint.sin_port = htons(static_cast<uint16_t>(port));
  return endpoint;
}

// "all": every IPv4 address of eth0 in this namespace.
std::vector<in_addr> sources_from(const std::string& text) {
  std::vector<in_addr> sources;
  if (text == "all") {
    ifaddrs* list = nullptr;
    if (getifaddrs(&list) != 0) throw CLI::ValidationError("--source", "no addresses can be read");
    for (const auto* one = list; one != nullptr; one = one->ifa_next) {
      if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET ||
          std::strcmp(one->ifa_name, "lo") == 0)
        continue;
      sockaddr_in address{};
      std::memcpy(&address, one->ifa_addr, sizeof address);
      sources.push_back(address.sin_addr);
    }
    freeifaddrs(list);
    return sources;
  }
  if (text.empty()) return sources;
  for (const auto& word : CLI::detail::split(text, ',')) {
    in_addr address{};
    if (inet_pton(AF_INET, word.c_str(), &address) != 1)
      throw CLI::ValidationError("--source", "\"" + word + "\" is not an IPv4 address");
    sources.push_back(address);
  }
  return sources;
}

// ---- the commands ----

void add_up(CLI::App& app, UpOptions& options, int& result) {
  auto* command = app.add_subcommand("up", "build the lab and wait until the cluster has converged");
  auto& plan = options.plan;
  command->add_option("--hosts", plan.hosts, "cluster hosts")
      ->check(CLI::Range(1U, kMaxLabHosts))
      ->capture_default_str();
  command->add_option("--clients", plan.clients, "clients")
      ->check(CLI::Range(0U, kMaxLabClients))
      ->capture_default_str();
  command->add_option("--client-addresses", plan.client_addresses, "addresses of each client")
      ->check(CLI::Range(1U, kMaxClientAddresses))
      ->capture_default_str();
  command->add_option("--mode", plan.mode)
      ->check(CLI::IsMember({"unicast", "multicast", "igmp"}))
      ->capture_default_str();
  command->add_option("--mac-strategy", plan.mac_strategy)
      ->check(CLI::IsMember({"auto", "add", "replace"}))
      ->capture_default_str();
  command
      ->add_option("--mac-spoofing", plan.mac_spoofing,
                   "guard the switch, with this setting of the hosts' ports; without it any MAC passes")
      ->check(CLI::IsMember({"off", "cluster", "on"}));
  command->add_flag("--vm", plan.machines, "hosts are virtual machines (QEMU)");
  command->add_option("--affinity", plan.affinity)
      ->check(CLI::IsMember({"none", "single", "network"}))
      ->capture_default_str();
  command->add_option("--weights", options.weights, "load weights of hosts 1, 2, …, e.g. 30,60");
  command->add_option("--period-ms", plan.period_ms, "heartbeat period")
      ->check(CLI::Range(10, 10000))
      ->capture_default_str();
  command->add_option("--tolerance", plan.tolerance, "missed heartbeats")
      ->check(CLI::Range(3, 100))
      ->capture_default_str();
  command->add_flag("--ip-forward", plan.ip_forward, "hosts forward, as Docker machines do");
  command->add_flag("--ipv6", plan.ipv6, "IPv6 beside IPv4: nodes fd77::N, VIP fd77::100");
  command->add_option("--timeout", options.timeout_s, "seconds to wait for convergence (30; with --vm 90)");
  command->add_flag("--stand-in", plan.stand_in)->group("");  // tests of the lab itself
  command->callback([&options, &result] { result = up(options); });
}

void add_story(CLI::App& app, StoryOptions& options, int& result) {
  auto* command = app.add_subcommand("story", "five symptoms of NLB in virtual machines, and their cure");
  command->add_option("--mac-strategy", options.mac_strategy)
      ->check(CLI::IsMember({"auto", "add", "replace"}))
      ->capture_default_str();
  command->add_flag("--vm", options.machines, "with virtual machines");
  command->add_flag("--as-windows", options.as_windows, "let the five symptoms really happen");
  command->add_flag("--json", options.json, "the claims as JSON");
  command->add_flag("--keep", options.keep, "leave the lab up");
  command->callback([&] {
    const auto told = tell_story(options);
    result = told ? *told : complain(told.error(), told.error().code != 0 ? told.error().code : kFailed);
  });
}

struct NodeOptions {
  std::string kind, node;
  std::vector<std::string> words;
  int timeout_s = 30;
  bool json = false;
};

void add_node_commands(CLI::App& app, NodeOptions& options, int& result) {
  auto* status_command = app.add_subcommand("status", "what runs and how it is");
  status_command->add_flag("--json", options.json);
  status_command->callback([&] { result = status(options.json); });
  app.add_subcommand("down", "clear everything away, also after a crash")->callback([&result] {
    result = down();
  });
  app.add_subcommand("console", "the web console of the lab, until it is down")->callback([&result] {
    result = console();
  });
  auto* fault_command = app.add_subcommand(
      "fault",
      "break something: kill|pause|resume NODE [host], cut|heal NODE, loss NODE PERCENT [in|out], "
      "burst NODE MS [in|out], delay|reorder|duplicate HOST MS, split GROUP GROUP…, heal switch");
  fault_command->add_option("kind", options.kind)->required()->check(CLI::IsMember(kFaults));
  fault_command
      ->add_option("words", options.words,
                   "host2, client1, gateway; split: groups of nodes, as in host1,client1; what else it takes")
      ->required();
  fault_command->callback([&] { result = fault(options.kind, options.words); });
  for (const bool restart : {false, true}) {
    auto* command = app.add_subcommand(
        restart ? "restart" : "start",
        restart ? "restart nlbd as planned (SIGTERM)" : "start what does not run; boot a dead host");
    command->add_option("node", options.node)->required();
    command->add_option("--timeout", options.timeout_s, "seconds to wait for convergence, 0 = do not wait")
        ->capture_default_str();
    command->callback(
        [&options, &result, restart] { result = start_again(options.node, restart, options.timeout_s); });
  }
  auto* machine = app.add_subcommand("vm", "a host as a machine: stop|start|reboot NAME");
  machine->add_option("action", options.kind)->required()->check(CLI::IsMember({"stop", "start", "reboot"}));
  machine->add_option("node", options.node, "host2 or web2")->required();
  machine->add_option("--timeout", options.timeout_s, "seconds until nlbd answers, 0 = do not wait")
      ->capture_default_str();
  machine->callback([&] { result = switch_machine(options.kind, options.node, options.timeout_s); });
  app.add_subcommand("exec", "run a command in a node: exec NODE -- COMMAND");  // handled before the parser
}

struct MachineOptions {
  std::string network, socket, port;
  unsigned host_id = 1, ms = 0;
  Lateness how = Lateness::delay;
};

void add_machine_ends(CLI::App& app, MachineOptions& options, int& result) {
  auto* agent = app.add_subcommand("agent", "in a guest: runs what `lab exec` asks for")->group("");
  agent->add_option("--network", options.network)->required();
  agent->callback([&] { result = serve_agent(options.network); });
  auto* relay = app.add_subcommand("relay", "the control socket of a guest's nlbd")->group("");
  relay->add_option("--host-id", options.host_id)->required();
  relay->add_option("--socket", options.socket)->required();
  relay->callback([&] { result = serve_relay(options.host_id, options.socket); });
  const std::map<std::string, Lateness> kinds = {
      {"delay", Lateness::delay}, {"reorder", Lateness::reorder}, {"duplicate", Lateness::duplicate}};
  auto* delay = app.add_subcommand("delay", "in the switch: heartbeats of a port come late")->group("");
  delay->add_option("--port", options.port)->required();
  delay->add_option("--how", options.how)->transform(CLI::CheckedTransformer(kinds))->required();
  delay->add_option("--ms", options.ms)->required();
  delay->callback([&] { result = serve_delay(options.port, options.how, options.ms); });
}

struct ToolOptions {
  std::string to, source;
  unsigned host_id = 1;
  uint16_t http_port = kHttpPort, udp_port = kUdpPort;
  LoadOptions load;
  GapOptions gap;
  StreamOptions streams;
  ForgeOptions forge;
};

void add_target(CLI::App& command, ToolOptions& options) {
  command.add_option("--to", options.to, "ADDRESS:PORT")->required();
  command.add_option("--source", options.source, "addresses to ask from, in turn: A,B,… or all");
}

void add_tools(CLI::App& app, ToolOptions& options, int& result) {
  auto* service = app.add_subcommand("service", "the service behind the VIP")->group("");
  service->add_option("--host-id", options.host_id)->required();
  service->add_option("--port", options.http_port);
  service->add_option("--udp-port", options.udp_port);
  service->callback([&] { result = serve(options.host_id, options.http_port, options.udp_port); });

  auto* load_command = app.add_subcommand("load", "many short connections; prints JSON");
  add_target(*load_command, options);
  load_command->add_option("--connections", options.load.connections)->capture_default_str();
  load_command->add_option("--concurrency", options.load.concurrency)
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  load_command->add_option("--limit-ms", options.load.limit_ms, "of one connection")->capture_default_str();
  load_command->add_option("--rate", options.load.rate, "connections a second, 0 = no bound")
      ->capture_default_str();
  load_command->add_flag("--udp", options.load.udp);
  load_command->add_flag("--by-source", options.load.by_source, "hosts that each source address met");
  load_command->callback([&] {
    options.load.to = endpoint_from(options.to);
    options.load.sources = sources_from(options.source);
    result = load(options.load);
  });

  auto* gap_command = app.add_subcommand("gap", "the length of an outage as a client sees it; prints JSON");
  add_target(*gap_command, options);
  gap_command->add_option("--every-ms", options.gap.every_ms)
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  gap_command->add_option("--limit-ms", options.gap.limit_ms)
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  gap_command->add_option("--seconds", options.gap.seconds)->capture_default_str();
  gap_command->add_option("--patient-every-ms", options.gap.patient_every_ms, "0 = no second series")
      ->capture_default_str();
  gap_command->add_option("--fault-cmd", options.gap.fault_command, "breaks something");
  gap_command->add_option("--fault-at-ms", options.gap.fault_at_ms)->capture_default_str();
  gap_command->add_option("--log", options.gap.log_file, "every attempt as one line");
  gap_command->callback([&] {
    options.gap.to = endpoint_from(options.to);
    options.gap.sources = sources_from(options.source);
    result = gap(options.gap);
  });

  auto* streams_command =
      app.add_subcommand("streams", "long-lived connections, every byte checked; prints JSON");
  add_target(*streams_command, options);
  streams_command->add_option("--count", options.streams.count)->capture_default_str();
  streams_command->add_option("--seconds", options.streams.seconds)->capture_default_str();
  streams_command->add_option("--bytes", options.streams.bytes, "every 50 ms on each")->capture_default_str();
  streams_command->callback([&] {
    options.streams.to = endpoint_from(options.to);
    options.streams.sources = sources_from(options.source);
    result = streams(options.streams);
  });
}

void add_forger(CLI::App& app, ForgeOptions& options, int& result) {
  const std::map<std::string, Forgery> kinds = {{"replay", Forgery::replay}, {"flip", Forgery::flip},
                                                {"cut", Forgery::cut},       {"version", Forgery::version},
                                                {"ahead", Forgery::ahead},   {"random", Forgery::random}};
  auto* command = app.add_subcommand("forge", "record heartbeats and send them again, spoiled; prints JSON");
  command
      ->add_option("--how", options.how, "replay, flip (a bit), cut, version, ahead (a newer number), random")
      ->transform(CLI::CheckedTransformer(kinds))
      ->required();
  command->add_option("--seconds", options.seconds)->capture_default_str();
  command->add_option("--rate", options.rate, "frames a second, 0 = no bound")->capture_default_str();
  command->add_option("--interface", options.interface)->capture_default_str();
  command->add_option("--listen", options.listen, "record heartbeats there");
  command->add_flag("--live", options.live,
                    "by a kernel program; at a port of the switch: straight to its host");
  command->callback([&] { result = forge(options); });
}

}  // namespace

int lab_main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "exec") == 0) return exec_in(argc, argv);
  put_own_directory_on_path();
  CLI::App app("a cluster on one machine, in network namespaces", "nlb lab");
  app.require_subcommand(1);
  int result = 0;
  UpOptions up_options;
  StoryOptions story_options;
  NodeOptions node_options;
  ToolOptions tool_options;
  MachineOptions machine_options;
  add_up(app, up_options, result);
  add_story(app, story_options, result);
  add_node_commands(app, node_options, result);
  add_tools(app, tool_options, result);
  add_forger(app, tool_options.forge, result);
  add_machine_ends(app, machine_options, result);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    return app.exit(problem) == 0 ? 0 : kWrongUsage;
  }
  return result;
}

}  // namespace nlb
