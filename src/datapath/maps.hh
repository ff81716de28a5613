// SPDX-License-Identifier: Apache-2.0
// The maps of one interface: found or made, mapped into memory, read and written. Knows nothing of programs.
#pragma once

#include <nlb/abi/filter.h>
#include <nlb/abi/visit.h>

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hh"
#include "datapath/file_descriptor.hh"

namespace nlb {

struct MapShape {  // what a map must look like to be taken over
  uint32_t type = 0, key_bytes = 0, value_bytes = 0, entries = 0;
  bool operator==(const MapShape&) const = default;
};

// Maps by name, as open file descriptors.
using MapSet = std::map<std::string, FileDescriptor, std::less<>>;

enum class FoundMaps { none, same_abi, other_abi };

// One of the maps that the programs share: nlb_… of the filter, guard_… of a bridge's guard. The compiler's
// own (constants) are called nlb_ingr.rodata and the like: the same name in two objects, different content.
[[nodiscard]] bool is_shared_map(std::string_view name);
[[nodiscard]] Result<MapShape> map_shape(int fd);
[[nodiscard]] uint32_t map_id(int fd);  // 0 = it cannot be asked
// The maps that the programs with these ids use, those of our names only.
[[nodiscard]] MapSet maps_of_programs(std::span<const uint32_t> program_ids);
// Judges a set by the ABI version in its control map and by the shapes that our programs expect.
[[nodiscard]] FoundMaps judge_maps(const MapSet& found, const std::map<std::string, MapShape>& expected,
                                   uint32_t abi_version);

// Memory shared with the kernel programs.
template <typename T>
class MappedArray {
 public:
  MappedArray() = default;
  MappedArray(MappedArray&& other) noexcept : entries_(std::exchange(other.entries_, {})) {}
  MappedArray& operator=(MappedArray&& other) noexcept {
    std::swap(entries_, other.entries_);
    return *this;
  }
  ~MappedArray() { unmap(); }

  [[nodiscard]] static Result<MappedArray> map(const MapSet& maps, std::string_view name, std::size_t count);
  T& operator[](std::size_t index) { return entries_[index]; }
  const T& operator[](std::size_t index) const { return entries_[index]; }
  [[nodiscard]] std::span<T> all() const { return entries_; }

 private:
  void unmap();
  std::span<T> entries_;
};

struct SharedState {
  MappedArray<nlb_control> control;
  MappedArray<nlb_bank> banks;
  MappedArray<nlb_port_block> ports;
  MappedArray<nlb_bucket_row> buckets;
  MappedArray<nlb_live_row> live;
  MappedArray<nlb_visit_row> visits;
  MappedArray<nlb_recall> recalls;

  [[nodiscard]] static Result<SharedState> map(const MapSet& maps);
};

// Sums over the processors, by verdict number. Empty when the processors cannot be counted (no descriptor
// left).
[[nodiscard]] std::vector<nlb_counter> read_counters(int fd);

}  // namespace nlb
