#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Real servers behind the VIP, real clients before it, while one host joins and another is drained: the
errors that the client's own program reports, which must be none.

    run.py                     every mode, family and program; goes on where it was (build/servers)
    run.py --only nginx --mode igmp --family v6 [--fresh]
    run.py --subset ci         a few of them, both families at once; for `ctest`
    run.py --report            docs/results/servers.md from the records

Servers run in the namespaces of the lab's hosts and end with this script, by their process ids."""
import argparse
import contextlib
import inspect
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "live"))

from live import (SKIPPED, VIP, Failure, Lab, Run, commit_id, end_process, need, print_logs,  # noqa: E402
                  wait_for)
from programs import ALL, IN_CI, missing_tools  # noqa: E402
from report import write_report  # noqa: E402

VIPS = {"v4": VIP, "v6": "fd77::100"}
HOSTS = [1, 2, 3]
MODES = {"unicast add": ["--mac-strategy", "add"], "unicast replace": ["--mac-strategy", "replace"],
         "multicast": ["--mode", "multicast"], "igmp": ["--mode", "igmp"]}
SECONDS, CI_SECONDS = 8, 6
JOIN_AT, DRAIN_AT = 1, 3.5


def inside(lab, node, words):
    return [lab.nlb_path, "lab", "exec", node, "--", *words]


def listens(lab, host, port, protocol):
    kind = "-tln" if protocol == "tcp" else "-uln"
    shown = subprocess.run(inside(lab, f"host{host}", ["ss", kind, f"sport = :{port}"]), capture_output=True,
                           text=True, check=False).stdout
    return len(shown.splitlines()) > 1  # below the heading


def run_once(words):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    need(done.returncode == 0, f"{words[0]}: {done.stderr}{done.stdout}")


@contextlib.contextmanager
def served(lab, programs):
    """Servers of these programs on all hosts, and rules for them; yields their directory."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nlb-servers-")))
        directory.chmod(0o755)
        for program in programs:
            extra = [run_once] if len(inspect.signature(program.prepare).parameters) > 2 else []
            program.prepare(directory, HOSTS, *extra)
            for host in HOSTS:
                log = stack.enter_context(open(directory / f"{program.name}{host}.log", "wb"))
                process = subprocess.Popen(inside(lab, f"host{host}", program.server(directory, host)),
                                           stdout=log, stderr=log, stdin=subprocess.DEVNULL)
                stack.callback(end_process, process)
            for port, protocol, affinity in program.rules:
                lab.host(1, "rule", "add", port, "--protocol", protocol, "--affinity", affinity)
                for host in HOSTS:
                    wait_for(f"{program.name} listens on host {host}",
                             lambda at=host: listens(lab, at, port, protocol), 15)
            if program.name == "PostgreSQL":
                initialise_pgbench(lab, program, directory)
        lab.wait_members(HOSTS)
        yield directory


def initialise_pgbench(lab, program, directory):
    bench = program.clients("", 1, directory)[1].words[0]
    for host in HOSTS:
        place = str(directory / f"postgres{host}")
        words = [bench, "-h", place, "-U", "postgres", "-i", "-q", "-n", "postgres"]
        run_once(inside(lab, f"host{host}", words))


def start_clients(lab, program, address, seconds, directory):
    return [(program, client, subprocess.Popen(
        inside(lab, "client1", client.words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        stdin=subprocess.DEVNULL)) for client in program.clients(address, seconds, directory)]


def under_way(lab, programs, families, seconds, directory):
    """Clients run; host 3 joins, host 2 is drained. [{program, tool, family, done, errors, text}]"""
    lab.host(3, "stop")
    lab.wait_members([1, 2])
    begin, running = time.monotonic(), []
    for family in families:
        for program in programs:
            running += [(family, *entry) for entry in
                        start_clients(lab, program, VIPS[family], seconds, directory)]
    try:
        time.sleep(max(0, begin + JOIN_AT - time.monotonic()))
        lab.host(3, "start")
        lab.wait_members([1, 2, 3])
        time.sleep(max(0, begin + DRAIN_AT - time.monotonic()))
        lab.host(2, "drainstop")
        wait_for("host 2 drains", lambda: lab.state(2) in ("draining", "stopped"), 5)
        need(any(process.poll() is None for *_, process in running), "all clients had ended before the drain")
    finally:
        figures = []
        for family, program, client, process in running:
            output, _ = process.communicate(timeout=120)
            outcome = client.judge(process.returncode, output)
            figures.append({"program": program.name, "tool": client.tool, "family": family,
                            **outcome._asdict()})
    wait_for("host 2 is drained", lambda: lab.state(2) == "stopped", 20)
    lab.host(2, "start")
    lab.wait_members(HOSTS)
    return figures


def words_of(figures):
    return "; ".join(f"{one['tool']} {one['family']}: {one['done']}, {one['errors']} errors"
                     for one in figures)


def need_no_error(figures):
    bad = [one for one in figures if one["errors"]]
    need(not bad, "\n".join(words_of([one]) + "\n" + one["text"] for one in bad))
    idle = [one["tool"] for one in figures if one["done"].startswith(("0 ", "?"))]
    need(not idle, f"did nothing: {idle}")


def ci(run):
    lab = run.lab
    for mode in ("unicast add", "igmp"):
        names = ", ".join(program.name for program in IN_CI)
        with run.case(f"{mode}: {names}, a join and a drain: no client reports an error") as notes:
            lab.up("--ipv6", *MODES[mode])
            with served(lab, IN_CI) as directory:
                figures = under_way(lab, IN_CI, ["v4", "v6"], CI_SECONDS, directory)
            notes.append(words_of(figures))
            need_no_error(figures)


def record_path(options, mode, program, family):
    return Path(options.directory) / f"{mode.replace(' ', '-')}_{program.name}_{family}.json"


def whole(run, options):
    lab = run.lab
    modes = [options.mode] if options.mode else list(MODES)
    families = [options.family] if options.family else list(VIPS)
    programs = [program for program in ALL if not options.only or program.name in options.only]
    Path(options.directory).mkdir(parents=True, exist_ok=True)
    for mode in modes:
        left = [(program, family) for program in programs for family in families
                if options.fresh or not record_path(options, mode, program, family).exists()]
        if not left:
            continue
        lab.up("--ipv6", *MODES[mode])
        for program in programs:
            missing = missing_tools(program)
            wanted = [family for one, family in left if one is program]
            if missing or not wanted:
                why = f"no {', '.join(missing)}" if missing else "done already"
                print(f"left out: {mode}, {program.name}: {why}")
                continue
            with run.case(f"{mode}, {program.name}") as notes, served(lab, [program]) as directory:
                figures = []
                for family in wanted:
                    now = under_way(lab, [program], [family], SECONDS, directory)
                    record = {"mode": mode, "family": family, "commit": options.commit, "figures": now,
                              "kernel": platform.release(), "processors": os.cpu_count()}
                    record_path(options, mode, program, family).write_text(json.dumps(record, indent=1))
                    figures += now
                notes.append(words_of(figures))
                need_no_error(figures)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nlb", default="build/bin/nlb")
    parser.add_argument("--name", default="servers")
    parser.add_argument("--directory", default="build/servers")
    parser.add_argument("--subset", choices=["ci"])
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--mode", choices=list(MODES))
    parser.add_argument("--family", choices=list(VIPS))
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    if options.report:
        return write_report(Path(options.directory), list(MODES), Path("docs/results/servers.md"))
    missing = [tool for program in IN_CI for tool in missing_tools(program)] if options.subset else []
    if os.geteuid() != 0 or missing:
        print("skipped: network namespaces need root" if not missing else f"skipped: no {', '.join(missing)}")
        return SKIPPED
    options.commit = commit_id()
    run = Run(options.name, Lab(options.nlb), False)
    try:
        with run.case("the scenario runs to its end"):
            ci(run) if options.subset else whole(run, options)
    finally:
        run.write()
        if run.failed:
            print_logs(run.lab)
        run.lab.lab("down", check=False)
    return run.conclusion()


if __name__ == "__main__":
    sys.exit(main())
