# SPDX-License-Identifier: Apache-2.0
"""One QEMU guest that runs one script to its end, for tests: no network, one shared directory, a time limit.
"""
import os
import subprocess
import time
from pathlib import Path

QEMU = "qemu-system-x86_64"


class Failure(Exception):
    """The guest did not do what it should; the text says what was seen."""


class NotBooted(Failure):
    """It never came to its script."""


def accelerator():
    """TCG, unless NLB_LAB_ACCEL says otherwise: /dev/kvm may be there, and guests hang under it."""
    return "kvm" if os.environ.get("NLB_LAB_ACCEL") == "kvm" else "tcg,thread=multi"


def command(directory, share, image, megabytes):
    parameters = ("console=ttyS0 panic=-1 mitigations=off "
                  "nlb.share=share:/share nlb.run=/share/run.sh")
    return ["setpriv", "--pdeathsig", "KILL",  # a test that is killed takes its guest along
            QEMU, "-M", "q35", "-cpu", "qemu64", "-accel", accelerator(), "-smp", "2", "-m", str(megabytes),
            "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
            "-serial", f"file:{share}/console.log", "-device", "virtio-rng-pci",
            "-kernel", str(directory / "kernel/vmlinuz"), "-initrd", str(image), "-append", parameters,
            "-virtfs", f"local,path={share},mount_tag=share,security_model=none"]


def end(process):
    """Whatever has happened: no QEMU stays behind."""
    if process.poll() is None:
        process.kill()
    process.wait()


def console(share):
    path = Path(share, "console.log")
    return path.read_text(errors="replace") if path.exists() else ""


def run(image, share, script, boot_s, limit_s, megabytes=1024):
    """Boots, runs `script` (shell) with `share` mounted at /share; the seconds until the script began.

    Under TCG with two processors a kernel was seen to stand still before anything of ours ran (2 of 100 boots
    with rcupdate.rcu_expedited=1, none of 50 without). That says nothing about us, so it is tried a second
    time, and said."""
    try:
        return run_once(image, share, script, boot_s, limit_s, megabytes)
    except NotBooted as problem:
        print(f"tried again: {problem}", flush=True)
        return run_once(image, share, script, boot_s, limit_s, megabytes)


def run_once(image, share, script, boot_s, limit_s, megabytes):
    Path(share, "run.sh").write_text(f"echo booted >/share/booted\n{script}\necho ended >/share/ended\n")
    begin = time.monotonic()
    process = subprocess.Popen(command(image.parent, share, image, megabytes), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    booted = None
    try:
        while process.poll() is None:
            elapsed = time.monotonic() - begin
            if booted is None and Path(share, "booted").exists():
                booted = elapsed
            if elapsed > (boot_s if booted is None else limit_s):
                if booted is None:
                    raise NotBooted(f"the guest has not booted within {boot_s} s; its console:\n"
                                    f"{console(share)}")
                raise Failure(f"the guest's script has not ended within {limit_s} s; its console:\n"
                              f"{console(share)}")
            time.sleep(0.05)
    finally:
        end(process)
    said = process.stdout.read()
    if not Path(share, "ended").exists():
        kind, when = (Failure, "before its script did") if booted else (NotBooted, "while booting")
        raise kind(f"the guest ended {when} (QEMU's exit code {process.returncode}): {said}\n"
                   f"its console:\n{console(share)}")
    return booted or time.monotonic() - begin
