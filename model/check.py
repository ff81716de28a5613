#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Searches the model of ownership (ownership.pml) with spin, all of its states within the bounds, and the
same with the protocol broken: the first must hold, each of the others must be found out. Says states, time
and memory.

Usage: check.py [--full] [--work DIR]"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

MODEL = pathlib.Path(__file__).with_name("ownership.pml")
DEPTH, MEMORY_MB, TIME_S = 1000000, 4000, 3000

# name, switches, what must come of it
CI = [
    ("crash and loss", "CRASHES=1 LOSSES=1 VIEWS=4", "holds"),
    ("pause", "CRASHES=0 LOSSES=0 PAUSES=1 VIEWS=4", "holds"),
    ("frozen clock", "CRASHES=0 LOSSES=0 FREEZES=1", "holds"),
    ("hold", "HOLD CRASHES=0 LOSSES=0 VIEWS=3", "holds"),
    # Does the model move at all? The state that is denied must be reached.
    ("three share a view again", "WITNESS=1", "fails"),
    ("a dead host's bucket is taken", "WITNESS=2", "fails"),
    ("broken: no release", "NO_RELEASE", "fails"),
    ("broken: acquired before all have released", "EARLY_ACQUIRE", "fails"),
    ("broken: lease ignored", "NO_LEASE", "fails"),
    ("broken: lease longer than D", "LONG_LEASE", "fails"),
    ("broken: hold forgotten", "HOLD NO_HOLD CRASHES=0 LOSSES=0 VIEWS=3", "fails"),
    ("broken: held lists not waited for", "HOLD NO_CHECK CRASHES=0 LOSSES=0 VIEWS=3", "fails"),
    # What the search has found in the protocol as it was; docs/protocol/model.md, "Found".
    ("broken: other views not minded", "CRASHES=0 LOSSES=0 FREEZES=1 REVIVES NO_OUTSIDERS", "fails"),
]
FULL = [
    ("two losses", "CRASHES=0 LOSSES=2", "holds"),
    ("pause with crash and loss", "CRASHES=1 LOSSES=1 PAUSES=1 VIEWS=4", "holds"),
    # What it has found and is not mended.
    ("found: a frozen host and a loss", "CRASHES=0 LOSSES=1 FREEZES=1", "fails"),
]


def run(command, folder):
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIME_S, check=False)


def search(switches, folder):
    """The verdict of one search, and its figures."""
    flags = ["-D" + switch for switch in switches.split()]
    made = run(["spin", "-a", *flags, str(MODEL)], folder)
    if not (folder / "pan.c").exists():
        return f"not built: {made.stdout}", "?"
    compiled = run(
        ["gcc", "-O1", "-DSAFETY", "-DCOLLAPSE", f"-DMEMLIM={MEMORY_MB}", "-o", "pan", "pan.c"], folder)
    if compiled.returncode != 0:
        return f"not compiled: {compiled.stderr[:500]}", "?"
    said = run(["./pan", f"-m{DEPTH}", "-w23"], folder).stdout
    states = re.search(r"(\d+) states, stored", said)
    seconds = re.search(r"elapsed time ([\d.]+)", said)
    memory = re.search(r"([\d.]+)\s+total actual memory", said)
    found = [match.group(1) if match else "?" for match in (states, seconds, memory)]
    figures = f"{found[0]:>9} states, {found[1]:>6} s, {found[2]:>8} MB"
    if "errors: 1" in said:
        return "fails" if "assertion violated" in said else f"another error: {said[:300]}", figures
    incomplete = re.search(r"search depth too small|out of memory|not completed|truncated", said)
    complete = "errors: 0" in said and not incomplete
    return ("holds" if complete else f"not a complete search: {said[:300]}"), figures


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="the larger searches, too: minutes")
    options = parser.parse_args()
    wrong = 0
    for name, switches, expected in CI + (FULL if options.full else []):
        with tempfile.TemporaryDirectory(prefix="nlb-model-") as folder:
            verdict, figures = search(switches, pathlib.Path(folder))
        good = verdict == expected
        wrong += not good
        print(f"{'ok  ' if good else 'BAD '} {name:48} {figures}  {verdict}", flush=True)
    print(f"{wrong} of the searches did not end as expected" if wrong else "every search ended as expected")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
