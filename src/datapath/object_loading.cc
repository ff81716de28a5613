// SPDX-License-Identifier: Apache-2.0
#include "datapath/object_loading.hh"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>

#include <cstring>

namespace nlb {
namespace {

Result<void> take_over_maps(bpf_object* object, const MapSet& maps) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    const auto given = maps.find(std::string_view(bpf_map__name(map)));
    if (given == maps.end() || !is_shared_map(bpf_map__name(map))) continue;
    if (const int error = bpf_map__reuse_fd(map, given->second.get()); error != 0) {
      return fail(std::string("cannot reuse map ") + bpf_map__name(map), -error);
    }
  }
  return {};
}

void collect_maps(bpf_object* object, MapSet& maps) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    const std::string_view name = bpf_map__name(map);
    if (!is_shared_map(name) || maps.contains(name)) continue;
    maps.emplace(name, FileDescriptor(fcntl(bpf_map__fd(map), F_DUPFD_CLOEXEC, 3)));
  }
}

}  // namespace

Result<void> load_object(bpf_object* object, MapSet& maps) {
  if (auto taken = take_over_maps(object, maps); !taken) return taken;
  if (const int error = bpf_object__load(object); error != 0) {
    return fail(std::string("the kernel refuses program ") + bpf_object__name(object) + ": " +
                    std::strerror(-error) + " (needs root, CAP_BPF and a kernel 5.18 or newer with BTF)",
                -error);
  }
  collect_maps(object, maps);
  return {};
}

std::map<std::string, MapShape> shapes_of(bpf_object* object) {
  std::map<std::string, MapShape> shapes;
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (is_shared_map(bpf_map__name(map)))
      shapes[bpf_map__name(map)] = {static_cast<uint32_t>(bpf_map__type(map)), bpf_map__key_size(map),
                                    bpf_map__value_size(map), bpf_map__max_entries(map)};
  }
  return shapes;
}

MapSet duplicate(const MapSet& maps) {
  MapSet copies;
  for (const auto& [name, fd] : maps)
    copies.emplace(name, FileDescriptor(fcntl(fd.get(), F_DUPFD_CLOEXEC, 3)));
  return copies;
}

void silence_libbpf() {
  libbpf_set_print(nullptr);
}

}  // namespace nlb
