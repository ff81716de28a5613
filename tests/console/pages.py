#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The console's pages in Chromium against the live lab: each page, a drain, a host that dies, a guest that
breaks a rule, the property set while a machine is stopped; by keyboard, narrow, light and dark.

Usage: [NLB_PICTURES=docs/images] pages.py --nlb build/bin/nlb
With NLB_PICTURES it writes screenshots there.
"""
import json
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "live"))

import accessibility  # noqa: E402  pylint: disable=wrong-import-position
import browser  # noqa: E402  pylint: disable=wrong-import-position
from live import SKIPPED, main, need, wait_for  # noqa: E402  pylint: disable=wrong-import-position

CLUSTER = "cluster-web"
# A frame from client 1 with the cluster's MAC as its source: ARP, the virtual IP address is said to be there.
FORGED = """import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
ethernet = "ffffffffffff" "02bf0a4d0064" "0806"
arp = "0001080006040001" "02bf0a4d0064" "0a4d0064" "000000000000" "0a4d0064"
s.send(bytes.fromhex((ethernet + arp).ljust(120, "0")))
"""


class Stage:
    """Lab, console and browser."""

    def __init__(self, run):
        self.run, self.lab = run, run.lab
        self.pictures = os.environ.get("NLB_PICTURES")
        root = Path(self.lab.root)
        sockets = [f"--connect=unix:{root}/{name}/control.sock" for name in ("host1", "host3", "switch")]
        token = root / "console" / "token"
        self.console = subprocess.Popen([self.lab.nlb_path, "console", *sockets, "--listen", "127.0.0.1:0",
                                         "--token-file", str(token)], stdout=subprocess.PIPE, text=True)
        self.url = self.console.stdout.readline().split()[-1]
        self.token = token
        self.page = browser.Browser()
        self.load = self.lab.start_load(100000, "--rate", 200, "--concurrency", 8)

    def end(self):
        self.page.__exit__()
        for process in (self.load, self.console):
            process.terminate()
            process.communicate()

    def go(self, *parts):
        self.page.run(f"location.hash = '#/{'/'.join(parts)}'")

    def picture(self, name):
        if not self.pictures:
            return
        time.sleep(1.2)  # one more second of figures; what glows has faded
        self.page.picture(f"{self.pictures}/{name}.png")

    def accessible(self, what):
        complaints = accessibility.complaints(self.page, Path(self.lab.nlb_path).parents[1])
        need(not complaints, f"{what}: {complaints}")


def log_in(stage):
    page = stage.page
    with stage.run.case("login: a wrong token is said to be wrong, the right one opens the cluster's page"):
        page.open(stage.url)
        page.wait("document.querySelector('.login input')")
        page.click(".login input")
        page.type("wrong")
        page.key("Enter")
        page.wait_text("it is in the file", ".login")
        stage.accessible("login")
        page.run("document.querySelector('.login input').value = ''")
        page.type(stage.token.read_text().strip())
        page.key("Enter")
        page.wait_text("3 of 3 hosts converged")
        page.wait_text("live", ".live")
        page.said.clear()  # the wrong token's 401


def owners(page):
    """{legend's name: buckets} as the page shows it."""
    text = page.run("[...document.querySelectorAll('.legend li')].map(one => one.innerText.trim())")
    return {one.rsplit(" ", 4)[0].strip(): int(one.split("·")[0].split()[-1].replace(",", ""))
            for one in text}


def cluster(stage):
    page, lab = stage.page, stage.lab
    with stage.run.case("cluster: hosts, rules, shares and connections are those of the hosts") as notes:
        page.wait("document.querySelectorAll('.legend li').length === 3")
        shown, rules = owners(page), json.loads(lab.host(2, "--json", "queryport", "80").stdout)["rules"]
        told = {f"Host {one['id']}": round(one["share"] * 4096) for one in rules[0]["members"]}
        need(shown == told, f"the page shows {shown}, host 2 says {told}")
        page.wait("parseInt(document.querySelector('.figure b').innerText) > 100", 20,
                  "a rate of new connections")
        notes.append(f"{page.text('.figure')}")
        need("All\t80" in page.text("main") or "TCP" in page.text("main"), "no rule is shown")
        stage.accessible("cluster")
    with stage.run.case("a host that loses its power is seen, and its buckets go to others") as notes:
        lab.lab("fault", "kill", "host2", "host")
        begin = time.monotonic()
        page.wait_text("2 of 3 hosts converged", seconds=20)
        notes.append(f"seen after {time.monotonic() - begin:.1f} s")
        page.wait_text("Not heard", ".tree", 20)
        page.wait("document.querySelectorAll('.legend li').length === 2", 20, "two owners")
        need(sorted(owners(page).values()) == [2048, 2048], owners(page))
        page.wait_text("last change moved")
        page.wait_text("with hosts 1,3", ".events", 20)
        stage.picture("console-eviction")
        lab.lab("start", "host2")
        lab.wait_members([1, 2, 3])
        page.wait_text("3 of 3 hosts converged")
        page.wait("document.querySelectorAll('.legend li').length === 3")


def drain(stage):
    page, lab = stage.page, stage.lab
    with stage.run.case("drainstop: the question counts the connections; the host drains, and starts again"):
        streams = lab.start_streams(12, 15)
        open_now = lambda: json.loads(lab.host(3, "--json", "connections").stdout)["total"]
        wait_for("streams at host 3", lambda: open_now() > 0, 5)
        page.click("button[aria-label='drainstop host 3']")
        page.wait_text("takes no new connections", "dialog[open]")
        page.wait("/[1-9]\\d* open connection/.test(document.querySelector('dialog').innerText)", 5,
                  "connections")
        need("hosts 1 and 2" in page.text("dialog"), page.text("dialog"))
        stage.accessible("dialog")
        stage.picture("console-drain")
        page.key("Escape")
        page.wait("!document.querySelector('dialog')")
        need(lab.state(3) == "converged", "a question that was left did something")
        page.run("document.querySelector(\"button[aria-label='drainstop host 3']\").focus()")
        page.key("Enter")  # by keyboard
        page.wait("document.querySelector('dialog[open]')")
        page.run("document.querySelector('dialog [type=submit]').focus()")
        page.key("Enter")
        page.wait("!document.querySelector('dialog')")
        wait_for("host 3 drains", lambda: lab.state(3) in ("draining", "stopped"), 10)
        page.wait("/Draining|Stopped/.test(document.querySelector('.tree').innerText)", 15)
        streams.communicate(timeout=30)
        wait_for("host 3 has stopped", lambda: lab.state(3) == "stopped", 15)
        page.wait_text("Stopped", ".tree")
        page.wait("!document.querySelector(\"button[aria-label='stop host 3']\")")
        page.click("button[aria-label='start host 3']")
        page.wait("document.querySelector('dialog[open]')")
        page.click("dialog [type=submit]")
        lab.wait_members([1, 2, 3])
        page.wait_text("3 of 3 hosts converged")


def switch(stage):
    page, lab = stage.page, stage.lab
    with stage.run.case("switch: one card an adapter, greyed with the reason while its machine runs"):
        stage.page.run("document.querySelector('.tree > ul > li:last-child a').click()")
        page.wait_text("web1/net0", ".cards")
        card = page.text("#card-web1-net0")
        need("Enable spoofing of MAC address" in card and "Changes only while the VM is stopped" in card,
             card)
        on = "#card-web1-net0 .option:last-child input"
        need(page.run(f"document.querySelector('{on}').disabled"), "not greyed")
        stage.accessible("switch")
    with stage.run.case("a guest that claims the cluster's address: its port lights up, with what it did"):
        lab.lab("exec", "client1", "--", sys.executable, "-c", FORGED)
        page.wait("document.querySelector('.topology .lit')", 9, "a port that is lit")
        lit = page.run("document.querySelector('.topology .lit').textContent")
        need("client1" in lit, lit)
        page.wait_text("02:bf:0a:4d:00:64", "tr.lit")
        stage.picture("console-switch")
    with stage.run.case("the property is set while the machine is stopped, and the switch has it"):
        lab.lab("vm", "stop", "web3")
        page.wait_text("VM stopped", "#card-web3-net0")
        page.wait("!document.querySelector('#card-web3-net0 input[value=off]').disabled")
        page.click("#card-web3-net0 input[value=off]")
        page.wait_text("its own MAC address only", "dialog[open]")
        page.click("dialog [type=submit]")
        page.wait("!document.querySelector('dialog')")
        page.wait("document.querySelector('#card-web3-net0 input[value=off]').checked")
        answer = json.loads(lab.command("vmswitch", "--json", "--socket", f"{lab.root}/switch/control.sock",
                                        "show").stdout)
        ports = [*answer["absent"], *(port for one in answer["switches"] for port in one["ports"])]
        need([port["mac_spoofing"] for port in ports if port.get("vm") == "web3"] == ["off"], ports)


def explain_and_doctor(stage):
    page, lab = stage.page, stage.lab
    with stage.run.case("explain: rule, bucket and owner are what `nlb filter` says"):
        stage.go("explain", CLUSTER)
        page.wait("document.querySelector('input[name=client]')")
        page.click("input[name=client]")
        page.type("10.77.0.201")
        page.key("Enter")
        page.wait("document.querySelector('.path')")
        words = ["filter", "--client", "10.77.0.201:51000", "--to", "10.77.0.100:80", "--protocol", "tcp"]
        told = json.loads(lab.host(1, "--json", *words).stdout)
        shown = page.text(".path")
        need(told["rule"] in shown and str(told["bucket"]) in shown and f"Host {told['host']}" in shown,
             f"{shown}; {told}")
        stage.accessible("explain")
        stage.picture("console-explain")
    with stage.run.case("doctor: every host is examined by its own daemon"):
        stage.go("doctor", CLUSTER)
        page.wait("document.querySelectorAll('.checks .check').length > 20", 15,
                  "checks of both hosts that run")
        failed = page.run("[...document.querySelectorAll('.check.fail b')].map(b => b.innerText)")
        need("net.filter" not in failed,
             "what only root can see is judged")
        stage.accessible("doctor")
        stage.picture("console-doctor")


def looks(stage):
    page = stage.page
    with stage.run.case("narrow, light and dark: nothing overflows, all is legible, the choice is kept"):
        stage.go("cluster", CLUSTER)
        page.wait("document.querySelectorAll('.legend li').length > 1")
        for scheme in ("light", "dark"):
            page.colours(scheme)
            for width in (1280, 390):
                page.size(width, 900)
                page.wait("document.documentElement.scrollWidth <= innerWidth", 3,
                          f"{scheme}, {width}: it overflows")
                stage.accessible(f"{scheme}, {width}")
                stage.picture(f"console-{scheme}" if width == 1280 else f"console-narrow-{scheme}")
        page.size(1280, 900)
        before = page.run("getComputedStyle(document.body).backgroundColor")
        page.click("button[aria-label^='switch to']")
        page.wait(f"getComputedStyle(document.body).backgroundColor !== '{before}'")
        page.run("window.isOld = true; location.reload()")
        page.wait("!window.isOld && document.querySelector('.legend li')", what="the page again")
        need(page.run("getComputedStyle(document.body).backgroundColor") != before, "the choice is forgotten")
    with stage.run.case("no script failed, nothing was blocked or missing"):
        # 503: while a host is given up, an answer of all may come too late.
        said = [one for one in page.said if "status of 503" not in one]
        need(not said, said)


def scenario(run):
    if browser.program() is None:
        print("skipped: no chromium")
        sys.exit(SKIPPED)
    run.lab.up("--mac-spoofing", "cluster", "--client-addresses", 20)
    stage = Stage(run)
    try:
        for part in (log_in, cluster, drain, switch, explain_and_doctor, looks):
            with run.case(f"part {part.__name__} runs to its end"):
                part(stage)
    finally:
        stage.end()


if __name__ == "__main__":
    main(scenario)
