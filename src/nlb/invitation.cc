// SPDX-License-Identifier: Apache-2.0
#include "nlb/invitation.hh"

#include <net/if.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/limits.hh"
#include "control/config_file.hh"
#include "control/config_lines.hh"
#include "control/config_text.hh"
#include "control/control.hh"
#include "control/durable_file.hh"
#include "control/secret_file.hh"
#include "control/toml_document.hh"
#include "nlb/json_field.hh"
#include "nlb/output.hh"

namespace nlb {
namespace {

using Json = nlohmann::json;
constexpr std::string_view kPrefix = "onlb1-";
constexpr std::size_t kCheckBytes = 6;

// Base 64 that a shell and an URL leave alone.
std::string encoded(std::string_view bytes) {
  std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(size));
  std::replace(out.begin(), out.end(), '+', '_');
  std::replace(out.begin(), out.end(), '/', '.');
  return out;
}

Result<std::string> decoded(std::string text) {
  std::replace(text.begin(), text.end(), '_', '+');
  std::replace(text.begin(), text.end(), '.', '/');
  std::string out(text.size(), '\0');
  const int size =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  const auto padding = static_cast<std::size_t>(std::count(text.begin(), text.end(), '='));
  if (size < 0 || static_cast<std::size_t>(size) < padding) return fail("this is no invitation", kUsage);
  out.resize(static_cast<std::size_t>(size) - padding);
  return out;
}

std::string check_of(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &length, EVP_sha256(), nullptr);
  return {reinterpret_cast<const char*>(digest), kCheckBytes};
}

HostId free_id(const Json& query) {
  const auto& known = list_field(query, "known");
  for (HostId id = 1; id <= kMaxHosts; ++id) {
    const auto is_it = [&](const Json& member) { return number_field(member, "id") == id; };
    if (std::none_of(known.begin(), known.end(), is_it)) return id;
  }
  return 0;
}

int section_line(const TomlNode& document, const char* name) {
  const auto* section = document.find(name);
  return section == nullptr ? 0 : section->line;
}

}  // namespace

std::string token_of(const Invitation& invitation) {
  const std::string json =
      Json{{"id", invitation.id}, {"config", invitation.config}, {"keys", invitation.keys}}.dump();
  return std::string(kPrefix) + encoded(check_of(json) + json);
}

Result<Invitation> read_token(std::string_view token) {
  while (!token.empty() && (token.back() == '\n' || token.back() == ' ')) token.remove_suffix(1);
  if (!token.starts_with("onlb"))
    return fail("this is no invitation; `nlb invite` on a member prints one", kUsage);
  if (!token.starts_with(kPrefix)) return fail("an invitation of another version of nlb", kUsage);
  const auto bytes = decoded(std::string(token.substr(kPrefix.size())));
  if (!bytes) return tl::unexpected(bytes.error());
  const auto text = std::string_view(*bytes).substr(std::min(kCheckBytes, bytes->size()));
  if (bytes->size() < kCheckBytes || encoded(*bytes) != token.substr(kPrefix.size()) ||
      check_of(text) != bytes->substr(0, kCheckBytes))
    return fail("the invitation was cut or changed on its way", kUsage);
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return fail("this is no invitation", kUsage);
  Invitation invitation{static_cast<HostId>(number_field(json, "id")), field(json, "config"),
                        field(json, "keys")};
  // Not by field(): it takes line breaks for control characters.
  invitation.config = json.value("config", "");
  invitation.keys = json.value("keys", "");
  return invitation;
}

Result<std::string> config_for_guest(const Invitation& invitation, const std::string& interface,
                                     const std::string& key_file) {
  const auto document = parse_toml(invitation.config);
  if (!document) return fail("the invitation's configuration is not TOML", kUsage);
  const int host = section_line(*document, "host"), cluster = section_line(*document, "cluster");
  if (host == 0 || cluster == 0)
    return fail("the invitation's configuration has no [cluster] or [host]", kUsage);
  ConfigLines lines(invitation.config);
  // The later section first: an added line moves what is behind it.
  const auto set_host = [&] {
    lines.set(host, "id", std::to_string(invitation.id));
    if (!interface.empty()) lines.set(host, "interface", quoted_toml(interface));
  };
  if (host > cluster) set_host();
  lines.set(cluster, "key_file", quoted_toml(key_file));
  if (host < cluster) set_host();
  const std::string text = lines.text();
  const auto parsed = parse_config(text, "the new host's configuration");
  if (!parsed) return fail(parsed.error().front().text(), kFailed);
  if (parsed->config.id != invitation.id || (!interface.empty() && parsed->config.interface != interface))
    return fail("the configuration is written in a way that a program cannot change safely; copy it by hand",
                kFailed);
  return text;
}

Result<Json> invite(const Invocation& invocation) {
  const auto socket = socket_of(invocation);
  if (!socket) return tl::unexpected(socket.error());
  const auto params = ask(*socket, {{"command", "params"}});
  const auto query = ask(*socket, {{"command", "query"}});
  if (!params) return tl::unexpected(params.error());
  if (!query) return tl::unexpected(query.error());
  Invitation invitation;
  invitation.id = invocation.host_id != 0 ? static_cast<HostId>(invocation.host_id) : free_id(*query);
  if (invitation.id == 0) return fail("all 64 host ids are taken; `nlb forget ID` frees one", kFailed);
  const auto file = field(*params, "file");
  const auto key_file = field(object_field(object_field(*params, "in_force"), "cluster"), "key_file");
  auto config = read_config_text(file);
  if (!config) return tl::unexpected(config.error().within(file));
  const auto keys = read_secret_file(key_file, SecretOwner::any_to_root);
  if (!keys) return fail(key_file + ": " + keys.error().message + "; run nlb as root", kNotPermitted);
  invitation.config = *config;
  invitation.keys = std::string(keys->text());
  Json answer = {{"schema", 1}, {"host", invitation.id}, {"token", token_of(invitation)}};
  OPENSSL_cleanse(invitation.keys.data(), invitation.keys.size());
  std::cerr << "For host " << +invitation.id
            << ": there, `nlb join - --interface NAME` reads this from standard input.\n"
            << "It holds the cluster's key: whoever has it can speak as a host.\n";
  answer["message"] = answer["token"];
  return answer;
}

Result<Json> join(const Invocation& invocation) {
  std::string token = invocation.token;
  if (token == "-") std::getline(std::cin, token);
  auto invitation = read_token(token);
  if (!invitation) return tl::unexpected(invitation.error());
  if (invocation.host_id != 0) invitation->id = static_cast<HostId>(invocation.host_id);
  const auto parsed = parse_config(invitation->config, "the invitation");
  if (!parsed) return fail(parsed.error().front().text(), kUsage);
  const std::string base = invocation.directory + "/" + parsed->config.name;
  const std::string file = base + ".toml", key_file = base + ".key";
  const auto text = config_for_guest(*invitation, invocation.interface, key_file);
  if (!text) return tl::unexpected(text.error());
  const auto ready = parse_config(*text, file);
  if (ready && if_nametoindex(ready->config.interface.c_str()) == 0)
    return fail("there is no interface " + ready->config.interface + " here; name one with --interface",
                kUsage);
  for (const auto& path : {file, key_file})
    if (std::filesystem::exists(path))
      return fail(path + " is there already; it is not written over", kFailed);
  SecretText keys;
  keys.buffer() = invitation->keys;
  OPENSSL_cleanse(invitation->keys.data(), invitation->keys.size());
  if (auto written = create_secret_file(key_file, keys); !written) return tl::unexpected(written.error());
  const auto undo = [&](const Error& error) -> Result<Json> {
    ::unlink(key_file.c_str());
    ::unlink(file.c_str());
    return tl::unexpected(Error{error.message, kFailed});
  };
  if (auto written = write_durably(file, *text); !written) return undo(written.error());
  if (const auto judged = read_config(file); !judged) return undo({judged.error().front().text(), kFailed});
  if (auto given = give_to_daemon(key_file); !given) return undo(given.error());
  return Json{{"schema", 1},
              {"host", invitation->id},
              {"file", file},
              {"message", file + " and " + key_file + " written for host " + std::to_string(invitation->id) +
                              ". Start nlbd: systemctl enable --now nlbd@" + parsed->config.name}};
}

}  // namespace nlb
