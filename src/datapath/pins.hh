// SPDX-License-Identifier: Apache-2.0
// Maps below the pin directory, where a bpffs can be had: for people and tools to look at, and for the next
// daemon. A failure here is never fatal: the next daemon finds the maps through the attached programs.
#pragma once

#include <string>

#include "datapath/maps.hh"

namespace nlb {

// Everything derives from the runtime directory: two daemons never meet.
[[nodiscard]] std::string pin_directory_of(const std::string& runtime_directory);
// False when no bpffs is there and none can be mounted.
[[nodiscard]] bool make_pin_directory(const std::string& directory);
// Gives the directory to a user, and makes it reachable although /sys/fs/bpf is root's alone: in a mount
// namespace of this process's own, that file system shows nothing but this directory. Root only; before
// threads are made.
[[nodiscard]] Result<void> hand_over_pins(const std::string& directory, uint32_t user, uint32_t group);
[[nodiscard]] MapSet pinned_maps(const std::string& directory);
void pin_maps(const std::string& directory, const MapSet& maps);  // replaces what is there
void remove_pins(const std::string& directory);

}  // namespace nlb
