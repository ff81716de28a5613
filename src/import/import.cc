// SPDX-License-Identifier: Apache-2.0
#include "import/import.hh"

#include "control/config_file.hh"
#include "import/windows_cluster.hh"

namespace nlb::import {
namespace {

// What nlbd would say to the file; with the file's own lines these say nothing to the reader of an export.
void check(const HostConfiguration& host, std::vector<ConfigProblem>& problems) {
  const auto parsed = parse_config(host.text, host.file_name);
  if (parsed) return;
  for (const auto& problem : parsed.error())
    problems.push_back({host.file_name, 0, "would be refused by nlbd: " + problem.message});
}

void check_interface_keys(const std::vector<WindowsCluster>& clusters, const Options& options,
                          std::vector<ConfigProblem>& problems) {
  for (const auto& [key, name] : options.interfaces) {
    bool known = false;
    for (const auto& cluster : clusters)
      for (const auto& host : cluster.hosts)
        known = known || key == std::to_string(host.id) || (!host.name.empty() && same_word(key, host.name));
    if (!known)
      problems.push_back({"--interface " + key + "=" + name, 0, "no host of this name or id was read"});
  }
}

}  // namespace

tl::expected<std::vector<HostConfiguration>, std::vector<ConfigProblem>> import_cluster(
    const std::vector<SourceFile>& files, const Options& options) {
  std::vector<ConfigProblem> problems;
  std::vector<SourceObject> objects;
  for (const SourceFile& file : files) {
    auto read = read_objects(file.bytes, file.name);
    if (read)
      objects.insert(objects.end(), read->begin(), read->end());
    else
      problems.push_back(read.error());
  }
  if (!problems.empty()) return tl::unexpected(problems);
  const auto clusters = read_clusters(objects, options, problems);
  check_interface_keys(clusters, options, problems);
  std::vector<HostConfiguration> result;
  if (problems.empty())
    for (const WindowsCluster& cluster : clusters)
      for (const WindowsHost& host : cluster.hosts) {
        HostConfiguration one{cluster.name, host.name, host.id, "", "", {}};
        one.file_name = cluster.name + ".host" + std::to_string(host.id) + ".toml";
        one.text = document_of(cluster, host, options, one.notes);
        check(one, problems);
        result.push_back(std::move(one));
      }
  if (!problems.empty()) return tl::unexpected(problems);
  return result;
}

}  // namespace nlb::import
