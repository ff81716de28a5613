// SPDX-License-Identifier: Apache-2.0
// The published vectors of announcements of buckets, presences and notices of fences, which another program
// wrote (switch_oracle.py): same octets from the same fields, both ways, and the same refusals.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>

#include "wire/fence_notice.hh"
#include "wire/steering_announcement.hh"

namespace nlb::wire {
namespace {

using Bytes = std::vector<uint8_t>;

struct Vector {
  std::string name, frame, refused;
  std::map<std::string, uint64_t> numbers;
  SteeringContent content;
  std::vector<Bytes> parts;
};

Bytes octets_of(const std::string& hex) {
  Bytes bytes;
  for (std::size_t at = 0; at + 1 < hex.size(); at += 2)
    bytes.push_back(static_cast<uint8_t>(std::stoul(hex.substr(at, 2), nullptr, 16)));
  return bytes;
}

void read_ports(std::istream& in, SteeringRules& rules) {
  unsigned slot = 0, address = 0;
  std::string protocols;
  SteeringPorts ports;
  in >> slot >> address >> protocols >> ports.first >> ports.last;
  ports.slot = static_cast<uint8_t>(slot);
  ports.vip = static_cast<uint8_t>(address);
  ports.tcp = protocols == "tcp" || protocols == "both";
  ports.udp = protocols == "udp" || protocols == "both";
  rules.ports.push_back(ports);
}

void read_row(std::istream& in, SteeringContent& content) {
  unsigned slot = 0;
  in >> slot;
  auto& row = content.rows[static_cast<uint8_t>(slot)];
  std::size_t first = 0, last = 0;
  for (char between = 0; in >> first >> between >> last; in >> between)
    for (std::size_t bucket = first; bucket <= last; ++bucket) row.set(bucket);
}

void read_line(const std::string& key, std::istream& in, Vector& vector) {
  std::string word;
  if (key == "frame") {
    in >> vector.frame;
  } else if (key == "refused") {
    in >> vector.refused;
  } else if (key == "part") {
    vector.parts.emplace_back();
  } else if (key == "bytes") {
    in >> word;
    for (const uint8_t octet : octets_of(word)) vector.parts.back().push_back(octet);
  } else if (key == "seed") {
    in >> word;
    const Bytes seed = octets_of(word);
    ASSERT_EQ(seed.size(), vector.content.rules.seed.size());
    std::copy(seed.begin(), seed.end(), vector.content.rules.seed.begin());
  } else if (key == "address") {
    in >> word;
    vector.content.rules.vips.push_back(IpAddress::parse(word).value());
  } else if (key == "slot") {
    unsigned slot = 0, affinity = 0;
    in >> slot >> affinity;
    vector.content.rules.affinities.at(slot) = static_cast<uint8_t>(affinity);
  } else if (key == "ports") {
    read_ports(in, vector.content.rules);
  } else if (key == "row") {
    read_row(in, vector.content);
  } else {
    ASSERT_TRUE(in >> vector.numbers[key]) << key;
  }
}

std::vector<Vector> vectors() {
  std::ifstream file(NLB_VECTORS_FILE);
  EXPECT_TRUE(file.is_open()) << NLB_VECTORS_FILE;
  std::vector<Vector> all;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.starts_with("#")) continue;
    std::istringstream in(line);
    std::string key;
    in >> key;
    if (key == "vector")
      all.push_back({line.substr(key.size() + 1), {}, {}, {}, {}, {}});
    else
      read_line(key, in, all.back());
  }
  return all;
}

uint32_t generation_of(const Vector& vector) {
  return static_cast<uint32_t>(vector.numbers.at("generation"));
}

void judge_steering(const Vector& vector) {
  const bool mark = vector.frame == "mark";
  const bool in_transition = mark && vector.numbers.at("in_transition") != 0;
  const auto made = mark ? std::vector<Bytes>{encode_steering_mark(generation_of(vector), in_transition)}
                         : encode_steering(generation_of(vector), vector.content);
  EXPECT_EQ(made, vector.parts);
  SteeringAssembly assembly;
  for (const Bytes& part : vector.parts) {
    const auto taken = assembly.take(part);
    ASSERT_TRUE(taken) << text_of(taken.error());
    EXPECT_EQ(taken->generation, generation_of(vector));
    EXPECT_EQ(taken->in_transition, in_transition);
    const bool whole = !mark && &part == &vector.parts.back();
    ASSERT_EQ(taken->content.has_value(), whole);
    EXPECT_EQ(taken->content.value_or(vector.content), vector.content);
  }
}

void judge_fence_frame(const Vector& vector) {
  const auto number = [&](const char* name) { return vector.numbers.at(name); };
  const auto host = static_cast<HostId>(number("host"));
  const uint64_t incarnation = number("incarnation"), nonce = number("nonce");
  FenceFrame said = FenceNotice{host, incarnation, nonce};
  if (vector.frame == "presence")
    said = PortPresence{host, static_cast<uint32_t>(number("period_ms")),
                        static_cast<uint32_t>(number("silence_ms")), incarnation, nonce};
  ASSERT_EQ(vector.parts.size(), 1U);
  EXPECT_EQ(std::visit([](const auto& frame) { return encode(frame); }, said), vector.parts[0]);
  EXPECT_EQ(decode_fence_frame(vector.parts[0]), said);
}

std::string name_of(FenceRefusal refusal) {
#define NLB_NAME(name, text) \
  if (refusal == FenceRefusal::name) return #name;
  NLB_FENCE_REFUSALS(NLB_NAME)
#undef NLB_NAME
  return "none";
}

std::string name_of(SteeringRefusal refusal) {
#define NLB_NAME(name, text) \
  if (refusal == SteeringRefusal::name) return #name;
  NLB_STEERING_REFUSALS(NLB_NAME)
#undef NLB_NAME
  return "none";
}

std::string refusal_of(const Vector& vector) {
  if (vector.frame == "fence") {
    const auto read = decode_fence_frame(vector.parts.at(0));
    return read ? "" : name_of(read.error());
  }
  const auto taken = SteeringAssembly().take(vector.parts.at(0));
  return taken ? "" : name_of(taken.error());
}

TEST(SwitchVectors, same_octets_and_same_refusals) {
  std::map<std::string, int> count;
  for (const Vector& vector : vectors()) {
    SCOPED_TRACE(vector.name);
    ++count[vector.refused.empty() ? vector.frame : "refused " + vector.frame];
    if (!vector.refused.empty())
      EXPECT_EQ(refusal_of(vector), vector.refused);
    else if (vector.frame == "mark" || vector.frame == "steering")
      judge_steering(vector);
    else
      judge_fence_frame(vector);
  }
  const std::map<std::string, int> expected = {{"presence", 3},       {"notice", 2},
                                               {"mark", 2},           {"steering", 2},
                                               {"refused fence", 19}, {"refused steering", 27}};
  EXPECT_EQ(count, expected);
}

}  // namespace
}  // namespace nlb::wire
