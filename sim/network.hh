// SPDX-License-Identifier: Apache-2.0
// Frames on their way: what each path between two ports does to them, and the packets themselves. A packet is
// kept once however many it goes to.
#pragma once

#include <array>
#include <vector>

#include "core/host.hh"
#include "sim/acquaintance.hh"
#include "sim/fault.hh"

namespace nlb::sim {

struct Packet {
  wire::Frame frame;
  std::vector<uint8_t> bytes;  // what is on the wire, where it had to be made
  MacAddress source, destination;
  Nanos sent_at = 0;      // by the world's clock
  bool authentic = true;  // sent by the machine that it names, just now
  uint32_t references = 0;
};

class Packets {
 public:
  uint32_t keep(Packet packet);
  Packet& at(uint32_t index) { return packets_[index]; }
  void hold(uint32_t index) { ++packets_[index].references; }
  void drop(uint32_t index) {
    if (--packets_[index].references == 0) free_.push_back(index);
  }

 private:
  std::vector<Packet> packets_;
  std::vector<uint32_t> free_;
};

// What is wrong with one direction between two ports. Several faults add up.
struct Path {
  int cut = 0, clogged = 0, burst = 0;
  bool filtered = false;  // heartbeats only; ARP and clients' frames get through
  int64_t loss = 0, reorder = 0, duplicate = 0, corrupt = 0;  // parts in a million
  Nanos delay = 0, late = 0;
  Nanos last_arrival = 0;  // frames of one path come in the order in which they were sent
  [[nodiscard]] bool clean() const {
    return (cut | clogged | burst) == 0 && (loss | reorder | duplicate | corrupt | delay | late) == 0;
  }
};

// What becomes of one frame on one path.
struct Passage {
  int copies = 0;
  std::array<Nanos, 2> delay{};
  bool damaged = false, waits = false, overtakes = false;
};

class Network {
 public:
  [[nodiscard]] Path& path(Port from, Port to) { return paths_[from][to]; }
  [[nodiscard]] const Path& path(Port from, Port to) const { return paths_[from][to]; }
  [[nodiscard]] bool cut(Port a, Port b) const { return paths_[a][b].cut != 0 || paths_[b][a].cut != 0; }
  [[nodiscard]] Passage pass(Port from, Port to, Nanos now, Random& random) const;
  void set_delay(Nanos low, Nanos high) { delay_low_ = low, delay_high_ = high; }
  void set_loss(int64_t parts_per_million) { loss_ = parts_per_million; }  // everywhere
  void set_sender_loss(int64_t parts_per_million) { sender_loss_ = parts_per_million; }
  [[nodiscard]] int64_t sender_loss() const { return sender_loss_; }
  void heal();
  // Adds the effect of a fault to its paths, or takes it away (by = -1).
  void apply(const Fault& fault, int by);

 private:
  [[nodiscard]] static bool in_burst(Port from, Port to, Nanos now);
  std::array<std::array<Path, kMaxHosts + 1>, kMaxHosts + 1> paths_{};
  Nanos delay_low_ = kMillisecond / 10, delay_high_ = kMillisecond;
  int64_t loss_ = 0, sender_loss_ = 0;
};

}  // namespace nlb::sim
