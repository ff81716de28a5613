// SPDX-License-Identifier: Apache-2.0
// The option tree, and the only translation unit that sees CLI11. Every command becomes a request for the
// daemon or a name that main dispatches on; nothing is done here.
#include <CLI/CLI.hpp>
#include <iostream>
#include <map>
#include <sstream>

#include "control/config_section.hh"
#include "control/config_values.hh"
#include "nlb/address_port.hh"
#include "nlb/command_tree.hh"
#include "nlb/invocation.hh"

namespace nlb {
namespace {

// Texts as given; turned into a request when the whole line is understood.
struct Given {
  std::string port, client, to, protocol, flags, cluster;
  std::string target, mac_spoofing, switch_cluster;  // vmswitch set
  int limit = 0, host_id = 0;
  bool live = false;
  int host = 0, member = 0;  // --host; forget
  bool all = false, local = false;
  std::string rule, weight, address;        // weight, vip
  std::map<std::string, std::string> keys;  // rule add, rule set: of [[port_rule]]
  std::string select_protocol;              // rule set, rule remove
};

// "TEXT:{a,b}" is how CLI11 writes down that only a and b are allowed.
std::vector<std::string> allowed_values(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const auto open = type.find('{'), close = type.rfind('}');
  std::vector<std::string> values;
  if (open == std::string::npos || close == std::string::npos) return values;
  std::istringstream words(type.substr(open + 1, close - open - 1));
  for (std::string word; std::getline(words, word, ',');) values.push_back(word);
  std::sort(values.begin(), values.end());
  return values;
}

void append_options(const CLI::App& app, CommandNode& node) {
  for (const auto* option : app.get_options()) {
    CommandOption known{{}, option->get_description(), option->get_items_expected_max() > 0, {}};
    for (const auto& name : option->get_snames()) known.names.push_back("-" + name);
    for (const auto& name : option->get_lnames()) known.names.push_back("--" + name);
    const bool said = std::any_of(node.options.begin(), node.options.end(), [&](const CommandOption& other) {
      return !known.names.empty() && other.names.back() == known.names.back();
    });
    if (known.names.empty() || said) continue;  // a positional; or the command's own of this name
    known.values = allowed_values(*option);
    node.options.push_back(known);
  }
}

CommandNode node_of(const CLI::App& app, const std::string& path) {
  CommandNode node{path, app.get_description(), {}, {}};
  append_options(app, node);
  for (const auto* above = app.get_parent(); above != nullptr; above = above->get_parent())
    append_options(*above, node);
  for (const auto* sub : app.get_subcommands([](const CLI::App*) { return true; }))
    node.children.push_back(node_of(*sub, path.empty() ? sub->get_name() : path + " " + sub->get_name()));
  return node;
}

class OptionTree {
 public:
  OptionTree() : app_("Controls Network Load Balancing on this host.", "nlb") {
    app_.require_subcommand(1);
    app_.fallthrough();  // global options are understood behind the command, too
    app_.set_version_flag("--version", std::string("nlb ") + NLB_VERSION);
    auto* cluster = app_.add_option("--cluster", result_.cluster,
                                    "the cluster to act on; not needed when this host has one");
    app_.add_option("--socket", result_.socket, "the daemon's control socket")->excludes(cluster);
    app_.add_flag("--json", result_.json, "print one JSON document");
    auto* host =
        app_.add_option("--host", given_.host, "act on this member of the cluster instead of this host");
    host->check(CLI::Range(1, 64));
    app_.add_flag("--all", given_.all, "act on every member of the cluster")->excludes(host);
    app_.footer(
        "Exit: 0 done, 1 it failed, 2 wrong usage or configuration, 3 the daemon does not answer, 4 not "
        "permitted.");
    add_state_commands();
    add_rule_commands();
    add_changes();
    add_inquiries();
    add_local_commands();
    add_site_commands();
    add_vmswitch_commands();
    add_forms_of_nlb_exe();
  }

  [[nodiscard]] CommandNode tree() const { return node_of(app_, ""); }

  tl::expected<Invocation, int> parse(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::RequiredError& error) {
      return refuse(error);
    } catch (const CLI::ParseError& error) {
      return tl::unexpected(app_.exit(error) == 0 ? int{kDone} : int{kUsage});
    }
    if (auto completed = complete(); !completed) {
      std::cerr << "nlb: " << completed.error().message << "\n";
      return tl::unexpected(completed.error().code);
    }
    return result_;
  }

 private:
  // CLI11 says of a misspelt command that a command is missing.
  tl::expected<Invocation, int> refuse(const CLI::RequiredError& error) {
    const auto words = app_.remaining();
    if (words.empty() || !app_.get_subcommands().empty() || words.front().starts_with('-')) {
      app_.exit(error);
    } else {
      std::vector<std::string> names;
      for (const auto* sub : app_.get_subcommands(nullptr)) names.push_back(sub->get_name());
      std::cerr << "nlb: unknown command \"" << words.front() << "\"; nearest: \""
                << nearest(words.front(), names) << "\" (nlb --help lists all)\n";
    }
    return tl::unexpected(int{kUsage});
  }

  CLI::App* command(const char* name, const char* text) {
    auto* sub = app_.add_subcommand(name, text);
    sub->callback([this, name] { result_.command = name; });
    return sub;
  }

  // A command that is one request without arguments.
  CLI::App* request(const char* name, const char* text) {
    auto* sub = app_.add_subcommand(name, text);
    sub->callback([this, name] {
      result_.command = name;
      result_.request["command"] = name;
    });
    return sub;
  }

  void add_state_commands() {
    request("start", "start cluster operations on this host");
    request("stop", "stop at once; connections to this host end");
    auto* drainstop = request("drainstop", "take no new connections, stop when the last one has ended");
    drainstop->add_option("--timeout", result_.timeout_s, "stop after SECONDS even if connections are left")
        ->check(CLI::Range(0.0, 86400.0));
    drainstop->add_flag("--wait", result_.wait, "return when the host has stopped");
    request("suspend", "stop, and refuse to start until resume");
    request("resume", "end suspension (start is a command of its own)");
    request("reload", "read the configuration again; a bad one is refused");
  }

  void add_rule_commands() {
    const auto add = [this](const char* name, const char* text) {
      request(name, text)->add_option("PORT", given_.port, "PORT, VIP:PORT, [IPV6]:PORT or all")->required();
    };
    add("enable", "let the rule of a port take traffic on this host");
    add("disable", "end the rule of a port on this host at once");
    add("drain", "let the rule of a port take no new connections on this host");
    add("queryport", "state, weights, share and packets of the rule of a port");
  }

  CLI::App* change(CLI::App& parent, const std::string& command, const char* name, const char* text) {
    auto* sub = parent.add_subcommand(name, text);
    sub->callback([this, command] { result_.command = command; });
    sub->add_flag("--local", given_.local, "on this host alone; the others then disagree with it");
    return sub;
  }

  void add_rule_keys(CLI::App& sub) {
    const auto add = [&](const char* key, const char* text) {
      sub.add_option_function<std::string>(
          std::string("--") + (std::string(key) == "timeout_s" ? "timeout" : key),
          [this, key](const std::string& value) { given_.keys[key] = value; }, text);
    };
    add("protocol", "tcp, udp or both");
    add("mode", "multiple, single or disabled");
    add("affinity", "none, single or network");
    add("weight", "equal, or 0 to 100");
    add("priority", "handling priority, 1 to 64 (mode single)");
    add("timeout_s", "extended affinity in seconds");
  }

  // Checked on all members, then made on all or on none.
  void add_changes() {
    auto* rule = app_.add_subcommand("rule", "port rules of the whole cluster")->require_subcommand(1);
    rule->fallthrough();
    rule->add_subcommand("list", "port rules in force")->callback([this] {
      result_.command = "rule list";
      result_.request["command"] = "params";
    });
    auto* add = change(*rule, "rule add", "add", "add a port rule on all members");
    add->add_option("PORTS", given_.rule, "N, N-M, VIP:N or VIP:N-M")->required();
    add_rule_keys(*add);
    auto* set = change(*rule, "rule set", "set", "change a port rule on all members");
    set->add_option("PORT", given_.rule, "the rule that holds it: N, N-M, VIP:N or VIP:N-M")->required();
    set->add_option_function<std::string>(
        "--ports", [this](const auto& text) { given_.keys["ports"] = text; }, "its new ports");
    set->add_option_function<std::string>(
        "--vip", [this](const auto& text) { given_.keys["vip"] = text; }, "its new VIP, or all");
    set->add_option("--of-protocol", given_.select_protocol,
                    "which one, where tcp and udp have rules of their own");
    add_rule_keys(*set);
    auto* remove = change(*rule, "rule remove", "remove", "remove a port rule on all members");
    remove->add_option("PORT", given_.rule, "the rule that holds it: N, N-M, VIP:N or VIP:N-M")->required();
    remove->add_option("--protocol", given_.select_protocol,
                       "which one, where tcp and udp have rules of their own");
    auto* vip = app_.add_subcommand("vip", "VIPs of the whole cluster")->require_subcommand(1);
    vip->fallthrough();
    for (const char* op : {"add", "remove"})
      change(*vip, std::string("vip ") + op, op, "ADDRESS or ADDRESS/PREFIX, on all members")
          ->add_option("ADDRESS", given_.address)
          ->required();
    auto* weight = change(app_, "weight", "weight", "load weight on all members, or on that of --host");
    weight->add_option("VALUE", given_.weight, "equal, or 0 to 100")->required();
    weight->add_option("--rule", given_.rule, "the rule that holds this [VIP:]PORT; else all");
    auto* forget = request("forget", "a host is gone for good: no change waits for it any more");
    forget->add_option("ID", given_.member, "its host id")->required()->check(CLI::Range(1, 64));
  }

  void add_inquiries() {
    auto* query = request("query", "state of this host and members of the cluster");
    auto* wait = query->add_flag("--wait-converged", result_.wait, "return when this host has converged");
    query->add_option("--timeout", result_.timeout_s, "wait at most SECONDS (30); then exit 1")
        ->needs(wait)
        ->check(CLI::Range(0.0, 86400.0));
    request("display", "everything about this host: adapter, addresses, rules, last events");
    request("params", "parameters in force and configured");
    auto* filter = request("filter", "which host takes a client's traffic, and why");
    filter->add_option("--client", given_.client, "IP, IP:PORT or [IPV6]:PORT")->required();
    filter->add_option("--to", given_.to, "VIP:PORT (VIP alone where the protocol has no ports)")->required();
    filter->add_option("--protocol", given_.protocol, "tcp, udp, icmp, gre, esp, ah or sctp")
        ->required()
        ->check(CLI::IsMember({"tcp", "udp", "icmp", "gre", "esp", "ah", "sctp"}));
    filter->add_option("--flags", given_.flags, "TCP flags with commas: syn (the default), ack, fin, rst");
    request("history", "convergences: when, who, why, how long");
    request("connections", "live TCP connections by port rule");
    request("counters", "packets by verdict");
    auto* top = request("top", "hosts, rules, rates and events, live");
    top->add_flag("--once", result_.once, "print one frame and end");
    top->add_option("--interval", result_.timeout_s, "seconds between two rounds (1)")
        ->check(CLI::Range(0.2, 10.0));
    auto* events = request("events", "the event log");
    events->add_flag("--follow", result_.follow, "go on printing as events happen");
    events->add_option("--limit", given_.limit, "the newest N (100)")->check(CLI::Range(1, 1000));
  }

  void add_local_commands() {
    command("ip2mac", "MAC addresses that a cluster derives from a VIP")
        ->add_option("VIP", result_.vip, "the primary VIP")
        ->required();
    auto* keygen = command("keygen", "write a new key file, mode 0600; never over an existing one");
    keygen->add_option("-o,--output,FILE", result_.file,
                       "the file (with --cluster: /etc/opennlb/CLUSTER.key)");
    auto* key = app_.add_subcommand("key", "rotate or show the keys of a cluster")->require_subcommand(1);
    const auto add = [&](const char* name, const char* full_name, const char* text) {
      auto* sub = key->add_subcommand(name, text);
      sub->add_option("FILE", result_.file, "the key file; without it the daemon is asked for its own");
      sub->callback([this, full_name] { result_.command = full_name; });
    };
    add("rotate", "key rotate",
        "add a fresh key that signs from the next reload on; older ones stay accepted");
    add("status", "key status", "fingerprints of the keys in the file and in force");
    auto* invite = command("invite", "print what a further host needs to join; it holds the cluster's key");
    invite->add_option("--id", result_.host_id, "its host id (the lowest that is free)")
        ->check(CLI::Range(1, 64));
    auto* join = command("join", "write configuration and key of a new host, from an invitation");
    join->add_option("TOKEN", result_.token, "what `nlb invite` printed; - reads it from standard input")
        ->required();
    join->add_option("--id", result_.host_id, "another host id than the invitation's")
        ->check(CLI::Range(1, 64));
    join->add_option("--interface", result_.interface, "this host's interface (as on the inviting host)");
    join->add_option("--directory", result_.directory, "where to (/etc/opennlb)");
    command("doctor", "every precondition of a cluster on this host: pass, warn or fail, with the remedy")
        ->add_option("--config", result_.config,
                     "the configuration to look at (the daemon's; else the only one in /etc/opennlb)");
    auto* init =
        command("init", "write a configuration with comments for a first host; nothing is overwritten");
    init->add_option("NAME", result_.name, "the cluster's name")->required();
    init->add_option("--vip", result_.words,
                     "ADDRESS or ADDRESS/PREFIX; again for more, the first names the MAC")
        ->required()
        ->allow_extra_args(false);
    init->add_option("--interface", result_.interface, "this host's interface (the one in the VIP's subnet)");
    init->add_option("--id", result_.host_id, "this host's id (1)")->check(CLI::Range(1, 64));
    init->add_option("--mode", result_.mode, "unicast, multicast or igmp")
        ->check(CLI::IsMember({"unicast", "multicast", "igmp"}));
    init->add_option("--ports", result_.ports, "of a first port rule, N or N-M, for tcp (else NLB's: all)");
    init->add_option("--directory", result_.directory, "where to (/etc/opennlb)");
    command("completion", "what makes a shell complete nlb's words")
        ->add_option("SHELL", result_.name, "bash, zsh or fish")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
    command("version", "version of nlb, and of the daemon when it runs");
    // main hands these two on before this tree is asked; they stand here for --help.
    command("console", "clusters and switches in a browser (nlb-console)");
    command("lab", "a cluster in network namespaces of this machine: lab up|down|status|exec|fault")
        ->prefix_command();
  }

  void add_site_commands() {
    auto* import = command("import", "a Windows NLB cluster's exports become configurations of its hosts");
    import
        ->add_option("FILES", result_.words,
                     "ConvertTo-Json or Format-List * of Get-NlbCluster…, unattend XML")
        ->required();
    import->add_option("-o,--output", result_.file, "the directory to write to (.); nothing is overwritten");
    import->add_option("--interface", result_.interfaces, "NAME, or HOST=NAME with a node's name or id")
        ->allow_extra_args(false);
    import->add_option("--name", result_.name, "the cluster's name here (else as on Windows)");
    import->add_option("--mode", result_.mode, "where the export gives the mode as a number")
        ->check(CLI::IsMember({"unicast", "multicast", "igmp"}));
    auto* entries = command("switch-config", "static ARP and MAC entries for routers and switches");
    entries->add_option("--vendor", result_.name, "whose syntax")
        ->required()
        ->check(CLI::IsMember({"cisco", "arista", "juniper", "h3c", "linux"}));
    entries->add_option("--vlan", result_.vlan, "the cluster's VLAN")->check(CLI::Range(1, 4094));
    entries->add_option("--ports", result_.words, "the hosts' ports, with commas")
        ->delimiter(',')
        ->allow_extra_args(false);
    entries->add_option("--router-interface", result_.interfaces, "linux: towards the cluster")->expected(1);
    auto* netcfg =
        command("netcfg", "drop-ins that make network managers leave the cluster's interface alone");
    netcfg
        ->add_option("--manager", result_.managers,
                     "networkd, networkmanager, ifupdown (else: who manages it)")
        ->allow_extra_args(false)
        ->check(CLI::IsMember({"networkd", "networkmanager", "ifupdown"}));
    netcfg->add_option("--network-file", result_.network_file, "networkd: the interface's .network file");
    netcfg->add_flag("--write", result_.write, "write them, instead of only showing them");
    netcfg->add_option("--root", result_.file, "write below this directory (/)");
    for (auto* sub : {entries, netcfg})
      sub->add_option("--config", result_.config, "the configuration (else what the daemon has in force)");
  }

  // nlb.exe names the cluster behind the command, or ALL, and a host of it behind a colon; and it has a
  // command that explains itself.
  void add_forms_of_nlb_exe() {
    for (const char* name : {"query", "display", "params", "reload", "start", "stop", "drainstop", "suspend",
                             "resume", "enable", "disable", "drain", "queryport"})
      app_.get_subcommand(name)->add_option(
          "CLUSTER", given_.cluster, "as --cluster; ALL: the only one here; CLUSTER:HOST: that member");
    app_.add_subcommand("help", "this text")->callback([this] {
      std::cout << app_.get_formatter()->make_help(&app_, app_.get_name(), CLI::AppFormatMode::Normal);
      throw CLI::Success();
    });
  }

  Result<void> complete_host(const std::string& host) {
    if (given_.host != 0 || given_.all)
      return fail("a host behind the cluster, and --host or --all: allowed: one of them", kUsage);
    const auto id = parse_number(host, 64);
    if (id && *id != 0)
      given_.host = static_cast<int>(*id);
    else if (!host.empty())
      result_.member = host;
    else
      return fail("\"" + given_.cluster +
                      "\": no host behind the colon; allowed: a host id, a name, a dedicated IP, 0",
                  kUsage);
    return {};
  }

  Result<void> complete_cluster() {
    const auto colon = given_.cluster.find(':');
    if (colon != std::string::npos) {
      if (auto done = complete_host(given_.cluster.substr(colon + 1)); !done) return done;
      given_.cluster.resize(colon);
    }
    if (is_all(given_.cluster)) return {};
    if (!is_cluster_name(given_.cluster))
      return fail("\"" + given_.cluster + "\": allowed: a cluster's name, or ALL; with a host: CLUSTER:HOST",
                  kUsage);
    if (!result_.cluster.empty() || !result_.socket.empty())
      return fail("a cluster behind the command, and --cluster or --socket: allowed: one of them", kUsage);
    result_.cluster = given_.cluster;
    return {};
  }

  CLI::App* vmswitch_request(CLI::App& parent, const char* name, const char* text) {
    auto* sub = parent.add_subcommand(name, text);
    sub->callback([this, name] {
      result_.command = std::string("vmswitch ") + name;
      result_.request["command"] = name;
    });
    return sub;
  }

  void add_vmswitch_commands() {
    auto* vmswitch = app_.add_subcommand("vmswitch", "the guard of this hypervisor's bridges (nlb-vmswitch)");
    vmswitch->require_subcommand(1)->fallthrough();
    vmswitch_request(*vmswitch, "show", "switches, ports and their settings, as they are in force");
    vmswitch_request(*vmswitch, "clusters", "declared clusters and their members here");
    vmswitch_request(*vmswitch, "violations", "who broke which rule, how often, with the evidence");
    vmswitch_request(*vmswitch, "reload", "read vmswitch.toml and vmswitch.d again; a bad one is refused");
    auto* events = vmswitch_request(*vmswitch, "events", "the event log");
    events->add_flag("--follow", result_.follow, "go on printing as events happen");
    events->add_option("--limit", given_.limit, "the newest N (100)")->check(CLI::Range(1, 1000));
    auto* discover = vmswitch_request(*vmswitch, "discover", "a first vmswitch.toml from libvirt or Proxmox");
    discover->add_flag("--write", result_.write,
                       "write it, in policy \"audit\"; never over an existing file");
    discover->add_option("--file", result_.file, "where to (/etc/opennlb/vmswitch.toml)");
    vmswitch_request(*vmswitch, "libvirt-hook", "for /etc/libvirt/hooks/qemu.d; the domain's XML on stdin")
        ->add_option("WORDS", result_.words, "DOMAIN OPERATION SUBOPERATION EXTRA")
        ->required();
    vmswitch_request(*vmswitch, "proxmox-hook", "for a hookscript of Proxmox VE")
        ->add_option("WORDS", result_.words, "VMID PHASE")
        ->required();
    auto* set =
        vmswitch_request(*vmswitch, "set", "\"Enable spoofing of MAC address\" of a stopped VM's adapter");
    set->add_option("VM[/ADAPTER]", given_.target, "the VM; with several adapters, which")->required();
    set->add_option("--mac-spoofing", given_.mac_spoofing, "off, cluster or on")
        ->required()
        ->check(CLI::IsMember({"off", "cluster", "on"}));
    set->add_option("--cluster", given_.switch_cluster, "the declared cluster that it belongs to");
    set->add_option("--host-id", given_.host_id, "its host priority there")->check(CLI::Range(1, 64));
    set->add_flag("--live", given_.live, "while the VM runs; this is recorded");
  }

  void complete_set() {
    const auto slash = given_.target.find('/');
    auto& request = result_.request;
    request["vm"] = given_.target.substr(0, slash);
    if (slash != std::string::npos) request["adapter"] = given_.target.substr(slash + 1);
    request["mac_spoofing"] = given_.mac_spoofing;
    if (!given_.switch_cluster.empty()) request["cluster"] = given_.switch_cluster;
    if (given_.host_id != 0) request["host_id"] = given_.host_id;
    request["live"] = given_.live;
  }

  static nlohmann::json number_or_text(const std::string& text) {
    const auto number = parse_number(text, 1000000);
    return number ? nlohmann::json(*number) : nlohmann::json(text);
  }

  // "VIP:PORTS" as keys of a rule, or of a selection of one.
  static Result<nlohmann::json> ports_of(const std::string& text) {
    const auto colon = text.rfind(':');
    std::string vip = colon == std::string::npos ? "" : text.substr(0, colon);
    const std::string ports = colon == std::string::npos ? text : text.substr(colon + 1);
    if (vip.starts_with('[') && vip.ends_with(']')) vip = vip.substr(1, vip.size() - 2);
    if (!parse_ports(ports) || (colon == 0))
      return fail("\"" + text + "\" is no port; allowed: N, N-M, VIP:N or VIP:N-M", kUsage);
    nlohmann::json keys = {{"ports", ports}};
    if (!vip.empty()) keys["vip"] = vip;
    return keys;
  }

  Result<void> complete_change() {
    const std::string& command = result_.command;
    nlohmann::json change;
    nlohmann::json keys = nlohmann::json::object();
    for (const auto& [key, value] : given_.keys) keys[key] = number_or_text(value);
    if (keys.contains("ports")) keys["ports"] = given_.keys["ports"];  // "80" is a text there
    if (!given_.rule.empty()) {
      auto ports = ports_of(given_.rule);
      if (!ports) return tl::unexpected(ports.error());
      if (!given_.select_protocol.empty()) (*ports)["protocol"] = given_.select_protocol;
      if (command == "rule add")
        keys.update(*ports);
      else
        change["select"] = *ports;
    }
    change["op"] = command == "weight"
                       ? "weight"
                       : command.substr(0, command.find(' ')) + "-" + command.substr(command.find(' ') + 1);
    if (command == "rule set" && keys.empty()) return fail("rule set: what is to be changed?", kUsage);
    if (command == "rule add") change["rule"] = keys;
    if (command == "rule set") change["set"] = keys;
    if (command.starts_with("vip")) change["address"] = given_.address;
    if (command == "weight") change["weight"] = number_or_text(given_.weight);
    result_.request = {{"command", "change"}, {"change", change}};
    const bool one = given_.host != 0;
    if (one && command != "weight" && !given_.local)
      return fail(command + " is for all hosts; with --local, for the one of --host alone", kUsage);
    if (given_.local || one) result_.request["local"] = true;
    given_.all = false;  // it is for all, unless it is said otherwise
    return {};
  }

  Result<void> complete_hosts() {
    if (given_.host == 0 && !given_.all) return {};
    const std::string& command = result_.command;
    if (result_.request.is_null() || command.starts_with("vmswitch") || command == "forget")
      return fail(command + " does not go with --host and --all", kUsage);
    if (result_.follow) return fail("--follow does not go with --host and --all", kUsage);
    result_.request["hosts"] = given_.all ? nlohmann::json("all") : nlohmann::json::array({given_.host});
    return {};
  }

  Result<void> complete() {
    if (!given_.cluster.empty())
      if (auto completed = complete_cluster(); !completed) return completed;
    if (result_.command == "vmswitch set") complete_set();
    const bool changes = result_.command == "weight" || result_.command.starts_with("vip ") ||
                         (result_.command.starts_with("rule ") && result_.command != "rule list");
    if (changes)
      if (auto done = complete_change(); !done) return done;
    if (given_.member != 0) result_.request["member"] = given_.member;
    if (auto done = complete_hosts(); !done) return done;
    auto& request = result_.request;
    if (!given_.port.empty()) return complete_port();
    if (result_.command == "filter") return complete_filter();
    if (result_.command == "drainstop" && result_.timeout_s) request["timeout_s"] = *result_.timeout_s;
    if (given_.limit != 0) request["limit"] = given_.limit;
    return {};
  }

  Result<void> complete_port() {
    const auto selection = parse_port_selection(given_.port);
    if (!selection) return tl::unexpected(selection.error());
    result_.request["port"] = selection->port ? nlohmann::json(*selection->port) : nlohmann::json("all");
    if (selection->vip) result_.request["vip"] = *selection->vip;
    return {};
  }

  Result<void> complete_filter() {
    const auto client = parse_address_port(given_.client), to = parse_address_port(given_.to);
    if (!client) return tl::unexpected(client.error().within("--client"));
    if (!to) return tl::unexpected(to.error().within("--to"));
    const bool has_ports = given_.protocol == "tcp" || given_.protocol == "udp" || given_.protocol == "sctp";
    if (has_ports && !to->port)
      return fail("--to " + given_.to + ": the port is missing; allowed: VIP:PORT or [IPV6]:PORT", kUsage);
    if (!has_ports && (to->port || client->port))
      return fail("--protocol " + given_.protocol + " has no ports; allowed: addresses alone", kUsage);
    auto& request = result_.request;
    request.update({{"client", client->address}, {"vip", to->address}, {"protocol", given_.protocol}});
    if (client->port) request["client_port"] = *client->port;
    if (to->port) request["port"] = *to->port;
    return given_.flags.empty() ? Result<void>{} : complete_flags();
  }

  Result<void> complete_flags() {
    if (given_.protocol != "tcp") return fail("--flags goes only with --protocol tcp", kUsage);
    std::istringstream words(given_.flags);
    for (std::string word; std::getline(words, word, ',');)
      if (word != "syn" && word != "ack" && word != "fin" && word != "rst")
        return fail("--flags " + given_.flags + ": \"" + word +
                        "\" is no flag; allowed: syn, ack, fin, rst, with commas",
                    kUsage);
    result_.request["flags"] = given_.flags;
    return {};
  }

  CLI::App app_;
  Invocation result_;
  Given given_;
};

}  // namespace

tl::expected<Invocation, int> parse_arguments(int argc, char** argv) {
  return OptionTree().parse(argc, argv);
}

CommandNode command_tree() {
  return OptionTree().tree();
}

}  // namespace nlb
