// SPDX-License-Identifier: Apache-2.0
// Errors are values. Every message to a person says what happened, to what, and what to do.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace nlb {

struct Error {
  std::string message;  // one sentence, no final newline
  int code = 0;         // errno of the failed call, or 0

  // The same error with its context in front: "eth0: no such device".
  [[nodiscard]] Error within(const std::string& context) const { return {context + ": " + message, code}; }
};

template <typename T>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(std::string message, int code = 0) {
  return tl::unexpected<Error>(Error{std::move(message), code});
}

}  // namespace nlb
