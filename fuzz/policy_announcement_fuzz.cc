// SPDX-License-Identifier: Apache-2.0
// Policy announcements and notices of fences as they come off the wire. Besides what the sanitizers find:
// names are of the small alphabet, and what is accepted means the same when it is said again.
#include <cstdlib>

#include "wire/fence_notice.hh"
#include "wire/policy_announcement.hh"

namespace {

void judge_fence_frame(std::span<const uint8_t> payload) {
  using namespace nlb::wire;
  const auto heard = decode_fence_frame(payload);
  if (!heard) return text_of(heard.error()).empty() ? std::abort() : void();
  const auto again = decode_fence_frame(std::visit([](const auto& frame) { return encode(frame); }, *heard));
  if (!again || !(*again == *heard)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  using namespace nlb::wire;
  judge_fence_frame({data, size});
  const auto heard = decode_policy_announcement({data, size});
  if (!heard) return text_of(heard.error()).empty() ? (std::abort(), 0) : 0;
  for (const auto* name :
       {&heard->host, &heard->bridge, &heard->port, &heard->vm, &heard->adapter, &heard->cluster})
    if (announced_name(*name) != *name) std::abort();
  const auto again = decode_policy_announcement(encode(*heard));
  if (!again || !(*again == *heard)) std::abort();
  return 0;
}
