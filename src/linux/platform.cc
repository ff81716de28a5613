// SPDX-License-Identifier: Apache-2.0
#include "linux/platform.hh"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <optional>
#include <vector>

namespace nlb {
namespace {

struct Description {
  std::string_view name, title;
};
constexpr std::array kDescriptions = {
#define NLB_PLATFORM_DESCRIPTION(enumerator, name, title, tested) Description{name, title},
    NLB_PLATFORMS(NLB_PLATFORM_DESCRIPTION)
#undef NLB_PLATFORM_DESCRIPTION
};

// What a machine says of itself, as far as it says anything.
struct Traces {
  std::string driver;
  std::string vendor, product, bios_vendor, bios_version, chassis_tag;  // DMI
  std::string hypervisor;                                               // Xen's own file
  std::string pci_vendor, pci_device;
  std::string mac;
  bool has_device = false;   // a device of some bus, not an interface made by software
  bool has_physfn = false;   // a virtual function whose card is in sight
  bool virtual_cpu = false;  // cpuid says "hypervisor present"
};

std::string first_line(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  line.erase(line.find_last_not_of(" \t\r\n") + 1);
  return line;
}

bool says_hypervisor(const std::filesystem::path& cpuinfo) {
  std::ifstream file(cpuinfo);
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("flags")) return (line + " ").find(" hypervisor ") != std::string::npos;
  return false;
}

Traces read_traces(const std::filesystem::path& root, const std::string& interface,
                   const std::string& driver) {
  const auto dmi = root / "sys/class/dmi/id";
  const auto net = root / "sys/class/net" / interface;
  std::error_code error;
  Traces traces;
  traces.driver = driver;
  const auto link = std::filesystem::read_symlink(net / "device/driver", error);
  if (traces.driver.empty() && !error) traces.driver = link.filename().string();
  traces.has_device = std::filesystem::exists(net / "device", error);
  traces.has_physfn = std::filesystem::exists(net / "device/physfn", error);
  traces.pci_vendor = first_line(net / "device/vendor");
  traces.pci_device = first_line(net / "device/device");
  traces.mac = first_line(net / "address");
  traces.vendor = first_line(dmi / "sys_vendor");
  traces.product = first_line(dmi / "product_name");
  traces.bios_vendor = first_line(dmi / "bios_vendor");
  traces.bios_version = first_line(dmi / "bios_version");
  traces.chassis_tag = first_line(dmi / "chassis_asset_tag");
  traces.hypervisor = first_line(root / "sys/hypervisor/type");
  traces.virtual_cpu = says_hypervisor(root / "proc/cpuinfo");
  return traces;
}

bool is_one_of(const std::string& text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

bool contains(const std::string& text, std::string_view word) {
  return text.find(word) != std::string::npos;
}

constexpr std::string_view kAzureChassis = "7783-7084-3265-9085-8269-3286-77";

// First of all: in a cloud nothing else matters, whatever hypervisor carries it.
std::optional<Platform> cloud_of(const Traces& traces) {
  if (contains(traces.vendor, "Amazon EC2") || contains(traces.bios_version, "amazon") ||
      traces.driver == "ena")
    return Platform::aws;
  if (traces.chassis_tag == kAzureChassis || traces.driver == "mana") return Platform::azure;
  if (traces.product == "Google Compute Engine" || traces.driver == "gve") return Platform::gcp;
  if (traces.chassis_tag == "OracleCloud.com" || contains(traces.product, "Alibaba Cloud") ||
      is_one_of(traces.vendor, {"DigitalOcean", "Hetzner", "Scaleway", "Vultr", "Linode", "UpCloud",
                                "Exoscale", "Alibaba Cloud", "OVH"}))
    return Platform::other_cloud;
  return std::nullopt;
}

// A guest sees of its virtual function only the PCI id; the link to the card exists on the card's own host.
bool is_virtual_function(const Traces& traces) {
  if (traces.has_physfn || is_one_of(traces.driver, {"iavf", "i40evf", "ixgbevf", "igbvf", "fm10k_vf",
                                                     "hns3vf", "hinic_vf", "enic_vf", "bnxt_en_vf"}))
    return true;
  const bool mellanox_vf = is_one_of(traces.pci_device, {"0x1002", "0x1004", "0x1012", "0x1014", "0x1016",
                                                         "0x1018", "0x101a", "0x101c", "0x101e"});
  const bool broadcom_vf =
      is_one_of(traces.pci_device, {"0x1606", "0x1607", "0x1608", "0x1609", "0x16bd", "0x16c1", "0x16cb",
                                    "0x16d3", "0x16dc", "0x16e1", "0x16e5", "0x1800", "0x1806", "0x1807"});
  return (traces.pci_vendor == "0x15b3" && mellanox_vf) || (traces.pci_vendor == "0x14e4" && broadcom_vf);
}

// QEMU's own strings are the same under every manager; some managers leave a mark of their own.
Platform qemu_of(const Traces& traces) {
  if (contains(traces.vendor, "OpenStack") || contains(traces.product, "OpenStack"))
    return Platform::openstack;
  if (contains(traces.bios_vendor, "Proxmox") || traces.mac.starts_with("bc:24:11")) return Platform::proxmox;
  if (is_one_of(traces.vendor, {"Red Hat", "oVirt", "KubeVirt"}) || contains(traces.product, "RHEV"))
    return Platform::libvirt;
  return Platform::kvm;
}

Platform platform_of(const Traces& traces) {
  if (is_one_of(traces.driver, {"macvlan", "macvtap", "ipvlan"})) return Platform::macvlan;
  // An interface made by software says nothing of the machine's own adapter.
  if (traces.driver == "veth") return Platform::network_namespace;
  if (const auto cloud = cloud_of(traces)) return *cloud;
  if (is_virtual_function(traces)) return Platform::sriov_vf;
  if (traces.driver == "hv_netvsc") return Platform::hyper_v;
  if (traces.driver == "vmxnet3" || traces.vendor.starts_with("VMware")) return Platform::vmware;
  if (is_one_of(traces.driver, {"vif", "xen_netfront"}) || traces.hypervisor == "xen" ||
      traces.vendor == "Xen")
    return Platform::xen;
  if (traces.vendor == "innotek GmbH" || traces.product == "VirtualBox") return Platform::virtualbox;
  if (traces.vendor == "Microsoft Corporation" && traces.product == "Virtual Machine")
    return Platform::hyper_v;
  if (is_one_of(traces.driver, {"virtio_net", "virtio-net"}) || traces.vendor == "QEMU" ||
      is_one_of(traces.vendor, {"Red Hat", "oVirt", "KubeVirt"}) || contains(traces.vendor, "OpenStack"))
    return qemu_of(traces);
  return traces.has_device && !traces.virtual_cpu ? Platform::physical : Platform::unknown;
}

std::string evidence_of(const Traces& traces) {
  std::string text;
  const auto add = [&](const char* what, const std::string& value) {
    if (!value.empty()) text += (text.empty() ? "" : ", ") + (what + (" \"" + value + "\""));
  };
  add("driver", traces.driver);
  add("vendor", traces.vendor);
  add("product", traces.product);
  if (traces.chassis_tag == kAzureChassis) add("chassis tag", traces.chassis_tag);
  if (contains(traces.bios_vendor, "Proxmox")) add("firmware", traces.bios_vendor);
  if (contains(traces.bios_version, "amazon")) add("firmware version", traces.bios_version);
  if (traces.mac.starts_with("bc:24:11")) add("MAC prefix of Proxmox", traces.mac);
  if (!traces.hypervisor.empty()) add("hypervisor", traces.hypervisor);
  return text.empty() ? "neither driver nor firmware say anything" : text;
}

}  // namespace

std::string_view name_of(Platform platform) {
  return kDescriptions[static_cast<std::size_t>(platform)].name;
}

std::string_view title_of(Platform platform) {
  return kDescriptions[static_cast<std::size_t>(platform)].title;
}

PlatformFinding identify_platform(const std::string& root, const std::string& interface,
                                  const std::string& driver) {
  const Traces traces = read_traces(root, interface, driver);
  return {platform_of(traces), evidence_of(traces)};
}

}  // namespace nlb
