#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Machines of a real libvirtd, guarded from their metadata through start, stop, rename, restore and the death
of either daemon; and what virsh says of metadata that cannot be followed."""
import os
import signal
import sys
import time

from bridge import CONFIG, SKIPPED, Tap, mac_of, main, need, sh, time_of, wait_for
from libvirtd import PROGRAMS, Libvirt, frame_of, metadata, reverse_arp

WEB, DB, BAD, GUEST = (f"52:54:00:01:00:{number:02x}" for number in range(1, 5))
MASKED, CLUSTER_MAC, FOREIGN = "02:03:0a:4d:00:64", "02:bf:0a:4d:00:64", "52:54:00:00:00:99"
MEMBER = metadata("mac-spoofing='cluster' cluster='web' host-id='3' dhcp-guard='yes'",
                  "<o:address>10.77.0.13</o:address>")


class Machines:
    def __init__(self, bridge, libvirt):
        self.bridge, self.libvirt = bridge, libvirt
        self.wire = Tap(bridge.outside, "wire")

    def port(self, name):
        return self.bridge.port(self.libvirt.interface(name))

    def file(self, name):
        return self.bridge.directory / f"run/guests.d/{name}.toml"

    def passes(self, mac, *sources):
        """Of which of these Ethernet sources a frame of that guest reaches the wire."""
        self.wire.take()
        self.libvirt.send(mac, *(frame_of(source, "f", index) for index, source in enumerate(sources)),
                          frame_of(mac, "e"))
        seen = []

        def ended():
            seen.extend(self.wire.take())
            return any(kind == "e" for _, kind, _ in seen)
        wait_for("the last frame arrives", ended, 5)
        return [source for source in sources if any(s == source and kind == "f" for s, kind, _ in seen)]

    def refused(self, words, *texts):
        done = self.libvirt.virsh(*words, check=False)
        need(done.returncode != 0, f"virsh {words} did it")
        for text in texts:
            need(text in done.stderr, f"no \"{text}\" in: {done.stderr}")


def started(run, machines):
    bridge, libvirt = machines.bridge, machines.libvirt
    libvirt.define("web9", WEB, MEMBER)
    libvirt.define("db9", DB)
    with run.case("a domain starts with the settings of its metadata, and show names them as the source"):
        libvirt.virsh("start", "web9")
        port = machines.port("web9")
        wanted = {"vm": "web9", "adapter": "net0", "mac": WEB, "mac_spoofing": "cluster", "cluster": "web",
                  "host_id": 3, "dhcp_guard": True, "addresses": ["10.77.0.13"], "state": "guarded",
                  "running": True}
        need({key: port[key] for key in wanted} == wanted, f"{port}")
        need(port["source"] == "libvirt domain web9, <port adapter=\"net0\">", port["source"])
        need(port["running_because"].startswith("libvirt runs it"), port["running_because"])
        need("guest_attached" in [event["name"] for event in bridge.events()], "no event")
    with run.case("frames of its QEMU: own and masked MAC pass, no other"):
        seen = machines.passes(WEB, WEB, MASKED, FOREIGN, DB, CLUSTER_MAC, "02:01:0a:4d:00:64")
        need(seen == [WEB, MASKED], f"these passed: {seen}")
    with run.case("a domain without metadata is \"off\""):
        libvirt.virsh("start", "db9")
        port = machines.port("db9")
        need((port["mac_spoofing"], port["mac"], port["state"], port["source"]) ==
             ("off", DB, "guarded", "libvirt domain db9"), f"{port}")
        seen = machines.passes(DB, DB, FOREIGN, WEB, MASKED)
        need(seen == [DB], f"these passed: {seen}")


def announced(run, machines):
    with run.case("reverse ARP: QEMU announces the adapter's own MAC; one about the cluster MAC is refused"):
        capture = Capture(machines.bridge, 0x8035)
        machines.libvirt.virsh("qemu-monitor-command", "web9", "--hmp", "announce_self")
        wait_for("QEMU's announcement", capture.sources, 3)
        machines.libvirt.send(WEB, reverse_arp(WEB, CLUSTER_MAC), reverse_arp(CLUSTER_MAC, CLUSTER_MAC),
                              reverse_arp(MASKED, MASKED))
        machines.passes(WEB, WEB)
        need(capture.sources() == {WEB}, f"{capture.sources()}")
        reasons = {one["reason"] for one in machines.bridge.violations() if one["vm"] == "web9"}
        need({"rarp", "cluster_source"} <= reasons, f"{reasons}")


class Capture:
    """Ethernet sources of frames of one type that reach the wire."""

    def __init__(self, bridge, ether_type):
        self.seen = set()
        self.tap = Tap(bridge.outside, "wire", ether_type)

    def sources(self):
        self.seen |= {source for source, _, _ in self.tap.take()}
        return self.seen


def survived(run, machines):
    bridge, libvirt = machines.bridge, machines.libvirt
    with run.case("kill -9 nlb-vmswitch and start: the machine is guarded as before"):
        bridge.restart(signal.SIGKILL)
        need(machines.passes(WEB, MASKED, FOREIGN) == [MASKED], "another policy")
        need(machines.port("web9")["host_id"] == 3, f"{machines.port('web9')}")
    with run.case("a machine whose file is lost is closed, and known again when libvirtd is restarted"):
        bridge.stop()
        machines.file("web9").unlink()
        bridge.start()
        interface = libvirt.interface("web9")
        need(bridge.port(interface)["role"] == "unknown", f"{bridge.port(interface)}")
        libvirt.stop()
        libvirt.start()
        wait_for("guarded", lambda: bridge.port(interface)["state"] == "guarded", 5)
        need(machines.port("web9")["mac_spoofing"] == "cluster", f"{machines.port('web9')}")
    with run.case("a machine that starts while nlb-vmswitch does not run is guarded when it does"):
        libvirt.virsh("destroy", "db9")
        bridge.stop()
        libvirt.virsh("start", "db9")
        bridge.start()
        need(machines.port("db9")["mac"] == DB and machines.passes(DB, DB, FOREIGN) == [DB], "not guarded")
    with run.case("save and restore: known before the machine goes on"):
        libvirt.virsh("managedsave", "web9")
        need(not machines.file("web9").exists(), "still known")
        libvirt.virsh("start", "web9")
        need(machines.port("web9")["mac_spoofing"] == "cluster", f"{machines.port('web9')}")


def arrival(bridge, name):
    """When nlb-vmswitch knew that a machine had come, in seconds of the wall clock."""
    events = [event for event in bridge.events() if event["text"] == f"{name} came from another host"]
    return time_of(events[-1])


def came(run, machines):
    bridge, libvirt = machines.bridge, machines.libvirt
    libvirt.define("guest9", GUEST)
    with run.case("live migration: known before it runs, also to another daemon; elsewhere until it sends"):
        xml = libvirt.virsh("dumpxml", "guest9").stdout
        sh(bridge.nlb, "--socket", bridge.socket, "vmswitch", "libvirt-hook", "guest9", "migrate", "begin",
           "-", given=xml)
        bridge.restart(signal.SIGKILL)
        libvirt.virsh("start", "guest9")
        port = machines.port("guest9")
        need((port["state"], port.get("incoming")) == ("guarded", True), f"{port}")
        neighbour = bridge.guest(2)

        def heard_from_outside():
            machines.wire.send(GUEST, mac_of(2), "m")
            return any(kind == "m" for _, kind, _ in neighbour.take())
        need(heard_from_outside(), "a neighbour does not hear it while it runs on the other host")
        sent = time.time()
        need(machines.passes(GUEST, GUEST, FOREIGN) == [GUEST], "not guarded on its arrival")
        wait_for("it is here", lambda: not machines.port("guest9").get("incoming"), 2)
        took = arrival(bridge, "guest9") - sent
        need(took < 0.4, f"{took} s after it sent")
        need(not heard_from_outside(), "its MAC address may still come in by the uplink")
        table = bridge.inside("bridge", "fdb", "show", "br", "br0").stdout
        need(f"{GUEST} dev {libvirt.interface('guest9')} sticky master br0 static" in table, table)
        libvirt.virsh("destroy", "guest9")
        need(heard_from_outside(), "gone to another host, it is not heard")


def changed(run, machines):
    bridge, libvirt = machines.bridge, machines.libvirt
    with run.case("set is refused while it runs; --live wins over metadata, and lasts"):
        done = bridge.ask("set", "web9", "--mac-spoofing", "off", check=False)
        need(done.returncode == 1 and "web9/net0 runs" in done.stderr, done.stderr)
        bridge.ask("set", "web9", "--mac-spoofing", "off", "--live")
        libvirt.virsh("destroy", "web9")
        need(bridge.show()["waiting"] == ["web9/net0"], f"{bridge.show()['waiting']}")
        libvirt.virsh("start", "web9")
        port = machines.port("web9")
        need(port["mac_spoofing"] == "off" and port["source"].endswith("vmswitch.d/web9.toml"), f"{port}")
        need(machines.passes(WEB, WEB, MASKED) == [WEB], "not off")
        libvirt.virsh("destroy", "web9")
    with run.case("set of a stopped domain: by its definition, in force at its start"):
        bridge.ask("set", "web9", "--mac-spoofing", "cluster")
        libvirt.virsh("start", "web9")
        need(machines.port("web9")["mac_spoofing"] == "cluster", f"{machines.port('web9')}")
        libvirt.virsh("destroy", "web9")
        (bridge.directory / "vmswitch.d/web9.toml").unlink()
        bridge.ask("reload")
    with run.case("a renamed domain is guarded under its new name, and the old one is gone"):
        libvirt.virsh("domrename", "web9", "shop")
        libvirt.virsh("start", "shop")
        port = machines.port("shop")
        need((port["vm"], port["host_id"], port["state"]) == ("shop", 3, "guarded"), f"{port}")
        need(not machines.file("web9").exists(), "the old name is known")


def refused(run, machines):
    bridge, libvirt = machines.bridge, machines.libvirt
    faults = {
        "mac-spoofing='cluster' cluster='wep' host-id='2'":
            "libvirt domain bad, <port adapter=\"net0\">: cluster \"wep\" is not declared; allowed: \"web\"",
        "mac-spoofing='cluster' cluster='web' host-id='3'":
            "host_id is 3 as that of shop/net0 in cluster \"web\"",
        "mac-spoofing='cluster' cluster='web' host-id='two'":
            "host_id must be a whole number, not the text \"two\"",
        "mac-spofing='on'": "the attribute mac-spofing is unknown; nearest: mac_spoofing",
    }
    with run.case("wrong metadata: virsh start fails, and says which domain, element and value"):
        for attributes, text in faults.items():
            libvirt.define("bad", BAD, metadata(attributes))
            machines.refused(("start", "bad"), "domain bad, <port adapter=\"net0\">", text)
        need(not machines.file("bad").exists(), "it is known")
        need(machines.port("shop")["state"] == "guarded", "another machine suffers")
    with run.case("settings for an adapter on a bridge that is not guarded are refused, and none are needed"):
        bridge.inside("ip", "link", "add", "br9", "type", "bridge")
        libvirt.define("bad", BAD, metadata("mac-spoofing='off'"), bridge="br9")
        machines.refused(("start", "bad"), "bridge br9 is not guarded")
        libvirt.define("bad", BAD, bridge="br9")
        libvirt.virsh("start", "bad")
        libvirt.virsh("destroy", "bad")
    with run.case("a cluster that is taken away under a running machine: its port is off, no other suffers"):
        bridge.config.write_text(CONFIG.replace('name = "web"', 'name = "other"').replace(
            'cluster = "web"\nhost_id = 1\n', ""))
        bridge.ask("reload")
        port = machines.port("shop")
        need((port["mac_spoofing"], port["state"], port["dhcp_guard"]) == ("off", "guarded", True),
             f"{port}")
        need("libvirt domain shop, <port adapter=\"net0\">: cluster \"web\" is not declared" in
             "\n".join(bridge.show()["problems"]), f"{bridge.show()['problems']}")
        need(machines.passes(WEB, WEB, MASKED) == [WEB], "not off")
        bridge.restart(signal.SIGKILL)
        need(machines.port("shop")["mac_spoofing"] == "off", "another policy after a restart")
        bridge.config.write_text(CONFIG)
        bridge.ask("reload")
        need(machines.port("shop")["mac_spoofing"] == "cluster" and not bridge.show()["problems"],
             "not healed")
    with run.case("a machine that ended is nobody"):
        libvirt.virsh("destroy", "shop")
        need(not machines.file("shop").exists() and "shop" not in str(bridge.show()["absent"]), "still known")
        names = [event["name"] for event in bridge.events()]
        need("guest_detached" in names, f"{names}")


def scenario(run):
    libvirt = Libvirt(run.lab)
    try:
        libvirt.start()
        run.lab.start()
        machines = Machines(run.lab, libvirt)
        for part in (started, announced, survived, came, changed, refused):
            with run.case(f"part {part.__name__} runs to its end"):
                part(run, machines)
    finally:
        libvirt.close()


if __name__ == "__main__":
    missing = [program for program in PROGRAMS if not os.access(program, os.X_OK)]
    if missing:
        print(f"skipped: {', '.join(missing)} not installed")
        sys.exit(SKIPPED)
    main(scenario)
