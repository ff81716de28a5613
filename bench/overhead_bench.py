#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the balancer costs a service: the same nginx and iperf3 asked at the VIP, at the dedicated address of
the same host, and at hosts that have no OpenNLB, on one bridge, by one client.

One of those has an empty XDP program at its adapter: veth gives up segmentation offload for any, so that
this is apart from what ours does. All adapters merge what they receive (GRO), as physical ones do unasked and
veth does not: without it every segment goes through the stack alone, and each hook on its way is paid 40
times as often. The VIP is measured with the bridge told where the cluster MAC is, as its guard does; flooded
to every port, as unicast mode has it without; and filtered in tc alone (`datapath`), which leaves veth its
segmentation offload.

Connections a second: wrk, a connection for each request. Throughput: one TCP stream, uploaded, which is what
the filter sees. Of both also the processor's time, of client, network and server together, less what the
idle lab uses: it depends less on what else the machine does. Rounds are interleaved, their order turns, and
each ratio is of two runs of one round, above 1 where ours does better.
Usage: overhead_bench.py [ROUNDS]; writes build/bench/overhead.json. A goal that is missed is said, and is no
failure."""
import contextlib
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/live"))
from figures import interval, processor_time, spread, write  # noqa: E402
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
        shutil.rmtree(folder)


def listens(node):
    said = subprocess.run(inside(node, "ss", "-Hltn"), capture_output=True, text=True, check=True).stdout
    return ":80 " in said and ":5201 " in said


def connections(address):
    """Connections a second, and how many there were."""
    said = subprocess.run(inside("client1", "wrk", "-t1", "-c32", "-d1s", "-H", "Connection: close",
                                 f"http://{address}/"), capture_output=True, text=True, check=True).stdout
    need("Non-2xx" not in said and "Socket errors" not in said, said)
    return float(re.search(r"Requests/sec:\s*([\d.]+)", said)[1]), int(re.search(r"(\d+) requests", said)[1])


def throughput(address):
    """Gbit a second that arrive, and how many megabytes there were."""
    said = subprocess.run(inside("client1", "iperf3", "-c", address, "-n", "200M", "-J"), capture_output=True,
                          text=True, check=True).stdout
    received = json.loads(said)["end"]["sum_received"]
    return received["bits_per_second"] / 1e9, received["bytes"] / 1e6


# What is measured; the rate's name and that of the processor's time for one unit.
KINDS = {connections: ("connections a second", "µs of processor time a connection"),
         throughput: ("throughput, Gbit/s", "µs of processor time a megabyte")}
COSTS = [cost for _, cost in KINDS.values()]
VIP_PLACE, TC_PLACE = "the VIP", "the VIP, filtered in tc"
PLACES = {VIP_PLACE: VIP, "the VIP, flooded": VIP, TC_PLACE: VIP, "the host's dedicated address": DEDICATED,
          "a host without OpenNLB": BARE, "a host without OpenNLB, an empty XDP program": EMPTY}


def flood(wanted):
    """Whether the bridge sends frames for the cluster MAC to every port, or to the host's alone."""
    word = "del" if wanted else "add"
    subprocess.run(inside("switch", "bridge", "fdb", word, CLUSTER_MAC["unicast"], "dev", "h1", "master",
                          "static"), check=True)


@contextlib.contextmanager
def prepared_for(place, lab):
    if "flooded" in place:
        flood(True)
    if place == TC_PLACE:
        lab.set_datapath(1, "tc")
    yield
    if "flooded" in place:
        flood(False)
    if place == TC_PLACE:
        lab.set_datapath(1, "xdp-native")


def at(place, measure, lab, used_ns, idle):
    """(rate, microseconds of processor time for one)"""
    with prepared_for(place, lab):
        begin, before = time.monotonic(), used_ns()
        rate, count = measure(PLACES[place])
        used = used_ns() - before - idle * (time.monotonic() - begin)
    return rate, used / count / 1000


def idle_use(used_ns):
    """Nanoseconds a second that the lab uses when nobody asks it anything."""
    begin, before = time.monotonic(), used_ns()
    time.sleep(2)
    return (used_ns() - before) / (time.monotonic() - begin)


def measured(rounds, lab, used_ns):
    idle = idle_use(used_ns)
    runs = {name: {place: [] for place in PLACES} for names in KINDS.values() for name in names}
    for number in range(rounds + 1):
        for measure, names in KINDS.items():
            places = list(PLACES)
            turned = places[number % len(places):] + places[:number % len(places)]
            for place in turned:
                figures = at(place, measure, lab, used_ns, idle)
                if number > 0:  # the first round warms caches
                    for name, figure in zip(names, figures):
                        runs[name][place].append(figure)
    return runs


def ratios(kind, own, other):
    """Of the runs of one round; above 1 where ours does better."""
    return [b / a if kind in COSTS else a / b for a, b in zip(own, other)]


def compared(runs):
    """A row for each kind, place at our host and bare host: the ratio of the runs of one round."""
    rows = []
    for kind, places in runs.items():
        for beside in (place for place in places if "without" in place):
            for place in (place for place in places if "without" not in place):
                mean, low, high = interval(ratios(kind, places[place], places[beside]))
                rows.append({"kind": kind, "place": place, "beside": beside, "own": spread(places[place]),
                             "other": spread(places[beside]), "ratio": mean, "low": low, "high": high})
                print(f"{kind:33} {place:28} {rows[-1]['own']['median']:9.1f}  beside {beside:46} "
                      f"{rows[-1]['other']['median']:9.1f} {mean:6.1%} ({low:.1%}–{high:.1%})")
    return rows


def prepared(lab):
    """One host with OpenNLB, without the lab's own service; client 2 bare, client 3 with an empty program."""
    lab.up("--clients", 3, hosts=1)
    service = int((Path(lab.root) / "host1/service.pid").read_text().split()[0])
    subprocess.run(["kill", str(service)], check=True)
    wait_for("the lab's own service has ended", lambda: not Path(f"/proc/{service}/fd/0").exists(), 5)
    subprocess.run(inside("client3", "ip", "link", "set", "eth0", "xdpdrv", "obj", EMPTY_PROGRAM,
                          "program", "foreign_frags"), check=True)
    for node in ("host1", "client1", "client2", "client3"):
        subprocess.run(inside(node, "ethtool", "-K", "eth0", "gro", "on"), check=True)
    flood(False)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    lab = Lab(ROOT / "build/bin/nlb")
    with processor_time() as used_ns, contextlib.ExitStack() as ends:
        ends.callback(lab.down)
        prepared(lab)
        with servers(lab, "host1"), servers(lab, "client2"), servers(lab, "client3"):
            runs = measured(rounds, lab, used_ns)
    rows = compared(runs)
    write("overhead", {"rounds": rounds, "goal": GOAL, "rows": rows})
    for row in rows:
        if row["high"] < GOAL and row["place"] in (VIP_PLACE, TC_PLACE):
            print(f"overhead: below {GOAL:.0%}: {row['kind']}, beside {row['beside']}")


if __name__ == "__main__":
    main()
