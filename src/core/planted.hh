// SPDX-License-Identifier: Apache-2.0
// Deliberate mistakes, so that the simulator can prove that it would find them. Compiled into a test build of
// the core alone (NLB_PLANTED); in the product planted() is the constant false and leaves no code.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nlb::core {

//  X(enumerator, name, invariant that it violates, what is wrong)
#define NLB_PLANTED_BUGS(X)                                                                                 \
  X(skip_release, "skip-release", "one-owner", "acquires before the others have released")                  \
  X(keep_at_release, "keep-at-release", "one-owner", "says released, and keeps what it loses")              \
  X(any_view_counts, "any-view-counts", "one-owner", "takes a phase of another view for one of this view")  \
  X(namesake_ignored, "namesake-ignored", "one-owner", "goes on beside another host with its id")           \
  X(lease_too_long, "lease-too-long", "silent-when-stalled", "a lease as long as it takes to be evicted")   \
  X(holds_forgotten, "holds-forgotten", "no-foreign-reset", "its held list is always empty")                \
  X(holds_not_kept, "holds-not-kept", "no-foreign-reset", "forgets the others' held lists")                 \
  X(checks_too_little, "checks-too-little", "no-foreign-reset", "does not check while a list is missing")   \
  X(outsiders_ignored, "outsiders-ignored", "no-foreign-reset", "does not mind hosts outside its view")     \
  X(no_ghosts, "no-ghosts", "no-foreign-reset", "forgets a member whose daemon has died")                   \
  X(ghosts_fade, "ghosts-fade", "no-foreign-reset", "gives a ghost up although its kernel answers")         \
  X(own_flows_dropped, "own-flows-dropped", "keep-flow", "closes a bucket in which it has connections")     \
  X(closed_while_unknown, "closed-while-unknown", "keep-flow", "closes foreign buckets before the scan")    \
  X(offer_misread, "offer-misread", "settle", "counts its own weight as one less than it offers")           \
  X(default_host_is_me, "default-host-is-me", "one-owner", "takes itself for the default host")             \
  X(holds_by_the_clock, "holds-by-the-clock", "no-foreign-reset", "a held list counts for two seconds")     \
  X(bucket_forgotten, "bucket-forgotten", "full-cover", "one bucket is given to nobody")                    \
  X(quota_off_by_one, "quota-off-by-one", "full-cover", "each host gets a bucket less than its quota")      \
  X(lease_not_renewed, "lease-not-renewed", "full-cover", "keeps the lease that it had first")              \
  X(release_never, "release-never", "settle", "waits for ever before it releases")                          \
  X(settles_never, "settles-never", "settle", "does not admit anybody once it has acquired")                \
  X(accused_for_ever, "accused-for-ever", "full-cover", "never echoes again whom it has accused")           \
  X(echo_ignored, "echo-ignored", "lease", "takes whatever it hears for an echo")                           \
  X(lease_from_reception, "lease-from-reception", "lease", "counts from the echo's arrival, not the send")  \
  X(keeps_nothing, "keeps-nothing", "extended-affinity", "lists nothing for returning clients")             \
  X(kept_ignored, "kept-ignored", "one-owner", "acquires what another keeps")                               \
  X(kept_for_ever, "kept-for-ever", "let-go", "the world's: the filter takes new clients for returning")    \
  X(replay_believed, "replay-believed", "replay", "believes an incarnation that echoes nothing")            \
  X(sequence_ignored, "sequence-ignored", "replay", "takes a frame that is not newer")                      \
  X(lease_unread, "lease-unread", "silent-when-stalled", "the world's: the filter does not look at leases") \
  X(from_cluster_mac, "from-cluster-mac", "guarded-port", "the world's: a host sends from the cluster MAC") \
  X(guard_asleep, "guard-asleep", "mac-truth", "the world's: the same, and no guard refuses it")            \
  X(gateway_unasked, "gateway-unasked", "cut-off", "serves alone whatever its gateway says")                \
  X(fence_unasked, "fence-unasked", "one-owner", "takes a switch's notice without a number of its own")     \
  X(fence_not_put, "fence-not-put", "one-owner", "the world's: the switch tells, and has fenced nothing")   \
  X(fence_of_moved, "fence-of-moved", "one-owner", "the world's: the switch tells of who has moved away")   \
  X(key_known, "key-known", "wire", "the world's: the stranger has the cluster's key")

enum class Bug : uint8_t {
#define NLB_PLANTED_ENUM(name, text, invariant, what) name,
  NLB_PLANTED_BUGS(NLB_PLANTED_ENUM)
#undef NLB_PLANTED_ENUM
      none
};

#ifdef NLB_PLANTED
struct PlantedBug {
  std::string_view name, invariant, what;
};
inline constexpr std::array<PlantedBug, static_cast<std::size_t>(Bug::none)> kPlantedBugs = {{
#define NLB_PLANTED_ROW(name, text, invariant, what) {text, invariant, what},
    NLB_PLANTED_BUGS(NLB_PLANTED_ROW)
#undef NLB_PLANTED_ROW
}};
inline Bug planted_bug = Bug::none;
[[nodiscard]] inline bool planted(Bug bug) {
  return bug == planted_bug;
}
#else
[[nodiscard]] constexpr bool planted(Bug) {
  return false;
}
#endif

}  // namespace nlb::core
