# SPDX-License-Identifier: Apache-2.0
"""A place for other people's daemons on a host: mounts of its own, so that /run and /etc are theirs alone;
with a message bus where they want one."""
import subprocess
import tempfile
from pathlib import Path

from live import end_process, need, wait_for


MARKER = "10.77.0.250"  # an address that tells that all before it was seen


class Place:
    def __init__(self, enter, prepare, log):
        """`enter`: what runs a command in the host's network; `prepare`: shell, once /run is empty and what
        is written to /etc stays here."""
        self.log = open(log, "a", encoding="utf-8")
        self.processes = []
        script = ("set -e; mount -t tmpfs run /run; mkdir /run/etc /run/work; "
                  "mount -t overlay -o lowerdir=/etc,upperdir=/run/etc,workdir=/run/work etc /etc; "
                  f"{prepare}\ntouch /run/place; exec sleep infinity")
        self.keeper = self.spawn(*enter, "unshare", "-m", "sh", "-c", script)
        # Not before: in the machine's own mounts, what is written there would be the machine's.
        wait_for("its place", lambda: self.root("run/place").exists() or self.keeper.poll() is not None, 3)
        need(self.keeper.poll() is None, f"no place: {Path(log).read_text(encoding='utf-8')[-400:]}")

    def root(self, path):
        """A path as it is in there, from outside."""
        return Path(f"/proc/{self.keeper.pid}/root") / path

    def spawn(self, *words):
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.processes.append(process)
        return process

    def words(self, *words):
        return ["nsenter", "-t", str(self.keeper.pid), "-n", "-m", *map(str, words)]

    def start(self, *words):
        return self.spawn(*self.words(*words))

    def run(self, line):
        return subprocess.run(self.words("sh", "-c", line), capture_output=True, text=True, check=False)

    def do(self, line):
        done = self.run(line)
        need(done.returncode == 0, f"{line}: {done.stdout}{done.stderr}")
        return done.stdout

    def start_bus(self):
        self.do("mkdir -p /run/dbus")
        self.start("dbus-daemon", "--system", "--nofork", "--nopidfile")
        wait_for("the bus", lambda: self.run("test -S /run/dbus/system_bus_socket").returncode == 0, 3)

    def end(self):
        for process in reversed(self.processes):
            end_process(process)
        self.log.close()


def addresses_meanwhile(place, action):
    """What was taken off the host's interfaces, and put there, while action() ran."""
    with tempfile.TemporaryFile("w+") as seen:
        def text():
            seen.seek(0)
            return seen.read()

        words = place.words("ip", "-o", "-ts", "monitor", "address")
        monitor = subprocess.Popen(words, stdout=seen, text=True)
        try:
            action()
            place.do(f"ip addr add {MARKER}/32 dev eth0; ip addr del {MARKER}/32 dev eth0")
            wait_for("all was seen", lambda: MARKER in text(), 3)
            return text()
        finally:
            monitor.kill()
            monitor.wait()
