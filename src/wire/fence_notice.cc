// SPDX-License-Identifier: Apache-2.0
#include "wire/fence_notice.hh"

#include <algorithm>

#include "base/limits.hh"
#include "wire/bytes.hh"
#include "wire/refusal_text.hh"

namespace nlb::wire {
namespace {

using Refusal = FenceRefusal;
constexpr std::array<uint8_t, 4> kPresence = {'O', 'N', 'L', 'M'}, kNotice = {'O', 'N', 'L', 'F'};
constexpr uint8_t kMajor = 1, kMinor = 0;
constexpr std::size_t kHeaderBytes = 8, kHostBytes = 4, kNumbersBytes = 16;
constexpr std::size_t kNoticeBytes = kHeaderBytes + kHostBytes + kNumbersBytes;
constexpr std::size_t kPresenceBytes = kNoticeBytes + 8;
constexpr uint32_t kLongestPeriodMs = 10'000, kLongestSilenceMs = 1'000'000;

void put_head(Writer& out, const std::array<uint8_t, 4>& magic, std::size_t bytes, HostId host) {
  out.put(magic);
  out.put(kMajor);
  out.put(kMinor);
  out.put(static_cast<uint16_t>(bytes));
  out.put(host);
  out.put(std::array<uint8_t, 3>{});
}

tl::expected<FenceFrame, Refusal> read_presence(Reader& in, HostId host) {
  PortPresence presence;
  presence.host = host;
  presence.incarnation = in.get<uint64_t>();
  presence.nonce = in.get<uint64_t>();
  presence.period_ms = in.get<uint32_t>();
  presence.silence_ms = in.get<uint32_t>();
  const bool usual = presence.period_ms > 0 && presence.period_ms <= kLongestPeriodMs &&
                     presence.silence_ms > presence.period_ms && presence.silence_ms <= kLongestSilenceMs;
  if (!usual) return tl::unexpected(Refusal::bad_field);
  return presence;
}

tl::expected<FenceFrame, Refusal> read_notice(Reader& in, HostId host) {
  FenceNotice notice;
  notice.host = host;
  notice.incarnation = in.get<uint64_t>();
  notice.nonce = in.get<uint64_t>();
  return notice;
}

}  // namespace

NLB_TEXT_OF(FenceRefusal, NLB_FENCE_REFUSALS)

std::vector<uint8_t> encode(const PortPresence& presence) {
  Writer out(kPresenceBytes);
  put_head(out, kPresence, kPresenceBytes, presence.host);
  out.put(presence.incarnation);
  out.put(presence.nonce);
  out.put(presence.period_ms);
  out.put(presence.silence_ms);
  return std::move(out.bytes());
}

std::vector<uint8_t> encode(const FenceNotice& notice) {
  Writer out(kNoticeBytes);
  put_head(out, kNotice, kNoticeBytes, notice.host);
  out.put(notice.incarnation);
  out.put(notice.nonce);
  return std::move(out.bytes());
}

tl::expected<FenceFrame, FenceRefusal> decode_fence_frame(std::span<const uint8_t> payload) {
  if (payload.size() < kNoticeBytes) return tl::unexpected(Refusal::short_frame);
  Reader in(payload);
  std::array<uint8_t, 4> magic{};
  in.get(magic);
  if (magic != kPresence && magic != kNotice) return tl::unexpected(Refusal::bad_magic);
  if (in.get<uint8_t>() != kMajor) return tl::unexpected(Refusal::other_version);
  in.skip(1);
  const std::size_t total = in.get<uint16_t>();
  const std::size_t least = magic == kPresence ? kPresenceBytes : kNoticeBytes;
  if (total < least || total > payload.size()) return tl::unexpected(Refusal::bad_length);
  const auto host = in.get<uint8_t>();
  if (host == 0 || host > kMaxHosts) return tl::unexpected(Refusal::bad_field);
  in.skip(kHostBytes - 1);
  return magic == kPresence ? read_presence(in, host) : read_notice(in, host);
}

}  // namespace nlb::wire
