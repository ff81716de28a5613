#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The lab of real virtual machines: hosts are QEMU guests with a kernel of their own; all faults act on them.

Two guests (a third with --full), the accelerator that the lab takes (NLB_LAB_ACCEL forces one)."""
import json
import os
import signal
import subprocess
import tempfile
from pathlib import Path

from live import end_process, host_mac, lab_networks, main, need, need_no_failure, processes, wait_for


def in_guest(lab, host, *words, **options):
    return lab.lab("exec", f"host{host}", "--", *words, **options)


def boot_id(lab, host):
    return in_guest(lab, host, "cat", "/proc/sys/kernel/random/boot_id").stdout.strip()


def report(lab, host):
    """A host's entry of `lab status`."""
    return json.loads(lab.lab("status", "--json").stdout)["hosts"][host - 1]


def port(host):
    """The index of the host's tap at the switch; None when it is not there."""
    words = ["ip", "-n", "nlb-switch", "-j", "link", "show", "dev", f"h{host}"]
    shown = subprocess.run(words, capture_output=True, text=True, check=False)
    return json.loads(shown.stdout)[0]["ifindex"] if shown.returncode == 0 else None


def qemus():
    """The lab's machines, whoever started them."""
    return processes(lambda words: words[0].endswith("qemu-system-x86_64")
                     and any("mount_tag=run" in word for word in words))


def served_by(lab, *hosts):
    """Requests that none but these hosts answer, and each of them some."""
    figures = lab.load(200)
    need_no_failure(figures)
    need(sorted(map(int, figures["hosts"])) == sorted(hosts), f"served by {figures['hosts']}, not {hosts}")
    return figures["hosts"]


def the_guests(run, lab, hosts):
    with run.case("guests with a kernel of their own serve as one cluster") as notes:
        lab.up("--vm", hosts=len(hosts))
        kernel = in_guest(lab, 1, "uname", "-r").stdout.strip()
        need(kernel.startswith("6.1.") and kernel != os.uname().release, kernel)
        adapter = json.loads(in_guest(lab, 1, "nlb", "--json", "display").stdout)["adapter"]
        seen = [adapter[key] for key in ("driver", "datapath", "bind")]
        need(seen == ["virtio_net", "xdp-native", "bound"], adapter)
        need(adapter["mac_permanent"] == host_mac(1), adapter)
        notes.append(f"Linux {kernel}, {served_by(lab, *hosts)}")
    with run.case("a command in a guest has its streams and its exit code"):
        done = subprocess.run([lab.nlb_path, "lab", "exec", "host2", "--", "sh", "-c",
                               "cat; echo $NLB_SOCKET >&2; exit 7"], input="x" * 300_000, capture_output=True,
                              text=True, check=False, timeout=30)
        need(done.returncode == 7 and done.stdout == "x" * 300_000 and done.stderr.endswith("control.sock\n"),
             f"exit {done.returncode}, {len(done.stdout)} bytes, {done.stderr}")
    with run.case("a guest has one adapter, and its lab's commands need no network") as notes:
        links = in_guest(lab, 1, "ls", "/sys/class/net").stdout.split()
        need(links == ["eth0", "lo"], links)


def faults_of_nlbd(run, lab, hosts):
    with run.case("nlbd killed, paused and restarted in a guest"):
        lab.lab("fault", "kill", "host2")
        need(report(lab, 2)["nlbd"] == "not running", report(lab, 2))
        lab.wait_members([host for host in hosts if host != 2])
        lab.lab("start", "host2")
        lab.lab("fault", "pause", "host2")
        need(report(lab, 2)["nlbd"] == "paused", report(lab, 2))
        lab.wait_members([host for host in hosts if host != 2])
        lab.lab("fault", "resume", "host2")
        lab.wait_members(hosts)
        lab.lab("restart", "host2")
        lab.wait_members(hosts)
    with run.case("a guest that stands still is left out and comes back") as notes:
        lab.lab("fault", "pause", "host2", "host")
        lab.wait_members([host for host in hosts if host != 2])
        served_by(lab, *[host for host in hosts if host != 2])
        lab.lab("fault", "resume", "host2", "host")
        notes.append(f"back after {lab.wait_members(hosts, 30):.1f} s")


def faults_of_the_link(run, lab, hosts):
    with run.case("a guest sees its link go and come; its agent answers all the while"):
        lab.lab("fault", "cut", "host2")
        wait_for("no carrier in the guest",
                 lambda: in_guest(lab, 2, "cat", "/sys/class/net/eth0/carrier").stdout == "0\n", 5)
        lab.wait_members([host for host in hosts if host != 2])
        lab.lab("fault", "heal", "host2")
        lab.wait_members(hosts, 30)
        lab.lab("fault", "loss", "host2", "5")
        served_by(lab, *hosts)
        lab.lab("fault", "heal", "host2")


def reset(run, lab, hosts):
    """A reset ends no connection to the guest: those who wait for it have to find out."""
    with (run.case("the kernel of a guest panics: who waits for it is told, a follower follows on") as notes,
          tempfile.NamedTemporaryFile("w", encoding="utf-8") as followed):
        def told():
            return Path(followed.name).read_text(encoding="utf-8")
        follower = subprocess.Popen([lab.nlb_path, "--socket", lab.socket(2), "events", "--follow"],
                                    stdout=followed, stderr=subprocess.DEVNULL)
        try:
            wait_for("the follower begins", lambda: "converged" in told(), 5)
            begun = len(told())
            done = in_guest(lab, 2, "sh", "-c", "echo c >/proc/sysrq-trigger", check=False, timeout=60)
            need(done.returncode == 1 and "the guest has gone while `sh` ran" in done.stderr, done)
            lab.wait_members(hosts, 30)
            wait_for("the follower sees the new daemon converge", lambda: "converged" in told()[begun:], 15)
        finally:
            end_process(follower)
        notes.append(done.stderr.strip())


def power(run, lab, hosts):
    others = [host for host in hosts if host != 2]
    with run.case("a reboot inside the guest: another kernel, the same disk, the same port") as notes:
        before, index, qemu = boot_id(lab, 2), port(2), sorted(qemus())
        in_guest(lab, 2, "sh", "-c", "echo kept >/var/lib/opennlb-lab/host2/mark; echo gone >/tmp/mark")
        lab.lab("vm", "reboot", "web2", timeout=150)
        need(boot_id(lab, 2) != before, "the guest did not boot")
        need((port(2), sorted(qemus())) == (index, qemu), "the port or QEMU is another one")
        look = "cat /var/lib/opennlb-lab/host2/mark; test -e /tmp/mark || echo gone"
        seen = in_guest(lab, 2, "sh", "-c", look).stdout
        need(seen == "kept\ngone\n", seen)
        notes.append(f"nlbd by its init, converged after {lab.wait_members(hosts, 30):.1f} s more")
    with run.case("a guest without power: the others go on, and it boots again") as notes:
        gap = lab.gap("lab fault kill host2 host", seconds=4)
        notes.append(f"gap {gap['gap_ms']:.0f} ms")
        lab.wait_members(others)
        served_by(lab, *others)
        need(report(lab, 2)["nlbd"] == "dead" and len(qemus()) == len(others), report(lab, 2))
        lab.lab("start", "host2", "--timeout", 60, timeout=200)
        served_by(lab, *hosts)
    with run.case("stopped and started as an administrator does it") as notes:
        index = port(2)
        lab.lab("vm", "stop", "web2")
        need(port(2) is None and len(qemus()) == len(others), "its port or its QEMU is still there")
        lab.wait_members(others)
        lab.lab("vm", "start", "web2", "--timeout", 60, timeout=200)
        need(port(2) not in (None, index), "the port is not a new one")
        lab.wait_members(hosts, 30)
        served_by(lab, *hosts)


def guarded(run, lab):
    """The heart of the story, with a real machine: refused, and cured as an administrator does it."""
    def adapter():
        return json.loads(in_guest(lab, 1, "nlb", "--json", "display").stdout)["adapter"]
    with run.case("behind a guarded switch a guest is refused, before and after a reboot") as notes:
        lab.up("--vm", "--mac-spoofing", "off", hosts=1)
        for _ in range(2):
            wait_for("refused", lambda: adapter()["bind"] == "refused", 15)
            seen = adapter()
            need(seen["mac_current"] == host_mac(1) and "nlb vmswitch set" in seen["remedy"], seen)
            notes.append(seen["reason"])
            lab.lab("vm", "reboot", "web1", timeout=150)
    with run.case("with the property set while it is stopped, it converges at its next start") as notes:
        words = ["exec", "switch", "--", "nlb", "vmswitch", "set", "web1", "--mac-spoofing", "cluster",
                 "--cluster", "web", "--host-id", "1"]
        refusal = lab.lab(*words, check=False)
        need(refusal.returncode != 0 and "stop web1" in refusal.stderr, refusal.stderr)
        lab.lab("vm", "stop", "web1")
        lab.lab(*words)
        lab.lab("vm", "start", "web1", "--timeout", 60, timeout=200)
        seconds = lab.wait_members([1], 10)
        served_by(lab, 1)
        notes.append(f"{seconds:.1f} s after its nlbd answered")


def nothing_left(lab):
    need(not qemus(), f"QEMU is left: {qemus()}")
    need(not lab_networks(), f"namespaces are left: {lab_networks()}")
    for path in (lab.root, "/var/lib/opennlb-lab"):
        need(not Path(path).exists(), f"{path} is left")
    relays = processes(lambda words: words[1:3] == ["lab", "relay"])
    need(not relays, f"relays are left: {relays}")


def scenario(run):
    lab = run.lab
    hosts = [1, 2, 3] if run.full else [1, 2]
    the_guests(run, lab, hosts)
    faults_of_nlbd(run, lab, hosts)
    faults_of_the_link(run, lab, hosts)
    reset(run, lab, hosts)
    power(run, lab, hosts)
    with run.case("down leaves nothing, also after everything was killed"):
        for pid in qemus():
            os.kill(pid, signal.SIGKILL)
        lab.down()
        nothing_left(lab)
    if run.full:  # beyond what live_story_vm shows
        guarded(run, lab)
        with run.case("down while the guests boot"):
            lab.lab("up", "--vm", "--timeout", 1, check=False, timeout=200)
            lab.down()
            nothing_left(lab)


if __name__ == "__main__":
    main(scenario)
