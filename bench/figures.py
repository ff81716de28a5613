# SPDX-License-Identifier: Apache-2.0
"""What the benchmark scripts share: confidence intervals of interleaved ratios, processor time, and the
record of a run."""
import contextlib
import json
import math
import os
import statistics
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/live"))
from live import wait_for  # noqa: E402

BUILD = ROOT / "build"
# Student's t, two-sided 95 %, by degrees of freedom; between them the next lower one is taken.
STUDENT = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 7: 2.365, 9: 2.262, 14: 2.145, 19: 2.093,
           29: 2.045, 59: 2.001}


def interval(values):
    """(mean, low, high) of the mean's 95 % confidence interval."""
    mean, freedom = statistics.fmean(values), len(values) - 1
    if freedom < 1:
        raise ValueError("an interval needs two values")
    wide = STUDENT[max(known for known in STUDENT if known <= freedom)]
    half = wide * statistics.stdev(values) / math.sqrt(len(values))
    return mean, mean - half, mean + half


def spread(values):
    """As every row of the report has it."""
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


@contextlib.contextmanager
def processor_time():
    """Gives a function that reads the nanoseconds that this process and what it starts have used: a control
    group's (v1, cpuacct), in which the kernel's work on a frame is charged to whoever sent it. All that was
    started has been told to end when the block ends."""
    group = Path(tempfile.mkdtemp(prefix="opennlb-bench-", dir="/sys/fs/cgroup/cpuacct"))
    (group / "cgroup.procs").write_text("0")
    try:
        yield lambda: int((group / "cpuacct.usage").read_text())
    finally:
        (group.parent / "cgroup.procs").write_text("0")
        wait_for("the group's last process has ended", lambda: not (group / "tasks").read_text(), 20)
        group.rmdir()


def write(name, record):
    """build/bench/NAME.json, with what else ran: the load of the machine when the run ended."""
    path = BUILD / f"bench/{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**record, "kernel": os.uname().release, "load": os.getloadavg()[1]},
                               indent=1) + "\n")
