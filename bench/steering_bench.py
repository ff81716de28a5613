#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a request costs on a hypervisor: one member alone, eight that get every frame, eight that are
steered. Members are namespaces, or as many virtual machines as GUESTS says: those have to be woken for a
frame that their filter then drops.

Clients come in by the uplink. `spread`: all eight serve (affinity none); `one serves`: all requests are of
one client's address and belong to one member (affinity single), so that as many services are woken as where
there is one member. The processor's time is that of the whole lab, less what the idle lab uses. Interleaved
rounds; each ratio is of two in one round, because the times are this machine's.
Usage: steering_bench.py [ROUNDS [CONNECTIONS [GUESTS]]]; writes build/bench/steering.json, with GUESTS
steering_guests.json. Needs cgroup v1's cpuacct."""
import contextlib
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/live"))
from figures import processor_time, write  # noqa: E402
from live import Lab, commit_id, need_no_failure  # noqa: E402
from steering import clients_from_outside, foreign, in_force, steer  # noqa: E402

MEMBERS = 8
SERVING = {"spread": "none", "one serves": "single"}  # affinity


class Bench:
    def __init__(self, connections, guests):
        self.lab, self.connections = Lab(ROOT / "build/bin/nlb"), connections
        self.words = ("--vm",) if guests else ()
        members = guests or MEMBERS
        self.alone = "one member"
        self.subjects = {self.alone: (1, False), f"{members}, flooded": (members, False),
                         f"{members}, steered": (members, True)}

    def begin(self, affinity, members, steered):
        self.lab.up(*self.words, "--mac-spoofing", "cluster", "--affinity", affinity, hosts=members)
        clients_from_outside(self.lab)
        steer(self.lab, steered)
        if steered:
            in_force(self.lab, list(range(1, members + 1)))

    def measured(self, used_ns, hosts):
        """(microseconds of processor time, frames of others' buckets that members saw) a request"""
        begin, before = time.monotonic(), used_ns()
        time.sleep(2)
        idle = (used_ns() - before) / (time.monotonic() - begin)
        strange = foreign(self.lab, hosts)
        begin, before = time.monotonic(), used_ns()
        need_no_failure(self.lab.load(self.connections))
        cost = used_ns() - before - idle * (time.monotonic() - begin)
        return cost / self.connections / 1000, (foreign(self.lab, hosts) - strange) / self.connections

    def rounds(self, used_ns, count):
        """{who serves: {subject: [(cost, frames of others' buckets)]}}"""
        results = {serving: {name: [] for name in self.subjects} for serving in SERVING}
        for _ in range(count):
            for serving, affinity in SERVING.items():
                for name, (members, steered) in self.subjects.items():
                    self.begin(affinity, members, steered)
                    hosts = list(range(1, members + 1))
                    results[serving][name].append(self.measured(used_ns, hosts))
        return results


def summary(seen, alone):
    ratios = sorted(cost / base for (cost, _), (base, _) in zip(seen, alone))
    return {"us": [cost for cost, _ in seen], "median_us": statistics.median(cost for cost, _ in seen),
            "ratio": statistics.median(ratios), "least": ratios[0], "most": ratios[-1],
            "foreign_frames": statistics.median(frames for _, frames in seen)}


def main():
    rounds, connections, guests = (int(sys.argv[at]) if len(sys.argv) > at else usual
                                   for at, usual in ((1, 3), (2, 5000), (3, 0)))
    bench = Bench(connections, guests)
    with processor_time() as used_ns, contextlib.ExitStack() as ends:
        ends.callback(bench.lab.down)
        results = bench.rounds(used_ns, rounds)
    figures = {}
    print(f"{'':24}{'us/request':>12}{'x one member':>14}{'':>14}{'foreign frames/request':>24}")
    for serving, subjects in results.items():
        for name, seen in subjects.items():
            one = figures[f"{name}, {serving}"] = summary(seen, subjects[bench.alone])
            print(f"{name + ', ' + serving:24}{one['median_us']:12.1f}{one['ratio']:14.2f}"
                  f"{one['least']:8.2f}-{one['most']:.2f}{one['foreign_frames']:24.2f}")
    write("steering_guests" if guests else "steering",
          {"commit": commit_id(), "connections": connections, "rounds": rounds, "figures": figures})


if __name__ == "__main__":
    main()
