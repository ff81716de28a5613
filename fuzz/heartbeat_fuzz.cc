// SPDX-License-Identifier: Apache-2.0
// Hostile heartbeats. Two programs from this file, with one corpus of whole frames:
//   heartbeat_fuzz      signs what the fuzzer made, so that it reaches the parser behind the signature
//   heartbeat_raw_fuzz  takes the bytes as they come off the wire (NLB_FUZZ_RAW)
// Besides what the sanitizers find: what is accepted must mean the same when it is said again.
#include <algorithm>
#include <cstdlib>

#include "wire/codec.hh"
#include "wire/layout.hh"
#include "wire/signature.hh"

namespace nlb::wire {
namespace {

#ifdef NLB_FUZZ_RAW
constexpr bool kSigns = false;
#else
constexpr bool kSigns = true;
#endif

KeySet fuzz_keys() {  // those of the published vectors, which are the corpus
  KeySet keys;
  keys.keys.emplace_back();
  for (std::size_t i = 0; i < 32; ++i) keys.keys[0][i] = static_cast<uint8_t>(i + 1);
  return keys;
}

// A good envelope around whatever body there is; version minor, type and sender stay as the fuzzer made them.
void sign(std::vector<uint8_t>& bytes) {
  static const Signer signer(fuzz_keys().keys[0]);
  static const ClusterId cluster = cluster_id_of("web", IpAddress::v4(0x0a4d0064));
  bytes.resize(std::clamp(bytes.size(), kMinFrameBytes, kMaxPayloadBytes));
  const std::size_t total = bytes.size();
  const uint8_t fixed[] = {'O', 'N', 'L', 'B', kVersionMajor};
  std::copy(std::begin(fixed), std::end(fixed), bytes.begin());
  bytes[kLengthOffset] = static_cast<uint8_t>(total >> 8);
  bytes[kLengthOffset + 1] = static_cast<uint8_t>(total);
  std::copy(signer.id().begin(), signer.id().end(), bytes.begin() + 12);
  std::copy(cluster.begin(), cluster.end(), bytes.begin() + 20);
  bytes.resize(total - kSignatureBytes);
  const Signature signature = signer.sign(bytes);
  bytes.insert(bytes.end(), signature.begin(), signature.end());
}

}  // namespace
}  // namespace nlb::wire

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  using namespace nlb::wire;
  static const Codec codec(fuzz_keys(), "web", nlb::IpAddress::v4(0x0a4d0064));
  std::vector<uint8_t> bytes(data, data + size);
  if (kSigns) sign(bytes);
  const auto frame = codec.decode(bytes);
  if (!frame.has_value()) return 0;
  const auto again = codec.decode(codec.encode(*frame));
  if (!again.has_value() || *again != *frame) std::abort();
  return 0;
}
