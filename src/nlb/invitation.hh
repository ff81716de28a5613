// SPDX-License-Identifier: Apache-2.0
// What a further host needs to join a cluster, as one word that is carried over by hand: configuration and
// key of a member, and a host id that is free. It holds the key, so it is as secret as the key file; nothing
// of it is ever sent by nlbd, whose frames are signed and not encrypted.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/net.hh"
#include "base/result.hh"
#include "nlb/invocation.hh"

namespace nlb {

struct Invitation {
  HostId id = 0;
  std::string config;  // text of the inviting host's file
  std::string keys;    // text of its key file
};
[[nodiscard]] std::string token_of(const Invitation& invitation);
// Names what is wrong: cut, changed, of another version.
[[nodiscard]] Result<Invitation> read_token(std::string_view token);
// The file for the new host: its id, interface and key file, everything else as it is.
[[nodiscard]] Result<std::string> config_for_guest(const Invitation& invitation, const std::string& interface,
                                                   const std::string& key_file);

[[nodiscard]] Result<nlohmann::json> invite(const Invocation& invocation);
[[nodiscard]] Result<nlohmann::json> join(const Invocation& invocation);

}  // namespace nlb
