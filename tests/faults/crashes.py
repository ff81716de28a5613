# SPDX-License-Identifier: Apache-2.0
"""Daemons and machines that die or stand still."""
import sys
import time
from pathlib import Path

from scenario import Scenario
from stage import CRASH_MS

SAFE = {"two_owners": 0, "patient_failed": 0, "never_ended": 0}
CRASH = {**SAFE, "patient_failed": 1}  # a request that was under way at that instant has its server no more
KEEP_FLOW = {"streams_broken": 0, "wrong_bytes": 0, "resets": 0}


def crash(fault, mend, dead):
    """`dead`: the host whose connections go with it; None when its kernel lives on."""
    def play(stage):
        figures = {}
        with stage.watched(figures, streams=12, dead=dead, witness=1):
            figures.update(stage.outage(f"{stage.lab.nlb_path} lab fault {fault}"))
        stage.lab.lab(*mend)
        figures["whole_ms"] = stage.whole()
        return figures
    return play


def restart_in_time(stage):
    figures = {}
    with stage.watched(figures, streams=12, witness=1):
        figures.update(stage.outage(stage.shell("lab fault kill host2", "lab start host2 --timeout 0")))
    figures["whole_ms"] = stage.whole()
    return figures


def stands_still(stage):
    """SIGSTOP while clients keep coming, then SIGCONT: nothing is answered that the lease does not cover."""
    figures = {}
    with stage.watched(figures, streams=12, seconds=6, witness=1):
        figures.update(stage.outage(f"{stage.lab.nlb_path} lab fault pause host2"))
        begin = time.monotonic()
        resumed = stage.outage(f"{stage.lab.nlb_path} lab fault resume host2", seconds=2, at_ms=300)
        figures["patient_failed"] += resumed["patient_failed"]
        figures["resume_gap_ms"] = resumed["gap_ms"]
        figures["resumed_s"] = time.monotonic() - begin
    figures["whole_ms"] = stage.whole()
    return figures


def hangs(stage):
    """The protocol thread alone stands still for some seconds; who asks the daemon waits meanwhile."""
    figures = {}
    hang = f"{sys.executable} {Path(__file__).with_name('hang.py')} 2 4"
    with stage.watched(figures, streams=12, seconds=6, witness=1):
        figures.update(stage.outage(hang))
        figures["lost_member"] = sum(2 not in stage.lab.members(host) for host in (1, 3))
    figures["whole_ms"] = stage.whole()
    return figures


SCENARIOS = [
    Scenario("1", "daemon-killed", "nlbd dies (SIGKILL), and is started again within the detection time",
             "no view change, every stream whole", restart_in_time,
             {"gap_ms": CRASH_MS, "views": 0, "whole_ms": 5000, **SAFE, **KEEP_FLOW}),
    Scenario("1", "daemon-gone", "nlbd dies (SIGKILL) and stays away",
             "the others take its share; its connections go on",
             crash("kill host2", ("start", "host2"), None), {"gap_ms": CRASH_MS, **SAFE, **KEEP_FLOW}),
    Scenario("2", "daemon-stopped", "nlbd stands still (SIGSTOP), and goes on (SIGCONT)",
             "the others take its share, nothing is answered twice, it comes back", stands_still,
             {"gap_ms": CRASH_MS, "resume_gap_ms": 60, **SAFE, **KEEP_FLOW}),
    Scenario("3", "thread-hangs", "nlbd's protocol thread hangs, its other threads run",
             "the others take its share, nothing is answered twice, it comes back", hangs,
             {"gap_ms": CRASH_MS, **SAFE, **KEEP_FLOW}, {"lost_member": 2}),
    Scenario("4", "power", "a host loses its power", "gap at most 700 ms; streams of the other hosts whole",
             crash("kill host2 host", ("start", "host2"), 2),
             {"gap_ms": CRASH_MS, **CRASH, "streams_broken": 0, "wrong_bytes": 0}),
    Scenario("29", "carrier", "the carrier of a host goes", "as a crash: gap at most 700 ms",
             crash("cut host2", ("fault", "heal", "host2"), 2),
             {"gap_ms": CRASH_MS, **CRASH, "streams_broken": 0, "wrong_bytes": 0}),
]
