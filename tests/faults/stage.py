# SPDX-License-Identifier: Apache-2.0
"""What scenarios do to the lab, and what clients, the wire and the hosts say of it meanwhile."""
import contextlib
import json
import shlex
import subprocess
import time

from capture import ACK, SYN, Capture, need_one_owner
from live import HTTP, VIP, Failure, need_no_failure, time_of

DETECTION_MS = 500  # 50 ms × 10
CRASH_MS = 700  # one view change and scheduling on a small machine come on top
LEAVE_MS = 20


class Stage:
    """The lab while one scenario plays."""

    def __init__(self, lab):
        self.lab = lab

    @property
    def everyone(self):
        return list(range(1, self.lab.hosts + 1))

    # -- doing --
    def fault(self, *words):
        self.lab.lab("fault", *words)

    def shell(self, *commands, pause_s=0):
        """Command lines of nlb, one after the other, for the measuring client to run as the fault."""
        between = f" && sleep {pause_s} && "
        return "sh -c " + shlex.quote(between.join(f"{self.lab.nlb_path} {command}" for command in commands))

    def inside(self, node, *words):
        """A command in a node, in the background."""
        return subprocess.Popen([self.lab.nlb_path, "lab", "exec", node, "--", *map(str, words)],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                stdin=subprocess.DEVNULL)

    def tool(self, node, *words):
        return self.inside(node, self.lab.nlb_path, "lab", *words)

    # -- seeing --
    def whole(self, seconds=20):
        """All hosts in one view, all clients served; how long it took, ms."""
        took = self.lab.wait_members(self.everyone, seconds)
        need_no_failure(self.lab.load(150))
        return took * 1000

    def history(self, host, since):
        """Views that this host went through after that wall-clock time."""
        answer = json.loads(self.lab.host(host, "--json", "history").stdout)["history"]
        return [entry for entry in answer if entry["time_ms"] >= since * 1000]

    def event_times(self, name):
        """When each host said so for the first time, wall clock, ms."""
        return [1000 * time_of(self.lab.events(host, name)[0]) for host in self.everyone]

    def outage(self, command, seconds=3, at_ms=700, client="client1"):
        """The gap that a command line causes, as one client sees it."""
        process = self.tool(client, "gap", "--to", HTTP, "--seconds", seconds, "--fault-at-ms", at_ms,
                            "--fault-cmd", command)
        figures = self.finish(process)
        if figures["fault_exit_code"] != 0 or figures["failed_before"] != 0:
            raise Failure(f"the fault could not be measured: {figures}")
        return {"gap_ms": figures["gap_ms"], "unserved_ms": figures["unserved_ms"],
                "failed": figures["failed_after"],
                "never_ended": 0 if figures["ended"] else 1,
                "patient_failed": figures["patient"]["failed"],
                "patient_ms": figures["patient"]["connect_ms"].get("max", 0),
                "hosts_after": figures["hosts_after"]}

    @staticmethod
    def finish(process, seconds=120):
        out, error = process.communicate(timeout=seconds)
        if not out.strip():
            raise Failure(f"{process.args}: no figures: {error}")
        return json.loads(out.strip().splitlines()[-1])

    @contextlib.contextmanager
    def watched(self, figures, streams=0, seconds=4, dead=None, witness=None, client="client1", meetings=()):
        """Records the wire, streams and views meanwhile. `dead` is a host whose streams may end; `meetings`
        are times (from, to) at which two owners are no violation: those count as at_heal."""
        begin, process = time.time(), None
        witness = witness or next(host for host in self.everyone if host != dead)
        with Capture(self.lab, f"tcp and host {VIP}") as capture:
            if streams:
                process = self.start_streams(client, streams, seconds)
            try:
                yield
            finally:
                if process:
                    figures.update(self.broken(self.finish(process), dead))
        twice = two_owners(capture)
        figures["two_owners"] = sum(not any(a <= when <= b for a, b in meetings) for when in twice)
        figures["two_owners_ms"] = 1000 * (max(twice) - min(twice)) if twice else 0
        if meetings:
            figures["at_heal"] = len(twice) - figures["two_owners"]
        views = self.history(witness, begin)
        figures["views"] = len(views)
        figures["causes"] = [view["cause"] for view in views]
        figures["evictions"] = sum(len(view["members"]) < len(self.everyone) for view in views)

    def start_streams(self, client, count, seconds):
        process = self.tool(client, "streams", "--to", HTTP, "--count", count, "--seconds", seconds)
        line = process.stderr.readline()
        if "running" not in line:
            raise Failure(f"the streams did not start: {line}{process.communicate()}")
        return process

    @staticmethod
    def broken(figures, dead):
        lost = figures["hosts"].get(str(dead), 0)  # nothing keeps the connections of a dead machine
        return {"streams_broken": max(0, figures["failed"] - lost), "wrong_bytes": figures["wrong_bytes"],
                "resets": figures["resets"]}


def two_owners(capture):
    """When each connection that more than one host answered was asked for (its last SYN)."""
    flows = capture.handshakes(VIP, 80)
    if not flows:
        need_one_owner(capture, VIP, 80)  # says that there is none to judge
    twice = {flow for flow, (_, answers) in flows.items() if len(set(answers)) > 1}
    asked = {}
    for packet in capture.ips():
        flow = (packet.from_ip, packet.from_port, packet.sequence)
        if packet.flags & (SYN | ACK) == SYN and flow in twice:
            asked[flow] = packet.time
    return [asked.get(flow, 0.0) for flow in twice]
