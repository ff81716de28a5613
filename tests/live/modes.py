#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Modes multicast and igmp on a bridge that snoops: what is proven before the bind, who is a member and for
how long, who sees the cluster's frames, and what tshark says of all that was on the wire."""
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from capture import Capture
from ipv6 import VIP6, ask
from live import CLUSTER_MAC, host_mac, main, need, need_no_failure, wait_for

GROUP, GROUP6 = "239.255.0.100", "ff02::1:ff00:100"  # of mode igmp; of who asks for the IPv6 VIP
PORTS = ["h1", "h2", "h3"]
# The querier asks each second and forgets after 2.5 s, where switches take 125 s and 260 s.
QUERIER = ("mcast_query_interval 100 mcast_query_response_interval 50 mcast_membership_interval 250 "
           "mcast_startup_query_interval 25 mcast_startup_query_count 3 mcast_igmp_version 3 "
           "mcast_mld_version 2")
DISSECTOR = Path(__file__).parents[2] / "tools/wireshark/opennlb.lua"
NOBODY = 65534
FIELDS = ["frame.protocols", "_ws.malformed", "igmp.type", "icmpv6.type", "opennlb.type", "opennlb.damaged",
          "ip.proto", "ip.dst", "ip.ttl", "ip.checksum.status"]
HEARTBEAT_GROUP = bytes.fromhex("03bf0a4d0064")  # of the modes that speak Ethernet


def in_switch(lab, text):
    return lab.lab("exec", "switch", "--", *text.split()).stdout


def snoop(lab):
    # Without an address, nobody asks by MLD.
    in_switch(lab, "sysctl -qw net.ipv6.conf.nlbsw0.accept_dad=0 net.ipv6.conf.nlbsw0.disable_ipv6=0")
    for settings in (QUERIER, "mcast_snooping 1 mcast_querier 1"):  # its first turn is by what was set before
        in_switch(lab, f"ip link set nlbsw0 type bridge {settings}")


def router_ports(lab, kind=2):
    for port in PORTS[:lab.hosts]:
        in_switch(lab, f"bridge link set dev {port} mcast_router {kind}")


def members(lab, group):
    tables = json.loads(in_switch(lab, "bridge -j mdb show"))
    return sorted(entry["port"] for table in tables for entry in table["mdb"] if entry["grp"] == group)


def adapter(lab, host):
    return json.loads(lab.host(host, "--json", "display").stdout)["adapter"]


def said(lab, host, name):
    return name in lab.host(host, "--json", "events", "--limit", "200").stdout


def outsider(lab, mode):
    """What client 2, who is no member, sees of the cluster's frames while client 1 is served. In mode
    multicast those of clients alone count: no switch snoops the heartbeats' group. Reports of IGMP and MLD
    are the switch's to spread."""
    cluster = f"(ether dst {CLUSTER_MAC[mode]} and (ip or ip6))"
    if mode == "igmp":
        hosts = " or ".join(f"ether src {host_mac(host)}" for host in range(1, lab.hosts + 1))
        reports = "(ip proto 2 or ip6 proto 0)"
        cluster += f" or ether proto 0x88b5 or ip proto 253 or (({hosts}) and not {reports})"
    need_no_failure(lab.load(50))  # who answers a client for the first time asks all for its MAC
    need_no_failure(ask(lab, "load", VIP6, 50))
    with Capture(lab, cluster, node="client2") as seen:
        need_no_failure(lab.load(300))
        need_no_failure(ask(lab, "load", VIP6, 100))
    return [frame for _, frame in seen.packets()]


def refused_until_cured(run, mode):
    """A host that boots behind a bridge that keeps the cluster's IP back, and the cure that it names."""
    lab = run.lab
    with run.case(f"{mode}: a bridge that snoops keeps IP back: members say so, who boots is refused"):
        snoop(lab)
        wait_for("event: nothing to the cluster MAC arrives", lambda: said(lab, 1, "receive_filtered"), 6)
        lab.lab("fault", "kill", "host3", "host")
        lab.lab("start", "host3", "--timeout", 0)
        wait_for("host 3 is refused", lambda: lab.state(3) == "refused", 5)
        shown = adapter(lab, 3)
        need(shown["reason"] == "rx-filtered" and shown["cluster_mac_in"] == "none", shown)
        need("mcast_router 2" in shown["remedy"], shown)
        asked = "an IGMP querier asked for members" in shown["evidence"]
        need(asked == (mode == "igmp"), shown)
    with run.case(f"{mode}: the remedy that it names heals it") as notes:
        router_ports(lab)
        notes.append(f"after {lab.wait_members([1, 2, 3], 10):.1f} s")
        wait_for("event: the cluster MAC is heard again", lambda: said(lab, 1, "receive_works"), 3)
        shown = [adapter(lab, host) for host in (1, 2, 3)]
        need(all(one["cluster_mac_in"] == "receive-filter" for one in shown), shown)
        bound = lab.host(3, "events").stdout
        need("a peer's heartbeat in IP to the group" in bound, bound)


def contained(run, mode):
    what = "the cluster" if mode == "igmp" else "them"
    with run.case(f"{mode}: 400 connections, IPv4 and IPv6; who is no member sees nothing of {what}"):
        seen = outsider(run.lab, mode)
        need(not seen, f"client 2 got {len(seen)} frames: {[frame[:40].hex() for frame in seen[:3]]}")


def membership(run):
    """IGMP and MLD, both versions of each. Router ports hear the reports of others, and who speaks version 2
    then holds its own back: the table would show one of them, though all are served."""
    lab = run.lab
    router_ports(lab, 1)
    def table():
        return members(lab, GROUP) == PORTS and members(lab, GROUP6) == PORTS
    with run.case("the bridge's table shows the members alone, past its timeout, over a daemon's restart"):
        wait_for("three members of both groups", table, 3)
        # Whoever has heard version 2 speaks it for minutes (RFC 9776 section 7.2.1), so version 3 goes first.
        for igmp, mld, report in ((3, 2, 0x22), (2, 1, 0x16)):
            words = f"mcast_igmp_version {igmp} mcast_mld_version {mld}"
            in_switch(lab, f"ip link set nlbsw0 type bridge {words}")
            lab.lab("restart", "host2")
            with Capture(lab, "igmp") as capture:
                in_switch(lab, "sleep 2.6")
            kinds = {frame[14 + 4 * (frame[14] & 15)] for _, frame in capture.packets()}
            need(report in kinds, f"IGMP version {igmp}: {kinds}")
            need(table(), f"IGMP version {igmp}: {members(lab, GROUP)}, {members(lab, GROUP6)}")
    with run.case("a stopped host stays a member, a dead one is forgotten") as notes:
        lab.host(2, "stop")
        lab.lab("fault", "kill", "host3", "host")
        left = wait_for("host 3 is no member", lambda: members(lab, GROUP) == ["h1", "h2"], 5)
        need(members(lab, GROUP6) == ["h1", "h2"], members(lab, GROUP6))
        notes.append(f"forgotten after {left:.1f} s")


def sound(run, captures):
    """tshark, which knows nothing of us but the dissector. It takes no script from root."""
    with run.case("tshark reads IGMP, MLD, ND, ARP and heartbeats without a malformed frame") as notes:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "frames.pcap"
            path.write_bytes(captures[0].raw + b"".join(capture.raw[24:] for capture in captures[1:]))
            script = shutil.copy(DISSECTOR, directory)
            for name in (directory, path, script):
                os.chmod(name, 0o755)
            words = ["tshark", "-r", str(path), "-X", f"lua_script:{script}", "-o", "ip.check_checksum:TRUE",
                     "-T", "fields", "-E", "separator=|"]
            for field in FIELDS:
                words += ["-e", field]
            done = subprocess.run(words, capture_output=True, text=True, check=True, user=NOBODY,
                                  group=NOBODY, extra_groups=[],
                                  env={"PATH": os.environ["PATH"], "HOME": directory})
        rows = [dict(zip(FIELDS, line.split("|"))) for line in done.stdout.splitlines()]
        faulty = [row for row in rows if row["_ws.malformed"] or row["opennlb.damaged"]
                  or row["ip.checksum.status"] == "0"]
        need(not faulty, f"{len(faulty)} of {len(rows)} frames: {faulty[:3]}")
        found = {
            "IGMP joins": sum(row["igmp.type"] in ("0x16", "0x22") for row in rows),
            "MLD reports": sum(row["icmpv6.type"] in ("131", "143") for row in rows),
            "neighbour discovery": sum(row["icmpv6.type"] in ("135", "136") for row in rows),
            "ARP": sum(row["frame.protocols"].endswith("arp") for row in rows),
            "heartbeats": sum(row["opennlb.type"] != "" and row["ip.proto"] == "" for row in rows),
            "heartbeats in IP": sum(row["opennlb.type"] != "" and row["ip.proto"] == "253" for row in rows),
            "of them to the group": sum(row["opennlb.type"] != "" and row["ip.dst"] == GROUP for row in rows)}
        need(all(found.values()), found)
        need({row["ip.ttl"] for row in rows if row["ip.dst"] == GROUP and row["ip.proto"] == "253"} == {"1"},
             "a heartbeat to the group that routers would pass on")
        notes.append(", ".join(f"{count} {name}" for name, count in found.items()))


def path_proofs(lab):
    """What each host bound the cluster's addresses on, in the order of time."""
    events = [lab.host(host, "events").stdout for host in range(1, lab.hosts + 1)]
    return sorted(line for text in events for line in text.splitlines() if " bound: " in line)


def mode(run, name, hosts):
    lab = run.lab
    lab.up("--mode", name, "--ipv6", "--clients", 2, hosts=hosts)
    by_arp = f"answered to the group {CLUSTER_MAC[name]} by ARP"
    proof = "a peer's heartbeat in IP to the group" if hosts > 1 else by_arp
    expression = "igmp or (ip6 and not tcp) or arp or ether proto 0x88b5 or ip proto 253"
    with Capture(lab, expression, octets=1600) as capture:
        with run.case(f"{name}: without snooping, all see the cluster's frames; the path is proven") as notes:
            seen = outsider(lab, name)
            need(seen, "client 2 saw nothing: the check could not fail")
            if name == "igmp":
                need(any(frame[12:14] == b"\x08\x00" and frame[23] == 253 for frame in seen), "no heartbeat")
            bound = path_proofs(lab)
            need(len(bound) == hosts, bound)
            # Who boots long before its peers has the gateway alone to prove it; the last has them all.
            need(proof in bound[-1] and all(proof in line or by_arp in line for line in bound), bound)
            notes.append(proof)
        if hosts > 1:
            refused_until_cured(run, name)
        else:
            snoop(lab)
            router_ports(lab)
            in_switch(lab, "sleep 1")  # a querier's first turn, half a second, before it counts for anything
        contained(run, name)
        if hosts > 1 and name == "igmp":
            membership(run)
    if name == "igmp":
        with run.case("igmp: nothing that is said to all went in Ethernet"):
            need(not any(frame[:6] == HEARTBEAT_GROUP for _, frame in capture.packets()), "a frame did")
    return capture


def guarded(run):
    """The guard of the ports sees to it that the bridge sends members what is for their group, and lets their
    heartbeats to it pass."""
    lab = run.lab
    lab.up("--mode", "igmp", "--ipv6", "--mac-spoofing", "cluster", hosts=2)
    with run.case("igmp, behind a guard, on a bridge that snoops: served, with nothing told by hand"):
        snoop(lab)
        in_switch(lab, "sleep 1")  # a querier's first turn
        ports = json.loads(in_switch(lab, "bridge -d -j link show"))
        routers = {port["ifname"]: port.get("multicast_router", port.get("mcast_router")) for port in ports}
        need(routers["h1"] == routers["h2"] == 2 and routers["c1"] != 2, routers)
        need_no_failure(lab.load(300))
        need_no_failure(ask(lab, "load", VIP6, 100))
        need(not said(lab, 1, "receive_filtered"), "host 1 misses frames to the cluster MAC")


def scenario(run):
    guarded(run)
    sound(run, [mode(run, "igmp", 3), mode(run, "multicast", 3 if run.full else 1)])


if __name__ == "__main__":
    main(scenario)
