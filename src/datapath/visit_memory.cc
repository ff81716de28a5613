// SPDX-License-Identifier: Apache-2.0
#include "datapath/visit_memory.hh"

#include <atomic>
#include <cstring>

namespace nlb {

void VisitMemory::set_kept(nlb_visit_row& row, const BucketSet& kept) {
  for (std::size_t bucket = 0; bucket < kBucketCount; ++bucket)
    std::atomic_ref<__u8>(row.kept[bucket]).store(kept[bucket] ? 1 : 0, std::memory_order_relaxed);
}

std::vector<BucketSet> VisitMemory::take(SharedState& state, std::span<const std::size_t> slots) {
  std::vector<BucketSet> seen(kMaxSlots);
  for (const std::size_t slot : slots) {
    nlb_visit_row& row = state.visits[slot];
    for (std::size_t first = 0; first < kBucketCount; first += sizeof(uint64_t)) {
      uint64_t some = 0;  // most are empty: eight at a glance
      std::memcpy(&some, &row.seen[first], sizeof some);
      if (some == 0) continue;
      for (std::size_t bucket = first; bucket < first + sizeof some; ++bucket)
        if (std::atomic_ref<__u8>(row.seen[bucket]).exchange(0, std::memory_order_relaxed) != 0)
          seen[slot].set(bucket);
    }
  }
  return seen;
}

void VisitMemory::grow_older(SharedState& state, Nanos timeout, Nanos now) {
  if (begun_at_ == 0) begun_at_ = now;
  if (timeout == 0 || now - begun_at_ < timeout) return;
  begun_at_ = now;
  begin_generation(state);
}

// Emptied before it is in use.
void VisitMemory::begin_generation(SharedState& state) {
  nlb_control& control = state.control[0];
  const uint32_t next = (control.recall_generation ^ 1) & 1;
  for (nlb_recall& cell : state.recalls.all())
    std::atomic_ref<__u64>(cell.clients[next]).store(0, std::memory_order_relaxed);
  std::atomic_ref<__u32>(control.recall_generation).store(next, std::memory_order_release);
}

}  // namespace nlb
