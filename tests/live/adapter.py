#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What befalls the interface and the files under a running host: renamed, removed and made again; a new key
with a restart in between; connections of a rule that is not the first; another datapath."""
import json
import subprocess
import time
from pathlib import Path

from capture import SWITCH, Capture, need_mac_truth
from live import CLUSTER_MAC, VIP, host_mac, main, need, need_no_failure, wait_for
from streams import while_streaming


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def need_nobody_accused(lab, host):
    for name in ("guard_removed", "filter_detached"):
        need(not lab.events(host, name), f"{name}: nobody did")


def need_bound(lab, host):
    need_no_failure(lab.load(300))
    adapter = json.loads(lab.host(host, "--json", "display").stdout)["adapter"]
    need(adapter["bind"] == "bound" and adapter["datapath"] == "xdp-native", adapter)


def make_anew(host):
    """A new port of the switch, and at its other end the interface: down, without addresses."""
    port, place = f"h{host}", f"nlb-host{host}"
    ip("-n", SWITCH, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", place)
    ip("-n", SWITCH, "link", "set", port, "master", "nlbsw0", "up")


def bring_up(host):
    ip("-n", f"nlb-host{host}", "link", "set", "eth0", "address", host_mac(host), "up")
    ip("-n", f"nlb-host{host}", "addr", "add", f"10.77.0.1{host}/24", "dev", "eth0")
    ip("-n", f"nlb-host{host}", "route", "add", "default", "via", "10.77.0.1")


def standing_still(lab, host, happens):
    """What happens while nlbd stands still: its timer and the kernel's word wait for it together."""
    lab.lab("fault", "pause", f"host{host}")
    happens()
    time.sleep(0.7)  # longer than its timer's 0.5 s
    lab.lab("fault", "resume", f"host{host}")


def renamed(run):
    lab = run.lab
    lab.up()
    with run.case("the interface is renamed: its buckets go to the others, it is said once"):
        ip("-n", "nlb-host2", "link", "set", "eth0", "name", "eth9")
        lab.wait_members([1, 3])
        need_no_failure(lab.load(300))
        need(lab.state(2) == "refused", lab.state(2))
        time.sleep(2)
        need(len(lab.events(2, "interface_gone")) == 1, "said more than once")
        need_nobody_accused(lab, 2)
    with run.case("and named back: whole again"):
        ip("-n", "nlb-host2", "link", "set", "eth9", "name", "eth0")
        lab.wait_members([1, 2, 3])
        need_no_failure(lab.load(300))
    with run.case("renamed while nlbd stands still: nobody is accused of taking the filter or the guard"):
        standing_still(lab, 2, lambda: ip("-n", "nlb-host2", "link", "set", "eth0", "name", "eth9"))
        wait_for("it is said", lambda: len(lab.events(2, "interface_gone")) == 2, 3)
        time.sleep(1.2)  # two turns of its timer
        need_nobody_accused(lab, 2)
        ip("-n", "nlb-host2", "link", "set", "eth9", "name", "eth0")
        lab.wait_members([1, 2, 3])


def made_again(run):
    lab = run.lab
    with run.case("the interface is removed: its buckets go to the others"):
        ip("-n", "nlb-host3", "link", "del", "eth0")
        lab.wait_members([1, 2])
        need_no_failure(lab.load(300))
    with run.case("and made again, down and without an address: the daemon waits"):
        make_anew(3)
        time.sleep(1.5)  # longer than the second after which it looks again
        need(lab.query(3).get("state") == "refused", lab.query(3))
        shown = json.loads(lab.host(3, "--json", "display").stdout)["adapter"]["evidence"]
        need("made anew" in shown and "down" in shown, shown)
    with run.case("up and with its address, as another one of the same name: whole again by itself") as notes:
        bring_up(3)
        notes.append(f"{lab.wait_members([1, 2, 3]):.1f} s")
        need_bound(lab, 3)


def made_again_unseen(run):
    lab = run.lab

    def happens():
        ip("-n", "nlb-host3", "link", "del", "eth0")
        make_anew(3)
        bring_up(3)

    with run.case("removed and made again while nlbd stands still: it starts anew on the new one"):
        standing_still(lab, 3, happens)
        lab.wait_members([1, 2, 3])
        need_bound(lab, 3)
        need_nobody_accused(lab, 3)


def another_mac(run):
    lab, former, new = run.lab, host_mac(1), "52:54:00:4d:99:01"
    with run.case("another MAC of the adapter's own: heartbeats come from it, it is said, the view stays"):
        view = lab.query(2)["view"]
        ip("-n", "nlb-host1", "link", "set", "eth0", "address", new)
        wait_for("it is noticed", lambda: lab.events(1, "mac_followed"), 2)
        with Capture(lab, "ether proto 0x88b5 or arp") as capture:
            lab.lab("exec", "client1", "--", "ip", "neigh", "flush", "all")
            need_no_failure(lab.load(300))
        sources = capture.sources()
        need(sources.get(new, 0) > 5 and former not in sources, f"frames come from {sources}")
        need_mac_truth(capture, VIP, CLUSTER_MAC["unicast"])
        need(lab.query(2)["view"] == view, "the view changed")
        shown = json.loads(lab.host(1, "--json", "display").stdout)["adapter"]
        need(shown["mac_current"] == shown["mac_expected"] == new and shown["bind"] == "bound", shown)


def keys(run):
    """A key that the others have not been given never signs, whatever happens within the grace."""
    lab = run.lab
    lab.up()
    with run.case("four rotations in a minute push the key that signs out of the file: nobody is lost"):
        view = lab.query(2)["view"]
        for _ in range(4):
            lab.command("key", "rotate", f"{lab.root}/web.key")
            lab.host(1, "reload")
        time.sleep(1)
        need(lab.query(2)["view"] == view, "the view changed")
    with run.case("one rotation, reloaded and restarted at one host alone: it signs on with the old key"):
        lab.up()
        lab.command("key", "rotate", f"{lab.root}/web.key")
        lab.host(1, "reload")
        lab.lab("restart", "host1")
        lab.lab("fault", "kill", "host1")
        lab.wait_members([2, 3])
        lab.lab("start", "host1")
        lab.wait_members([1, 2, 3])


def second_rule(run):
    lab = run.lab
    lab.up("--client-addresses", 4)
    with run.case("an idle cluster holds nothing"):
        for host in (1, 2, 3):
            path = Path(f"{lab.root}/host{host}/web.toml")
            rule = '[[port_rule]]\nports = "1-79"\nprotocol = "both"\naffinity = "none"\n\n'
            path.write_text(path.read_text().replace("[[port_rule]]", rule + "[[port_rule]]", 1))
            lab.host(host, "reload")
        lab.wait_members([1, 2, 3])
        for host in (1, 2, 3):
            rules = json.loads(lab.host(host, "--json", "connections").stdout)["rules"]
            need(all(rule["connections"] == 0 and rule["held_buckets"] == 0 for rule in rules), rules)

    def move(notes):
        lab.host(3, "drainstop")
        lab.wait_members([1, 2], draining=[3])
        found = sum(rule["connections"] for host in (1, 2, 3)
                    for rule in json.loads(lab.host(host, "--json", "connections").stdout)["rules"])
        need(found == 60, f"{found} connections are found")
        lab.host(3, "start")
        lab.wait_members([1, 2, 3])
        need_no_failure(lab.load(300))

    while_streaming(run, "60 streams of the second rule live through a drain and a join", move)
    with run.case("and everything is released afterwards"):
        wait_for("nothing is held", lambda: all(
            rule["held_buckets"] == 0 for host in (1, 2, 3)
            for rule in json.loads(lab.host(host, "--json", "connections").stdout)["rules"]), 10)


def switches(run):
    lab = run.lab
    with run.case("a rule that was disabled stays so when another rule changes"):
        lab.up()
        lab.host(2, "disable", "80")
        path = Path(f"{lab.root}/host2/web.toml")
        path.write_text(path.read_text().replace('"7007"', '"7007-7008"'))
        lab.host(2, "reload")
        shown = json.loads(lab.host(2, "--json", "queryport", "80").stdout)["rules"][0]
        need(shown["state"] == "disabled", shown)


def datapaths(run):
    lab = run.lab

    def move(_):
        for kind in ("tc", "xdp-generic", "xdp-native"):
            lab.set_datapath(2, kind)
            note = json.loads(lab.host(2, "--json", "display").stdout)["adapter"].get("datapath_note")
            need(note == (None if kind == "xdp-native" else f"at most {kind}, as configured"), note)
            need_no_failure(lab.load(200))
        need(not lab.events(2, "filter_detached"), "nobody took a program off")

    lab.up()
    while_streaming(run, "60 streams live through every kind of datapath, changed by reloads", move)
    with run.case("the view stood meanwhile"):
        need(lab.members(2) == [1, 2, 3] and not lab.events(2, "peer_evicted"), lab.query(2))


def scenario(run):
    for part in (renamed, made_again, made_again_unseen, another_mac, keys, second_rule, switches, datapaths):
        with run.case(f"part {part.__name__} runs to its end"):
            part(run)


if __name__ == "__main__":
    main(scenario)
