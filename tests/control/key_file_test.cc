// SPDX-License-Identifier: Apache-2.0
// Key files: made, rotated, read back, and every way in which one is refused.
#include "control/key_file.hh"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace nlb {
namespace {

const std::string kSeed = "seed 000102030405060708090a0b0c0d0e0f\n";
const std::string kHexA(64, 'a'), kHexB(64, 'B');

TEST(Keys, AreReadNewestFirst) {
  const auto keys = parse_keys("# comment\n\n" + kSeed + "key " + kHexA + "\r\n  key\t" + kHexB, "f");
  ASSERT_TRUE(keys.has_value()) << text_of(keys.error());
  EXPECT_EQ(keys->seed[1], 1);
  EXPECT_EQ(keys->seed[15], 15);
  ASSERT_EQ(keys->keys.size(), 2u);
  EXPECT_EQ(keys->keys[0][31], 0xaa);
  EXPECT_EQ(keys->keys[1][0], 0xbb);
}

// Worked out apart, with Python's hashlib: sha256(b"opennlb seed" + bytes([0xaa] * 32)).hexdigest()[:32]
TEST(Keys, ABareKeyGivesItsSeed) {
  const auto keys = parse_keys(kHexA + "\n", "f");
  ASSERT_TRUE(keys.has_value());
  const std::array<uint8_t, 16> expected = {0x99, 0x77, 0x30, 0xeb, 0xc9, 0x0f, 0xfb, 0xc4,
                                            0x84, 0xee, 0x45, 0xe5, 0x40, 0x44, 0xbe, 0xe7};
  EXPECT_EQ(keys->seed, expected);
  EXPECT_EQ(key_fingerprint(keys->keys[0]), "f42878b422a19e57");
}

struct BadKeys {
  std::string text;
  int line;
  const char* says;
};

TEST(Keys, BadLinesAreNamedAndNeverQuoted) {
  const std::string zero(64, '0');
  const std::vector<BadKeys> cases = {
      {"", 0, "no key; allowed: a \"key\" line of 64 hex digits"},
      {kSeed, 0, "no key"},
      {"key " + kHexA, 0, "no seed; allowed: one \"seed\" line of 32 hex digits"},
      {kSeed + "key " + kHexA.substr(1), 2, "a key must be 64 hex digits (32 bytes), this one has 63"},
      {kSeed + "key " + kHexA + "a", 2, "this one has 65"},
      {kSeed + "key " + kHexA.substr(1) + "g", 2, "this one has other characters in it"},
      {kSeed + "key " + zero, 2, "a key must not be all zero"},
      {kSeed + "key", 2, "this one has 0"},
      {zero, 1, "a key must not be all zero"},
      {"seed " + zero.substr(32) + "\nkey " + kHexA, 1, "a seed must not be all zero"},
      {"seed aaaa\nkey " + kHexA, 1, "a seed must be 32 hex digits (16 bytes), this one has 4"},
      {kSeed + kSeed + "key " + kHexA, 2, "a second seed; the first one is in line 1"},
      {kSeed + "key " + kHexA + "\nkey " + kHexA, 3, "the same key a second time"},
      {kSeed + kHexA, 2, "a bare key stands alone"},
      {kHexA + "\n" + kHexB, 2, "a bare key stands alone"},
      {kHexA.substr(2), 1, "a bare key must be 64 hex digits (32 bytes), this line has 62"},
      {kSeed + "kye " + kHexA, 2, "line not understood; allowed: \"seed\" and 32 hex digits"},
      {kSeed + "key " + kHexA + " " + kHexB, 2, "other characters"},
  };
  for (const auto& bad : cases) {
    const auto keys = parse_keys(bad.text, "f");
    ASSERT_FALSE(keys.has_value()) << bad.says;
    const auto& problem = keys.error().front();
    EXPECT_EQ(problem.line, bad.line) << problem.text();
    EXPECT_NE(problem.message.find(bad.says), std::string::npos) << problem.text();
    for (const auto& each : keys.error())
      for (const char* secret : {"aaaa", "bbbb", "BBBB", "0102"})
        EXPECT_EQ(each.text().find(secret), std::string::npos) << each.text();
  }
}

TEST(Keys, FourAreTheMost) {
  std::string text = kSeed;
  for (const char digit : {'1', '2', '3', '4', '5'}) text += "key " + std::string(64, digit) + "\n";
  const auto keys = parse_keys(text, "f");
  ASSERT_FALSE(keys.has_value());
  EXPECT_EQ(keys.error().front().text(), "f:6: more than 4 keys; remove the oldest, which come last");
}

class KeysOnDisk : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "nlb-keys-XXXXXX";
    directory_ = ::mkdtemp(name.data());
    path_ = directory_ + "/sub/web.key";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  void write(const std::string& text) const {
    std::filesystem::create_directories(directory_ + "/sub");
    std::ofstream(path_) << text;
    ::chmod(path_.c_str(), 0600);
  }
  [[nodiscard]] std::string text() const {
    std::ifstream stream(path_);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  [[nodiscard]] struct stat status() const {
    struct stat result {};
    ::stat(path_.c_str(), &result);
    return result;
  }
  std::string directory_, path_;
};

TEST_F(KeysOnDisk, NewOnesAreRandomPrivateAndNeverOverwriteAnything) {
  const mode_t before = ::umask(0777);
  ASSERT_TRUE(write_new_keys(directory_ + "/web.key").has_value());
  ::umask(before);
  path_ = directory_ + "/web.key";
  EXPECT_EQ(status().st_mode & 07777, 0600u);
  const auto first = read_keys(path_);
  ASSERT_TRUE(first.has_value()) << first.error().message;
  const auto again = write_new_keys(path_);
  ASSERT_FALSE(again.has_value());
  EXPECT_NE(again.error().message.find("exists already and is not overwritten"), std::string::npos);
  std::filesystem::create_symlink(directory_ + "/elsewhere", directory_ + "/link");
  EXPECT_FALSE(write_new_keys(directory_ + "/link").has_value());
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/elsewhere"));
  ASSERT_TRUE(write_new_keys(directory_ + "/other.key").has_value());
  const auto second = read_keys(directory_ + "/other.key");
  ASSERT_TRUE(second.has_value());
  EXPECT_NE(first->keys[0], second->keys[0]);
  EXPECT_NE(first->seed, second->seed);
}

TEST_F(KeysOnDisk, RotationKeepsFourSeedOwnerModeAndComments) {
  write("# ours\n" + kHexA + "\n");
  ::chmod(path_.c_str(), 0400);
  const auto seed = read_keys(path_)->seed;
  std::vector<std::array<uint8_t, 32>> newest_first = read_keys(path_)->keys;
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(rotate_keys(path_).has_value());
    const auto keys = read_keys(path_);
    ASSERT_TRUE(keys.has_value()) << keys.error().message;
    newest_first.insert(newest_first.begin(), keys->keys.front());
    if (newest_first.size() > 4) newest_first.pop_back();
    EXPECT_EQ(keys->seed, seed) << "the derived seed was written down";
    EXPECT_EQ(keys->keys, newest_first);
  }
  EXPECT_EQ(status().st_mode & 07777, 0400u);
  EXPECT_EQ(text().rfind("# ours\nseed ", 0), 0u) << "comment first, then the seed";
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_ + "/sub"), {}), 1)
      << "no temporary file left";
}

TEST_F(KeysOnDisk, RotationKeepsTheOwner) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give a file away";
  write(kSeed + "key " + kHexA);
  ASSERT_EQ(::chown(path_.c_str(), 0, 12345), 0);
  ASSERT_TRUE(rotate_keys(path_).has_value());
  EXPECT_EQ(status().st_gid, 12345u);
}

TEST_F(KeysOnDisk, RotationOfABadFileChangesNothing) {
  write("key 12");
  EXPECT_FALSE(rotate_keys(path_).has_value());
  EXPECT_EQ(text(), "key 12");
  write(kSeed + "key " + kHexA);
  std::filesystem::create_symlink(path_, directory_ + "/link");
  const auto linked = rotate_keys(directory_ + "/link");
  ASSERT_FALSE(linked.has_value());
  EXPECT_NE(linked.error().message.find("a symbolic link"), std::string::npos);
}

TEST_F(KeysOnDisk, AreRefusedWhenOthersCanReadOrOwnThem) {
  write(kSeed + "key " + kHexA);
  for (const mode_t mode : {0640, 0604, 0660, 0610}) {
    ::chmod(path_.c_str(), mode);
    EXPECT_FALSE(read_keys(path_).has_value()) << mode;
  }
  ::chmod(path_.c_str(), 0600);
  EXPECT_TRUE(read_keys(path_).has_value());
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(path_.c_str(), 12345, 0), 0);
    const auto foreign = read_keys(path_);
    ASSERT_FALSE(foreign.has_value());
    EXPECT_NE(foreign.error().message.find("owned by user id 12345; allowed: root or the daemon's user"),
              std::string::npos);
  }
  EXPECT_NE(read_keys(directory_).error().message.find("not a regular file"), std::string::npos);
}

}  // namespace
}  // namespace nlb
