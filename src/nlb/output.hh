// SPDX-License-Identifier: Apache-2.0
// Where answers and failures go: data to standard output, reasons to standard error; with --json a failure is
// a document, too.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/result.hh"
#include "nlb/invocation.hh"
#include "nlb/text_table.hh"

namespace nlb {

using Renderer = std::string (*)(const nlohmann::json& answer, const Style& style);

int print_answer(const Invocation& invocation, const Style& style, const nlohmann::json& answer,
                 Renderer render);
int print_failure(const Invocation& invocation, const Error& error);  // error.code: the exit code
// Where the package's user is, nlbd runs as that one, and root's file would be closed to it.
[[nodiscard]] Result<void> give_to_daemon(const std::string& file);
// The socket that the options name, or the only one of this host.
[[nodiscard]] Result<std::string> socket_of(const Invocation& invocation);

}  // namespace nlb
