# SPDX-License-Identifier: Apache-2.0
"""The judge of a soak's samples: does anything grow?

What is bounded fills up first: nlbd keeps its last 1000 events in memory, some 2 KiB each, and the C library
an arena for each thread that a repeated proof has started. Only then is the base line taken."""
from live import need

FULL_RING = 1000  # src/nlbd/event_log.cc, kRingSize
FEWEST = 10  # samples after the warm-up
MOST_GROWTH_KB = 1024
PASSING = 2  # samples in a row: who asks at that moment costs the daemon a descriptor
CONSTANT = ("descriptors", "programs", "maps", "pins")


def steady_part(samples, warm_up_events):
    return [one for one in samples if one["events"] >= warm_up_events]


def lasting(samples, name):
    """The values of a count, without descriptors that are open for a moment."""
    window = PASSING + 1 if name == "descriptors" else 1
    starts = range(len(samples) - window + 1)
    return sorted({min(one[name] for one in samples[at:at + window]) for at in starts})


def judge(samples, warm_up_events=FULL_RING):
    """Raises what is wrong; the figures otherwise."""
    steady = steady_part(samples, warm_up_events)
    need(len(steady) >= FEWEST, f"{len(steady)} of {len(samples)} faults came after the warm-up of "
                                f"{warm_up_events} events: too few to judge; run longer")
    need(len({one["pid"] for one in samples}) == 1, "host 1's daemon is another one")
    first = steady[0]
    growth = max(one["rss_kb"] for one in steady[-len(steady) // 10:]) - first["rss_kb"]
    need(growth < MOST_GROWTH_KB, f"host 1's memory grew by {growth} KiB from {first['rss_kb']}")
    for name in CONSTANT:
        seen = lasting(steady, name)
        need(len(seen) == 1, f"{name} do not stay: {seen}")
    wrong = [f"{one['fault']}: {one['wrong']}" for one in samples if one["wrong"]]
    need(not wrong, f"clients failed after {len(wrong)} of {len(samples)} faults: {wrong[:1]}")
    return f"memory {first['rss_kb']} KiB {growth:+d} since {first['at_s']:.0f} s, " + \
           ", ".join(f"{first[name]} {name}" for name in CONSTANT)
