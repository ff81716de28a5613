// SPDX-License-Identifier: Apache-2.0
// nlb import: exports of a Windows NLB cluster in, one configuration a host out. All files are written or
// none, and never over an existing one.

#include <filesystem>
#include <fstream>

#include "control/config_json.hh"
#include "control/config_text.hh"
#include "control/config_values.hh"
#include "import/import.hh"
#include "nlb/commands.hh"
#include "nlb/json_field.hh"
#include "nlb/output.hh"

namespace nlb {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

Result<import::Options> options_of(const Invocation& invocation) {
  import::Options options;
  options.cluster_name = invocation.name;
  if (!invocation.name.empty() && !is_cluster_name(invocation.name))
    return fail("--name " + invocation.name + ": allowed: 1 to 32 letters, digits, \"-\" and \"_\"", kUsage);
  for (const auto mode : {ClusterMode::unicast, ClusterMode::multicast, ClusterMode::igmp})
    if (invocation.mode == name_of(mode)) options.mode = mode;
  for (const auto& word : invocation.interfaces) {
    const auto equals = word.find('=');
    const auto interface = equals == std::string::npos ? word : word.substr(equals + 1);
    if (!is_interface_name(interface))
      return fail("--interface " + word + ": allowed: NAME or HOST=NAME, with the name of an interface",
                  kUsage);
    if (equals == std::string::npos)
      options.interface = interface;
    else
      options.interfaces[word.substr(0, equals)] = interface;
  }
  return options;
}

Result<std::vector<import::SourceFile>> read_files(const std::vector<std::string>& paths) {
  std::vector<import::SourceFile> files;
  for (const auto& path : paths) {
    auto bytes = read_config_text(path);
    if (!bytes) return fail(path + ": " + bytes.error().message, kFailed);
    files.push_back({path, std::move(*bytes)});
  }
  return files;
}

Result<void> write_file(const fs::path& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  file.close();
  if (file) return {};
  return fail(path.string() + ": cannot be written", kFailed);
}

Result<void> write_all(const std::vector<import::HostConfiguration>& hosts, const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) return fail(directory.string() + ": " + error.message(), kFailed);
  for (const auto& host : hosts)
    if (fs::exists(fs::symlink_status(directory / host.file_name, error)))
      return fail((directory / host.file_name).string() + " is there already; nothing was written", kFailed);
  for (const auto& host : hosts)
    if (auto written = write_file(directory / host.file_name, host.text); !written) return written;
  return {};
}

json document_of(const std::vector<import::HostConfiguration>& hosts, const fs::path& directory) {
  json files = json::array();
  for (const auto& host : hosts) {
    json notes = json::array();
    for (const auto& note : host.notes) notes.push_back({{"place", note.place}, {"text", note.text}});
    files.push_back({{"file", (directory / host.file_name).string()},
                     {"cluster", host.cluster},
                     {"host", host.id},
                     {"node", host.node},
                     {"notes", notes}});
  }
  return {{"schema", 1}, {"files", files}};
}

// The notes stand in the files; here only how many there are.
std::string render_import(const json& answer, const Style& style) {
  TextTable table({"File", "Host", "Node", "To be looked at"});
  for (const auto& file : list_field(answer, "files"))
    table.add({field(file, "file"), field(file, "host"), field(file, "node"),
               std::to_string(list_field(file, "notes").size()) + " notes at its top"});
  return table.text(style) +
         "Read the notes, then put each file on its host as /etc/opennlb/CLUSTER.toml and run nlbd "
         "--check-config there.\n";
}

}  // namespace

int run_import(const Invocation& invocation, const Style& style) {
  const auto options = options_of(invocation);
  if (!options) return print_failure(invocation, options.error());
  const auto files = read_files(invocation.words);
  if (!files) return print_failure(invocation, files.error());
  const auto hosts = import::import_cluster(*files, *options);
  if (!hosts) return print_failure(invocation, {text_of(hosts.error()), kUsage});
  const fs::path directory = invocation.file.empty() ? "." : invocation.file;
  if (auto written = write_all(*hosts, directory); !written)
    return print_failure(invocation, written.error());
  return print_answer(invocation, style, document_of(*hosts, directory), render_import);
}

}  // namespace nlb
