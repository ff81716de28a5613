// SPDX-License-Identifier: Apache-2.0
// The published vectors, which another program wrote (oracle.py): same bytes from the same fields, both ways.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "frame_text.hh"
#include "sample_frames.hh"
#include "wire/signature.hh"

namespace nlb::wire {
namespace {

std::ifstream vectors() {
  std::ifstream file(NLB_VECTORS_FILE);
  EXPECT_TRUE(file.is_open()) << NLB_VECTORS_FILE;
  return file;
}

// The value of the first line "name value".
std::string value_of(const std::string& name) {
  auto file = vectors();
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(name + " ")) return line.substr(name.size() + 1);
  return "no such line";
}

std::string joined_bytes(std::istream& file) {
  std::string hex, line;
  while (file.peek() == 'b' && std::getline(file, line)) hex += line.substr(std::string("bytes ").size());
  return hex;
}

TEST(Vectors, OfIds) {
  const auto key = sample_keys().keys[0];
  EXPECT_EQ(hex_of(key), value_of("key"));
  EXPECT_EQ(hex_of(key_id_of(key)), value_of("key_id"));
  EXPECT_EQ(hex_of(cluster_id_of("web", sample_vip())), value_of("cluster_id"));
}

TEST(Vectors, OfDigests) {
  Config config;
  config.vips = {{*IpAddress::parse("2001:db8::64"), 64}, {sample_vip(), 24}};
  for (std::size_t i = 0; i < 16; ++i) config.keys.seed[i] = static_cast<uint8_t>(0xa0 + i);
  PortRule web, mail;
  web.first_port = 80, web.last_port = 443, web.protocol = RuleProtocol::tcp, web.timeout_s = 600;
  mail.vip = sample_vip(), mail.first_port = mail.last_port = 25, mail.mode = FilteringMode::single;
  config.rules = {mail, web};
  const ConfigDigests digests = digests_of(config, 0);
  EXPECT_EQ(std::to_string(digests.vips), value_of("example_vips_digest"));
  EXPECT_EQ(std::to_string(digests.rules), value_of("example_rules_digest"));
  EXPECT_EQ(std::to_string(digests.seed), value_of("example_seed_digest"));
}

TEST(Vectors, OfFrames) {
  const Codec codec(sample_keys(), "web", sample_vip());
  auto file = vectors();
  int count = 0;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("vector ")) continue;
    ++count;
    const auto frame = read_frame_text(file);
    ASSERT_TRUE(frame.has_value()) << line;
    const std::string hex = joined_bytes(file);
    if (kVersionMinor == 0) {
      EXPECT_EQ(hex_of(codec.encode(*frame)), hex) << line;
    }
    const auto decoded = codec.decode(bytes_of_hex(hex));
    ASSERT_TRUE(decoded.has_value()) << line << ": " << name_of(decoded.error());
    EXPECT_EQ(text_of_frame(*decoded), text_of_frame(*frame)) << line;
  }
  EXPECT_GE(count, 6);
}

}  // namespace
}  // namespace nlb::wire
