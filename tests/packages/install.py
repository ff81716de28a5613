#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The packages' life on one machine: install, configure, upgrade under a connection, remove, purge. Another
system than this one's with NLB_PACKAGE_ROOT. What deb-systemd-invoke would have systemd do, a stand-in does:
the machine has none."""
import os
import re
import socket
import stat
import subprocess
import sys
from pathlib import Path

from machine import ROOT, lowest_layer, machines_with_packages, package_files, run_apart

sys.path.insert(0, str(ROOT / "tests/live"))
from live import need, wait_for  # pylint: disable=wrong-import-position

PIDS = "pidof nlbd nlb-vmswitch nlb-console"
UNITS = " ".join(f"/lib/systemd/system/{unit}.service" for unit in ("nlbd@", "nlb-vmswitch", "nlb-console"))
PACKAGES = ["opennlb", "opennlb-tools", "opennlb-vmswitch", "opennlb-console", "opennlb-doc"]
VIP = "192.0.2.100"
START = "setsid nlbd --config /etc/opennlb/web.toml --user opennlb >>/run/nlbd.log 2>&1 </dev/null &"
# What dpkg, apt and systemd write for themselves, whatever package comes and goes.
OTHERS = re.compile(r"var/(lib/dpkg|lib/apt|cache|log)/|var/lib/systemd/catalog/database$|etc/\.pwd\.lock$|"
                    r"root/|usr/local/|etc/(passwd|group|shadow|gshadow|subuid|subgid)-$|"
                    r"etc/dpkg/dpkg.cfg.d/test$|etc/ld\.so\.cache$")
STAND_IN = f"""#!/bin/sh
echo "$@" >>/run/asked-of-systemd
case "$*" in
"try-restart nlbd@*.service")
  old=$(pidof nlbd)
  kill -TERM $old
  while kill -0 $old 2>/dev/null; do sleep 0.01; done
  {START}
esac
"""
# To enable units needs no systemd; the rest is written down.
SYSTEMCTL = """#!/bin/sh
[ "$1" != --system ] || { echo "$@" >>/run/asked-of-systemd; exit; }
SYSTEMD_OFFLINE=1 exec /bin/systemctl "$@"
"""


class Echo:
    """A connection of a client through the VIP."""

    def __init__(self):
        self.peer = socket.create_connection((VIP, 80), timeout=5)

    def works(self, text):
        self.peer.sendall(text)
        return self.peer.recv(64) == text


def newer(files, place):
    """The same packages with a higher version and other units."""
    place.mkdir()
    result = []
    for file in files:
        tree = place / file.stem
        subprocess.run(["dpkg-deb", "-R", file, tree], check=True)
        control = tree / "DEBIAN/control"
        version = re.search(r"^Version: (.*)$", control.read_text(), re.M)[1]
        control.write_text(control.read_text().replace(version, version + "+1"))
        for unit in tree.glob("lib/systemd/system/*.service"):
            unit.write_text(unit.read_text() + "# newer\n")
        result.append(place / file.name)
        subprocess.run(["dpkg-deb", "-Znone", "-b", tree, result[-1]], check=True, stdout=subprocess.DEVNULL)
    return result


def installed(run, machine):
    with run.case("installed: nothing runs, no interface is touched, the directory is the daemon's"):
        machine.inside("dpkg -i *.deb")
        need(machine.inside(PIDS, check=False).returncode != 0, "a daemon runs")
        need(VIP not in machine.inside("ip address; nft list ruleset").stdout, "something was configured")
        said = machine.inside("stat -c '%a %U:%G' /etc/opennlb").stdout.strip()
        need(said == "2755 opennlb:opennlb", said)
    with run.case("systemd finds nothing to object to in the units"):
        done = machine.inside(f"systemd-analyze verify --man=no {UNITS}")
        need(not done.stdout + done.stderr, done.stdout + done.stderr)
    with run.case("each program finds its libraries and has a manual, in its package"):
        files = machine.inside("dpkg -L opennlb opennlb-tools opennlb-vmswitch opennlb-console").stdout
        for program in ("nlb", "nlbd", "nlb-vmswitch", "nlb-sim", "nlb-console"):
            machine.inside(f"{program} --help")
            need(f"/{program}." in files, program)
    with run.case("bash completes from the installed file"):
        script = ("source /usr/share/bash-completion/completions/nlb; "
                  "COMP_WORDS=(nlb rule a); COMP_CWORD=2; _nlb; ")
        need(machine.inside(f"bash -c '{script} echo \"${{COMPREPLY[*]}}\"'").stdout == "add\n", "rule a")


def configured(run, machine):
    with run.case("a cluster whose daemon has a user of its own; its key is nobody else's"):
        machine.inside(f"nlb init web --vip {VIP}/24 --ports 80 && nlb --cluster web keygen")
        need(machine.inside("stat -c '%a %U' /etc/opennlb/web.key").stdout == "600 opennlb\n", "the key")
        machine.inside(START)
        machine.inside("nlb query --wait-converged --timeout 20")
    with run.case("the daemon rewrites its configuration, also one that root has written"):
        machine.inside("chown root:root /etc/opennlb/web.toml; chmod 644 /etc/opennlb/web.toml")
        machine.inside("nlb rule add 443 --protocol tcp")
        need('"443"' in machine.inside("cat /etc/opennlb/web.toml").stdout, "rule 443 is not in the file")
        machine.inside("nlb query --wait-converged --timeout 20")
    with run.case("who may ask the daemon may not write in its directory"):
        member = "setpriv --reuid nobody --regid nogroup --groups opennlb"
        machine.inside(f"{member} nlb query")
        for attempt in ("mv /etc/opennlb/web.toml /etc/opennlb/x", "touch /etc/opennlb/vmswitch.toml",
                        "rm -f /etc/opennlb/web.key", "cat /etc/opennlb/web.key"):
            done = machine.inside(f"{member} {attempt}", check=False)
            need(done.returncode != 0, f"he may: {attempt}")
    with run.case("the unit's reload, as the daemon's user"):
        unit = machine.inside("cat /lib/systemd/system/nlbd@.service").stdout
        reload = re.search(r"^ExecReload=(.*)$", unit, re.M)[1].replace("%i", "web")
        machine.inside(f"runuser -u opennlb -- {reload}")
    with run.case("units are enabled"):
        machine.inside("systemctl enable nlbd@web nlb-console")
    with run.case("a guarded bridge"):
        machine.inside("ip link add br0 type bridge; ip link set br0 up")
        machine.write("etc/opennlb/vmswitch.toml", '[[switch]]\nbridge = "br0"\n', 0o644)
        machine.inside("setsid nlb-vmswitch --config /etc/opennlb/vmswitch.toml >>/run/nlbd.log 2>&1 "
                       "</dev/null &")
        wait_for("the guard", lambda: machine.inside("nlb vmswitch show", check=False).returncode == 0, 10)


def upgraded(run, machine):
    machine.start("busybox nc -l -p 80 -e /bin/cat", machine.place / "service.log")
    wait_for("the service", lambda: "LISTEN" in machine.inside("ss -Htln sport = :80").stdout, 5)
    echo = Echo()
    with run.case("an upgrade: the connection goes on, and what is in force is taken over"):
        need(echo.works(b"before"), "before")
        daemon = machine.inside("pidof nlbd").stdout
        machine.inside("mkdir -p /run/systemd/system")
        machine.bring(newer(package_files(PACKAGES), machine.place / "newer"))
        machine.inside("dpkg -i *.deb")
        asked = machine.inside("cat /run/asked-of-systemd").stdout.splitlines()
        for restart in ("try-restart nlbd@*.service", "try-restart nlb-console.service",
                        "restart nlb-vmswitch.service"):
            need(restart in asked, f"no {restart} was asked for")
            need(f"stop {restart.split()[1]}" not in asked, f"stopped, so that nothing is left for {restart}")
            need(asked[asked.index(restart) - 1] == "--system daemon-reload", f"the old unit: {restart}")
        need(machine.inside("pidof nlbd").stdout != daemon, "the daemon is the old one")
        need(echo.works(b"while it starts"), "during the restart")
        machine.inside("nlb query --wait-converged --timeout 20")
        need(echo.works(b"after"), "after")
        bound = machine.inside("nlb events").stdout.rsplit("bound", 1)[-1]
        need("in force already" in bound, f"the new daemon did not take over what it found: {bound}")


def removed(run, machine):
    with run.case("removed: the host has left, nothing of it is in force; configuration and key are kept"):
        machine.inside(f"dpkg -r {' '.join(PACKAGES)}")
        need(machine.inside(PIDS, check=False).returncode != 0, "a daemon runs")
        left = machine.inside("ip -br address; tc qdisc show dev eth0; bridge fdb show dev eth0; "
                              "nft list ruleset; ip -d link show eth0; ls /sys/fs/bpf")
        for trace in (VIP, "clsact", "02:bf:", "nlb", "prog/xdp", "opennlb"):
            need(trace not in left.stdout, f"{trace}:\n{left.stdout}")
        need("web.key" in machine.inside("ls /etc/opennlb").stdout, "the key is gone")


def what_is_left(machine):
    """Files of the topmost layer, by their paths, but for those of others."""
    found = []
    for directory, names, files in os.walk(machine.upper):
        for name in names + files:
            path = Path(directory, name)
            inside = path.relative_to(machine.upper).as_posix()
            status = path.lstat()
            ours = not stat.S_ISDIR(status.st_mode) or "nlb" in name
            below = lowest_layer() / inside
            same = (stat.S_ISREG(status.st_mode) and below.is_file()
                    and below.read_bytes() == path.read_bytes())
            gone = stat.S_ISCHR(status.st_mode) and not below.exists()
            if ours and not same and not gone and not OTHERS.match(inside):
                found.append(inside)
    return found


def purged(run, machine):
    with run.case("purged: no file, no directory, no user is left"):
        machine.inside(f"dpkg --purge {' '.join(PACKAGES)}")
        accounts = machine.inside("getent passwd opennlb; getent group opennlb", check=False).stdout
        need(accounts == "", f"the user is left: {accounts}")
        run_time = machine.inside("ls -A /run | grep nlb", check=False).stdout
        need(run_time in ("", "nlbd.log\n"), f"in /run: {run_time}")
        machine.end()
        left = what_is_left(machine)
        need(not left, ", ".join(left))


def scenario(run):
    machine = machines_with_packages(["web1"], PACKAGES)["web1"]
    machine.write("usr/local/bin/deb-systemd-invoke", STAND_IN)
    machine.write("usr/local/bin/systemctl", SYSTEMCTL)
    try:
        installed(run, machine)
        configured(run, machine)
        upgraded(run, machine)
        removed(run, machine)
        purged(run, machine)
    finally:
        if any(failure for _, _, failure in run.results):
            print(machine.inside("cat /run/nlbd.log", check=False).stdout)


if __name__ == "__main__":
    run_apart("package_install", scenario)
