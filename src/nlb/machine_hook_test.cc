// SPDX-License-Identifier: Apache-2.0
// The hooks of libvirt and Proxmox while nlb-vmswitch does not run: what they keep for it, and what they
// refuse.
#include "nlb/machine_hook.hh"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "control/config_text.hh"
#include "vmswitch/guest_machine.hh"

namespace nlb {
namespace {

namespace fs = std::filesystem;

TEST(HookSteps, AreTheManagersWords) {
  for (const char* early : {"prepare", "restore"})
    EXPECT_EQ(libvirt_step(early, "begin"), HookStep::check) << early;
  EXPECT_EQ(libvirt_step("migrate", "begin"), HookStep::expect);
  for (const char* running : {"start", "started"})
    EXPECT_EQ(libvirt_step(running, "begin"), HookStep::attach) << running;
  EXPECT_EQ(libvirt_step("reconnect", "begin"), HookStep::keep);
  for (const char* ended : {"stopped", "release"})
    EXPECT_EQ(libvirt_step(ended, "end"), HookStep::detach) << ended;
  EXPECT_EQ(libvirt_step("start", "end"), HookStep::ignore);
  EXPECT_EQ(libvirt_step("whatever", "begin"), HookStep::ignore);
  EXPECT_EQ(proxmox_step("pre-start"), HookStep::attach);
  EXPECT_EQ(proxmox_step("post-start"), HookStep::keep);
  EXPECT_EQ(proxmox_step("pre-stop"), HookStep::ignore);
  EXPECT_EQ(proxmox_step("post-stop"), HookStep::detach);
}

class HookTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "nlb-hook-XXXXXX").string();
    root_ = mkdtemp(pattern.data());
  }
  void TearDown() override { fs::remove_all(root_); }
  Result<void> libvirt(const char* operation, const char* suboperation, const std::string& xml) {
    notes_.clear();
    return run_libvirt_hook({{"web1", operation, suboperation, "-"}, root_ + "/control.sock", root_}, xml,
                            notes_);
  }
  [[nodiscard]] std::string kept(const std::string& vm) const {
    return read_config_text(vmswitch::guest_path(root_, vm)).value_or("");
  }
  static std::string recorded(const char* what) {
    return *read_config_text(std::string(NLB_RECORDED) + "/libvirt-9.0-" + what + ".xml");
  }
  std::string root_;
  std::vector<std::string> notes_;
};

TEST_F(HookTest, KeepsAMachineForTheNextDaemonUntilItEnds) {
  EXPECT_TRUE(libvirt("prepare", "begin", recorded("prepare")));
  EXPECT_EQ(kept("web1"), "");
  EXPECT_TRUE(libvirt("start", "begin", recorded("start")));
  EXPECT_NE(kept("web1").find("interface = \"vnet0\""), std::string::npos) << kept("web1");
  ASSERT_EQ(notes_.size(), 1U);
  EXPECT_EQ(notes_[0], "nlb-vmswitch does not answer; the ports of web1 get their policy when it does");
  EXPECT_TRUE(libvirt("stopped", "end", recorded("prepare")));
  EXPECT_EQ(kept("web1"), "");
  EXPECT_TRUE(libvirt("release", "end", ""));  // twice, and whatever the XML
}

// A refusal ends a start, or a machine that runs: only a start may be refused.
TEST_F(HookTest, RefusesOnlyStarts) {
  for (const char* operation : {"prepare", "migrate", "restore", "start", "started"})
    EXPECT_FALSE(libvirt(operation, "begin", "no XML")) << operation;
  EXPECT_TRUE(libvirt("reconnect", "begin", "no XML"));
  EXPECT_EQ(notes_.size(), 1U);
  EXPECT_TRUE(libvirt("stopped", "end", "no XML"));
  EXPECT_TRUE(libvirt("start", "end", "no XML"));
}

TEST_F(HookTest, LeavesANameThatCannotBeOneToUnknownPorts) {
  EXPECT_TRUE(libvirt("start", "begin", "<domain><name>my machine</name></domain>"));
  EXPECT_EQ(notes_.size(), 1U);
}

TEST_F(HookTest, OfProxmoxKnowsItsMachine) {
  fs::create_directories(root_ + "/etc/pve/qemu-server");
  std::ofstream(root_ + "/etc/pve/qemu-server/100.conf")
      << "name: db1\nnet0: virtio=BC:24:11:00:00:01,bridge=vmbr0\n";
  const auto call = [&](const char* id, const char* phase) {
    return run_proxmox_hook({{id, phase}, root_ + "/control.sock", root_}, notes_);
  };
  EXPECT_TRUE(call("100", "pre-start"));
  EXPECT_NE(kept("db1").find("interface = \"tap100i0\""), std::string::npos) << kept("db1");
  EXPECT_TRUE(call("100", "post-start"));
  EXPECT_TRUE(call("100", "pre-stop"));
  EXPECT_NE(kept("db1"), "");
  EXPECT_TRUE(call("100", "post-stop"));
  EXPECT_EQ(kept("db1"), "");
  EXPECT_FALSE(call("999", "pre-start"));
  EXPECT_TRUE(call("999", "post-stop"));
}

}  // namespace
}  // namespace nlb
