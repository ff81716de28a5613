// SPDX-License-Identifier: Apache-2.0
#include "lab/story.hh"

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <future>
#include <nlohmann/json.hpp>
#include <thread>

#include "lab/arp_watch.hh"
#include "lab/bring_up.hh"
#include "lab/faults.hh"
#include "lab/hosts.hh"
#include "lab/stage.hh"

namespace nlb::lab {
namespace {

using nlohmann::json;

constexpr double kFinalState_s = 10;  // from nlbd's start to converged or refused
constexpr int kPings = 20;            // of one batch, a second long

std::string text_at(const json& document, const std::string& pointer) {
  const json::json_pointer at(pointer);
  if (!document.is_object() || !document.contains(at)) return "";
  const auto& value = document.at(at);
  return value.is_string() ? value.get<std::string>() : value.dump();
}

struct Pings {
  int sent = 0, lost = 0;
};

// "20 packets transmitted, 19 received" → 1
int lost_pings(const Finished& ping) {
  const auto at = ping.output.find(" packets transmitted, ");
  if (at == std::string::npos) return kPings;
  return kPings - std::atoi(ping.output.c_str() + at + 22);
}

struct PingsEnd {
  std::atomic<bool>& enough;
  ~PingsEnd() { enough = true; }
};

class Story {
 public:
  Story(const StoryOptions& options, Plan plan) : options_(options), stage_(std::move(plan), options.json) {}

  Result<int> play() {
    introduce();
    if (auto laid = lay_out(stage_.plan()); !laid) return tl::unexpected<Error>(laid.error());
    connectivity_is_kept();
    refusal_is_named();
    reboot_shows_the_truth();
    macs_are_shown();
    if (options_.as_windows)
      cure_by_opening();
    else
      cure_with_the_vm_stopped();
    vip_added_by_hand();
    if (!options_.as_windows) cure_live();
    return conclude();
  }

 private:
  [[nodiscard]] const Plan& plan() const { return stage_.plan(); }
  [[nodiscard]] Node client() const { return client_node(plan(), 1); }
  [[nodiscard]] json display(unsigned host) const { return stage_.nlb_json(host, {"display"}); }
  [[nodiscard]] std::string state(unsigned host) const {
    return text_at(stage_.nlb_json(host, {"query"}), "/state");
  }
  [[nodiscard]] bool has_vip(unsigned host) const {
    return stage_.on(host_node(host), {"ip", "-o", "addr", "show", "dev", "eth0"}).output.find(kVip) !=
           std::string::npos;
  }
  [[nodiscard]] json events_of(unsigned host, const std::string& name) const {
    json found = json::array();
    for (const auto& event : stage_.nlb_json(host, {"events"}))
      if (text_at(event, "/name") == name) found.push_back(event);
    return found;
  }
  [[nodiscard]] bool is_final(unsigned host) const {
    const auto now = state(host);
    return now == "refused" || now == "converged";
  }
  // Requests of the client, and who answered them.
  [[nodiscard]] json ask(unsigned connections) const {
    const auto done =
        stage_.on(client(), {own_program(), "lab", "load", "--to", std::string(kVip) + ":80", "--connections",
                             std::to_string(connections), "--limit-ms", "2000"});
    return json::parse(done.output, nullptr, false);
  }
  // Pings the machine's own address until `enough`, and a whole batch after that.
  [[nodiscard]] Pings ping_until(unsigned host, const std::atomic<bool>& enough) const {
    const auto address = host_node(host).addresses[0];
    const auto count = fmt::format("-c{}", kPings);
    const std::vector<std::string> batch{"ping", "-q",  "-i0.05",
                                         "-W1",  count, address.substr(0, address.find('/'))};
    Pings all;
    for (bool last = false; !last;) {
      last = enough;
      all.lost += lost_pings(stage_.on(client(), batch));
      all.sent += kPings;
    }
    return all;
  }
  [[nodiscard]] std::string neighbour_of_client() const {
    return stage_.on(client(), {"ip", "neigh", "show", kVip}).output;
  }
  void show_display(unsigned host) const {
    stage_.show(fmt::format("nlb display            # in web{}", host), stage_.nlb(host, {"display"}).output,
                {"Bind", "MAC", "Cluster MAC", "Switch", "Reason  ", "10.77.0.100", "Host "});
  }
  std::string start_nlbd_on(unsigned host) const {
    const auto started = start_host(plan(), host);
    return started ? "" : started.error().message;
  }

  void introduce() const;
  void connectivity_is_kept();
  void refusal_is_named();
  void reboot_shows_the_truth();
  void macs_are_shown();
  void cure_with_the_vm_stopped();
  void cure_by_opening();
  void set_and_start(unsigned host, const std::vector<std::string>& setting);
  void vip_added_by_hand();
  void add_vip_by_hand(const std::string& when, bool nlbd_runs);
  void cure_live();
  [[nodiscard]] int conclude() const;

  StoryOptions options_;
  Stage stage_;
};

void Story::introduce() const {
  stage_.title(options_.as_windows ? "As Windows does it: no proof, and a switch that says nothing"
                                   : "NLB in virtual machines, behind a switch that forbids MAC spoofing");
  stage_.say(
      fmt::format("Three machines, web1 to web3, want to share {}. \"Enable spoofing of MAC address\" is "
                  "off, as it is by "
                  "default. MAC strategy: {}.",
                  kVip, options_.mac_strategy));
}

void Story::connectivity_is_kept() {
  stage_.title("1. NLB is configured on web1 for the first time");
  std::atomic<bool> enough = false;
  const auto ping = [&](unsigned host) {
    return std::async(std::launch::async, [&, host] { return ping_until(host, enough); });
  };
  auto pings_here = ping(1), pings_there = ping(3);
  const PingsEnd end{enough};  // before the futures, whatever happens: they wait for it
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  const auto trouble = start_nlbd_on(1);
  const double took = stage_.wait_for([&] { return is_final(1); }, kFinalState_s);
  enough = true;
  const auto here = pings_here.get(), there = pings_there.get();
  stage_.show("nlb query              # in web1", stage_.nlb(1, {"query"}).output, {"Host", "Reason"});
  stage_.claim(
      1, "web1 keeps its own address and connectivity",
      trouble.empty() && took >= 0 && there.lost <= there.sent / 10 && here.lost <= there.lost + 1,
      fmt::format("{} of {} pings to 10.77.0.11 lost while nlbd started, {} of {} to web3, which is "
                  "untouched{}{}",
                  here.lost, here.sent, there.lost, there.sent, trouble.empty() ? "" : "; ", trouble));
}

void Story::refusal_is_named() {
  stage_.title("2. What the event log says");
  const auto events = events_of(1, "bind_refused");
  const json event = events.empty() ? json::object() : events.back();
  const auto reason = text_at(event, "/fields/reason"), remedy = text_at(event, "/remedy");
  stage_.show("nlb events             # in web1", stage_.nlb(1, {"events"}).output, {"20", "Remedy"});
  stage_.show("nlb vmswitch violations   # on the hypervisor", stage_.vmswitch({"violations"}).output,
              {"Adapter", "web1"});
  const bool exact = remedy.find("nlb vmswitch set web1") != std::string::npos;
  stage_.claim(2, "event 53 says which way is filtered and gives the command that mends it",
               text_at(event, "/number") == "53" && reason.find("filtered") != std::string::npos && exact,
               events.empty() ? "there is no event 53" : fmt::format("reason {}", reason));
}

void Story::reboot_shows_the_truth() {
  stage_.title("3. web1 is rebooted");
  const auto before = text_at(display(1), "/adapter/reason");
  const auto done = stage_.lab({"vm", "reboot", "web1"});
  const double took = stage_.wait_for([&] { return is_final(1); }, kFinalState_s);
  show_display(1);
  const auto now = display(1);
  const auto state_now = text_at(now, "/state");
  const bool serves = state_now == "converged", shown = text_at(now, "/vips/0/present") == "true";
  const bool present = has_vip(1);
  const auto answered = serves ? ask(20) : json{{"ok", 0}};
  const bool same = options_.as_windows || text_at(now, "/adapter/reason") == before;
  stage_.claim(3, "no better state is shown than there is: who says that it serves does serve",
               done.exit_code == 0 && took >= 0 && same && shown == present &&
                   (!serves || answered.value("ok", 0) == 20),
               fmt::format("web1 is {}, its VIP is shown {} and is {}; {}", state_now,
                           shown ? "present" : "absent", present ? "present" : "absent",
                           serves ? fmt::format("{} of 20 requests were answered", answered.value("ok", 0))
                                  : "it does not say that it serves"));
}

void Story::macs_are_shown() {
  stage_.title("4. The adapter's MAC address");
  const auto adapter = display(1)["adapter"];
  const auto link = stage_.on(host_node(1), {"ip", "link", "show", "eth0"}).output;
  stage_.show("ip link show eth0      # in web1", link, {"link/ether"});
  const auto permanent = text_at(adapter, "/mac_permanent"), current = text_at(adapter, "/mac_current");
  const bool all_said = !permanent.empty() && !text_at(adapter, "/mac_expected").empty() &&
                        !text_at(adapter, "/mac_cluster").empty();
  stage_.claim(
      4, "display shows every MAC as the kernel has it, and the adapter has one that the switch lets through",
      all_said && link.find(current) != std::string::npos && current == permanent,
      fmt::format("permanent {}, current {}, expected {}, cluster {}, cluster MAC in: {}", permanent, current,
                  text_at(adapter, "/mac_expected"), text_at(adapter, "/mac_cluster"),
                  text_at(adapter, "/cluster_mac_in")));
}

void Story::set_and_start(unsigned host, const std::vector<std::string>& setting) {
  const auto name = machine_of(host);
  std::vector<std::string> words{"set", name};
  words.insert(words.end(), setting.begin(), setting.end());
  const auto stopped = stage_.lab({"vm", "stop", name});
  const auto set = stage_.vmswitch(words);
  std::string command = "nlb vmswitch";
  for (const auto& word : words) command += " " + word;
  stage_.show(command, set.output);
  const auto started = stage_.lab({"vm", "start", name, "--timeout", "0"});
  const double took = stage_.wait_for([&] { return state(host) == "converged"; }, 60);
  const auto daemon = stage_.nlb_json(host, {"display"});
  const double of_nlbd = daemon.is_object() ? daemon.value("uptime_s", 1000.0) : 1000;
  stage_.claim(0, fmt::format("{} converges within 10 s of nlbd's start", name),
               stopped.exit_code == 0 && set.exit_code == 0 && started.exit_code == 0 && took >= 0 &&
                   of_nlbd <= kFinalState_s,
               fmt::format("{:.1f} s after its start was ordered", took));
}

void Story::cure_with_the_vm_stopped() {
  stage_.title("5. The administrator of the hypervisor declares web1 and web2 members of the cluster");
  const std::vector<std::string> setting{"--mac-spoofing", "cluster", "--cluster", "web", "--host-id"};
  const auto running =
      stage_.vmswitch({"set", "web1", "--mac-spoofing", "cluster", "--cluster", "web", "--host-id", "1"});
  stage_.show("nlb vmswitch set web1 --mac-spoofing cluster …", running.output);
  stage_.claim(0, "the property changes only while the machine is stopped, and the refusal says so",
               running.exit_code != 0 && running.output.find("stop web1") != std::string::npos, "");
  for (const unsigned host : {1U, 2U}) {
    auto mine = setting;
    mine.push_back(std::to_string(host));
    set_and_start(host, mine);
  }
  show_display(1);
  const auto link = stage_.on(host_node(1), {"ip", "link", "show", "eth0"}).output;
  stage_.show("ip link show eth0      # in web1", link, {"link/ether"});
  const bool replaced = link.find("link/ether 02:bf:0a:4d:00:64") != std::string::npos;
  stage_.claim(0,
               options_.mac_strategy == "replace" ? "the adapter has the cluster MAC"
                                                  : "the adapter keeps its own MAC beside the cluster's",
               replaced == (options_.mac_strategy == "replace") &&
                   text_at(display(1), "/adapter/cluster_mac_in") != "none",
               "");
  const auto served = ask(500);
  stage_.claim(0, "clients are served by web1 and web2",
               served.value("ok", 0) == 500 && served["hosts"].size() == 2,
               fmt::format("{} of 500 requests, by host {}", served.value("ok", 0), served["hosts"].dump()));
}

// Without a declared cluster the switch can only be opened.
void Story::cure_by_opening() {
  stage_.title("5. Spoofing is enabled for web1 and web2");
  for (const unsigned host : {1U, 2U}) set_and_start(host, {"--mac-spoofing", "on"});
}

void Story::add_vip_by_hand(const std::string& when, bool nlbd_runs) {
  const auto host3 = host_node(3);
  auto watch = ArpWatch::begin(kSwitch, host3.port);
  if (!watch) return stage_.claim(5, "the port of web3 is watched", false, watch.error().message);
  (void)ask(20);  // the client knows the VIP's MAC
  const auto known = neighbour_of_client();
  const auto told = events_of(3, "vip_by_hand").size();
  auto load = stage_.beside(client(), {own_program(), "lab", "load", "--to", std::string(kVip) + ":80",
                                       "--connections", "600", "--rate", "200", "--limit-ms", "2000"});
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  (void)stage_.on(host3, {"ip", "addr", "add", std::string(kVip) + "/24", "dev", "eth0"});
  const double named =
      nlbd_runs ? stage_.wait_for([&] { return events_of(3, "vip_by_hand").size() > told; }, 3) : 0;
  // It is announced, and asked for anew by the client: both are answered by who should not.
  (void)stage_.on(host3, {"busybox", "arping", "-U", "-c", "2", "-I", "eth0", kVip});
  (void)stage_.on(client(), {"ip", "neigh", "flush", "dev", "eth0"});
  const auto figures = json::parse(load.get().output, nullptr, false);
  const auto cluster = cluster_macs(*IpAddress::parse(kVip)).unicast;
  std::size_t wrong = 0;
  for (const auto& binding : watch->seen())
    wrong += binding.address == *IpAddress::parse(kVip) && binding.mac != cluster ? 1 : 0;
  const auto after = neighbour_of_client();
  const int failed = figures.is_object() ? figures.value("failed", 600) : 600;
  const auto mac_in = [](const std::string& entry) {
    const auto at = entry.find("lladdr ");
    return at == std::string::npos ? std::string("none") : entry.substr(at + 7, 17);
  };
  stage_.show("ip neigh show 10.77.0.100   # in client1", after);
  if (nlbd_runs) {
    stage_.show("nlb events             # in web3", stage_.nlb(3, {"events"}).output);
    stage_.claim(5, "a VIP added by hand is named within a second", named >= 0 && named <= 1,
                 named < 0 ? "not within 3 s" : fmt::format("after {:.2f} s", named));
  }
  stage_.claim(
      5, fmt::format("a VIP added by hand {} harms nobody", when),
      wrong == 0 && mac_in(known) == cluster.text() && mac_in(after) == cluster.text() && failed == 0,
      fmt::format("{} ARP frames bound it to another MAC, the client's entry is {} and was {}, {} of "
                  "600 requests failed",
                  wrong, mac_in(after), mac_in(known), failed));
  (void)stage_.on(host3, {"ip", "addr", "del", std::string(kVip) + "/24", "dev", "eth0"});
}

void Story::vip_added_by_hand() {
  stage_.title("6. web3 is still locked. Somebody adds the VIP there by hand, while web1 and web2 serve");
  if (options_.as_windows) return add_vip_by_hand("on web3, where NLB is not in force,", false);
  const auto trouble = start_nlbd_on(3);
  const double took = stage_.wait_for([&] { return state(3) == "refused"; }, kFinalState_s);
  stage_.claim(0, "web3, locked, is refused", trouble.empty() && took >= 0, trouble);
  add_vip_by_hand("on the refused host", true);
  if (const auto stopped = stop_nlbd(3); !stopped)
    stage_.claim(0, "nlbd ends when it is asked to", false, stopped.error().message);
  add_vip_by_hand("while nlbd is stopped", false);
}

void Story::cure_live() {
  stage_.title("7. web3 is declared a member while it runs");
  const auto trouble = start_nlbd_on(3);
  const double refused = stage_.wait_for([&] { return state(3) == "refused"; }, kFinalState_s);
  const auto before = which_nlbd(3);
  const auto set = stage_.vmswitch(
      {"set", "web3", "--mac-spoofing", "cluster", "--cluster", "web", "--host-id", "3", "--live"});
  stage_.show("nlb vmswitch set web3 --mac-spoofing cluster --cluster web --host-id 3 --live", set.output);
  const double took = stage_.wait_for([&] { return state(3) == "converged"; }, kFinalState_s);
  const auto after = which_nlbd(3);
  stage_.claim(0, "web3 heals within 10 s, without a restart",
               trouble.empty() && refused >= 0 && set.exit_code == 0 && took >= 0 && !before.empty() &&
                   before == after,
               took < 0 ? "not within 10 s" : fmt::format("after {:.1f} s", took));
  const auto served = ask(600);
  stage_.claim(0, "clients are served by all three",
               served.value("ok", 0) == 600 && served["hosts"].size() == 3,
               fmt::format("{} of 600 requests, by host {}", served.value("ok", 0), served["hosts"].dump()));
  const auto events = stage_.vmswitch_json({"events"});
  const bool recorded = std::any_of(events.begin(), events.end(), [](const json& event) {
    return text_at(event, "/name") == "spoofing_changed_live";
  });
  stage_.claim(0, "that it was changed live is recorded", recorded, "");
  stage_.show("nlb vmswitch clusters  # on the hypervisor", stage_.vmswitch({"clusters"}).output);
}

int Story::conclude() const {
  std::size_t holding = 0;
  std::array<bool, 6> occurred{};
  json list = json::array();
  for (const auto& claim : stage_.claims()) {
    holding += claim.holds ? 1 : 0;
    if (claim.symptom != 0 && !claim.holds) occurred[static_cast<std::size_t>(claim.symptom)] = true;
    list.push_back(
        {{"symptom", claim.symptom}, {"text", claim.text}, {"holds", claim.holds}, {"seen", claim.seen}});
  }
  const auto symptoms = std::count(occurred.begin(), occurred.end(), true);
  const bool good = options_.as_windows ? symptoms == 5 : holding == list.size();
  if (options_.json)
    fmt::print("{}\n", json{{"schema", 1}, {"as_windows", options_.as_windows}, {"claims", list}}.dump(2));
  else if (options_.as_windows)
    fmt::print("\n{} of the 5 symptoms occurred, as they do on Windows.\n", symptoms);
  else
    fmt::print("\n{} of {} claims hold.\n", holding, list.size());
  return good ? 0 : 1;
}

}  // namespace

Result<int> tell_story(const StoryOptions& options) {
  Plan plan;
  plan.mac_strategy = options.as_windows ? "replace" : options.mac_strategy;
  plan.mac_spoofing = "off";
  plan.machines = options.machines;
  plan.declare_cluster = plan.announce = plan.proof = !options.as_windows;
  StoryOptions told = options;
  told.mac_strategy = plan.mac_strategy;
  auto result = Story(told, plan).play();
  if (!options.keep)
    if (auto gone = tear_down(); !gone && result) return tl::unexpected<Error>(gone.error());
  return result;
}

}  // namespace nlb::lab
