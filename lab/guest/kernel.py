# SPDX-License-Identifier: Apache-2.0
"""Debian's kernel for the guests, without installing it: the package is unpacked below build/vm, and of its
modules only those remain that a guest can use (and what these need)."""
import shutil
import subprocess
from pathlib import Path

# Directories and single modules below kernel/.
WANTED = ["arch/x86/crypto", "crypto", "drivers/char/hw_random/virtio-rng.ko",
          "drivers/char/virtio_console.ko", "drivers/net/bonding", "drivers/net/dummy.ko",
          "drivers/net/ifb.ko", "drivers/net/macvlan.ko", "drivers/net/tun.ko", "drivers/net/veth.ko",
          "drivers/net/virtio_net.ko", "drivers/net/vrf.ko", "drivers/net/vxlan", "drivers/virtio", "fs/9p",
          "lib", "net/802", "net/8021q", "net/9p", "net/bridge", "net/core", "net/ipv4", "net/ipv6",
          "net/llc", "net/netfilter", "net/packet", "net/sched"]


class Missing(Exception):
    """The kernel cannot be had; the text says why and what to do."""


def command(*words, **options):
    done = subprocess.run(words, capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise Missing(f"`{' '.join(map(str, words))}` failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def package_name():
    """The versioned package behind linux-image-amd64."""
    for line in command("apt-cache", "depends", "--important", "linux-image-amd64").splitlines():
        if "Depends: linux-image-" in line:
            return line.split()[-1]
    raise Missing("apt knows no linux-image-amd64: guests need Debian's kernel package; `apt-get update`?")


def download(directory):
    try:
        command("apt-get", "download", package_name(), cwd=directory)
    except Missing:  # the lists may be old, or not there at all
        command("apt-get", "update", "-qq")
        command("apt-get", "download", package_name(), cwd=directory)
    return next(directory.glob("*.deb"))


def dependencies(modules):
    """{module: [what it needs]} by depmod."""
    pairs = (line.split(":") for line in (modules / "modules.dep").read_text().splitlines())
    return {name: needed.split() for name, needed in pairs}


def keep_wanted(modules):
    needs = dependencies(modules)
    wanted = tuple(f"kernel/{entry}" for entry in WANTED)
    kept = {name for name in needs if name.startswith(wanted)}
    kept |= {needed for name in kept for needed in needs[name]}
    for path in modules.glob("kernel/**/*.ko"):
        if path.relative_to(modules).as_posix() not in kept:
            path.unlink()


def fetch(directory):
    """The directory with vmlinuz and lib/modules/VERSION; made when it is not there."""
    done = directory / "kernel"
    if done.exists():
        return done
    print("guest: fetching Debian's kernel (70 MB, once)", flush=True)
    work = directory / "kernel.new"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    command("dpkg-deb", "-x", download(work), work / "package")
    modules = next((work / "package/lib/modules").iterdir())
    for narrowing in (True, False):
        command("busybox", "depmod", "-b", work / "package", modules.name)
        if narrowing:
            keep_wanted(modules)
    (work / "kernel").mkdir()
    shutil.copy2(next((work / "package/boot").glob("vmlinuz-*")), work / "kernel/vmlinuz")
    shutil.move(work / "package/lib", work / "kernel/lib")
    (work / "kernel").rename(done)
    shutil.rmtree(work)
    return done


def version(kernel):
    return next(Path(kernel, "lib/modules").iterdir()).name
