// SPDX-License-Identifier: Apache-2.0
// A Windows NLB cluster, as its own tools export it, becomes one configuration of nlbd for each host. What
// cannot be carried over, or was not exported, is said in the file and in the notes; what is wrong in an
// export is a problem with its line, and then nothing is written. Nothing is guessed in silence.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "control/config_problem.hh"
#include "core/config.hh"

namespace nlb::import {

struct SourceFile {
  std::string name, bytes;
};

struct Options {
  std::string cluster_name;         // "" = as Windows calls it
  std::optional<ClusterMode> mode;  // for exports that give the mode as a number
  std::string interface;            // of hosts that `interfaces` does not name; "" = to be filled in
  std::map<std::string, std::string> interfaces;  // by node name or host id
};

struct Note {
  std::string place;  // FILE:LINE, or "" when it is about something that is not there
  std::string text;
};

struct HostConfiguration {
  std::string cluster, node;  // node "" = not exported
  HostId id = 0;
  std::string file_name;  // CLUSTER.hostID.toml
  std::string text;
  std::vector<Note> notes;
};

// What stands for an interface that has no name on Linux yet; nlbd refuses to start with it.
inline constexpr const char* kInterfaceToFillIn = "change-me";

// All problems found, not only the first.
[[nodiscard]] tl::expected<std::vector<HostConfiguration>, std::vector<ConfigProblem>> import_cluster(
    const std::vector<SourceFile>& files, const Options& options);

}  // namespace nlb::import
