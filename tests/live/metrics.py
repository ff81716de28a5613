#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus, in the gateway's namespace, scrapes three hosts and the guarded switch: what it stores
is what the commands say. promtool has nothing to say, and a hostile scraper costs the cluster nothing."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.parse
from pathlib import Path

from bystander import lateness
from live import SKIPPED, Failure, main, need, need_no_failure, need_shares, wait_for
from top_view import watch_top

HOSTS = (1, 2, 3)
TARGETS = {**{f"host{host}": f"10.77.0.{10 + host}:9477" for host in HOSTS}, "switch": "10.78.0.1:9478"}
SERVER = "127.0.0.1:9490"  # Prometheus itself
RULES = Path(__file__).parents[2] / "packaging/prometheus/opennlb.rules.yml"
CONFIG = """global: {{scrape_interval: 250ms, scrape_timeout: 250ms, evaluation_interval: 250ms}}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: opennlb
    static_configs: [{{targets: {targets}}}]
"""
# Connections that say nothing or little, as many as there are to be had, and scrapes without a pause.
HOSTILE = """
import socket, sys, time
host, port = sys.argv[1].split(":")
held, scrapes, end = [], 0, time.monotonic() + 2
while time.monotonic() < end:
    one = socket.socket()
    one.settimeout(0.5)
    try:
        one.connect((host, int(port)))
        one.send(b"GET /metrics HTTP/1.1\\r\\n" + (b"\\r\\n" if scrapes % 3 else b"X: y"))
        scrapes += 1
    except OSError:
        pass
    held.append(one)
    if len(held) > 40:
        held.pop(0).close()
print(scrapes)
"""
SPOOF = """
import socket
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind(("eth0", 0))
for _ in range(7):
    raw.send(b"\\xff" * 6 + bytes.fromhex("020000000099") + b"\\x08\\x00" + bytes(50))
"""


def inside(lab, node, *words, **options):
    return lab.lab("exec", node, "--", *words, **options).stdout


def management_network():
    """Between the switch's namespace, where no address is, and Prometheus."""
    for line in ("-n nlb-switch link add mgmt0 type veth peer name mgmt0 netns nlb-gateway",
                 "-n nlb-switch address add 10.78.0.1/24 dev mgmt0", "-n nlb-switch link set mgmt0 up",
                 "-n nlb-gateway address add 10.78.0.2/24 dev mgmt0", "-n nlb-gateway link set mgmt0 up"):
        subprocess.run(["ip", *line.split()], check=True)


def configure(lab):
    for host in HOSTS:
        path = Path(f"{lab.root}/host{host}/web.toml")
        path.write_text(path.read_text() + f'\n[metrics]\nlisten = "{TARGETS[f"host{host}"]}"\n')
        lab.host(host, "reload")
    path = Path(f"{lab.root}/switch/vmswitch.toml")
    path.write_text(path.read_text() + f'\n[metrics]\nlisten = "{TARGETS["switch"]}"\n')
    os.kill(int(Path(f"{lab.root}/switch/nlb-vmswitch.pid").read_text().split()[0]), signal.SIGHUP)


class Prometheus:
    def __init__(self, lab):
        self.lab, self.root = lab, Path(f"{lab.root}/prometheus")
        self.root.mkdir()
        config = self.root / "prometheus.yml"
        config.write_text(CONFIG.format(rules=RULES, targets=json.dumps(list(TARGETS.values()))))
        self.log = (self.root / "log").open("w")
        words = [lab.nlb_path, "lab", "exec", "gateway", "--", "prometheus", f"--config.file={config}",
                 f"--storage.tsdb.path={self.root}/data", f"--web.listen-address={SERVER}"]
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def ask(self, expression):
        """{labels as text: value}; empty while it does not answer."""
        query = urllib.parse.urlencode({"query": expression})
        url = f"http://{SERVER}/api/v1/query?{query}"
        text = inside(self.lab, "gateway", "curl", "-sf", url, check=False)
        if not text:
            return {}
        answer = json.loads(text)
        need(answer["status"] == "success", f"{expression}: {text}")
        return {",".join(f"{name}={value}" for name, value in sorted(one["metric"].items())):
                float(one["value"][1]) for one in answer["data"]["result"]}

    def wait_for(self, expression, wanted, seconds=6):
        seen = {}
        def holds():
            seen.clear()
            seen.update(self.ask(expression))
            return seen == wanted
        try:
            return wait_for(f"{expression} = {wanted}", holds, seconds)
        except Failure as problem:
            raise Failure(f"{problem}; it is {seen}") from problem

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=10)
        self.log.close()


def scrape(lab, target):
    address = f"http://{TARGETS[target]}/metrics"
    return inside(lab, "gateway", "curl", "-s", "--max-time", "5", address, check=False)


def counters(lab, host):
    answer = json.loads(lab.host(host, "--json", "counters").stdout)
    return {one["name"]: one["packets"] for one in answer["counters"]}


def exposition(lab):
    for target in ("host1", "switch"):
        wait_for(f"{target} answers", lambda where=target: scrape(lab, where), 5)
        text = scrape(lab, target)
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True,
                              check=False)
        need(done.returncode == 0 and not done.stdout + done.stderr, f"{target}: {done.stdout}{done.stderr}")
        samples = [line for line in text.splitlines() if not line.startswith("#")]
        need(len(samples) == len({line.rsplit(" ", 1)[0] for line in samples}), f"{target}: a series twice")
        yield f"{target}: {len(samples)} series, {len(text)} bytes"


def stored(run, server):
    lab = run.lab
    with run.case("all four targets are up, and every host serves") as notes:
        seconds = server.wait_for("count(up == 1)", {"": 4}, 20)
        notes.append(f"after {seconds:.1f} s")
        server.wait_for('count(opennlb_host_state{state="converged"} == 1)', {"": 3})
        server.wait_for("count(opennlb_host_default == 1) by (host)", {"host=1": 1})
        rules = server.ask("sum by (rule) (opennlb_rule_share_ratio)")
        need(len(rules) >= 4 and set(rules.values()) == {1.0}, f"not every bucket has one owner: {rules}")
    with run.case("1,000 connections: accepted and dropped frames, as the filters counted") as notes:
        need_shares(lab.load(1000), {host: 100 / 3 for host in HOSTS}, 12)
        counted = {host: counters(lab, host) for host in HOSTS}
        for verdict in ("owned", "foreign"):
            wanted = {f"host={host}": counted[host][verdict] for host in HOSTS}
            server.wait_for(f'sum by (host) (opennlb_filter_packets_total{{verdict="{verdict}"}})', wanted)
            notes.append(f"{verdict} {sum(wanted.values()):.0f}")
    with run.case("a spoofed frame of a guest: the violation, with its port"):
        inside(lab, "client1", "python3", "-c", SPOOF)
        server.wait_for('sum by (vm, reason) (opennlb_guard_violations_total{vm="client1"})',
                        {"reason=source_spoofed,vm=client1": 7})
    with run.case("host 3 is stopped: two serve everything, the convergence is counted"):
        before = server.ask('opennlb_convergence_duration_seconds_count{host="1"}')
        lab.host(3, "stop")
        server.wait_for('count(opennlb_host_state{state="converged"} == 1)', {"": 2})
        server.wait_for('count(opennlb_host_state{state="stopped"} == 1) by (host)', {"host=3": 1})
        server.wait_for('sum by (rule) (opennlb_rule_share_ratio{rule="all:80 tcp"})', {"rule=all:80 tcp": 1})
        after = server.ask('opennlb_convergence_duration_seconds_count{host="1"}')
        need(list(after.values())[0] > list(before.values())[0], f"{before} → {after}")
        lab.host(3, "start")
        lab.wait_members(HOSTS)


def times_late(lab):
    return int(re.search(r'opennlb_events_total\{.*number="1007".*\} (\d+)', scrape(lab, "host1"))[1])


def hostile(run):
    lab = run.lab
    with run.case("a hostile scraper: no failure for clients, no change of view, nobody late") as notes:
        attack = [lab.nlb_path, "lab", "exec", "gateway", "--", "python3", "-c", HOSTILE]
        def attacked():
            view, before = lab.query(1)["view"], times_late(lab)
            attackers = [subprocess.Popen([*attack, target], stdout=subprocess.PIPE, text=True)
                         for target in (TARGETS[f"host{host}"] for host in HOSTS)]
            need_no_failure(lab.load(600))
            notes.append(f"{sum(int(one.communicate(timeout=20)[0]) for one in attackers)} requests")
            need(lab.query(1)["view"] == view, f"view {view} → {lab.query(1)['view']}")
            wait_for("the endpoint answers again", lambda: scrape(lab, "host1"), 8)
            return times_late(lab) - before
        late = lateness(attacked)
        need(late == 0, f"nlbd was late {late} times")


def scenario(run):
    lab = run.lab
    lab.up("--mac-spoofing", "cluster")
    management_network()
    configure(lab)
    with run.case("promtool has nothing to say, and no series is there twice") as notes:
        notes.extend(exposition(lab))
    server = Prometheus(lab)
    try:
        stored(run, server)
    finally:
        server.stop()
    hostile(run)
    watch_top(run)


if __name__ == "__main__":
    for program in ("prometheus", "promtool"):
        if shutil.which(program) is None:
            print(f"skipped: {program} is not installed (Debian: prometheus)")
            sys.exit(SKIPPED)
    main(scenario)
