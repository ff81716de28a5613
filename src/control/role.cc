// SPDX-License-Identifier: Apache-2.0
#include "control/role.hh"

#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace nlb {
namespace {

std::vector<gid_t> groups_of(int fd, gid_t primary) {
  std::vector<gid_t> groups(256);
  auto bytes = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &bytes) != 0) bytes = 0;
  groups.resize(bytes / sizeof(gid_t));
  groups.push_back(primary);
  return groups;
}

}  // namespace

const char* name_of(Role role) {
  constexpr const char* names[] = {"read", "operate", "admin"};
  return names[static_cast<std::size_t>(role)];
}

Role role_for(const std::string& command) {
  constexpr std::array operating = {"start",  "stop",   "drainstop", "suspend",
                                    "resume", "enable", "disable",   "drain"};
  constexpr std::array administering = {"reload", "change", "forget"};
  const auto is_one_of = [&](const auto& names) {
    return std::find(names.begin(), names.end(), command) != names.end();
  };
  return is_one_of(operating) ? Role::operate : is_one_of(administering) ? Role::admin : Role::read;
}

std::string Peer::text() const {
  return "user " + std::to_string(user) + ", process " + std::to_string(process);
}

std::string refusal_of(const std::string& command, Role wanted, const Peer& peer) {
  return "`" + command + "` needs the role " + name_of(wanted) + ", and user " + std::to_string(peer.user) +
         " has " + name_of(peer.role) +
         ": root and the daemon's own user may; others are named by [control] " +
         (wanted == Role::operate ? "operators" : "admins") + " of the configuration";
}

bool Roles::Named::holds(uid_t user, const std::vector<gid_t>& groups_of_peer) const {
  return users.contains(user) || std::any_of(groups_of_peer.begin(), groups_of_peer.end(),
                                             [&](gid_t group) { return groups.contains(group); });
}

Result<Roles::Named> Roles::named(const std::vector<std::string>& names) {
  Named named;
  for (const std::string& name : names) {
    const bool is_group = name.starts_with("@");
    const passwd* user = is_group ? nullptr : ::getpwnam(name.c_str());
    const group* all = is_group ? ::getgrnam(name.c_str() + 1) : nullptr;
    if (user == nullptr && all == nullptr)
      return fail("[control] names \"" + name +
                      "\", which this system does not know; allowed: the name of a " +
                      "user, or of a group with @ before it",
                  2);
    if (user != nullptr) named.users.insert(user->pw_uid);
    if (all != nullptr) named.groups.insert(all->gr_gid);
  }
  return named;
}

Result<Roles> Roles::of(const std::vector<std::string>& operators, const std::vector<std::string>& admins) {
  auto operating = named(operators);
  if (!operating) return tl::unexpected(operating.error());
  auto administering = named(admins);
  if (!administering) return tl::unexpected(administering.error());
  Roles roles;
  roles.operators_ = std::move(*operating);
  roles.admins_ = std::move(*administering);
  return roles;
}

Peer Roles::peer_of(int fd) const {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
    return {static_cast<uid_t>(-1), 0, Role::read};
  const auto groups = groups_of(fd, credentials.gid);
  Peer peer{credentials.uid, credentials.pid, Role::read};
  if (operators_.holds(peer.user, groups)) peer.role = Role::operate;
  if (admins_.holds(peer.user, groups) || peer.user == 0 || peer.user == ::geteuid()) peer.role = Role::admin;
  return peer;
}

}  // namespace nlb
