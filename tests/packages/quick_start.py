#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A newcomer's path: the commands of docs/operating/quick-start.md, taken from its text, on three machines
that have the packages and nothing else; then the cluster serves. Fresh roots of debootstrap's with
NLB_PACKAGE_ROOT."""
import re
import subprocess
import sys
import time
from pathlib import Path

from machine import ROOT, machines_with_packages, run_apart

sys.path.insert(0, str(ROOT / "tests/live"))
from live import need, wait_for  # pylint: disable=wrong-import-position

DOCUMENT = ROOT / "docs/operating/quick-start.md"
NAMES = ["web1", "web2", "web3"]
MOST_COMMANDS = 15


def blocks(text):
    """(where, stays, command lines) of each block that is to be run; every sh block says whether it is."""
    found = re.findall(r"<!-- (.*?) -->\n```sh\n(.*?)```", text, re.S)
    need(len(found) == text.count("```sh"), "a block of commands does not say where it is run")
    for mark, body in found:
        if not mark.startswith("run: "):
            need(mark.startswith("not run here: "), f"neither run nor excused: {mark}")
            continue
        where, *stays = mark[5:].split(", ")
        yield NAMES if where == "each" else where.split(), bool(stays), body.strip().splitlines()


def follow(run, machines, log):
    commands = 0
    for where, stays, lines in blocks(DOCUMENT.read_text(encoding="utf-8")):
        for line in lines:
            commands += 1
            with run.case(f"{' '.join(where)}: {line}") as notes:
                if line.startswith("apt-get "):  # at the same time: a package database takes its time
                    notes.append(f"{install(machines, line):.1f} s")
                    continue
                for name in where:
                    if stays:
                        machines[name].start(line, log)
                    elif name == "client":
                        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
                        need(done.returncode == 0 and done.stdout.strip() in NAMES, f"{done}")
                        notes.append(done.stdout.strip())
                    elif " | ssh " in line:
                        carry_over(machines, name, line)
                    else:
                        notes.append(machines[name].inside(line).stdout.strip()[-200:].replace("\n", " / "))
    with run.case(f"a newcomer needs fewer than {MOST_COMMANDS} commands") as notes:
        need(commands < MOST_COMMANDS, f"{commands}")
        notes.append(commands)


def install(machines, line):
    begin = time.monotonic()
    processes = [subprocess.Popen(machine.command(line), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True) for machine in machines.values()]
    for process in processes:
        said, _ = process.communicate()
        need(process.returncode == 0, said)
    return time.monotonic() - begin


def carry_over(machines, name, line):
    """COMMAND | ssh MACHINE COMMAND, without an SSH server between them."""
    here, there = line.split(" | ssh ", 1)
    target, command = there.split(" ", 1)
    said = machines[name].inside(here)
    done = subprocess.run(machines[target].command(command), input=said.stdout, capture_output=True,
                          text=True, check=False)
    need(done.returncode == 0, done.stdout + done.stderr)


def answers(names, seconds):
    """Who answers, one connection after the other, until each of these has; 30 at least."""
    seen, end = {}, time.monotonic() + seconds
    while time.monotonic() < end and not (set(names) <= set(seen) and sum(seen.values()) >= 30):
        done = subprocess.run(["curl", "-s", "-m", "2", "http://192.0.2.100/"], capture_output=True,
                              text=True, check=False)
        seen[done.stdout.strip()] = seen.get(done.stdout.strip(), 0) + 1
    return seen


def scenario(run):
    machines = machines_with_packages(NAMES, ["opennlb", "opennlb-tools"])
    follow(run, machines, machines["web1"].place / "programs.log")
    with run.case("all three serve, and nothing else answers") as notes:
        wait_for("three members",
                 lambda: machines["web1"].inside("nlb query").stdout.count("192.0.2.1") == 3, 10)
        seen = answers(NAMES, 20)
        need(set(seen) == set(NAMES), f"{seen}")
        notes.append(seen)
    with run.case("a change for the whole cluster was written by the daemons, which are not root"):
        for name in NAMES:
            need('affinity = "none"' in machines[name].inside("cat /etc/opennlb/web.toml").stdout, name)
    for name in NAMES:
        machines[name].end()


if __name__ == "__main__":
    run_apart("package_quick_start", scenario)
