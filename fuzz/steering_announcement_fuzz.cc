// SPDX-License-Identifier: Apache-2.0
// Announcements of buckets as a member's port hands them to the switch: a number of parts, each behind its
// length in two octets. Besides what the sanitizers find: what was taken is within the bounds that the
// kernel's tables have, makes such a table, and is the same when it is said again.
#include <algorithm>
#include <optional>

#include "require.hh"
#include "vmswitch/steering_table.hh"
#include "wire/steering_announcement.hh"

namespace {

using namespace nlb::wire;

void judge(const SteeringContent& content) {
  using nlb::fuzz::require;
  require(!content.rules.vips.empty() && content.rules.vips.size() <= nlb::kMaxVips);
  require(content.rules.ports.size() <= nlb::kMaxRules);
  for (const auto& ports : content.rules.ports)
    require(ports.slot < nlb::kMaxSlots && ports.vip <= content.rules.vips.size() &&
            ports.first <= ports.last);
  for (const auto& [slot, row] : content.rows) require(slot < nlb::kMaxSlots);
  require(nlb::vmswitch::steering_config_of(content.rules) != nullptr);
  SteeringAssembly again;
  std::optional<SteeringContent> heard;
  for (const auto& part : encode_steering(1, content)) {
    const auto taken = again.take(part);
    require(taken.has_value());
    if (taken->content) heard = taken->content;
  }
  require(heard == content);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  std::span<const uint8_t> left(data, size);
  SteeringAssembly assembly;
  while (left.size() >= 2) {
    const auto stated = static_cast<std::size_t>(left[0] << 8 | left[1]);
    const auto part = left.subspan(2, std::min(stated, left.size() - 2));
    left = left.subspan(2 + part.size());
    const auto taken = assembly.take(part);
    if (!taken)
      nlb::fuzz::require(!text_of(taken.error()).empty());
    else if (taken->content)
      judge(*taken->content);
  }
  return 0;
}
