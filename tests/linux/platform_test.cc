// SPDX-License-Identifier: Apache-2.0
// Platforms are recognised on trees of /sys and /proc as the machines show them, and each has words for every
// reason. The strings are those that the platforms document (systemd's and cloud-init's detection tables
// agree on them); only the namespace tree was read from a machine at hand.
#include "linux/platform.hh"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

namespace nlb::testing {
namespace {

namespace fs = std::filesystem;

constexpr BindReason kPathReasons[] = {BindReason::driver_refused, BindReason::tx_filtered,
                                       BindReason::rx_filtered, BindReason::arp_filtered,
                                       BindReason::rx_or_arp_filtered};
constexpr Platform kAllPlatforms[] = {
#define NLB_PLATFORM_VALUE(enumerator, name, title, tested) Platform::enumerator,
    NLB_PLATFORMS(NLB_PLATFORM_VALUE)
#undef NLB_PLATFORM_VALUE
};

struct Machine {
  const char* name;
  Platform expected;
  const char* driver;                        // of the device; "" = an interface without one
  std::map<std::string, std::string> files;  // below the root; net/ is the interface's directory
};

const Machine kMachines[] = {
    {"HyperV",
     Platform::hyper_v,
     "hv_netvsc",
     {{"dmi/sys_vendor", "Microsoft Corporation"},
      {"dmi/product_name", "Virtual Machine"},
      {"dmi/chassis_asset_tag", "8510-4311-3029-7715-9152-6011-34"}}},
    {"HyperVLegacyAdapter",
     Platform::hyper_v,
     "tulip",
     {{"dmi/sys_vendor", "Microsoft Corporation"}, {"dmi/product_name", "Virtual Machine"}}},
    {"Azure",
     Platform::azure,
     "hv_netvsc",
     {{"dmi/sys_vendor", "Microsoft Corporation"},
      {"dmi/product_name", "Virtual Machine"},
      {"dmi/chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77"}}},
    {"AzureVirtualFunction",
     Platform::azure,
     "mlx5_core",
     {{"dmi/chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77"},
      {"net/device/vendor", "0x15b3"},
      {"net/device/device", "0x1016"}}},
    {"VMwareVmxnet3",
     Platform::vmware,
     "vmxnet3",
     {{"dmi/sys_vendor", "VMware, Inc."}, {"dmi/product_name", "VMware Virtual Platform"}}},
    {"VMwareE1000e", Platform::vmware, "e1000e", {{"dmi/sys_vendor", "VMware, Inc."}}},
    {"PlainQemu",
     Platform::kvm,
     "virtio_net",
     {{"dmi/sys_vendor", "QEMU"},
      {"dmi/product_name", "Standard PC (i440FX + PIIX, 1996)"},
      {"net/address", "52:54:00:12:34:56"}}},
    {"QemuWithE1000", Platform::kvm, "e1000", {{"dmi/sys_vendor", "QEMU"}}},
    {"Rhel", Platform::libvirt, "virtio_net", {{"dmi/sys_vendor", "Red Hat"}, {"dmi/product_name", "KVM"}}},
    {"KubeVirt", Platform::libvirt, "virtio_net", {{"dmi/sys_vendor", "KubeVirt"}}},
    {"ProxmoxByItsMacPrefix",
     Platform::proxmox,
     "virtio_net",
     {{"dmi/sys_vendor", "QEMU"}, {"net/address", "bc:24:11:0a:0b:0c"}}},
    {"ProxmoxByItsFirmware",
     Platform::proxmox,
     "virtio_net",
     {{"dmi/sys_vendor", "QEMU"}, {"dmi/bios_vendor", "Proxmox distribution of EDK II"}}},
    {"OpenStack",
     Platform::openstack,
     "virtio_net",
     {{"dmi/sys_vendor", "OpenStack Foundation"}, {"dmi/product_name", "OpenStack Nova"}}},
    {"XenParavirtual", Platform::xen, "vif", {{"hypervisor/type", "xen"}}},
    {"XcpNg", Platform::xen, "8139cp", {{"dmi/sys_vendor", "Xen"}, {"dmi/product_name", "HVM domU"}}},
    {"VirtualBox",
     Platform::virtualbox,
     "e1000",
     {{"dmi/sys_vendor", "innotek GmbH"}, {"dmi/product_name", "VirtualBox"}}},
    {"IntelVirtualFunction", Platform::sriov_vf, "iavf", {{"dmi/sys_vendor", "QEMU"}}},
    {"OldIntelVirtualFunction", Platform::sriov_vf, "ixgbevf", {{"dmi/sys_vendor", "QEMU"}}},
    {"MellanoxVirtualFunctionInAGuest",
     Platform::sriov_vf,
     "mlx5_core",
     {{"dmi/sys_vendor", "QEMU"}, {"net/device/vendor", "0x15b3"}, {"net/device/device", "0x101e"}}},
    {"VirtualFunctionOnItsOwnHost",
     Platform::sriov_vf,
     "mlx5_core",
     {{"dmi/sys_vendor", "Dell Inc."}, {"net/device/physfn/vendor", "0x15b3"}}},
    {"MellanoxCard",
     Platform::physical,
     "mlx5_core",
     {{"dmi/sys_vendor", "Dell Inc."}, {"net/device/vendor", "0x15b3"}, {"net/device/device", "0x1015"}}},
    {"Aws", Platform::aws, "ena", {{"dmi/sys_vendor", "Amazon EC2"}, {"dmi/product_name", "m6i.large"}}},
    {"AwsOnXen",
     Platform::aws,
     "vif",
     {{"dmi/sys_vendor", "Xen"}, {"dmi/bios_version", "4.11.amazon"}, {"hypervisor/type", "xen"}}},
    {"Gcp",
     Platform::gcp,
     "virtio_net",
     {{"dmi/sys_vendor", "Google"}, {"dmi/product_name", "Google Compute Engine"}}},
    {"GcpGvnic", Platform::gcp, "gve", {}},
    {"DigitalOcean", Platform::other_cloud, "virtio_net", {{"dmi/sys_vendor", "DigitalOcean"}}},
    {"Oracle", Platform::other_cloud, "virtio_net", {{"dmi/chassis_asset_tag", "OracleCloud.com"}}},
    {"Physical",
     Platform::physical,
     "igb",
     {{"dmi/sys_vendor", "Supermicro"}, {"cpuinfo", "flags\t\t: fpu vme sse2"}}},
    {"UnknownHypervisor",
     Platform::unknown,
     "e1000",
     {{"dmi/sys_vendor", "Somebody"}, {"cpuinfo", "flags\t\t: fpu vme hypervisor sse2"}}},
    {"NothingAtAll", Platform::unknown, "", {}},
};

class PlatformTest : public ::testing::TestWithParam<Machine> {
 protected:
  void SetUp() override {
    root_ = fs::temp_directory_path() / ("nlb-platform-" + std::to_string(getpid()));
    fs::remove_all(root_);
    for (const auto& [name, content] : GetParam().files) write(place_of(name), content);
    if (const std::string driver = GetParam().driver; !driver.empty()) {
      const auto device = root_ / "sys/class/net/eth0/device";
      fs::create_directories(device);
      fs::create_symlink("../../../../bus/virtual/drivers/" + driver, device / "driver");
    }
  }
  void TearDown() override { fs::remove_all(root_); }

  [[nodiscard]] fs::path place_of(const std::string& name) const {
    if (name.starts_with("dmi/")) return root_ / "sys/class/dmi/id" / name.substr(4);
    if (name.starts_with("net/")) return root_ / "sys/class/net/eth0" / name.substr(4);
    return name == "cpuinfo" ? root_ / "proc/cpuinfo" : root_ / "sys" / name;
  }
  static void write(const fs::path& path, const std::string& content) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << content << '\n';
  }
  fs::path root_;
};

TEST_P(PlatformTest, IsRecognised) {
  const auto finding = identify_platform(root_.string(), "eth0");
  EXPECT_EQ(name_of(finding.platform), name_of(GetParam().expected)) << finding.evidence;
  if (const std::string driver = GetParam().driver; !driver.empty()) {
    EXPECT_NE(finding.evidence.find(driver), std::string::npos) << finding.evidence;
  }
}

INSTANTIATE_TEST_SUITE_P(Recorded, PlatformTest, ::testing::ValuesIn(kMachines),
                         [](const auto& of) { return std::string(of.param.name); });

TEST(PlatformOfSoftware, IsNamedByEthtoolsDriver) {
  EXPECT_EQ(identify_platform("/nonexistent", "eth0", "veth").platform, Platform::network_namespace);
  EXPECT_EQ(identify_platform("/nonexistent", "eth0", "macvlan").platform, Platform::macvlan);
}

TEST(Remedy, EveryPlatformHasOneForEveryReason) {
  for (const Platform platform : kAllPlatforms) {
#define NLB_EXPECT_REMEDY(enumerator, name, text)                                              \
  EXPECT_EQ(remedy_for(platform, BindReason::enumerator).empty(), name == std::string("none")) \
      << name_of(platform) << ", " << name;
    NLB_BIND_REASONS(NLB_EXPECT_REMEDY)
#undef NLB_EXPECT_REMEDY
  }
}

TEST(Remedy, WhatWasNeverRunSaysSo) {
  for (const Platform platform : kAllPlatforms) {
    const bool run = platform == Platform::network_namespace || platform == Platform::opennlb_guard;
    for (const BindReason reason : kPathReasons) {
      const auto text = remedy_for(platform, reason);
      EXPECT_EQ(text.find("From documents") == std::string::npos, run) << text;
    }
  }
}

TEST(Remedy, IsThePlatformsOwnCommand) {
  const std::pair<Platform, const char*> commands[] = {
      {Platform::hyper_v, "Set-VMNetworkAdapter -MacAddressSpoofing On"},
      {Platform::vmware, "Forged transmits: Accept"},
      {Platform::vmware, "MAC address changes: Accept"},
      {Platform::vmware, "Notify switches: No"},
      {Platform::libvirt, "macTableManager='libvirt'"},
      {Platform::libvirt, "trustGuestRxFilters='yes'"},
      {Platform::proxmox, "macfilter: 0"},
      {Platform::sriov_vf, "ip link set PF vf N trust on spoofchk off"},
      {Platform::xen, "locking-mode=unlocked"},
      {Platform::kvm, "nlb vmswitch set VM --mac-spoofing cluster"},
      {Platform::openstack, "--allowed-address"},
      {Platform::aws, "can work there"},
  };
  for (const auto& [platform, command] : commands) {
    const auto text = remedy_for(platform, BindReason::rx_filtered);
    EXPECT_NE(text.find(command), std::string::npos) << text;
  }
}

TEST(Remedy, NamesAreFilledInAsWholeWords) {
  RemedyNames names;
  names.vm = "web1";
  names.cluster = "web";
  names.host_id = "3";
  EXPECT_NE(remedy_for(Platform::opennlb_guard, BindReason::tx_filtered, names)
                .find("nlb vmswitch set web1 --mac-spoofing cluster --cluster web --host-id 3"),
            std::string::npos);
  const auto text = remedy_for(Platform::hyper_v, BindReason::tx_filtered, names);
  EXPECT_NE(text.find("Stop-VM web1; Get-VMNetworkAdapter -VMName web1"), std::string::npos) << text;
  const auto proxmox = remedy_for(Platform::proxmox, BindReason::tx_filtered, names);
  EXPECT_NE(proxmox.find("VMID.fw"), std::string::npos) << proxmox;
}

TEST(Remedy, ACloudRefuses) {
  for (const Platform platform : {Platform::aws, Platform::azure, Platform::gcp, Platform::other_cloud})
    EXPECT_NE(cloud_objection(platform).find("can work there"), std::string::npos);
  EXPECT_EQ(cloud_objection(Platform::hyper_v), "");
}

}  // namespace
}  // namespace nlb::testing
