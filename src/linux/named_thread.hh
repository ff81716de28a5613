// SPDX-License-Identifier: Apache-2.0
// Threads that have names, as `top -H`, `perf` and a debugger show them.
#pragma once

#include <pthread.h>

#include <cstddef>
#include <thread>
#include <utility>

namespace nlb {

// `name`: a literal of at most 15 octets.
template <std::size_t N, typename Body>
[[nodiscard]] std::thread named_thread(const char (&name)[N], Body body) {
  static_assert(N <= 16, "pthread_setname_np(3) takes 15 octets and a zero");
  return std::thread([text = static_cast<const char*>(name), body = std::move(body)]() mutable {
    pthread_setname_np(pthread_self(), text);
    body();
  });
}

}  // namespace nlb
