# SPDX-License-Identifier: Apache-2.0
"""All scenarios of the fault lab, and the faults that other tests play already."""
import crashes
import guests
import links
import plans
import pressure
import segment
import splits
from scenario import Covered

SCENARIOS = [*crashes.SCENARIOS, *links.SCENARIOS, *splits.SCENARIOS, *plans.SCENARIOS, *segment.SCENARIOS,
             *pressure.SCENARIOS]
GUESTS = guests.SCENARIOS  # hosts are virtual machines

COVERED = [
    Covered("2", "SIGSTOP under load: nothing new after the lease", "live_failover (stalled)"),
    Covered("5", "a machine that stands still with its link up", "live_failover (frozen)"),
    Covered("17", "a duplicate host id", "live_hostile"),
    Covered("18", "another cluster's key", "live_hostile"),
    Covered("19", "rules, profile, VIPs, mode or seed that differ", "live_hostile"),
    Covered("21", "a reload of a broken file", "live_hostile"),
    Covered("24", "mixed versions, upgrade and downgrade under load", "live_streams"),
    Covered("28", "programs, tables and addresses taken off by hand", "live_guard"),
    Covered("33", "a stranger who claims the VIP", "live_proof"),
    Covered("35", "forged heartbeats", "live_hostile"),
    Covered("36", "replayed heartbeats", "live_hostile, replay_test"),
    Covered("37", "truncated, flipped and random frames", "live_hostile, fuzz targets"),
    Covered("38", "a flood of forged heartbeats", "live_hostile"),
    Covered("40", "a key rotated at some hosts only", "live_adapter, live_streams"),
    Covered("43", "ICMP errors for a flow", "bpf_fixtures, bpf_random"),
    Covered("49", "kernels and adapters without what is needed", "live_doctor, guest_kernel"),
    Covered("50", "started without capabilities", "security_privileges"),
    Covered("53", "a service dies while its host lives", "live_health"),
    Covered("54", "callers without rights, huge and slow requests", "control_socket_test"),
    Covered("55", "two faults at once", "convergence_test (RandomFaults)"),
]

KNOWN = {}  # requirements that are not met, and why

EXPLAINED = {  # what is known of violations on record
    "vm-pause-2":
        "a machine that takes part again repeats the SYN-ACK of a connection that was half open when it "
        "stood still, and that another host has answered meanwhile: seen once; since then such answers are "
        "counted apart (repeated_later), as the other host owns nothing of it any more",
    "vm-pause-30":
        "an emulated guest on a machine with a load of 20: host 1, alone and running, was 177 ms late "
        "itself, and its gateway did not answer for 500 ms, so that it served nothing. In all other repeats "
        "as many connections failed as were under way at the host that stood still, 0 to 17",
    "daemon-killed":
        "nlbd was started again later than its lease lasted, on two processors that four labs, simulations "
        "and a compiler shared. Another life joins then, and others have its share meanwhile, as they must; "
        "that it is in time is what the scenario presumes, and does not measure",
    "drain":
        "one attempt fell into the two milliseconds of the change, and its client's next SYN was answered. "
        "The gap counts from the beginning of the command, which took 20 ms to reach the daemon; attempts "
        "failed for 5 ms",
    "descriptors":
        "a bug, mended: nlbd that had just been started died when it could open no file, for it counted its "
        "processors by one, and the kernel wrote counters beyond a buffer (bpf_counters)",
}

ABSENT = [
    ("7", "live migration", "one kernel; a pause of the machine (6) stands for its blackout"),
    ("8", "a snapshot is restored an hour later", "nlb-sim plays it (`snapshot`)"),
    ("30", "a bond fails over", "not scripted"),
    ("39", "a stolen key", "a documented limit"),
    ("44", "the flow map is full", "there is none: the kernel's sockets are the table"),
    ("47", "one host is overloaded", "no admission by load"),
    ("52", "counters near their end", "frames have 64-bit numbers, views 32: one a second takes 136 years"),
]


def by_name(name):
    for scenario in [*SCENARIOS, *GUESTS]:
        if scenario.name == name:
            return scenario
    raise KeyError(name)
