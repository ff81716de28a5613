// SPDX-License-Identifier: Apache-2.0
#include "datapath/maps.hh"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <nlb/abi/guard.h>
#include <nlb/abi/verdict.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>

namespace nlb {
namespace {

std::size_t mapped_bytes(std::size_t bytes) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return (bytes + page - 1) / page * page;
}

Result<bpf_map_info> map_info(int fd) {
  bpf_map_info info{};
  uint32_t bytes = sizeof info;
  if (bpf_obj_get_info_by_fd(fd, &info, &bytes) != 0) return fail("cannot ask for a map's shape", errno);
  return info;
}

std::vector<uint32_t> map_ids_of_program(uint32_t program_id) {
  const FileDescriptor program(bpf_prog_get_fd_by_id(program_id));
  std::vector<uint32_t> ids(64);
  bpf_prog_info info{};
  info.nr_map_ids = static_cast<uint32_t>(ids.size());
  info.map_ids = reinterpret_cast<uint64_t>(ids.data());
  uint32_t bytes = sizeof info;
  if (!program || bpf_obj_get_info_by_fd(program.get(), &info, &bytes) != 0) return {};
  ids.resize(std::min<std::size_t>(info.nr_map_ids, ids.size()));
  return ids;
}

}  // namespace

bool is_shared_map(std::string_view name) {
  return (name.starts_with("nlb_") || name.starts_with("guard_")) && name.find('.') == std::string_view::npos;
}

Result<MapShape> map_shape(int fd) {
  return map_info(fd).map([](const bpf_map_info& info) {
    return MapShape{info.type, info.key_size, info.value_size, info.max_entries};
  });
}

uint32_t map_id(int fd) {
  return map_info(fd).map([](const bpf_map_info& info) { return info.id; }).value_or(0);
}

MapSet maps_of_programs(std::span<const uint32_t> program_ids) {
  MapSet found;
  for (const uint32_t program : program_ids) {
    for (const uint32_t id : map_ids_of_program(program)) {
      FileDescriptor fd(bpf_map_get_fd_by_id(id));
      if (!fd) continue;
      const auto info = map_info(fd.get());
      if (info && is_shared_map(info->name)) found.try_emplace(info->name, std::move(fd));
    }
  }
  return found;
}

FoundMaps judge_maps(const MapSet& found, const std::map<std::string, MapShape>& expected,
                     uint32_t abi_version) {
  const auto control = found.find("nlb_control");
  if (control == found.end()) return FoundMaps::none;
  const auto shape = map_shape(control->second.get());
  if (!shape || shape->value_bytes < sizeof abi_version) return FoundMaps::other_abi;
  std::vector<uint8_t> value(shape->value_bytes);
  const uint32_t zero = 0;
  if (bpf_map_lookup_elem(control->second.get(), &zero, value.data()) != 0) return FoundMaps::other_abi;
  uint32_t version = 0;
  std::memcpy(&version, value.data(), sizeof version);
  if (version != abi_version) return FoundMaps::other_abi;
  for (const char* needed : {"nlb_control", "nlb_banks", "nlb_ports", "nlb_buckets"}) {
    if (!found.contains(std::string_view(needed))) return FoundMaps::other_abi;
  }
  for (const auto& [name, fd] : found) {
    const auto wanted = expected.find(name);
    const auto is = map_shape(fd.get());
    if (wanted == expected.end() || !is || !(*is == wanted->second)) return FoundMaps::other_abi;
  }
  return FoundMaps::same_abi;
}

template <typename T>
Result<MappedArray<T>> MappedArray<T>::map(const MapSet& maps, std::string_view name, std::size_t count) {
  const auto map = maps.find(name);
  if (map == maps.end()) return fail("map " + std::string(name) + " is missing");
  void* memory = mmap(nullptr, mapped_bytes(count * sizeof(T)), PROT_READ | PROT_WRITE, MAP_SHARED,
                      map->second.get(), 0);
  if (memory == MAP_FAILED)
    return fail("cannot map " + std::string(name) + ": " + std::strerror(errno), errno);
  MappedArray array;
  array.entries_ = {static_cast<T*>(memory), count};
  return array;
}

template <typename T>
void MappedArray<T>::unmap() {
  if (!entries_.empty()) munmap(entries_.data(), mapped_bytes(entries_.size_bytes()));
}

template class MappedArray<nlb_control>;
template class MappedArray<nlb_bank>;
template class MappedArray<nlb_port_block>;
template class MappedArray<nlb_bucket_row>;
template class MappedArray<nlb_live_row>;
template class MappedArray<nlb_visit_row>;
template class MappedArray<nlb_recall>;
template class MappedArray<nlb_guard_control>;

Result<SharedState> SharedState::map(const MapSet& maps) {
  auto control = MappedArray<nlb_control>::map(maps, "nlb_control", 1);
  auto banks = MappedArray<nlb_bank>::map(maps, "nlb_banks", NLB_BANK_COUNT);
  auto ports = MappedArray<nlb_port_block>::map(maps, "nlb_ports", NLB_PORT_BLOCK_COUNT);
  auto buckets = MappedArray<nlb_bucket_row>::map(maps, "nlb_buckets", NLB_MAX_SLOTS);
  auto live = MappedArray<nlb_live_row>::map(maps, "nlb_live", NLB_MAX_SLOTS);
  auto visits = MappedArray<nlb_visit_row>::map(maps, "nlb_visits", NLB_MAX_SLOTS);
  auto recalls = MappedArray<nlb_recall>::map(maps, "nlb_recalls", NLB_RECALL_CELLS);
  if (!control) return tl::unexpected(control.error());
  if (!banks) return tl::unexpected(banks.error());
  if (!ports) return tl::unexpected(ports.error());
  if (!buckets) return tl::unexpected(buckets.error());
  if (!live) return tl::unexpected(live.error());
  if (!visits) return tl::unexpected(visits.error());
  if (!recalls) return tl::unexpected(recalls.error());
  SharedState state;
  state.control = std::move(*control);
  state.banks = std::move(*banks);
  state.ports = std::move(*ports);
  state.buckets = std::move(*buckets);
  state.live = std::move(*live);
  state.visits = std::move(*visits);
  state.recalls = std::move(*recalls);
  return state;
}

std::vector<nlb_counter> read_counters(int fd) {
  // The kernel writes one for each processor; how many there are is read from a file, which may not be had.
  const int processors = libbpf_num_possible_cpus();
  if (processors < 1) return {};
  std::vector<nlb_counter> sums(NLB_VERDICT_COUNT);
  std::vector<nlb_counter> by_processor(static_cast<std::size_t>(processors));
  for (uint32_t verdict = 0; verdict < sums.size(); ++verdict) {
    if (bpf_map_lookup_elem(fd, &verdict, by_processor.data()) != 0) continue;
    for (const nlb_counter& one : by_processor) {
      sums[verdict].packets += one.packets;
      sums[verdict].bytes += one.bytes;
    }
  }
  return sums;
}

}  // namespace nlb
