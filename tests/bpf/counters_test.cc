// SPDX-License-Identifier: Apache-2.0
// A program of its own: libbpf counts the processors once in the life of a process.
#include <sys/resource.h>
#include <unistd.h>

#include "harness.hh"

namespace nlb::test {
namespace {

TEST(Counters, are_none_where_no_descriptor_is_left_to_count_the_processors) {
  const auto programs = Programs::load({});
  ASSERT_TRUE(programs) << programs.error().message;
  const int map = (*programs)->maps().find("nlb_counters")->second.get();
  const int next = dup(map);
  close(next);
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{static_cast<rlim_t>(next), before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto counters = read_counters(map);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(counters.empty()) << "read into a buffer for one processor";
  EXPECT_EQ(read_counters(map).size(), std::size_t{NLB_VERDICT_COUNT});
}

}  // namespace
}  // namespace nlb::test
