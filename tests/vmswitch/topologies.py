#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bridges as hypervisors build them: a VM with two adapters, a VM that nobody named, Proxmox' chain of tap,
firewall bridge and vmbr."""
import re

from bridge import BROADCAST, CONFIG, Collector, mac_of, main, need

FOREIGN = "52:54:00:00:00:99"


def passed(watch_on, frames):
    """Sends (tap, source, destination, letter) and says which letters arrive."""
    watch = Collector(*watch_on)
    for tap, source, destination, letter in frames:
        tap.send(source, destination, letter)
    return {kind for _, kind, _ in watch.end()}


def two_adapters(run):
    bridge = run.lab
    with run.case("a VM with two adapters: the property on one leaves the other locked"):
        bridge.ask("set", "db1/net0", "--mac-spoofing", "on", "--live")
        seen = passed([bridge.guest(2)], [(bridge.guest(3), FOREIGN, BROADCAST, "a"),
                                          (bridge.guest(4), "52:54:00:00:00:98", BROADCAST, "b"),
                                          (bridge.guest(4), mac_of(4), BROADCAST, "c")])
        need(seen == {"a", "c"}, f"arrived: {seen}")
        blamed = {(one["vm"], one["adapter"], one["reason"]) for one in bridge.violations()}
        need(blamed == {("db1", "net1", "source_spoofed")}, blamed)
        bridge.ask("set", "db1/net0", "--mac-spoofing", "off", "--live")


def undeclared(run):
    bridge = run.lab
    with run.case("a VM that no configuration names passes nothing, and is shown"):
        bridge.add_guest(9)
        bridge.join("tap9")
        seen = passed([bridge.guest(2)], [(bridge.guest(9), mac_of(9), BROADCAST, "a"),
                                          (bridge.guest(9), mac_of(2), BROADCAST, "b")])
        need(not seen, f"arrived: {seen}")
        need(bridge.port("tap9") is not None, "show does not know it")
        bridge.inside("ip", "link", "del", "tap9")


def chain(run):
    """tap -> fwbr -> fwpr/fwln -> vmbr: the guard may stand on the firewall bridge's port or on vmbr's."""
    bridge = run.lab
    lines = ("link add fwbr1 type bridge", "link set fwbr1 up", "link add fwln1 type veth peer name fwpr1",
             "link set tap1 nomaster", "link set tap1 master fwbr1", "link set fwln1 master fwbr1",
             "link set fwpr1 master br0", "link set fwln1 up", "link set fwpr1 up")
    for where, guarded, text in (
            ("vmbr", "fwpr1", CONFIG.replace('interface = "tap1"', 'interface = "fwpr1"')),
            ("fwbr", "tap1", CONFIG + '[[switch]]\nbridge = "fwbr1"\nuplinks = ["fwln1"]\n')):
        with run.case(f"a chain of bridges, guarded at {where}: its own frames pass, spoofed ones do not"):
            if where == "vmbr":
                for line in lines:
                    bridge.inside("ip", *line.split())
            else:  # beyond the firewall bridge the chain's end is a way in like an uplink
                text = re.sub(r"uplinks = .*", 'uplinks = ["eno1", "fwpr1"]', text, count=1)
            bridge.config.write_text(text)
            bridge.ask("reload")
            need(bridge.port(guarded)["state"] == "guarded", bridge.port(guarded))
            tap = bridge.guest(1)
            seen = passed([bridge.guest(2)], [(tap, mac_of(1), BROADCAST, "a"),
                                              (tap, FOREIGN, BROADCAST, "b"),
                                              (tap, mac_of(2), BROADCAST, "c")])
            need(seen == {"a"}, f"arrived: {seen}")
            back = passed([bridge.guest(1)], [(bridge.guest(2), mac_of(2), mac_of(1), "d"),
                                              (bridge.guest(2), mac_of(2), FOREIGN, "e")])
            need(back == {"d"}, f"came back: {back}")
    bridge.config.write_text(CONFIG)
    for name in ("fwbr1", "fwln1"):
        bridge.inside("ip", "link", "del", name)
    bridge.join("tap1")
    bridge.ask("reload")


def scenario(run):
    run.lab.start()
    for part in (two_adapters, undeclared, chain):
        with run.case(f"part {part.__name__} runs to its end"):
            part(run)


if __name__ == "__main__":
    main(scenario)
