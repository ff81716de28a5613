// SPDX-License-Identifier: Apache-2.0
// What this kernel can do for the filter, found by trying, never by its version: distributions carry features
// back. Everything tried is gone when the call returns.
#pragma once

#include <string>
#include <vector>

#include "datapath/qdisc.hh"

namespace nlb {

struct KernelFeatures {
  std::vector<std::string> missing;  // "helper bpf_skc_lookup_tcp (connections that move)"
  bool btf = false;                  // types for programs that read kernel structures
  bool bpffs = false;                // where pins live
  std::string clsact_trouble;        // "" = a clsact qdisc can be made
  std::string unprobed;              // "" = all could be tried; else why not
};
[[nodiscard]] KernelFeatures probe_kernel_features();

struct HookFacts {
  IngressQdisc qdisc = IngressQdisc::none;
  std::string xdp = "none";                    // native, generic, offload
  std::string xdp_program;                     // "" = none, or not told
  bool tc_ingress = false, tc_egress = false;  // ours
};
[[nodiscard]] HookFacts read_hooks(const std::string& interface, int index);

}  // namespace nlb
