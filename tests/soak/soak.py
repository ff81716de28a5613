#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hours of random faults, and nothing may grow: `make soak HOURS=2`. The faults come from a seed, printed.

Host 1 is never restarted: its memory and descriptors are watched over the whole run. Programs, maps and pins
of all are counted each time the cluster has healed, when there is nothing that a fault could explain; then,
too, no client may fail. Samples go to build/soak/SEED.json; the last line is the verdict."""
import argparse
import json
import random
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "live"))
from live import Failure, Lab, need, need_no_failure  # pylint: disable=wrong-import-position

WARM_UP = 3  # faults, until allocators and logs have their size
MOST_GROWTH_KB = 1024
PINS = Path("/sys/fs/bpf/opennlb")


def counted(kind):
    done = subprocess.run(["bpftool", "-j", kind, "show"], capture_output=True, text=True, check=True)
    return sum(1 for one in json.loads(done.stdout) if one.get("name", "").startswith("nlb_"))


def sample(lab, began):
    pid = lab.daemons()[0]
    status = Path(f"/proc/{pid}/status").read_text()
    rss = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))
    return {"at_s": round(time.monotonic() - began, 1), "pid": pid, "rss_kb": rss,
            "descriptors": len(list(Path(f"/proc/{pid}/fd").iterdir())), "programs": counted("prog"),
            "maps": counted("map"), "pins": len(list(PINS.glob("run-opennlb-lab-host*/*")))}


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
    what, break_it, mend_it, seconds = faults(choice)
    print(f"  {what}", flush=True)
    lab.lab(*break_it)
    time.sleep(seconds)
    if mend_it:
        lab.lab(*mend_it)
    lab.wait_members([1, 2, 3], 30)
    need_no_failure(lab.load(200))
    return what


def judge(samples):
    steady = samples[WARM_UP:]
    need(len(steady) >= 3, f"{len(samples)} faults are too few to judge; run longer")
    first = steady[0]
    need(len({one["pid"] for one in samples}) == 1, "host 1's daemon is another one")
    growth = max(one["rss_kb"] for one in steady[-3:]) - first["rss_kb"]
    need(growth < MOST_GROWTH_KB, f"host 1's memory grew by {growth} KiB from {first['rss_kb']}")
    for name in ("descriptors", "programs", "maps", "pins"):
        seen = [one[name] for one in steady]
        need(len(set(seen)) == 1, f"{name} do not stay: {seen}")
    return f"memory {first['rss_kb']} KiB {growth:+d}, {first['descriptors']} descriptors, " \
           f"{first['programs']} programs, {first['maps']} maps, {first['pins']} pins"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nlb", default="build/bin/nlb")
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--out", default="build/soak")
    options = parser.parse_args()
    print(f"soak: seed {options.seed}, {options.hours:g} hours", flush=True)
    lab, choice = Lab(options.nlb), random.Random(options.seed)
    samples, verdict, failed = [], "", True
    began = time.monotonic()
    try:
        lab.up()
        while time.monotonic() - began < options.hours * 3600:
            what = one_fault(lab, choice)
            samples.append({"fault": what, **sample(lab, began)})
        verdict, failed = judge(samples), False
    except Failure as failure:
        verdict = str(failure)
    finally:
        lab.lab("down", check=False)
        Path(options.out).mkdir(parents=True, exist_ok=True)
        (Path(options.out) / f"{options.seed}.json").write_text(
            json.dumps({"schema": 1, "seed": options.seed, "failed": failed, "verdict": verdict,
                        "samples": samples}, indent=1))
    print(f"soak: {'FAILED' if failed else 'ok'} after {len(samples)} faults: {verdict}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
