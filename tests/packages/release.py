#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The release tarball of HEAD: made twice, in surroundings that leak into careless ones (umask, zone of time,
directory for temporary files), it has the same bits; and the console's pages are made from it without npm.
Part of `make package-test`, not of CI: each run asks npm's registry for what the pages are built with."""
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/live"))
from live import Run, need  # pylint: disable=wrong-import-position


def tarball(place, name, **surroundings):
    """What tools/dist.sh makes, under another name."""
    environment = {key: value for key, value in os.environ.items() if key != "SOURCE_DATE_EPOCH"}
    temporary = place / name
    temporary.mkdir()
    done = subprocess.run(["sh", "-c", f"umask {surroundings.pop('UMASK')}; exec tools/dist.sh"], cwd=ROOT,
                          env={**environment, "TMPDIR": str(temporary), **surroundings}, text=True,
                          capture_output=True, check=False)
    need(done.returncode == 0, done.stdout + done.stderr)
    made = ROOT / done.stdout.split()[-1]
    return Path(shutil.copy(made, place / f"{name}.tar.gz"))


def difference(one, other):
    """Members of which something differs, for whoever has to find out why."""
    described = []
    for path in (one, other):
        with tarfile.open(path) as tar:
            described.append({member.name: (member.get_info(),
                                            tar.extractfile(member).read() if member.isfile() else b"")
                              for member in tar})
    names = sorted(described[0].keys() | described[1].keys())
    return [name for name in names if described[0].get(name) != described[1].get(name)]


def without_npm(place):
    """A PATH of all that is in /usr/bin but npm and node."""
    tools = place / "tools"
    tools.mkdir()
    for directory in os.environ["PATH"].split(":"):
        for program in Path(directory).glob("*"):
            link = tools / program.name
            if program.name not in ("npm", "node", "nodejs", "npx") and not link.is_symlink():
                link.symlink_to(program)
    return str(tools)


def scenario(run, place):
    one = tarball(place, "one", UMASK="022", TZ="UTC", LC_ALL="C")
    with run.case("the same commit gives the same bits") as notes:
        other = tarball(place, "other", UMASK="077", TZ="Asia/Tokyo", LC_ALL="C.UTF-8")
        need(one.read_bytes() == other.read_bytes(), f"they differ in {difference(one, other)[:10]}")
        notes.append(f"{one.stat().st_size / 1048576:.1f} MiB")
    with run.case("it is configured, and has the console's pages, where there is no npm"):
        with tarfile.open(one) as tar:
            tar.extractall(place)
        source = next(place.glob("opennlb-*"))
        environment = {**os.environ, "PATH": without_npm(place)}
        for command in (["cmake", "--preset", "release"], ["cmake", "--build", "build", "--target", "web"]):
            done = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True,
                                  check=False)
            need(done.returncode == 0, done.stdout + done.stderr)
        pages = source / "build/share/opennlb/web"
        need("assets/" in (pages / "index.html").read_text(encoding="utf-8"), "index.html loads nothing")
        need(len(list((pages / "assets").iterdir())) >= 3, "scripts, style and icon are not all there")


def main():
    run = Run("package_release", None, False)
    with tempfile.TemporaryDirectory(prefix="nlb-release-") as place:
        with run.case("the scenario runs to its end"):
            scenario(run, Path(place))
    run.write()
    sys.exit(run.conclusion())


if __name__ == "__main__":
    main()
