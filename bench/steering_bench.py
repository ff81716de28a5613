#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a request costs on a hypervisor: one member alone, eight that get every frame, eight that are
steered.

Clients come in by the uplink. `spread`: all eight serve (affinity none); `one serves`: all requests are of
one client's address and belong to one member (affinity single), so that as many services are woken as where
there is one member. The processor's time is that of the whole lab, less what the idle lab uses. Interleaved
rounds; each ratio is of two in one round, because the times are this machine's.
Usage: steering_bench.py [ROUNDS [CONNECTIONS]]; writes build/bench/steering.json. Needs cgroup v1's
cpuacct."""
import contextlib
import json
import os
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/live"))
from figures import processor_time  # noqa: E402
from live import Lab, commit_id, need_no_failure  # noqa: E402
from steering import clients_from_outside, foreign, in_force, steer  # noqa: E402

MEMBERS = 8


def measured(lab, used_ns, hosts, connections):
    """(microseconds of processor time, frames of others' buckets that members saw) a request"""
    begin, before = time.monotonic(), used_ns()
    time.sleep(2)
    idle = (used_ns() - before) / (time.monotonic() - begin)
    strange = foreign(lab, hosts)
    begin, before = time.monotonic(), used_ns()
    need_no_failure(lab.load(connections))
    cost = used_ns() - before - idle * (time.monotonic() - begin)
    return cost / connections / 1000, (foreign(lab, hosts) - strange) / connections


def begin(lab, affinity, members, steered):
    lab.up("--mac-spoofing", "cluster", "--affinity", affinity, hosts=members)
    clients_from_outside(lab)
    steer(lab, steered)
    if steered:
        in_force(lab, list(range(1, members + 1)))


ALONE, FLOODED, STEERED = "one member", "8, flooded", "8, steered"
SUBJECTS = {ALONE: (1, False), FLOODED: (MEMBERS, False), STEERED: (MEMBERS, True)}
AFFINITY = {"spread": "none", "one serves": "single"}


def rounds_of(lab, used_ns, rounds, connections):
    """{who serves: {subject: [(cost, frames of others' buckets)]}}"""
    results = {serving: {name: [] for name in SUBJECTS} for serving in AFFINITY}
    for _ in range(rounds):
        for serving, affinity in AFFINITY.items():
            for name, (members, steered) in SUBJECTS.items():
                begin(lab, affinity, members, steered)
                hosts = list(range(1, members + 1))
                results[serving][name].append(measured(lab, used_ns, hosts, connections))
    return results


def summary(seen, alone):
    ratios = sorted(cost / base for (cost, _), (base, _) in zip(seen, alone))
    return {"us": [cost for cost, _ in seen], "median_us": statistics.median(cost for cost, _ in seen),
            "ratio": statistics.median(ratios), "least": ratios[0], "most": ratios[-1],
            "foreign_frames": statistics.median(frames for _, frames in seen)}


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    connections = int(sys.argv[2]) if len(sys.argv) > 2 else 5000
    lab = Lab(ROOT / "build/bin/nlb")
    with processor_time() as used_ns, contextlib.ExitStack() as ends:
        ends.callback(lab.down)
        results = rounds_of(lab, used_ns, rounds, connections)
    figures = {}
    print(f"{'':24}{'us/request':>12}{'x one member':>14}{'':>14}{'foreign frames/request':>24}")
    for serving, subjects in results.items():
        for name, seen in subjects.items():
            one = figures[f"{name}, {serving}"] = summary(seen, subjects[ALONE])
            print(f"{name + ', ' + serving:24}{one['median_us']:12.1f}{one['ratio']:14.2f}"
                  f"{one['least']:8.2f}-{one['most']:.2f}{one['foreign_frames']:24.2f}")
    out = ROOT / "build/bench/steering.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    record = {"commit": commit_id(), "kernel": os.uname().release, "connections": connections,
              "rounds": rounds, "figures": figures}
    out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
