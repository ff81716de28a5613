#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a request costs on a hypervisor: one member alone, eight that get every frame, eight that are steered.

The processor's time is that of a control group with the whole lab in it (cpuacct), in which the kernel's work
on a frame is charged to whoever sent it, less what the idle lab uses. Interleaved rounds; ratios of medians,
because the times are this machine's.
Usage: steering_bench.py [ROUNDS [CONNECTIONS]]; writes build/bench/steering.json. Needs cgroup v1's
cpuacct."""
import json
import os
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/live"))
from live import Lab, commit_id, need_no_failure  # noqa: E402
from steering import foreign, in_force, steer  # noqa: E402

GROUP = Path("/sys/fs/cgroup/cpuacct") / f"opennlb-bench-{os.getpid()}"
MEMBERS = 8


def used_ns():
    return int((GROUP / "cpuacct.usage").read_text())


def measured(lab, hosts, connections):
    """(microseconds of processor time, frames of others' buckets that members saw) a request"""
    begin, before = time.monotonic(), used_ns()
    time.sleep(2)
    idle = (used_ns() - before) / (time.monotonic() - begin)
    strange = foreign(lab, hosts)
    begin, before = time.monotonic(), used_ns()
    need_no_failure(lab.load(connections))
    cost = used_ns() - before - idle * (time.monotonic() - begin)
    return cost / connections / 1000, (foreign(lab, hosts) - strange) / connections


def alone(lab, connections):
    lab.up("--mac-spoofing", "cluster", hosts=1)
    return measured(lab, [1], connections)


def eight(lab, connections, steered):
    hosts = list(range(1, MEMBERS + 1))
    lab.up("--mac-spoofing", "cluster", hosts=MEMBERS)
    steer(lab, steered)
    if steered:
        in_force(lab, hosts)
    return measured(lab, hosts, connections)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    connections = int(sys.argv[2]) if len(sys.argv) > 2 else 5000
    lab = Lab(ROOT / "build/bin/nlb")
    subjects = {"one member": lambda: alone(lab, connections),
                "8, flooded": lambda: eight(lab, connections, False),
                "8, steered": lambda: eight(lab, connections, True)}
    GROUP.mkdir()
    (GROUP / "cgroup.procs").write_text(str(os.getpid()))
    results = {name: [] for name in subjects}
    try:
        for _ in range(rounds):
            for name, measure in subjects.items():
                results[name].append(measure())
    finally:
        lab.down()
        (GROUP.parent / "cgroup.procs").write_text(str(os.getpid()))
        GROUP.rmdir()
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
