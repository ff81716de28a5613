#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/results/soak.md from the samples of a soak: report.py SAMPLES.json [FILE]."""
import argparse
import json
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "live"))
# pylint: disable=wrong-import-position
from growth import CONSTANT, FULL_RING, MOST_GROWTH_KB, judge, steady_part  # noqa: E402
from live import Failure  # noqa: E402

HEAD = """# The soak: results

Written by `tests/soak/report.py` from the samples of `make soak HOURS={hours:.0f}`
(seed {seed}; commit {commit}). Three hosts in namespaces, default profile; after each
fault the cluster had to be whole within 30 s and to serve 200 connections. Host 1 was never restarted: its
daemon is the one that is measured.

Base line: the first sample after {ring} events of host 1. Until then what is bounded fills up: the daemon
keeps its last {ring} events in memory, some 2 KiB each, and the C library makes an arena for the first
threads that prove a path anew. Programs, maps and pins are those of this lab's daemons, whatever others there
are on the machine.

| | |
|---|---|
"""

LEAKS = """
## Would it see a leak?

`tests/soak/soak.py --leak memory` puts a library under every nlbd that loses 64 bytes with each read of the
protocol thread: after 282 faults in 8 minutes the verdict is *host 1's memory grew by 2252 KiB*.
`--leak descriptors` loses one in 1000 reads: after 30 faults, *descriptors do not stay: [115, …, 120]*. What
the judge finds and what it must not take for growth: `soak_growth`, in every test run.
"""


def verdict_of(samples):
    try:
        return "ok: " + judge(samples)
    except Failure as failure:
        return f"FAILED: {failure}"


def rows(result):
    samples = result["samples"]
    steady = steady_part(samples, FULL_RING)
    first, last = steady[0], samples[-1]
    growth = max(one["rss_kb"] for one in steady) - first["rss_kb"]
    kinds = Counter(one["fault"].split()[0] for one in samples)
    yield "verdict", verdict_of(samples)
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    yield "faults", f"{len(samples)} ({counts})"
    yield "faults after which a client failed", str(sum(bool(one["wrong"]) for one in samples))
    yield "duration", f"{last['at_s'] / 3600:.2f} h; base line after {first['at_s']:.0f} s"
    yield "resident memory", f"{first['rss_kb']} KiB at the base line, {last['rss_kb']} KiB at the end; " \
                             f"at most {growth:+d} KiB meanwhile (allowed: {MOST_GROWTH_KB})"
    for name in CONSTANT:
        counts = Counter(one[name] for one in steady)
        yield name, ", ".join(f"{value} in {count} samples" for value, count in sorted(counts.items()))
    yield "changes of resident memory", ", ".join(
        f"{one['rss_kb'] - before['rss_kb']:+d} at {one['at_s']:.0f} s"
        for before, one in zip(steady, steady[1:]) if one["rss_kb"] != before["rss_kb"]) or "none"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("samples", type=Path)
    parser.add_argument("target", type=Path, nargs="?", default=Path("docs/results/soak.md"))
    parser.add_argument("--commit", help="what was measured, where the samples do not say")
    options = parser.parse_args()
    result, target = json.loads(options.samples.read_text()), options.target
    head = HEAD.format(hours=result["samples"][-1]["at_s"] / 3600, seed=result["seed"], ring=FULL_RING,
                       commit=options.commit or result.get("commit", "unknown"))
    target.write_text(head + "".join(f"| {name} | {text} |\n" for name, text in rows(result)) + LEAKS)
    print(f"{target} written")


if __name__ == "__main__":
    main()
