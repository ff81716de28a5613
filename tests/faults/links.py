# SPDX-License-Identifier: Apache-2.0
"""Links that lose frames, one way or both, deliver them late, twice, out of order, or flap."""
import time

from crashes import CRASH, KEEP_FLOW, SAFE
from scenario import Scenario
from stage import CRASH_MS, DETECTION_MS


def bad_link(*faults, seconds=4, witness=1, streams=12, heal="host2", pause_s=0):
    """The faults begin, clients measure, the link is mended."""
    def play(stage):
        figures = {}
        try:
            with stage.watched(figures, streams=streams, seconds=seconds + 1, witness=witness,
                               dead=None if streams else 2):
                command = stage.shell(*(f"lab fault {fault}" for fault in faults), pause_s=pause_s)
                figures.update(stage.outage(command, seconds))
                figures["lost_member"] = sum(2 not in stage.lab.members(host) for host in (1, 3))
                figures["claims"] = int(stage.lab.state(2) == "converged" and stage.lab.members(2) == [2])
        finally:
            healed = time.time()
            stage.fault("heal", heal)
        figures["whole_ms"] = stage.whole()
        # Whoever was accused meanwhile is readmitted by a view: that is of this fault, not of the next one.
        time.sleep(2 * DETECTION_MS / 1000)
        figures["heal_views"] = len(stage.history(witness, healed))
        return figures
    return play


def one_way(direction):
    return bad_link(f"loss host2 100 {direction}", streams=0)


def flapping(stage):
    """Down and up for half a second each, ten times; then the views are counted until it is quiet."""
    figures = {}
    with stage.watched(figures, witness=1, dead=2):
        load = stage.lab.start_load(700, "--rate", 50)
        for _ in range(10):
            stage.fault("cut", "host2")
            time.sleep(0.5)
            stage.fault("heal", "host2")
            time.sleep(0.5)
        figures["patient_failed"] = stage.lab.finish(load)["failed"]
    figures["whole_ms"] = stage.whole(90)
    return figures


# Where frames are lost at random until the end, an impatient attempt may fail at the end.
LOSSY = {name: bound for name, bound in {"views": 0, **SAFE, **KEEP_FLOW}.items() if name != "never_ended"}
STANDS = {"views": 0, **SAFE, **KEEP_FLOW}
SCENARIOS = [
    Scenario("9", "receive-only", "nothing that a host sends arrives",
             "evicted within 700 ms; it claims nothing", one_way("out"),
             {"gap_ms": CRASH_MS, "claims": 0, **CRASH}, {"lost_member": 2}, in_ci=True),
    Scenario("10", "transmit-only", "a host receives nothing",
             "left out within twice the detection time; it claims nothing", one_way("in"),
             {"gap_ms": 2 * DETECTION_MS + 200, "claims": 0, **CRASH}, {"lost_member": 2}, in_ci=True),
    Scenario("11", "bad-pair", "two of three hosts do not hear each other",
             "the view stands: one accuser is none", bad_link("split host1 host2", heal="switch"),
             {"gap_ms": 0, "heal_views": 1, **STANDS}, in_ci=True),
    *(Scenario("12", f"loss-{share}", f"{share} % of a host's frames are lost", "the view stands",
               bad_link(f"loss host2 {share}"), LOSSY) for share in (1, 5, 10)),
    Scenario("12", "loss-20", "20 % of a host's frames are lost", "nothing is answered twice",
             bad_link("loss host2 20"), {"views": 4, "two_owners": 0}),
    Scenario("12", "bursts", "all frames of a host are lost for 300 ms, three times, 1 s apart",
             "the view stands", bad_link(*["burst host2 300"] * 3, pause_s=1, seconds=5), STANDS, in_ci=True),
    Scenario("13", "reorder", "heartbeats overtake one another, by up to 100 ms", "the view stands, no gap",
             bad_link("reorder host2 100"), {"gap_ms": 0, **STANDS}),
    Scenario("13", "duplicate", "each heartbeat comes again 500 ms later", "the view stands, no gap",
             bad_link("duplicate host2 500"), {"gap_ms": 0, **STANDS}, in_ci=True),
    Scenario("13", "delay-100", "heartbeats come 100 ms late", "the view stands, no gap",
             bad_link("delay host2 100"), {"gap_ms": 0, **STANDS}),
    # First silence for as long as a host may be silent: both sides go on alone, as in a split, and answer the
    # same clients, until the first late frame tells each of the other (a period, then two, then a half). From
    # then on nobody owns what the other may own, until its lease must be over.
    Scenario("13", "delay-500", "heartbeats begin to come 500 ms late, later than the lease lasts",
             "the others take its share within twice the detection time; both own it for at most 175 ms",
             bad_link("delay host2 500", seconds=5),
             {"gap_ms": 2 * DETECTION_MS + 200, "two_owners_ms": 175, "patient_failed": 0, "never_ended": 0,
              **KEEP_FLOW}),
    Scenario("16", "flapping", "a link goes down and up ten times, half a second each",
             "no connection fails; views are bounded; whole again", flapping,
             {"views": 8, "two_owners": 0, "patient_failed": 0}),
]
