// SPDX-License-Identifier: Apache-2.0
// nftables as text in and text out, by libnftables: one call is one transaction. Every rule carries a tag
// made of its text, so that a rule that was taken away, or replaced by another, is missed when the table is
// read back.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.hh"

namespace nlb::nft {

// What nft printed. The message is nft's own first line.
[[nodiscard]] Result<std::string> run(const std::string& commands);
// libnftables prints the errno's text and keeps the number to itself.
[[nodiscard]] bool says(const Error& error, const char* words);

// The tag by which a rule is known when it is read back: it changes with the rule's text.
[[nodiscard]] std::string tag(const std::string& rule);
// An interface's name as part of an identifier: characters that one may not have are written /XX, and '/'
// itself is in no interface name.
[[nodiscard]] std::string identifier(const std::string& prefix, const std::string& interface);

// What a table's listing says, as far as we wrote it; what several chains hold follows each other.
struct Listing {
  bool dormant = false;
  std::vector<std::string> hooks, rule_tags;
  std::map<std::string, std::vector<std::string>> elements;  // by set
};
[[nodiscard]] Listing parse_listing(const std::string& text);

}  // namespace nlb::nft
