#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The kernel programs on Debian's kernel: one guest under QEMU loads every BPF object and runs the packet
fixtures.

This machine's kernel may be newer (or older) than the one that people run; the verifier and the helpers
differ. In the guest, tests do what they do here; their cases come back as GoogleTest files and are counted.
It needs no KVM, and has no reason to be left out: where the guest does not boot, that is a failure, with the
guest's console.
"""
import argparse
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml
from pathlib import Path

import qemu

ROOT = Path(__file__).resolve().parents[2]
BUILDER = ROOT / "lab/guest/image.py"
BOOT_S, LIMIT_S = 40, 450
# Random frames cost an emulated processor ten times as much as a real one.
ENVIRONMENT = {"NLB_RANDOM_PACKETS": 20000, "NLB_GUARD_FRAMES": 20000}
# The only reason for which a case may be left out here: what these cases test came with Linux 6.6.
NOT_IN_THIS_KERNEL = "this kernel has no tcx"


def objects_of(build):
    """The object of each kernel program in bpf/, as it is built in (not those of the upgrade test)."""
    built = [path for path in sorted(build.glob("bpf/*/*.bpf.o")) if not path.parent.name.endswith("_next")]
    names = {path.name for path in built}
    missing = [path.name for path in ROOT.glob("bpf/*.bpf.c") if path.name[:-1] + "o" not in names]
    if missing or not built:
        sys.exit(f"not built: {missing or 'any BPF object'}")
    return built


def interpreter():
    """The packages of Debian's Python, for the filter's oracle."""
    name = Path("/usr/bin/python3").resolve().name
    return ["python3-minimal", f"{name}-minimal", f"lib{name}-minimal"]


def image_of(build, programs, objects, files):
    also = [*programs, *objects, *files]
    done = subprocess.run([sys.executable, BUILDER, "--build", build, "--name", "tests", "--also", *also,
                           "--packages", *interpreter()], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    if done.returncode != 0:
        raise qemu.Failure(f"the guest's image cannot be built: {done.stdout}")
    return Path(done.stdout.splitlines()[-1])


def script_of(programs, objects):
    """What the guest does: load each object, then run the programs, two at a time."""
    lines = ["uname -r >/share/kernel", "cd /tmp"]
    lines += [f"export {name}={value}" for name, value in ENVIRONMENT.items()]
    for number, path in enumerate(objects):
        pins = f"/sys/fs/bpf/load{number}"
        lines.append(f"mkdir -p {pins}; bpftool prog loadall {path} {pins} >/share/{path.name}.txt 2>&1; "
                     f"echo $? >/share/{path.name}.exit")
    lines.append("cat >/tmp/one.sh <<'END'")
    lines.append('name=${1##*/}; GTEST_OUTPUT=xml:/share/$name.xml "$1" >/share/$name.txt 2>&1')
    lines.append("echo $? >/share/$name.exit")
    lines.append("END")
    lines.append("echo '" + "\n".join(map(str, programs)) + "' | xargs -n 1 -P 2 sh /tmp/one.sh")
    return "\n".join(lines)


def text_of(share, name):
    path = share / name
    return path.read_text(errors="replace").strip() if path.exists() else ""


class Results:
    """Cases for tools/count-tests.py, and what a person reads."""

    def __init__(self):
        self.cases, self.failed, self.not_here = [], 0, []

    def add(self, title, failure=None, classname="guest_kernel", seconds=0.0):
        case = xml.Element("testcase", name=title, classname=classname, status="run", result="completed",
                           time=f"{seconds:.3f}")
        if failure is not None:
            self.failed += 1
            xml.SubElement(case, "failure", message=failure)
            print(f"FAIL {classname}: {title}\n     " + failure.replace("\n", "\n     "), flush=True)
        self.cases.append(case)

    def add_program(self, share, name):
        """Each case that a GoogleTest program wrote; and that it came to its end."""
        before, exit_code = self.failed, text_of(share, f"{name}.exit")
        count = 0
        if (share / f"{name}.xml").exists():
            for case in xml.parse(share / f"{name}.xml").iter("testcase"):
                count += self.take(name, case)
        if exit_code != "0" and self.failed == before or count == 0:
            tail = "\n".join(text_of(share, f"{name}.txt").splitlines()[-40:])
            self.add("runs to its end", f"exit code {exit_code or 'unknown'}, {count} cases:\n{tail}", name)
        print(f"{name}: {count} cases, {self.failed - before} failed", flush=True)

    def take(self, name, case):
        """1 if it is a case of this kernel's."""
        title = f'{case.get("classname")}.{case.get("name")}'
        failures = [entry.get("message", "") for entry in case.findall("failure")]
        skipped = case.find("skipped")
        if case.get("status") == "notrun":
            return 0
        if skipped is not None and NOT_IN_THIS_KERNEL in skipped.get("message", ""):
            self.not_here.append(title)
            return 0
        if skipped is not None:
            failures.append(f'was skipped: {skipped.get("message", "")}')
        self.add(title, "\n".join(failures) if failures else None, name, float(case.get("time", 0)))
        return 1

    def write(self):
        if directory := os.environ.get("NLB_TEST_RESULTS"):
            root = xml.Element("testsuites")
            suite = xml.SubElement(root, "testsuite", name="guest_kernel")
            suite.extend(self.cases)
            xml.ElementTree(root).write(Path(directory) / "guest_kernel.xml")


def judge(results, share, programs, objects):
    for path in objects:
        said = text_of(share, f"{path.name}.txt")
        loaded = text_of(share, f"{path.name}.exit") == "0"
        results.add(f"{path.name} loads", None if loaded else said, "objects")
    for program in programs:
        results.add_program(share, program.name)
    if results.not_here:
        print(f"{len(results.not_here)} cases are of newer kernels ({NOT_IN_THIS_KERNEL}): "
              f"{', '.join(results.not_here)}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--programs", type=Path, nargs="+", required=True,
                        help="GoogleTest programs, the longest first")
    parser.add_argument("--files", type=Path, nargs="*", default=[], help="what the programs need besides")
    options = parser.parse_args()
    options.build = options.build.resolve()
    options.programs = [path.resolve() for path in options.programs]
    objects = objects_of(options.build)
    results, begin = Results(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="nlb-guest-") as directory:
        share = Path(directory)
        try:
            image = image_of(options.build, options.programs, objects, options.files)
            booted = qemu.run(image, share, script_of(options.programs, objects), BOOT_S, LIMIT_S)
            print(f"Linux {text_of(share, 'kernel')} booted after {booted:.1f} s ({qemu.accelerator()})",
                  flush=True)
            results.add("a guest boots Debian's kernel")
        except qemu.Failure as problem:
            results.add("a guest boots Debian's kernel and runs its tests", str(problem))
        if results.failed == 0 or list(share.glob("*.exit")):
            judge(results, share, options.programs, objects)
    results.write()
    print(f"{len(results.cases)} cases, {results.failed} failed, {time.monotonic() - begin:.0f} s")
    sys.exit(1 if results.failed else 0)


if __name__ == "__main__":
    main()
