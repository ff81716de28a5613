#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The demonstration: three hosts share one address; one loses its power; one is drained.

Every figure is measured while you watch. Usage: demo.py NLB
"""
import json
import os
import subprocess
import sys
from pathlib import Path

VIP = "10.77.0.100"
BAR = 40
COLOUR = sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def paint(text, code):
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


def title(text):
    print("\n" + paint(text, "1"), flush=True)


def say(text):
    print("   " + text, flush=True)


def run_quietly(words):
    return subprocess.run(list(map(str, words)), capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          check=False)


class Demo:
    def __init__(self, nlb):
        self.nlb = str(Path(nlb).resolve())
        self.root = os.environ.get("NLB_LAB_ROOT") or "/run/opennlb-lab"

    def run(self, *words):
        done = run_quietly([self.nlb, *words])
        if done.returncode != 0:
            print((done.stderr + done.stdout).rstrip(), file=sys.stderr)
            sys.exit(f"demo: `nlb {' '.join(map(str, words))}` failed (exit {done.returncode}). The lab is "
                     "left as it is; `build/bin/nlb lab down` clears it away.")
        return done.stdout

    def client(self, tool, *words):
        """A measuring client in client1. Failed requests are figures, not errors."""
        inside = [self.nlb, "lab", "exec", "client1", "--"]
        done = run_quietly([*inside, self.nlb, "lab", tool, "--to", f"{VIP}:80", *words])
        if not done.stdout.strip():
            sys.exit(f"demo: the client gives no figures: {done.stderr}")
        return json.loads(done.stdout.strip().splitlines()[-1])

    def socket(self, host):
        return f"{self.root}/host{host}/control.sock"


def bars(hosts, notes=None):
    total = sum(hosts.values()) or 1
    for host in ("1", "2", "3"):
        count = hosts.get(host, 0)
        length = round(BAR * count / total)
        bar = paint("█" * length + "·" * (BAR - length), f"3{1 + int(host)}")
        note = (notes or {}).get(host, "")
        say(f"host{host}  {bar} {count:>5}  {100 * count / total:5.1f} %  {note}".rstrip())


def outage(figures):
    failed = figures["failed_after"]
    if failed == 0:
        return f"none of {figures['attempts']} attempts failed"
    return (f"{figures['gap_ms']:.0f} ms until the last failure was over; "
            f"{failed} of {figures['attempts']} attempts failed")


def spread(demo):
    title("2. 3,000 real HTTP connections to the one address, 50 at a time")
    figures = demo.client("load", "--connections", 3000, "--concurrency", 50)
    bars(figures["hosts"])
    latency = figures["latency_ms"]
    say(f"{figures['failed']} failed · {figures['ok'] / figures['seconds']:.0f} connections/s · "
        f"half within {latency['p50']:.1f} ms, 99 % within {latency['p99']:.1f} ms")
    return figures["failed"] == 0


def power_loss(demo):
    title("3. Host 2 loses its power. A client keeps asking every 5 ms and gives each attempt 100 ms")
    figures = demo.client("gap", "--seconds", 5, "--fault-at-ms", 1500, "--fault-cmd",
                          f"{demo.nlb} lab fault kill host2 host")
    say("before")
    bars(figures["hosts_before"])
    say("after: its third of the buckets went to the two that live")
    bars(figures["hosts_after"], {"2": "dead"})
    say(f"outage for a third of the clients: {outage(figures)}")
    patient = figures["patient"]
    say(f"a client that retries its SYN, as all do: {patient['failed']} of {patient['attempts']} failed, "
        f"slowest connect {patient['connect_ms']['max']:.0f} ms")
    return figures["ended"]


def boot(demo):
    title("4. Host 2 boots again and takes its share back")
    demo.run("lab", "start", "host2")
    figures = demo.client("load", "--connections", 1500)
    bars(figures["hosts"])
    say(f"{figures['failed']} failed")
    return figures["failed"] == 0


def drain(demo):
    title("5. Host 3 is drained for maintenance, under the same watch")
    figures = demo.client("gap", "--seconds", 4, "--fault-at-ms", 1000, "--fault-cmd",
                          f"{demo.nlb} --socket {demo.socket(3)} drainstop")
    bars(figures["hosts_after"], {"3": "drained"})
    say(f"outage: {outage(figures)}")
    demo.run("--socket", demo.socket(3), "start")
    demo.run("--socket", demo.socket(3), "query", "--wait-converged", "--timeout", 20)
    return figures["failed_after"] == 0


def main():
    demo = Demo(sys.argv[1])
    print(paint("OpenNLB: three hosts, one address, and nothing in front of them.", "1"))
    print("Every host sees every frame; a filter in its kernel keeps its share and drops the rest.")
    title("1. Three hosts and a client, in network namespaces of this machine")
    demo.run("lab", "down")
    say(demo.run("lab", "up", "--mac-spoofing", "cluster").strip())
    good = [part(demo) for part in (spread, power_loss, boot, drain)]
    console = run_quietly([demo.nlb, "lab", "console"])
    title("The lab is still up, and so is its web console:")
    for line in (console.stdout or console.stderr).strip().splitlines():
        say(line)
    good.append(console.returncode == 0)
    title("Try:")
    nlb, at_host1 = os.path.relpath(demo.nlb), f"--socket {demo.socket(1)}"
    for command, what in ((f"{nlb} lab status", "what runs and how it is"),
                          (f"{nlb} {at_host1} query", "the cluster as host 1 sees it"),
                          (f"{nlb} {at_host1} display", "adapter, MACs, rules"),
                          (f"{nlb} lab exec client1 -- curl -s http://{VIP}/", "ask, several times"),
                          (f"{nlb} lab fault pause host2", "or kill, cut, heal, resume"),
                          (f"{nlb} lab down", "clear it away, the console too")):
        say(f"{command:<67} {what}")
    if not all(good):
        print("\ndemo: something above failed that should not; please report it with `nlb lab status`",
              file=sys.stderr)
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
