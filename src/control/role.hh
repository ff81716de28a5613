// SPDX-License-Identifier: Apache-2.0
// Who asks on the control socket, and what he may. The kernel says who (SO_PEERCRED, SO_PEERGROUPS), once,
// right after accept; the configuration's [control] says what: names of users, or of groups with an @ before
// them.
#pragma once

#include <sys/types.h>

#include <set>
#include <string>
#include <vector>

#include "base/result.hh"

namespace nlb {

enum class Role { read, operate, admin };  // each may what those before it may
[[nodiscard]] const char* name_of(Role role);

struct Peer {
  uid_t user = 0;
  pid_t process = 0;
  Role role = Role::read;
  [[nodiscard]] bool may(Role wanted) const { return role >= wanted; }
  [[nodiscard]] std::string text() const;  // "user 1000, process 4711"
};
// The role that a command of the control socket needs.
[[nodiscard]] Role role_for(const std::string& command);
// What he is told: who may, and how he becomes one of them.
[[nodiscard]] std::string refusal_of(const std::string& command, Role wanted, const Peer& peer);

// Root and the daemon's own user are always admins; whom nobody names may read.
class Roles {
 public:
  Roles() = default;
  // Fails for a name that this system does not know.
  [[nodiscard]] static Result<Roles> of(const std::vector<std::string>& operators,
                                        const std::vector<std::string>& admins);
  // The peer of a connected socket; a peer of whom the kernel says nothing may read.
  [[nodiscard]] Peer peer_of(int fd) const;

 private:
  struct Named {
    std::set<uid_t> users;
    std::set<gid_t> groups;
    [[nodiscard]] bool holds(uid_t user, const std::vector<gid_t>& groups_of_peer) const;
  };
  static Result<Named> named(const std::vector<std::string>& names);
  Named operators_, admins_;
};

}  // namespace nlb
