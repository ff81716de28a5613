// SPDX-License-Identifier: Apache-2.0
// Who is remembered over a restart, and that what other machines and damaged files say does no harm.
#include "nlbd/roster.hh"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "base/limits.hh"

namespace nlb {
namespace {

struct RosterTest : testing::Test {
  void SetUp() override {
    std::string name = "/tmp/nlb-roster-XXXXXX";
    directory = ::mkdtemp(name.data());
    file = directory + "/members.json";
  }
  void TearDown() override { std::filesystem::remove_all(directory); }
  std::string directory, file, problem;
};

TEST_F(RosterTest, RemembersHostsAndNames) {
  Roster roster(file);
  EXPECT_EQ(roster.hosts(), 0u);
  EXPECT_TRUE(roster.note(3, ""));
  EXPECT_FALSE(roster.note(3, ""));
  EXPECT_TRUE(roster.note(3, "web3"));
  EXPECT_FALSE(roster.note(3, "")) << "a name that is not told is not taken away";
  EXPECT_TRUE(roster.note(64, "web64"));
  ASSERT_TRUE(roster.save(problem)) << problem;
  const Roster again(file);
  EXPECT_EQ(again.hosts(), bit_of(3) | bit_of(64));
  EXPECT_EQ(again.text_of(3), "host 3 (web3)");
  EXPECT_EQ(again.text_of(5), "host 5");
}

TEST_F(RosterTest, ForgetsForGood) {
  Roster roster(file);
  roster.note(3, "web3");
  EXPECT_TRUE(roster.forget(3));
  EXPECT_FALSE(roster.forget(3));
  ASSERT_TRUE(roster.save(problem));
  EXPECT_EQ(Roster(file).hosts(), 0u);
}

TEST_F(RosterTest, ShowsNoControlCharactersAndNoEndlessName) {
  Roster roster(file);
  roster.note(1, "a\x1b[2Jb\x7f" + std::string(200, 'x'));
  EXPECT_EQ(roster.name_of(1).substr(0, 8), "a?[2Jb?x");
  EXPECT_EQ(roster.name_of(1).size(), 64u);
}

TEST_F(RosterTest, TakesADamagedFileForNone) {
  for (const char* text :
       {"", "[]", "{\"members\":3}", "{\"members\":[3,{\"id\":65},{\"id\":-1},{\"id\":\"2\"}]}"}) {
    std::ofstream(file) << text;
    EXPECT_EQ(Roster(file).hosts(), 0u) << text;
  }
  std::ofstream(file) << "{\"members\":[{\"id\":7,\"name\":9}]}";
  EXPECT_EQ(Roster(file).text_of(7), "host 7");
}

// A cluster that boots tells several threads of new members at once.
TEST_F(RosterTest, IsSavedByThreadsAtOnce) {
  Roster roster(file);
  const auto learn = [&](HostId first, std::string& trouble) {
    for (HostId host = first; host <= kMaxHosts; host += 2) {
      roster.note(host, "web");
      if (std::string why; !roster.save(why)) trouble = why;
    }
  };
  std::string trouble;
  std::thread other(learn, HostId{2}, std::ref(trouble));
  learn(1, problem);
  other.join();
  EXPECT_EQ(problem + trouble, "");
  EXPECT_EQ(Roster(file).hosts(), ~HostSet{0});
}

TEST_F(RosterTest, SaysWhyItCannotBeSaved) {
  Roster roster(directory + "/none/members.json");
  roster.note(1, "web1");
  EXPECT_FALSE(roster.save(problem));
  EXPECT_NE(problem.find("none/members.json"), std::string::npos) << problem;
}

}  // namespace
}  // namespace nlb
