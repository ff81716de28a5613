#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The switch that fences: a port that goes down is closed for good, the other members take its buckets at
once, and a guest that lives behind it begins anew before it is let in.

By itself one of each kind; NLB_FENCE_REPEATS=N measures the gap of a host without power N times more, and
with NLB_FENCE_VM=1 (10 times, unless said) nothing else: there the hosts are virtual machines, and QEMU is
killed. An emulated guest may be late by itself, so each time is beside one in which nothing happens."""
import json
import os
import statistics
import time
from pathlib import Path

from live import VIP, main, need, wait_for

HOSTS = [1, 2, 3]
VM = os.environ.get("NLB_FENCE_VM") == "1"
REPEATS = int(os.environ.get("NLB_FENCE_REPEATS", "10" if VM else "0"))
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


def switch_events(lab):
    return [json.loads(line)["name"] for line in vmswitch(lab, "--json", "events").stdout.splitlines()]


def echoes(lab, node):
    """Echo requests that came to it."""
    words = lab.lab("exec", node, "--", "cat", "/proc/net/snmp").stdout.splitlines()
    names, values = [line.split() for line in words if line.startswith("Icmp:")]
    return int(values[names.index("InEchos")])


def addresses(lab, node):
    """(MAC, IP) of its adapter."""
    shown = json.loads(lab.lab("exec", node, "--", "ip", "-j", "-4", "addr", "show", "eth0").stdout)[0]
    link = json.loads(lab.lab("exec", node, "--", "ip", "-j", "link", "show", "eth0").stdout)[0]
    return link["address"], next(one["local"] for one in shown["addr_info"] if one["local"] != VIP)


def passing(lab, node, other):
    """How many of ten datagrams get from one to the other, both ways. The neighbours are told of each other,
    so that nothing is asked that would have to come back first."""
    ends = {one: addresses(lab, one) for one in (node, other)}
    for one, peer in ((node, other), (other, node)):
        mac, ip = ends[peer]
        lab.lab("exec", one, "--", "ip", "neigh", "replace", ip, "lladdr", mac, "dev", "eth0")
    before = [echoes(lab, one) for one in (other, node)]
    for one, peer in ((node, other), (other, node)):
        lab.lab("exec", one, "--", "ping", "-q", "-c", "10", "-i", "0.02", "-W", "0.1", ends[peer][1],
                check=False)
    return tuple(echoes(lab, one) - count for one, count in zip((other, node), before))


def cut_until_fenced(lab, host):
    lab.lab("fault", "cut", f"host{host}")
    for _ in range(20):
        if states(lab).get(host) == "fenced":
            return True
        time.sleep(0.05)
    lab.lab("fault", "heal", f"host{host}")
    lab.wait_members(HOSTS)
    return False


def passed_while_fenced(lab, host):
    """(out of, into) a fenced port whose guest does not yet begin anew; None when the fence did not last as
    long as that took to see."""
    lab.lab("fault", "pause", f"host{host}")
    try:
        lab.lab("fault", "heal", f"host{host}")
        passed = passing(lab, f"host{host}", "client1")
        return passed if states(lab).get(host) == "fenced" else None
    finally:
        lab.lab("fault", "resume", f"host{host}")


def gap(lab, fault):
    return lab.gap(fault, seconds=2, fault_at_ms=500)["gap_ms"]


def told(values):
    values = sorted(values)
    return (f"median {statistics.median(values):.1f}, p99 {values[-1 - len(values) // 100]:.1f} ms: "
            + " ".join(f"{one:.1f}" for one in values))


def start(lab, host):
    lab.lab("start", f"host{host}", timeout=120)
    lab.wait_members(HOSTS, 60)
    time.sleep(1)  # it has said that it is there, and is no flapping link


def measure(run):
    lab = run.lab
    with run.case(f"the gap of {REPEATS} hosts without power") as notes:
        gaps, nothing = [], []
        for repeat in range(REPEATS):
            host = 1 + repeat % len(HOSTS)
            if VM:
                nothing.append(gap(lab, "--version"))
            fenced = switch_events(lab).count("port_fenced")
            gaps.append(gap(lab, f"lab fault kill host{host} host"))
            need(switch_events(lab).count("port_fenced") > fenced, "the switch has not fenced its port")
            start(lab, host)
        notes.append(told(gaps))
        if nothing:
            notes.append(f"beside nothing: {told(nothing)}")


def scenario(run):
    lab = run.lab
    lab.up(*(["--vm"] if VM else []), "--mac-spoofing", "cluster", hosts=len(HOSTS))
    fence(lab)
    if VM:
        return measure(run)
    with run.case("a host loses its power: the others take its share at once") as notes:
        for tried in range(1, TRIES + 1):
            taken = gap(lab, "lab fault kill host2 host")
            lab.lab("start", "host2")
            lab.wait_members(HOSTS)
            if "port_fenced" in switch_events(lab):
                break
        notes.append(f"gap {taken:.1f} ms, try {tried}")
        need("port_fenced" in switch_events(lab), "the switch has not fenced its port")
        need(lab.events(1, "peer_fenced") or lab.events(3, "peer_fenced"), "members were not told")
        need(taken < AT_MOST_MS, f"{taken} ms, at most {AT_MOST_MS}")
    with run.case("a port goes down and comes up: its host learns that it was fenced, and comes back"):
        passed = None
        for _ in range(TRIES):
            if cut_until_fenced(lab, 3) and (passed := passed_while_fenced(lab, 3)) is not None:
                break
        need(passed is not None, "its port is not fenced, or not for long enough to look")
        need(passed == (0, 0), f"{passed} of ten datagrams got out of a fenced port, and into it")
        wait_for("its port is let in again", lambda: states(lab).get(3) == "guarded", 2)
        lab.wait_members(HOSTS)
        need(lab.events(3, "fenced"), "host 3 was not told")
        need("fence_ended" in switch_events(lab), "the switch does not say that the fence has ended")
        passed = passing(lab, "host3", "client1")
        need(passed == (10, 10), f"{passed} of ten datagrams pass the port that was fenced, out and in")
    if REPEATS:
        measure(run)


if __name__ == "__main__":
    main(scenario)
