// SPDX-License-Identifier: Apache-2.0
// Files that are there as a whole, or not at all, after a power loss.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hh"

namespace nlb {

// Beside the file, and onto it by put_in_place(); on the disk when it returns. With `like`, owner (where that
// is possible) and mode are those of that file. The message names the path.
[[nodiscard]] Result<void> write_beside(const std::string& path, std::string_view text,
                                        const std::string& like = "");
[[nodiscard]] Result<void> put_in_place(const std::string& from, const std::string& to);
// Both: `path` is the former text or the new one.
[[nodiscard]] Result<void> write_durably(const std::string& path, std::string_view text);

}  // namespace nlb
