// SPDX-License-Identifier: Apache-2.0
#include "vmswitch/switch_config.hh"

#include <algorithm>
#include <deque>
#include <filesystem>
#include <map>

#include "control/config_section.hh"
#include "control/config_text.hh"
#include "vmswitch/config_agreement.hh"
#include "vmswitch/config_sections.hh"

namespace nlb::vmswitch {
namespace {

namespace fs = std::filesystem;

// Bounds of the kernel's maps are bounds of the file.
constexpr std::size_t kMaxSwitches = 64, kMaxClusters = 256, kMaxPorts = 1024;

// A file with its tree and its problems; sections refer to both.
struct OpenFile {
  explicit OpenFile(const ConfigText& source) : problems(source.path) {
    auto parsed = parse_toml(source.text);
    if (parsed) {
      document = std::move(*parsed);
    } else {
      problems.add(std::max(1, parsed.error().line), parsed.error().message);
    }
  }
  TomlNode document;
  ProblemList problems;
  [[nodiscard]] bool is_toml() const { return document.kind == TomlNode::Kind::table; }
};

// One [[port]] as one file has it, before the files are laid over each other.
struct PortTable {
  const TomlNode* table;
  ProblemList* problems;
  std::string vm, adapter;
};

std::string text_at(const TomlNode& table, std::string_view key) {
  const auto* node = table.find(key);
  return node != nullptr && node->kind == TomlNode::Kind::text ? node->text : "";
}

std::vector<PortTable> port_tables(const std::vector<const TomlNode*>& tables, ProblemList& problems) {
  std::vector<PortTable> result;
  for (const auto* table : tables)
    result.push_back({table, &problems, text_at(*table, "vm"), text_at(*table, "adapter")});
  return result;
}

void limit(std::vector<const TomlNode*>& tables, std::size_t most, const char* header,
           ProblemList& problems) {
  if (tables.size() <= most) return;
  problems.add(tables[most]->line, "there are " + std::to_string(tables.size()) + " " + header +
                                       "; allowed: up to " + std::to_string(most));
  tables.resize(most);
}

class Reader {
 public:
  Reader(const ConfigText& main, const std::vector<ConfigText>& overrides) {
    files_.emplace_back(main);
    for (const auto& text : overrides) files_.emplace_back(text);
  }

  SwitchConfigResult read() {
    read_main();
    for (std::size_t i = 1; i < files_.size(); ++i) read_override(files_[i]);
    for (const auto& port : ports_) declare_port(port.first, port.second);
    reject_contradictions(declared_);
    std::vector<ConfigProblem> all;
    for (const auto& file : files_)
      for (auto& problem : file.problems.sorted()) all.push_back(problem);
    if (!all.empty()) return tl::unexpected(all);
    return finished();
  }

 private:
  void read_main() {
    auto& file = files_.front();
    if (!file.is_toml()) return;
    ConfigSection root(file.document, "the file", file.problems);
    auto switches = root.tables("switch", "[[switch]]");
    auto clusters = root.tables("cluster", "[[cluster]]");
    auto ports = root.tables("port", "[[port]]");
    root.reject_unknown_keys();
    limit(switches, kMaxSwitches, "[[switch]]", file.problems);
    limit(clusters, kMaxClusters, "[[cluster]]", file.problems);
    limit(ports, kMaxPorts, "[[port]]", file.problems);
    if (switches.empty() && !root.has("switch"))
      file.problems.add(1, "there is no [[switch]]; allowed: one for each bridge that is to be guarded");
    for (const auto* table : switches) {
      ConfigSection section(*table, "[[switch]]", file.problems);
      auto what = read_switch(section);
      declared_.switches.push_back({std::move(what), section});
    }
    for (const auto* table : clusters) {
      ConfigSection section(*table, "[[cluster]]", file.problems);
      auto what = read_declared_cluster(section);
      declared_.clusters.push_back({std::move(what), section});
    }
    for (auto& port : port_tables(ports, file.problems)) ports_.push_back({port, std::nullopt});
  }

  // A file of vmswitch.d speaks of one VM, the one that it is named after.
  void read_override(OpenFile& file) {
    if (!file.is_toml()) return;
    ConfigSection root(file.document, "a file of vmswitch.d", file.problems);
    const auto tables = root.tables("port", "[[port]]");
    root.reject_unknown_keys();
    const std::string vm = fs::path(file.problems.file()).stem().string();
    std::vector<std::string> seen;
    for (auto& port : port_tables(tables, file.problems)) {
      if (port.vm != vm) {
        const auto* node = port.table->find("vm");
        file.problems.add(
            node != nullptr ? node->line : port.table->line,
            "vm is \"" + port.vm + "\"; allowed here: \"" + vm + "\", the VM that the file is named after");
      } else if (std::find(seen.begin(), seen.end(), port.adapter) != seen.end()) {
        file.problems.add(port.table->line, "vm \"" + vm +
                                                "\" has a [[port]] for this adapter already; allowed: one "
                                                "[[port]] for each adapter");
      } else {
        seen.push_back(port.adapter);
        lay_over(port);
      }
    }
  }

  void lay_over(const PortTable& top) {
    std::vector<Layered*> same_vm, same_adapter;
    for (auto& port : ports_) {
      if (port.first.vm != top.vm) continue;
      same_vm.push_back(&port);
      if (port.first.adapter == top.adapter) same_adapter.push_back(&port);
    }
    const auto& found = same_adapter.empty() && top.adapter.empty() ? same_vm : same_adapter;
    if (found.size() == 1) {
      found.front()->second = top;
    } else if (found.empty()) {
      ports_.push_back({top, std::nullopt});
    } else {
      std::vector<std::string> names;
      for (const auto* port : found) names.push_back("\"" + port->first.adapter + "\"");
      top.problems->add(top.table->line, "vm \"" + top.vm +
                                             "\" has several adapters, none is named; allowed: also a line "
                                             "adapter = " +
                                             joined(names));
    }
  }

  void declare_port(const PortTable& base, const std::optional<PortTable>& top) {
    ConfigSection section(*base.table, "[[port]]", *base.problems);
    if (top) section.overlay(*top->table, *top->problems);
    auto port = read_port(section);
    port.source =
        section.has("mac_spoofing") ? section.problems_of("mac_spoofing").file() : base.problems->file();
    declared_.ports.push_back({std::move(port), section});
  }

  SwitchConfig finished() const {
    SwitchConfig config;
    config.file = files_.front().problems.file();
    for (const auto& one : declared_.switches) config.switches.push_back(one.what);
    for (const auto& one : declared_.clusters) config.clusters.push_back(one.what);
    for (const auto& one : declared_.ports) config.ports.push_back(one.what);
    return config;
  }

  using Layered = std::pair<PortTable, std::optional<PortTable>>;
  std::deque<OpenFile> files_;  // a deque: sections hold references into it
  std::deque<Layered> ports_;
  Declarations declared_;
};

tl::unexpected<std::vector<ConfigProblem>> unreadable(const std::string& path, const std::string& why) {
  return tl::unexpected(std::vector<ConfigProblem>{{path, 0, why}});
}

}  // namespace

const DeclaredCluster* SwitchConfig::cluster(std::string_view name) const {
  const auto found = std::find_if(clusters.begin(), clusters.end(),
                                  [&](const DeclaredCluster& one) { return one.name == name; });
  return found == clusters.end() ? nullptr : &*found;
}

const GuestPort* SwitchConfig::port_on(std::string_view interface) const {
  const auto found = std::find_if(ports.begin(), ports.end(),
                                  [&](const GuestPort& port) { return port.interface == interface; });
  return found == ports.end() ? nullptr : &*found;
}

SwitchConfigResult parse_switch_config(const ConfigText& main, const std::vector<ConfigText>& overrides) {
  return Reader(main, overrides).read();
}

std::string overrides_directory(const std::string& config_path) {
  return (fs::path(config_path).parent_path() / "vmswitch.d").string();
}

tl::expected<std::vector<ConfigText>, std::vector<ConfigProblem>> read_overrides(
    const std::string& config_path) {
  std::vector<ConfigText> texts;
  const std::string directory = overrides_directory(config_path);
  std::error_code error;
  std::vector<fs::path> paths;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error))
    if (at->path().extension() == ".toml" && !at->path().filename().string().starts_with("."))
      paths.push_back(at->path());
  if (error && error != std::errc::no_such_file_or_directory)
    return unreadable(directory, "cannot be read: " + error.message());
  std::sort(paths.begin(), paths.end());
  for (const auto& path : paths) {
    auto text = read_config_text(path.string());
    if (!text) return unreadable(path.string(), text.error().message);
    texts.push_back({path.string(), std::move(*text)});
  }
  return texts;
}

SwitchConfigResult read_switch_config(const std::string& path) {
  const auto text = read_config_text(path);
  if (!text) return unreadable(path, text.error().message);
  const auto overrides = read_overrides(path);
  if (!overrides) return tl::unexpected(overrides.error());
  return parse_switch_config({path, *text}, *overrides);
}

const char* name_of(UnknownPorts value) {
  constexpr const char* names[] = {"deny", "sticky", "allow"};
  return names[static_cast<std::size_t>(value)];
}
const char* name_of(SwitchPolicy value) {
  constexpr const char* names[] = {"enforce", "audit"};
  return names[static_cast<std::size_t>(value)];
}
const char* name_of(ClusterType value) {
  constexpr const char* names[] = {"nlb", "vrrp", "carp", "macs"};
  return names[static_cast<std::size_t>(value)];
}
const char* name_of(MacSpoofing value) {
  constexpr const char* names[] = {"off", "cluster", "on"};
  return names[static_cast<std::size_t>(value)];
}
const char* name_of(ViolationAction value) {
  constexpr const char* names[] = {"drop", "report", "shutdown"};
  return names[static_cast<std::size_t>(value)];
}

bool is_vm_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && text.front() != '.' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                  c == '_' || c == '.';
         });
}

}  // namespace nlb::vmswitch
