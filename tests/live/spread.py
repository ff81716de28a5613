#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who gets what: shares, affinity, weights, modes; every connection answered by exactly one host."""
import json
import re
from pathlib import Path

from capture import Capture, need_one_answer_each
from live import HTTP, UDP, VIP, main, need, need_no_failure, need_shares, shares

EVEN = {1: 100 / 3, 2: 100 / 3, 3: 100 / 3}


def affinity_none(run):
    lab = run.lab
    lab.up("--client-addresses", 4)

    with run.case("5,000 connections from 4 addresses, 50 at a time: none fails, shares are even") as notes:
        with Capture(lab, f"tcp and host {VIP}") as capture:
            figures = lab.load(5000, "--concurrency", 50, "--source", "all")
        need_no_failure(figures)
        notes.append(need_shares(figures, EVEN, 3))
        notes.append(f"p99 {figures['latency_ms']['p99']:.1f} ms")

    with run.case("one SYN-ACK for every SYN") as notes:
        notes.append(need_one_answer_each(capture, VIP, 80))

    with run.case("3,000 datagrams: none lost, none answered twice, shares are even") as notes:
        with Capture(lab, f"udp and host {VIP}") as capture:
            figures = lab.load(3000, "--udp", "--source", "all", to=UDP)
        need_no_failure(figures)
        answers = sum(1 for packet in capture.ips() if packet.from_ip == VIP)
        need(answers == 3000, f"{answers} answers to 3,000 questions")
        notes.append(need_shares(figures, EVEN, 4))

    with run.case("the client's ping of the VIP is answered once"):
        done = lab.lab("exec", "client1", "--", "ping", "-c", 20, "-i", "0.01", "-q", VIP)
        need("duplicates" not in done.stdout and " 0% packet loss" in done.stdout, done.stdout)

    with run.case("the dedicated addresses are not balanced"):
        for host in (1, 2, 3):
            figures = lab.load(30, to=f"10.77.0.1{host}:80")
            need(figures["hosts"] == {str(host): 30}, figures)

    with run.case("every member's `filter` names the same host"):
        for port in range(40000, 40020):
            words = ["--json", "filter", "--client", f"10.77.0.201:{port}", "--to", HTTP, "--protocol", "tcp"]
            said = {json.loads(lab.host(host, *words).stdout)["host"] for host in (1, 2, 3)}
            need(len(said) == 1 and said <= {1, 2, 3}, f"client port {port}: {said}")


def need_one_host_each(figures):
    several = {source: hosts for source, hosts in figures["by_source"].items() if len(hosts) > 1}
    need(not several, f"{len(several)} addresses met more than one host: {list(several.items())[:3]}")


def affinity_single(run):
    addresses = 2000 if run.full else 500
    run.lab.up("--affinity", "single", "--client-addresses", addresses)
    with run.case(f"single: each of {addresses} client addresses meets one host") as notes:
        figures = run.lab.load(3 * addresses, "--source", "all", "--by-source")
        need_no_failure(figures)
        need_one_host_each(figures)
        # One draw an address: four standard deviations of the binomial distribution.
        notes.append(need_shares(figures, EVEN, 400 * (2 / 9 / addresses) ** 0.5))


def affinity_network(run):
    run.lab.up("--affinity", "network", "--client-addresses", 2000)
    with run.case("network: all of a /24 meet one host, 2,000 addresses in 250 networks") as notes:
        figures = run.lab.load(4000, "--source", "all", "--by-source")
        need_no_failure(figures)
        networks = {}
        for source, hosts in figures["by_source"].items():
            networks.setdefault(source.rsplit(".", 1)[0], set()).update(hosts)
        several = {network: hosts for network, hosts in networks.items() if len(hosts) > 1}
        need(len(networks) > 200 and not several,
             f"{len(several)} of {len(networks)} networks met several hosts")
        notes.append(need_shares(figures, EVEN, 400 * (2 / 9 / len(networks)) ** 0.5))


def weights(run):
    run.lab.up("--weights", "30,60", hosts=2)
    with run.case("weights 30 and 60: one third and two thirds") as notes:
        figures = run.lab.load(5000)
        need_no_failure(figures)
        notes.append(need_shares(figures, {1: 100 / 3, 2: 200 / 3}, 3))
    with run.case("weight 0: the host gets nothing"):
        run.lab.set_weight(1, 0)
        run.lab.wait_members([1, 2])
        figures = run.lab.load(500)
        need_no_failure(figures)
        need(shares(figures) == {2: 100.0}, figures)


def set_priorities(lab, priorities):
    """Rule 80 in mode single, with these handling priorities."""
    for host, priority in priorities.items():
        path = Path(f"{lab.root}/host{host}/web.toml")
        rule = f'mode = "single"\npriority = {priority}\n\n[[port_rule]]'
        first = re.compile(r'mode = "(multiple|single)".*?\[\[port_rule\]\]', re.DOTALL)
        path.write_text(first.sub(rule, path.read_text(), count=1))
        lab.host(host, "reload")


def mode_single(run):
    lab = run.lab
    lab.up()
    with run.case("mode single: the lowest handling priority has all, and the next when it is cut off"):
        set_priorities(lab, {1: 30, 2: 10, 3: 20})
        lab.wait_members([1, 2, 3])
        need(shares(lab.load(200)) == {2: 100.0}, "not host 2 alone")
        lab.lab("fault", "cut", "host2")
        lab.wait_members([1, 3])
        need(shares(lab.load(200)) == {3: 100.0}, "not host 3 alone")
        lab.lab("fault", "heal", "host2")
        lab.wait_members([1, 2, 3])
        need(shares(lab.load(200)) == {2: 100.0}, "not host 2 again")
    with run.case("a rule that is drained on a host goes to the next, and its other rule stays"):
        streams = lab.start_streams(20, 2)
        lab.host(2, "drain", 80)
        lab.wait_members([1, 2, 3])
        need(shares(lab.load(200)) == {3: 100.0}, "not host 3 alone")
        need(2 in shares(lab.load(300, "--udp", to=UDP)), "host 2 has lost its other rule")
        need(lab.finish(streams)["failed"] == 0, "a connection of the drained rule was broken")
        lab.host(2, "enable", 80)
        lab.wait_members([1, 2, 3])
    with run.case("one handling priority twice: event 20 names both, and the lower id serves"):
        set_priorities(lab, {1: 10})
        lab.wait_members([1, 2, 3])
        need(shares(lab.load(200)) == {1: 100.0}, "not host 1 alone")
        told = lab.host(3, "events", "--limit", 50).stdout
        need(" 20 duplicate_priority: all:80 tcp: hosts 1 and 2 have the handling priority 10" in told, told)


def modes(run):
    chosen = [("multicast", None), ("unicast", "replace")]
    if run.full:
        chosen += [("igmp", None), ("unicast", "add")]
    for mode, strategy in chosen:
        words = ["--mode", mode] + (["--mac-strategy", strategy] if strategy else [])
        name = f"mode {mode}{' ' + strategy if strategy else ''}"
        with run.case(f"{name}: 2,000 connections, none fails") as notes:
            run.lab.up(*words)
            with Capture(run.lab, f"tcp and host {VIP}") as capture:
                figures = run.lab.load(2000)
            need_no_failure(figures)
            notes.append(need_shares(figures, EVEN, 5))
            need_one_answer_each(capture, VIP, 80)


def scenario(run):
    for part in (affinity_none, affinity_single, affinity_network, weights, mode_single, modes):
        with run.case(f"part {part.__name__} runs to its end"):
            part(run)


if __name__ == "__main__":
    main(scenario)
