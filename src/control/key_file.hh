// SPDX-License-Identifier: Apache-2.0
// The key file of a cluster: what signs heartbeats and what seeds the bucket hash.
//   seed HEX   16 bytes, once
//   key HEX    32 bytes, newest first: the first one signs, all verify
// Blank lines and lines that begin with '#' are skipped. A file that is one bare line of 64 hex digits is a
// key; its seed is derived: the first 16 bytes of SHA-256("opennlb seed" || key). No message ever carries
// what a line says; buffers that held secrets are wiped.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hh"
#include "control/config_problem.hh"
#include "control/secret_file.hh"
#include "core/config.hh"

namespace nlb {

inline constexpr std::size_t kMaxKeys = 4;  // a rotation drops the oldest beyond this

// The text alone; `path` is for messages.
[[nodiscard]] tl::expected<KeySet, std::vector<ConfigProblem>> parse_keys(std::string_view text,
                                                                          const std::string& path);
// The file: regular, owned by root or the effective user, no access for group or others.
[[nodiscard]] tl::expected<KeySet, std::vector<ConfigProblem>> read_key_file(
    const std::string& path, SecretOwner owner = SecretOwner::root_or_reader);
[[nodiscard]] Result<KeySet> read_keys(const std::string& path,
                                       SecretOwner owner = SecretOwner::root_or_reader);
// A new key file (seed and one key, from the system's CSPRNG), mode 0600, never over an existing one.
[[nodiscard]] Result<void> write_new_keys(const std::string& path);
// Adds a fresh key on top (it signs from then on); older ones are still accepted; writes down a derived seed
// first. Atomic: a reader sees the old file or the new one. Owner, group and mode stay.
[[nodiscard]] Result<void> rotate_keys(const std::string& path,
                                       SecretOwner owner = SecretOwner::root_or_reader);
// Tells keys apart without giving them away: 16 hex digits of SHA-256("opennlb fingerprint" || key).
[[nodiscard]] std::string key_fingerprint(const std::array<uint8_t, 32>& key);

void wipe(KeySet& keys);

}  // namespace nlb
