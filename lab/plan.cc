// SPDX-License-Identifier: Apache-2.0
// Addresses and names by rule, and the plan as JSON for the commands that come after `up`.
#include "lab/plan.hh"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace nlb::lab {
namespace {

constexpr const char* kDefaultRoot = "/run/opennlb-lab";

std::string plan_file() {
  return lab_root() + "/lab.json";
}

std::string quoted_weight(const std::string& weight) {
  return weight == "equal" ? "\"equal\"" : weight;
}

}  // namespace

std::string machine_of(unsigned host) {
  return fmt::format("web{}", host);
}

std::string address6_of(const Node& node) {
  const std::string v4 = node.addresses[0].substr(0, node.addresses[0].find('/'));
  return "fd77::" + v4.substr(v4.rfind('.') + 1);
}

Node host_node(unsigned id) {
  return {fmt::format("host{}", id),
          fmt::format("nlb-host{}", id),
          fmt::format("h{}", id),
          fmt::format("52:54:00:4d:01:{:02x}", id),
          {fmt::format("10.77.0.{}/24", 10 + id)},
          id};
}

Node client_node(const Plan& plan, unsigned number) {
  Node node{fmt::format("client{}", number),
            fmt::format("nlb-client{}", number),
            fmt::format("c{}", number),
            fmt::format("52:54:00:4d:02:{:02x}", number),
            {fmt::format("10.77.0.{}/24", 200 + number)},
            0};
  for (unsigned more = 0; more + 1 < plan.client_addresses; ++more) {
    node.addresses.push_back(fmt::format("10.{}.{}.{}/32", 80 + number, more % 250, 1 + more / 250));
  }
  return node;
}

Node gateway_node() {
  return {"gateway", "nlb-gateway", "gw", "52:54:00:4d:00:01", {fmt::format("{}/24", kGateway)}, 0};
}

std::vector<Node> nodes_of(const Plan& plan) {
  std::vector<Node> nodes{gateway_node()};
  for (unsigned id = 1; id <= plan.hosts; ++id) nodes.push_back(host_node(id));
  for (unsigned number = 1; number <= plan.clients; ++number) nodes.push_back(client_node(plan, number));
  return nodes;
}

Result<Node> find_node(const Plan& plan, const std::string& name) {
  if (name == "switch" || name == kSwitch) return Node{"switch", kSwitch, "", "", {}, 0};
  std::string known = "switch";
  for (auto& node : nodes_of(plan)) {
    if (name == node.name || name == node.network) return node;
    if (node.host_id != 0 && (name == std::to_string(node.host_id) || name == machine_of(node.host_id)))
      return node;
    known += ", " + node.name;
  }
  return fail(fmt::format("there is no node {} in the lab; it has: {}", name, known));
}

std::string lab_root() {
  const char* root = std::getenv("NLB_LAB_ROOT");
  std::string path = root != nullptr && *root != 0 ? std::filesystem::absolute(root).string() : kDefaultRoot;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string state_root() {
  return lab_root() == kDefaultRoot ? "/var/lib/opennlb-lab" : lab_root() + "/state";
}

std::string runtime_directory(unsigned host) {
  return fmt::format("{}/host{}", lab_root(), host);
}
std::string state_directory(unsigned host) {
  return fmt::format("{}/host{}", state_root(), host);
}
std::string control_socket(unsigned host) {
  return runtime_directory(host) + "/control.sock";
}

std::string pin_directory_of(const std::string& runtime_directory) {
  std::string name = runtime_directory.substr(1);
  std::replace(name.begin(), name.end(), '/', '-');
  return "/sys/fs/bpf/opennlb/" + name;
}

std::string pin_directory(unsigned host) {
  return pin_directory_of(runtime_directory(host));
}

std::string weight_of(const Plan& plan, unsigned host) {
  return host <= plan.weights.size() ? plan.weights[host - 1] : "equal";
}

std::string configuration_of(const Plan& plan, unsigned host) {
  std::string text = fmt::format(
      "# Written by `nlb lab up`.\n"
      "[cluster]\nname = \"web\"\nvips = [\"{}/24\"{}]\nmode = \"{}\"\n",
      kVip, plan.ipv6 ? fmt::format(", \"{}/64\"", kVip6) : "", plan.mode);
  if (plan.mode == "unicast") text += fmt::format("mac_strategy = \"{}\"\n", plan.mac_strategy);
  text += fmt::format("key_file = \"{}/web.key\"\n", lab_root());
  text += fmt::format("\n[host]\nid = {}\ninterface = \"eth0\"\n", host);
  if (!plan.proof) text += "prove_path = false\nconflict_detection_ms = 0\n";
  text += fmt::format("\n[heartbeat]\nperiod_ms = {}\ntolerance = {}\n", plan.period_ms, plan.tolerance);
  const auto rule = [&](unsigned port, const char* protocol) {
    text += fmt::format(
        "\n[[port_rule]]\nports = \"{}\"\nprotocol = \"{}\"\nmode = \"multiple\"\naffinity = \"{}\"\nweight "
        "= {}\n",
        port, protocol, plan.affinity, quoted_weight(weight_of(plan, host)));
  };
  rule(kHttpPort, "tcp");
  rule(kUdpPort, "udp");
  return text;
}

Result<void> save_plan(const Plan& plan) {
  const nlohmann::json json = {{"hosts", plan.hosts},
                               {"clients", plan.clients},
                               {"client_addresses", plan.client_addresses},
                               {"mode", plan.mode},
                               {"mac_strategy", plan.mac_strategy},
                               {"affinity", plan.affinity},
                               {"weights", plan.weights},
                               {"period_ms", plan.period_ms},
                               {"tolerance", plan.tolerance},
                               {"ip_forward", plan.ip_forward},
                               {"ipv6", plan.ipv6},
                               {"mac_spoofing", plan.mac_spoofing},
                               {"declare_cluster", plan.declare_cluster},
                               {"announce", plan.announce},
                               {"proof", plan.proof},
                               {"machines", plan.machines},
                               {"stand_in", plan.stand_in}};
  std::ofstream file(plan_file());
  file << json.dump(2) << '\n';
  file.close();
  if (!file) return fail(fmt::format("{}: cannot be written", plan_file()));
  return {};
}

Result<Plan> load_plan() {
  std::ifstream file(plan_file());
  if (!file) return fail(fmt::format("no lab is up ({} is not there); run `nlb lab up`", plan_file()));
  const auto json = nlohmann::json::parse(file, nullptr, false);
  if (!json.is_object()) return fail(fmt::format("{} is damaged; run `nlb lab down`", plan_file()));
  Plan plan;
  plan.hosts = json.value("hosts", plan.hosts);
  plan.clients = json.value("clients", plan.clients);
  plan.client_addresses = json.value("client_addresses", plan.client_addresses);
  plan.mode = json.value("mode", plan.mode);
  plan.mac_strategy = json.value("mac_strategy", plan.mac_strategy);
  plan.affinity = json.value("affinity", plan.affinity);
  plan.weights = json.value("weights", plan.weights);
  plan.period_ms = json.value("period_ms", plan.period_ms);
  plan.tolerance = json.value("tolerance", plan.tolerance);
  plan.ip_forward = json.value("ip_forward", plan.ip_forward);
  plan.ipv6 = json.value("ipv6", plan.ipv6);
  plan.mac_spoofing = json.value("mac_spoofing", plan.mac_spoofing);
  plan.declare_cluster = json.value("declare_cluster", plan.declare_cluster);
  plan.announce = json.value("announce", plan.announce);
  plan.proof = json.value("proof", plan.proof);
  plan.machines = json.value("machines", plan.machines);
  plan.stand_in = json.value("stand_in", plan.stand_in);
  return plan;
}

}  // namespace nlb::lab
