#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a client sees when something breaks, and that the cluster is whole again afterwards."""
from capture import Capture, need_one_owner
from live import VIP, main, need, need_no_failure, need_shares

EVEN = {1: 100 / 3, 2: 100 / 3, 3: 100 / 3}
DETECTION_MS = 500  # 50 ms × 10
# One view change, the acquisition in two phases, and scheduling on a small machine.
MARGIN_MS = 350


def outage(run, title, fault, lost, mend, bound_ms=DETECTION_MS + MARGIN_MS, detection_ms=DETECTION_MS):
    """One fault, the gap it causes, who serves after it, and the way back."""
    lab = run.lab
    with run.case(title) as notes:
        with Capture(lab, f"tcp and host {VIP}") as capture:
            figures = lab.gap(fault, seconds=5, fault_at_ms=1500)
        notes.append(f"gap {figures['gap_ms']:.0f} ms")
        notes.append(f"{figures['failed_after']} of {figures['attempts']} attempts failed")
        notes.append(f"slowest patient connect {figures['patient']['connect_ms'].get('max', 0):.0f} ms")
        need(figures["fault_exit_code"] == 0, figures)
        need(figures["failed_before"] == 0, figures)
        need(figures["ended"] and figures["gap_ms"] <= bound_ms,
             f"the gap is longer than {bound_ms} ms (detection takes {detection_ms}): {figures}")
        need(figures["patient"]["failed"] == 0, f"a client that retries its SYN failed: {figures['patient']}")
        need(str(lost) not in figures["hosts_after"], f"host {lost} still serves: {figures}")
        need(len(figures["hosts_after"]) == lab.hosts - 1, figures)
    with run.case(f"{title}: no connection was answered by two hosts"):
        need_one_owner(capture, VIP, 80)
    with run.case(f"{title}: whole again") as notes:
        lab.lab(*mend)
        seconds = lab.wait_members(list(range(1, lab.hosts + 1)))
        figures = lab.load(2000)
        need_no_failure(figures)
        notes.append(f"converged after {seconds:.1f} s, {need_shares(figures, EVEN, 5)}")


def faults(run):
    run.lab.up()
    outage(run, "host 2 loses its power", "lab fault kill host2 host", 2, ("start", "host2"))
    outage(run, "host 1, the default host, loses its power", "lab fault kill host1 host", 1,
           ("start", "host1"))
    outage(run, "the link of host 3 is cut", "lab fault cut host3", 3, ("fault", "heal", "host3"))
    outage(run, "nlbd of host 2 is killed", "lab fault kill host2", 2, ("start", "host2"))
    outage(run, "nlbd of host 1 stands still", "lab fault pause host1", 1, ("fault", "resume", "host1"))


def fast_profile(run):
    run.lab.up("--period-ms", 10, "--tolerance", 6)
    for _ in range(5 if run.full else 1):
        outage(run, "fast profile (10 ms × 6): host 2 loses its power", "lab fault kill host2 host", 2,
               ("start", "host2"), bound_ms=60 + 200, detection_ms=60)


def need_hardly_missed(figures):
    """A move leaves no owner for one message delay: a SYN may fall into it and is repeated after a second."""
    need(figures["fault_exit_code"] == 0, figures)
    need(figures["failed_after"] <= 2 and figures["gap_ms"] <= 60, figures)
    need(figures["patient"]["failed"] == 0, figures)
    need(figures["patient"]["connect_ms"]["max"] < 1300, f"a SYN was lost twice: {figures['patient']}")
    return f"{figures['failed_after']} of {figures['attempts']} failed, gap {figures['gap_ms']:.0f} ms"


def planned(run):
    """A clean leave is not an outage."""
    lab = run.lab
    lab.up()
    socket = lab.socket(3)
    with run.case("a host that is drained is missed by nobody") as notes:
        with Capture(lab, f"tcp and host {VIP}") as capture:
            figures = lab.gap(f"--socket {socket} drainstop", seconds=5)
        notes.append(need_hardly_missed(figures))
    with run.case("and no connection was answered by two hosts"):
        need_one_owner(capture, VIP, 80)
    with run.case("it comes back as quietly") as notes:
        figures = lab.gap(f"--socket {socket} start", seconds=5)
        notes.append(need_hardly_missed(figures))
        need("3" in figures["hosts_after"], f"host 3 serves nothing: {figures}")


def loss(run):
    """A bad cable is no reason to evict a host."""
    lab = run.lab
    lab.up()
    with run.case("5 % of all frames of host 2 are lost for a while: the view stands") as notes:
        before = lab.query(1)["view"]
        lab.lab("fault", "loss", "host2", 5)
        figures = lab.load(2000 if run.full else 600, "--rate", 60)
        notes.append(f"{figures['failed']} of {figures['connections']} failed within 10 s each")
        need(lab.query(1)["view"] == before, f"the view changed: {before} → {lab.query(1)['view']}")
        need_no_failure(figures)
        lab.lab("fault", "heal", "host2")


def scenario(run):
    for part in (faults, fast_profile, planned, loss):
        with run.case(f"part {part.__name__} runs to its end"):
            part(run)


if __name__ == "__main__":
    main(scenario)
