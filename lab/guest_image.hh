// SPDX-License-Identifier: Apache-2.0
// What the lab's virtual machines boot: Debian's kernel and an initramfs of our own programs, built by
// lab/guest/image.py (at once when it is up to date); and whether KVM is of use here.
#pragma once

#include <string>

#include "base/result.hh"

namespace nlb::lab {

struct GuestImage {
  std::string kernel, initramfs;
  std::string accelerator;  // "kvm", or "tcg"
};

// NLB_LAB_ACCEL=kvm|tcg forces the accelerator. Else it is KVM where /dev/kvm is and a guest really boots
// under it: tried once in the life of this kernel, for a few seconds.
[[nodiscard]] Result<GuestImage> guest_image();

}  // namespace nlb::lab
