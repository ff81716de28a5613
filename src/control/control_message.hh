// SPDX-License-Identifier: Apache-2.0
// The messages of the control socket without the socket: a line in, a line out.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/result.hh"
#include "control/control.hh"

namespace nlb {

[[nodiscard]] nlohmann::json error_answer(const std::string& message, int exit);
// One line with its end; text that is no UTF-8 is replaced.
[[nodiscard]] std::string to_line(const nlohmann::json& message);
// The server's half: any line is answered, whatever the handler makes of it.
[[nodiscard]] std::string answer_line(std::string_view line, const ControlServer::Handler& handler,
                                      const Peer& peer);
// Whether the line is a request of which this holds.
[[nodiscard]] bool request_is(std::string_view line, const ControlServer::Waits& waits);
// The client's half: what a daemon answered, or its error with the exit code. `path` is for messages.
[[nodiscard]] Result<nlohmann::json> read_answer(const std::string& text, const std::string& path);

}  // namespace nlb
