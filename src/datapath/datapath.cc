// SPDX-License-Identifier: Apache-2.0
// Attach, adopt, configure, read back. The order in attach() is the point of this file:
//   the same programs found  they go on with their maps (buckets, lease, configuration); nothing is loaded
//   same ABI version found   its maps go on; fresh programs replace the old ones
//   other ABI version found  new maps, every bucket foreign_checked, lease 0. The old programs stay until the
//                            first configure() has filled the new bank: an empty one would let all frames
//                            pass
//   nothing found            new maps and programs, attached at once
#include "datapath/datapath.hh"

#include <linux/membarrier.h>
#include <nlb/abi/verdict.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "datapath/bank.hh"
#include "datapath/connection_place.hh"
#include "datapath/heartbeat_gate.hh"
#include "datapath/hooks.hh"
#include "datapath/maps.hh"
#include "datapath/pins.hh"
#include "datapath/program_pins.hh"
#include "datapath/programs.hh"
#include "datapath/visit_memory.hh"

namespace nlb {
namespace {

struct VerdictText {
  const char* name;
  bool expected;
};
constexpr VerdictText kVerdicts[] = {
#define NLB_VERDICT_TEXT(name, action, expected, text) {#name, expected != 0},
    NLB_VERDICTS(NLB_VERDICT_TEXT)
#undef NLB_VERDICT_TEXT
};

// A program that read the old bank number may still be at work; it runs within an RCU read section, and the
// global barrier waits for all of those. After it, nobody reads the bank that is not in force.
void wait_for_readers() {
  syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

class KernelDatapath final : public Datapath {
 public:
  KernelDatapath(DatapathOptions options, Hooks hooks, std::unique_ptr<Programs> programs, SharedState state)
      : options_(std::move(options)),
        hooks_(std::move(hooks)),
        programs_(std::move(programs)),
        state_(std::move(state)),
        heartbeats_(programs_->maps()) {}

  [[nodiscard]] bool adopted() const override { return adopted_; }
  [[nodiscard]] Result<void> configure(const FilterConfig& config) override;
  void allow(DatapathKind at_most) override;
  void set_lease(Nanos until) override;
  [[nodiscard]] Nanos lease() const override;
  void set_buckets(std::size_t slot, const SlotStates& states) override;
  [[nodiscard]] SlotStates buckets(std::size_t slot) const override;
  void set_heartbeat_keys(std::span<const HeartbeatKey> keys) override { heartbeats_.set_keys(keys); }
  void forget_senders() override { heartbeats_.forget_senders(); }
  void believe_sender(HostId id, uint64_t incarnation, uint64_t sequence) override {
    heartbeats_.believe(id, incarnation, sequence);
  }
  void set_kept(std::size_t slot, const BucketSet& kept) override {
    visits_.set_kept(state_.visits[slot], kept);
  }
  [[nodiscard]] std::vector<BucketSet> take_visits(std::span<const std::size_t> slots, Nanos longest_timeout,
                                                   Nanos now) override {
    visits_.grow_older(state_, longest_timeout, now);
    return visits_.take(state_, slots);
  }
  [[nodiscard]] Result<LiveConnections> live_connections() override;
  [[nodiscard]] Result<LiveConnections> count(const Connections& connections) override;
  [[nodiscard]] std::vector<Counter> counters() const override;
  [[nodiscard]] DatapathKind attached_kind() const override { return hooks_.kind(); }
  [[nodiscard]] bool yields_xdp() const override { return hooks_.has_foreign_xdp(); }
  [[nodiscard]] Result<std::vector<std::string>> repair() override;

  [[nodiscard]] Result<void> start(FoundMaps found, bool taken_over);

 private:
  [[nodiscard]] Result<void> put_in_force();
  [[nodiscard]] bool is_in_force() const;

  DatapathOptions options_;
  Hooks hooks_;
  std::unique_ptr<Programs> programs_;
  SharedState state_;
  HeartbeatGate heartbeats_;
  VisitMemory visits_;
  std::mutex walking_;
  std::atomic<uint64_t> configured_{0};  // how often
  bool adopted_ = false;
  bool taken_over_ = false;  // the programs too
  bool in_force_ = false;    // false: an older version's programs still do the work
};

template <typename T>
void store(T& place, T value) {
  std::atomic_ref<T>(place).store(value, std::memory_order_release);
}
template <typename T>
T load(T& place) {
  return std::atomic_ref<T>(place).load(std::memory_order_acquire);
}

Result<void> KernelDatapath::start(FoundMaps found, bool taken_over) {
  adopted_ = found == FoundMaps::same_abi;
  taken_over_ = taken_over;
  nlb_control& control = state_.control.all()[0];
  if (!adopted_) {
    store(control.abi_version, uint32_t{NLB_ABI_VERSION});
    const auto first = found == FoundMaps::other_abi ? BucketState::foreign_checked : BucketState::foreign;
    for (nlb_bucket_row& row : state_.buckets.all())
      std::memset(row.states, static_cast<int>(first), sizeof row.states);
  }
  if (found == FoundMaps::other_abi) return {};
  return put_in_force();
}

Result<void> KernelDatapath::put_in_force() {
  const auto pins = programs_->pins();
  for (const ProgramPin& pin : pins) hooks_.know(pin.program);
  if (!is_in_force()) {
    pin_programs(options_.pin_directory, pins);
    if (auto set = hooks_.set_tc(programs_->ingress(), programs_->egress()); !set) return set;
    hooks_.set_xdp(programs_->xdp(), options_.at_most);
    pin_maps(options_.pin_directory, programs_->maps());
  }
  auto in_use = hooks_.our_programs();
  for (const ProgramPin& pin : pins) in_use.push_back(program_id(pin.program));
  unpin_programs_but(options_.pin_directory, in_use);
  in_force_ = true;
  return {};
}

// An earlier daemon's, which this one has taken over as they are. Where that one died with a lease, XDP is
// left as it was; otherwise a better kind is tried, for the driver may allow it now.
bool KernelDatapath::is_in_force() const {
  if (!taken_over_ || !hooks_.hold(programs_->ingress(), programs_->egress(), programs_->xdp())) return false;
  const DatapathKind kind = hooks_.kind();
  return kind == options_.at_most || (kind < options_.at_most && lease() != 0);
}

Result<void> KernelDatapath::configure(const FilterConfig& config) {
  const auto bank = make_bank(config);
  if (!bank) return tl::unexpected(bank.error());
  nlb_control& control = state_.control.all()[0];
  const uint32_t next = 1 - (load(control.active_bank) & 1);
  ++configured_;
  wait_for_readers();
  state_.banks[next] = *bank;
  fill_port_blocks(config, state_.ports.all().subspan(next * kBlocksPerBank, kBlocksPerBank));
  store(control.active_bank, next);
  return in_force_ ? Result<void>{} : put_in_force();
}

void KernelDatapath::allow(DatapathKind at_most) {
  if (std::exchange(options_.at_most, at_most) == at_most) return;
  if (in_force_) hooks_.set_xdp(programs_->xdp(), at_most);
}

void KernelDatapath::set_lease(Nanos until) {
  store<__u64>(state_.control[0].lease_ns, until > 0 ? static_cast<__u64>(until) : 0);
}

Nanos KernelDatapath::lease() const {
  return static_cast<Nanos>(load<__u64>(state_.control.all()[0].lease_ns));
}

void KernelDatapath::set_buckets(std::size_t slot, const SlotStates& states) {
  nlb_bucket_row& row = state_.buckets[slot];
  for (std::size_t i = 0; i < states.size(); ++i) {
    std::atomic_ref<__u8>(row.states[i]).store(static_cast<__u8>(states[i]), std::memory_order_relaxed);
  }
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

SlotStates KernelDatapath::buckets(std::size_t slot) const {
  SlotStates states{};
  const nlb_bucket_row& row = state_.buckets[slot];
  for (std::size_t i = 0; i < states.size(); ++i) states[i] = static_cast<BucketState>(row.states[i] & 3);
  return states;
}

Result<LiveConnections> KernelDatapath::live_connections() {
  const std::lock_guard lock(walking_);  // one map holds the result of one walk
  for (nlb_live_row& row : state_.live.all()) std::memset(row.connections, 0, sizeof row.connections);
  if (auto walked = programs_->walk_sockets(); !walked) return tl::unexpected(walked.error());
  LiveConnections live;
  for (std::size_t slot = 0; slot < kMaxSlots; ++slot) {
    for (std::size_t bucket = 0; bucket < kBucketCount; ++bucket) {
      const uint32_t count = state_.live[slot].connections[bucket];
      if (count == 0) continue;
      live.buckets[slot].set(bucket);
      live.connections[slot] += count;
    }
  }
  return live;
}

Result<LiveConnections> KernelDatapath::count(const Connections& connections) {
  const uint64_t before = configured_;
  const uint32_t active = load(state_.control.all()[0].active_bank) & 1;
  const nlb_bank& bank = state_.banks[active];
  const auto blocks = state_.ports.all().subspan(active * kBlocksPerBank, kBlocksPerBank);
  LiveConnections live;
  const auto handed = connections([&](const ClientConnection& connection) {
    const auto place = place_of(bank, blocks, connection);
    if (!place) return;
    live.buckets[place->slot].set(place->bucket);
    ++live.connections[place->slot];
  });
  if (!handed) return tl::unexpected(handed.error());
  if (configured_ != before) return fail("the configuration changed while connections were counted", EAGAIN);
  return live;
}

std::vector<Counter> KernelDatapath::counters() const {
  std::vector<Counter> all;
  const auto sums = read_counters(programs_->maps().find("nlb_counters")->second.get());
  for (std::size_t i = 0; i < sums.size(); ++i) {
    all.push_back({kVerdicts[i].name, sums[i].packets, sums[i].bytes, kVerdicts[i].expected});
  }
  return all;
}

Result<std::vector<std::string>> KernelDatapath::repair() {
  std::vector<std::string> missing;
  if (!in_force_) return missing;
  if (!hooks_.has_ingress()) missing.emplace_back("tc ingress");
  if (!hooks_.has_egress()) missing.emplace_back("tc egress");
  const bool tc_missing = !missing.empty();
  if (tc_missing) {
    if (auto set = hooks_.set_tc(programs_->ingress(), programs_->egress()); !set)
      return tl::unexpected(set.error());
  }
  if (options_.at_most > DatapathKind::tc && hooks_.kind() == DatapathKind::tc) {
    hooks_.set_xdp(programs_->xdp(), options_.at_most);
    if (hooks_.kind() != DatapathKind::tc) missing.emplace_back("xdp");
  }
  return missing;
}

struct Found {
  FoundMaps kind = FoundMaps::none;
  MapSet maps;
  std::unique_ptr<Programs> programs;  // of these maps; nullptr = they are to be loaded
};

// Pins first; where they are missing or of no use, through the attached programs. What is attached decides
// whether an older version is at work: pins alone, left over from a reboot of the interface, are not.
Found find_earlier(const DatapathOptions& options, const Hooks& hooks) {
  const auto attached = hooks.our_programs();
  if (attached.empty()) return {};
  if (auto same = Programs::pinned(options.pin_directory, pinned_maps(options.pin_directory)))
    return {FoundMaps::same_abi, {}, std::move(same)};
  const auto expected = Programs::expected_maps();
  MapSet maps = pinned_maps(options.pin_directory);
  if (judge_maps(maps, expected, Programs::abi_version()) != FoundMaps::same_abi)
    maps = maps_of_programs(attached);
  const FoundMaps kind = judge_maps(maps, expected, Programs::abi_version());
  if (kind != FoundMaps::same_abi) maps.clear();
  return {kind == FoundMaps::none ? FoundMaps::other_abi : kind, std::move(maps), nullptr};
}

}  // namespace

void LiveConnections::add(const LiveConnections& others) {
  for (std::size_t slot = 0; slot < kMaxSlots; ++slot) {
    buckets[slot] |= others.buckets[slot];
    connections[slot] += others.connections[slot];
  }
}

Result<std::unique_ptr<Datapath>> Datapath::attach(const DatapathOptions& options) {
  const bool can_pin = make_pin_directory(options.pin_directory);
  auto hooks = Hooks::of(options.interface, OwnPrograms(options.pin_directory));
  if (!hooks) return tl::unexpected(hooks.error());
  Found found = find_earlier(options, *hooks);
  const bool taken_over = found.programs != nullptr;
  if (!taken_over) {
    auto loaded = Programs::load(found.maps);
    if (!loaded) return tl::unexpected(loaded.error().within(options.interface));
    found.programs = std::move(*loaded);
  }
  auto state = SharedState::map(found.programs->maps());
  if (!state) return tl::unexpected(state.error().within(options.interface));
  DatapathOptions own = options;
  if (!can_pin) own.pin_directory.clear();
  auto datapath =
      std::make_unique<KernelDatapath>(own, std::move(*hooks), std::move(found.programs), std::move(*state));
  if (auto started = datapath->start(found.kind, taken_over); !started)
    return tl::unexpected(started.error());
  return datapath;
}

Result<void> Datapath::remove(const DatapathOptions& options) {
  if (const auto hooks = Hooks::of(options.interface, OwnPrograms(options.pin_directory))) hooks->remove();
  remove_pins(options.pin_directory);
  return {};
}

}  // namespace nlb
