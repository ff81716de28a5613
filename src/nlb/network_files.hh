// SPDX-License-Identifier: Apache-2.0
// Drop-ins for what else configures a cluster's interface. nlbd puts the VIPs, the cluster MAC and the
// filters on the interface and looks after them itself; a network manager that configures the interface anew
// takes off what it did not put there.
#pragma once

#include <string>
#include <vector>

#include "core/config.hh"

namespace nlb {

struct NetworkFile {
  std::string path;  // where it belongs; "" = there is nothing to write, and the text says why
  std::string text;
  std::string command;  // that puts it in force
};

// `network_file`: the .network file of the interface, without its directory.
[[nodiscard]] NetworkFile networkd_file(const Config& config, const std::string& network_file);
[[nodiscard]] NetworkFile network_manager_file(const Config& config);
[[nodiscard]] NetworkFile ifupdown_file(const Config& config);

}  // namespace nlb
