# SPDX-License-Identifier: Apache-2.0
"""A console in client 1 that reaches the daemon of host 1 by the system's ssh and a real sshd there."""
import contextlib
import json
import os
import shutil
import subprocess
from pathlib import Path

from live import Failure, end_process, need, processes, wait_for

PORT = 2222
ADDRESS = "10.77.0.11"
IN_CLIENT = ["ip", "netns", "exec", "nlb-client1"]
# Asks the console's API in the client's namespace: token's file, port, path; prints the answer.
ASK = """import http.client, json, sys
token, port, path = open(sys.argv[1]).read().strip(), int(sys.argv[2]), sys.argv[3]
connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
kind = {"Content-Type": "application/json"}
connection.request("POST", "/api/v1/login", json.dumps({"token": token}), kind)
login = connection.getresponse()
login.read()
connection.request("GET", "/api/v1" + path, headers={"Cookie": login.getheader("Set-Cookie").split(";")[0]})
print(connection.getresponse().read().decode())
"""


class Sshd:
    """In host 1, with keys of its own; who comes with them is root there."""

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir(mode=0o700)
        Path("/run/sshd").mkdir(exist_ok=True)  # OpenSSH's own, for its unprivileged half
        for name in ("host_key", "user_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)],
                           check=True)
        (directory / "sshd_config").write_text(
            f"Port {PORT}\nHostKey {directory}/host_key\nAuthorizedKeysFile {directory}/user_key.pub\n"
            "PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\n")
        (directory / "known").write_text(f"[{ADDRESS}]:{PORT} {(directory / 'host_key.pub').read_text()}")
        (directory / "config").write_text(f"UserKnownHostsFile {directory}/known\nIdentitiesOnly yes\n"
                                          f"IdentityFile {directory}/user_key\n")
        wrapper = directory / "ssh"  # the system's ssh, with the test's configuration for the user's
        wrapper.write_text(f"#!/bin/sh\nexec {shutil.which('ssh')} -F {directory}/config \"$@\"\n")
        wrapper.chmod(0o755)
        self.process = None

    def start(self):
        self.process = subprocess.Popen(["ip", "netns", "exec", "nlb-host1", shutil.which("sshd"), "-D", "-f",
                                         str(self.directory / "sshd_config")], stderr=subprocess.DEVNULL)

    def end(self):
        """And those that serve a connection: they outlive it."""
        for child in subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True,
                                    check=False).stdout.split():
            with contextlib.suppress(ProcessLookupError):  # it has ended by itself meanwhile
                os.kill(int(child), 15)
        end_process(self.process)


class RemoteConsole:
    def __init__(self, lab, sshd, place, name):
        self.lab = lab
        self.token = sshd.directory / f"{name}-token"
        environment = {**os.environ, "PATH": f"{sshd.directory}:{os.environ['PATH']}",
                       "RUNTIME_DIRECTORY": str(sshd.directory)}
        words = ["console", "--connect", place, "--listen", "127.0.0.1:0", "--token-file", str(self.token)]
        self.process = subprocess.Popen([*IN_CLIENT, lab.nlb_path, *words], stdout=subprocess.PIPE, text=True,
                                        env=environment)
        self.port = self.process.stdout.readline().rstrip("/\n").rsplit(":", 1)[-1]

    def get(self, path):
        done = subprocess.run([*IN_CLIENT, "python3", "-c", ASK, str(self.token), self.port, path],
                              capture_output=True, text=True, timeout=20, check=False)
        need(done.returncode == 0, done.stderr)
        return json.loads(done.stdout)

    def wait(self, what, holds, seconds):
        try:
            return wait_for(what, holds, seconds)
        except Failure as problem:
            raise Failure(f"{problem}; {self.get('/targets')}") from None

    def silent(self):
        return " ".join(one["error"] for one in self.get("/targets")["silent"])


def cases(run, directory):
    need(shutil.which("sshd"), "no sshd: `make deps` installs openssh-server")
    sshd = Sshd(directory / "sshd")
    sshd.start()
    there = f"ssh://root@{ADDRESS}:{PORT}"
    try:
        comes_and_goes(run, sshd, there)
        refused(run, sshd, there)
    finally:
        sshd.end()


def comes_and_goes(run, sshd, there):
    lab = run.lab
    console = RemoteConsole(lab, sshd, f"{there}{lab.socket(1)}", "far")
    try:
        with run.case("by ssh: a console elsewhere shows the cluster behind a host's socket") as notes:
            targets = lambda: console.get("/targets")["targets"]
            seconds = console.wait("the cluster over ssh", targets, 15)
            need(targets()[0]["role"] == "admin", f"who logs in is not who asks: {targets()}")
            query = console.get("/targets/cluster-web/query")
            need(query["host"] == 1, f"another host answers: {query}")
            notes.append(f"after {seconds:.1f} s")
        with run.case("by ssh: when the connection breaks it is said, and made again when sshd is back"):
            sshd.end()
            console.wait("the reason", lambda: "ssh: " in console.silent(), 15)
            sshd.start()
            console.wait("the tunnel again", lambda: not console.silent(), 20)
            again = lambda: console.get("/targets/cluster-web/query").get("host") == 1
            console.wait("the cluster again", again, 5)
    finally:
        end_process(console.process)
    with run.case("by ssh: a console that has ended leaves no socket and no ssh"):
        need(not list(sshd.directory.glob("nlb-console-*")), "the tunnel's directory is left")
        need(not processes(lambda words: str(sshd.directory / "config") in words), "ssh is left")


def refused(run, sshd, there):
    with run.case("by ssh: a wrong key, socket or machine is said, and nobody is asked for a password"):
        wanted = {f"{there}/run/nobody.sock": "open failed", there: "no control socket below",
                  f"ssh://nobody@{ADDRESS}:{PORT}": "Permission denied"}
        consoles = {place: RemoteConsole(run.lab, sshd, place, f"refused{index}")
                    for index, place in enumerate(wanted)}
        try:
            for place, words in wanted.items():
                one = consoles[place]
                one.wait(f"{place}: {words}", lambda one=one, text=words: text in one.silent(), 15)
        finally:
            for one in consoles.values():
                end_process(one.process)
