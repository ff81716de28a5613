#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The console against the live lab: its pages in Chromium (pages.mjs), a console that may only read, and one
that reaches the hosts by ssh.

Usage: [NLB_PICTURES=docs/images] pages.py --nlb build/bin/nlb
With NLB_PICTURES it writes screenshots there.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "live"))

import over_ssh  # noqa: E402  pylint: disable=wrong-import-position
from live import SKIPPED, end_process, main, need  # noqa: E402  pylint: disable=wrong-import-position

NOBODY = 65534
PAGES = Path(__file__).with_name("pages.mjs")


class Consoles:
    """One of an administrator, one of a user whom no daemon knows but whom the sockets' group lets in."""

    def __init__(self, lab):
        self.lab, self.processes = lab, []
        self.directory = Path(tempfile.mkdtemp(prefix="nlb-console-test-"))
        self.directory.chmod(0o711)

    def as_nobody(self):
        """Words before a command: of no role anywhere, but in the groups of the sockets."""
        groups = {os.stat(self.lab.socket(1)).st_gid, 0}
        return ["setpriv", f"--reuid={NOBODY}", "--regid=0", f"--groups={','.join(map(str, groups))}"]

    def start(self, name, *before):
        """{"url", "token"}"""
        place = self.directory / name
        place.mkdir(mode=0o700)
        if before:
            os.chown(place, NOBODY, 0)
        sockets = [f"--connect=unix:{self.lab.root}/{one}/control.sock"
                   for one in ("host1", "host3", "switch")]
        words = [*before, self.lab.nlb_path, "console", *sockets, "--listen", "127.0.0.1:0", "--token-file",
                 f"{place}/token"]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        line = process.stdout.readline()
        need("http" in line, f"the console of {name} did not start: {line}")
        return {"url": line.split()[-1], "token": f"{place}/token"}

    def end(self):
        for process in self.processes:
            end_process(process)
        shutil.rmtree(self.directory)


def run_pages(run, settings):
    """The cases of pages.mjs, as they come."""
    words = ["node", str(PAGES), json.dumps(settings)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as node:
        for line in node.stdout:
            case = json.loads(line)
            run.note(case["title"], case["seconds"], case["failure"], case["notes"])
    with run.case("the pages' cases run to their end"):
        need(node.returncode == 0, f"node: exit {node.returncode}")


def scenario(run):
    build = Path(run.lab.nlb_path).parents[1]
    for what, there in (("chromium", shutil.which("chromium")), ("node", shutil.which("node")),
                        ("built pages", (build / "web/work/node_modules/playwright-core").is_dir())):
        if not there:
            print(f"skipped: no {what}")
            sys.exit(SKIPPED)
    run.lab.up("--mac-spoofing", "cluster", "--client-addresses", 20)
    consoles = Consoles(run.lab)
    load = run.lab.start_load(100000, "--rate", 200, "--concurrency", 8)
    try:
        settings = {"nlbPath": run.lab.nlb_path, "root": run.lab.root, "build": str(build),
                    "pictures": os.environ.get("NLB_PICTURES"), **consoles.start("admin"),
                    "reader": consoles.start("reader", *consoles.as_nobody())}
        run_pages(run, settings)
        over_ssh.cases(run, consoles.directory)
    finally:
        consoles.end()
        end_process(load)
        load.communicate()


if __name__ == "__main__":
    main(scenario)
