// SPDX-License-Identifier: Apache-2.0
// On what a guest runs, and what an administrator has to do there so that a cluster's MAC address gets
// through. Most platforms drop foreign MAC addresses without telling the guest, so the platform is recognised
// by what it cannot hide (driver, firmware's strings, PCI ids, the prefix of its MAC addresses), and the
// remedy is that platform's own command or click path. Nothing here asks a network or a metadata service.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/net.hh"
#include "core/bind_reason.hh"

namespace nlb {

//  X(enumerator, name, title, tested): `tested` = its remedies were run as written; else they say
//  "from documents"
#define NLB_PLATFORMS(X)                                                                           \
  X(unknown, "unknown", "an unknown platform", false)                                              \
  X(physical, "physical", "physical hardware", false)                                              \
  X(network_namespace, "namespace", "a network namespace or container (veth)", true)               \
  X(macvlan, "macvlan", "a macvlan or ipvlan interface", false)                                    \
  X(hyper_v, "hyper-v", "Microsoft Hyper-V", false)                                                \
  X(vmware, "vmware", "VMware vSphere", false)                                                     \
  X(kvm, "kvm", "QEMU/KVM (whether under libvirt, Proxmox or OpenNLB's guard is not said)", false) \
  X(libvirt, "libvirt", "QEMU/KVM under libvirt", false)                                           \
  X(proxmox, "proxmox", "Proxmox VE", false)                                                       \
  X(opennlb_guard, "opennlb-guard", "a port guarded by nlb-vmswitch", true)                        \
  X(xen, "xen", "Xen or XCP-ng", false)                                                            \
  X(virtualbox, "virtualbox", "VirtualBox", false)                                                 \
  X(openstack, "openstack", "OpenStack", false)                                                    \
  X(sriov_vf, "sriov-vf", "a virtual function (SR-IOV) of a network card", false)                  \
  X(aws, "aws", "Amazon EC2", false)                                                               \
  X(azure, "azure", "Microsoft Azure", false)                                                      \
  X(gcp, "gcp", "Google Compute Engine", false)                                                    \
  X(other_cloud, "cloud", "a public cloud", false)

enum class Platform : uint8_t {
#define NLB_PLATFORM_ENUM(enumerator, name, title, tested) enumerator,
  NLB_PLATFORMS(NLB_PLATFORM_ENUM)
#undef NLB_PLATFORM_ENUM
};
[[nodiscard]] std::string_view name_of(Platform platform);
[[nodiscard]] std::string_view title_of(Platform platform);

struct PlatformFinding {
  Platform platform = Platform::unknown;
  std::string evidence;  // "driver hv_netvsc, vendor \"Microsoft Corporation\""
};

// `root`: where /sys and /proc are found, "/" or a recorded tree. `driver`: the name that ethtool gives, "" =
// take it from sysfs. An nlb-vmswitch is recognised by its announcement only, so never here.
[[nodiscard]] PlatformFinding identify_platform(const std::string& root, const std::string& interface,
                                                const std::string& driver = "");

// Why no cluster of shared MAC addresses can ever work there, and what does instead; "" where it can.
[[nodiscard]] std::string cloud_objection(Platform platform);

// What takes the place of capital words in a remedy; the words stay where nothing is known.
struct RemedyNames {
  std::string vm, interface, cluster, host_id, cluster_mac, masked_mac, vip;
  bool group = false;  // the cluster MAC is one: modes multicast and igmp
};
// What to do, word for word; "" for BindReason::none. What was never run on the real thing says so itself.
[[nodiscard]] std::string remedy_for(Platform platform, BindReason reason, const RemedyNames& names = {});

}  // namespace nlb
