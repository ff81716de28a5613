# SPDX-License-Identifier: Apache-2.0
"""What the live tests share: the lab as an object, cases with results, and a judge of captured frames.

A scenario is a function that gets a Run; each `with run.case("…"):` is one case. A failed case does not end
the scenario. Results are printed and, when NLB_TEST_RESULTS is set, written as a GoogleTest file for the sum.
"""
import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import time
import traceback
import xml.etree.ElementTree as xml
from datetime import datetime
from pathlib import Path

VIP = "10.77.0.100"
HTTP, UDP = f"{VIP}:80", f"{VIP}:7007"
CLUSTER_MAC = {"unicast": "02:bf:0a:4d:00:64", "multicast": "03:bf:0a:4d:00:64", "igmp": "01:00:5e:7f:00:64"}
SKIPPED = 77


def host_mac(host):
    """The adapter's own MAC of a host of the lab."""
    return f"52:54:00:4d:01:{host:02x}"


class Failure(Exception):
    """A case did not hold; the text says what was seen."""


def need(condition, text):
    if not condition:
        raise Failure(text)


def wait_for(what, condition, seconds):
    """Waits until condition() is true; returns how long it took."""
    begin = time.monotonic()
    while not condition():
        if time.monotonic() - begin > seconds:
            raise Failure(f"not within {seconds} s: {what}")
        time.sleep(0.02)
    return time.monotonic() - begin


def processes(belongs):
    """{process id: its command line as words} of those of which belongs(words) is true."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if belongs(words):
            found[int(entry.name)] = words
    return found


def commit_id():
    """Which commit the tree is, for records of measurements."""
    done = subprocess.run(["git", "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True,
                          text=True, cwd=Path(__file__).parent, check=False)
    return done.stdout.strip() or "unknown"


def lab_networks():
    """The lab's own namespaces that exist; other tests have theirs, and they may run at the same time."""
    names = [path.name for path in Path("/run/netns").glob("nlb-*")]
    return [name for name in names if re.fullmatch(r"nlb-(switch|gateway|(host|client)\d+)", name)]


def time_of(event):
    """When it was logged, in seconds of the wall clock."""
    return datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp()


class Lab:
    """The lab of `nlb lab`; its names are fixed, so there is one at a time."""

    def __init__(self, nlb):
        self.nlb_path = str(Path(nlb).resolve())
        self.root = os.environ.get("NLB_LAB_ROOT") or "/run/opennlb-lab"
        self.hosts = 0

    def command(self, *words, check=True, timeout=120):
        done = subprocess.run([self.nlb_path, *map(str, words)], capture_output=True, text=True,
                              timeout=timeout, stdin=subprocess.DEVNULL, check=False)
        if check and done.returncode != 0:
            said = done.stderr + done.stdout
            raise Failure(f"nlb {' '.join(map(str, words))}: exit {done.returncode}\n{said}")
        return done

    def lab(self, *words, **options):
        return self.command("lab", *words, **options)

    def up(self, *words, hosts=3):
        self.lab("down")
        self.hosts = hosts
        self.lab("up", "--hosts", hosts, *words)

    def down(self):
        self.lab("down")

    # -- the cluster as a host sees it --
    def socket(self, host):
        return f"{self.root}/host{host}/control.sock"

    def host(self, host, *words, **options):
        """nlb … at that host."""
        return self.command("--socket", self.socket(host), *words, **options)

    def events(self, host, name=None, check=True):
        """All that its log holds, the oldest first; without `check` nothing where it does not answer."""
        done = self.host(host, "--json", "events", "--limit", 1000, check=check)
        lines = done.stdout.splitlines() if done.returncode == 0 else []
        return [event for event in map(json.loads, lines) if name in (None, event["name"])]

    def query(self, host):
        done = self.host(host, "--json", "query", check=False, timeout=10)
        return json.loads(done.stdout) if done.returncode == 0 else {}

    def members(self, host):
        return sorted(member["id"] for member in self.query(host).get("members", []))

    def state(self, host):
        return self.query(host).get("state", "")

    def wait_members(self, hosts, seconds=15, draining=()):
        """Until exactly these hosts are converged in one view, beside others that drain."""
        members = sorted([*hosts, *draining])
        def agreed():
            answers = [self.query(host) for host in hosts]
            return (all(answer.get("state") == "converged" for answer in answers)
                    and all(sorted(m["id"] for m in answer["members"]) == members for answer in answers)
                    and len({json.dumps(answer["view"]) for answer in answers}) == 1)
        return wait_for(f"hosts {hosts} converged in one view", agreed, seconds)

    def daemons(self):
        """Process ids of the hosts' daemons."""
        return [int(path.read_text().split()[0]) for path in sorted(Path(self.root).glob("host*/nlbd.pid"))]

    def set_weight(self, host, weight):
        """Another load weight in this host's own file, and a reload."""
        path = Path(f"{self.root}/host{host}/web.toml")
        path.write_text(re.sub(r"weight = .*", f"weight = {weight}", path.read_text()))
        self.host(host, "reload")

    def set_datapath(self, host, kind):
        """By its file and a reload; what is attached then is read back."""
        path = Path(self.root) / f"host{host}/web.toml"
        lines = [line for line in path.read_text().splitlines() if not line.startswith("datapath")]
        lines.insert(lines.index("[host]") + 1, f'datapath = "{kind}"')
        path.write_text("\n".join(lines) + "\n")
        self.host(host, "reload")
        adapter = json.loads(self.host(host, "--json", "display").stdout)["adapter"]
        need(adapter["datapath"] == kind, adapter)

    # -- clients --
    def tool(self, *words, client=1, timeout=180):
        """A measuring client; its JSON. Its exit code is not judged: the figures are."""
        done = self.lab("exec", f"client{client}", "--", self.nlb_path, "lab", *words, check=False,
                        timeout=timeout)
        need(done.stdout.strip(), f"{words}: no figures: {done.stderr}")
        return json.loads(done.stdout.strip().splitlines()[-1])

    def load(self, connections, *words, to=HTTP, **options):
        return self.tool("load", "--to", to, "--connections", connections, *words, **options)

    def gap(self, fault, *words, seconds=5, fault_at_ms=1500, **options):
        """The outage that a fault causes; `fault` is a command line of nlb."""
        return self.tool("gap", "--to", HTTP, "--seconds", seconds, "--fault-at-ms", fault_at_ms,
                         "--fault-cmd", f"{self.nlb_path} {fault}", *words, **options)

    def start_streams(self, count, seconds):
        """Long-lived streams in the background, all of them running when this returns."""
        words = ["lab", "exec", "client1", "--", self.nlb_path, "lab", "streams", "--to", HTTP,
                 "--count", str(count), "--seconds", str(seconds), "--source", "all"]
        process = subprocess.Popen([self.nlb_path, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, stdin=subprocess.DEVNULL)
        line = process.stderr.readline()
        if "running" not in line:
            rest = process.communicate()
            raise Failure(f"the streams did not start: {line}{rest}")
        return process

    def start_load(self, connections, *words, to=HTTP):
        """A load in the background; finish() gives its figures."""
        inside = [self.nlb_path, "lab", "exec", "client1", "--", self.nlb_path, "lab", "load", "--to", to]
        return subprocess.Popen([*inside, "--connections", str(connections), *map(str, words)], text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)

    @staticmethod
    def finish(process):
        out, _ = process.communicate(timeout=120)
        return json.loads(out.strip().splitlines()[-1])


def shares(figures):
    total = sum(figures["hosts"].values()) or 1
    return {int(host): 100 * count / total for host, count in figures["hosts"].items()}


def need_shares(figures, wanted, points):
    """wanted: {host: percent}; every host within so many percentage points."""
    seen = shares(figures)
    text = ", ".join(f"host{host} {seen.get(host, 0):.1f} % (wanted {share:.1f})"
                     for host, share in wanted.items())
    need(set(seen) <= set(wanted) and all(abs(seen.get(h, 0) - s) <= points for h, s in wanted.items()),
         f"shares are off by more than {points} points: {text}; seen: {seen}")
    return text


def need_no_failure(figures):
    need(figures["failed"] == 0, f"{figures['failed']} of {figures['connections']} failed: {figures}")


class Pings:
    """A ping from client1 while something happens."""

    def __init__(self, lab, address, interval_s):
        ping = ["ping", "-q", "-i", str(interval_s), "-W", "1", address]
        self.process = subprocess.Popen([lab.nlb_path, "lab", "exec", "client1", "--", *ping],
                                        stdout=subprocess.PIPE, text=True)

    def need_whole(self, at_least):
        self.process.send_signal(2)
        text, _ = self.process.communicate(timeout=10)
        sent, got = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", text).groups())
        # One may be under way at the end.
        need(sent > at_least and sent - got <= 1, f"{sent - got} of {sent} pings were lost")
        return f"{got} of {sent} pings answered"


# ---- cases ----

class Run:
    def __init__(self, name, lab, full):
        self.name, self.lab, self.full = name, lab, full
        self.results = []  # (case, seconds, failure text or None)

    @contextlib.contextmanager
    def case(self, title):
        """One case. Whatever it puts in the list it is given is printed beside its title."""
        notes, begin, failure = [], time.monotonic(), None
        try:
            yield notes
        except Failure as problem:
            failure = str(problem)
        except Exception:  # pylint: disable=broad-except
            failure = traceback.format_exc()
        self.note(title, time.monotonic() - begin, failure, notes)

    def note(self, title, seconds, failure, notes):
        """The outcome of a case, also of one that another program has judged."""
        self.results.append((title, seconds, failure))
        print(f"{'ok  ' if failure is None else 'FAIL'} {title} [{seconds:.1f} s]" +
              (f": {'; '.join(map(str, notes))}" if notes else ""), flush=True)
        if failure is not None:
            print("     " + failure.replace("\n", "\n     "), flush=True)

    @property
    def failed(self):
        """Titles of the cases that do not hold."""
        return [title for title, _, failure in self.results if failure is not None]

    def conclusion(self):
        """Says how many hold; the exit code."""
        print(f"{len(self.results) - len(self.failed)} of {len(self.results)} cases hold")
        return 1 if self.failed else 0

    def write(self):
        directory = os.environ.get("NLB_TEST_RESULTS")
        if not directory:
            return
        suite = xml.Element("testsuite", name=self.name)
        for title, seconds, failure in self.results:
            case = xml.SubElement(suite, "testcase", name=title, classname=self.name, status="run",
                                  result="completed", time=f"{seconds:.3f}")
            if failure is not None:
                xml.SubElement(case, "failure", message=failure)
        root = xml.Element("testsuites")
        root.append(suite)
        xml.ElementTree(root).write(Path(directory) / f"{self.name}.xml")


def end_process(process):
    """Asks it to end, and waits; after 10 s it is not asked."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main(scenario):
    parser = argparse.ArgumentParser()
    parser.add_argument("--nlb", default="build/bin/nlb", help="the nlb program; nlbd lies beside it")
    parser.add_argument("--name", default=Path(sys.argv[0]).stem)
    parser.add_argument("--full", action="store_true", help="more rounds and every mode")
    parser.add_argument("--keep", action="store_true", help="leave the lab up at the end")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("skipped: network namespaces need root")
        sys.exit(SKIPPED)
    lab = Lab(options.nlb)
    run = Run(options.name, lab, options.full)
    try:
        with run.case("the scenario runs to its end"):
            scenario(run)
    finally:
        run.write()
        if run.failed:
            print_logs(lab)
        if not options.keep:
            lab.lab("down", check=False)
    sys.exit(run.conclusion())


def print_logs(lab):
    for log in sorted(Path(lab.root).glob("host*/nlbd.log")):
        print(f"---- the end of {log}")
        print("".join(log.read_text(errors="replace").splitlines(keepends=True)[-25:]))
