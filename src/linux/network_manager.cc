// SPDX-License-Identifier: Apache-2.0
#include "linux/network_manager.hh"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

namespace nlb {
namespace {

namespace fs = std::filesystem;

// The last "KEY=" of a file of such lines, without quotes.
std::string value_of(const fs::path& path, const std::string& key) {
  std::ifstream file(path);
  std::string value;
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(key + "=")) value = line.substr(key.size() + 1);
  if (value.size() >= 2 && value.front() == '"') value = value.substr(1, value.size() - 2);
  return value;
}

bool keeps_foreign_addresses(const fs::path& root, const std::string& file, const std::string& drop_ins) {
  std::vector<fs::path> files = {root / fs::path(file).relative_path()};
  std::istringstream words(drop_ins);
  for (std::string name; words >> name;) files.push_back(root / fs::path(name).relative_path());
  std::error_code error;
  const fs::path own = root / "etc/systemd/network" / (fs::path(file).filename().string() + ".d");
  for (const auto& entry : fs::directory_iterator(own, error)) files.push_back(entry.path());
  std::string kept;
  for (const auto& path : files)
    if (const auto value = value_of(path, "KeepConfiguration"); !value.empty()) kept = value;
  return kept == "yes" || kept == "true" || kept == "1";
}

}  // namespace

NetworkPlace network_place() {
  std::error_code own_error, first_error;
  const auto own = fs::read_symlink("/proc/self/ns/net", own_error);
  const auto first = fs::read_symlink("/proc/1/ns/net", first_error);
  if (own_error || first_error) return NetworkPlace::unknown;
  return own == first ? NetworkPlace::managers_own : NetworkPlace::another;
}

std::string network_manager_file_of(const std::string& interface) {
  return "/etc/NetworkManager/conf.d/50-opennlb-" + interface + ".conf";
}

std::string networkd_drop_in_of(const std::string& network_file, const std::string& interface) {
  return "/etc/systemd/network/" + network_file + ".d/50-opennlb-" + interface + ".conf";
}

ManagerFacts read_managers(const std::string& root, const std::string& interface, int interface_index,
                           NetworkPlace place) {
  ManagerFacts facts;
  if (place == NetworkPlace::another) return facts;
  const fs::path base(root);
  const std::string index = std::to_string(interface_index);
  const fs::path link = base / "run/systemd/netif/links" / index;
  const std::string state = value_of(link, "ADMIN_STATE");
  facts.networkd = state == "configured" || state == "configuring";
  if (facts.networkd) {
    facts.networkd_file = value_of(link, "NETWORK_FILE");
    facts.networkd_keeps =
        keeps_foreign_addresses(base, facts.networkd_file, value_of(link, "NETWORK_FILE_DROPINS"));
  }
  facts.network_manager = value_of(base / "run/NetworkManager/devices" / index, "managed") == "true";
  const fs::path told = base / fs::path(network_manager_file_of(interface)).relative_path();
  facts.network_manager_told = value_of(told, "match-device") == "interface-name:" + interface;
  facts.certain = place == NetworkPlace::managers_own || !(facts.networkd || facts.network_manager);
  return facts;
}

}  // namespace nlb
