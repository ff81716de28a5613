#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The shipped units under systemd as process 1: the packages on a whole Debian 12 in a virtual machine,
through restart, crash, reboot and removal. Minutes, by `make systemd-test`: other tests only read the
units."""
import argparse
import json
import re
import shutil
import sys

from booted import Booted
from install import newer
from machine import ROOT, package_files

sys.path.insert(0, str(ROOT / "tests/live"))
from live import Run, need, wait_for  # pylint: disable=wrong-import-position

PACKAGES = ["opennlb", "opennlb-tools", "opennlb-vmswitch", "opennlb-console"]
UNITS = ["nlbd@web", "nlb-vmswitch", "nlb-console"]
VIP = "192.0.2.100"
MOST_EXPOSED = 2.5
# A connection through the VIP: a number every 50 ms, each has to come back.
STREAM = f"""#!/bin/bash
exec 3<>/dev/tcp/{VIP}/80
for ((number = 0;; ++number)); do
  echo $number >&3
  read -t 20 -u 3 back && [ "$back" = $number ] || exit 1
  echo $number >/run/stream
  sleep 0.05
done
"""
CHECK = "#!/bin/sh\ngrep ^CapEff /proc/self/status >&2; exit 0\n"
HEALTH = '\n[[port_rule.health]]\ntype = "exec"\ntarget = "/usr/local/bin/check"\n'
CONVERGED = "nlb query --wait-converged --timeout 30"


def write(machine, path, text):
    machine.says(f"cat >{path} <<'END'\n{text}END\nchmod 755 {path}")


class Stream:
    def __init__(self, machine):
        self.machine = machine
        write(machine, "/usr/local/bin/stream", STREAM)
        machine.says("kill $(pidof -x stream) $(pidof busybox); rm -f /run/stream; "
                     "setsid busybox nc -ll -p 80 -e /bin/cat >/dev/null 2>&1 &")
        wait_for("its service", lambda: "LISTEN" in machine.says("ss -Htln sport = :80"), 20)
        machine.says("setsid ip netns exec client stream >/dev/null 2>&1 &")
        wait_for("the stream", lambda: self.number() > 0, 20)

    def number(self):
        return int(self.machine.inside("cat /run/stream", check=False)[1].strip() or 0) \
            if self.machine.inside("test -s /run/stream", check=False)[0] == 0 else 0

    def goes_on(self):
        need(self.machine.inside("pidof -x stream", check=False)[0] == 0, "the connection has ended")
        before = self.number()
        wait_for("an answer through the VIP", lambda: self.number() > before, 20)


def exposure(machine, unit):
    rated = float(re.search(r"exposure level for .*: ([0-9.]+)",
                            machine.says(f"systemd-analyze security --no-pager {unit}"))[1])
    need(rated <= MOST_EXPOSED, f"{unit}: {rated}")
    return rated


def installed(run, machine):
    with run.case("installed: no unit of ours runs, none has failed, dpkg complains of nothing"):
        said = machine.says("dpkg -i *.deb", seconds=180)
        need("ould not" not in said and "rror" not in said, said)
        need(machine.says("pidof nlbd nlb-vmswitch nlb-console || true") == "", "a daemon runs")
        for unit in UNITS:
            state = machine.inside(f"systemctl is-active {unit}", check=False)[1].strip()
            need(state == "inactive", f"{unit}: {state}")


def cluster(run, machine):
    with run.case("the quick start: init, keygen, systemctl enable --now nlbd@web, converged"):
        machine.says(f"nlb init web --vip {VIP}/24 --ports 80 && nlb --cluster web keygen")
        machine.says("systemctl enable --now nlbd@web")
        machine.says(CONVERGED)
        need(VIP in machine.says("ip -br address show eth0"), "no VIP")
        need("user=opennlb" in machine.says("echo user=$(ps -o user= -p $(pidof nlbd))"), "not its user")
    with run.case("it is ready and rated as promised") as notes:
        shown = machine.says("systemctl show -p ActiveState,StatusText,NRestarts nlbd@web").splitlines()
        need(sorted(shown) == ["ActiveState=active", "NRestarts=0", "StatusText=running"], f"{shown}")
        notes.append(exposure(machine, "nlbd@web"))
    with run.case("a user of its group may ask, others not"):
        machine.says("useradd -G opennlb member; useradd stranger")
        machine.says("runuser -u member -- nlb query")
        need(machine.inside("runuser -u stranger -- nlb query", check=False)[0] == 4, "a stranger may")
    with run.case("reload: a health check by a program that has no right"):
        write(machine, "/usr/local/bin/check", CHECK)
        machine.says(f"cat >>/etc/opennlb/web.toml <<'END'{HEALTH}END\nsystemctl reload nlbd@web")
        wait_for("a good check", lambda: "well" in machine.says("nlb query"), 15)
    with run.case("events are in the journal and in the event file"):
        for command in ("journalctl -u nlbd@web -o cat --no-pager", "cat /var/lib/opennlb/web/events.jsonl"):
            need("reloaded" in machine.says(command), command)


def restarted(run, machine):
    stream = Stream(machine)
    with run.case("systemctl restart: the connection goes on, the filter in force is taken over"):
        machine.says("systemctl restart nlbd@web")
        machine.says(CONVERGED)
        stream.goes_on()
        need("in force already" in machine.says("nlb events").rsplit("bound", 1)[-1], "bound anew")
    with run.case("killed: systemd starts it again, the connection goes on"):
        before = machine.says("pidof nlbd")
        machine.says("kill -KILL $(pidof nlbd)")
        wait_for("another daemon", lambda: machine.inside("pidof nlbd", check=False)[1].strip()
                 not in ("", before), 20)
        wait_for("converged", lambda: machine.inside(CONVERGED, check=False)[0] == 0, 30)
        stream.goes_on()
        need("NRestarts=1" in machine.says("systemctl show -p NRestarts nlbd@web"), "not by systemd")


def guarded(run, machine):
    with run.case("nlb-vmswitch: a bridge is guarded; reload and restart keep it") as notes:
        machine.says("ip link add br0 type bridge; ip link set br0 up; ip link add p0 type veth peer name p1;"
                     "ip link set p0 master br0 up; "
                     "printf '[[switch]]\\nbridge = \"br0\"\\n' >/etc/opennlb/vmswitch.toml;"
                     "systemctl start nlb-vmswitch && systemctl reload nlb-vmswitch")
        need("p0 on br0" in machine.says("nlb vmswitch show"), "p0 is not there")
        machine.says("systemctl restart nlb-vmswitch")
        log = machine.says("journalctl -u nlb-vmswitch -o cat --no-pager")
        need("going on with what an earlier daemon left" in log and "warning" not in log.lower(), log)
        notes.append(exposure(machine, "nlb-vmswitch"))
    with run.case("with its mounts and rights it sees which files another user's process has open"):
        machine.says("nsenter --target $(pidof nlb-vmswitch) --mount setpriv --bounding-set "
                     "-all,+sys_ptrace,+dac_read_search --no-new-privs ls /proc/$(pidof nlbd)/fd/1")


def watched(run, machine):
    with run.case("nlb-console: answers on loopback as its own user, who sees the cluster") as notes:
        machine.says("systemctl enable --now nlb-console")
        page = "curl -sf http://127.0.0.1:8420/"
        wait_for("its page", lambda: machine.inside(page, check=False)[0] == 0, 15)
        machine.says("runuser -u opennlb-console -- nlb query")
        notes.append(exposure(machine, "nlb-console"))


def upgraded(run, machine):
    stream = Stream(machine)
    with run.case("upgraded: each daemon is a new one under its new unit, the connection goes on") as notes:
        units = {unit: machine.says(f"systemctl show -p MainPID --value {unit}") for unit in UNITS}
        for file in newer(package_files(PACKAGES), machine.place / "newer"):
            shutil.copy(file, machine.share)
        said = machine.says("dpkg -i /run/share/*.deb", seconds=300)
        need("ould not" not in said and "arning" not in said, said)
        stream.goes_on()
        machine.says(CONVERGED)
        stream.goes_on()
        for unit, before in units.items():
            shown = machine.says(f"systemctl show -p ActiveState,NeedDaemonReload,MainPID {unit}")
            need("ActiveState=active" in shown and "NeedDaemonReload=no" in shown,
                 f"{unit}: {shown}\n" + machine.says(f"journalctl -u {unit} --no-pager | tail -30"))
            need(f"MainPID={before}\n" not in f"{shown}\n", f"{unit} is the old one")
        need("in force already" in machine.says("nlb events").rsplit("bound", 1)[-1], "bound anew")
        notes.append(machine.says("nlb --version"))
    with run.case("the guard and the console's page are there again"):
        need("p0 on br0" in machine.says("nlb vmswitch show"), "p0 is not there")
        page = "curl -sf http://127.0.0.1:8420/"
        wait_for("its page", lambda: machine.inside(page, check=False)[0] == 0, 15)


def rebooted(run, machine):
    with run.case("after a reboot: a member again, guard and console run, nothing failed") as notes:
        notes.append(f"{machine.reboot():.0f} s")
        machine.says(CONVERGED)
        need(VIP in machine.says("ip -br address show eth0"), "no VIP")
        machine.says("systemctl is-active nlbd@web nlb-vmswitch nlb-console")
        failed = json.loads(machine.says("systemctl list-units --failed --output=json"))
        need(not failed, f"{failed}")


def removed(run, machine):
    with run.case("removed under systemd: nothing of ours runs or is in force"):
        machine.says(f"dpkg -r {' '.join(PACKAGES)}", seconds=180)
        runs = machine.says("ps -e -o args= | grep -E '^/usr/s?bin/nlb' || true")
        need(runs == "", f"a daemon runs: {runs}")
        left = machine.says("ip -br address; tc qdisc show; nft list ruleset; ls /sys/fs/bpf")
        for trace in (VIP, "clsact", "nlb"):
            need(trace not in left, f"{trace}:\n{left}")


def purged(run, machine):
    with run.case("purged under systemd: no file, unit, user or directory of ours is left"):
        machine.says(f"dpkg --purge {' '.join(PACKAGES)}", seconds=180)
        others = " ".join(f"-path '{path}' -prune -o" for path in
                          ("/proc", "/sys", "/root", "/run/share", "/var/lib/dpkg"))
        left = machine.says(f"find / {others} -iname '*nlb*' -print; getent passwd | grep nlb;"
                            "getent group | grep nlb; systemctl list-unit-files | grep nlb; true")
        need(left == "", left)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", default="package_systemd")
    parser.add_argument("--parts", nargs="+", help="only these, in the usual order: installed cluster …")
    options = parser.parse_args()
    if shutil.which("qemu-system-x86_64") is None:
        sys.exit("systemd: qemu-system-x86_64 is not installed; run `make deps`")
    run = Run(options.name, None, False)
    machine = Booted(PACKAGES)
    try:
        with run.case("Debian boots") as notes:
            notes.append(f"{machine.boot():.0f} s, Linux {machine.says('uname -r')}, "
                         f"{machine.says('systemctl --version').splitlines()[0]}")
        for part in (installed, cluster, restarted, guarded, watched, upgraded, rebooted, removed, purged):
            if options.parts and part.__name__ not in options.parts:
                continue
            with run.case(f"{part.__name__}: to its end"):
                part(run, machine)
    finally:
        machine.end()
    run.write()
    sys.exit(run.conclusion())


if __name__ == "__main__":
    main()
