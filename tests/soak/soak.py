#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hours of random faults, and nothing may grow: `make soak HOURS=2`. The faults come from a seed, printed.

Host 1 is never restarted: its memory and descriptors are watched over the whole run. Programs, maps and pins
of this lab's hosts are counted each time the cluster has healed, when there is nothing that a fault could
explain; then, too, no client may fail. Samples go to build/soak/SEED.json as the run goes on; the last line
is the verdict. What the hosts say and have logged when a run fails is kept in build/soak/SEED-failure/.
`--leak memory|descriptors` puts tests/soak/leak.cc under every nlbd: such a run must fail."""
import argparse
import json
import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "live"))
# pylint: disable=wrong-import-position
from live import Failure, Lab, commit_id, need, need_no_failure  # noqa: E402
from growth import FULL_RING, judge  # noqa: E402

PINS = Path("/sys/fs/bpf/opennlb")


def identities(pids, kind):
    """Numbers of the BPF objects of a kind ("map", "prog") that processes hold open."""
    found = set()
    for pid in pids:
        for entry in Path(f"/proc/{pid}/fdinfo").iterdir():
            try:
                numbers = re.findall(rf"(?m)^{kind}_id:\s*(\d+)", entry.read_text())
            except FileNotFoundError:  # closed since it was listed
                continue
            found.update(map(int, numbers))
    return found


def objects(pids):
    """(programs, maps) of these daemons and of nobody else on this machine: the maps that they hold, every
    program in the kernel that uses one, and what else those use. A program left behind by a former daemon
    counts, as it shares the maps."""
    maps = identities(pids, "map")
    shown = subprocess.run(["bpftool", "-j", "prog", "show"], capture_output=True, text=True, check=True)
    ours = [one for one in json.loads(shown.stdout) if maps & set(one.get("map_ids", []))]
    programs = identities(pids, "prog") | {one["id"] for one in ours}
    return programs, maps.union(*(one["map_ids"] for one in ours))


def last_event(host):
    """The number of the last event in a host's event file."""
    lines = Path(f"/var/lib/opennlb-lab/host{host}/events.jsonl").read_text().splitlines()
    return json.loads(lines[-1])["sequence"] if lines else 0


def sample(lab, began):
    pids = lab.daemons()
    status = Path(f"/proc/{pids[0]}/status").read_text()
    kb = {name: int(value) for name, value in re.findall(r"(?m)^(VmRSS|RssAnon):\s*(\d+) kB", status)}
    programs, maps = objects(pids)
    return {"at_s": round(time.monotonic() - began, 1), "pid": pids[0], "rss_kb": kb["VmRSS"],
            "anonymous_kb": kb["RssAnon"], "events": last_event(1), "programs": len(programs),
            "descriptors": len(list(Path(f"/proc/{pids[0]}/fd").iterdir())), "maps": len(maps),
            "pins": len(list(PINS.glob("run-opennlb-lab-host*/*")))}


def faults(choice):
    """(what, break it, mend it)"""
    other = f"host{choice.choice((2, 3))}"
    any_host = f"host{choice.choice((1, 2, 3))}"
    seconds = round(choice.uniform(0.2, 2.5), 1)
    return choice.choice([
        (f"kill {other}", ("fault", "kill", other), ("start", other), seconds),
        (f"restart {other}", ("restart", other), None, 0),
        (f"pause {any_host} {seconds} s", ("fault", "pause", any_host),
         ("fault", "resume", any_host), seconds),
        (f"cut {any_host} {seconds} s", ("fault", "cut", any_host), ("fault", "heal", any_host), seconds),
        (f"loss {any_host} 20 % {seconds} s", ("fault", "loss", any_host, "20"),
         ("fault", "loss", any_host, "0"), seconds)])


def one_fault(lab, choice):
    """What was done, and what was not as it should be afterwards ("" = nothing)."""
    what, break_it, mend_it, seconds = faults(choice)
    lab.lab(*break_it)
    time.sleep(seconds)
    if mend_it:
        lab.lab(*mend_it)
    try:
        lab.wait_members([1, 2, 3], 30)  # or the run is over
    except Failure as failure:
        raise Failure(f"after {what}: {failure}") from failure
    try:
        need_no_failure(lab.load(200))
    except Failure as failure:
        return what, str(failure)[:400]
    return what, ""


def keep_evidence(lab, directory):
    """What the hosts say, and what their daemons logged: the lab is gone when the run is over."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "status.txt").write_text(lab.lab("status", check=False).stdout)
    for host in (1, 2, 3):
        for question in (("query",), ("display",), ("history",), ("events",), ("--json", "query")):
            answer = lab.host(host, *question, check=False)
            path = directory / f"host{host}-{'-'.join(question).strip('-')}.txt"
            path.write_text(answer.stdout + answer.stderr)
        log = Path(f"/run/opennlb-lab/host{host}/nlbd.log")
        if log.exists():
            (directory / f"host{host}-nlbd.log").write_bytes(log.read_bytes()[-1 << 20:])


def leaky_daemon(directory, kind, nlb):
    """A program that is nlbd with the leak under it."""
    path = Path(directory).resolve() / f"nlbd-that-leaks-{kind}"
    library = nlb.parent.parent / "tests/nlb-leak.so"
    path.write_text(f"#!/bin/sh\nLD_PRELOAD={library} NLB_LEAK={kind} exec {nlb.parent}/nlbd \"$@\"\n")
    path.chmod(0o755)
    return str(path)


def play(lab, choice, hours, samples, keep):
    began = time.monotonic()
    lab.up()
    while time.monotonic() - began < hours * 3600:
        what, wrong = one_fault(lab, choice)
        samples.append({"fault": what, "wrong": wrong, **sample(lab, began)})
        if wrong or len(samples) % 50 == 0:
            print(f"  {samples[-1]}", flush=True)
            keep("not over")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nlb", default="build/bin/nlb")
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--out", default="build/soak")
    parser.add_argument("--warm-up-events", type=int, default=FULL_RING, help="before the base line is taken")
    parser.add_argument("--commit", default=commit_id(), help="what is measured; default: git's word")
    parser.add_argument("--leak", choices=["memory", "descriptors"], help="plant one")
    options = parser.parse_args()
    print(f"soak: seed {options.seed}, {options.hours:g} hours", flush=True)
    lab, choice = Lab(options.nlb), random.Random(options.seed)
    samples, verdict, failed = [], "", True
    Path(options.out).mkdir(parents=True, exist_ok=True)
    if options.leak:
        os.environ["NLB_LAB_NLBD"] = leaky_daemon(options.out, options.leak, Path(options.nlb).resolve())

    def keep(text):
        whole = {"schema": 1, "seed": options.seed, "commit": options.commit, "failed": failed,
                 "verdict": text, "samples": samples}
        (Path(options.out) / f"{options.seed}.json").write_text(json.dumps(whole, indent=1))

    try:
        play(lab, choice, options.hours, samples, keep)
        verdict, failed = judge(samples, options.warm_up_events), False
    except Failure as failure:
        verdict = str(failure)
        keep_evidence(lab, Path(options.out) / f"{options.seed}-failure")
    finally:
        lab.lab("down", check=False)
        keep(verdict)
    need(samples, "no fault was played")
    print(f"soak: {'FAILED' if failed else 'ok'} after {len(samples)} faults: {verdict}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
