// SPDX-License-Identifier: Apache-2.0
#include "harness.hh"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>

#include "vmswitch/steering_table.hh"

#include "nlb_guard_receive.skel.h"
#include "nlb_guard_transmit.skel.h"

namespace nlb::test {
namespace {

constexpr uint32_t kDropped = 2 /* TC_ACT_SHOT */, kUnspecified = UINT32_MAX /* TC_ACT_UNSPEC */;
constexpr uint32_t kTransmitTold = 2;  // place of transmit_told in `under_test`

void must(bool true_of_test_machine, const char* what) {
  if (true_of_test_machine) return;
  std::fprintf(stderr, "%s: %s\n", what, std::strerror(errno));
  std::abort();
}

bpf_object* open_skeleton(const void* bytes, size_t size) {
  bpf_object* object = bpf_object__open_mem(bytes, size, nullptr);
  must(object != nullptr, "open BPF object");
  return object;
}

void reuse_maps(bpf_object* object, bpf_object* from) {
  bpf_map* one = nullptr;
  bpf_object__for_each_map(one, object) {
    if (bpf_map* same = bpf_object__find_map_by_name(from, bpf_map__name(one)); same != nullptr)
      must(bpf_map__is_internal(one) || bpf_map__reuse_fd(one, bpf_map__fd(same)) == 0, "reuse map");
  }
}

int program_of(const bpf_object* object, const char* name) {
  return bpf_program__fd(bpf_object__find_program_by_name(object, name));
}

template <typename Key>
void empty_map(int map) {
  Key key;
  while (bpf_map_get_next_key(map, nullptr, &key) == 0) bpf_map_delete_elem(map, &key);
}

nlb_guard_mac_key mac_key(GuardSegment segment, const MacAddress& mac) {
  nlb_guard_mac_key key{};
  key.vlan = segment.vlan;
  key.bridge = segment.bridge;
  std::memcpy(key.mac, mac.octets.data(), 6);
  return key;
}

}  // namespace

// BPF_PROG_TEST_RUN makes no skb of a frame whose EtherType promises an IP header that is not whole. Behind a
// tag it does not look.
bool carried(const Frame& frame) {
  if (frame.size() <= 14) return false;
  const int type = frame[12] << 8 | frame[13];
  return frame.size() >= (type == 0x0800 ? 34U : type == 0x86dd ? 54U : 0U);
}

std::string reason_name(uint32_t reason) {
  return reason < NLB_GUARD_REASON_COUNT ? guard_reason_name(reason) : "none";
}

Nanos boot_now() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

uint32_t port_index(std::size_t number) {
  const std::string name = "gd-" + std::to_string(number);
  if (const uint32_t there = if_nametoindex(name.c_str()); there != 0) return there;
  const std::string make = "ip link add " + name + " type veth peer name " + name + "-peer";
  must(std::system(make.c_str()) == 0, "make a port");
  return if_nametoindex(name.c_str());
}

GuardHarness::GuardHarness() {
  size_t size = 0;
  const void* bytes = nlb_guard_transmit__elf_bytes(&size);
  transmit_ = open_skeleton(bytes, size);
  must(bpf_object__load(transmit_) == 0, "load nlb_guard_transmit");
  bytes = nlb_guard_receive__elf_bytes(&size);
  receive_ = open_skeleton(bytes, size);
  reuse_maps(receive_, transmit_);
  must(bpf_object__load(receive_) == 0, "load nlb_guard_receive");
  helper_ = bpf_object__open_file(NLB_PUSH_TAG, nullptr);
  must(helper_ != nullptr && bpf_object__load(helper_) == 0, "load push_tag");
  told_ = bpf_object__open_file(NLB_TRANSMIT_TOLD, nullptr);
  must(told_ != nullptr, "open transmit_told");
  reuse_maps(told_, transmit_);
  must(bpf_object__load(told_) == 0, "load transmit_told");
  programs_[NLB_GUARD_TRANSMIT] = program_of(transmit_, "nlb_guard_transmit");
  programs_[NLB_GUARD_RECEIVE] = program_of(receive_, "nlb_guard_receive");
  push_tag_ = program_of(helper_, "push_tag");
  transmit_told_ = program_of(told_, "nlb_guard_transmit");
  for (const uint32_t direction : {NLB_GUARD_TRANSMIT, NLB_GUARD_RECEIVE}) {
    bpf_map_update_elem(bpf_object__find_map_fd_by_name(helper_, "under_test"), &direction,
                        &programs_[direction], BPF_ANY);
  }
  bpf_map_update_elem(bpf_object__find_map_fd_by_name(helper_, "under_test"), &kTransmitTold, &transmit_told_,
                      BPF_ANY);
  ring_ = ring_buffer__new(map("guard_events"), on_event, this, nullptr);
  must(ring_ != nullptr, "open the ring of events");
  parts_ = ring_buffer__new(map("guard_parts"), on_part, this, nullptr);
  must(parts_ != nullptr, "open the ring of announcements");
  counters_ = map("guard_counters");
  states_ = map("guard_states");
  processors_ = libbpf_num_possible_cpus();
}

GuardHarness::~GuardHarness() {
  ring_buffer__free(ring_);
  ring_buffer__free(parts_);
  for (bpf_object* object : {transmit_, receive_, helper_, told_}) bpf_object__close(object);
}

int GuardHarness::map(const char* name) const {
  const int of_transmit = bpf_object__find_map_fd_by_name(transmit_, name);
  return of_transmit >= 0 ? of_transmit : bpf_object__find_map_fd_by_name(receive_, name);
}

void GuardHarness::clear() {
  empty_map<uint32_t>(map("guard_ports"));
  empty_map<nlb_guard_mac_key>(map("guard_macs"));
  empty_map<nlb_guard_address_key>(map("guard_addresses"));
  empty_map<uint32_t>(map("guard_steered"));
  empty_map<nlb_steering_row_key>(map("guard_rows"));
  empty_map<nlb_steering_vip_key>(map("guard_vips"));
  empty_map<nlb_steering_members_key>(map("guard_members"));
  model_ = {};
  clear_states();
  set_report_interval(0);
}

void GuardHarness::clear_states() {
  empty_map<uint32_t>(states_);
  empty_map<nlb_guard_learned_key>(map("guard_learned"));
  model_.forget_states();
}

void GuardHarness::set_port(uint32_t ifindex, const nlb_guard_port& policy) {
  must(bpf_map_update_elem(map("guard_ports"), &ifindex, &policy, BPF_ANY) == 0, "set a port");
  model_.set_port(ifindex, policy);
}

void GuardHarness::remove_port(uint32_t ifindex) {
  bpf_map_delete_elem(map("guard_ports"), &ifindex);
  model_.remove_port(ifindex);
}

void GuardHarness::set_mac(GuardSegment segment, const MacAddress& mac, const nlb_guard_mac& owner) {
  const nlb_guard_mac_key key = mac_key(segment, mac);
  must(bpf_map_update_elem(map("guard_macs"), &key, &owner, BPF_ANY) == 0, "set a MAC");
  model_.set_mac(segment, mac, owner);
}

void GuardHarness::set_address(GuardSegment segment, const IpAddress& address,
                               const nlb_guard_address& entry) {
  nlb_guard_address_key key{};
  std::memcpy(key.address, address.octets.data(), 16);
  key.vlan = segment.vlan;
  key.bridge = segment.bridge;
  must(bpf_map_update_elem(map("guard_addresses"), &key, &entry, BPF_ANY) == 0, "set an address");
  model_.set_address(segment, address, entry);
}

void GuardHarness::set_steering(uint32_t ifindex, uint32_t generation, const wire::SteeringContent& content,
                                const GuardModel::SteeringRows& earlier, uint32_t rules) {
  const nlb_guard_steered steered{generation, rules};
  const auto config = vmswitch::steering_config_of(content.rules);
  must(bpf_map_update_elem(map("guard_steering"), &steered.config, config.get(), BPF_ANY) == 0, "set rules");
  for (std::size_t i = 0; i < content.rules.vips.size(); ++i) {
    nlb_steering_vip_key key{};
    key.config = rules;
    std::memcpy(key.address, content.rules.vips[i].octets.data(), 16);
    const auto number = static_cast<uint32_t>(i + 1);
    must(bpf_map_update_elem(map("guard_vips"), &key, &number, BPF_ANY) == 0, "set a virtual IP address");
  }
  for (const auto& [slot, accepts] : content.rows) {
    const nlb_steering_row_key key{ifindex, slot};
    auto row = vmswitch::steering_row_of(generation, accepts);
    if (const auto other = earlier.find(slot); other != earlier.end()) {
      auto taken = vmswitch::steering_row_of(generation, other->second);
      vmswitch::mark_replicas(row, taken);
    }
    must(bpf_map_update_elem(map("guard_rows"), &key, &row, BPF_ANY) == 0, "set a row");
  }
  must(bpf_map_update_elem(map("guard_steered"), &ifindex, &steered, BPF_ANY) == 0, "steer");
  model_.set_steering(ifindex, generation, content, earlier);
}

void GuardHarness::set_members(uint16_t bridge, uint16_t cluster, const MacAddress& mac,
                               const std::vector<uint32_t>& ports, bool counts) {
  const nlb_steering_members_key key{bridge, cluster};
  nlb_steering_members members{};
  std::memcpy(members.mac, mac.octets.data(), 6);
  members.count = static_cast<__u16>(counts ? ports.size() : 0);
  std::copy(ports.begin(), ports.end(), members.ifindex);
  must(bpf_map_update_elem(map("guard_members"), &key, &members, BPF_ANY) == 0, "set a cluster's members");
  model_.set_members(bridge, cluster, mac, counts ? ports : std::vector<uint32_t>{});
}

void GuardHarness::set_announced(uint32_t ifindex, uint32_t generation, Nanos ago) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  nlb_guard_state state = kernel_state(ifindex);
  state.announced_generation = generation;
  state.announced_ns = static_cast<__u64>(now.tv_sec * kSecond + now.tv_nsec - ago);
  bpf_map_update_elem(states_, &ifindex, &state, BPF_ANY);
  model_.state(ifindex).announced = generation;
  model_.state(ifindex).announced_at = boot_now() - ago;
}

int GuardHarness::on_part(void* self, void* data, size_t size) {
  EXPECT_EQ(size, sizeof(nlb_steering_part));
  std::memcpy(&static_cast<GuardHarness*>(self)->part_.emplace(), data, sizeof(nlb_steering_part));
  return 0;
}

std::optional<nlb_steering_part> GuardHarness::handed_over() {
  part_.reset();
  ring_buffer__consume(parts_);
  return part_;
}

void GuardHarness::set_report_interval(Nanos interval) {
  const uint32_t zero = 0;
  nlb_guard_control control{};
  control.abi_version = NLB_GUARD_ABI_VERSION;
  control.report_interval_ns = static_cast<__u64>(interval);
  bpf_map_update_elem(map("guard_control"), &zero, &control, BPF_ANY);
  empty_map<nlb_guard_counter_key>(map("guard_reports"));
}

void GuardHarness::set_used_up(uint32_t ifindex, Nanos ahead) {
  const Nanos until = ahead == 0 ? 0 : boot_now() + ahead;
  nlb_guard_state state = kernel_state(ifindex);
  state.storm_ns = state.heartbeat_ns = state.announcement_ns = static_cast<__u64>(until);
  bpf_map_update_elem(states_, &ifindex, &state, BPF_ANY);
  auto& of_model = model_.state(ifindex);
  of_model.storm_until = of_model.heartbeats_until = of_model.announcements_until = until;
}

nlb_guard_state GuardHarness::kernel_state(uint32_t ifindex) const {
  nlb_guard_state state{};
  bpf_map_lookup_elem(states_, &ifindex, &state);
  return state;
}

std::size_t GuardHarness::learned_count() const {
  std::size_t count = 0;
  nlb_guard_learned_key key{}, next{};
  for (bool more = bpf_map_get_next_key(map("guard_learned"), nullptr, &next) == 0; more; ++count) {
    key = next;
    more = bpf_map_get_next_key(map("guard_learned"), &key, &next) == 0;
  }
  return count;
}

uint64_t GuardHarness::packets(uint32_t ifindex, nlb_guard_direction direction, uint32_t reason) const {
  static std::vector<nlb_guard_counter> by_processor(static_cast<std::size_t>(processors_));
  const nlb_guard_counter_key key{ifindex, static_cast<__u16>(direction), static_cast<__u16>(reason)};
  if (bpf_map_lookup_elem(counters_, &key, by_processor.data()) != 0) return 0;
  uint64_t sum = 0;
  for (const nlb_guard_counter& one : by_processor) sum += one.packets;
  return sum;
}

int GuardHarness::on_event(void* self, void* data, size_t size) {
  auto* const harness = static_cast<GuardHarness*>(self);
  auto& event = harness->event_;
  ++harness->unread_;
  if (harness->counts_only_) return 0;
  EXPECT_FALSE(event) << "two events for one frame";
  EXPECT_EQ(size, sizeof(nlb_guard_event));
  std::memcpy(&event.emplace(), data, sizeof(nlb_guard_event));
  return 0;
}

void GuardHarness::forget_mac(uint32_t ifindex, const Frame& from) {
  nlb_guard_learned_key key{};
  key.ifindex = ifindex;
  std::copy_n(from.begin() + 6, 6, key.mac);
  must(bpf_map_delete_elem(map("guard_learned"), &key) == 0, "forget a MAC");
  MacAddress source;
  std::copy_n(from.begin() + 6, 6, source.octets.begin());
  model_.state(ifindex).learned.erase(source);
}

uint64_t GuardHarness::run_unread(uint32_t ifindex, const Frame& frame, uint32_t times) {
  const uint32_t zero = 0;
  nlb_guard_control before{}, after{};
  bpf_map_lookup_elem(map("guard_control"), &zero, &before);
  for (uint32_t i = 0; i < times; ++i) run_raw(ifindex, NLB_GUARD_TRANSMIT, frame, {});
  bpf_map_lookup_elem(map("guard_control"), &zero, &after);
  return after.events_lost - before.events_lost;
}

uint64_t GuardHarness::drop_unread() {
  unread_ = 0;
  counts_only_ = true;
  ring_buffer__consume(ring_);
  counts_only_ = false;
  return unread_;
}

void GuardHarness::drain_events() {
  event_.reset();
  ring_buffer__consume(ring_);
}

GuardHarness::Raw GuardHarness::run_raw(uint32_t ifindex, nlb_guard_direction direction, const Frame& frame,
                                        const Beside& beside) {
  const bool told = beside.checksum && direction == NLB_GUARD_TRANSMIT;
  int through = told ? transmit_told_ : programs_[direction];
  __sk_buff in{}, out{};
  in.ifindex = ifindex;
  in.gso_size = beside.is_large ? 1000 : 0;
  in.mark = beside.directed ? NLB_GUARD_DIRECTED_MARK : 0;
  if (told) {
    in.cb[2] = static_cast<__u32>(beside.checksum->begin);
    in.cb[3] = static_cast<__u32>(beside.checksum->field);
  }
  if (beside.tag) {
    through = push_tag_;
    in.cb[0] = *beside.tag;
    in.cb[1] = told ? kTransmitTold : uint32_t{direction};
  }
  Frame after(frame.size() + 64);  // a tag may come back
  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = frame.data();
  options.data_size_in = static_cast<__u32>(frame.size());
  options.data_out = after.data();
  options.data_size_out = static_cast<__u32>(after.size());
  options.ctx_in = &in;
  options.ctx_size_in = sizeof in;
  options.ctx_out = &out;
  options.ctx_size_out = sizeof out;
  options.repeat = 1;
  Raw raw;
  raw.error = bpf_prog_test_run_opts(through, &options);
  raw.returned = options.retval;
  raw.mark = out.mark;
  std::copy_n(after.begin(), 6, raw.destination.octets.begin());
  return raw;
}

GuardOutcome GuardHarness::run(uint32_t ifindex, nlb_guard_direction direction, const Frame& frame,
                               const Beside& beside) {
  std::vector<uint64_t> before(NLB_GUARD_REASON_COUNT);
  for (uint32_t i = 0; i < before.size(); ++i) before[i] = packets(ifindex, direction, i);
  GuardOutcome outcome;
  const Raw raw = run_raw(ifindex, direction, frame, beside);
  if (raw.error == -EINVAL && !carried(frame)) {
    outcome.refused = true;
    return outcome;
  }
  EXPECT_EQ(raw.error, 0) << std::strerror(-raw.error);
  EXPECT_TRUE(raw.returned == kDropped || raw.returned == kUnspecified) << raw.returned;
  outcome.dropped = raw.returned == kDropped;
  outcome.marked = (raw.mark & NLB_GUARD_MARK) != 0;
  outcome.directed = (raw.mark & NLB_GUARD_DIRECTED_MARK) != 0;
  outcome.destination = raw.destination;
  for (uint32_t i = 0; i < before.size(); ++i) {
    const uint64_t now = packets(ifindex, direction, i);
    if (now == before[i]) continue;
    EXPECT_EQ(now, before[i] + 1);
    EXPECT_EQ(outcome.reason, uint32_t{NLB_GUARD_REASON_COUNT}) << "two reasons for one frame";
    outcome.reason = i;
  }
  drain_events();
  outcome.event = event_;
  return outcome;
}

GuardDecision GuardHarness::model(uint32_t ifindex, nlb_guard_direction direction, const Frame& frame,
                                  const Beside& beside) {
  const TaggedFrame judged{frame, beside.tag, beside.checksum, beside.is_large, beside.directed};
  return direction == NLB_GUARD_TRANSMIT ? model_.transmit(ifindex, judged, boot_now())
                                         : model_.receive(ifindex, judged, boot_now());
}

static std::string event_difference(const nlb_guard_event& event, const GuardDecision& decision,
                                    nlb_guard_direction direction) {
  if (event.reason != decision.reason || event.direction != direction) return "event: another reason";
  if ((event.dropped != 0) != decision.dropped) return "event: says another fate";
  if (event.ether_type != decision.type) return "event: type " + std::to_string(event.ether_type);
  if (event.vlan != decision.vlan) return "event: VLAN " + std::to_string(event.vlan);
  if (std::memcmp(event.mac, decision.mac.octets.data(), 6) != 0) return "event: another MAC at fault";
  if ((event.has_address != 0) != decision.address.has_value()) return "event: address or none";
  if (decision.address && std::memcmp(event.address, decision.address->octets.data(), 16) != 0)
    return "event: another address at fault";
  return {};
}

std::string GuardHarness::difference(uint32_t ifindex, nlb_guard_direction direction, const Frame& frame,
                                     const Beside& beside, nlb_guard_reason* reason) {
  const GuardDecision decision = model(ifindex, direction, frame, beside);
  *reason = decision.reason;
  const uint64_t before = packets(ifindex, direction, decision.reason);
  const Raw raw = run_raw(ifindex, direction, frame, beside);
  if (raw.error != 0) return std::string("test run: ") + std::strerror(-raw.error);
  drain_events();
  if (packets(ifindex, direction, decision.reason) != before + 1) {
    const uint32_t kernels = event_ ? uint32_t{event_->reason} : uint32_t{NLB_GUARD_REASON_COUNT};
    return "model says " + reason_name(decision.reason) + ", the kernel's event " + reason_name(kernels);
  }
  if (raw.returned != (decision.dropped ? kDropped : kUnspecified)) return "another fate";
  const bool marked = (raw.mark & NLB_GUARD_MARK) != 0;
  if (marked != (direction == NLB_GUARD_TRANSMIT && !decision.dropped)) return "mark";
  const bool directed = (raw.mark & NLB_GUARD_DIRECTED_MARK) != 0;
  if (!decision.dropped && directed != (decision.reason == NLB_GUARD_REASON_directed))
    return "mark of what goes to one member alone";
  if (!decision.dropped && raw.destination != decision.destination)
    return "goes to " + raw.destination.text() + ", by the model to " + decision.destination.text();
  if (event_.has_value() == is_expected(decision.reason)) return "event or none";
  return event_ ? event_difference(*event_, decision, direction) : std::string();
}

static uint32_t timed(int program, uint32_t ifindex, const Frame& frame, uint32_t repeat) {
  __sk_buff in{};
  in.ifindex = ifindex;
  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = frame.data();
  options.data_size_in = static_cast<__u32>(frame.size());
  options.ctx_in = &in;
  options.ctx_size_in = sizeof in;
  options.repeat = static_cast<int>(repeat);
  return bpf_prog_test_run_opts(program, &options) == 0 ? options.duration : 0;
}

uint32_t GuardHarness::nanoseconds(uint32_t ifindex, nlb_guard_direction direction, const Frame& frame,
                                   uint32_t repeat) {
  return timed(programs_[direction], ifindex, frame, repeat);
}

uint32_t GuardHarness::empty_nanoseconds(uint32_t ifindex, const Frame& frame, uint32_t repeat) {
  return timed(program_of(helper_, "empty_tc"), ifindex, frame, repeat);
}

GuardHarness& guard() {
  static GuardHarness one;
  return one;
}

}  // namespace nlb::test

namespace {
int skip(const char* why) {
  std::printf("SKIPPED: %s\n", why);
  return 77;
}
}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (geteuid() != 0) return skip("loading BPF programs needs root");
  if (unshare(CLONE_NEWNET) != 0) return skip("no network namespace: unshare failed");
  // The kernel's own MLD and router solicitations would be counted with the test's frames.
  std::ofstream("/proc/sys/net/ipv6/conf/default/disable_ipv6") << "1\n";
  if (std::system("ip link set lo up") != 0) return skip("ip(8) is missing");
  return RUN_ALL_TESTS();
}
