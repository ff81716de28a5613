# SPDX-License-Identifier: Apache-2.0
"""Machines to install packages on: each a root of its own (an overlay, so that nothing of the real one is
changed), with processes, network and mounts of its own, all on one segment. They end with the process that
made them."""
import argparse
import atexit
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/live"))
from live import SKIPPED, Run  # pylint: disable=wrong-import-position

SEGMENT = "nlbpkg0"  # a bridge in the network namespace that the test runs in
GATEWAY = "192.0.2.1"
HOLDER = """
set -e
root=$1 layers=$2
mkdir -p $root/upper $root/work $root/root
mount -t overlay -o lowerdir=$layers,upperdir=$root/upper,workdir=$root/work packages $root/root
cd $root/root
hostname $3
mount --rbind /dev dev
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t bpf bpf sys/fs/bpf
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mkdir -p run/lock
ip link set lo up
echo ready
exec chroot . sh -c "sleep infinity & wait"  # the init, which reaps what daemons leave behind
"""


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def sh(command, **options):
    return subprocess.run(["sh", "-ec", command], check=True, capture_output=True, text=True, **options)


def make_segment():
    """Its bridge is the client and the gateway of the machines."""
    sh(f"ip link set lo up; ip link add {SEGMENT} type bridge; ip link set {SEGMENT} up;"
       f"ip addr add {GATEWAY}/24 dev {SEGMENT}")


class Machine:
    def __init__(self, name, layers, place):
        """layers: directories, the topmost first."""
        self.name = name
        self.place = Path(place) / name
        self.place.mkdir()
        command = ["unshare", "--mount", "--net", "--pid", "--uts", "--fork", "--kill-child",
                   "--propagation", "private", "sh", "-c", HOLDER, "holder", str(self.place),
                   ":".join(map(str, layers)), name]
        self.outer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                                      preexec_fn=die_with_parent)
        if self.outer.stdout.readline().strip() != "ready":
            raise RuntimeError(f"the machine {name} did not come up")
        children = Path(f"/proc/{self.outer.pid}/task/{self.outer.pid}/children").read_text().split()
        self.pid = int(children[0])
        self.inside("true")

    @property
    def upper(self):
        return self.place / "upper"

    def connect(self, address):
        port = f"pkg-{self.name}"
        sh(f"ip link add {port} type veth peer name eth0 netns {self.pid};"
           f"ip link set {port} master {SEGMENT} up")
        sh(f"nsenter --net --target {self.pid} sh -c 'ip addr add {address}/24 dev eth0;"
           f"ip link set eth0 up; ip route add default via {GATEWAY}'")

    def command(self, text):
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return ["nsenter", "--target", str(self.pid), "--mount", "--net", "--pid", "--uts", "--root", "--wd",
                "--", "env", "-i", f"PATH={path}", "HOME=/root", "DEBIAN_FRONTEND=noninteractive",
                "sh", "-c", f"cd /root; {text}"]

    def inside(self, text, check=True):
        done = subprocess.run(self.command(text), capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              check=False, timeout=120)
        if check and done.returncode != 0:
            raise RuntimeError(f"on {self.name}: {text}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def start(self, text, log):
        """A command that stays; it ends with the machine."""
        with open(log, "a", encoding="utf-8") as output:
            return subprocess.Popen(self.command(text), stdin=subprocess.DEVNULL, stdout=output,
                                    stderr=output)

    def write(self, path, text, mode=0o755):
        target = Path(f"/proc/{self.pid}/root/{path}")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        target.chmod(mode)

    def bring(self, files):
        for file in files:
            shutil.copy(file, f"/proc/{self.pid}/root/root/")

    def end(self):
        self.outer.kill()
        self.outer.wait()
        self.outer.stdout.close()


def lowest_layer():
    """NLB_PACKAGE_ROOT, a fresh system of debootstrap's; without it the root of this machine."""
    return Path(os.environ.get("NLB_PACKAGE_ROOT") or "/")


def package_files(names):
    files = [file for name in names for file in (ROOT / "build").glob(f"{name}_*.deb")]
    if len(files) != len(names):
        raise RuntimeError(f"build/ has {[file.name for file in files]}, wanted one of each of {names}: "
                           "run make deb")
    return files


def machines_with_packages(names, packages):
    """{name: Machine}, on one segment, with the packages' files in /root; nothing is installed."""
    place = Path(tempfile.mkdtemp(prefix="nlb-machines-"))
    sh(f"mount -t tmpfs machines {place}")
    atexit.register(sh, f"umount -l {place}; rmdir {place}")
    make_segment()
    machines = {}
    for number, name in enumerate(names, 11):
        machines[name] = Machine(name, [lowest_layer()], place)
        machines[name].connect(f"192.0.2.{number}")
        # Manuals would be indexed anew, which takes longer than all else.
        machines[name].write("etc/dpkg/dpkg.cfg.d/test", "path-exclude=/usr/share/man/*\n", 0o644)
        machines[name].bring(package_files(packages))
    return machines


def run_apart(name, scenario):
    """The test again in a network and mounts of its own, then the scenario."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", default=name)
    parser.add_argument("--apart", action="store_true", help="it is already apart")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("skipped: machines of their own need root")
        sys.exit(SKIPPED)
    if not options.apart:
        os.execvp("unshare", ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child",
                              "--mount-proc", "--propagation", "private", sys.executable,
                              *sys.argv, "--apart"])
    run = Run(options.name, None, False)
    with run.case("the scenario runs to its end"):
        scenario(run)
    run.write()
    sys.exit(run.conclusion())
