#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""nlb vmswitch against a running nlb-vmswitch: what is shown, changed, refused and remembered."""
import os
import signal
import subprocess
import time

from bridge import BROADCAST, CONFIG, Tap, mac_of, main, need, sh, wait_for

FOREIGN = "52:54:00:00:00:99"


def shown(run):
    bridge = run.lab
    with run.case("show names Hyper-V's property, the state and the source of each setting"):
        text = bridge.ask("show").stdout
        for words in ("Enable spoofing of MAC address", "web1", "db1/net1", "guarded", "not checked",
                      "(vmswitch.toml)"):
            need(words in text, f"no \"{words}\" in:\n{text}")
    with run.case("clusters shows the prepared member"):
        need("prepared" in bridge.ask("clusters").stdout, bridge.ask("clusters").stdout)
    with run.case("violations: one object a port and reason, with count and frame"):
        tap = bridge.guest(1)
        for number in range(25):
            tap.send(FOREIGN, BROADCAST, "b", number)
        tap.send("02:01:0a:4d:00:64", BROADCAST, "b")
        wait_for("two violations", lambda: len(bridge.violations()) == 2, 3)
        spoofed = next(one for one in bridge.violations() if one["reason"] == "source_spoofed")
        need((spoofed["vm"], spoofed["port"], spoofed["address"], spoofed["count"]) ==
             ("web1", "tap1", FOREIGN, 25), f"{spoofed}")
        need(spoofed["first"] <= spoofed["last"] and spoofed["frame"].startswith("ff" * 6 + "525400000099"),
             f"{spoofed}")
        need({"adapter", "frame", "first", "last", "reason"} <= set(spoofed), f"{spoofed}")
        need(any(event["name"] == "violation" and event["fields"]["address"] == FOREIGN
                 for event in bridge.events()), "no event")


def refused(done, exit_code, *texts):
    need(done.returncode == exit_code, f"exit {done.returncode}, wanted {exit_code}: {done.stderr}")
    for text in texts:
        need(text in done.stderr, f"no \"{text}\" in: {done.stderr}")


def changed(run):
    bridge = run.lab
    override = bridge.directory / "vmswitch.d/web1.toml"
    with run.case("set is refused while the VM runs, and says how to go on"):
        refused(bridge.ask("set", "web1", "--mac-spoofing", "cluster", check=False), 1, "web1 runs",
                "stop web1", "--live", "Enable spoofing of MAC address")
        need(not override.exists() and bridge.port("tap1")["mac_spoofing"] == "off", "something was changed")
    with run.case("set while it is stopped: written beside the main file, in force, named as source"):
        bridge.inside("ip", "link", "set", "tap1", "down")
        bridge.ask("set", "web1", "--mac-spoofing", "cluster")
        bridge.inside("ip", "link", "set", "tap1", "up")
        port = bridge.port("tap1")
        need(port["mac_spoofing"] == "cluster" and port["source"] == str(override), f"{port}")
        watch, tap = bridge.guest(2), bridge.guest(1)
        tap.send("02:01:0a:4d:00:64", BROADCAST, "m")
        wait_for("the masked MAC passes", lambda: any(kind == "m" for _, kind, _ in watch.take()) or
                 not tap.send("02:01:0a:4d:00:64", BROADCAST, "m"), 3)
        need("member" in bridge.ask("clusters").stdout, "not shown as a member")
    with run.case("after kill -9 and a start what vmswitch.d says still wins, and violations are remembered"):
        known = bridge.violations()
        bridge.restart(signal.SIGKILL)
        need(bridge.violations() == known, f"{bridge.violations()}, before: {known}")
        need(bridge.port("tap1")["mac_spoofing"] == "cluster", f"{bridge.port('tap1')}")
    with run.case("--live changes it at once and records it"):
        bridge.ask("set", "web1", "--mac-spoofing", "off", "--live")
        need(bridge.port("tap1")["mac_spoofing"] == "off", "not in force")
        need(any(event["name"] == "spoofing_changed_live" for event in bridge.events()), "not recorded")
    with run.case("an edited file and a reload change it, too, and that is recorded with the file"):
        port = 'interface = "tap2"\n'
        bridge.config.write_text(CONFIG.replace(port, port + 'mac_spoofing = "on"\n'))
        bridge.ask("reload")
        told = [event["text"] for event in bridge.events() if event["name"] == "spoofing_changed_live"]
        need("of web2 is on, it was off" in told[-1] and "vmswitch.toml" in told[-1], told)
        bridge.config.write_text(CONFIG)
        bridge.ask("reload")
    with run.case("several adapters and none named: exit 2 and the list; an unknown VM: the nearest"):
        refused(bridge.ask("set", "db1", "--mac-spoofing", "on", check=False), 2, "db1/net0", "db1/net1")
        refused(bridge.ask("set", "db1/net7", "--mac-spoofing", "on", check=False), 2, "db1/net0")
        refused(bridge.ask("set", "wep1", "--mac-spoofing", "on", check=False), 2, "\"web1\"")
        refused(bridge.ask("set", "web1", "--mac-spoofing", "maybe", check=False), 2)
        bridge.ask("set", "db1/net1", "--mac-spoofing", "on", "--live")
        need([bridge.port(tap)["mac_spoofing"] for tap in ("tap3", "tap4")] == ["off", "on"], "the wrong one")
    with run.case("a tap: a process that holds it open runs the VM, whatever the state of the interface"):
        file = bridge.open_tap(4)
        bridge.join("tap4")
        wait_for("guarded", lambda: bridge.port("tap4")["state"] == "guarded", 2)
        bridge.inside("ip", "link", "set", "tap4", "down")
        refused(bridge.ask("set", "db1/net1", "--mac-spoofing", "off", check=False), 1, "holds tap4 open")
        os.close(file)
        wait_for("absent", lambda: bridge.port("tap4")["state"] == "absent", 2)
        bridge.ask("set", "db1/net1", "--mac-spoofing", "off")
        bridge.add_guest(4)
        bridge.join("tap4")
    with run.case("a change that contradicts the rest is refused before anything is written"):
        refused(bridge.ask("set", "web2", "--mac-spoofing", "cluster", "--cluster", "web", "--host-id", "1",
                           "--live", check=False), 2, "nothing was changed", "host_id is 1")
        need(not (bridge.directory / "vmswitch.d/web2.toml").exists(), "it was written")


def reloaded(run):
    bridge = run.lab
    with run.case("a bad file is refused on SIGHUP, the old policy stays, an event names the line"):
        bridge.config.write_text(CONFIG.replace('mac = "52:54:00:00:00:02"', 'mac = "52:54:00:00:00:01"'))
        bridge.daemon.send_signal(signal.SIGHUP)
        wait_for("the event", lambda: any(
            event["name"] == "reload_refused" and "vmswitch.toml:18:" in event["text"]
            for event in bridge.events()), 3)
        need(bridge.port("tap2")["mac"] == mac_of(2), "another policy is in force")
        refused(bridge.ask("reload", check=False), 2, "vmswitch.toml:18:")
        done = sh(bridge.daemon_path, "--config", bridge.config, "--check-config", check=False)
        refused(done, 2, "vmswitch.toml:18: mac 52:54:00:00:00:01 is that of web1")
    with run.case("a good file is taken, and ports follow it"):
        bridge.config.write_text(CONFIG.replace("52:54:00:00:00:02", "52:54:00:00:00:22"))
        bridge.ask("reload")
        tap, watch = bridge.guest(2), bridge.guest(1)
        tap.send(mac_of(2), BROADCAST, "o")
        tap.send(mac_of(0x22), BROADCAST, "n")
        need([kind for _, kind, _ in watch.take()] == ["n"], "the old MAC passes, or the new one does not")
        bridge.config.write_text(CONFIG)
        bridge.ask("reload")
        need(sh(bridge.daemon_path, "--config", bridge.config, "--check-config").returncode == 0, "not good")


def set_while_reloading(run):
    bridge = run.lab

    def reloads():
        return sum(event["name"] == "reloaded" for event in bridge.events())
    with run.case("a set while a reload is on its way stays in force"):
        overrides = bridge.directory / "vmswitch.d"
        for number in range(1500):  # so many that a reload reads for some time
            (overrides / f"other{number}.toml").write_text(f'[[port]]\nvm = "other{number}"\n'
                                                           'mac_spoofing = "off"\n')
        for setting in ("on", "off", "on", "off"):
            before = reloads()
            done = subprocess.Popen([bridge.nlb, "--socket", str(bridge.socket), "vmswitch", "set", "web2",
                                     "--mac-spoofing", setting, "--live"], stdout=subprocess.DEVNULL)
            time.sleep(0.02)
            bridge.daemon.send_signal(signal.SIGHUP)
            need(done.wait(20) == 0, "set fails")
            wait_for("reloaded", lambda before=before: reloads() > before, 20)
            shown_now = bridge.port("tap2")["mac_spoofing"]
            need(shown_now == setting, f"{setting} was set, {shown_now} is in force")
        for file in overrides.glob("other*"):
            file.unlink()
        (overrides / "web2.toml").unlink()
        bridge.ask("reload")


def followed(run):
    bridge = run.lab
    with run.case("a tap that goes is absent, its MAC is not pinned, and it comes back guarded"):
        bridge.inside("ip", "link", "del", "tap3")
        wait_for("absent", lambda: bridge.port("tap3")["state"] == "absent", 2)
        bridge.add_guest(3)
        bridge.join("tap3")
        wait_for("guarded", lambda: bridge.port("tap3")["state"] == "guarded", 2)
        table = bridge.inside("bridge", "fdb", "show", "br", "br0").stdout
        need(f"{mac_of(3)} dev tap3 sticky master br0 static" in table, table)
    with run.case("an interface that exists elsewhere is a problem that show names"):
        bridge.inside("ip", "link", "set", "tap3", "nomaster")
        wait_for("the problem", lambda: "tap3 of db1/net0" in "\n".join(bridge.show()["problems"]), 2)
        bridge.join("tap3")
        wait_for("guarded", lambda: bridge.port("tap3")["state"] == "guarded", 2)
    with run.case("a violation with violation = \"shutdown\" shuts the port, which recovers after recover_s"):
        bridge.config.write_text(CONFIG.replace('interface = "tap2"',
                                                'interface = "tap2"\nviolation = "shutdown"\nrecover_s = 2'))
        bridge.ask("reload")
        tap = bridge.guest(2)
        tap.send(FOREIGN, BROADCAST, "b")
        wait_for("down", lambda: bridge.port("tap2")["state"] == "down", 2)
        wait_for("recovered", lambda: bridge.port("tap2")["state"] == "guarded", 5)
        names = [event["name"] for event in bridge.events()]
        need("port_shut_down" in names and "port_recovered" in names, f"{names}")
    with run.case("without a daemon nlb exits 3, and the host's own traffic on br0 passed all the while"):
        bridge.stop(signal.SIGKILL)
        refused(bridge.ask("show", check=False), 3, "nlb-vmswitch does not answer")
        host, guest = Tap(bridge.switch, "br0"), bridge.guest(1)
        host.send("52:54:00:00:00:bb", mac_of(1), "h")
        need(any(kind == "h" for _, kind, _ in guest.take()), "the host does not reach a guest")
        guest.send(mac_of(1), BROADCAST, "g")
        need(any(kind == "g" for _, kind, _ in host.take()), "a guest does not reach the host")


def scenario(run):
    run.lab.start()
    for part in (shown, changed, reloaded, set_while_reloading, followed):
        with run.case(f"part {part.__name__} runs to its end"):
            part(run)


if __name__ == "__main__":
    main(scenario)
