# SPDX-License-Identifier: Apache-2.0
"""Segments that fall apart: each side serves its own clients, and they become one again."""
import time

from crashes import CRASH, KEEP_FLOW
from live import HTTP
from scenario import Scenario, Setup
from stage import CRASH_MS

HEAL_MS = 2000


def sides(stage):
    """The first half of the hosts with client 1, the rest with client 2."""
    half = stage.lab.hosts // 2
    return [stage.everyone[:half], stage.everyone[half:]]


def groups(stage):
    return " ".join(",".join([f"client{number}", *(f"host{host}" for host in side)])
                    for number, side in enumerate(sides(stage), 1))


def clean_split(stage):
    """Both sides are measured while it breaks; flows born on either side live through the heal."""
    figures = {}
    command = stage.shell(f"lab fault split {groups(stage)}")
    left, right = sides(stage)
    try:
        with stage.watched(figures, witness=left[0]):
            other = stage.tool("client2", "gap", "--to", HTTP, "--seconds", 3, "--fault-at-ms", 3000,
                               "--patient-every-ms", 20)
            figures.update(stage.outage(command, 3))
            second = stage.finish(other)
            # Each client may lose the one connection that goes over to the other side as they part.
            figures["patient_failed"] = max(figures["patient_failed"], second["patient"]["failed"])
            figures["never_ended"] += 0 if second["ended"] else 1
        figures["sides"] = int(stage.lab.members(left[0]) == left) + int(stage.lab.members(right[0]) == right)
        streams = [stage.start_streams(client, 12, 5) for client in ("client1", "client2")]
        time.sleep(0.3)
    finally:
        stage.fault("heal", "switch")
    figures["heal_ms"] = stage.lab.wait_members(stage.everyone, 15) * 1000
    for process in streams:
        for figure, count in stage.broken(stage.finish(process), None).items():
            figures[figure] = figures.get(figure, 0) + count
    stage.whole()
    return figures


# Each side owns every bucket until both have heard each other, both ways, for two periods (`one-owner`): a
# SYN that comes in that time is answered by both. Half a period more for the frames' own way.
MEETING_S = 0.125


def again_and_again(stage):
    """two_owners: but for those that were asked while the sides met. Those are at_heal."""
    figures, meetings = {"heal_ms": 0}, []
    with stage.watched(figures, witness=1, meetings=meetings):
        load = stage.lab.start_load(600, "--rate", 50)
        for _ in range(3):
            stage.lab.lab("fault", "split", *groups(stage).split())
            time.sleep(1.5)
            begin = time.time()
            stage.fault("heal", "switch")
            meetings.append((begin, time.time() + MEETING_S))
            figures["heal_ms"] = max(figures["heal_ms"], 1000 * stage.lab.wait_members(stage.everyone, 30))
            time.sleep(1.5)
        figures["patient_failed"] = stage.lab.finish(load)["failed"]
    stage.whole()
    return figures


BOUNDS = {"gap_ms": CRASH_MS, "heal_ms": HEAL_MS, **CRASH, **KEEP_FLOW}
TWO, FOUR = (Setup(hosts, ("--clients", 2)) for hosts in (2, 4))
OUTCOME = "each side serves within 700 ms; one view within 2 s of the heal, no connection broken by it"
SCENARIOS = [
    Scenario("14", "split-2-2", "a segment falls into two and two hosts, and heals", OUTCOME, clean_split,
             BOUNDS, {"sides": 2}, FOUR, in_ci=True),
    Scenario("14", "split-1-1", "a segment falls into one and one host, and heals", OUTCOME, clean_split,
             BOUNDS, {"sides": 2}, TWO),
    Scenario("15", "split-again", "a segment splits and heals three times, every 3 s",
             "no connection fails; at most three views a round", again_and_again,
             {"views": 12, "patient_failed": 0, "two_owners": 0, "heal_ms": 10_000}, setup=FOUR),
]
