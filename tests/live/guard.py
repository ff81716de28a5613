#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Somebody detaches a program by hand: nothing wrong gets in or out meanwhile, it is said, and put back.

nlbd is stopped (SIGSTOP) where a state is to be looked at before it mends it."""

from capture import Capture, need_mac_truth
from live import CLUSTER_MAC, VIP, main, need, wait_for

# A sender that bypasses the IP stack: frames with the cluster MAC as Ethernet source, as a DHCP client or a
# capture tool would take it from the adapter under `replace`.
RAW_SENDER = """
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
mac = bytes.fromhex("02bf0a4d0064")
for _ in range(20):
    try:
        s.send(b"\\xff" * 6 + mac + b"\\x08\\x00" + bytes(60))
    except OSError:
        pass
"""


def inside(lab, host, *words, check=True):
    return lab.lab("exec", f"host{host}", "--", *words, check=check)


def detach_ingress(lab, host):
    inside(lab, host, "tc", "filter", "del", "dev", "eth0", "ingress")
    inside(lab, host, "ip", "link", "set", "dev", "eth0", "xdp", "off")


def vip_packets_of_host(lab, host):
    """How many packets for the VIP the host's IP stack has seen: its TCP and ICMP counters do not lie."""
    text = inside(lab, host, "cat", "/proc/net/snmp").stdout
    header, values = [line.split() for line in text.splitlines() if line.startswith("Tcp:")]
    return int(values[header.index("InSegs")])


def ingress_detached(run):
    lab = run.lab
    lab.up()
    with run.case("ingress detached, nlbd stopped: the host's stack sees no packet for the VIP"):
        lab.lab("fault", "pause", "host2")
        detach_ingress(lab, 2)
        before = vip_packets_of_host(lab, 2)
        lab.tool("load", "--to", f"{VIP}:80", "--connections", 300)
        after = vip_packets_of_host(lab, 2)
        need(after == before, f"{after - before} segments for the VIP came in without the filter")
    with run.case("nlbd goes on: it says so and attaches again"):
        lab.lab("fault", "resume", "host2")
        wait_for("an event about the detached filter", lambda: lab.events(2, "filter_detached"), 5)
        lab.wait_members([1, 2, 3])
        shown = inside(lab, 2, "tc", "filter", "show", "dev", "eth0", "ingress").stdout
        need("nlb" in shown, f"no filter is attached: {shown}")


def egress_detached(run):
    lab = run.lab
    lab.up("--mac-strategy", "replace")
    with run.case("egress detached under replace: the cluster MAC never leaves, raw senders too") as notes:
        lab.lab("fault", "pause", "host3")
        inside(lab, 3, "tc", "filter", "del", "dev", "eth0", "egress")
        with Capture(lab, "ether src 02:bf:0a:4d:00:64 or arp or ip") as capture:
            inside(lab, 3, "python3", "-c", RAW_SENDER)
            inside(lab, 3, "busybox", "udhcpc", "-f", "-n", "-q", "-t", "2", "-T", "1", "-i", "eth0", "-s",
                   "/bin/true", check=False)
            inside(lab, 3, "ping", "-c", "2", "-W", "1", "10.77.0.1", check=False)
        notes.append(need_mac_truth(capture, VIP, CLUSTER_MAC["unicast"]))
    with run.case("nlbd goes on: egress is attached again"):
        lab.lab("fault", "resume", "host3")
        wait_for("the egress filter is back", lambda: "nlb" in inside(
            lab, 3, "tc", "filter", "show", "dev", "eth0", "egress").stdout, 5)


def guard_removed(run):
    lab = run.lab
    lab.up()
    with run.case("the nftables table is deleted: it is said and put back"):
        inside(lab, 1, "nft", "flush", "ruleset")
        wait_for("the event", lambda: lab.events(1, "guard_removed"), 5)
        need("nlb_eth0" in inside(lab, 1, "nft", "list", "tables").stdout, "no table")
    with run.case("the VIP is deleted by hand: it is said and put back"):
        inside(lab, 1, "ip", "addr", "del", f"{VIP}/32", "dev", "eth0")
        wait_for("the VIP is back", lambda: VIP in inside(lab, 1, "ip", "addr", "show", "eth0").stdout, 5)
        need(lab.events(1, "vip_removed"), "no event")


def forwarded(capture):
    """Packets that a host sent for somebody else."""
    hosts = {f"02:{host:02x}:0a:4d:00:64": f"10.77.0.1{host}" for host in (1, 2, 3)}
    return [packet for packet in capture.ips()
            if packet.source in hosts and packet.from_ip not in (hosts[packet.source], VIP)]


def forwarding(run):
    """ip_forward=1, as Docker sets it, hosts in `replace`, a switch that does not know the cluster MAC."""
    lab = run.lab
    lab.up("--mac-strategy", "replace", "--ip-forward")
    with run.case("pings to dedicated addresses are answered once, nothing is forwarded") as notes:
        with Capture(lab, "icmp") as capture:
            for host in (1, 2, 3):
                done = lab.lab("exec", "client1", "--", "ping", "-c", "3", "-i", "0.2", "-W", "1",
                               f"10.77.0.1{host}")
                need("3 received" in done.stdout and "DUP" not in done.stdout, done.stdout)
            lab.lab("exec", "client1", "--", "ping", "-c", "3", "-i", "0.2", "-W", "1", VIP)
        packets = list(capture.ips())
        need(len(packets) == 24, f"{len(packets)} ICMP packets, wanted 12 questions and 12 answers")
        need(not forwarded(capture), forwarded(capture)[:2])
        notes.append("24 packets for 12 pings")
    with run.case("bulk transfers to dedicated addresses come whole, nothing is forwarded") as notes:
        with Capture(lab, "tcp") as capture:
            for host in (1, 2, 3):
                figures = lab.tool("streams", "--to", f"10.77.0.1{host}:80", "--count", 5, "--seconds", 2,
                                   "--bytes", 20000)
                need(figures["ok"] == 5 and figures["wrong_bytes"] == 0, figures)
        packets = list(capture.ips())
        need(len(packets) > 500 and not forwarded(capture), f"{len(packets)}: {forwarded(capture)[:2]}")
        notes.append(f"{len(packets)} packets")


def scenario(run):
    for part in (ingress_detached, egress_detached, guard_removed, forwarding):
        with run.case(f"part {part.__name__} runs to its end"):
            part(run)


if __name__ == "__main__":
    main(scenario)
