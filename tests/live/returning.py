#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Extended affinity: clients that come again meet their host over a join and a leave, and a joiner gets its
share when they have stayed away for the timeout; a link that is lost and comes back moves nobody.

With --full random histories as well, of the kind that sim/returning_test.cc runs a thousand of: those of
seeds NLB_HISTORIES=A-B (1-20). One takes some five seconds."""
import json
import os
import random
import time

from live import HTTP, Failure, main, need, need_no_failure, shares, wait_for

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


class History:
    """Hosts stop, are drained, their daemons die and come again, clients return; and the rule said once more,
    without a look at buckets: who came to a host within the timeout meets it again, unless it has ended."""
    HOSTS, STEPS = (1, 2, 3), 4

    def __init__(self, run, seed):
        self.run, self.lab, self.random = run, run.lab, random.Random(seed)
        self.serves, self.dead, self.story = set(self.HOSTS), set(), [f"seed {seed}"]
        self.met, self.strangers, self.returns = {}, set(), 0  # {address: (host, when)}

    def happen(self):
        host = self.random.choice(self.HOSTS)
        if host not in self.serves:
            self.begin(host)
        elif len(self.serves) > 1:  # never the last one
            how = self.random.choice(["stop", "drainstop", "kill"])
            # Its clients are nobody's from here on: they may meet it or another while it ends.
            self.met = {address: last for address, last in self.met.items() if last[0] != host}
            self.serves.remove(host)
            self.story.append(f"{how} {host}")
            if how == "kill":
                self.dead.add(host)
                self.lab.lab("fault", "kill", f"host{host}")
            else:
                self.lab.host(host, how)
        self.lab.wait_members(sorted(self.serves))

    def begin(self, host):
        self.story.append(f"start {host}")
        if host in self.dead:
            self.lab.lab("start", f"host{host}")
        else:
            self.lab.host(host, "start")
        self.serves.add(host)
        self.dead.discard(host)

    def visit(self):
        """Of all clients, so that each whose host has ended meets its next one by the table alone: in a
        bucket that is kept for others a newcomer is not remembered."""
        begin = time.monotonic()
        figures = self.lab.load(ADDRESSES, "--source", "all", "--by-source")
        need_no_failure(figures)
        end = time.monotonic()
        for address, hosts in figures["by_source"].items():
            host = int(sorted(hosts)[0])
            last = self.met.get(address)
            if last and end - last[1] >= TIMEOUT_S:
                self.strangers.add(address)
            if address in self.strangers:
                continue
            if last:
                away = end - last[1]
                need(last[0] == host, f"{address} met host {last[0]}, {away:.1f} s later host {host}")
                self.returns += 1
            self.met[address] = (host, begin)

    def go(self):
        wait_for("nothing is kept", lambda: not any(self.lab.query(1)["kept"]), TIMEOUT_S + 4)
        self.visit()
        for _ in range(self.STEPS):
            self.happen()
            self.visit()
        for host in sorted(set(self.HOSTS) - self.serves):
            self.begin(host)
        self.lab.wait_members(self.HOSTS)


def histories(run, first, last):
    lab = run.lab
    lab.host(2, "start")
    lab.wait_members([1, 2, 3])
    with run.case(f"random histories {first}-{last} of joins, leaves, deaths and drains") as notes:
        returns, count = 0, last - first + 1
        for seed in range(first, last + 1):
            history = History(run, seed)
            try:
                history.go()
            except Failure as failure:
                raise Failure(f"{'; '.join(history.story)}: {failure}") from failure
            returns += history.returns
        notes.append(f"{returns} returns within the timeout, each to the same host")
        need(returns > 100 * count, f"only {returns} returns: this shows little")


def cut_links(run, hosts):
    """Each of two hosts in turn loses its link twice within 5 s, until it is given up: the clients of the
    one that served meanwhile meet it again, while the other one is held down and after."""
    lab = run.lab
    lab.host(1, "rule", "set", 80, "--timeout", 10)  # longer than all of it takes on a busy machine
    for cut, other in (hosts, hosts[::-1]):
        for _ in range(2):
            lab.lab("fault", "cut", f"host{cut}")
            lab.wait_members([other])
            before, _ = visit(run)
            need(set(before.values()) == {str(other)}, set(before.values()))
            lab.lab("fault", "heal", f"host{cut}")
            after, _ = visit(run)
            need_same_hosts(before, after)
        lab.wait_members(hosts)
        after, _ = visit(run)
        need_same_hosts(before, after)
    return f"{len(after)} clients, hosts {hosts[0]} and {hosts[1]} in turn"


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

    with run.case("a link is lost twice and comes back: no client moves") as notes:
        notes.append(cut_links(run, (1, 3)))
    if run.full:
        lab.host(1, "rule", "set", 80, "--timeout", TIMEOUT_S)
        histories(run, *map(int, os.environ.get("NLB_HISTORIES", "1-20").split("-")))


if __name__ == "__main__":
    main(scenario)
