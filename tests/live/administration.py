#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One host administers all: other members' states, and changes that are made everywhere or nowhere."""
import json
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from live import VIP, Failure, main, need, need_no_failure, shares, wait_for
from streams import wait_state, while_streaming


def config(lab, host):
    return Path(f"{lab.root}/host{host}/web.toml")


def configs(lab):
    return [config(lab, host).read_text() for host in (1, 2, 3)]


def rules(lab, host):
    return json.loads(lab.host(host, "--json", "rule", "list").stdout)["port_rules"]


def seen_from(lab, host, other):
    return json.loads(lab.host(host, "--json", "query", "--host", other).stdout)


def refused(lab, host, words, exit_code, *parts):
    """The command fails with this code, and says all these parts."""
    done = lab.host(host, *words, check=False)
    need(done.returncode == exit_code, f"{words}: exit {done.returncode}, not {exit_code}: {done.stderr}")
    for part in parts:
        need(part in done.stderr, f"{words}: does not say \"{part}\": {done.stderr}")
    return done.stderr.strip().splitlines()[-1]


def other_members(run):
    lab = run.lab
    with run.case("query --all from host 2: every member, with its name") as notes:
        def named():
            answer = json.loads(lab.host(2, "--json", "query", "--all").stdout)
            answers = {entry["host"]: entry for entry in answer["answers"]}
            need(sorted(answers) == [1, 2, 3], answer)
            need({entry["answer"]["view"] for entry in answers.values()} == {lab.query(1)["view"]}, answer)
            return all(entry["name"] for entry in answers.values())
        notes.append(f"names after {wait_for('names of all members', named, 5):.1f} s")
        wait_for("names at host 3", lambda: all(member["name"] for member in lab.query(3)["members"]), 5)
        shown = lab.host(2, "query", "--all").stdout
        need(shown.count("converged") == 3, shown)
    with run.case("who is unknown, or cannot be asked, is told by the exit code"):
        refused(lab, 1, ["query", "--host", "9"], 1, "never heard of host 9")
        refused(lab, 1, ["key", "status", "--host", "2"], 2, "does not go with --host")
        need(seen_from(lab, 1, 3)["host"] == 3, "another host answered")


def drain(run):
    lab = run.lab

    def drain_and_back(notes):
        lab.host(1, "drainstop", "--host", "3", "--timeout", "60")
        wait_state(lab, 3, "draining", 1)
        lab.wait_members([1, 2], draining=[3])
        answer = seen_from(lab, 1, 3)
        need(answer["drain"]["connections"] > 0 and 50 < answer["drain"]["remaining_s"] <= 60, answer)
        notes.append(f"{answer['drain']['connections']} connections left")
        need(3 not in shares(lab.load(300)), "the draining host takes new connections")
        done = json.loads(lab.host(1, "--json", "start", "--host", "3").stdout)
        need(done.get("interrupted") == "drainstop" and "interrupted" in done["message"], done)
        lab.wait_members([1, 2, 3])

    while_streaming(run, "host 1 drains host 3, and interrupts the drain", drain_and_back, seconds=5)


def changes(run):
    lab = run.lab

    def change(notes):
        begin = time.monotonic()
        lab.host(2, "rule", "add", "8080", "--protocol", "tcp", "--affinity", "none")
        notes.append(f"added within {1000 * (time.monotonic() - begin):.0f} ms")
        need(all(len(rules(lab, host)) == 3 for host in (1, 2, 3)), [rules(lab, host) for host in (1, 2, 3)])
        lab.wait_members([1, 2, 3], seconds=2)
        need_no_failure(lab.load(300))
        lab.host(1, "weight", "10", "--rule", "80", "--host", "2")
        lab.wait_members([1, 2, 3])
        figures = lab.load(1000)
        need(4 < shares(figures).get(2, 0) < 20, f"host 2 has weight 10 beside two of 50: {figures}")
        lab.host(3, "weight", "equal")
        lab.host(3, "rule", "remove", "8080")
        lab.wait_members([1, 2, 3], seconds=2)

    for host in (1, 2, 3):
        path = config(lab, host)
        path.write_text(path.read_text().replace("[host]", "# kept\n[host]  # too"))
    while_streaming(run, "a rule is added and removed, weights change, on all three", change, seconds=6)
    with run.case("comments are kept, and nobody was refused meanwhile"):
        kept = [text for text in configs(lab) if "# kept\n[host]  # too" in text and "8080" not in text]
        need(len(kept) == 3, configs(lab))
        for host in (1, 2, 3):
            events = lab.host(host, "events", "--limit", "200").stdout
            need("config_mismatch" not in events and "refused" not in events, events)


ADD = ["rule", "add", "9090", "--protocol", "tcp"]


def nothing_changes(run, title, prepare, undo, *parts):
    """The change is refused for a reason that is named, and no file and no rule differs afterwards."""
    lab = run.lab
    with run.case(title) as notes:
        prepare()
        before, in_force = configs(lab), rules(lab, 1)
        try:
            notes.append(refused(lab, 1, ADD, 1, "nothing was changed", "host 3 (", *parts))
            need(configs(lab) == before and rules(lab, 1) == in_force, "something was changed")
            left = lambda: list(Path(lab.root).glob("host*/*.change"))
            wait_for("nothing is left beside a file", lambda: not left(), 5)
        finally:
            undo()
        lab.wait_members([1, 2, 3])
        lab.host(1, *ADD)
        lab.host(1, "rule", "remove", "9090")
        lab.wait_members([1, 2, 3])


def in_mounts_of(lab, host, *words):
    pid = Path(f"{lab.root}/host{host}/nlbd.pid").read_text().split()[0]
    done = subprocess.run(["nsenter", "-t", pid, "-m", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"{words}: {done.stderr}")


def all_or_nothing(run):
    lab = run.lab
    directory = f"{lab.root}/host3"

    def down():
        lab.lab("fault", "kill", "host3")
        lab.wait_members([1, 2])

    nothing_changes(run, "one host is down: nothing is changed", down,
                    lambda: lab.lab("start", "host3"), "not heard")

    def read_only():
        in_mounts_of(lab, 3, "mount", "--bind", directory, directory)
        in_mounts_of(lab, 3, "mount", "-o", "remount,ro,bind", directory)

    nothing_changes(run, "one host's disk is read-only: nothing is changed", read_only,
                    lambda: in_mounts_of(lab, 3, "umount", directory), "Read-only")

    original = config(lab, 3).read_text()

    def disagree():
        config(lab, 3).write_text(original.replace('"7007"', '"7007-7008"'))
        lab.host(3, "reload")
        wait_state(lab, 3, "refused", 3)

    def agree():
        config(lab, 3).write_text(original)
        lab.host(3, "reload")

    nothing_changes(run, "one host has other rules: nothing is changed", disagree, agree, "port rules differ")

    def forbid():
        config(lab, 3).write_text(original + '\n[control]\nremote = "query"\n')
        lab.host(3, "reload")

    nothing_changes(run, "one host lets others only ask: nothing is changed", forbid, agree,
                    'remote = "query"')
    with run.case("--check-config refuses an unknown operator, as a start does"):
        other = config(lab, 3).with_name("other.toml")
        for operators, code in (('["root"]', 0), ('["root", "@nobody-knows"]', 2)):
            other.write_text(original + f"\n[control]\noperators = {operators}\n")
            done = lab.lab("exec", "host3", "--", str(Path(lab.nlb_path).parent / "nlbd"), "--config", other,
                           "--check-config", check=False)
            need(done.returncode == code and (code == 0 or '"@nobody-knows"' in done.stderr), done)
        other.unlink()
    with run.case("[control] remote bounds what members may do"):
        forbid()
        refused(lab, 1, ["stop", "--host", "3"], 4, 'remote = "query"')
        need(seen_from(lab, 1, 3)["state"] == "converged", "no answer")
        done = lab.host(1, "disable", "7007", "--all", check=False)
        need(done.returncode == 1 and "host 3" in done.stderr, done.stderr)
        agree()
        lab.host(1, "enable", "7007", "--all")


def guest(run):
    """An invitation of host 1, taken in a directory: the new host's file is one that nlbd takes."""
    lab = run.lab
    with run.case("an invitation gives a further host its configuration, the key and a free id"):
        token = json.loads(lab.host(1, "--json", "invite").stdout)["token"]
        with tempfile.TemporaryDirectory() as directory:
            words = ["join", token, "--interface", "lo0", "--directory", directory]
            refusal = lab.command(*words, check=False).stderr
            need("no interface lo0" in refusal, f"a missing interface is taken: {refusal}")
            inside = ["lab", "exec", "host2", "--", lab.nlb_path, "join", token, "--directory", directory]
            lab.command(*inside)
            text = (Path(directory) / "web.toml").read_text()
            need("id = 4" in text and f'key_file = "{directory}/web.key"' in text, text)
            key = Path(directory) / "web.key"
            need(key.read_text() == Path(f"{lab.root}/web.key").read_text(), "another key")
            need(key.stat().st_mode & 0o777 == 0o600, oct(key.stat().st_mode))
            again = lab.command(*inside, check=False)
            need(again.returncode == 1 and "already" in again.stderr, again.stderr)


def states(run):
    lab = run.lab
    with run.case("a suspended host does nothing but resume and answer, also after a restart of nlbd"):
        lab.host(1, "suspend", "--host", "3")
        for _ in range(2):
            need(seen_from(lab, 1, 3)["state"] == "suspended", "not so")
            for words in (["start"], ["stop"], ["drainstop"], ["disable", "all"]):
                refused(lab, 1, [*words, "--host", "3"], 1, "resume it first")
            lab.lab("restart", "host3")
            asked = lambda: lab.host(1, "query", "--host", "3", check=False).returncode
            wait_for("host 3 is heard again", lambda: asked() == 0, 5)
    with run.case("a rule that was disabled, and one that was drained, stay so over a restart"):
        lab.host(1, "resume", "--host", "3")
        lab.host(1, "start", "--host", "3")
        lab.wait_members([1, 2, 3])
        lab.host(1, "disable", "80", "--host", "3")
        lab.host(1, "drain", "7007", "--host", "3")
        lab.lab("restart", "host3")
        lab.wait_members([1, 2, 3])
        states_now = [json.loads(lab.host(3, "--json", "queryport", port).stdout)["rules"][0]["state"]
                      for port in ("80", "7007")]
        need(states_now == ["disabled", "draining"], states_now)
        need(3 not in shares(lab.load(300)), "a disabled rule takes connections")
        lab.host(1, "enable", "all", "--host", "3")
    with run.case("a host that is gone for good is forgotten, and no change waits for it"):
        refused(lab, 1, ["forget", "3"], 1, "is heard")
        lab.lab("fault", "kill", "host3")
        lab.wait_members([1, 2])
        refused(lab, 2, ADD, 1, "host 3")
        lab.host(1, "forget", "3")
        lab.host(2, *ADD)
        need([len(rules(lab, host)) for host in (1, 2)] == [3, 3], "the rule is not there")


# Each field that a request may have, by command; "vip" and "client" are as `filter` needs them to go on.
REQUESTS = {
    "query": {}, "display": {}, "params": {}, "connections": {}, "counters": {}, "history": {}, "version": {},
    "key-status": {}, "doctor": {},
    "queryport": {"port": 80, "vip": "all"},
    "filter": {"client": "10.77.0.201", "client_port": 1, "vip": VIP, "port": 80, "protocol": "tcp",
               "flags": "syn"},
    "buckets": {"slot": 0},
    "events": {"log": "a1", "after": 1, "limit": 5},
    "enable": {"port": 80, "vip": "all"},
    "forget": {"member": 3},
    "change": {"change": {}, "check": True, "local": True},
}
WRONG = (5, -1, 1e300, 65616, "5", "all of them", True, [], {}, [5], None, "x" * 5000)


def raw(lab, host, request):
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(20)
        peer.connect(lab.socket(host))
        peer.sendall(json.dumps(request).encode() + b"\n")
        return json.loads(peer.makefile().readline())


def wrong_types(run):
    """A request is anybody's who may read; whatever stands in it, the answer is one, here and from others."""
    lab = run.lab
    before = lab.daemons()
    with run.case("requests with fields of every wrong type: answered, and no daemon minds") as notes:
        asked = 0
        for command, fields in REQUESTS.items():
            for name in (*fields, "hosts"):
                for wrong in WRONG:
                    for where in ({}, {"hosts": [3]}) if name != "hosts" else ({},):
                        answer = raw(lab, 1, {"command": command, **fields, name: wrong, **where})
                        need(answer.get("schema") == 1, f"{command} with {name} {wrong!r}: {answer}")
                        asked += 1
        need(lab.daemons() == before and lab.members(1) == [1, 2, 3], "a daemon has ended")
        notes.append(f"{asked} requests")
    with run.case("a port is a number or \"all\", a member an id; another word is neither all nor 1"):
        for member in (True, 257, "2", 0, None):
            for where in ({}, {"hosts": [3]}):
                error = raw(lab, 1, {"command": "forget", "member": member, **where}).get("error", {})
                need(error.get("exit") == 2, f"{member!r}: {error}")
        for port in ("80", "", "everything", -1, 65616):
            error = raw(lab, 1, {"command": "disable", "port": port}).get("error", {})
            need(error.get("exit") == 2 and "65535" in error["message"], f"{port!r}: {error}")
        rules_now = json.loads(lab.host(1, "--json", "queryport", "all").stdout)["rules"]
        need({rule["state"] for rule in rules_now} == {"enabled"}, rules_now)


def scenario(run):
    run.lab.up("--client-addresses", 4)
    for part in (wrong_types, other_members, drain, changes, all_or_nothing, guest, states):
        with run.case(f"part {part.__name__} runs to its end"):
            part(run)


if __name__ == "__main__":
    main(scenario)
