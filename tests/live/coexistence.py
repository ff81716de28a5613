#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What docs/COEXISTENCE.md says of others on a cluster host: Docker's rules, a stateful firewall with
connection tracking, rp_filter, a flushed rule set, another XDP program, systemd-networkd.

First on two hosts of the lab; then on one host of its own (see doctor.py), which others configure as well.
"""
import json
import re
import shutil
import tempfile
from pathlib import Path

from doctor import WIRE, Host, sh
from live import CLUSTER_MAC, VIP, main, need, need_no_failure, shares, wait_for
from place import Place, addresses_meanwhile
from streams import while_streaming

HOSTS = (1, 2)
NETWORKD = Path("/lib/systemd/systemd-networkd")
# As Docker leaves a host: it forwards, FORWARD drops what is not Docker's, and NAT is there.
DOCKER = """
table ip filter {
  chain DOCKER-USER { return; }
  chain FORWARD {
    type filter hook forward priority 0; policy drop;
    jump DOCKER-USER
    oifname "docker0" ct state established,related accept
    iifname "docker0" accept
    counter
  }
}
table ip nat {
  chain DOCKER { iifname "docker0" return; }
  chain PREROUTING { type nat hook prerouting priority -100; fib daddr type local jump DOCKER; }
  chain POSTROUTING {
    type nat hook postrouting priority 100;
    ip saddr 172.17.0.0/16 oifname != "docker0" masquerade
  }
}
"""
# As firewalld's public zone with two ports open: stateful, invalid segments dropped, the rest rejected.
FIREWALL = """
table inet zone {
  chain input {
    type filter hook input priority 10; policy accept;
    ct state established,related accept
    iifname "lo" accept
    ct state invalid drop
    meta l4proto icmp accept
    tcp dport 80 ct state new,untracked accept
    reject with icmpx admin-prohibited
  }
}
"""
NETWORK = """[Match]
Name=eth0
[Network]
Address=10.77.0.11/24
Gateway=10.77.0.1
LinkLocalAddressing=no
IPv6AcceptRA=no
"""


def on_host(lab, host, line):
    return lab.lab("exec", f"host{host}", "--", "sh", "-c", line).stdout


def apply(lab, rules):
    for host in HOSTS:
        path = Path(lab.root, f"host{host}", "others.nft")
        path.write_text(rules, encoding="utf-8")
        on_host(lab, host, f"nft -f {path}")


def served_by_both(lab, notes, count=200):
    figures = lab.load(count)
    need_no_failure(figures)
    share = shares(figures)
    need(set(share) == set(HOSTS) and min(share.values()) > 25, f"not both serve: {figures}")
    notes.append(f"{figures['connections']} connections, {share[1]:.0f} and {share[2]:.0f} %")


def docker(run):
    lab = run.lab
    with run.case("Docker's rules: forwarding on, FORWARD drops, NAT") as notes:
        for host in HOSTS:
            on_host(lab, host, "ip link add docker0 type bridge; ip addr add 172.17.0.1/16 dev docker0; "
                    "ip link set docker0 up; sysctl -qw net.ipv4.ip_forward=1")
        apply(lab, DOCKER)
        served_by_both(lab, notes)
    with run.case("a frame for the cluster MAC and no VIP is not forwarded by any host") as notes:
        lab.lab("exec", "client1", "--", "sh", "-c", "ip route add 10.77.9.9 dev eth0; "
                f"ip neigh replace 10.77.9.9 lladdr {CLUSTER_MAC['unicast']} dev eth0; "
                "ping -c 3 -i 0.05 -W 0.1 10.77.9.9 || true")
        for host in HOSTS:
            seen = on_host(lab, host, "nft list chain ip filter FORWARD")
            need("counter packets 0 " in seen, f"host {host} would have forwarded: {seen}")
            counters = json.loads(lab.host(host, "--json", "counters").stdout)["counters"]
            dropped = next(c["packets"] for c in counters if c["name"] == "not_vip")
            need(dropped >= 3, f"host {host} saw {dropped} of them")
        notes.append("dropped by the filter of both")


def convergences(lab, host):
    """Its events 28 and 29, each with the members of its view."""
    def members(event):
        return tuple(map(int, re.search(r"with hosts ([\d,]+)", event["text"])[1].split(",")))
    return [(event["number"], members(event)) for event in lab.events(host) if event["number"] in (28, 29)]


def firewall(run):
    lab = run.lab
    with run.case("a stateful firewall, connection tracking on") as notes:
        apply(lab, FIREWALL)
        served_by_both(lab, notes)
        entries = on_host(lab, 1, "cat /proc/sys/net/netfilter/nf_conntrack_count")
        need(int(entries) > 0, "nothing is tracked: this shows nothing")

    def move(_):
        lab.host(2, "drainstop")
        lab.wait_members([1], draining=[2])
        need_no_failure(lab.load(100))

    while_streaming(run, "connections of a drained host go on behind it", move, count=20, seconds=4)
    wait_for("host 2 has stopped", lambda: lab.state(2) == "stopped", 5)
    lab.host(2, "start")
    lab.wait_members(HOSTS)
    with run.case("the convergence history says why, on both hosts") as notes:
        def causes(host):
            entries = json.loads(lab.host(host, "--json", "history").stdout)["history"]
            need(all(entry["duration_ms"] >= 0 for entry in entries), entries)
            return [cause for entry in entries for cause in entry["causes"]]
        told = causes(1)
        need(any("(host 2 takes no new connections)" in cause for cause in told), told)
        need("host 2: left" in told and told[-1] == "host 2: joins", told)
        need({"this host: drainstop", "in no view: drained", "this host: start"} <= set(causes(2)), causes(2))
        notes.append("; ".join(told[-3:]))
    with run.case("events 5, 6 and 29: an active member, no longer one, the default host") as notes:
        mine = [event["number"] for event in lab.events(2) if event["number"] in (5, 6)]
        need(mine == [5, 6, 5], f"host 2 went and came back: {mine}")
        told = {host: convergences(lab, host) for host in HOSTS}
        for host, number, members in [(host, *event) for host in HOSTS for event in told[host]]:
            need(number == (29 if host == min(members) else 28), f"host {host} in {members}: event {number}")
        need((29, HOSTS) in told[1] and (28, HOSTS) in told[2], f"the default host is host 1: {told}")
        notes.append(f"host 1: {len(told[1])} convergences, host 2: {len(told[2])}")
    with run.case("strict rp_filter") as notes:
        for host in HOSTS:
            on_host(lab, host, "sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.eth0.rp_filter=1")
        served_by_both(lab, notes)


def flushed(run):
    lab = run.lab
    with run.case("nft flush ruleset: nlbd puts its own tables back, and nobody notices") as notes:
        process = lab.start_load(600)
        on_host(lab, 1, "nft flush ruleset")
        took = wait_for("the guard is back",
                        lambda: "nlb_eth0" in on_host(lab, 1, "nft list tables inet"), 3)
        need_no_failure(lab.finish(process))
        notes.append(f"back after {took:.1f} s")


def other_xdp(run, host, foreign):
    with run.case("another XDP program: the filter works in tc alone, and it is said") as notes:
        need(Path(foreign).exists(), f"{foreign} is not built")
        host.do(f"ip link set dev eth0 xdpgeneric obj {foreign} sec xdp")
        host.start_nlbd()
        adapter = json.loads(host.nlb("display", "--json").stdout)["adapter"]
        need(adapter["datapath"] == "tc" and "another XDP" in adapter["datapath_note"], adapter)
        need("tc: another XDP program is attached" in host.nlb("display").stdout, "display does not say it")
        check = host.diagnose()["net.xdp"]
        need(check["status"] == "warn" and "foreign_xdp" in check["detail"], check)
        sh(f"ip netns exec {WIRE} timeout 3 bash -c 'exec 3<>/dev/tcp/{VIP}/80'")
        need("xdpgeneric" in host.do("ip link show dev eth0"), "the other program is gone")
        host.do("ip link set dev eth0 xdpgeneric off")
        need(host.nlb("reload").returncode == 0, "no reload")
        after = wait_for("XDP is ours", lambda: "datapath_note" not in json.loads(
            host.nlb("display", "--json").stdout)["adapter"], 3)
        notes.append(f"once it is gone, ours is there after {after:.1f} s")


class Networkd:
    """systemd-networkd for the host alone: a read-only /sys tells it that there is no udev."""

    def __init__(self, host):
        self.host = host
        need(shutil.which("dbus-daemon") and NETWORKD.exists(), "no dbus-daemon or networkd: make deps")
        prepare = ("mkdir /run/systemd; mount -o remount,ro,bind /sys; "
                   "rm -rf /etc/systemd/network; mkdir /etc/systemd/network; "
                   "mkdir -p /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp; "
                   "chown -R systemd-network: /run/systemd/netif")
        self.place = Place(host.inside(), prepare, f"{host.directory}/log")
        self.place.root("etc/systemd/network/10-eth0.network").write_text(NETWORK, encoding="utf-8")
        self.place.start_bus()
        self.place.start(NETWORKD)
        wait_for("networkd", self.is_configured, 5)

    def is_configured(self):
        return re.search(r"\bconfigured\b", self.place.run("networkctl list eth0").stdout)

    def until_configured(self, command):
        def times():
            return Path(self.host.directory, "log").read_text(encoding="utf-8").count("onfiguring with /etc")
        before = times()
        self.place.do(command)
        wait_for(f"{command} is done", lambda: times() > before and self.is_configured(), 5)

    def configure_anew(self):
        return addresses_meanwhile(self.place, lambda: self.until_configured("networkctl reconfigure eth0"))


def networkd(run, host):
    host.stop_nlbd()
    host.do("ip addr flush dev eth0")  # networkd 252 repeats itself over an address that is there already
    manager = Networkd(host)
    try:
        host.start_nlbd()
        beside_networkd(run, host, manager)
    finally:
        manager.place.end()


def beside_networkd(run, host, manager):
    taken = re.compile(rf"Deleted .*{re.escape(VIP)}/32")
    with run.case("networkd without a drop-in takes the VIP off; nlbd puts it back") as notes:
        need(taken.search(manager.configure_anew()), "the VIP stayed: this shows nothing")
        took = wait_for("the VIP is back", lambda: VIP in host.do("ip -4 addr show dev eth0"), 3)
        notes.append(f"back after {took:.1f} s at most")
    with run.case("networkd with the drop-in of nlb netcfg leaves it alone") as notes:
        root = f"{host.directory}/root"
        done = host.nlb("netcfg", "--manager", "networkd", "--network-file", "10-eth0.network", "--write",
                        "--root", root)
        need(done.returncode == 0, done.stderr)
        shutil.copytree(f"{root}/etc/systemd/network/10-eth0.network.d",
                        manager.place.root("etc/systemd/network/10-eth0.network.d"))
        manager.until_configured("networkctl reload")
        wait_for("the VIP is there", lambda: VIP in host.do("ip -4 addr show dev eth0"), 3)
        before = json.loads(host.nlb("display", "--json").stdout)["adapter"]
        seen = manager.configure_anew()
        need(not taken.search(seen), f"the VIP was taken off: {seen}")
        after = json.loads(host.nlb("display", "--json").stdout)["adapter"]
        need(before == after and after["bind"] == "bound", f"{before}\n{after}")
        notes.append(f"{after['datapath']}, cluster MAC in {after['cluster_mac_in']}")


def entries_for_linux(run, host):
    """In a namespace of a router, with a bridge to which the hosts would be plugged."""
    with run.case("switch-config --vendor linux: ip and bridge take it, in each mode") as notes:
        sh(f"ip -n {WIRE} link add br9 type bridge mcast_snooping 1; ip -n {WIRE} link set br9 up; "
           f"for p in p1 p2; do ip -n {WIRE} link add $p type veth peer name q$p; "
           f"ip -n {WIRE} link set q$p up; ip -n {WIRE} link set $p up master br9; done")
        for mode, group in (("multicast", CLUSTER_MAC["multicast"]), ("igmp", "239.255.0.100")):
            config = Path(host.directory, f"{mode}.toml")
            config.write_text(Path(host.directory, "web.toml").read_text(encoding="utf-8").replace(
                'mac_strategy = "add"', f'mode = "{mode}"'), encoding="utf-8")
            text = host.nlb("switch-config", "--vendor", "linux", "--config", str(config), "--ports", "p1,p2",
                            "--router-interface", "eth1")
            need(text.returncode == 0, text.stderr)
            script = Path(host.directory, "entries.sh")
            script.write_text("set -e\n" + text.stdout.replace("BRIDGE", "br9"), encoding="utf-8")
            sh(f"ip netns exec {WIRE} sh {script}")
            neighbour = sh(f"ip -n {WIRE} neigh show {VIP} dev eth1")
            need(CLUSTER_MAC[mode] in neighbour and "PERMANENT" in neighbour, neighbour)
            groups = sh(f"ip netns exec {WIRE} bridge mdb show dev br9")
            need(groups.count(group) == 2, groups)
            ports = sh(f"ip netns exec {WIRE} bridge -d link show master br9")
            need(ports.count("mcast_router 2") == 2, ports)
            notes.append(f"{mode}: {group} at both ports")


def one_host(run):
    directory = tempfile.mkdtemp(prefix="nlb-coexistence-")
    programs = Path(run.lab.nlb_path).parent
    host = Host(str(programs), directory)
    try:
        other_xdp(run, host, programs.parent / "tests-bpf/foreign_xdp.bpf.o")
        networkd(run, host)
        entries_for_linux(run, host)
    finally:
        host.end()


def scenario(run):
    run.lab.up(hosts=len(HOSTS))
    docker(run)
    firewall(run)
    flushed(run)
    run.lab.down()
    one_host(run)


if __name__ == "__main__":
    main(scenario)
