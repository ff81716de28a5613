// SPDX-License-Identifier: Apache-2.0
#include "wire/policy_announcement.hh"

#include <algorithm>
#include <array>
#include <cassert>
#include <optional>

#include "base/limits.hh"
#include "wire/bytes.hh"
#include "wire/refusal_text.hh"

namespace nlb::wire {
namespace {

using Refusal = AnnouncementRefusal;
constexpr std::array<uint8_t, 4> kMagic = {'O', 'N', 'L', 'P'};
constexpr std::size_t kHeaderBytes = 8, kFieldHeaderBytes = 4, kSettingBytes = 4, kSteeringBytes = 4;
constexpr uint8_t kAudit = 1, kRequireStopped = 2;  // flags of a setting

// Types of fields. Append only.
enum class Field : uint16_t { host = 1, bridge, port, vm, adapter, mac, setting, cluster, steering, fences };
constexpr uint16_t kLastField = static_cast<uint16_t>(Field::fences);

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("._:@+-").find(c) != std::string_view::npos;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxAnnouncedName && text.front() != '-' &&
         std::all_of(text.begin(), text.end(), is_name_character);
}

void put_field(Writer& out, Field type, std::span<const uint8_t> value) {
  out.put(static_cast<uint16_t>(type));
  out.put(static_cast<uint16_t>(value.size()));
  out.put(value);
}

void put_name(Writer& out, Field type, std::string_view name) {
  const std::string text = announced_name(name);
  if (!text.empty()) put_field(out, type, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

// One announcement while its fields are read.
class Assembly {
 public:
  std::optional<Refusal> take(uint16_t type, std::span<const uint8_t> value) {
    if (type == 0 || type > kLastField) return std::nullopt;
    const uint32_t bit = 1U << type;
    if (seen_ & bit) return Refusal::repeated_field;
    seen_ |= bit;
    switch (static_cast<Field>(type)) {
      case Field::host:
        return take_name(value, out_.host);
      case Field::bridge:
        return take_name(value, out_.bridge);
      case Field::port:
        return take_name(value, out_.port);
      case Field::vm:
        return take_name(value, out_.vm);
      case Field::adapter:
        return take_name(value, out_.adapter);
      case Field::cluster:
        return take_name(value, out_.cluster);
      case Field::mac:
        return take_mac(value);
      case Field::setting:
        return take_setting(value);
      case Field::steering:
        return take_steering(value);
      case Field::fences:
        out_.fences = true;
        return std::nullopt;
    }
    return std::nullopt;
  }

  tl::expected<PolicyAnnouncement, Refusal> result() {
    for (const Field needed : {Field::host, Field::bridge, Field::port, Field::setting})
      if (!(seen_ & 1U << static_cast<uint16_t>(needed))) return tl::unexpected(Refusal::missing_field);
    return std::move(out_);
  }

 private:
  static std::optional<Refusal> take_name(std::span<const uint8_t> value, std::string& name) {
    name.assign(value.begin(), value.end());
    return is_name(name) ? std::nullopt : std::optional(Refusal::bad_text);
  }
  std::optional<Refusal> take_mac(std::span<const uint8_t> value) {
    if (value.size() != out_.mac.octets.size()) return Refusal::bad_field;
    std::copy(value.begin(), value.end(), out_.mac.octets.begin());
    const bool unicast = !out_.mac.is_zero() && (out_.mac.octets[0] & 1) == 0;
    return unicast ? std::nullopt : std::optional(Refusal::bad_field);
  }
  // A newer minor version may append to this and to the next one.
  std::optional<Refusal> take_steering(std::span<const uint8_t> value) {
    if (value.size() < kSteeringBytes) return Refusal::bad_field;
    out_.steering = Reader(value).get<uint32_t>();
    return std::nullopt;
  }
  std::optional<Refusal> take_setting(std::span<const uint8_t> value) {
    if (value.size() < kSettingBytes || value[0] > static_cast<uint8_t>(PortSpoofing::on) ||
        value[1] > kMaxHosts)
      return Refusal::bad_field;
    out_.mac_spoofing = static_cast<PortSpoofing>(value[0]);
    out_.host_id = value[1];
    out_.audit = (value[2] & kAudit) != 0;
    out_.require_stopped = (value[2] & kRequireStopped) != 0;
    return std::nullopt;
  }

  PolicyAnnouncement out_;
  uint32_t seen_ = 0;
};

}  // namespace

NLB_TEXT_OF(AnnouncementRefusal, NLB_ANNOUNCEMENT_REFUSALS)

std::string announced_name(std::string_view name) {
  std::string text(name.substr(0, kMaxAnnouncedName));
  for (char& c : text)
    if (!is_name_character(c)) c = '_';
  if (!text.empty() && text.front() == '-') text.front() = '_';
  return text;
}

std::vector<uint8_t> encode(const PolicyAnnouncement& announcement) {
  assert(!announcement.host.empty() && !announcement.bridge.empty() && !announcement.port.empty());
  Writer fields(256);
  put_name(fields, Field::host, announcement.host);
  put_name(fields, Field::bridge, announcement.bridge);
  put_name(fields, Field::port, announcement.port);
  put_name(fields, Field::vm, announcement.vm);
  put_name(fields, Field::adapter, announcement.adapter);
  if (!announcement.mac.is_zero()) put_field(fields, Field::mac, announcement.mac.octets);
  const auto flags = static_cast<uint8_t>((announcement.audit ? kAudit : 0) |
                                          (announcement.require_stopped ? kRequireStopped : 0));
  put_field(fields, Field::setting,
            std::array<uint8_t, kSettingBytes>{static_cast<uint8_t>(announcement.mac_spoofing),
                                               announcement.host_id, flags, 0});
  put_name(fields, Field::cluster, announcement.cluster);
  if (announcement.steering) {
    Writer generation(kSteeringBytes);
    generation.put(*announcement.steering);
    put_field(fields, Field::steering, generation.bytes());
  }
  if (announcement.fences) put_field(fields, Field::fences, {});

  Writer out(kHeaderBytes + fields.bytes().size());
  out.put(kMagic);
  out.put(kAnnouncementMajor);
  out.put(static_cast<uint8_t>(announcement.fences ? kAnnouncementMinor : announcement.steering ? 1 : 0));
  out.put(static_cast<uint16_t>(kHeaderBytes + fields.bytes().size()));
  out.put(fields.bytes());
  return std::move(out.bytes());
}

tl::expected<PolicyAnnouncement, Refusal> decode_policy_announcement(std::span<const uint8_t> payload) {
  if (payload.size() < kHeaderBytes) return tl::unexpected(Refusal::short_frame);
  Reader header(payload);
  std::array<uint8_t, 4> magic{};
  header.get(magic);
  if (magic != kMagic) return tl::unexpected(Refusal::bad_magic);
  if (header.get<uint8_t>() != kAnnouncementMajor) return tl::unexpected(Refusal::other_version);
  header.skip(1);  // the minor version: what it appends is passed over
  const std::size_t total = header.get<uint16_t>();
  if (total < kHeaderBytes || total > payload.size() || total > kMaxAnnouncementBytes)
    return tl::unexpected(Refusal::bad_length);
  Reader fields(payload.first(total).subspan(kHeaderBytes));
  Assembly assembly;
  while (fields.left() > 0) {
    if (fields.left() < kFieldHeaderBytes) return tl::unexpected(Refusal::bad_field);
    const auto type = fields.get<uint16_t>();
    const std::size_t length = fields.get<uint16_t>();
    if (length > fields.left()) return tl::unexpected(Refusal::bad_field);
    if (const auto refusal = assembly.take(type, fields.take(length))) return tl::unexpected(*refusal);
  }
  return assembly.result();
}

}  // namespace nlb::wire
