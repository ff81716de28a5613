// SPDX-License-Identifier: Apache-2.0
#include "lab/guest_image.hh"

#include <fmt/core.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "lab/process.hh"

namespace nlb::lab {
namespace {

namespace fs = std::filesystem;

constexpr int kTrialMs = 10'000;  // a guest under KVM boots in two

std::string boot_id() {
  std::string id;
  std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), id);
  return id;
}

std::string contents_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// With no script named, a guest says so and powers off as soon as it has booted. That QEMU ended is no proof:
// it does so too when the processor does not suit it.
bool boots_under_kvm(const GuestImage& image) {
  if (access("/dev/kvm", R_OK | W_OK) != 0) return false;
  fmt::print(stderr, "nlb lab: trying whether a guest boots under KVM (once, {} s at most)\n",
             kTrialMs / 1000);
  const std::string console = fs::path(image.kernel).parent_path() / "trial.log";
  fs::remove(console);
  auto trial = start_daemon({"qemu-system-x86_64",
                             "-M",
                             "q35",
                             "-accel",
                             "kvm",
                             "-cpu",
                             "host",
                             "-m",
                             "512",
                             "-nodefaults",
                             "-no-user-config",
                             "-no-reboot",
                             "-display",
                             "none",
                             "-serial",
                             "file:" + console,
                             "-kernel",
                             image.kernel,
                             "-initrd",
                             image.initramfs,
                             "-append",
                             "console=ttyS0 quiet panic=-1"},
                            "", "/dev/null");
  if (!trial) return false;
  const bool ended = wait_gone(*trial, kTrialMs);
  if (!ended) send_signal(*trial, SIGKILL);
  wait_gone(*trial, 2000);
  return ended && contents_of(console).find("guest: no nlb.run=") != std::string::npos;
}

// The result is kept beside the image for as long as this kernel runs.
std::string accelerator_for(const GuestImage& image) {
  const auto record = fs::path(image.initramfs).parent_path() / "accelerator";
  std::string id, known;
  if (std::ifstream file(record); file >> id >> known && id == boot_id()) return known;
  known = boots_under_kvm(image) ? "kvm" : "tcg";
  std::ofstream(record) << boot_id() << ' ' << known << '\n';
  return known;
}

}  // namespace

Result<GuestImage> guest_image() {
  if (auto there = run({"qemu-system-x86_64", "--version"}); !there || there->exit_code != 0)
    return fail("qemu-system-x86_64 cannot be run: `make deps` installs it (Debian: qemu-system-x86)");
  const fs::path build = fs::path(own_directory()).parent_path();
  if (!fs::exists(NLB_GUEST_BUILDER) || !fs::exists(build / "bin/nlb"))
    return fail(fmt::format("--vm needs the source tree, from which its guests are built ({} is not there)",
                            NLB_GUEST_BUILDER));
  const auto built = run({NLB_GUEST_BUILDER, "--build", build.string()});
  if (!built) return tl::unexpected<Error>(built.error());
  if (built->exit_code != 0) return fail(fmt::format("the guests' image cannot be built: {}", built->output));
  GuestImage image{build / "vm/kernel/vmlinuz", build / "vm/guest.cpio", "tcg"};
  const char* wanted = std::getenv("NLB_LAB_ACCEL");
  const std::string forced = wanted != nullptr ? wanted : "";
  if (!forced.empty() && forced != "kvm" && forced != "tcg")
    return fail(fmt::format("NLB_LAB_ACCEL={} is unknown; kvm or tcg", forced));
  image.accelerator = forced.empty() ? accelerator_for(image) : forced;
  return image;
}

}  // namespace nlb::lab
