// SPDX-License-Identifier: Apache-2.0
// Which network manager believes that it owns an interface: it may take the VIP off, or set the MAC back,
// whenever it configures anew.
#pragma once

#include <cstdint>
#include <string>

namespace nlb {

struct ManagerFacts {
  bool networkd = false;
  std::string networkd_file;    // the .network file in force
  bool networkd_keeps = false;  // KeepConfiguration=yes: foreign addresses stay
  bool network_manager = false;
  bool network_manager_told = false;  // the file of `nlb netcfg` for this interface is there
  bool certain = true;  // false: an interface of this number is managed, maybe in another network namespace
};

// Managers write down interfaces by number, below a /run that network namespaces may share.
enum class NetworkPlace : uint8_t { managers_own, another, unknown };
[[nodiscard]] NetworkPlace network_place();  // unknown to who may not look at process 1

// What `nlb netcfg` writes: of each cluster of a host its own, and the interface tells them apart.
[[nodiscard]] std::string network_manager_file_of(const std::string& interface);
// `network_file`: the .network file of the interface, without its directory. It may be that of others, too.
[[nodiscard]] std::string networkd_drop_in_of(const std::string& network_file, const std::string& interface);

// `root`: where /run and /etc are found.
[[nodiscard]] ManagerFacts read_managers(const std::string& root, const std::string& interface,
                                         int interface_index, NetworkPlace place);

}  // namespace nlb
