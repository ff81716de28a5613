// SPDX-License-Identifier: Apache-2.0
// One change of port rules or VIPs in the text of a configuration file, as a person would make it: comments,
// order and blank lines stay. Line by line, not by writing the parsed file anew; hence the result is parsed
// and must differ from the former in what was asked for alone, else nothing is changed and the person is sent
// to the file.
//
// A change is JSON, the same for the command line, the control socket and between hosts:
//   {"op":"rule-add","rule":{"ports":"80","protocol":"tcp",…}}      keys of [[port_rule]]
//   {"op":"rule-set","select":S,"set":{"weight":30,…}}
//   {"op":"rule-remove","select":S}
//   {"op":"weight","weight":30,"select":S}                          without S: every rule of mode multiple
//   {"op":"vip-add","address":"10.77.0.101/24"}   {"op":"vip-remove","address":"10.77.0.101"}
// S = {"ports":"80","vip":"all","protocol":"tcp"}: "N" any rule that holds the port, "N-M" the rule of just
// this range; vip and protocol only where they are needed to tell rules apart.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/result.hh"

namespace nlb {

// The new text. `path` is for messages. Touches no file. Error::code: 1, or 2 for a change that is none.
[[nodiscard]] Result<std::string> edit_config(const std::string& text, const std::string& path,
                                              const nlohmann::json& change);
// "add port rule all:80 tcp", for events and messages.
[[nodiscard]] std::string text_of_change(const nlohmann::json& change);

}  // namespace nlb
