#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The guest is told: what nlb-vmswitch says on each port, who hears it and who does not, and what nlbd and
nlb doctor behind a port make of it. Frames are read by a decoder of this file's own."""
import json
import os
import signal
import socket
import struct
import subprocess
import time

from bridge import BROADCAST, CONFIG, in_namespace, mac_of, main, need, octets, packet_socket, sh, wait_for, \
    waiting

POLICY = 0x88B6
GROUP = "01:80:c2:00:00:0e"
NAMES = {1: "host", 2: "bridge", 3: "port", 4: "vm", 5: "adapter", 8: "cluster"}
HOST = socket.gethostname()
NLBD = """[cluster]
name = "web"
vips = ["10.77.0.100/24"]
mac_strategy = "add"
key_file = "{key}"
[host]
id = 1
interface = "guest1"
"""


def decoded(payload):
    """As docs/protocol/policy-announcement.md has it."""
    need(payload[:5] == b"ONLP\x01", f"no announcement: {payload.hex()}")
    total = struct.unpack("!H", payload[6:8])[0]
    told, at = {"vm": "", "adapter": "", "cluster": "", "mac": ""}, 8
    while at < total:
        kind, length = struct.unpack("!HH", payload[at:at + 4])
        value = payload[at + 4:at + 4 + length]
        if kind in NAMES:
            told[NAMES[kind]] = value.decode("ascii")
        elif kind == 6:
            told["mac"] = value.hex(":")
        elif kind == 7:
            told["mac_spoofing"] = ("off", "cluster", "on")[value[0]]
            told["host_id"] = value[1]
            told["policy"] = "audit" if value[2] & 1 else "enforce"
            told["require_stopped"] = bool(value[2] & 2)
        at += 4 + length
    need(at == total, f"fields end at {at} of {total}")
    return told


class Ear:
    """Everything that an interface gets and that looks like an announcement, tagged or not."""

    def __init__(self, namespace, interface):
        self.socket = in_namespace(namespace, lambda: packet_socket(interface, promiscuous=True))

    def take(self):
        """(source, destination, payload)"""
        return [(data[6:12].hex(":"), data[:6].hex(":"), data[data.index(b"ONLP"):])
                for data, sent in waiting(self.socket) if not sent and b"ONLP" in data]

    def told(self):
        frames = self.take()
        return decoded(frames[-1][2]) if frames else None

    def close(self):
        self.socket.close()


def mac_in(bridge, interface):
    shown = json.loads(bridge.inside("ip", "-j", "link", "show", "dev", interface).stdout)
    return shown[0]["address"]


def heard(ear, seconds, condition=lambda told: True):
    """The first announcement that fits, and when it came."""
    found = []

    def fits():
        told = ear.told()
        if told and condition(told):
            found.append(told)
        return bool(found)
    took = wait_for("an announcement", fits, seconds)
    return found[0], took


def said(run):
    bridge = run.lab
    ears = {number: Ear(bridge.outside, f"guest{number}") for number in (1, 2, 3, 4)}
    wire, host = Ear(bridge.outside, "wire"), Ear(bridge.switch, "br0")
    with run.case("every port is told its own policy within 2 s of the start, and again each second"):
        starts = time.monotonic()
        bridge.start()
        begin = time.monotonic()
        first, _ = heard(ears[1], 2)
        need(first == {"host": HOST, "bridge": "br0", "port": "tap1", "vm": "web1", "adapter": "",
                       "mac": mac_of(1), "mac_spoofing": "off", "cluster": "web", "host_id": 1,
                       "policy": "enforce", "require_stopped": True}, f"{first}")
        need(time.monotonic() - begin < 2, "late")
        time.sleep(3.2)
        for number, ear in ears.items():
            frames, took = ear.take(), time.monotonic() - starts
            need(3 <= len(frames) <= took + 2, f"guest{number}: {len(frames)} in {took:.1f} s")
            for source, destination, payload in frames:
                told = decoded(payload)
                need(told["port"] == f"tap{number}", f"guest{number} hears what tap{told['port']} is told")
                need((source, destination) == (mac_in(bridge, f"tap{number}"), GROUP),
                     f"{source} to {destination}")
        need(decoded(frames[0][2])["adapter"] == "net1", "the adapter is not named")
    with run.case("the uplink and the host itself hear nothing of it"):
        need(not wire.take() and not host.take(), "announcements stray")
    with run.case("a port that joins is told within 2 s, also one that is not declared and passes nothing"):
        bridge.add_guest(5)
        ear = Ear(bridge.outside, "guest5")
        time.sleep(1.2)
        need(not ear.take(), "told before it is a port")
        bridge.join("tap5")
        told, took = heard(ear, 2)
        need((told["port"], told["vm"], told["mac"], told["mac_spoofing"]) == ("tap5", "", "", "off"),
             f"{told}")
        need(bridge.port("tap5")["state"] == "closed", "not closed")
        print(f"    heard after {took * 1000:.0f} ms")
        ear.close()
        bridge.inside("ip", "link", "del", "tap5")
    with run.case("a change made live is told at once"):
        ears[1].take()
        bridge.ask("set", "web1", "--mac-spoofing", "cluster", "--live")
        _, took = heard(ears[1], 0.5, lambda told: told["mac_spoofing"] == "cluster")
        print(f"    heard after {took * 1000:.0f} ms")
        bridge.ask("set", "web1", "--mac-spoofing", "off", "--live")
        heard(ears[1], 0.5, lambda told: told["mac_spoofing"] == "off")
    with run.case("none of these frames was judged, and none is a violation"):
        need(not bridge.violations(), f"{bridge.violations()}")
    for ear in [*ears.values(), wire, host]:
        ear.close()


def forged(run):
    bridge = run.lab
    real = Ear(bridge.outside, "guest1")
    frame = b"ONLP\x01\x00" + struct.pack("!H", 8)
    raw = in_namespace(bridge.outside, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
    for title, head in {
            "to the group": octets(GROUP) + octets(mac_of(2)),
            "to everybody": octets(BROADCAST) + octets(mac_of(2)),
            "to the guest's MAC": octets(mac_of(1)) + octets(mac_of(2)),
            "in the name of the switch": octets(GROUP) + octets(mac_in(bridge, "tap1")),
            "tagged": octets(GROUP) + octets(mac_of(2)) + struct.pack("!HH", 0x8100, 7),
            "tagged, to the guest's MAC":
                octets(mac_of(1)) + octets(mac_of(2)) + struct.pack("!HH", 0x8100, 7),
            "by the uplink": octets(GROUP) + octets("52:54:00:00:00:aa")}.items():
        with run.case(f"a neighbour's forged announcement does not arrive: {title}"):
            interface, port = ("wire", "eno1") if "uplink" in title else ("guest2", "tap2")
            # with another port's MAC the source is the first thing that is wrong
            reason = "source_spoofed" if "in the name" in title else "forged_announcement"
            data = head + struct.pack("!H", POLICY) + frame + bytes(60)
            before = count_of(bridge, port, reason)
            real.take()
            in_namespace(bridge.outside, lambda: raw.sendto(data, (interface, POLICY)))
            wait_for("it is a violation", lambda: count_of(bridge, port, reason) == before + 1, 2)
            strangers = [one for one in real.take() if one[2][:8] == frame]
            need(not strangers, f"it arrived: {strangers}")
    raw.close()
    real.close()


def count_of(bridge, port, reason):
    return sum(one["count"] for one in bridge.violations() if (one["port"], one["reason"]) == (port, reason))


class Questions:
    """When nlbd's proofs ask: the ARP frames that leave guest1."""

    def __init__(self, bridge):
        self.socket = in_namespace(bridge.outside, lambda: packet_socket("guest1"))

    def asked(self):
        frames = list(waiting(self.socket))
        return any(sent and data[12:14] == b"\x08\x06" for data, sent in frames)

    def wait_for_the_end_of_a_proof(self):
        """The next one begins 3 s after that, unless there is a reason to be quicker."""
        wait_for("a proof", self.asked, 6)
        last = time.monotonic()
        while time.monotonic() - last < 0.5:
            time.sleep(0.02)
            last = time.monotonic() if self.asked() else last

    def close(self):
        self.socket.close()


class Host:
    """An nlbd in the guests' namespace, bound to guest1; the hypervisor itself is its only neighbour."""

    def __init__(self, bridge):
        self.bridge, self.directory = bridge, bridge.directory / "nlbd"
        self.directory.mkdir()
        self.socket = self.directory / "run/control.sock"
        key = self.directory / "key"
        key.touch(mode=0o600)
        key.write_text(f"seed {os.urandom(16).hex()}\nkey {os.urandom(32).hex()}\n")
        self.config = self.directory / "web.toml"
        self.config.write_text(NLBD.format(key=key))
        bridge.inside("ip", "addr", "add", "10.77.0.1/24", "dev", "br0")
        bridge.inside("ip", "addr", "add", "10.77.0.11/24", "dev", "guest1", namespace=bridge.outside)
        bridge.inside("ip", "route", "add", "default", "via", "10.77.0.1", namespace=bridge.outside)
        self.log = open(self.directory / "log", "w", encoding="utf-8")
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", bridge.outside, str(bridge.daemon_path).replace("nlb-vmswitch", "nlbd"),
             "--config", str(self.config), "--runtime-dir", str(self.directory / "run"),
             "--state-dir", str(self.directory / "state")], stdout=self.log, stderr=self.log)

    def wait(self):
        wait_for("nlbd answers", lambda: self.ask("query", check=False).returncode == 0, 20)

    def ask(self, *words, check=True):
        return sh(self.bridge.nlb, "--socket", self.socket, *words, check=check)

    def adapter(self):
        return json.loads(self.ask("display", "--json").stdout)["adapter"]

    def events(self, name):
        lines = self.ask("events", "--limit", "1000", "--json").stdout.splitlines()
        return [event for event in map(json.loads, lines) if event["name"] == name]

    def doctor(self):
        done = sh("ip", "netns", "exec", self.bridge.outside, self.bridge.nlb, "--json", "doctor", "--config",
                  self.config, check=False)
        return {check["id"]: check for check in json.loads(done.stdout)["checks"]}["switch-policy"]

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)
        for name in sh("ls", "/sys/fs/bpf/opennlb", check=False).stdout.split():
            if name == str(self.directory / "run").strip("/").replace("/", "-"):
                sh("rm", "-r", f"/sys/fs/bpf/opennlb/{name}", check=False)


def quoted(run, host):
    bridge = run.lab
    quote = f"port web1 on host {HOST}: MAC spoofing off"
    command = "nlb vmswitch set web1 --mac-spoofing cluster --cluster web --host-id 1"
    with run.case("nlbd is refused, and says what the switch says, with the command that cures it"):
        wait_for("the reason", lambda: host.adapter()["reason"] == "rx-filtered", 8)
        adapter = host.adapter()
        need(adapter["bind"] == "refused" and quote in adapter["evidence"], f"{adapter}")
        need(command in adapter["remedy"] and f"On host {HOST}, with VM web1 stopped" in adapter["remedy"],
             adapter["remedy"])
        told = adapter["switch"]
        wanted = {"host": HOST, "bridge": "br0", "port": "tap1", "vm": "web1", "adapter": "",
                  "mac_spoofing": "off", "cluster": "web", "host_id": 1, "policy": "enforce",
                  "require_stopped": True}
        need({key: told[key] for key in wanted} == wanted, f"{told}")
        need(0 <= told["age_ms"] < 1500, f"{told}")
        shown = host.ask("display").stdout
        need(f"Switch policy            {quote} (heard " in shown, shown)
    with run.case("event 53 quotes it, and an event of its own tells that it was heard"):
        refusal = host.events("bind_refused")[-1]
        need(refusal["number"] == 53 and quote in refusal["text"] and command in refusal["remedy"],
             f"{refusal}")
        need(refusal["fields"]["reason"] == "rx-filtered", f"{refusal}")
        events = host.events("switch_policy")
        need([event["text"] for event in events] == [quote], f"{events}")
    with run.case("nlb doctor hears it without a daemon, and fails with the same command"):
        check = host.doctor()
        need((check["status"], quote in check["detail"], command in check["remedy"]) == ("fail", True, True),
             f"{check}")


def cured(run, host):
    bridge = run.lab
    with run.case("the property set live: told, tried again at once, bound"):
        questions = Questions(bridge)
        questions.wait_for_the_end_of_a_proof()
        refusals = len(host.events("bind_refused"))
        begin = time.monotonic()
        bridge.ask("set", "web1", "--mac-spoofing", "cluster", "--live")
        wait_for("a proof, some 2 s before its time", questions.asked, 1)
        wait_for("told", lambda: (host.adapter()["switch"] or {}).get("mac_spoofing") == "cluster", 1)
        wait_for("bound", lambda: host.adapter()["bind"] == "bound", 5)
        print(f"    bound after {time.monotonic() - begin:.1f} s")
        questions.close()
        need(len(host.events("switch_policy")) == 2, f"{host.events('switch_policy')}")
        need(len(host.events("bind_refused")) == refusals, "refused anew, before it was tried")
        need("it was port web1" in host.events("switch_policy")[-1]["text"], "not what it was")
        need(host.doctor()["status"] == "pass", f"{host.doctor()}")
    with run.case("a neighbour's forged announcement changes nothing"):
        raw = in_namespace(bridge.outside, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
        before = host.adapter()["switch"]
        fields = b"".join(struct.pack("!HH", kind, len(value)) + value for kind, value in (
            (1, b"evil"), (2, b"br0"), (3, b"tap1"), (4, b"web1"), (7, bytes(4))))
        payload = b"ONLP\x01\x00" + struct.pack("!H", 8 + len(fields)) + fields
        frames = [octets(to) + octets(mac_of(2)) + struct.pack("!H", POLICY) + payload
                  for to in (GROUP, BROADCAST, mac_of(1))]
        in_namespace(bridge.outside, lambda: [raw.sendto(data, ("guest2", POLICY)) for data in frames])
        time.sleep(0.3)
        after = host.adapter()["switch"]
        need(after["host"] == before["host"] and after["mac_spoofing"] == "cluster", f"{after}")
        need(len(host.events("switch_policy")) == 2, "an event")
        raw.close()
    with run.case("what is heard on a switch without a guard decides about texts only: the host stays bound"):
        # As the host's own adapter would get it from a bridge that forwards everything.
        raw = in_namespace(bridge.switch, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
        data = octets(GROUP) + octets("52:54:00:00:00:bb") + struct.pack("!H", POLICY) + payload
        in_namespace(bridge.switch, lambda: raw.sendto(data, ("tap1", POLICY)))
        wait_for("told", lambda: any("evil" in event["text"] for event in host.events("switch_policy")), 3)
        need(host.adapter()["bind"] == "bound", f"{host.adapter()}")
        raw.close()
    with run.case("3 s after the daemon of the switch was killed nothing is quoted; the host stays bound"):
        bridge.stop(signal.SIGKILL)
        wait_for("silence", lambda: host.adapter()["switch"] is None, 4)
        need(host.adapter()["bind"] == "bound", f"{host.adapter()}")
        check = host.doctor()
        need(check["status"] == "pass" and "no OpenNLB guard" in check["detail"], f"{check}")
        bridge.start()
        wait_for("heard again", lambda: host.adapter()["switch"] is not None, 2)


def told_the_guest(run):
    host = Host(run.lab)
    try:
        host.wait()
        quoted(run, host)
        cured(run, host)
    finally:
        host.close()


def kept_quiet(run):
    bridge = run.lab
    with run.case("announce = false: show says so, and nothing is sent"):
        ear = Ear(bridge.outside, "guest1")
        bridge.config.write_text(CONFIG.replace('bridge = "br0"', 'bridge = "br0"\nannounce = false'))
        bridge.ask("reload")
        need(bridge.show()["switches"][0]["announce"] is False, "not shown")
        need("guests are not told" in bridge.ask("show").stdout, bridge.ask("show").stdout)
        time.sleep(0.1)  # what was being sent
        ear.take()
        time.sleep(2.5)
        need(not ear.take(), "something was sent")
        bridge.config.write_text(CONFIG)
        bridge.ask("reload")
        heard(ear, 0.5)
        ear.close()


def scenario(run):
    for part in (said, forged, told_the_guest, kept_quiet):
        with run.case(f"part {part.__name__} runs to its end"):
            part(run)


if __name__ == "__main__":
    main(scenario)
