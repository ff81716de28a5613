#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`nlb lab down` leaves nothing behind, also after everything was killed; and the lab comes up again."""
import os
import signal
import subprocess
from pathlib import Path

from live import lab_networks, main, need, need_no_failure, processes, wait_for

PINS = Path("/sys/fs/bpf/opennlb")


def ours():
    """Processes of the lab, by their executables' command lines."""
    return list(processes(lambda words: "lab service --host-id" in " ".join(words) or (
        words[0].endswith("nlbd") and any("opennlb-lab" in word for word in words))).items())


def programs():
    shown = subprocess.run(["bpftool", "prog", "show"], capture_output=True, text=True, check=False).stdout
    return [line for line in shown.splitlines() if "name nlb_" in line]


def need_nothing_left(lab, programs_before):
    need(not ours(), f"processes are left: {ours()}")
    need(not lab_networks(), f"namespaces are left: {lab_networks()}")
    for path in (lab.root, "/var/lib/opennlb-lab"):
        need(not Path(path).exists(), f"{path} is left: {list(Path(path).rglob('*'))}")
    pins = [path.name for path in PINS.glob("run-opennlb-lab-*")] if PINS.exists() else []
    need(not pins, f"pins are left: {pins}")
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    need("nlbsw0" not in links, links)
    # The kernel frees a namespace, and with it what is attached to its links, a moment later.
    wait_for(f"no more than {programs_before} programs of ours",
             lambda: len(programs()) <= programs_before, 10)


def scenario(run):
    lab = run.lab
    lab.down()
    before = len(programs())

    with run.case("down after up"):
        lab.up()
        need_no_failure(lab.load(100))
        lab.down()
        need_nothing_left(lab, before)

    with run.case("down after kill -9 of everything"):
        lab.up()
        subprocess.Popen([lab.nlb_path, "lab", "exec", "host2", "--", "sleep", "1000"])  # a stray process
        for pid, _ in ours():
            os.kill(pid, signal.SIGKILL)
        lab.down()
        need_nothing_left(lab, before)

    with run.case("down after an `up` that was killed half-way"):
        process = subprocess.Popen([lab.nlb_path, "lab", "up"], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        try:
            process.wait(timeout=0.08)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        lab.down()
        need_nothing_left(lab, before)

    with run.case("down twice, and down with no lab"):
        lab.down()
        lab.down()

    with run.case("up again after all that"):
        lab.up()
        need_no_failure(lab.load(300))
        lab.down()
        need_nothing_left(lab, before)

    if run.full:
        with run.case("ten times up and down"):
            for _ in range(10):
                lab.up()
                lab.down()
            need_nothing_left(lab, before)


if __name__ == "__main__":
    main(scenario)
