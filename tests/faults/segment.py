# SPDX-License-Identifier: Apache-2.0
"""A segment that is not as the cluster would like it: frames of other sizes, no groups, and a stranger who
has the cluster MAC."""
import json
import time

from links import STANDS
from live import CLUSTER_MAC, wait_for
from plans import commands, planned
from scenario import Scenario, Setup

MTU = "lab exec host{} -- ip link set eth0 mtu {}"
GROUPS = "lab exec switch -- bridge link set dev h2 mcast_flood {}"
FILTER = ["lab exec switch -- nft add table bridge unheard",
          "lab exec switch -- nft 'add chain bridge unheard f { type filter hook forward priority 0; }'",
          "lab exec switch -- nft add rule bridge unheard f iifname h2 ether type 0x88b5 drop"]
UNFILTER = ["lab exec switch -- nft delete table bridge unheard"]
STRANGER = Setup(3, ("--clients", 2))
GUARDED = Setup(3, ("--clients", 2, "--mac-spoofing", "cluster"))


def become(mac):
    """Client 2 takes that MAC, and speaks, so that the switch may learn it."""
    return [f"lab exec client2 -- ip link set eth0 address {mac}",
            "lab exec client2 -- sh -c 'ping -c 1 -W 1 10.77.0.201 || true'"]


STEAL = become(CLUSTER_MAC["unicast"])
# The switch forgets the stranger, as it does when a cable is pulled.
GIVE_BACK = [*become("52:54:00:4d:02:02"), "lab exec switch -- ip link set c2 type bridge_slave fdb_flush"]


def times_told(stage, host, event):
    return len(stage.lab.events(host, event, check=False))  # it may not be up yet


def telling(stage, hosts, *events):
    """A function that waits until each of these hosts has told each of these events once more than now."""
    before = {(host, event): times_told(stage, host, event) for host in hosts for event in events}

    def wait():
        for (host, event), times in before.items():
            wait_for(f"{event} at host {host}", lambda host=host, event=event, times=times:
                     times_told(stage, host, event) > times, 10)
    return wait


def reasons(stage):
    """What `display` names as wrong, host by host."""
    return [json.loads(stage.lab.host(host, "--json", "display").stdout)["adapter"]["reason"]
            for host in stage.everyone]


def mac_taken(stage):
    """Nobody is served meanwhile: the switch delivers all to the stranger. Each host finds that out, and that
    all is well, at a moment of its own: a view each time."""
    told = telling(stage, stage.everyone, "cluster_mac_in_use", "receive_filtered")
    begin, figures = time.time(), {}
    commands(stage, STEAL)
    told()
    figures["told_ms"] = 1000 * (time.time() - begin)
    figures["shown"] = reasons(stage).count("rx-filtered")
    figures["views"] = len(stage.history(1, begin))
    figures["failed"] = stage.lab.load(20, "--limit-ms", 300)["failed"]
    commands(stage, GIVE_BACK)
    figures["whole_ms"] = stage.whole()
    wait_for("nothing is wrong", lambda: set(reasons(stage)) == {"none"}, 10)
    return figures


def refusals(stage):
    """Frames of the stranger's port that the guard has refused for their source."""
    said = stage.lab.lab("exec", "switch", "--", "nlb", "vmswitch", "--json", "violations").stdout
    return sum(one["count"] for one in json.loads(said)["violations"]
               if one["port"] == "c2" and one["address"] == CLUSTER_MAC["unicast"])


def mac_refused(stage):
    before = refusals(stage)
    figures = planned(*STEAL, mend=GIVE_BACK)(stage)
    figures["refused"] = refusals(stage) - before
    return figures


def unheard(stage):
    """Host 2 comes back and hears the others, but no heartbeat of its own gets through. Their frames echo
    nothing of it, as recordings would; their kernels answer, so it must say why, and not serve beside them.
    """
    told, figures = telling(stage, [2], "echo_missing"), {}
    commands(stage, ["lab fault kill host2", *FILTER])
    stage.lab.wait_members([1, 3])
    begin = time.time()
    with stage.watched(figures, witness=1):
        load = stage.lab.start_load(600, "--rate", 80)
        commands(stage, ["lab start host2 --timeout 0"])
        told()
        figures["told_ms"] = 1000 * (time.time() - begin)
        figures["patient_failed"] = stage.lab.finish(load)["failed"]
        figures["waits"] = int(stage.lab.state(2) == "converging")
    commands(stage, UNFILTER)
    figures["whole_ms"] = stage.whole()
    return figures


SCENARIOS = [
    Scenario("9", "unheard-start", "a host starts whose heartbeats nobody hears",
             "it does not serve beside the others, and says so within 7 s; whole when they get through",
             unheard, {"told_ms": 7000, "whole_ms": 5000, "patient_failed": 0, "two_owners": 0, "views": 0},
             {"waits": 1}, in_ci=True),
    Scenario("31", "mtu", "the MTU of one host falls to 1280, that of another rises to 3000",
             "the view stands, no gap",
             planned(MTU.format(2, 1280), MTU.format(3, 3000),
                     mend=[MTU.format(2, 1500), MTU.format(3, 1500)]),
             {"gap_ms": 0, **STANDS}),
    Scenario("32", "no-groups", "the switch lets no group's frame through to a host",
             "the view stands, no gap: what goes to the cluster MAC is heard",
             planned(GROUPS.format("off"), mend=[GROUPS.format("on")]), {"gap_ms": 0, **STANDS}),
    Scenario("34", "mac-taken", "a stranger takes the cluster MAC, and the switch learns it at its port",
             "every host says within 5 s that nothing arrives, and who has the MAC; whole when it is gone",
             mac_taken, {"told_ms": 5000, "views": 6, "whole_ms": 5000}, {"shown": 3, "failed": 20},
             setup=STRANGER, in_ci=True),
    Scenario("34", "mac-refused", "the same behind a guarded port", "the view stands, no gap",
             mac_refused, {"gap_ms": 0, **STANDS}, {"refused": 1}, setup=GUARDED),
]
