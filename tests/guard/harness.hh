// SPDX-License-Identifier: Apache-2.0
// The guard's programs, loaded but attached to nothing, beside the model with the same policy. A frame goes
// in at a port by BPF_PROG_TEST_RUN, which wants a real interface: the ports are veth in a network namespace
// of the process' own.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "guard/guard_model.hh"
#include "bpf/packets6.hh"

struct bpf_object;
struct ring_buffer;

namespace nlb::test {

struct GuardOutcome {
  bool refused = false;  // the kernel's test facility cannot carry this frame
  uint32_t reason = NLB_GUARD_REASON_COUNT;
  bool dropped = false, marked = false;
  bool directed = false;        // marked so
  MacAddress destination = {};  // with which the frame goes on
  std::optional<nlb_guard_event> event = {};
};

// What stands beside a frame's octets.
struct Beside {
  std::optional<uint16_t> tag = {};  // that the kernel took off
  std::optional<OpenChecksum> checksum = {};
  bool is_large = false;
  bool directed = false;  // marked so
};

// Both judges, told the same.
class GuardHarness {
 public:
  GuardHarness();
  ~GuardHarness();
  GuardHarness(const GuardHarness&) = delete;
  GuardHarness& operator=(const GuardHarness&) = delete;

  void clear();  // no policy, no state
  void set_port(uint32_t ifindex, const nlb_guard_port& policy);
  void remove_port(uint32_t ifindex);
  void set_mac(GuardSegment segment, const MacAddress& mac, const nlb_guard_mac& owner);
  void set_address(GuardSegment segment, const IpAddress& address, const nlb_guard_address& entry);
  void set_report_interval(Nanos interval);
  void clear_states();
  // The rows are those of this generation; what the port has announced last, and how long ago. `earlier`:
  // what a member at an earlier port takes.
  void set_steering(uint32_t ifindex, uint32_t generation, const wire::SteeringContent& content,
                    const GuardModel::SteeringRows& earlier = {}, uint32_t rules = 0);
  // `counts`: else they are kept as more than are kept.
  void set_members(uint16_t bridge, uint16_t cluster, const MacAddress& mac,
                   const std::vector<uint32_t>& ports, bool counts = true);
  void set_announced(uint32_t ifindex, uint32_t generation, Nanos ago);
  [[nodiscard]] std::optional<nlb_steering_part> handed_over();  // the newest part, and forgets it
  // 0: nothing was ever sent; else the limits are used up until so long from now.
  void set_used_up(uint32_t ifindex, Nanos ahead);
  [[nodiscard]] nlb_guard_state kernel_state(uint32_t ifindex) const;
  [[nodiscard]] uint64_t packets(uint32_t ifindex, nlb_guard_direction direction, uint32_t reason) const;
  [[nodiscard]] int program(nlb_guard_direction direction) const { return programs_[direction]; }
  [[nodiscard]] std::size_t learned_count() const;
  void forget_mac(uint32_t ifindex, const Frame& from);  // its source, as the daemon does
  // So often without reading the ring: how many events were lost. Then how many were in it.
  uint64_t run_unread(uint32_t ifindex, const Frame& frame, uint32_t times);
  uint64_t drop_unread();

  // The kernel's decision, in full; found by comparing all counters.
  GuardOutcome run(uint32_t ifindex, nlb_guard_direction direction, const Frame& frame,
                   const Beside& beside = {});
  [[nodiscard]] GuardDecision model(uint32_t ifindex, nlb_guard_direction direction, const Frame& frame,
                                    const Beside& beside = {});
  // Both; what they differ in, or nothing. `reason`: the model's.
  std::string difference(uint32_t ifindex, nlb_guard_direction direction, const Frame& frame,
                         const Beside& beside, nlb_guard_reason* reason);
  uint32_t nanoseconds(uint32_t ifindex, nlb_guard_direction direction, const Frame& frame, uint32_t repeat);
  uint32_t empty_nanoseconds(uint32_t ifindex, const Frame& frame, uint32_t repeat);

 private:
  struct Raw {
    int error = 0;
    uint32_t returned = 0, mark = 0;
    MacAddress destination = {};
  };
  Raw run_raw(uint32_t ifindex, nlb_guard_direction direction, const Frame& frame, const Beside& beside);
  void drain_events();
  static int on_event(void* self, void* data, size_t size);

  bpf_object *transmit_ = nullptr, *receive_ = nullptr, *helper_ = nullptr, *told_ = nullptr;
  static int on_part(void* self, void* data, size_t size);
  ring_buffer *ring_ = nullptr, *parts_ = nullptr;
  std::optional<nlb_steering_part> part_;
  int map(const char* name) const;
  int programs_[2] = {-1, -1}, push_tag_ = -1, transmit_told_ = -1, counters_ = -1, states_ = -1,
      processors_ = 1;
  GuardModel model_;
  std::optional<nlb_guard_event> event_;
  uint64_t unread_ = 0;
  bool counts_only_ = false;
};

GuardHarness& guard();  // one for the process: loading takes a while
std::string reason_name(uint32_t reason);
bool carried(const Frame& frame);  // the kernel's test facility takes it
Nanos boot_now();
// Interface index of port `number` (0…); made when it is not there yet.
uint32_t port_index(std::size_t number);

}  // namespace nlb::test
