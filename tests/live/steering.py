#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The switch that steers: members see only frames of their own buckets, and nobody notices that buckets move.

What is counted at the members is what their own filters have refused as another host's (`foreign`); what the
switch says of itself is compared with it."""
import contextlib
import json
import os
import re
import signal
import time
from pathlib import Path

from live import main, need, need_no_failure, shares, wait_for
from streams import while_streaming

HOSTS = [1, 2, 3, 4]


def vmswitch(lab, *words):
    return lab.lab("exec", "switch", "--", "nlb", "vmswitch", *words)


def steer(lab, wanted=True):
    path = Path(lab.root) / "switch/vmswitch.toml"
    text = re.sub(r"steering = .*\n", "", path.read_text())
    path.write_text(text.replace("[[switch]]\n", f"[[switch]]\nsteering = {str(wanted).lower()}\n"))
    vmswitch(lab, "reload")


def clients_from_outside(lab):
    """The client's port is the uplink, and the gateway's one that nobody has declared."""
    path = Path(lab.root) / "switch/vmswitch.toml"
    text = path.read_text().replace('uplinks = ["gw"]', 'uplinks = ["c1"]\nunknown_ports = "allow"')
    path.write_text(re.sub(r'\[\[port\]\]\nvm = "client1"\n(.+\n)+', "", text))
    vmswitch(lab, "reload")


def steering(lab):
    """{interface: what the switch says of it} of the ports that are asked for announcements."""
    shown = json.loads(vmswitch(lab, "--json", "show").stdout)
    return {port["interface"]: port["steering"]
            for one in shown["switches"] for port in one["ports"] if "steering" in port}


def said(lab, host):
    """What the host says of its announcements."""
    shown = json.loads(lab.host(host, "--json", "display").stdout)["adapter"]["switch"] or {}
    return shown.get("steering") or {}


def in_force(lab, hosts):
    def agreed():
        return all(one.get("acknowledged") and not one["in_transition"]
                   for one in (said(lab, host) for host in hosts))
    return wait_for(f"the switch goes by what hosts {hosts} have announced", agreed, 8)


def foreign(lab, hosts):
    """Frames of others' buckets that came to these hosts."""
    return sum(one["packets"] for host in hosts
               for one in json.loads(lab.host(host, "--json", "counters").stdout)["counters"]
               if one["name"] == "foreign")


def counted(lab, what):
    return sum(one[what] for one in steering(lab).values())


def seen_of_others(lab, connections):
    """Frames of others' buckets that members saw, without asking the switch."""
    before = foreign(lab, HOSTS)
    need_no_failure(lab.load(connections))
    return foreign(lab, HOSTS) - before


def loaded(lab, hosts, connections=600):
    """(frames that the switch gave a member by its row, frames of others' buckets that members saw)"""
    before = foreign(lab, hosts), counted(lab, "steered")
    need_no_failure(lab.load(connections))
    return counted(lab, "steered") - before[1], foreign(lab, hosts) - before[0]


def flooded_first(run):
    lab = run.lab
    lab.up("--mac-spoofing", "cluster", hosts=len(HOSTS))
    with run.case("steering is off unless it is asked for: members see each other's frames"):
        need(seen_of_others(lab, 100) > 100, "members saw nothing of each other's")
        need(not steering(lab), "ports are asked for announcements")


def steady(run):
    lab = run.lab
    steer(lab)
    with run.case("it is switched on: members see next to nothing of each other's buckets") as notes:
        notes.append(f"in force within {in_force(lab, HOSTS):.1f} s")
        away = counted(lab, "steered_away")
        own, others = loaded(lab, HOSTS)
        notes.append(f"{others} of {own + others} frames at members were of others' buckets")
        need(own > 2000 and others < 0.01 * (own + others), f"{own} own, {others} foreign frames")
        away = counted(lab, "steered_away") - away
        need(away > 2 * own, f"{away} were kept from three members, {own} delivered")


def directing(lab):
    """What the switch says of frames that came in at the client's port."""
    shown = json.loads(vmswitch(lab, "--json", "show").stdout)
    return next(port["directing"] for one in shown["switches"] for port in one["ports"]
                if port["interface"] == "c1")


def one_copy(run):
    lab = run.lab
    with run.case("clients come in by the only uplink: the bridge carries one copy") as notes:
        clients_from_outside(lab)
        in_force(lab, HOSTS)
        wait_for("the client's frames go to one member", lambda: loaded(lab, HOSTS, 1) and
                 directing(lab)["directed"] > 0, 5)
        before = directing(lab)["directed"], counted(lab, "steered_away")
        own, others = loaded(lab, HOSTS, 600)
        directed, away = directing(lab)["directed"] - before[0], counted(lab, "steered_away") - before[1]
        notes.append(f"{directed} of {own} frames went to one port; {away} copies were kept from others")
        need(others < 0.01 * own and own > 2000, f"{own} own, {others} foreign frames")
        need(directed > 0.99 * own, f"{directed} of {own} frames were sent to one member alone")
        need(away < 0.01 * own, f"{away} copies came to the ports of others")


def stopped(run):
    lab = run.lab
    with run.case("a stopped host gets nothing, and keeps nobody from getting the one copy") as notes:
        lab.host(4, "stop")
        lab.wait_members([1, 2, 3])
        in_force(lab, HOSTS)
        before = directing(lab)["directed"]
        own, others = loaded(lab, HOSTS, 300)
        directed = directing(lab)["directed"] - before
        notes.append(f"{directed} of {own} frames went to one port")
        need(own > 1000 and directed > 0.99 * own, f"{directed} of {own} frames went to one member alone")
        need(others == 0, f"{others} foreign frames")
        lab.host(4, "start")
        lab.wait_members(HOSTS)


def changes(run):
    lab = run.lab

    def drain_join_crash(notes):
        twice = counted(lab, "replicated")
        lab.host(3, "drainstop")
        lab.wait_members([1, 2, 4])
        need_no_failure(lab.load(300))
        lab.lab("fault", "kill", "host2")
        load = lab.start_load(400, "--rate", 200)
        time.sleep(1)
        lab.lab("start", "host2")
        lab.host(3, "start")
        lab.wait_members(HOSTS)
        need_no_failure(lab.finish(load))
        figures = lab.load(400)
        need_no_failure(figures)
        twice = counted(lab, "replicated") - twice
        notes.append(f"{twice} frames of held connections went to holder and owner")
        need(twice > 0, "no frame was counted as replicated while host 3 held connections")
        notes.append(f"the joiner serves {shares(figures).get(3, 0):.0f} %")
        need(shares(figures).get(3, 0) > 10, f"the joiner serves too little: {figures}")

    title = "host 3 is drained, nlbd of host 2 crashes, both come back: no connection fails"
    while_streaming(run, title, drain_join_crash, count=40, seconds=7)
    with run.case("after all that frames go to their owners again") as notes:
        in_force(lab, HOSTS)
        own, others = loaded(lab, HOSTS, 300)
        notes.append(f"{others} of {own + others} frames at members were of others' buckets")
        need(own > 1000 and others < 0.01 * (own + others), f"{own} own, {others} foreign frames")


@contextlib.contextmanager
def standing_still(lab):
    guard = int((Path(lab.root) / "switch/nlb-vmswitch.pid").read_text().split()[0])
    os.kill(guard, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(guard, signal.SIGCONT)


def without_daemon(run):
    lab = run.lab
    with run.case("nlb-vmswitch stands still: what members announce anew counts without it"):
        with standing_still(lab):
            lab.host(1, "drainstop")  # others take its buckets; nobody reads that they said so
            lab.wait_members([2, 3, 4])
            need_no_failure(lab.load(300))
        lab.host(1, "start")
        lab.wait_members(HOSTS)
        in_force(lab, HOSTS)
    with run.case("members that hear nothing of the switch any more get everything at once"):
        with standing_still(lab):
            wait_for("members are silent", lambda: not any(said(lab, host) for host in HOSTS), 8)
            # What is shown goes by the clock; what is said, by the daemon's next tick.
            wait_for("members get everything", lambda: seen_of_others(lab, 50) > 50, 4)
        in_force(lab, HOSTS)
    with run.case("it is switched off again: members see each other's frames"):
        steer(lab, False)
        need(seen_of_others(lab, 100) > 100, "members saw nothing of each other's")
        text = json.loads(vmswitch(lab, "--json", "violations").stdout)["violations"]
        need(not text, f"violations: {text}")


def scenario(run):
    flooded_first(run)
    steady(run)
    one_copy(run)
    stopped(run)
    changes(run)
    without_daemon(run)


if __name__ == "__main__":
    main(scenario)
