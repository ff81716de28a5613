// SPDX-License-Identifier: Apache-2.0
// What stands at an interface's ingress hook: the clsact qdisc that carries our filters, or the older
// `ingress` one (Proxmox' rate limit, libvirt's bandwidth), which excludes it.
#pragma once

#include "base/result.hh"

namespace nlb {

enum class IngressQdisc { none, clsact, ingress };

[[nodiscard]] Result<IngressQdisc> ingress_qdisc(int interface_index);
// Filters of anybody in either direction.
[[nodiscard]] Result<bool> has_tc_filters(int interface_index);

}  // namespace nlb
