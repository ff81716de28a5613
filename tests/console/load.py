#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How the console bears its largest cluster: 64 hosts, 64 port rules, 100,000 events, and 50 browsers.

A stand-in for a member speaks the control protocol with answers as large as real ones; in a process of its
own, so that its work is not the console's. Usage: load.py --nlb PROGRAM [--events 100000] [--seconds 60]
Prints the table of docs/results/console.md. No root.
"""
import argparse
import collections
import json
import multiprocessing
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "live"))

import stand_in  # noqa: E402  pylint: disable=wrong-import-position
from api import Console, memory  # noqa: E402  pylint: disable=wrong-import-position
from live import end_process, wait_for  # noqa: E402  pylint: disable=wrong-import-position

HOSTS, RULES, BROWSERS, BUCKETS = 64, 64, 50, 4096
VERDICTS = """owned held cookie foreign stray no_lease not_bound rule_disabled not_vip bad_header icmp_error
              icmp_unrelated fragment fragment_unknown vip_conflict asked arp_answered heartbeat passed sent
              masked header_chain""".split()


class Member:
    """The answers of one member, and through it of all 64; `events` come in evenly within `seconds`."""

    def __init__(self, events, seconds):
        self.each, self.seconds, self.begin = events // HOSTS, seconds, None
        self.members = [{"id": host, "name": f"web{host}", "state": "converged", "default": host == 1,
                         "dedicated_ip": f"10.77.1.{host}", "last_heard_ms": 17, "in_service": True,
                         "unhealthy": []} for host in range(1, HOSTS + 1)]
        self.known = [{"id": one["id"], "name": one["name"]} for one in self.members]
        self.rules = [{"slot": slot, "vip": "all", "ports": str(1000 + slot), "protocol": "tcp",
                       "mode": "multiple", "affinity": "single", "weight": "equal", "timeout_s": 0}
                      for slot in range(RULES)]
        share = [{"id": host, "weight": 50, "share": 1 / HOSTS} for host in range(1, HOSTS + 1)]
        self.states = [{**rule, "rule": f"all:{rule['ports']} tcp", "state": "enabled", "members": share}
                       for rule in self.rules]

    def newest(self):
        """How many events a host has had."""
        self.begin = self.begin or time.monotonic()
        return min(self.each, int(self.each * (time.monotonic() - self.begin) / self.seconds))

    def events(self, host, request):
        newest, limit = self.newest(), request.get("limit", 100)
        after = min(request["after"], newest) if "after" in request else max(0, newest - limit)
        last = min(newest, after + limit)
        event = {"number": 1003, "name": "view_changed", "severity": "info", "remedy": "", "fields": {}}
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
        return {"log": f"log{host}", "last": last, "lost": 0,
                "events": [{**event, "time": f"{stamp}.{number % 1000:03}Z",
                            "text": f"view {number} with hosts 1 to {host}, of the load that is measured"}
                           for number in range(after, last)]}

    def one(self, host, request):
        command = request["command"]
        common = {"schema": 1, "cluster": "web", "host": host}
        tick = int(time.monotonic() * 1000)
        if command == "version":
            return {**common, "version": "0", "role": "admin"}
        if command == "query":
            return {**common, "state": "converged", "default": host == 1, "view": 7,
                    "members": self.members, "known": self.known}
        if command == "queryport":
            return {**common, "rules": self.states}
        if command == "params":
            force = {"cluster": {"name": "web", "vips": ["10.77.0.100/16"]}, "port_rules": self.rules}
            return {**common, "in_force": force, "configured": force, "pending": []}
        if command == "counters":
            return {**common, "at_ms": tick, "tcp": {"passive_opens": tick // 2}, "counters": [
                {"name": name, "packets": tick * (place + 1) // 7, "bytes": tick, "expected": True}
                for place, name in enumerate(VERDICTS)]}
        if command == "connections":
            rules = [{"slot": one["slot"], "rule": one["rule"], "connections": 10} for one in self.states]
            return {**common, "total": 640, "rules": rules}
        if command == "display":
            adapter = {"interface": "eth0", "driver": "virtio_net", "bind": "bound", "reason": "none",
                       "mac_cluster": "02:bf:0a:4d:00:64", "mac_current": "52:54:00:00:00:01",
                       "mac_expected": "52:54:00:00:00:01", "evidence": "", "remedy": ""}
            vips = [{"address": "10.77.0.100", "present": True}]
            return {**common, "vips": vips, "port_rules": self.rules, "adapter": adapter}
        if command == "history":
            view = {"time_ms": int(time.time() * 1000) - 9000, "cause": "join", "duration_ms": 9,
                    "members": list(range(1, HOSTS + 1))}
            return {**common, "history": [{**view, "view": number} for number in range(64)]}
        if command == "buckets":
            mine = range((host - 1) * BUCKETS // HOSTS // 2, host * BUCKETS // HOSTS // 2)
            return {**common, "slot": request.get("slot", 0), "rule": "all:1000 tcp", "view": 7,
                    "states": "".join("5" if at in mine else "0" for at in range(BUCKETS // 2))}
        if command == "events":
            return {**common, **self.events(host, request)}
        return {**common, "checks": []}

    def answer(self, request):
        hosts = request.get("hosts", [1])
        if hosts != "all":
            return self.one(hosts[0], request)
        return {"schema": 1, "cluster": "web", "host": 1, "answers": [
            {"host": one["id"], "name": one["name"], "answer": self.one(one["id"], request)}
            for one in self.members]}


def serve(path, events, seconds, ready):
    member = Member(events, seconds)
    daemon = stand_in.StandIn(path, {})
    daemon.answer, daemon.asked = member.answer, collections.deque(maxlen=1)
    ready.set()
    threading.Event().wait()


class Onlooker(threading.Thread):
    """One browser's stream: counts what it is told, and how old a state is when it comes."""

    def __init__(self, console):
        super().__init__(daemon=True)
        self.console, self.octets, self.states, self.ages, self.events = console, 0, 0, [], 0

    def run(self):
        connection = self.console.connection()
        connection.request("GET", "/api/v1/live", headers={"Cookie": self.console.cookie})
        answer, kind = connection.getresponse(), b""
        for line in answer.fp:
            self.octets += len(line)
            if line.startswith(b"event: "):
                kind = line[7:].strip()
            elif line.startswith(b"data: ") and kind == b"state":
                self.states += 1
                told = line[line.rfind(b'"time_ms":'):]  # of the state; others, of its history, stand before
                self.ages.append(time.time() * 1000 - int(re.search(rb"\d+", told).group()))
            elif line.startswith(b"data: ") and kind == b"events":
                self.events += line.count(b'"number"')


PATHS = ["/targets", "/targets/cluster-web/query", "/targets/cluster-web/queryport?port=all",
         "/targets/cluster-web/buckets?host=0&slot=3", "/targets/cluster-web/params?host=0",
         "/targets/cluster-web/samples", "/targets/cluster-web/events"]


def ask_all(console, rounds):
    """{path: (milliseconds of each, octets)}"""
    found = {path: ([], 0) for path in PATHS}
    for _ in range(rounds):
        for path, (times, _octets) in found.items():
            connection = console.connection()
            begin = time.monotonic()
            connection.request("GET", f"/api/v1{path}", headers={"Cookie": console.cookie})
            answer = connection.getresponse()
            text = answer.read()
            times.append(1000 * (time.monotonic() - begin))
            assert answer.status == 200, f"{path}: {answer.status} {text[:200]}"
            found[path] = (times, len(text))
            connection.close()
        time.sleep(0.5)
    return found


def page(console, build, seconds):
    words = ["node", str(Path(__file__).with_name("load.mjs")), json.dumps({
        "url": f"http://127.0.0.1:{console.port}/", "token": str(console.token_file), "build": str(build),
        "nlbPath": "", "seconds": seconds})]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True, timeout=120 + seconds)
    return json.loads(done.stdout.splitlines()[-1])


def processor_s(process):
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(console, build, options):
    rows = [("memory of the console before the first target", f"{memory(console) / 1024:.1f} MiB")]
    console.login()
    wait_for("the cluster", lambda: console.get("/targets")[1]["targets"], 20)
    lookers = [Onlooker(console) for _ in range(BROWSERS)]
    for one in lookers:
        one.start()
    begin, spent = time.monotonic(), processor_s(console.process)
    shown = page(console, build, options.seconds / 3)
    answers = ask_all(console, 10)
    most = memory(console)
    while time.monotonic() - begin < options.seconds + 5:
        most = max(most, memory(console))
        time.sleep(0.5)
    took = time.monotonic() - begin
    rows += [(f"memory with {BROWSERS} browsers, while {options.events} events come; at most",
              f"{most / 1024:.1f} MiB"),
             ("memory at the end", f"{memory(console) / 1024:.1f} MiB"),
             ("processor time of the console",
              f"{100 * (processor_s(console.process) - spent) / took:.0f} % of a core"),
             ("a browser is told", told_text(lookers, took)),
             ("age of a state when it comes: half, 99 %, most", ages_text(lookers))]
    for path, (times, octets) in answers.items():
        rows.append((f"`GET {path.replace('/targets/cluster-web', '…')}`: half within, most; size",
                     f"{statistics.median(times):.0f} ms, {max(times):.0f} ms; {octets / 1024:.0f} KiB"))
    rows += [(name, value) for name, value in shown.items()]
    return rows


def told_text(lookers, seconds):
    octets, states = (statistics.mean(getattr(one, name) for one in lookers) for name in ("octets", "states"))
    events = sorted(one.events for one in lookers)
    return (f"{octets / seconds / 1024:.0f} KiB/s, {states / seconds:.2f} states/s, "
            f"{events[0]} to {events[-1]} events")


def ages_text(lookers):
    ages = sorted(age for one in lookers for age in one.ages) or [0]
    return ", ".join(f"{age:.0f} ms" for age in (ages[len(ages) // 2], ages[int(len(ages) * 0.99)], ages[-1]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nlb", required=True)
    parser.add_argument("--events", type=int, default=100000)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        path, ready = f"{directory}/web.sock", multiprocessing.Event()
        member = multiprocessing.Process(target=serve, args=(path, options.events, options.seconds, ready),
                                         daemon=True)
        member.start()
        ready.wait(10)
        console = Console(os.path.abspath(options.nlb), directory, f"--connect=unix:{path}")
        try:
            rows = measure(console, Path(options.nlb).resolve().parents[1], options)
        finally:
            end_process(console.process)
            member.terminate()
            member.join()
    print("| what | how much |\n|---|---|")
    for name, value in rows:
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    main()
