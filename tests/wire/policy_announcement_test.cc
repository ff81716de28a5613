// SPDX-License-Identifier: Apache-2.0
// Policy announcements: what was said comes back; whatever else comes off the wire is refused, or passed over
// where a later version may have put it.
#include "wire/policy_announcement.hh"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <fstream>
#include <map>
#include <random>
#include <sstream>

namespace nlb::wire {
namespace {

using Bytes = std::vector<uint8_t>;
using Refusal = AnnouncementRefusal;

PolicyAnnouncement sample() {
  PolicyAnnouncement told;
  told.host = "kvm7";
  told.bridge = "br0";
  told.port = "tap-web1";
  told.vm = "web1";
  told.adapter = "net0";
  told.mac = *MacAddress::parse("52:54:00:00:00:01");
  told.mac_spoofing = PortSpoofing::cluster;
  told.cluster = "web";
  told.host_id = 3;
  return told;
}

PolicyAnnouncement undeclared() {
  PolicyAnnouncement told;
  told.host = "kvm7";
  told.bridge = "br0";
  told.port = "tap-web1";
  told.audit = true;
  told.require_stopped = false;
  return told;
}

Bytes joined(const std::vector<Bytes>& parts) {
  Bytes all;
  for (const Bytes& part : parts)
    for (const uint8_t octet : part) all.push_back(octet);
  return all;
}

Bytes header(std::size_t length, uint8_t major = 1, uint8_t minor = 0) {
  return {'O', 'N', 'L', 'P', major, minor, static_cast<uint8_t>(length >> 8), static_cast<uint8_t>(length)};
}

Bytes field(uint16_t type, const Bytes& value) {
  const Bytes head = {static_cast<uint8_t>(type >> 8), static_cast<uint8_t>(type),
                      static_cast<uint8_t>(value.size() >> 8), static_cast<uint8_t>(value.size())};
  return joined({head, value});
}

Bytes text(std::string_view value) {
  return {value.begin(), value.end()};
}

Bytes frame(const std::vector<Bytes>& fields, uint8_t major = 1, uint8_t minor = 0) {
  const Bytes body = joined(fields);
  return joined({header(8 + body.size(), major, minor), body});
}

// The fields that every announcement has, with one more.
Bytes with(const Bytes& more, uint8_t minor = 0) {
  return frame(
      {field(1, text("kvm7")), field(2, text("br0")), field(3, text("tap9")), field(7, {0, 0, 0, 0}), more},
      1, minor);
}

std::optional<Refusal> refusal_of(const Bytes& bytes) {
  const auto decoded = decode_policy_announcement(bytes);
  return decoded ? std::nullopt : std::optional(decoded.error());
}

TEST(PolicyAnnouncement, ReturnsWhatWasSaid) {
  for (const auto& told : {sample(), undeclared()}) {
    const auto heard = decode_policy_announcement(encode(told));
    ASSERT_TRUE(heard.has_value()) << text_of(heard.error());
    EXPECT_EQ(*heard, told);
  }
}

// The layout of the document, octet by octet.
TEST(PolicyAnnouncement, LooksAsDocumented) {
  EXPECT_EQ(encode(undeclared()), frame({field(1, text("kvm7")), field(2, text("br0")),
                                         field(3, text("tap-web1")), field(7, {0, 0, 1, 0})}));
  EXPECT_EQ(encode(sample()),
            frame({field(1, text("kvm7")), field(2, text("br0")), field(3, text("tap-web1")),
                   field(4, text("web1")), field(5, text("net0")), field(6, {0x52, 0x54, 0, 0, 0, 1}),
                   field(7, {1, 3, 2, 0}), field(8, text("web"))}));
}

TEST(PolicyAnnouncement, SaysThatTheSwitchSteers) {
  PolicyAnnouncement told = sample();
  told.steering = 0x01020304;
  const Bytes bytes = encode(told), last = field(9, {1, 2, 3, 4});
  EXPECT_EQ(bytes[5], 1) << "the minor version that has added it";
  EXPECT_TRUE(std::equal(last.rbegin(), last.rend(), bytes.rbegin()));
  EXPECT_EQ(decode_policy_announcement(bytes), told);
  told.steering = 0;
  EXPECT_EQ(decode_policy_announcement(encode(told)), told) << "none is in force";
  EXPECT_EQ(refusal_of(with(field(9, {1, 2, 3}))), Refusal::bad_field);
}

TEST(PolicyAnnouncement, SaysThatTheSwitchFences) {
  PolicyAnnouncement told = sample();
  told.fences = true;
  const Bytes bytes = encode(told), last = field(10, {});
  EXPECT_EQ(bytes[5], 2) << "the minor version that has added it";
  EXPECT_TRUE(std::equal(last.rbegin(), last.rend(), bytes.rbegin()));
  EXPECT_EQ(decode_policy_announcement(bytes), told);
  EXPECT_TRUE(decode_policy_announcement(with(field(10, {7, 7})))->fences) << "a later version may append";
}

TEST(PolicyAnnouncement, IsThatOfThePublishedVectors) {
  std::map<std::string, std::string> vectors;
  std::ifstream file(NLB_ANNOUNCEMENT_VECTORS_FILE);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    if (words >> name && name != "#") words >> vectors[name];
  }
  const auto hex = [](const Bytes& bytes) {
    std::string all;
    for (const uint8_t octet : bytes) {
      constexpr const char* digits = "0123456789abcdef";
      all += {digits[octet >> 4], digits[octet & 15]};
    }
    return all;
  };
  EXPECT_EQ(vectors, (std::map<std::string, std::string>{{"declared", hex(encode(sample()))},
                                                         {"undeclared", hex(encode(undeclared()))}}));
}

TEST(PolicyAnnouncement, LeavesRoomInAFrame) {
  PolicyAnnouncement told = sample();
  for (auto* name : {&told.host, &told.bridge, &told.port, &told.vm, &told.adapter, &told.cluster})
    *name = std::string(300, 'x');
  const auto bytes = encode(told);
  EXPECT_LE(bytes.size(), kMaxAnnouncementBytes / 3) << "room for what later versions say";
  const auto heard = decode_policy_announcement(bytes);
  ASSERT_TRUE(heard.has_value());
  EXPECT_EQ(heard->vm, std::string(kMaxAnnouncedName, 'x'));
}

TEST(PolicyAnnouncement, NamesThatAShellWouldReadAreSentAsUnderlines) {
  EXPECT_EQ(announced_name("tap;reboot"), "tap_reboot");
  EXPECT_EQ(announced_name("--live"), "_-live");
  EXPECT_EQ(announced_name("a b\n\x7f\xc3\xa4"), "a_b____");
  EXPECT_EQ(announced_name("web-1.example_2:eth0@if7+x"), "web-1.example_2:eth0@if7+x");
}

TEST(PolicyAnnouncement, PaddingAndWhatIsNewerArePassedOver) {
  auto padded = encode(undeclared());
  padded.resize(padded.size() + 46, 0xaa);
  EXPECT_EQ(refusal_of(padded), std::nullopt);
  EXPECT_EQ(refusal_of(with(field(10, Bytes(512, 0xff)), 2)), std::nullopt) << "a type of a later version";
  EXPECT_EQ(refusal_of(with(field(0, {}))), std::nullopt);
  EXPECT_EQ(refusal_of(with(field(0xffff, {}))), std::nullopt);
  const auto longer =
      frame({field(1, text("h")), field(2, text("b")), field(3, text("p")), field(7, {2, 64, 3, 9, 1, 2, 3})},
            1, 7);
  const auto heard = decode_policy_announcement(longer);
  ASSERT_TRUE(heard.has_value());
  EXPECT_EQ(heard->mac_spoofing, PortSpoofing::on);
  EXPECT_EQ(heard->host_id, 64);
  EXPECT_TRUE(heard->audit && heard->require_stopped);
}

TEST(PolicyAnnouncement, RefusesWhatIsNoAnnouncement) {
  EXPECT_EQ(refusal_of({}), Refusal::short_frame);
  EXPECT_EQ(refusal_of({'O', 'N', 'L', 'P', 1, 0, 0}), Refusal::short_frame);
  EXPECT_EQ(refusal_of({'O', 'N', 'L', 'B', 1, 0, 0, 8}), Refusal::bad_magic);
  EXPECT_EQ(refusal_of(header(8, 2)), Refusal::other_version);
  EXPECT_EQ(refusal_of(header(7)), Refusal::bad_length);
  EXPECT_EQ(refusal_of(header(9)), Refusal::bad_length);
  Bytes endless = frame({field(9, Bytes(1600))});
  EXPECT_EQ(refusal_of(endless), Refusal::bad_length);
}

TEST(PolicyAnnouncement, RefusesBadFields) {
  const Bytes good =
      frame({field(1, text("h")), field(2, text("b")), field(3, text("p")), field(7, {0, 0, 0, 0})});
  EXPECT_EQ(refusal_of(good), std::nullopt);
  EXPECT_EQ(refusal_of(frame({})), Refusal::missing_field);
  EXPECT_EQ(refusal_of(frame({field(1, text("h")), field(2, text("b")), field(3, text("p"))})),
            Refusal::missing_field);
  EXPECT_EQ(refusal_of(frame({field(1, text("h")), field(2, text("b")), field(7, {0, 0, 0, 0})})),
            Refusal::missing_field);
  EXPECT_EQ(refusal_of(with({0})), Refusal::bad_field) << "less than a field's header";
  EXPECT_EQ(refusal_of(with({0, 9, 0, 1})), Refusal::bad_field) << "a value outside the frame";
  EXPECT_EQ(refusal_of(with(field(1, text("kvm8")))), Refusal::repeated_field);
  EXPECT_EQ(refusal_of(with(field(6, {1, 0, 0x5e, 0, 0, 1}))), Refusal::bad_field) << "a group as own MAC";
  EXPECT_EQ(refusal_of(with(field(6, {0, 0, 0, 0, 0, 0}))), Refusal::bad_field);
  EXPECT_EQ(refusal_of(with(field(6, {2, 0, 0, 0, 0}))), Refusal::bad_field);
  for (const Bytes& setting : {Bytes{3, 0, 0, 0}, Bytes{0, 65, 0, 0}, Bytes{0, 0, 0}, Bytes{}})
    EXPECT_EQ(
        refusal_of(frame({field(1, text("h")), field(2, text("b")), field(3, text("p")), field(7, setting)})),
        Refusal::bad_field);
}

TEST(PolicyAnnouncement, RefusesNamesThatNobodySends) {
  for (const std::string& name : {std::string(), std::string(65, 'x'), std::string("a\nb"),
                                  std::string("a\0b", 3), std::string("$(reboot)"), std::string("a b"),
                                  std::string("--live"), std::string("\x1b[2J"), std::string("\xc3\xa4")})
    EXPECT_EQ(refusal_of(with(field(4, text(name)))), Refusal::bad_text) << name;
}

TEST(PolicyAnnouncement, EveryTruncationIsRefused) {
  const auto bytes = encode(sample());
  for (std::size_t length = 0; length < bytes.size(); ++length)
    EXPECT_NE(refusal_of({bytes.begin(), bytes.begin() + static_cast<long>(length)}), std::nullopt) << length;
  // The length made to fit the cut: then a field ends outside, or one that must be there is not.
  for (std::size_t length = 8; length < bytes.size(); ++length) {
    Bytes cut(bytes.begin(), bytes.begin() + static_cast<long>(length));
    cut[6] = static_cast<uint8_t>(length >> 8);
    cut[7] = static_cast<uint8_t>(length);
    const bool before_the_last_field = length == bytes.size() - 7;
    EXPECT_EQ(refusal_of(cut) == std::nullopt, before_the_last_field) << length;
  }
}

// What is accepted is said again as it was meant, whatever the input.
void holds(const Bytes& bytes) {
  const auto heard = decode_policy_announcement(bytes);
  if (!heard) return;
  const auto again = decode_policy_announcement(encode(*heard));
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(*again, *heard);
}

TEST(PolicyAnnouncement, RandomInputDoesNoHarm) {
  std::mt19937 random(7);
  for (int i = 0; i < 200'000; ++i) {
    Bytes bytes = encode(i % 2 != 0 ? sample() : undeclared());
    const int changes = 1 + static_cast<int>(random() % 4);
    for (int change = 0; change < changes; ++change)
      bytes[random() % bytes.size()] = static_cast<uint8_t>(random());
    if (random() % 4 == 0) bytes.resize(random() % 200);
    holds(bytes);
  }
}

RC_GTEST_PROP(PolicyAnnouncementProperty, AnyNamesComeBackAsTheyAreSent, ()) {
  const auto name = [] { return *rc::gen::nonEmpty(rc::gen::string<std::string>()); };
  PolicyAnnouncement told = sample();
  for (auto* one : {&told.host, &told.bridge, &told.port, &told.vm, &told.adapter, &told.cluster})
    *one = name();
  const auto heard = decode_policy_announcement(encode(told));
  RC_ASSERT(heard.has_value());
  RC_ASSERT(heard->vm == announced_name(told.vm));
  RC_ASSERT(heard->cluster == announced_name(told.cluster));
  RC_ASSERT(announced_name(heard->host) == heard->host);
}

}  // namespace
}  // namespace nlb::wire
