# SPDX-License-Identifier: Apache-2.0
"""A whole Debian 12 as a virtual machine: its own kernel, systemd as process 1, a disk that outlives reboots.
Commands go through a directory that both sides see; the machine has a network in itself alone: `eth0`
192.0.2.11, on the other end of the cable a namespace `client`, 192.0.2.1."""
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import ROOT, package_files

sys.path.insert(0, str(ROOT / "tests/guest"))
import qemu  # pylint: disable=wrong-import-position

PACKAGES = ["systemd-sysv", "udev", "dbus", "linux-image-amd64", "iproute2", "nftables", "busybox-static",
            "procps", "curl"]
DISK_MB = 2048
FILES = {
    "etc/fstab": "/dev/vda / ext4 defaults 0 1\n",
    "etc/hostname": "web1\n",
    "etc/systemd/system/commands.service": """[Unit]
DefaultDependencies=no
After=local-fs.target
[Service]
ExecStart=/usr/local/sbin/commands
[Install]
WantedBy=sysinit.target
""",
    # The next command's number, its text, its output, its exit code: one after the other.
    "usr/local/sbin/commands": """#!/bin/bash
modprobe 9pnet_virtio
mkdir -p /run/share && mount -t 9p -o trans=virtio,version=9p2000.L,msize=131072 share /run/share || exit 1
cd /root
export DEBIAN_FRONTEND=noninteractive HOME=/root
for ((number = 0;; ++number)); do
  until [ -e /run/share/$number.sh ]; do sleep 0.1; done
  bash /run/share/$number.sh </dev/null >/run/share/$number.out 2>&1
  echo $? >/run/share/exit.new
  mv /run/share/exit.new /run/share/$number.exit
done
""",
    "etc/systemd/system/cable.service": """[Unit]
Before=network-online.target network.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/cable
[Install]
WantedBy=multi-user.target network-online.target
""",
    "usr/local/sbin/cable": """#!/bin/sh
set -e
ip netns add client
ip link add eth0 type veth peer name eth0 netns client
ip address add 192.0.2.11/24 dev eth0
ip link set eth0 up
ip -n client address add 192.0.2.1/24 dev eth0
ip -n client link set lo up
ip -n client link set eth0 up
ip route add default via 192.0.2.1
""",
}
ENABLED = {"sysinit.target": "commands", "multi-user.target": "cable", "network-online.target": "cable"}


def write_files(root):
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755 if text.startswith("#!") else 0o644)
    for target, unit in ENABLED.items():
        link = root / f"etc/systemd/system/{target}.wants/{unit}.service"
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(f"../{unit}.service")


def make_disk(place, packages):
    """A fresh system and the packages' files in /root: (disk, kernel, initramfs)."""
    fresh = ROOT / "build/root/systemd"
    subprocess.run([ROOT / "tools/debian-root.sh", fresh, *PACKAGES], check=True)
    root = place / "root"
    subprocess.run(["cp", "-a", "--reflink=auto", fresh, root], check=True)
    write_files(root)
    for file in package_files(packages):
        shutil.copy(file, root / "root")
    disk = place / "disk"
    subprocess.run(["mkfs.ext4", "-q", "-d", root, disk, f"{DISK_MB}M"], check=True,
                   stdout=subprocess.DEVNULL)
    boot = {kind: next((root / "boot").glob(f"{kind}-*")).rename(place / kind)
            for kind in ("vmlinuz", "initrd.img")}
    shutil.rmtree(root)
    return disk, boot["vmlinuz"], boot["initrd.img"]


class Booted:
    """The machine from one boot to the next; `boot` again after a command that reboots it."""

    def __init__(self, packages):
        self.place = Path(tempfile.mkdtemp(prefix="nlb-booted-", dir=ROOT / "build"))
        self.process, self.boots, self.number, self.share = None, 0, 0, None
        self.disk, self.kernel, self.initramfs = make_disk(self.place, packages)

    def command(self):
        words = "root=/dev/vda rw console=ttyS0 mitigations=off systemd.show_status=no quiet"
        return ["setpriv", "--pdeathsig", "KILL", qemu.QEMU, "-M", "q35", "-cpu", "qemu64",
                "-accel", qemu.accelerator(), "-smp", "1", "-m", "1024", "-nodefaults", "-no-user-config",
                "-no-reboot", "-display", "none", "-serial", f"file:{self.share}/console.log",
                "-device", "virtio-rng-pci", "-kernel", str(self.kernel), "-initrd", str(self.initramfs),
                "-append", words, "-drive", f"file={self.disk},format=raw,if=virtio,cache=unsafe",
                "-virtfs", f"local,path={self.share},mount_tag=share,security_model=none"]

    def boot(self, seconds=180):
        """How long it took until systemd said that all is started."""
        self.boots += 1
        self.share = self.place / f"boot{self.boots}"
        self.share.mkdir()
        self.number = 0
        begin = time.monotonic()
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL)
        self.inside("systemctl is-system-running --wait", check=False, seconds=seconds)
        return time.monotonic() - begin

    def inside(self, text, check=True, seconds=60):
        """(exit code, what was said) of a command line as root."""
        script = self.share / f"{self.number}.sh"
        answer = script.with_suffix(".exit")
        script.with_suffix(".new").write_text(text + "\n", encoding="utf-8")
        script.with_suffix(".new").rename(script)
        self.number += 1
        end = time.monotonic() + seconds
        while not answer.exists():
            if self.process.poll() is not None or time.monotonic() > end:
                raise qemu.Failure(f"no answer to: {text}\n{qemu.console(self.share)[-3000:]}")
            time.sleep(0.05)
        code = int(answer.read_text())
        said = script.with_suffix(".out").read_text(errors="replace")
        if check and code != 0:
            raise qemu.Failure(f"{text}: exit {code}\n{said}")
        return code, said

    def says(self, text, **options):
        return self.inside(text, **options)[1].strip()

    def reboot(self):
        """As an administrator does it; how long until all is started again."""
        self.says("systemd-run --quiet --on-active=1 systemctl reboot")
        self.process.wait(timeout=120)
        return self.boot()

    def end(self):
        if self.process is not None:
            qemu.end(self.process)
        shutil.rmtree(self.place, ignore_errors=True)
