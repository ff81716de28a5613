#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a request costs on a hypervisor: one member alone, eight that get every frame, eight that are steered.

The processor's time is that of the whole lab, less what the idle lab uses. Interleaved rounds; ratios of
medians, because the times are this machine's.
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
from steering import foreign, in_force, steer  # noqa: E402

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


def alone(lab, used_ns, connections):
    lab.up("--mac-spoofing", "cluster", hosts=1)
    return measured(lab, used_ns, [1], connections)


def eight(lab, used_ns, connections, steered):
    hosts = list(range(1, MEMBERS + 1))
    lab.up("--mac-spoofing", "cluster", hosts=MEMBERS)
    steer(lab, steered)
    if steered:
        in_force(lab, hosts)
    return measured(lab, used_ns, hosts, connections)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    connections = int(sys.argv[2]) if len(sys.argv) > 2 else 5000
    lab = Lab(ROOT / "build/bin/nlb")
    with processor_time() as used_ns, contextlib.ExitStack() as ends:
        ends.callback(lab.down)
        subjects = {"one member": lambda: alone(lab, used_ns, connections),
                    "8, flooded": lambda: eight(lab, used_ns, connections, False),
                    "8, steered": lambda: eight(lab, used_ns, connections, True)}
        results = {name: [] for name in subjects}
        for _ in range(rounds):
            for name, measure in subjects.items():
                results[name].append(measure())
    base = statistics.median(cost for cost, _ in results["one member"])
    figures = {}
    print(f"{'':14}{'us/request':>12}{'x one member':>14}{'foreign frames/request':>24}")
    for name, seen in results.items():
        costs = [cost for cost, _ in seen]
        median = statistics.median(costs)
        strange = statistics.median(frames for _, frames in seen)
        figures[name] = {"us": costs, "median_us": median, "ratio": median / base, "foreign_frames": strange}
        print(f"{name:14}{median:12.1f}{median / base:14.2f}{strange:24.2f}")
    out = ROOT / "build/bench/steering.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    record = {"commit": commit_id(), "kernel": os.uname().release, "connections": connections,
              "figures": figures}
    out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
