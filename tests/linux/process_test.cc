// SPDX-License-Identifier: Apache-2.0
// What concerns the process: capabilities, real-time scheduling, one instance per interface.
#include <pthread.h>
#include <sched.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <thread>

#include "linux/capabilities.hh"
#include "linux/instance_lock.hh"
#include "linux/realtime.hh"
#include "shell.hh"

namespace nlb::testing {
namespace {

class ProcessTest : public NetnsTest {};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kLocksMemory = false;  // the sanitizers turn mlockall() into nothing
#else
constexpr bool kLocksMemory = true;
#endif

// Capabilities belong to a thread: the test drops them in one that ends.
void without(std::vector<cap_value_t> dropped, const std::function<void()>& body) {
  std::thread([&] {
    cap_t caps = cap_get_proc();
    cap_set_flag(caps, CAP_EFFECTIVE, static_cast<int>(dropped.size()), dropped.data(), CAP_CLEAR);
    ASSERT_EQ(cap_set_proc(caps), 0);
    cap_free(caps);
    body();
  }).join();
}

TEST_F(ProcessTest, RootLacksNothing) {
  EXPECT_TRUE(missing_capabilities().empty());
}

TEST_F(ProcessTest, MissingCapabilitiesAreNamed) {
  without({CAP_BPF, CAP_SYS_NICE}, [] {
    auto missing = missing_capabilities();
    ASSERT_EQ(missing.size(), 2u);
    EXPECT_EQ(missing[0].name, "CAP_BPF");
    EXPECT_TRUE(missing[0].required);
    EXPECT_EQ(missing[1].name, "CAP_SYS_NICE");
    EXPECT_FALSE(missing[1].required);
  });
}

TEST_F(ProcessTest, RealTimeForThisThreadAlone) {
  if (!kLocksMemory) GTEST_SKIP() << "a sanitizer is at work";
  int inside = -1;
  std::thread([&] {
    EXPECT_EQ(become_realtime(), "");
    EXPECT_EQ(lock_memory(), "");
    inside = sched_getscheduler(0);
  }).join();
  EXPECT_EQ(inside, SCHED_FIFO | SCHED_RESET_ON_FORK);
  EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER);
  EXPECT_EQ(sh("grep -c '^VmLck:.* 0 kB' /proc/" + std::to_string(getpid()) + "/status || true"), "0\n");
  munlockall();
}

TEST_F(ProcessTest, ThreadsGetSmallStacks) {
  pthread_attr_t before;
  ASSERT_EQ(pthread_getattr_default_np(&before), 0);
  use_small_stacks();
  std::size_t bytes = 0;
  std::thread([&] {
    pthread_attr_t own;
    ASSERT_EQ(pthread_getattr_np(pthread_self(), &own), 0);
    EXPECT_EQ(pthread_attr_getstacksize(&own, &bytes), 0);
    pthread_attr_destroy(&own);
  }).join();
  EXPECT_EQ(pthread_setattr_default_np(&before), 0);
  pthread_attr_destroy(&before);
  EXPECT_EQ(bytes, kThreadStackBytes);
}

TEST_F(ProcessTest, WhatCannotBeHadIsNamed) {
  if (!kLocksMemory) GTEST_SKIP() << "a sanitizer is at work";
  rlimit before{};
  getrlimit(RLIMIT_MEMLOCK, &before);
  const rlimit none{0, before.rlim_max};
  setrlimit(RLIMIT_MEMLOCK, &none);
  without({CAP_SYS_NICE, CAP_IPC_LOCK}, [] {
    EXPECT_NE(become_realtime().find("CAP_SYS_NICE"), std::string::npos);
    EXPECT_NE(lock_memory().find("CAP_IPC_LOCK"), std::string::npos);
  });
  setrlimit(RLIMIT_MEMLOCK, &before);
}

TEST_F(ProcessTest, OneInstancePerClusterNameAndPerDirectory) {
  {
    const auto name = InstanceLock::take_cluster("web"),
               directory = InstanceLock::take_directory(::testing::TempDir());
    ASSERT_TRUE(name) << name.error().message;
    ASSERT_TRUE(directory) << directory.error().message;
    const auto same_name = InstanceLock::take_cluster("web");
    ASSERT_FALSE(same_name);
    EXPECT_NE(same_name.error().message.find("a cluster named web is already served"), std::string::npos);
    const auto same_directory = InstanceLock::take_directory(::testing::TempDir());
    ASSERT_FALSE(same_directory);
    EXPECT_NE(same_directory.error().message.find("the runtime directory of another nlbd"),
              std::string::npos);
    EXPECT_TRUE(InstanceLock::take_cluster("mail"));
    EXPECT_TRUE(InstanceLock::take("web")) << "an interface may be called like a cluster";
    EXPECT_FALSE(InstanceLock::take_directory("/nowhere"));
  }
  EXPECT_TRUE(InstanceLock::take_cluster("web"));
  EXPECT_TRUE(InstanceLock::take_directory(::testing::TempDir()));
}

TEST_F(ProcessTest, OneInstancePerInterface) {
  {
    auto first = InstanceLock::take("veth0");
    ASSERT_TRUE(first) << first.error().message;
    auto second = InstanceLock::take("veth0");
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().message.find("already served by another nlbd"), std::string::npos);
    EXPECT_TRUE(InstanceLock::take("veth1"));
    InstanceLock moved = std::move(*first);
    EXPECT_FALSE(InstanceLock::take("veth0"));
  }
  EXPECT_TRUE(InstanceLock::take("veth0"));
}

TEST_F(ProcessTest, AnotherNamespaceIsAnotherInterface) {
  auto here = InstanceLock::take("veth0");
  ASSERT_TRUE(here);
  ASSERT_EQ(unshare(CLONE_NEWNET), 0);
  EXPECT_TRUE(InstanceLock::take("veth0"));
}

}  // namespace
}  // namespace nlb::testing
