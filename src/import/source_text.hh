// SPDX-License-Identifier: Apache-2.0
// Bytes of an exported file as UTF-8 with plain line ends. Windows PowerShell 5 redirects as UTF-16LE with a
// byte order mark, PowerShell 7 as UTF-8 without one, Set-Content -Encoding UTF8 as UTF-8 with one; lines end
// with CR LF.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "control/config_problem.hh"

namespace nlb::import {

// A byte order mark decides; without one the text is UTF-8. Bytes that are neither are a problem with their
// line.
[[nodiscard]] tl::expected<std::string, ConfigProblem> utf8_of(std::string_view bytes,
                                                               const std::string& file);

}  // namespace nlb::import
