// SPDX-License-Identifier: Apache-2.0
// vmswitch.d/VM.toml, as `nlb vmswitch set` writes it: the keys that it was given, beside those that somebody
// else put there.
#pragma once

#include <optional>
#include <string>

#include "base/result.hh"
#include "vmswitch/switch_config.hh"

namespace nlb::vmswitch {

struct SpoofingChange {
  std::string vm, adapter;  // adapter "" = the VM's only one
  MacSpoofing mac_spoofing = MacSpoofing::off;
  std::optional<std::string> cluster;
  std::optional<HostId> host_id;
};

// The file's new text; `text` is what it has now, or "". Comments are not kept.
[[nodiscard]] Result<std::string> with_change(const std::string& text, const SpoofingChange& change);
[[nodiscard]] std::string override_path(const std::string& config_path, const std::string& vm);
// By a temporary file beside it and a rename: a reader sees the old text or the new one.
[[nodiscard]] Result<void> write_atomically(const std::string& path, const std::string& text);

}  // namespace nlb::vmswitch
