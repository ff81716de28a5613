#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Extended affinity: clients that come again meet their host over a join and a leave, and a joiner gets its
share when they have stayed away for the timeout."""
import json
import time

from live import HTTP, main, need, need_no_failure, shares, wait_for

TIMEOUT_S = 3
ADDRESSES = 400


def visit(run):
    """One connection of each address: {address: host}."""
    figures = run.lab.load(ADDRESSES, "--source", "all", "--by-source")
    need_no_failure(figures)
    return {source: sorted(hosts)[0] for source, hosts in figures["by_source"].items()}, figures


def need_same_hosts(before, after, gone=()):
    moved = {source: (before[source], host) for source, host in after.items()
             if before[source] != host and before[source] not in gone}
    need(not moved, f"{len(moved)} of {len(after)} clients met another host: {list(moved.items())[:3]}")
    return f"{len(after)} clients"


def share(run, host):
    rules = json.loads(run.lab.host(host, "--json", "queryport", 80).stdout)["rules"]
    return rules[0]["share"]


def kept(run, host):
    return sum(entry["buckets"] for entry in run.lab.query(host)["kept"] if entry["host"] == host)


def scenario(run):
    lab = run.lab
    lab.up("--affinity", "single", "--client-addresses", ADDRESSES)
    lab.host(1, "rule", "set", 80, "--timeout", TIMEOUT_S)
    lab.host(3, "stop")
    lab.wait_members([1, 2])

    with run.case("a join: every client meets its host again, again and again") as notes:
        before, _ = visit(run)
        need(set(before.values()) == {"1", "2"}, set(before.values()))
        lab.host(3, "start")
        lab.wait_members([1, 2, 3])
        for _ in range(4):
            after, _ = visit(run)
            notes[:] = [need_same_hosts(before, after)]
            time.sleep(TIMEOUT_S / 3)
        need(share(run, 3) > 0.2, f"what nobody returns to moves at once: host 3 has {share(run, 3):.1%}")

    with run.case("what is kept is said: query, filter, and by the other hosts too") as notes:
        need(kept(run, 1) > 0 and kept(run, 2) > 0, lab.query(1)["kept"])
        theirs = {entry["host"]: entry["buckets"] for entry in lab.query(3)["kept"]}
        need(theirs == {1: kept(run, 1), 2: kept(run, 2)}, f"host 3 says {theirs}")
        text = lab.host(1, "query").stdout
        need("Kept for returning clients of rule all:80 tcp" in text, text)
        said = {}
        for source in before:
            answer = json.loads(lab.host(3, "--json", "filter", "--client", source, "--to", HTTP,
                                         "--protocol", "tcp").stdout)
            need(str(answer["host"]) == before[source], f"{source}: {answer}, met host {before[source]}")
            said[answer["reason"]] = said.get(answer["reason"], 0) + 1
            if len(said) > 2 or sum(said.values()) >= 40:
                break
        need(any("keeps the bucket for returning clients" in reason for reason in said), said)
        notes.append(f"hosts 1 and 2 keep {kept(run, 1)} and {kept(run, 2)} buckets")

    with run.case("a leave: the clients of those who stay meet them again") as notes:
        before, _ = visit(run)
        lab.host(2, "stop")
        lab.wait_members([1, 3])
        after, _ = visit(run)
        notes.append(need_same_hosts(before, after, gone={"2"}))

    with run.case("nobody returns for the timeout: the joiner has its share") as notes:
        took = wait_for("host 3 owns half", lambda: abs(share(run, 3) - 0.5) < 0.001, TIMEOUT_S + 4)
        need(kept(run, 1) == 0, lab.query(1)["kept"])
        _, figures = visit(run)
        now = ", ".join(f"host {host} {part:.0f} %" for host, part in sorted(shares(figures).items()))
        notes.append(f"{took:.1f} s after the last visit; now {now}")


if __name__ == "__main__":
    main(scenario)
