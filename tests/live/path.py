#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Packets that do not fit the path, by IPv4 and IPv6: a router's packet-too-big reaches the host whose
connection it is about, and a datagram in fragments is answered by one host alone.

    far ── router ── (small MTU) ── gateway ── switch ── hosts, client 1"""
import subprocess

from ipv6 import VIP6, ask
from live import VIP, main, need, need_no_failure, wait_for

HOSTS = {"1", "2", "3"}
PATH_MTU = 1300
ROUTER, FAR = "nlb-path-router", "nlb-path-far"
# vip; the far client; the networks of the links gateway-router and router-far, without their last part
FAMILIES = {"IPv4": (VIP, "10.79.2.2", "10.79.1.", "10.79.2."),
            "IPv6": (VIP6, "fd78:2::2", "fd78:1::", "fd78:2::")}
TRANSFERS = 24  # at even shares, all pass a host by once in 6,000 runs
CLIENTS, OCTETS = 1000, 4000
MANY = {"IPv4": "10.99.0.0/16", "IPv6": "fd79::/64"}  # addresses of client 1


def sh(lines):
    done = subprocess.run(["sh", "-e"], input=lines, text=True, capture_output=True, check=False)
    need(done.returncode == 0, done.stderr)


def far_away():
    """A client behind a link of small MTU, of which only the router before it knows."""
    sh(f"""
ip netns add {ROUTER}
ip netns add {FAR}
ip -n nlb-gateway link add far0 type veth peer name near0 netns {ROUTER}
ip -n {ROUTER} link add far0 type veth peer name eth0 netns {FAR}
ip -n nlb-gateway link set far0 mtu {PATH_MTU} up
ip -n {ROUTER} link set near0 mtu {PATH_MTU} up
ip -n {ROUTER} link set far0 up
ip -n {FAR} link set eth0 up
for node in nlb-gateway {ROUTER}; do
  ip netns exec $node sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
done""")
    for _, far, near, beyond in FAMILIES.values():
        bits, nodad = (64, "nodad") if ":" in far else (24, "")
        sh(f"""
ip -n nlb-gateway addr add {near}1/{bits} dev far0 {nodad}
ip -n {ROUTER} addr add {near}2/{bits} dev near0 {nodad}
ip -n {ROUTER} addr add {beyond}1/{bits} dev far0 {nodad}
ip -n {FAR} addr add {far}/{bits} dev eth0 {nodad}
ip -n nlb-gateway route add {beyond}{'/64' if bits == 64 else '0/24'} via {near}2
ip -n {ROUTER} route add default via {near}1
ip -n {FAR} route add default via {beyond}1""")
    for address in ("10.77.0.1", "fd77::1"):
        wait_for("the far client reaches the gateway", lambda to=address: reaches(to), 10)


def reaches(address):
    ping = ["ip", "netns", "exec", FAR, "ping", "-c", "1", "-W", "1", "-q", address]
    return subprocess.run(ping, capture_output=True, check=False).returncode == 0


def forget_far_away():
    for name in (ROUTER, FAR):
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def route_mtu(lab, host, far, vip):
    family = "-6" if ":" in far else "-4"
    return lab.lab("exec", f"host{host}", "--", "ip", family, "route", "get", far, "from", vip).stdout


def path_mtu(run, name):
    vip, far = FAMILIES[name][:2]
    with run.case(f"{name}: {TRANSFERS} transfers of 1.3 MB through a path of {PATH_MTU} octets") as notes:
        before = [route_mtu(run.lab, host, far, vip) for host in HOSTS]
        need(not any(f"mtu {PATH_MTU}" in route for route in before), f"known before: {before}")
        figures = ask(run.lab, "fetch", vip, TRANSFERS, where=FAR)
        need_no_failure(figures)
        need(set(figures["hosts"]) == HOSTS and figures["bytes"] > TRANSFERS << 20, figures)
        notes.append(f"of hosts {figures['hosts']}")
    with run.case(f"{name}: the router's packet-too-big has reached every host"):
        for host in HOSTS:
            route = route_mtu(run.lab, host, far, vip)
            need(f"mtu {PATH_MTU}" in route, f"host {host}: {route}")


def reassembled(lab, name):
    """How many datagrams the hosts put together from fragments."""
    total = 0
    for host in HOSTS:
        words = ["cat", "/proc/net/snmp" if name == "IPv4" else "/proc/net/snmp6"]
        lines = [line.split() for line in lab.lab("exec", f"host{host}", "--", *words).stdout.splitlines()]
        if name == "IPv4":
            names, values = [line for line in lines if line[0] == "Ip:"]
            total += int(values[names.index("ReasmOKs")])
        else:
            total += int(dict(lines)["Ip6ReasmOKs"])
    return total


def fragments(run, name):
    lab, vip, prefix = run.lab, FAMILIES[name][0], MANY[name]
    family, client = ("-6", "fd77::201") if name == "IPv6" else ("-4", "10.77.0.201")
    lab.lab("exec", "client1", "--", "sysctl", "-qw", "net.ipv6.ip_nonlocal_bind=1")
    lab.lab("exec", "client1", "--", "ip", family, "route", "add", "local", prefix, "dev", "lo")
    for host in HOSTS:
        lab.lab("exec", f"host{host}", "--", "ip", family, "route", "add", prefix, "via", client)
    with run.case(f"{name}: {OCTETS} octets in fragments, of {CLIENTS} clients: answered once each") as notes:
        before = reassembled(lab, name)
        figures = ask(lab, "datagrams", vip, CLIENTS, OCTETS, prefix)
        need(figures["answers"] == {"1": CLIENTS} and set(figures["hosts"]) == HOSTS, figures)
        whole = reassembled(lab, name) - before
        need(whole == CLIENTS, f"the hosts put {whole} datagrams together, not each one of them")
        notes.append(f"by hosts {figures['hosts']}")


def scenario(run):
    run.lab.up("--ipv6")
    try:
        far_away()
        for name in FAMILIES:
            path_mtu(run, name)
    finally:
        forget_far_away()
    for name in FAMILIES:
        fragments(run, name)


if __name__ == "__main__":
    main(scenario)
