# SPDX-License-Identifier: Apache-2.0
"""Too much of something, or too little: packets, CPU, disk, descriptors. Serving goes on."""
import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from crashes import KEEP_FLOW
from live import Failure
from scenario import Scenario, Setup

FLOOD = Path(__file__).with_name("flood.py")


def success(figures):
    return 100 * figures["ok"] / figures["connections"]


def flooded(kind, rate):
    def play(stage):
        figures = {}
        with stage.watched(figures, witness=1):
            unloaded = success(stage.lab.load(300, "--rate", 150))
            flood = stage.inside("client2", sys.executable, FLOOD, kind, 4, rate)
            loaded = stage.lab.load(400, "--rate", 150)
            sent, error = flood.communicate(timeout=30)
        if not sent.strip():
            raise Failure(f"the flood did not run: {error}")
        figures.update(flood_per_s=int(sent) / 4, success_percent=100 * success(loaded) / unloaded)
        stage.whole()
        return figures
    return play


def busy_cpus(stage):
    """Two spinning processes for each CPU, beside the daemons."""
    figures, spinners = {}, []
    try:
        for number in range(2 * os.cpu_count()):
            node = f"host{1 + number % stage.lab.hosts}"
            spinners.append(stage.inside(node, "timeout", 12, "sh", "-c", "while :; do :; done"))
        with stage.watched(figures, witness=1):
            figures["patient_failed"] = stage.lab.load(300, "--rate", 60, timeout=60)["failed"]
    finally:
        for process in spinners:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)
    stage.whole()
    return figures


@contextlib.contextmanager
def tiny_disk(directory):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "lab", directory], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", directory], check=True)


def fill(directory):
    """Until the disk takes no byte more."""
    with contextlib.suppress(OSError), open(Path(directory) / "fill", "wb", buffering=0) as file:
        while file.write(bytes(1024)):
            pass


def bad_disk(read_only):
    """The state directory of host 2 is full, or read-only, while views change; and, if it is full, while nlbd
    restarts: where nothing can be written at all it refuses to start, and says so."""
    def play(stage):
        figures = {}
        directory = "/var/lib/opennlb-lab/host2"
        with stage.watched(figures, streams=12, seconds=6, dead=3, witness=1):
            with tiny_disk(directory):
                stage.lab.lab("restart", "host2")
                fill(directory)
                if read_only:
                    subprocess.run(["mount", "-o", "remount,ro", directory], check=True)
                stage.lab.lab("fault", "kill", "host3", "host")
                stage.lab.wait_members([1, 2])
                stage.lab.lab("start", "host3")
                if not read_only:
                    stage.lab.lab("restart", "host2")
                figures["whole_ms"] = stage.whole()
                figures["patient_failed"] = stage.lab.load(200)["failed"]
        stage.lab.lab("restart", "host2")
        stage.whole()
        return figures
    return play


def of_process(pid, file, word):
    """The figures behind a word in a file of /proc."""
    lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    return next(line for line in lines if line.startswith(word))[len(word):].split()


def limit_descriptors(pid, soft):
    """As nlbd's own user: root without CAP_SYS_RESOURCE may not limit another user's process."""
    user, group = of_process(pid, "status", "Uid:")[0], of_process(pid, "status", "Gid:")[0]
    subprocess.run(["setpriv", "--reuid", user, "--regid", group, "--clear-groups",
                    "prlimit", "--pid", str(pid), f"--nofile={soft}:"], check=True, capture_output=True)


def no_descriptors(stage):
    """nlbd of host 2 may open nothing more, and its control socket is besieged."""
    pid = int(Path(f"{stage.lab.root}/host2/nlbd.pid").read_text().split()[0])
    before = of_process(pid, "limits", "Max open files")[0]
    opened = len(os.listdir(f"/proc/{pid}/fd"))
    figures, callers = {}, []
    with stage.watched(figures, streams=12, witness=1):
        limit_descriptors(pid, opened)
        try:
            for _ in range(200):
                caller = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
                callers.append(caller)
                caller.connect_ex(stage.lab.socket(2))
            figures["patient_failed"] = stage.lab.load(300, "--rate", 100)["failed"]
        finally:
            limit_descriptors(pid, before)
            for caller in callers:
                caller.close()
    figures["whole_ms"] = stage.whole()
    return figures


SERVES = {"views": 0, "patient_failed": 0, "two_owners": 0}
UNHURT = "99 % of the connects that succeed without it"
FLOODED = {"success_percent": 99, "flood_per_s": 5000}  # a flood that was none proves nothing
TWO_CLIENTS = Setup(3, ("--clients", 2))
SCENARIOS = [
    Scenario("41", "syn-flood", "10,000 SYNs a second from strangers", UNHURT, flooded("syn", 10_000),
             {"views": 0, "two_owners": 0}, FLOODED, TWO_CLIENTS, in_ci=True, loads_machine=True),
    Scenario("42", "fragments", "10,000 fragments a second: first, later, overlapping ones", UNHURT,
             flooded("fragments", 10_000), {"views": 0, "two_owners": 0}, FLOODED,
             TWO_CLIENTS, in_ci=True, loads_machine=True),
    Scenario("46", "busy-cpus", "twice as many spinning processes as CPUs",
             "the view stands, no connect fails", busy_cpus, SERVES, loads_machine=True),
    Scenario("48", "disk-full", "a host's state directory is full", "it serves on, also after a restart",
             bad_disk(False), {"patient_failed": 0, "two_owners": 0, **KEEP_FLOW}),
    Scenario("48", "disk-read-only", "a host's state directory is read-only",
             "it serves on", bad_disk(True),
             {"patient_failed": 0, "two_owners": 0, **KEEP_FLOW}),
    Scenario("51", "descriptors", "nlbd may open no descriptor more, 200 callers wait",
             "the view stands, no connect fails", no_descriptors, {**SERVES, **KEEP_FLOW}, in_ci=True),
]
