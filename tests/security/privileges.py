#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""nlbd without root: what it keeps, what it is refused for, that it finds its own after a crash, that no
secret shows, and what others can do at its socket. One host in a namespace of its own, which it binds without
a proof."""
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "live"))
from live import SKIPPED, Run, need, wait_for  # pylint: disable=wrong-import-position

USER = 64078
NETWORK = "nlb-sec-host"
NEEDED = {"cap_net_admin": 12, "cap_net_raw": 13, "cap_bpf": 39, "cap_perfmon": 38}
MASK = sum(1 << bit for bit in NEEDED.values())
SYS_RESOURCE, IPC_LOCK, SYS_NICE = 1 << 24, 1 << 14, 1 << 23
PINS = Path("/sys/fs/bpf/opennlb")


def mask_after_root():
    """Real time and locked memory come by limits; where root may not raise them, by their capabilities."""
    own = int(re.search(r"CapEff:\s*(\w+)", Path("/proc/self/status").read_text())[1], 16)
    return MASK if own & SYS_RESOURCE else MASK | IPC_LOCK | SYS_NICE


class Host:
    def __init__(self, nlb, root):
        self.nlb, self.root = nlb, Path(root)
        self.nlbd = str(Path(nlb).with_name("nlbd"))
        self.runtime, self.state = self.root / "run", self.root / "var"
        self.log = self.root / "nlbd.log"
        self.pins = PINS / str(self.runtime).strip("/").replace("/", "-")
        self.key, self.seed = secrets.token_hex(32), secrets.token_hex(16)
        self.process = None

    def lay_out(self):
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir(parents=True)
        self.root.chmod(0o755)
        sh(f"ip netns add {NETWORK}; ip -n {NETWORK} link add eth0 type veth peer name peer0;"
           f"for link in eth0 peer0 lo; do ip -n {NETWORK} link set $link up; done;"
           f"ip -n {NETWORK} addr add 10.77.1.11/24 dev eth0")
        key = self.root / "web.key"
        key.write_text(f"seed {self.seed}\nkey {self.key}\n")
        key.chmod(0o600)
        os.chown(key, USER, USER)
        (self.root / "web.toml").write_text(
            f'[cluster]\nname = "web"\nvips = ["10.77.1.100/24"]\nkey_file = "{key}"\n'
            '[host]\nid = 1\ninterface = "eth0"\nprove_path = false\nconflict_detection_ms = 0\n')

    def clear(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        subprocess.run(["ip", "netns", "del", NETWORK], check=False, capture_output=True)
        shutil.rmtree(self.pins, ignore_errors=True)
        shutil.rmtree(self.root, ignore_errors=True)

    def command(self, *words):
        return [self.nlbd, "--config", str(self.root / "web.toml"), "--runtime-dir", str(self.runtime),
                "--state-dir", str(self.state), *words]

    def start(self, *words, through=()):
        """In the namespace by nsenter, which leaves mounts as they are; `ip netns exec` hides the pins."""
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{NETWORK}", "--", *through, *self.command(*words)], stdout=log,
                stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)

    def started(self):
        wait_for("nlbd answers", lambda: self.ask("query", check=False).returncode == 0, 10)

    def end(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        self.process.wait(10)

    def ask(self, *words, check=True):
        return subprocess.run([self.nlb, "--socket", str(self.runtime / "control.sock"), "--json", *words],
                              capture_output=True, text=True, check=check)

    def status(self):
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)

    def sent(self):
        return json.loads(self.ask("counters").stdout)["heartbeat"]["sent"]

    def control_map(self):
        words = ["bpftool", "-j", "map", "show", "pinned", str(self.pins / "nlb_control")]
        return json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)["id"]

    def programs(self):
        words = [f"--net=/run/netns/{NETWORK}", "--", "bpftool", "-j", "net", "show", "dev", "eth0"]
        done = subprocess.run(["nsenter", *words], capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)[0]
        return {entry["id"] for kind in ("xdp", "tc") for entry in found.get(kind, [])}


def held(run, host):
    """Somebody with an account, whose group the socket lets in, and who has no role."""
    other = ["setpriv", "--reuid", str(USER + 1), "--regid", str(USER), "--clear-groups"]
    ask = [*other, host.nlb, "--socket", str(host.runtime / "control.sock"), "--json"]
    host.start("--user", str(USER))
    host.started()
    with run.case("a user without a role may ask, and gets exit 4 with what is needed for the rest"):
        need(subprocess.run([*ask, "query"], capture_output=True, check=False).returncode == 0, "query")
        for command, role in (("stop", "operate"), ("reload", "admin")):
            done = subprocess.run([*ask, command], capture_output=True, text=True, check=False)
            need(done.returncode == 4 and f"the role {role}" in done.stderr,
                 f"{command}: exit {done.returncode} {done.stderr}")
    with run.case("200 idle connections and a slow writer: heartbeats and the admin go on") as notes:
        holder = subprocess.Popen([*other, sys.executable, "-c", HOLDER, str(host.runtime / "control.sock")],
                                  stdout=subprocess.PIPE, text=True)
        need("held" in holder.stdout.readline(), "the holder did not start")
        begin, sent = time.monotonic(), host.sent()
        slowest = 0.0
        while time.monotonic() - begin < 2:
            asked = time.monotonic()
            host.ask("query")
            slowest = max(slowest, time.monotonic() - asked)
        rate = (host.sent() - sent) / (time.monotonic() - begin)
        holder.kill()
        holder.wait()
        need(rate >= 19, f"{rate:.1f} heartbeats a second, wanted 20")
        need(slowest < 1, f"an answer took {slowest:.2f} s")
        notes.append(f"{rate:.1f} heartbeats a second, slowest answer {1000 * slowest:.0f} ms")
    with run.case("a change is an event with user and process"):
        host.ask("suspend")
        need(b"`suspend` by user 0, process " in raw(host, "events"), raw(host, "events")[-500:])
    host.end(signal.SIGTERM)


HOLDER = """
import socket, sys, time
peers = [socket.socket(socket.AF_UNIX) for _ in range(201)]
for peer in peers:
    peer.connect(sys.argv[1])
print("held", flush=True)
while True:
    try:
        peers[0].send(b"{")
    except OSError:
        pass
    time.sleep(1)
"""


def sh(text):
    done = subprocess.run(["sh", "-ec", text], capture_output=True, text=True, check=False)
    need(done.returncode == 0, done.stderr)


def without_root(host):
    """As a unit of systemd starts it: never root, ambient capabilities, a pin directory of its own."""
    return ["unshare", "--mount", "--", "sh", "-ec",
            f'mkdir -p {host.root}/pins; mount --bind {host.pins} {host.root}/pins;'
            f'mount -t tmpfs -o mode=755 none /sys/fs/bpf; mkdir -p {host.pins};'
            f'mount --bind {host.root}/pins {host.pins}; exec "$@"', "sh"]


def as_user(capabilities, host):
    names = ",".join(f"+{name[4:]}" for name in capabilities)
    return [*without_root(host), "setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups",
            *[word for kind in ("inh-caps", "ambient-caps", "bounding-set")
              for word in (f"--{kind}", f"-all,{names}")]]


def drops(run, host):
    with run.case("--user: its own user, four capabilities and no more, no way back") as notes:
        host.start("--user", str(USER))
        host.started()
        status = host.status()
        for name in ("Uid", "Gid"):
            need(status[name].split() == [str(USER)] * 4, status[name])
        need(status["Groups"].strip() in ("", str(USER)), status["Groups"])
        for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb", "CapInh"):
            wanted = mask_after_root()
            need(int(status[name], 16) == wanted, f"{name} {status[name]}, wanted {wanted:x}")
        need(status["NoNewPrivs"].strip() == "1", "no_new_privs is not set")
        notes.append(f"CapEff {status['CapEff'].strip()}")
    with run.case("no thread has kept more; the protocol thread is real-time all the same"):
        policies = set()
        for task in Path(f"/proc/{host.process.pid}/task").iterdir():
            text = (task / "status").read_text()
            need(int(re.search(r"CapPrm:\s*(\w+)", text)[1], 16) == mask_after_root(), f"{task}: {text}")
            policies.add(os.sched_getscheduler(int(task.name)) & ~os.SCHED_RESET_ON_FORK)
        need(os.SCHED_FIFO in policies, f"policies {policies}")
    with run.case("what it locks of its own is small: no stack of a thread is there as a whole") as notes:
        own = int(host.status()["RssAnon"].split()[0])
        need(own < 32 * 1024, f"{own} kB")
        notes.append(f"{own // 1024} MiB")
    with run.case("no core file, no memory for others of its user"):
        limits = Path(f"/proc/{host.process.pid}/limits").read_text()
        need(re.search(r"Max core file size\s+0\s+0", limits), limits)
        need(os.stat(f"/proc/{host.process.pid}/mem").st_uid == 0, "/proc/PID/mem is the user's")


def adopts(run, host):
    with run.case("kill -9 and again: it knows its programs by their pins, takes them over, leaves no other"):
        before = host.programs()
        need(len(before) == 3, f"programs {before}")
        host.end()
        need(host.programs() == before, "the filter went with the daemon")
        host.start("--user", str(USER))
        host.started()
        after = host.programs()
        pinned = {int(pin.name.split("_")[1]) for pin in host.pins.glob("program_*")}
        need(after == before, f"{before} -> {after}")
        need(pinned > after and len(pinned) == 4, f"pinned {pinned}, attached {after}, and the iterator")
        need(all(pin.stat().st_uid == USER for pin in host.pins.iterdir()), "a pin is not the daemon's")
    with run.case("the maps go on: SIGTERM, and a daemon that was never root adopts them"):
        control = host.control_map()
        host.end(signal.SIGTERM)
        host.start(through=as_user(NEEDED, host))
        host.started()
        need(host.control_map() == control, f"map {control} -> {host.control_map()}")
        need(int(host.status()["CapPrm"], 16) == MASK, host.status()["CapPrm"])
        host.end()


def refuses(run, host):
    for lacking in NEEDED:
        with run.case(f"without {lacking} it does not start, and says so"):
            host.start(through=as_user([name for name in NEEDED if name != lacking], host))
            need(host.process.wait(10) == 1, "it started")
            said = host.log.read_text()
            need(f"capability {lacking.upper()} is missing" in said, said[-500:])
    with run.case("without a place for its pins it does not start, and says so"):
        host.start(through=as_user(NEEDED, host)[len(without_root(host)):])
        need(host.process.wait(10) == 1, "it started")
        need("cannot pin there" in host.log.read_text(), host.log.read_text()[-500:])
    with run.case("a key that only root may read is named at the start"):
        os.chown(host.root / "web.key", 0, 0)
        host.start("--user", str(USER))
        need(host.process.wait(10) == 2, "it started")
        need("Permission denied" in host.log.read_text(), host.log.read_text()[-500:])
        os.chown(host.root / "web.key", USER, USER)


def hides(run, host):
    with run.case("neither key nor seed in log, events, arguments, environment, params or display"):
        host.start("--user", str(USER))
        host.started()
        process = Path(f"/proc/{host.process.pid}")
        seen = {"log": host.log.read_bytes(), "cmdline": (process / "cmdline").read_bytes(),
                "environ": (process / "environ").read_bytes()}
        for command in ("params", "display", "key-status", "events", "history", "counters"):
            seen[command] = raw(host, command)
        for path in [*host.state.iterdir(), *host.runtime.glob("*.json*")]:
            seen[path.name] = path.read_bytes() if path.is_file() else b""
        need(b"fingerprints" in seen["key-status"] and b"heartbeat" in seen["params"], "no answers")
        for name, secret in (("key", host.key), ("seed", host.seed)):
            for place, text in seen.items():
                shows = secret.encode() in text.lower() or bytes.fromhex(secret) in text
                need(not shows, f"the {name} shows in {place}")
        maps = (process / "maps").read_text()
        need(found_in_memory(process, maps, bytes.fromhex(host.key)), "the search finds nothing: it is blind")
    host.end(signal.SIGTERM)


def raw(host, command):
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(host.runtime / "control.sock"))
        peer.sendall(json.dumps({"command": command}).encode() + b"\n")
        text = b""
        while not text.endswith(b"\n"):
            text += peer.recv(65536)
        return text


def found_in_memory(process, maps, secret):
    """Root can find it in the daemon's memory: the bytes that are searched for are right."""
    with open(process / "mem", "rb", buffering=0) as memory:
        for line in maps.splitlines():
            begin, end, mode = re.match(r"(\w+)-(\w+) (\S+)", line).groups()
            if not mode.startswith("rw") or int(end, 16) - int(begin, 16) > 1 << 26:
                continue
            try:
                memory.seek(int(begin, 16))
                if secret in memory.read(int(end, 16) - int(begin, 16)):
                    return True
            except OSError:
                continue
    return False


def main():
    options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
    if os.geteuid() != 0:
        print("skipped: network namespaces need root")
        sys.exit(SKIPPED)
    host = Host(str(Path(options.get("--nlb", "build/bin/nlb")).resolve()), f"/run/nlb-sec-{os.getpid()}")
    run = Run(options.get("--name", "security_privileges"), None, False)
    began = time.monotonic()
    try:
        with run.case("the scenario runs to its end"):
            host.lay_out()
            for part in (drops, adopts, refuses, hides, held):
                part(run, host)
    finally:
        run.write()
        if run.failed and host.log.exists():
            print(host.log.read_text()[-3000:])
        host.clear()
    print(f"{time.monotonic() - began:.1f} s")
    sys.exit(run.conclusion())


if __name__ == "__main__":
    main()
