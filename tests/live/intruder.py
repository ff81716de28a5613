#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A guest whose administrator has full rights and wants its neighbour's traffic, by scapy and ordinary tools.

client2 attacks, host 2 (10.77.0.12) is the neighbour, client1 the third party that talks to it. With `off`
and `cluster` the neighbour loses nothing and each try is told with the port; with `on`, and in a declared
VRRP cluster, what should work does."""
import contextlib
import json
import re
import subprocess
import time
from pathlib import Path

from capture import SWITCH
from live import CLUSTER_MAC, VIP, Pings, host_mac, main, need, wait_for

VICTIM, VICTIM_MAC = "10.77.0.12", host_mac(2)
ENTER = ["nsenter", "--net=/run/netns/nlb-client2"]
ROUTER_VIP, ROUTER_MAC, FREE = "10.77.0.150", "00:00:5e:00:01:33", "10.77.0.160"
OTHERS = {"neighbour_mac", "neighbour_address"}  # what belongs to the neighbour
UNKNOWN = {"source_spoofed", "arp_mac", "arp_address", "neighbour_address"}

SCAPY = f"""
from scapy.all import ARP, Ether, IP, ICMP, sendp
me = "52:54:00:4d:02:02"
everyone = "ff:ff:ff:ff:ff:ff"
lies = [Ether(src="{VICTIM_MAC}", dst=everyone) / IP(src="{VICTIM}", dst="10.77.0.255") / ICMP(),
        Ether(src=me, dst=everyone) / ARP(op=2, hwsrc=me, psrc="{VICTIM}", hwdst=everyone, pdst="{VICTIM}"),
        Ether(src=me, dst=everyone) / ARP(op=1, hwsrc=me, psrc="{VICTIM}", pdst="10.77.0.201"),
        Ether(src=me, dst=everyone) / ARP(op=2, hwsrc="{VICTIM_MAC}", psrc="10.77.0.202", pdst="10.77.0.202")]
sendp(lies * 10, iface="eth0", verbose=False)
"""


def inside(*words, check=True, **options):
    return subprocess.run([*ENTER, *map(str, words)], text=True, check=check, capture_output=True,
                          stdin=subprocess.DEVNULL, **options)


def ip_lines(*lines):
    for line in lines:
        inside("ip", *line.split())


@contextlib.contextmanager
def daemon(*words):
    """A program of the intruder's, until the end of the block."""
    process = subprocess.Popen([*ENTER, *words], text=True, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=10)


def keepalived(lab, vrid, address):
    path = Path(lab.root) / "switch/keepalived.conf"  # in a directory that goes with the lab
    path.write_text("global_defs {\n  vrrp_garp_master_refresh 1\n}\n"
                    "vrrp_instance intruder {\n  state MASTER\n  interface eth0\n"
                    f"  virtual_router_id {vrid}\n"
                    "  priority 255\n  advert_int 0.2\n  version 3\n  use_vmac\n  vmac_xmit_base\n"
                    f"  virtual_ipaddress {{\n    {address}/24\n  }}\n}}\n")
    return daemon("keepalived", "-n", "-l", "-f", str(path), "-p", f"{path}.pid", "-r", f"{path}.vrrp")


# ---- the attacks: each acts until its block ends ----

@contextlib.contextmanager
def scapy(_):
    inside("/usr/bin/python3", "-c", SCAPY)  # Debian's, which has scapy
    yield


def announce(address):
    """Gratuitous ARP with the own MAC, as after a takeover; arping wants the address to be its own."""
    ip_lines(f"addr add {address}/32 dev eth0")
    inside("busybox", "arping", "-U", "-c", 2, "-w", 1, "-I", "eth0", address, check=False)
    ip_lines(f"addr del {address}/32 dev eth0")


@contextlib.contextmanager
def arping(_):
    announce(VICTIM)
    yield


@contextlib.contextmanager
def macvlan(_):
    ip_lines(f"link add mv0 link eth0 address {VICTIM_MAC} type macvlan mode bridge",
             f"addr add {VICTIM}/24 dev mv0", "link set mv0 up")
    inside("ping", "-c", 3, "-i", 0.2, "-W", 1, "-I", "mv0", "10.77.0.201", check=False)
    yield
    ip_lines("link del mv0")


@contextlib.contextmanager
def bridge(_):
    """A container behind a bridge in the guest, with the neighbour's MAC and address."""
    ip_lines("link add br0 type bridge", "link set eth0 master br0", "link set br0 up",
             "netns add intruder-c",
             f"link add c0 type veth peer name eth0 address {VICTIM_MAC} netns intruder-c",
             "link set c0 master br0", "link set c0 up")
    try:
        for line in (f"addr add {VICTIM}/24 dev eth0", "link set eth0 up"):
            subprocess.run(["ip", "-n", "intruder-c", *line.split()], check=True)
        subprocess.run(["ip", "netns", "exec", "intruder-c", "ping", "-c", "3", "-i", "0.2", "-W", "1",
                        "10.77.0.201"], check=False, capture_output=True)
        yield
    finally:
        ip_lines("link set eth0 nomaster", "link del br0", "netns del intruder-c")


@contextlib.contextmanager
def own_mac_changed(_):
    mac = "52:54:00:4d:02:02"
    ip_lines(f"link set eth0 address {VICTIM_MAC}", f"addr add {VICTIM}/24 dev eth0")
    inside("ping", "-c", 3, "-i", 0.2, "-W", 1, "-I", VICTIM, "10.77.0.201", check=False)
    yield
    ip_lines(f"addr del {VICTIM}/24 dev eth0", f"link set eth0 address {mac}")


@contextlib.contextmanager
def ucarp(_):
    with daemon("ucarp", "-i", "eth0", "-s", "10.77.0.202", "-v", "7", "-p", "secret", "-a", VICTIM,
                "-u", "/bin/true", "-d", "/bin/true", "-P", "-b", "1", "-k", "0"):
        yield


@contextlib.contextmanager
def vrrp(lab):
    with keepalived(lab, 52, VICTIM):
        yield


ATTACKS = {
    "scapy: spoofed sources and ARP": (scapy, OTHERS),
    "arping -U with the neighbour's address": (arping, {"neighbour_address"}),
    "a macvlan with the neighbour's MAC": (macvlan, {"neighbour_mac"}),
    "a bridge inside the guest": (bridge, {"neighbour_mac"}),
    "ip link set address": (own_mac_changed, {"neighbour_mac"}),
    "ucarp for the neighbour's address": (ucarp, UNKNOWN),
    "keepalived with use_vmac for the neighbour's address": (vrrp, UNKNOWN),
}


# ---- what the others see ----

def vmswitch(lab, *words, check=True):
    return lab.lab("exec", "switch", "--", "nlb", "vmswitch", *words, check=check)


def violations(lab):
    """{(port, reason): count}; every one of them must be the intruder's."""
    found = json.loads(vmswitch(lab, "--json", "violations").stdout)["violations"]
    return {(one["port"], one["reason"]): one["count"] for one in found}


def new_reasons(before, after, port="c2"):
    return {reason for (at, reason), count in after.items()
            if at == port and count > before.get((at, reason), 0)}


def neighbour(lab, address=VICTIM):
    return lab.lab("exec", "client1", "--", "ip", "-o", "neigh", "show", address).stdout


def table_entry():
    """Where the bridge believes the neighbour's MAC to be."""
    text = subprocess.run(["bridge", "-n", SWITCH, "fdb", "show", "br", "nlbsw0"], capture_output=True,
                          text=True, check=True).stdout
    return {line.split()[2] for line in text.splitlines() if line.startswith(VICTIM_MAC)}


def attacked(run, setting, title):
    lab = run.lab
    act, reasons = ATTACKS[title]
    with run.case(f"{setting}, {title}: the neighbour loses nothing, the port is named") as notes:
        lab.lab("exec", "client1", "--", "ping", "-c", 1, "-W", 1, VICTIM)
        before, pings = violations(lab), Pings(lab, VICTIM, 0.02)
        with act(lab):
            wait_for("a violation of the intruder's port",
                     lambda: new_reasons(before, violations(lab)) & reasons, 8)
            time.sleep(0.5)
        notes.append(pings.need_whole(20))
        after = violations(lab)
        notes.append(", ".join(sorted(new_reasons(before, after))))
        others = {key for key in after if after[key] > before.get(key, 0) and key[0] != "c2"}
        need(not others, f"others were blamed: {others}")
        need(VICTIM_MAC in neighbour(lab), neighbour(lab))
        need(table_entry() == {"h2"}, table_entry())


def vip_claimed(run, setting, reason):
    lab = run.lab
    with run.case(f"{setting}, the VIP of the cluster with its own MAC: refused as {reason}"):
        lab.load(20)
        before = violations(lab)
        announce(VIP)
        wait_for("the violation", lambda: reason in new_reasons(before, violations(lab)), 3)
        need(CLUSTER_MAC["unicast"] in neighbour(lab, VIP), neighbour(lab, VIP))


def set_port(lab, setting, *words):
    vmswitch(lab, "set", "client2", "--mac-spoofing", setting, *words, "--live")


def declare(lab, addresses):
    """A third place in the cluster, a VRRP cluster, and the intruder's addresses, or none."""
    path = Path(lab.root) / "switch/vmswitch.toml"
    text = re.sub(r"hosts = \[.*\]", "hosts = [1, 2, 3]", path.read_text())
    text = re.sub(r'addresses = \["10.77.0.202".*\n', "", text)
    if "vrid" not in text:
        text += f'\n[[cluster]]\nname = "router"\ntype = "vrrp"\nvrid = 51\nvips = ["{ROUTER_VIP}"]\n'
    if addresses:
        text = text.replace('interface = "c2"\n', f'interface = "c2"\naddresses = {json.dumps(addresses)}\n')
    path.write_text(text)
    vmswitch(lab, "reload")


def served(lab, address, mac):
    lab.lab("exec", "client1", "--", "ip", "neigh", "flush", "dev", "eth0")
    ping = lab.lab("exec", "client1", "--", "ping", "-c", 1, "-W", 1, address, check=False)
    return ping.returncode == 0 and mac in neighbour(lab, address)


def what_should_work(run):
    lab = run.lab
    declare(lab, [])
    set_port(lab, "on")
    with run.case("on: keepalived's virtual MAC serves its address"):
        with keepalived(lab, 52, FREE):
            wait_for("it answers", lambda: served(lab, FREE, "00:00:5e:00:01:34"), 10)
    set_port(lab, "cluster", "--cluster", "router")
    with run.case("cluster of type vrrp: keepalived serves the declared number"):
        with keepalived(lab, 51, ROUTER_VIP):
            wait_for("it answers", lambda: served(lab, ROUTER_VIP, ROUTER_MAC), 10)
    with run.case("and no other"):
        before = violations(lab)
        with keepalived(lab, 52, FREE):
            wait_for("the violation", lambda: new_reasons(before, violations(lab)) & UNKNOWN, 8)
            time.sleep(0.5)
            need(not served(lab, FREE, "00:00:5e:00:01:34"), "it answers")


def scenario(run):
    lab = run.lab
    lab.up("--mac-spoofing", "cluster", "--clients", 2, hosts=2)
    for setting, words, vip_reason in (("off", (), "foreign_vip"),
                                       ("cluster", ("--cluster", "web", "--host-id", 3), "vip_mac")):
        with run.case(f"{setting} is set"):
            declare(lab, ["10.77.0.202"])
            set_port(lab, setting, *words)
        for title in ATTACKS:
            attacked(run, setting, title)
        vip_claimed(run, setting, vip_reason)
    what_should_work(run)


if __name__ == "__main__":
    main(scenario)
