#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The shipped systemd units: how exposed systemd finds them, and that they name what the daemons need."""
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "live"))
from live import SKIPPED, Run, need  # pylint: disable=wrong-import-position

ROOT = Path(__file__).resolve().parent.parent.parent
UNITS = {"nlbd@.service": 2.1, "nlb-vmswitch.service": 2.5, "nlb-console.service": 1.5}
GROUPS = {"nlbd@.service": "kOfNlbd", "nlb-vmswitch.service": "kOfVmswitch"}  # the console asks for none
SOURCE = ROOT / "src/linux/capabilities.cc"


def exposure(unit):
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", str(unit)], capture_output=True,
                          text=True, check=False)
    found = re.search(r"Overall exposure level for .*: ([0-9.]+)", done.stdout)
    need(found, done.stdout + done.stderr)
    return float(found[1])


def settings(unit):
    lines = [line.split("=", 1) for line in unit.read_text().splitlines() if "=" in line and line[0] != "#"]
    return {key: value.split() for key, value in lines}


def members(name):
    """The system calls of a group of systemd's, of groups in it, too."""
    if not name.startswith("@"):
        return {name}
    done = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True,
                          check=True)
    words = [line.strip() for line in done.stdout.splitlines()[1:] if line.strip()[:1] not in ("#", "")]
    return set().union(*(members(word) for word in words))


def allowed_calls(unit):
    """What is left when each SystemCallFilter has added or taken away, in their order."""
    allowed = set()
    for line in re.findall(r"^SystemCallFilter=(.*)$", unit.read_text(), re.M):
        calls = set().union(*(members(word) for word in line.lstrip("~").split()))
        allowed = allowed - calls if line.startswith("~") else allowed | calls
    return allowed


def required(group):
    """The capabilities that the program calls required; they are named once for both, then by group."""
    text = SOURCE.read_text()
    body = re.search(rf"constexpr std::array {group} = {{(.*?)}};", text, re.S)[1]
    shared = dict(re.findall(r"(k\w+) = {CAP_\w+, \"(CAP_\w+)\",[^}]*true}", text))
    own = re.findall(r"CapabilityNeed{(CAP_\w+),", body)
    return {shared[name] for name in re.findall(r"\bk\w+", body) if name in shared} | set(own)


def scenario(run):
    for name, most in UNITS.items():
        unit = ROOT / "packaging/systemd" / name
        with run.case(f"{name}: systemd rates its exposure at most {most}") as notes:
            rated = exposure(unit)
            need(rated <= most, f"{rated}")
            notes.append(str(rated))
        with run.case(f"{name}: the bounding set is what the program asks for, no more and no less"):
            wanted = required(GROUPS[name]) if name in GROUPS else set()
            given = set(settings(unit)["CapabilityBoundingSet"])
            need(given == wanted, f"unit {sorted(given)}, program {sorted(wanted)}")
        with run.case(f"{name}: bpf(2) is allowed to whom CAP_BPF is"):
            need(("bpf" in allowed_calls(unit)) == ("CAP_BPF" in wanted), "bpf and CAP_BPF differ")


def main():
    options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
    if subprocess.run(["systemd-analyze", "--version"], capture_output=True, check=False).returncode != 0:
        print("skipped: there is no systemd-analyze")
        sys.exit(SKIPPED)
    run = Run(options.get("--name", "security_units"), None, False)
    scenario(run)
    run.write()
    sys.exit(run.conclusion())


if __name__ == "__main__":
    main()
