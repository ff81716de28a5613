#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Proof before bind and address-conflict detection: what a switch does not let through is named before
anything is changed, the adapter keeps its address, and the host heals by itself.

The blocks are nftables rules on the port of host 3, as a hypervisor would set them."""
import json
import re
import subprocess
import time
from pathlib import Path

from capture import SWITCH, Capture
from live import CLUSTER_MAC, VIP, Pings, host_mac, main, need, need_no_failure, wait_for

OWN, MASKED, CLUSTER = host_mac(3), "02:03:0a:4d:00:64", CLUSTER_MAC["unicast"]
MACVLAN = "52:54:00:4d:03:03"
IN_SWITCH = ["ip", "netns", "exec", SWITCH]
# What a guard does: (hook at the port, rule). "ingress" is what the guest sends.
BLOCKS = {
    "tx": ("ingress", f"ether saddr != {OWN} drop"),
    "rx": ("egress", f"ether daddr & 01:00:00:00:00:00 == 00:00:00:00:00:00 ether daddr != {OWN} drop"),
    "arp": ("ingress", f"arp saddr ether != {OWN} drop"),
}


def block(*kinds):
    words = [*IN_SWITCH, "nft", "delete", "table", "netdev", "guard"]
    subprocess.run(words, capture_output=True, check=False)
    chains = "".join(f'chain block_{kind} {{ type filter hook {hook} device "h3" priority 0; {rule}; }}\n'
                     for kind, (hook, rule) in BLOCKS.items() if kind in kinds)
    subprocess.run([*IN_SWITCH, "nft", "-f", "-"], input=f"table netdev guard {{ {chains} }}", text=True,
                   check=True)


def unblock():
    subprocess.run([*IN_SWITCH, "nft", "delete", "table", "netdev", "guard"], check=True)


def adapter(lab, host):
    return json.loads(lab.host(host, "--json", "display").stdout)["adapter"]


def addresses(lab, host):
    return lab.lab("exec", f"host{host}", "--", "ip", "-o", "-4", "addr", "show", "eth0").stdout


def set_strategy(lab, host, strategy):
    path = Path(f"{lab.root}/host{host}/web.toml")
    path.write_text(re.sub(r'mac_strategy *= *"\w+"', f'mac_strategy = "{strategy}"', path.read_text()))


def start_blocked(lab, strategy, kinds):
    """Host 3 goes for a planned restart's length, and comes back behind the block, with nothing in place."""
    lab.host(3, "stop")
    lab.lab("fault", "kill", "host3")
    lab.lab("exec", "host3", "--", "ip", "addr", "del", f"{VIP}/32", "dev", "eth0", check=False)
    lab.lab("exec", "host3", "--", "bridge", "fdb", "del", CLUSTER, "dev", "eth0", "self", check=False)
    set_strategy(lab, 3, strategy)
    block(*kinds)
    lab.lab("start", "host3", "--timeout", 0)


def refused(run, strategy, kinds, reasons):
    lab = run.lab
    with run.case(f"{strategy}, blocked: {' and '.join(kinds)}: refused as {reasons[0]}") as notes:
        lab.up("--mac-strategy", "add")
        pings = Pings(lab, "10.77.0.13", 0.05)
        start_blocked(lab, strategy, kinds)
        wait_for("host 3 is refused", lambda: lab.state(3) == "refused", 10)
        shown = adapter(lab, 3)
        need(shown["reason"] == reasons[0] and shown["bind"] == "refused", shown)
        need(shown["evidence"] and shown["remedy"], shown)
        need(shown["mac_current"] == OWN and shown["cluster_mac_in"] == "none", shown)
        need(VIP not in addresses(lab, 3), addresses(lab, 3))
        event = lab.events(3, "bind_refused")[-1]
        need(event["number"] == 53 and event["fields"]["reason"] == reasons[0], event)
        lab.wait_members([1, 2])
        need_no_failure(lab.load(200))
        if kinds == ("rx",):
            time.sleep(4)  # one more try falls in here, and must not be told again
            need(len(lab.events(3, "bind_refused")) == 1, "every try is told")
        notes.append(shown["evidence"])
        notes.append(pings.need_whole(10))
    with run.case(f"{strategy}, unblocked: host 3 heals by itself") as notes:
        unblock()
        notes.append(f"converged after {lab.wait_members([1, 2, 3], 10):.1f} s")
        shown = adapter(lab, 3)
        need(shown["reason"] == "none" and shown["bind"] == "bound", shown)
        need_no_failure(lab.load(300))


def automatic(run):
    """`auto` takes the first strategy that holds: with the ARP of `add` alone blocked, none does."""
    lab = run.lab
    with run.case("auto on an open switch takes `add`, and no foreign source is sent"):
        lab.up("--mac-strategy", "add")
        lab.host(3, "stop")
        lab.lab("fault", "kill", "host3", "host")
        lab.wait_members([1, 2])
        set_strategy(lab, 3, "auto")
        with Capture(lab, f"ether src {MASKED} or ether src {CLUSTER}") as capture:
            lab.lab("start", "host3")
            lab.wait_members([1, 2, 3])
        need(not capture.sources(), f"foreign sources: {capture.sources()}")


def driver_says_no(run):
    """A real refusal of the kernel: a macvlan whose parent carries the MAC (EADDRINUSE)."""
    lab = run.lab
    with run.case("the driver refuses the MAC: its own word is the reason, and nothing is lost") as notes:
        lab.up("--mac-strategy", "add")
        lab.lab("vm", "stop", "host3")
        lab.lab("vm", "start", "host3", "--timeout", 0)
        lab.lab("fault", "kill", "host3")
        lab.wait_members([1, 2])
        for line in ("addr flush dev eth0",
                     f"link add mv0 link eth0 address {MACVLAN} type macvlan mode bridge",
                     "addr add 10.77.0.13/24 dev mv0", "link set mv0 up", f"link set eth0 address {CLUSTER}"):
            lab.lab("exec", "host3", "--", "ip", *line.split())
        path = Path(f"{lab.root}/host3/web.toml")
        path.write_text(path.read_text().replace('"eth0"', '"mv0"').replace('"add"', '"replace"'))
        pings = Pings(lab, "10.77.0.13", 0.05)
        lab.lab("start", "host3", "--timeout", 0)
        wait_for("host 3 is refused", lambda: lab.state(3) == "refused", 10)
        shown = adapter(lab, 3)
        need(shown["reason"] == "driver-refused" and "Address already in use" in shown["evidence"], shown)
        need(shown["mac_current"] == MACVLAN and shown["driver"] == "macvlan", shown)
        event = lab.events(3, "bind_refused")[-1]
        need(event["fields"]["reason"] == "driver-refused", event)
        notes.append(pings.need_whole(10))


def alone(run):
    lab = run.lab
    with run.case("nobody answers: unproven, refused; and bound when the administrator says so"):
        lab.up("--mac-strategy", "add", hosts=1)
        lab.host(1, "stop")
        lab.lab("fault", "kill", "host1", "host")
        lab.lab("fault", "cut", "gateway")
        lab.lab("fault", "cut", "client1")
        lab.lab("start", "host1", "--timeout", 0)
        wait_for("host 1 is refused", lambda: lab.state(1) == "refused", 10)
        need(adapter(lab, 1)["reason"] == "unproven", adapter(lab, 1))
        path = Path(f"{lab.root}/host1/web.toml")
        path.write_text(path.read_text().replace("[host]", '[host]\non_unproven = "bind"', 1))
        lab.host(1, "reload")
        wait_for("host 1 serves", lambda: lab.state(1) == "converged", 10)


def probe_leaves_no_trace(run):
    """No neighbour entry, no bridge entry, no answer by a third party changes."""
    lab = run.lab
    with run.case("the probe leaves no trace on a live segment") as notes:
        lab.up("--mac-strategy", "add")
        table = lambda: {line for line in subprocess.run(
            ["bridge", "-n", SWITCH, "fdb", "show", "br", "nlbsw0"], capture_output=True, text=True,
            check=True).stdout.splitlines() if line.startswith("02:")}
        lab.lab("exec", "client1", "--", "ping", "-c", 1, "-W", 1, VIP)
        before = table()
        entry = lambda node: lab.lab("exec", node, "--", "ip", "-o", "neigh", "show").stdout
        start_blocked(lab, "replace", ("tx",))
        wait_for("host 3 is refused", lambda: lab.state(3) == "refused", 10)
        need(table() == before, f"{table()}, before {before}")
        for node in ("gateway", "client1", "host1", "host2"):
            others = re.sub(rf"{VIP} .*", "", entry(node))
            need(CLUSTER not in others and MASKED not in others, entry(node))
        need(f"{VIP} dev eth0 lladdr {CLUSTER}" in entry("client1"), entry("client1"))
        notes.append(f"{len(before)} entries of locally made MACs before and after")
        unblock()


def conflicts(run):
    lab = run.lab
    with run.case("somebody else has the VIP: named before it is added, and nothing is added"):
        lab.up("--mac-strategy", "add", "--clients", 2)
        for host in (1, 2, 3):
            lab.lab("fault", "kill", f"host{host}", "host")
        lab.lab("exec", "client2", "--", "ip", "addr", "add", f"{VIP}/24", "dev", "eth0")
        lab.lab("start", "host3", "--timeout", 0)
        wait_for("host 3 is refused", lambda: lab.state(3) == "refused", 10)
        shown = adapter(lab, 3)
        stranger = lab.lab("exec", "client2", "--", "ip", "-o", "link", "show", "eth0").stdout
        stranger = stranger.split("link/ether ")[1].split()[0]
        need(shown["reason"] == "ip-conflict" and stranger in shown["evidence"], shown)
        need(VIP not in addresses(lab, 3) and shown["cluster_mac_in"] == "none", shown)
    with run.case("and it heals when the stranger is gone") as notes:
        lab.lab("exec", "client2", "--", "ip", "addr", "del", f"{VIP}/24", "dev", "eth0")
        for host in (1, 2):
            lab.lab("start", f"host{host}", "--timeout", 0)
        notes.append(f"{lab.wait_members([1, 2, 3], 10):.1f} s")
    with run.case("a stranger claims the VIP of a serving cluster: named, and the cluster serves on"):
        lab.lab("exec", "client2", "--", "arping", "-c", 2, "-A", "-I", "eth0", "-S", VIP, VIP, check=False)
        lab.lab("exec", "client2", "--", "python3", "-c", CLAIM)
        wait_for("the event", lambda: lab.events(1, "ip_conflict"), 2)
        need(adapter(lab, 1)["reason"] == "ip-conflict", adapter(lab, 1))
        lab.wait_members([1, 2, 3])


CLAIM = f"""
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
me = s.getsockname()[4]
vip = bytes({tuple(map(int, VIP.split(".")))})
s.send(b"\\xff" * 6 + me + bytes.fromhex("08060001080006040002") + me + vip + b"\\xff" * 6 + vip)
"""


def by_hand(run):
    """Symptom five: the VIP added by hand on a host that is refused."""
    lab = run.lab
    with run.case("a VIP added by hand on a refused host: named within a second, and harmless") as notes:
        lab.up("--mac-strategy", "add")
        start_blocked(lab, "replace", ("tx", "rx", "arp"))
        wait_for("host 3 is refused", lambda: lab.state(3) == "refused", 10)
        lab.lab("exec", "client1", "--", "ping", "-c", 1, "-W", 1, VIP)
        with Capture(lab, f"arp or host {VIP}") as capture:
            lab.lab("exec", "host3", "--", "ip", "addr", "add", f"{VIP}/24", "dev", "eth0")
            took = wait_for("the event", lambda: lab.events(3, "vip_by_hand"), 1)
            need_no_failure(lab.load(300))
        bound = [arp for arp in capture.arps() if arp.sender_ip == VIP and arp.sender_mac != CLUSTER]
        need(not bound, f"{bound[:2]}")
        entry = lab.lab("exec", "client1", "--", "ip", "-o", "neigh", "show", VIP).stdout
        need(CLUSTER in entry, entry)
        notes.append(f"named after {took:.2f} s")
        unblock()


def scenario(run):
    refused(run, "add", ("rx",), ["rx-or-arp-filtered"])
    refused(run, "add", ("arp",), ["arp-filtered"])
    refused(run, "replace", ("tx",), ["tx-filtered"])
    refused(run, "replace", ("tx", "rx", "arp"), ["tx-filtered"])
    refused(run, "auto", ("tx", "rx", "arp"), ["rx-or-arp-filtered"])
    for part in (automatic, driver_says_no, alone, probe_leaves_no_trace, conflicts, by_hand):
        with run.case(f"part {part.__name__} runs to its end"):
            part(run)


if __name__ == "__main__":
    main(scenario)
