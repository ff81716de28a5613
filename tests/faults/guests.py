# SPDX-License-Identifier: Apache-2.0
"""Virtual machines that their hypervisor stops and continues (QEMU stop, cont).

The guest does not know that time passed: what waits in its queue it may answer although others have its share
by then. How long is measured: by every SYN that two hosts answered after the guest went on."""
import time

from capture import ACK, RST, SYN, Capture
from live import VIP, host_mac
from scenario import Scenario, Setup
from stage import DETECTION_MS, two_owners

LEASE_MS = 375
RATE = 60  # an emulated guest of a busy machine serves that
FIN = 0x01


def under_way(capture, host, instant):
    """How many connections that host had answered and not ended by then."""
    open_flows = set()
    for packet in capture.ips():
        flow = (packet.to_ip, packet.to_port)
        if packet.time > instant or packet.source != host_mac(host) or packet.from_ip != VIP:
            continue
        if packet.flags & (SYN | ACK) == SYN | ACK:
            open_flows.add(flow)
        elif packet.flags & (FIN | RST):
            open_flows.discard(flow)
    return len(open_flows)


def paused(seconds):
    def play(stage):
        lab = stage.lab
        with Capture(lab, f"tcp and host {VIP}") as capture:
            load = lab.start_load(int(RATE * (seconds + 4)), "--rate", RATE, "--concurrency", 1000)
            time.sleep(1)
            stage.fault("pause", "host2", "host")
            stopped = time.time()
            time.sleep(seconds)
            resumed = time.time()
            stage.fault("resume", "host2", "host")
            lab.wait_members(stage.everyone, 40)
            figures = {"whole_ms": 1000 * (time.time() - resumed)}
            served = lab.finish(load)
            figures.update(patient_failed=served["failed"], failed=served["failed"],
                           failures=served["failures"], latency_p50_ms=served["latency_ms"]["p50"])
        stage.whole()
        figures["under_way"] = under_way(capture, 2, stopped)
        if 1000 * seconds > DETECTION_MS:  # the others take it for dead, and reset what it had
            figures["patient_failed"] = max(0, figures["patient_failed"] - figures["under_way"])
        flows = capture.handshakes(VIP, 80)
        double = {flow for flow, (_, answers) in flows.items() if len(set(answers)) > 1}
        late = [packet.time for packet in capture.ips()
                if packet.source == host_mac(2) and packet.flags & 0x12 == 0x12
                and any((packet.to_ip, packet.to_port) == flow[:2] for flow in double)]
        figures["two_owners"] = len(double)
        late_ms = [1000 * (when - resumed) for when in late]
        # A half-open connection of before the pause repeats its SYN-ACK when the bucket is the host's again:
        # no second owner any more.
        figures["double_owner_ms"] = max([0.0, *(ms for ms in late_ms if ms <= figures["whole_ms"])])
        figures["repeated_later"] = sum(ms > figures["whole_ms"] for ms in late_ms)
        return figures
    return play


def clock_jumps(stage):
    """An hour on, then an hour back, in one guest: what its kernel calls the time of day."""
    lab, figures = stage.lab, {}
    before = lab.query(1)["view"]  # by number: clocks are what this is about
    with Capture(lab, f"tcp and host {VIP}") as capture:
        load = lab.start_load(RATE * 6, "--rate", RATE)
        for hours in (1, 0):
            time.sleep(1)
            lab.lab("exec", "host2", "--", "date", "-s", f"@{int(time.time()) + 3600 * hours}")
            time.sleep(1)
        figures["patient_failed"] = lab.finish(load)["failed"]
    figures["two_owners"] = len(two_owners(capture))
    figures["views"] = lab.query(1)["view"] - before
    figures["whole_ms"] = stage.whole()
    return figures


VM = Setup(2, ("--vm", "--mac-strategy", "add"))
SCENARIOS = [
    Scenario("6", f"vm-pause-{seconds:g}",
             f"a virtual machine stands still for {seconds:g} s (QEMU stop, cont)",
             "no SYN is answered twice for longer than the lease after it goes on", paused(seconds),
             {"double_owner_ms": LEASE_MS, "patient_failed": 0}, setup=VM)
    for seconds in (0.2, 2, 30)
] + [
    Scenario("45", "vm-clock", "the wall clock of a virtual machine jumps an hour on, and back",
             "the view stands, no connect fails", clock_jumps,
             {"views": 0, "patient_failed": 0, "two_owners": 0}, setup=VM),
]
