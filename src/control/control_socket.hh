// SPDX-License-Identifier: Apache-2.0
// What client and server of the control socket share: bounds, and what stands behind a path.
#pragma once

#include <cstddef>
#include <string>

namespace nlb {

inline constexpr std::size_t kMaxRequestBytes = 64 * 1024;
inline constexpr std::size_t kMaxAnswerBytes = 16 * 1024 * 1024;
inline constexpr int kRequestTimeoutMs = 5000;
inline constexpr std::size_t kMaxSocketPathBytes = 107;  // sockaddr_un::sun_path without its final zero

enum class SocketState {
  absent,      // nothing there
  stale,       // a socket that nobody listens on
  live,        // somebody listens
  denied,      // somebody may, but not to us
  not_socket,  // something else has the name
};
[[nodiscard]] SocketState probe_socket(const std::string& path);

}  // namespace nlb
