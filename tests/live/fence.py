#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The switch that fences: a port that goes down is closed for good, the other members take its buckets at
once, and a guest that lives behind it begins anew before it is let in.

By itself one of each kind; NLB_FENCE_REPEATS=N measures the gap of a host without power N times more."""
import json
import os
import statistics
import time
from pathlib import Path

from live import main, need, wait_for

HOSTS = [1, 2, 3]
REPEATS = int(os.environ.get("NLB_FENCE_REPEATS", "0"))
AT_MOST_MS = 250  # beside other work; without a notice nobody accepts within 300
TRIES = 3  # a switch that had no processor for a heartbeat's time says nothing, as it must


def vmswitch(lab, *words):
    return lab.lab("exec", "switch", "--", "nlb", "vmswitch", *words)


def fence(lab):
    path = Path(lab.root) / "switch/vmswitch.toml"
    path.write_text(path.read_text().replace("[[switch]]\n", "[[switch]]\nfence_notice = true\n"))
    vmswitch(lab, "reload")
    def asked():
        told = [json.loads(lab.host(host, "--json", "display").stdout)["adapter"]["switch"] for host in HOSTS]
        return all(one and one["fences"] for one in told)
    wait_for("members know that the switch fences", asked, 5)


def states(lab):
    shown = json.loads(vmswitch(lab, "--json", "show").stdout)
    return {port["host_id"]: port["state"] for one in shown["switches"] for port in one["ports"]
            if port.get("host_id")}


def events(lab, host):
    return [json.loads(line)["name"] for line in lab.host(host, "--json", "events").stdout.splitlines()]


def switch_events(lab):
    return [json.loads(line)["name"] for line in vmswitch(lab, "--json", "events").stdout.splitlines()]


def gap(lab, fault):
    return lab.gap(fault, seconds=2, fault_at_ms=500)["gap_ms"]


def measure(run):
    lab = run.lab
    with run.case(f"the gap of {REPEATS} taps that are gone") as notes:
        gaps = []
        for repeat in range(REPEATS):
            host = 1 + repeat % len(HOSTS)
            gaps.append(gap(lab, f"lab fault kill host{host} host"))
            lab.lab("start", f"host{host}")
            lab.wait_members(HOSTS)
            time.sleep(1)  # it has said that it is there, and is no flapping link
        gaps.sort()
        notes.append(f"median {statistics.median(gaps):.1f}, p99 {gaps[-1 - len(gaps) // 100]:.1f} ms: "
                     + " ".join(f"{one:.1f}" for one in gaps))


def scenario(run):
    lab = run.lab
    lab.up("--mac-spoofing", "cluster", hosts=len(HOSTS))
    fence(lab)
    with run.case("a host loses its power: the others take its share at once") as notes:
        for tried in range(1, TRIES + 1):
            taken = gap(lab, "lab fault kill host2 host")
            lab.lab("start", "host2")
            lab.wait_members(HOSTS)
            if "port_fenced" in switch_events(lab):
                break
        notes.append(f"gap {taken:.1f} ms, try {tried}")
        need("port_fenced" in switch_events(lab), "the switch has not fenced its port")
        need("peer_fenced" in events(lab, 1) + events(lab, 3), "members were not told")
        need(taken < AT_MOST_MS, f"{taken} ms, at most {AT_MOST_MS}")
    with run.case("a port goes down and comes up: its host learns that it was fenced, and comes back"):
        def fenced():
            lab.lab("fault", "cut", "host3")
            for _ in range(20):
                if states(lab).get(3) == "fenced":
                    return True
                time.sleep(0.05)
            lab.lab("fault", "heal", "host3")
            lab.wait_members(HOSTS)
            return False
        need(any(fenced() for _ in range(TRIES)), "its port is not fenced")
        lab.lab("fault", "heal", "host3")
        wait_for("its port is let in again", lambda: states(lab).get(3) == "guarded", 2)
        lab.wait_members(HOSTS)
        need("fenced" in events(lab, 3), "host 3 was not told")
        need("fence_ended" in switch_events(lab), "the switch does not say that the fence has ended")
    if REPEATS:
        measure(run)


if __name__ == "__main__":
    main(scenario)
