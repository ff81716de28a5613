# SPDX-License-Identifier: Apache-2.0
"""libxdp's dispatcher on a host's adapter, with programs of others behind it, by xdp-loader.

In a virtual machine with Debian's kernel: the dispatcher replaces functions of a loaded program, which not
every machine's kernel allows. nlbd is no program behind it: it filters in tc alone meanwhile, and says so."""
import json
import shutil
from pathlib import Path

from live import need, need_no_failure, shares, wait_for

HOSTS = (1, 2)


class Loader:
    """xdp-loader in the guest of host 1, which sees a directory of this machine at the same path."""

    def __init__(self, lab):
        self.lab = lab
        shared = Path(lab.root, "host1")
        shutil.copy(shutil.which("xdp-loader"), shared / "xdp-loader")
        shutil.copy(Path(lab.nlb_path).parent.parent / "tests-bpf/foreign_xdp.bpf.o", shared / "foreign.o")
        self.words = [str(shared / "xdp-loader")]
        self.program = str(shared / "foreign.o")

    def guest(self, *words, **options):
        return self.lab.lab("exec", "host1", "--", *words, **options)

    def load(self, **options):
        return self.guest(*self.words, "load", "-m", "native", "-s", "xdp", "eth0", self.program, **options)

    def status(self):
        return self.guest(*self.words, "status", "eth0").stdout

    def unload(self):
        self.guest(*self.words, "unload", "eth0", "--all")


def adapter(lab):
    return json.loads(lab.host(1, "--json", "display").stdout)["adapter"]


def served_by_both(lab, notes):
    figures = lab.load(200)
    need_no_failure(figures)
    need(set(shares(figures)) == set(HOSTS), figures)
    notes.append(f"{figures['hosts']}")


def scenario(run):
    lab = run.lab
    lab.up("--vm", hosts=len(HOSTS))
    loader = Loader(lab)
    with run.case("xdp-loader finds nlbd's program: it refuses, and nothing changes") as notes:
        need(adapter(lab)["datapath"] == "xdp-native", adapter(lab))
        done = loader.load(check=False)
        need(done.returncode != 0, f"loaded beside it: {done.stdout}{done.stderr}{loader.status()}")
        need(adapter(lab)["datapath"] == "xdp-native", adapter(lab))
        notes.append((done.stderr or done.stdout).strip().splitlines()[-1])
    with run.case("a dispatcher that was there first stays: nlbd filters in tc alone, and says so") as notes:
        lab.lab("fault", "kill", "host1")
        loader.guest("ip", "link", "set", "dev", "eth0", "xdp", "off")
        loader.load()
        need("xdp_dispatcher" in loader.status(), f"no dispatcher: {loader.status()}")
        lab.lab("start", "host1")
        lab.wait_members(HOSTS)
        now = adapter(lab)
        need(now["datapath"] == "tc" and "another XDP" in now["datapath_note"], now)
        told = loader.guest("nlb", "doctor", check=False).stdout
        need("(xdp_dispatcher, native)" in told and "xdp-loader unload eth0 --all" in told, told)
        served_by_both(lab, notes)
    with run.case("a second program behind it changes nothing for the clients") as notes:
        loader.load()
        need(loader.status().count("foreign_xdp") == 2, loader.status())
        served_by_both(lab, notes)
    with run.case("once it is unloaded, nlbd's own program is there") as notes:
        loader.unload()
        notes.append(f"after {wait_for('XDP is ours', lambda: 'datapath_note' not in adapter(lab), 5):.1f} s")
        need(adapter(lab)["datapath"] == "xdp-native", adapter(lab))
        served_by_both(lab, notes)
