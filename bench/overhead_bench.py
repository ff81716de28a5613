#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the balancer costs a service: the same nginx and iperf3 asked at the VIP, at the dedicated address of
the same host, and at hosts that have no OpenNLB, on one bridge, by one client.

One of those has an empty XDP program at its adapter: veth gives up segmentation offload for any, so that
this is apart from what ours does. The VIP is measured with the bridge told where the cluster MAC is, as its
guard does, and flooded to every port, as unicast mode has it without.

Connections a second: wrk, a connection for each request. Throughput: one TCP stream, uploaded, which is what
the filter sees. Rounds are interleaved, their order turns, and each ratio is of two runs of one round.
Usage: overhead_bench.py [ROUNDS]; writes build/bench/overhead.json; 1 when an interval lies below 97 %."""
import contextlib
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/live"))
from figures import interval, spread, write  # noqa: E402
from live import CLUSTER_MAC, VIP, Lab, end_process, need, wait_for  # noqa: E402

GOAL = 0.97
DEDICATED, BARE, EMPTY = "10.77.0.11", "10.77.0.202", "10.77.0.203"
EMPTY_PROGRAM = ROOT / "build/tests-bpf/foreign_xdp.bpf.o"
NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{ listen 80 backlog=4096; location / {{ return 200 "ok"; }} }}
}}
"""


def inside(node, *words):
    return ["ip", "netns", "exec", f"nlb-{node}", *map(str, words)]


@contextlib.contextmanager
def servers(lab, node):
    folder = Path(lab.root) / f"bench-{node}"
    folder.mkdir()
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder))
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = [subprocess.Popen(inside(node, "nginx", "-c", config), **quiet),
               subprocess.Popen(inside(node, "iperf3", "-s"), **quiet)]
    try:
        wait_for(f"the servers of {node}", lambda: listens(node), 10)
        yield
    finally:
        for process in started:
            end_process(process)


def listens(node):
    said = subprocess.run(inside(node, "ss", "-Hltn"), capture_output=True, text=True, check=True).stdout
    return ":80 " in said and ":5201 " in said


def connections(address):
    """Connections a second."""
    said = subprocess.run(inside("client1", "wrk", "-t1", "-c32", "-d1s", "-H", "Connection: close",
                                 f"http://{address}/"), capture_output=True, text=True, check=True).stdout
    need("Non-2xx" not in said and "Socket errors" not in said, said)
    return float(re.search(r"Requests/sec:\s*([\d.]+)", said)[1])


def throughput(address):
    """Gbit a second that arrive."""
    said = subprocess.run(inside("client1", "iperf3", "-c", address, "-n", "200M", "-J"), capture_output=True,
                          text=True, check=True).stdout
    return json.loads(said)["end"]["sum_received"]["bits_per_second"] / 1e9


KINDS = {"connections a second": connections, "throughput, Gbit/s": throughput}
VIP_PLACE = "the VIP"
PLACES = {VIP_PLACE: VIP, "the VIP, flooded": VIP, "the host's dedicated address": DEDICATED,
          "a host without OpenNLB": BARE, "a host without OpenNLB, an empty XDP program": EMPTY}


def flood(wanted):
    """Whether the bridge sends frames for the cluster MAC to every port, or to the host's alone."""
    word = "del" if wanted else "add"
    subprocess.run(inside("switch", "bridge", "fdb", word, CLUSTER_MAC["unicast"], "dev", "h1", "master",
                          "static"), check=True)


def at(place, measure):
    if "flooded" not in place:
        return measure(PLACES[place])
    flood(True)
    figure = measure(PLACES[place])
    flood(False)
    return figure


def measured(rounds):
    runs = {kind: {place: [] for place in PLACES} for kind in KINDS}
    for number in range(rounds + 1):
        for kind, measure in KINDS.items():
            places = list(PLACES)
            turned = places[number % len(places):] + places[:number % len(places)]
            for place in turned:
                figure = at(place, measure)
                if number > 0:  # the first round warms caches
                    runs[kind][place].append(figure)
    return runs


def compared(runs):
    """A row for each kind, place at our host and bare host: the ratio of the runs of one round."""
    rows = []
    for kind, places in runs.items():
        for beside in (place for place in places if "without" in place):
            for place in (place for place in places if "without" not in place):
                mean, low, high = interval([a / b for a, b in zip(places[place], places[beside])])
                rows.append({"kind": kind, "place": place, "beside": beside, "own": spread(places[place]),
                             "other": spread(places[beside]), "ratio": mean, "low": low, "high": high})
                print(f"{kind:22} {place:32} {rows[-1]['own']['median']:9.1f}  beside {beside:46} "
                      f"{rows[-1]['other']['median']:9.1f} {mean:6.1%} ({low:.1%}–{high:.1%})")
    return rows


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    lab = Lab(ROOT / "build/bin/nlb")
    try:
        lab.up("--clients", 3, hosts=1)
        service = int((Path(lab.root) / "host1/service.pid").read_text().split()[0])
        subprocess.run(["kill", str(service)], check=True)
        wait_for("the lab's own service has ended", lambda: not Path(f"/proc/{service}/fd/0").exists(), 5)
        subprocess.run(inside("client3", "ip", "link", "set", "eth0", "xdpdrv", "obj", EMPTY_PROGRAM,
                              "program", "foreign_frags"), check=True)
        flood(False)
        with servers(lab, "host1"), servers(lab, "client2"), servers(lab, "client3"):
            runs = measured(rounds)
    finally:
        lab.down()
    rows = compared(runs)
    missed = [row for row in rows if row["high"] < GOAL and row["place"] == VIP_PLACE]
    write("overhead", {"rounds": rounds, "goal": GOAL, "rows": rows})
    for row in missed:
        print(f"overhead: below {GOAL:.0%}: {row['kind']}, beside {row['beside']}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
