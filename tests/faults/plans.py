# SPDX-License-Identifier: Apache-2.0
"""What administrators do on purpose: nobody may notice."""
import re
import shlex
import time
from pathlib import Path

from crashes import KEEP_FLOW, SAFE
from scenario import Scenario, Setup
from stage import DETECTION_MS, LEAVE_MS


def commands(stage, lines):
    """Command lines of nlb, one after the other."""
    for line in lines:
        stage.lab.command(*shlex.split(line))


def planned(*lines, mend=()):
    def play(stage):
        figures = {}
        with stage.watched(figures, streams=12, witness=1):
            figures.update(stage.outage(stage.shell(*lines)))
        commands(stage, mend)
        figures["whole_ms"] = stage.whole()
        return figures
    return play


def socket(host):
    return f"--socket /run/opennlb-lab/host{host}/control.sock"


def edit(stage, host, pattern, replacement):
    path = Path(f"{stage.lab.root}/host{host}/web.toml")
    path.write_text(re.sub(pattern, replacement, path.read_text(), count=1))
    stage.lab.host(host, "reload")


def rolling_change(stage):
    """Another port range, host by host, and back; hosts whose rules differ share no view meanwhile."""
    figures = {}
    with stage.watched(figures, streams=12, seconds=6, witness=1):
        load = stage.lab.start_load(400, "--rate", 80)
        for ports in ("80-81", "80"):
            for host in stage.everyone:
                edit(stage, host, r'ports *= *"80[^"]*"', f'ports = "{ports}"')
                time.sleep(0.3)
            stage.lab.wait_members(stage.everyone)
        figures["patient_failed"] = stage.lab.finish(load)["failed"]
    stage.whole()
    return figures


def reloads(stage):
    """The same file, once a second, at every host."""
    figures = {}
    with stage.watched(figures, streams=12, seconds=6, witness=1):
        load = stage.lab.start_load(400, "--rate", 80)
        for _ in range(4):
            for host in stage.everyone:
                stage.lab.host(host, "reload")
            time.sleep(1)
        figures["patient_failed"] = stage.lab.finish(load)["failed"]
    stage.whole()
    return figures


def other_rule(stage):
    """The rule of UDP is disabled at every host, and enabled again: TCP does not notice."""
    figures = {}
    commands = [f"{socket(host)} {what} 7007" for what in ("disable", "enable") for host in stage.everyone]
    with stage.watched(figures, streams=12, witness=1):
        figures.update(stage.outage(stage.shell(*commands)))
    stage.whole()
    return figures


def views_of_arrivals(times_ms):
    """The most views that hosts may cost that take part from then on (core/arrivals.hh): who comes alone is
    let in at once; those who come soon after one another with the first, and then together, or each D."""
    soon_ms = 100  # of 150: others hear of a host a little later than it says, or sooner
    runs = []
    for time_ms in sorted(times_ms):
        if runs and time_ms - runs[-1][-1] <= soon_ms:
            runs[-1].append(time_ms)
        else:
            runs.append([time_ms])
    return sum(1 if len(run) == 1 else 2 + int(run[-1] - run[0]) // DETECTION_MS for run in runs)


def join_storm(stage):
    """All hosts at once, from nothing: the time from when the last of them takes part to the last view. Until
    then it is the machine that boots them, from the first host's program to the last one's adapter."""
    stage.lab.up(hosts=stage.lab.hosts)
    histories = [stage.history(host, 0) for host in stage.everyone]
    began, took_part = (stage.event_times(name) for name in ("started", "bound"))
    last_view = max(view["time_ms"] for views in histories for view in views)
    views = max(map(len, histories))
    figures = {"settle_ms": max(0, last_view - max(took_part)), "boot_ms": max(took_part) - min(began),
               "views": views,
               "views_beyond": views - max(len(histories) // 2, views_of_arrivals(took_part))}
    stage.whole()
    return figures


SCENARIOS = [
    Scenario("20", "rolling-change", "the port rules are changed host by host, and back",
             "no connection fails, none is answered twice", rolling_change,
             {"patient_failed": 0, "two_owners": 0, **KEEP_FLOW}),
    Scenario("22", "reloads", "every host reloads its file once a second", "the view stands", reloads,
             {"views": 0, "patient_failed": 0, "two_owners": 0, **KEEP_FLOW}),
    Scenario("23", "other-rule", "a rule is disabled and enabled beside another", "the other has no gap",
             other_rule, {"gap_ms": 0, **SAFE, **KEEP_FLOW}),
    Scenario("25", "join-storm", "16 hosts boot at once",
             "settled within 1 s of the last; in at most half as many views as hosts, or one for each that "
             "the machine boots alone and two for each few of them", join_storm,
             {"views_beyond": 0, "settle_ms": 1000}, setup=Setup(16), loads_machine=True),
    Scenario("26", "drain", "a host is drained", "no connect fails; gap at most 20 ms",
             planned(f"{socket(2)} drainstop", mend=[f"{socket(2)} start"]),
             {"gap_ms": LEAVE_MS, **SAFE, **KEEP_FLOW}, in_ci=True),
    Scenario("27", "restart", "nlbd is restarted as planned: it leaves and joins",
             "no connect fails, every stream whole; unserved for at most 20 ms each time",
             planned("lab restart host2"), {"unserved_ms": 2 * LEAVE_MS, **SAFE, **KEEP_FLOW}),
]
