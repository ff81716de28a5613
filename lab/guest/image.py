#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds what a guest boots from: DIR/kernel/vmlinuz, and an initramfs made of busybox, our own programs, the
tools that go with them, and the shared libraries that all of these need.

Usage: image.py [--build build] [--name NAME] [--also FILE …]. By itself it makes build/vm/guest.cpio, the
guest of the lab; with it NAME.cpio, which has these files too, at the same absolute path. A program of ours
lies at its path in the build tree, so that a command means the same on both sides. Prints the initramfs's
path. Nothing is done when no file of it has changed.
"""
import argparse
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import kernel as kernel_package

HERE = Path(__file__).resolve().parent
TOOLS = ["bash", "bpftool", "bridge", "dash", "ethtool", "ip", "nft", "ping", "tc", "tcpdump"]
DIRECTORIES = ["dev", "etc", "proc", "root", "run", "sys", "tmp", "usr/bin", "usr/lib64", "usr/lib/busybox",
               "usr/sbin", "var/lib"]
LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64", "usr/bin/sh": "dash",
         "usr/bin/modprobe": "busybox", "usr/sbin/modprobe": "../bin/busybox", "usr/bin/env": "busybox",
         "init": "usr/lib/guest-init"}
FILES = {"etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
         "etc/group": "root:x:0:\nnogroup:x:65534:\n", "etc/hosts": "127.0.0.1 localhost\n"}


def found(program):
    for directory in ("/usr/sbin", "/usr/bin", "/sbin", "/bin"):
        if (path := Path(directory, program)).exists():
            return path
    sys.exit(f"guest: {program} is not installed; run `make deps`")


def libraries(program):
    """The shared libraries and the loader, under the names by which they are asked for."""
    done = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    return {Path(path) for path in re.findall(r"(?:=> |^\s+)(/\S+) \(0x", done.stdout, re.MULTILINE)}


def usr_merged(path):
    """Where it lies in an image in which /bin, /lib … are links into /usr."""
    text = str(path)
    return "/usr" + text if re.match(r"/(s?bin|lib(64)?)/", text) else text


class Contents:
    """Files of the image: {path in it: path here}."""

    def __init__(self):
        self.files, self.links = {}, dict(LINKS)

    def add(self, source, target=None):
        self.files[usr_merged(target or source)] = str(Path(source).resolve())

    def add_program(self, source, link=None):
        self.add(source)
        for library in libraries(source):
            self.add(library)
        if link:
            self.links[link] = str(source)

    def add_tree(self, source, target):
        for path in Path(source).rglob("*"):
            if path.is_file():
                self.add(path, f"{target}/{path.relative_to(source)}")

    def add_package(self, package):
        """A Debian package that is installed here (the interpreter of a test's oracle)."""
        listed = subprocess.run(["dpkg", "-L", package], capture_output=True, text=True, check=True).stdout
        for path in map(Path, listed.splitlines()):
            if path.is_symlink():
                self.links[usr_merged(path)[1:]] = os.readlink(path)
            elif path.is_file() and not str(path).startswith("/usr/share"):
                self.add_program(path) if os.access(path, os.X_OK) else self.add(path)

    def state(self):
        """What the image depends on; the same state, the same image."""
        stats = {path: os.stat(path) for path in self.files.values()}
        return {"files": self.files, "links": self.links, "texts": FILES,
                "times": {path: [stat.st_mtime_ns, stat.st_size] for path, stat in stats.items()}}


def contents_of(build, kernel, also, packages):
    contents = Contents()
    contents.add(HERE / "init.sh", "/usr/lib/guest-init")
    contents.add(HERE / "host.sh", "/usr/lib/guest-host")
    contents.add(found("busybox"), "/usr/bin/busybox")
    for tool in TOOLS:
        contents.add_program(found(tool))
    contents.add_program(build / "bin/nlb", "usr/bin/nlb")
    contents.add_program(build / "bin/nlbd", "usr/sbin/nlbd")
    contents.add_tree(kernel / "lib/modules", "/usr/lib/modules")
    for path in also:
        contents.add_program(path) if os.access(path, os.X_OK) else contents.add(path)
    for package in packages:
        contents.add_package(package)
    return contents


def stage(contents, root):
    for directory in DIRECTORIES:
        (root / directory).mkdir(parents=True, exist_ok=True)
    for target, source in contents.files.items():
        path = root / target[1:]
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)
        path.chmod(0o755 if os.access(source, os.X_OK) else 0o644)
    for name, target in contents.links.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(path):
            path.symlink_to(target)
    for name, text in FILES.items():
        (root / name).write_text(text)
    applets = subprocess.run(["busybox", "--list"], capture_output=True, text=True, check=True).stdout
    for applet in applets.split():
        (root / "usr/lib/busybox" / applet).symlink_to("/usr/bin/busybox")


def pack(root, image):
    names = sorted(str(path.relative_to(root)) for path in root.rglob("*"))
    with open(image, "wb") as out:
        subprocess.run(["busybox", "cpio", "-o", "-H", "newc", "-R", "0:0"], cwd=root, stdout=out, check=True,
                       input="\n".join(names).encode(), stderr=subprocess.DEVNULL)


def build_image(build, name, also, packages):
    directory = build / "vm"
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kernel = kernel_package.fetch(directory)
        contents = contents_of(build, kernel, also, packages)
        image, record = directory / f"{name}.cpio", directory / f"{name}.json"
        state = json.dumps(contents.state(), sort_keys=True)
        if image.exists() and record.exists() and record.read_text() == state:
            return image
        root = directory / f"{name}.root"
        shutil.rmtree(root, ignore_errors=True)
        stage(contents, root)
        pack(root, f"{image}.new")
        shutil.rmtree(root)
        os.replace(f"{image}.new", image)
        record.write_text(state)
        return image


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=Path, default=HERE.parents[1] / "build")
    parser.add_argument("--name", default="guest")
    parser.add_argument("--also", type=Path, nargs="*", default=[])
    parser.add_argument("--packages", nargs="*", default=[])
    options = parser.parse_args()
    also = [path.resolve() for path in options.also]
    try:
        print(build_image(options.build.resolve(), options.name, also, options.packages))
    except (kernel_package.Missing, OSError) as problem:
        sys.exit(f"guest: {problem}")


if __name__ == "__main__":
    main()
