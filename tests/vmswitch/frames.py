#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""No bad frame passes and no good one is lost: before a port is known, while the daemon dies and comes back,
with a flushed table, with programs taken off."""
import signal
import time
from pathlib import Path

from bridge import BROADCAST, Collector, Sender, mac_of, main, need, wait_for

STARTS = 100
FOREIGN = "52:54:00:00:00:99"


def kinds(frames):
    counts = {}
    for _, kind, _ in frames:
        counts[kind] = counts.get(kind, 0) + 1
    return counts


def passing(watch, tap, source):
    """A condition: a frame of this source, sent from now on, arrives."""
    before = len(watch.frames)

    def arrived():
        tap.send(source, BROADCAST, "g")
        return any(kind == "g" for _, kind, _ in watch.frames[before:])
    return arrived


def first_frames(run):
    """A guest that sends in a neighbour's name while its tap joins the bridge."""
    bridge = run.lab
    watch = Collector(bridge.guest(1), bridge.guest(2))
    sent, slowest = 0, 0.0
    with run.case(f"{STARTS} starts of a guest that spoofs before it joins: nothing passes") as notes:
        for _ in range(STARTS):
            bridge.inside("ip", "link", "del", "tap3")
            bridge.add_guest(3)
            tap = bridge.guest(3)
            sender = Sender(lambda number, tap=tap: tap.send((mac_of(2), FOREIGN)[number % 2],
                                                             BROADCAST, "b"))
            bridge.join("tap3")
            slowest = max(slowest, wait_for("its own frames pass", passing(watch, tap, mac_of(3)), 5))
            sent += sender.end()
            tap.close()
        seen = kinds(watch.end())
        need(seen.get("b", 0) == 0, f"{seen.get('b')} of {sent} spoofed frames passed")
        need(sent > STARTS, f"only {sent} spoofed frames were sent")
        notes.append(f"{sent} spoofed frames; own frames passed within {slowest * 1000:.0f} ms of joining")


def flooded(run, title, act):
    """Numbered good frames and bad ones in between, while something is done to the daemon."""
    bridge = run.lab
    with run.case(f"{title} under a flood: nothing bad passes, nothing good is lost") as notes:
        tap = bridge.guest(1)
        watch = Collector(bridge.guest(2), bridge.guest(4))

        def send(number):
            tap.send(mac_of(1), mac_of(2), "g", number)
            tap.send((mac_of(2), FOREIGN, "02:bf:0a:4d:00:64")[number % 3], BROADCAST, "b", number)
        sender = Sender(send)
        act()
        sent = sender.end()
        frames = watch.end()
        arrived = {number for _, kind, number in frames if kind == "g"}
        need(kinds(frames).get("b", 0) == 0, f"bad frames passed: {kinds(frames)}")
        need(len(arrived) == sent, f"{sent - len(arrived)} of {sent} good frames are lost")
        notes.append(f"{sent} good and {sent} bad frames")


def restarts(run):
    bridge = run.lab

    def again(how, programs):
        for program in programs:
            time.sleep(0.3)
            bridge.stop(how)
            time.sleep(0.3)
            adopts = bridge.daemon_path == str(program)
            bridge.daemon_path = str(program)
            bridge.start()
            started = next(event for event in bridge.events() if event["name"] == "switch_started")
            need(("going on" in started["text"]) == adopts, f"maps of the same layout are adopted: {started}")
    present = Path(bridge.daemon_path)
    upgraded = present.parent.parent / "tests/nlb-vmswitch-next"
    for how in (signal.SIGKILL, signal.SIGTERM):
        flooded(run, f"{how.name} and start, three times,", lambda how=how: again(how, [present] * 3))
    flooded(run, "an upgrade to another layout of the maps, and back, twice,",
            lambda: again(signal.SIGTERM, [upgraded, present] * 2))


def link_local(run):
    """Of LLDP the bridge learns past netfilter: from a closed port, too."""
    bridge = run.lab
    with run.case("a closed port that sends LLDP in a neighbour's name takes nothing from it"):
        bridge.stop(signal.SIGKILL)
        bridge.inside("ip", "link", "del", "tap3")
        bridge.add_guest(3)
        bridge.join("tap3")
        bridge.guest(3).send(mac_of(2), "01:80:c2:00:00:0e", "b")
        table = bridge.inside("bridge", "fdb", "show", "br", "br0").stdout
        need(f"{mac_of(2)} dev tap2 " in table and f"{mac_of(2)} dev tap3 " not in table, table)
        bridge.start()


def flushed_table(run):
    """The bridge floods what it does not know; a promiscuous guest still gets only its own."""
    bridge = run.lab
    with run.case("table flushed again and again: a promiscuous guest sees nothing of others") as notes:
        tap, spy, neighbour = bridge.guest(1), bridge.guest(4), bridge.guest(2)
        watch, right = Collector(spy), Collector(neighbour)
        sender = Sender(lambda number: tap.send(mac_of(1), (mac_of(2), FOREIGN)[number % 2], "n"))
        for _ in range(20):
            bridge.inside("ip", "link", "set", "br0", "type", "bridge", "fdb_flush")
            time.sleep(0.05)
        sent = sender.end()
        seen = [frame for frame in watch.end() if frame[1] == "n"]
        need(not seen, f"the spy saw {len(seen)} of {sent} frames")
        got = [frame for frame in right.end() if frame[1] == "n"]
        need(got, "the neighbour got nothing")
        notes.append(f"{sent} frames, {len(got)} to the neighbour")


def delete_qdisc(bridge, port, kind):
    """As a person who tries again: the kernel refuses while somebody reads the filters (EBUSY)."""
    def gone():
        done = bridge.inside("tc", "qdisc", "del", "dev", port, kind, check=False)
        need(done.returncode == 0 or "ongoing filter requests" in done.stderr, done.stderr)
        return done.returncode == 0
    wait_for(f"{kind} of {port} can be deleted", gone, 3)


def programs_removed(run):
    bridge = run.lab
    bridge.restart(signal.SIGTERM, "--attach", "clsact")
    with run.case("clsact deleted from a guarded port: nothing bad passes, it is put back") as notes:
        tap = bridge.guest(1)
        watch = Collector(bridge.guest(2))
        sender = Sender(lambda number: tap.send(FOREIGN, BROADCAST, "b", number))
        begin = time.monotonic()
        delete_qdisc(bridge, "tap1", "clsact")
        wait_for("an event", lambda: "programs_removed" in [e["name"] for e in bridge.events()], 3)
        wait_for("good frames pass again", passing(watch, tap, mac_of(1)), 3)
        notes.append(f"after {(time.monotonic() - begin) * 1000:.0f} ms")
        sent = sender.end()
        need(kinds(watch.end()).get("b", 0) == 0, f"spoofed frames passed, {sent} were sent")
    with run.case("an ingress qdisc where clsact is needed: closed towards the guest, with the remedy"):
        bridge.inside("tc", "qdisc", "del", "dev", "tap2", "clsact", check=False)
        bridge.stop()
        bridge.inside("tc", "qdisc", "del", "dev", "tap2", "clsact", check=False)
        bridge.inside("tc", "qdisc", "add", "dev", "tap2", "ingress")
        bridge.start("--attach", "clsact")
        port = bridge.port("tap2")
        need(port["state"] == "closed" and "tc qdisc del dev tap2 ingress" in port["obstacle"], f"{port}")
        delete_qdisc(bridge, "tap2", "ingress")
        wait_for("the port opens", lambda: bridge.port("tap2")["state"] == "guarded", 3)
    with run.case("with tcx an ingress qdisc may come and go"):
        bridge.restart(signal.SIGTERM)
        if bridge.port("tap1")["hook"] == "tcx":
            bridge.inside("tc", "qdisc", "del", "dev", "tap1", "clsact", check=False)
            bridge.inside("tc", "qdisc", "add", "dev", "tap1", "ingress")
            need(bridge.port("tap1")["state"] == "guarded", f"{bridge.port('tap1')}")
            delete_qdisc(bridge, "tap1", "ingress")
            need(bridge.port("tap1")["state"] == "guarded", f"{bridge.port('tap1')}")


def scenario(run):
    run.lab.start()
    for part in (first_frames, restarts, flushed_table, link_local, programs_removed):
        with run.case(f"part {part.__name__} runs to its end"):
            part(run)


if __name__ == "__main__":
    main(scenario)
