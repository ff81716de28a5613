// SPDX-License-Identifier: Apache-2.0
// Loads one object of kernel programs beside others that share its maps.
#pragma once

#include "base/result.hh"
#include "datapath/maps.hh"

struct bpf_object;

namespace nlb {

// Maps of `maps` are taken over by name; those that the object makes itself are added to them.
[[nodiscard]] Result<void> load_object(bpf_object* object, MapSet& maps);
// Shapes of the shared maps that the object declares; it need not be loaded.
[[nodiscard]] std::map<std::string, MapShape> shapes_of(bpf_object* object);
[[nodiscard]] MapSet duplicate(const MapSet& maps);
// What libbpf would print on its own; errors are values here.
void silence_libbpf();

}  // namespace nlb
