// SPDX-License-Identifier: Apache-2.0
// A Windows NLB cluster in OpenNLB's terms, with the remarks that belong to each part.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/config.hh"
#include "import/import.hh"
#include "import/source_object.hh"

namespace nlb::import {

struct WindowsRule {
  PortRule rule;
  std::string place;
  bool of_whole_cluster = false;     // exported without a node: each host gets it
  bool without_priority = false;     // mode single, and the export says no handling priority
  std::vector<std::string> remarks;  // written above the rule
};

struct WindowsHost {
  std::string name, full_name;  // "" = not exported
  std::string scope;            // of an unattend file
  HostId id = 0;
  std::string place;
  std::string interface;  // as Windows calls it
  InitialState initial_state = InitialState::started;
  std::vector<InitialState> persist = {InitialState::suspended};
  std::vector<std::string> dedicated;
  std::vector<WindowsRule> rules;
  std::vector<Note> notes;
};

struct WindowsCluster {
  std::string name;          // as it will be
  std::string windows_name;  // as it was
  std::vector<Vip> vips;     // the primary first
  ClusterMode mode = ClusterMode::unicast;
  std::optional<uint32_t> period_ms, tolerance;  // when the administrator had tuned them
  std::vector<WindowsHost> hosts;                // by id
  std::vector<Note> notes;
};

[[nodiscard]] std::vector<WindowsCluster> read_clusters(const std::vector<SourceObject>& objects,
                                                        const Options& options,
                                                        std::vector<ConfigProblem>& problems);

// nullopt, with a problem, when it cannot be read. Notes are about what the rule's export says besides.
[[nodiscard]] std::optional<WindowsRule> read_rule(const SourceObject& object, std::vector<Note>& notes,
                                                   std::vector<ConfigProblem>& problems);

[[nodiscard]] std::string document_of(const WindowsCluster& cluster, const WindowsHost& host,
                                      const Options& options, std::vector<Note>& notes);

}  // namespace nlb::import
