// SPDX-License-Identifier: Apache-2.0
#include "vmswitch/switch_config.hh"

#include <algorithm>
#include <deque>
#include <filesystem>
#include <map>

#include "control/config_section.hh"
#include "control/config_text.hh"
#include "control/metrics_section.hh"
#include "vmswitch/config_agreement.hh"
#include "vmswitch/config_sections.hh"
#include "vmswitch/guest_machine.hh"
#include "vmswitch/port_table.hh"

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

// An adapter of a running machine, below what the files say of it. Problems of keys that a file lays over it
// are collected here too, and not with the file: the file alone is good.
struct GuestLayer {
  explicit GuestLayer(const GuestAdapter& of) : adapter(of), own(of.element) {}
  [[nodiscard]] std::vector<ConfigProblem> problems() const {
    auto all = own.sorted();
    for (const auto& list : above)
      for (auto& problem : list.sorted()) all.push_back(problem);
    return all;
  }
  const GuestAdapter& adapter;
  ProblemList own;
  std::deque<ProblemList> above;
};

// One adapter and what lies over it, from the bottom up.
struct Layered {
  PortTable base;
  std::vector<PortTable> over;
  GuestLayer* guest = nullptr;  // whose machine runs; else the files' own
  bool of_override = false;     // vmswitch.d alone declares it
  std::string adapter;
};

class Reader {
 public:
  // `guests` must outlive this.
  Reader(const SwitchTexts& texts, const std::vector<GuestAdapter>& guests) {
    files_.emplace_back(texts.main);
    for (const auto& text : texts.overrides) files_.emplace_back(text);
    for (const auto& guest : guests) guests_.emplace_back(guest);
  }

  SwitchConfigResult read() {
    read_main();
    for (auto& guest : guests_) add_guest(guest);
    for (std::size_t i = 1; i < files_.size(); ++i) read_override(files_[i]);
    for (const auto& port : ports_) declare_port(port);
    reject_contradictions(declared_);
    std::vector<ConfigProblem> all;
    for (const auto& file : files_)
      for (auto& problem : file.problems.sorted()) all.push_back(problem);
    for (const auto& guest : guests_)
      for (auto& problem : guest.problems()) all.push_back(problem);
    if (!all.empty()) return tl::unexpected(all);
    return finished();
  }
  // In the order in which they were given.
  [[nodiscard]] const std::deque<GuestLayer>& guests() const { return guests_; }

 private:
  void read_main() {
    auto& file = files_.front();
    if (!file.is_toml()) return;
    ConfigSection root(file.document, "the file", file.problems);
    auto switches = root.tables("switch", "[[switch]]");
    auto clusters = root.tables("cluster", "[[cluster]]");
    auto ports = root.tables("port", "[[port]]");
    read_metrics(root);
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
    for (auto& port : port_tables(ports, file.problems))
      ports_.push_back({port, {}, nullptr, false, port.adapter});
  }

  void read_metrics(ConfigSection& root) {
    const auto* node = root.any("metrics");
    if (node == nullptr) return;
    if (node->kind != TomlNode::Kind::table)
      return root.complain("metrics", "must be the section [metrics], not " + node->describe());
    ConfigSection section(*node, "[metrics]", root.problems());
    metrics_listen_ = read_metrics_listen(section);
  }

  // Under the main file's [[port]] of the same adapter; a VM with one adapter need not name it there.
  void add_guest(GuestLayer& guest) {
    const auto& adapter = guest.adapter;
    const PortTable table{&adapter.table, &guest.own, adapter.vm, adapter.adapter};
    const auto machine_has = std::count_if(guests_.begin(), guests_.end(), [&](const GuestLayer& other) {
      return other.adapter.vm == adapter.vm;
    });
    for (auto& port : ports_) {
      const bool nameless = port.adapter.empty() && machine_has == 1;
      if (port.guest != nullptr || port.base.vm != adapter.vm) continue;
      if (port.adapter != adapter.adapter && !nameless) continue;
      const PortTable top = std::exchange(port.base, table);
      port.guest = &guest;
      port.adapter = adapter.adapter;
      return lay_on(port, top);
    }
    if (ports_.size() >= kMaxPorts)
      guest.own.add(0, "there are " + std::to_string(kMaxPorts) + " ports already; allowed: no more");
    else
      ports_.push_back({table, {}, &guest, false, adapter.adapter});
  }

  static void lay_on(Layered& port, PortTable top) {
    if (port.guest != nullptr) top.problems = &port.guest->above.emplace_back(top.problems->file());
    port.over.push_back(top);
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
      if (port.base.vm != top.vm || port.of_override) continue;
      same_vm.push_back(&port);
      if (port.adapter == top.adapter) same_adapter.push_back(&port);
    }
    const auto& found = same_adapter.empty() && top.adapter.empty() ? same_vm : same_adapter;
    if (found.size() == 1) {
      lay_on(*found.front(), top);
    } else if (found.empty()) {
      ports_.push_back({top, {}, nullptr, true, top.adapter});
    } else {
      std::vector<std::string> names;
      for (const auto* port : found) names.push_back("\"" + port->adapter + "\"");
      top.problems->add(top.table->line, "vm \"" + top.vm +
                                             "\" has several adapters, none is named; allowed: also a line "
                                             "adapter = " +
                                             joined(names));
    }
  }

  void declare_port(const Layered& layered) {
    ConfigSection section(*layered.base.table, "[[port]]", *layered.base.problems);
    for (const auto& top : layered.over) section.overlay(*top.table, *top.problems);
    const bool waits = layered.of_override && !section.has("interface") && !section.has("mac");
    auto port = read_port(section, waits                      ? PortKeys::some
                                   : layered.guest != nullptr ? PortKeys::running
                                                              : PortKeys::all);
    port.incoming = layered.guest != nullptr && layered.guest->adapter.incoming;
    port.source = section.has("mac_spoofing") ? section.problems_of("mac_spoofing").file()
                                              : layered.base.problems->file();
    (waits ? declared_.waiting : declared_.ports).push_back({std::move(port), section});
  }

  SwitchConfig finished() const {
    SwitchConfig config;
    config.file = files_.front().problems.file();
    config.metrics_listen = metrics_listen_;
    for (const auto& one : declared_.switches) config.switches.push_back(one.what);
    for (const auto& one : declared_.clusters) config.clusters.push_back(one.what);
    for (const auto& one : declared_.ports) config.ports.push_back(one.what);
    for (const auto& one : declared_.waiting) config.waiting.push_back(one.what);
    return config;
  }

  std::deque<OpenFile> files_;  // deques: sections hold references into them
  std::deque<GuestLayer> guests_;
  std::deque<Layered> ports_;
  Declarations declared_;
  std::optional<Endpoint> metrics_listen_;
};

// The machines that run, laid under the files. One whose definition contradicts the files or a machine before
// it loses first what lifts the guard (its other settings only close), then its way in and out.
class GuestLayering {
 public:
  GuestLayering(const SwitchTexts& texts, const SwitchConfig& files_alone) : texts_(texts) {
    for (const auto& text : texts.guests) {
      const auto machine = read_guest_machine(text);
      for (const auto& problem : machine.problems) complaints_.push_back({machine.name, problem});
      for (const auto& adapter : machine.adapters) add(files_alone, adapter);
    }
  }

  SwitchConfig result() {
    for (;;) {
      Reader reader(texts_, guests_);
      if (auto config = reader.read()) return with_refused(std::move(*config));
      std::vector<GuestAdapter> lowered;
      for (const auto& guest : reader.guests()) {
        const auto problems = guest.problems();
        for (const auto& problem : problems) complaints_.push_back({guest.adapter.vm, problem.text()});
        if (problems.empty())
          lowered.push_back(guest.adapter);
        else
          lower(guest.adapter, problems.front().text(), lowered);
      }
      guests_ = std::move(lowered);
    }
  }

 private:
  // An adapter on a bridge that is not guarded is none of ours, unless somebody thinks that it is.
  void add(const SwitchConfig& files_alone, const GuestAdapter& adapter) {
    const auto& switches = files_alone.switches;
    const bool guarded = adapter.bridge.empty() ||
                         std::any_of(switches.begin(), switches.end(),
                                     [&](const GuardedSwitch& one) { return one.bridge == adapter.bridge; });
    if (!guarded && adapter.has_settings())
      complaints_.push_back({adapter.vm, adapter.element + ": bridge " + adapter.bridge +
                                             " is not guarded; allowed: an adapter on a guarded bridge"});
    if (!guarded) return;
    if (adapter.refused.empty()) return guests_.push_back(adapter);
    complaints_.push_back({adapter.vm, adapter.refused});
    refused_.push_back(adapter);
  }

  void lower(GuestAdapter adapter, const std::string& why, std::vector<GuestAdapter>& lowered) {
    const auto lifted = std::erase_if(adapter.table.items, [](const TomlNode& item) {
      return item.key == "mac_spoofing" || item.key == "cluster" || item.key == "host_id" ||
             item.key == "max_macs" || item.key == "sticky";
    });
    if (lifted != 0) return lowered.push_back(std::move(adapter));
    adapter.refused = why;
    refused_.push_back(std::move(adapter));
  }

  SwitchConfig with_refused(SwitchConfig config) const {
    for (const auto& adapter : refused_) {
      if (adapter.interface().empty() || config.port_on(adapter.interface()) != nullptr) continue;
      GuestPort port;
      port.vm = adapter.vm;
      port.adapter = adapter.adapter;
      port.interface = adapter.interface();
      port.source = adapter.element;
      port.refused = adapter.refused;
      config.ports.push_back(std::move(port));
    }
    for (const auto& complaint : complaints_)
      if (std::find(config.complaints.begin(), config.complaints.end(), complaint) == config.complaints.end())
        config.complaints.push_back(complaint);
    return config;
  }

  const SwitchTexts& texts_;
  std::vector<GuestAdapter> guests_, refused_;
  std::vector<GuestComplaint> complaints_;
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

SwitchConfigResult parse_switch_config(const SwitchTexts& texts) {
  auto files_alone = Reader(texts, {}).read();
  if (!files_alone || texts.guests.empty()) return files_alone;
  return GuestLayering(texts, *files_alone).result();
}

SwitchConfigResult parse_switch_config(const ConfigText& main, const std::vector<ConfigText>& overrides) {
  return parse_switch_config({main, overrides, {}});
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

tl::expected<SwitchTexts, std::vector<ConfigProblem>> read_switch_texts(const std::string& config_path) {
  auto text = read_config_text(config_path);
  if (!text) return unreadable(config_path, text.error().message);
  auto overrides = read_overrides(config_path);
  if (!overrides) return tl::unexpected(overrides.error());
  return SwitchTexts{{config_path, std::move(*text)}, std::move(*overrides), {}};
}

SwitchConfigResult read_switch_config(const std::string& path) {
  const auto texts = read_switch_texts(path);
  if (!texts) return tl::unexpected(texts.error());
  return parse_switch_config(*texts);
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
