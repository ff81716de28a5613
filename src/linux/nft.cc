// SPDX-License-Identifier: Apache-2.0
#include "linux/nft.hh"

#include <fmt/format.h>
#include <nftables/libnftables.h>

#include <cctype>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <sstream>

namespace nlb::nft {
namespace {

using Context = std::unique_ptr<nft_ctx, decltype(&nft_ctx_free)>;

std::string trimmed(const std::string& line) {
  const auto first = line.find_first_not_of(" \t");
  const auto last = line.find_last_not_of(" \t");
  return first == std::string::npos ? "" : line.substr(first, last - first + 1);
}

std::vector<std::string> split_elements(std::string text) {
  for (char& c : text)
    if (c == ',' || c == '{' || c == '}' || c == '=') c = ' ';
  std::istringstream words(text);
  std::vector<std::string> elements;
  for (std::string word; words >> word;)
    if (word != "elements") elements.push_back(word);
  return elements;
}

}  // namespace

// One command buffer = one transaction.
Result<std::string> run(const std::string& commands) {
  Context context(nft_ctx_new(NFT_CTX_DEFAULT), nft_ctx_free);
  if (!context) return fail("nftables: out of memory", ENOMEM);
  nft_ctx_buffer_output(context.get());
  nft_ctx_buffer_error(context.get());
  nft_ctx_output_set_flags(context.get(), NFT_CTX_OUTPUT_STATELESS | NFT_CTX_OUTPUT_NUMERIC_PRIO);
  if (nft_run_cmd_from_buffer(context.get(), commands.c_str()) == 0) {
    const char* printed = nft_ctx_get_output_buffer(context.get());
    return std::string(printed ? printed : "");
  }
  const int error = errno;
  // The first line says what; those that follow point at the place in the command.
  std::string words = nft_ctx_get_error_buffer(context.get());
  words = words.substr(0, words.find('\n'));
  return fail("nftables: " + words, error);
}

bool says(const Error& error, const char* words) {
  return error.message.find(words) != std::string::npos;
}

std::string tag(const std::string& rule) {
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : rule) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return fmt::format("opennlb {:016x}", hash);
}

std::string identifier(const std::string& prefix, const std::string& interface) {
  std::string name = prefix;
  for (const char c : interface) {
    if (std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.')
      name += c;
    else
      name += fmt::format("/{:02x}", static_cast<unsigned char>(c));
  }
  return name;
}

// The printed form: "type filter hook …" for a chain, "elements = { …" over one or more lines for a set, and
// one line for each rule, all of them with our comment or they are not ours.
Listing parse_listing(const std::string& text) {
  Listing listing;
  std::istringstream lines(text);
  bool in_elements = false, in_chain = false;
  std::string set;
  for (std::string raw; std::getline(lines, raw);) {
    const std::string line = trimmed(raw);
    if (line.starts_with("set ") && line.ends_with(" {")) set = line.substr(4, line.size() - 6);
    if (line.starts_with("elements =")) in_elements = true;
    if (in_elements) {
      for (auto& element : split_elements(line)) listing.elements[set].push_back(element);
      if (line.ends_with("}")) in_elements = false;
    } else if (line.starts_with("flags dormant")) {
      listing.dormant = true;
    } else if (line.starts_with("chain ")) {
      in_chain = true;
    } else if (line == "}") {
      in_chain = false;
    } else if (in_chain && line.starts_with("type ")) {
      listing.hooks.push_back(line);
    } else if (in_chain && !line.empty()) {
      const auto at = line.find(" comment \"");
      listing.rule_tags.push_back(at == std::string::npos ? line
                                                          : line.substr(at + 10, line.size() - at - 11));
    }
  }
  return listing;
}

}  // namespace nlb::nft
