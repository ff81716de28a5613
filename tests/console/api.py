#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The console's API from outside, without root: who gets in, what is refused, whether openapi.json is true.

Usage: api.py --nlb build/bin/nlb [--name NAME]
"""
import argparse
import http.client
import json
import os
import re
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "live"))

import stand_in  # noqa: E402  pylint: disable=wrong-import-position
from live import Run, need, wait_for  # noqa: E402  pylint: disable=wrong-import-position

JSON = {"Content-Type": "application/json"}


class Console:
    """nlb-console before two stand-in daemons, in a directory of its own."""

    def __init__(self, nlb, directory, *words):
        self.directory = Path(directory)
        self.token_file = self.directory / "state" / "token"
        self.process = subprocess.Popen([nlb, "console", "--listen", "127.0.0.1:0", "--token-file",
                                         str(self.token_file),
                                         *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.search(r":(\d+)/", line)
        need(found, f"it did not start: {line} {self.process.stderr.read() if not found else ''}")
        self.port, self.secure = int(found.group(1)), "https" in line
        self.cookie = self.csrf = None

    def token(self):
        return self.token_file.read_text().strip()

    def connection(self):
        if not self.secure:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=context)

    def ask(self, method, path, body=None, headers=None, session=True):
        """(status, document or text, headers)"""
        sent = dict(headers if headers is not None else JSON if method == "POST" else {})
        if session and self.cookie:
            sent["Cookie"] = self.cookie
            if method == "POST" and headers is None:
                sent["X-CSRF-Token"] = self.csrf
        connection = self.connection()
        connection.request(method, path, json.dumps(body) if isinstance(body, dict) else body, sent)
        answer = connection.getresponse()
        text = answer.read().decode()
        kind = answer.getheader("Content-Type") or ""
        connection.close()
        return answer.status, json.loads(text) if "json" in kind and text else text, answer

    def login(self):
        status, document, answer = self.ask("POST", "/api/v1/login", {"token": self.token()}, session=False)
        need(status == 200, f"login: {status} {document}")
        self.cookie, self.csrf = answer.getheader("Set-Cookie").split(";")[0], document["csrf"]
        return answer.getheader("Set-Cookie")

    def get(self, path):
        return self.ask("GET", f"/api/v1{path}")[:2]

    def post(self, path, body=None):
        return self.ask("POST", f"/api/v1{path}", body or {})[:2]

    def end(self):
        self.process.terminate()
        self.process.wait(10)


def who_gets_in(run, console):
    with run.case("the token's file is the owner's alone, and its directory was made"):
        need(stat.S_IMODE(console.token_file.stat().st_mode) == 0o600, oct(console.token_file.stat().st_mode))
        need(len(console.token()) == 64, "a short token")
    with run.case("without a token there is no data, of anything"):
        paths = ["/targets", "/live", "/targets/cluster-web/query", "/targets/cluster-web/samples"]
        for path in paths:
            status, document = console.get(path)
            need(status == 401 and document["title"] == "Not logged in", f"{path}: {status} {document}")
        need(console.post("/targets/cluster-web/commands/stop")[0] == 401, "a command without a session")
        need(console.get("/session")[1] == {"open": False}, "a session that nobody opened")
        forged = console.ask("GET", "/api/v1/targets", headers={"Cookie": "nlb_session=" + "0" * 64})
        need(forged[0] == 401, f"a forged cookie: {forged[0]}")
    with run.case("a wrong token is answered later each time") as notes:
        waits = []
        for _ in range(2):
            begin = time.monotonic()
            status = console.ask("POST", "/api/v1/login", {"token": "0" * 64})[0]
            need(status == 401, f"a wrong token: {status}")
            waits.append(time.monotonic() - begin)
        need(waits[0] >= 0.5 and waits[1] >= 1.0, f"a wrong token waits {waits}")
        notes.append(f"{waits[0]:.2f} s, {waits[1]:.2f} s")
    with run.case("the right token does not wait, and opens a session"):
        begin = time.monotonic()
        cookie = console.login()
        need(time.monotonic() - begin < 1.5, "the right token waits, too")  # 2 s, a third wrong one
        need("HttpOnly" in cookie and "SameSite=Strict" in cookie and "Secure" not in cookie, cookie)
        need(console.get("/session")[1]["open"], "no session after the login")


def what_is_refused(run, console, daemon):
    command = "/api/v1/targets/cluster-web/commands/stop"
    before = lambda: [one for one in daemon.asked if one["command"] == "stop"]
    with run.case("a command needs the page's CSRF word and a JSON body, and else reaches no daemon"):
        for headers, wanted in ((JSON, 403), ({**JSON, "X-CSRF-Token": "0" * 64}, 403),
                                ({"Content-Type": "text/plain", "X-CSRF-Token": console.csrf}, 415),
                                ({"Content-Type": "application/x-www-form-urlencoded"}, 415)):
            status, document, _ = console.ask("POST", command, {"host": 2}, headers)
            need(status == wanted, f"{headers}: {status} {document}")
        need(console.ask("GET", command)[0] == 404, "a command by GET")
        need(console.ask("DELETE", command)[0] == 405, "DELETE")
        need(not before(), f"it was passed on: {before()}")
    with run.case("arguments that the table does not have are refused"):
        for body in ({"hosts": "all"}, {"command": "change"}, {"host": "2"}, {"host": -1}, {"host": 1e9},
                     {"host": None}):
            status, document = console.post("/targets/cluster-web/commands/stop", body)
            need(status == 400, f"{body}: {status} {document}")
        for path in ("/targets/cluster-web/key-status", "/targets/cluster-web/version",
                     "/targets/cluster-web/stop",
                     "/targets/cluster-web/show", "/targets/none/query", "/targets/cluster-web/commands",
                     "/targets/"):
            need(console.get(path)[0] == 404, f"{path}: {console.get(path)}")
        for query in ("queryport?port=80&vip=%ff", "filter?client=%ff&vip=1.2.3.4&port=80"):
            status, document = console.get(f"/targets/cluster-web/{query}")
            need(status == 400, f"{query}, which is no UTF-8: {status} {document}")
        for name in ("query", "reload", "forget", "set", "../query"):
            need(console.post(f"/targets/cluster-web/commands/{name}")[0] == 404, name)
        need(not before(), f"it was passed on: {before()}")
    with run.case("lengths are bounded, and no path reaches a disk"):
        need(console.ask("GET", "/api/v1/targets", headers={"X": "x" * 9000})[0] == 431, "a long header")
        big = json.dumps({"token": "x" * 70000})
        need(console.ask("POST", "/api/v1/login", big)[0] == 413, "a long body")
        deep = console.ask("POST", "/api/v1/login", "[" * 60000)
        need(deep[0] == 400, f"a deep body: {deep[:2]}")
        for path in ("/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/src/../../../bin/nlb",
                     "//etc/passwd"):
            need(console.ask("GET", path)[0] == 404, path)
    with run.case("every answer has the policy that lets nothing from outside in"):
        for path in ("/", "/api/v1/targets", "/nothing"):
            answer = console.ask("GET", path)[2]
            policy = answer.getheader("Content-Security-Policy") or ""
            need("default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy,
                 f"{path}: {policy}")
            need(answer.getheader("X-Content-Type-Options") == "nosniff", path)


def roles(run, console, daemon):
    with run.case("what the daemon does not permit, the console does not do") as notes:
        target = next(one for one in console.get("/targets")[1]["targets"] if one["kind"] == "cluster")
        need(target["role"] == "operate", f"the role is the daemon's word: {target}")
        daemon.answers["version"]["role"] = "read"  # it was started anew, with other lists
        roles_now = lambda: [one["role"] for one in console.get("/targets")[1]["targets"]]
        wait_for("the role that it has now", lambda: "read" in roles_now(), 8)
        daemon.refuse["change"] = ("`change` needs the role admin", 4)
        status, document = console.post("/targets/cluster-web/commands/change", {"change": {"op": "vip-add"}})
        need(status == 403 and document["exit"] == 4 and "role admin" in document["detail"],
             f"{status} {document}")
        notes.append(document["detail"])
        for code, wanted in ((1, 409), (2, 400), (3, 503)):
            daemon.refuse["stop"] = ("why", code)
            status, document = console.post("/targets/cluster-web/commands/stop", {"host": 2})
            need(status == wanted and document["detail"] == "why", f"exit {code}: {status} {document}")
        daemon.refuse.clear()
        need(console.post("/targets/cluster-web/commands/drainstop", {"host": 2, "timeout_s": 9})[0] == 200,
             "not done")
        need(daemon.asked[-1] == {"command": "drainstop", "hosts": [2], "timeout_s": 9} or
             {"command": "drainstop", "hosts": [2], "timeout_s": 9} in daemon.asked,
             "other arguments arrived")


def nonsense(run, console, daemon):
    """What a host says is the word of whoever is root there."""
    with run.case("answers of another shape are that daemon's trouble, not the console's"):
        good = dict(daemon.answers)
        for command, answer in (("counters", {"counters": [1]}), ("events", {"log": 1, "last": "x"}),
                                ("query", {"members": 5, "state": []}), ("version", {"cluster": 5}),
                                ("connections", {"rules": "none"}), ("display", {"vips": {"a": 1}})):
            daemon.answers[command] = answer
            asked = len(daemon.asked)
            wait_for("it has been asked", lambda: len(daemon.asked) > asked + 12, 10)
            need(console.process.poll() is None, f"the console ended: {command} {answer}")
            daemon.answers[command] = good[command]
        samples = len(console.get("/targets/cluster-web/samples")[1]["samples"])
        wait_for("it goes on", lambda: len(console.get("/targets/cluster-web/samples")[1]["samples"])
                 > samples, 10)


class Schema:
    """As much of JSON Schema as openapi.json uses."""

    TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int,
             "number": (int, float)}

    def __init__(self, document):
        self.document = document

    def resolved(self, node):
        while "$ref" in node:
            at = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                at = at[part]
            node = at
        return node

    def check(self, value, schema, where):
        schema = self.resolved(schema)
        kind = schema.get("type")
        if isinstance(kind, list):  # of several, the one that it is
            kind = next((one for one in kind if isinstance(value, self.TYPES[one])), kind[0])
        need(kind in self.TYPES, f"{where}: the description has no type")
        right = isinstance(value, self.TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))
        need(right, f"{where}: {value!r} is no {kind}")
        need("enum" not in schema or value in schema["enum"],
             f"{where}: {value!r} is not in {schema.get('enum')}")
        for name in schema.get("required", []):
            need(name in value, f"{where}: no {name} in {value}")
        properties, others = schema.get("properties", {}), schema.get("additionalProperties")
        if kind == "object":
            for name, one in value.items():
                if name in properties or isinstance(others, dict):
                    self.check(one, properties.get(name) or others, f"{where}.{name}")
                need(name in properties or not properties or isinstance(others, dict)
                     or where.endswith("Answer"),
                     f"{where}: {name} is not described")
        for index, one in enumerate(value if kind == "array" and "items" in schema else []):
            self.check(one, schema["items"], f"{where}[{index}]")


def described_answer(schema, operation, status, kind, document, where):
    responses = operation["responses"]
    need(str(status) in responses, f"{where}: {status} is not described: {document}")
    content = schema.resolved(responses[str(status)])["content"]
    need(kind.split(";")[0] in content, f"{where}: {kind} is not described")
    one = content[kind.split(";")[0]]["schema"]
    shown = where + (" Answer" if one.get("$ref", "").endswith("/Answer") else "")
    if isinstance(document, (dict, list)):
        schema.check(document, one, shown)


EXAMPLES = {"query": {}, "queryport": {"port": "80"},
            "filter": {"client": "192.0.2.1", "vip": "192.0.2.100", "port": "80"}}


def openapi(run, console):
    document = console.get("/openapi.json")[1]
    schema = Schema(document)
    with run.case("each path of openapi.json is there, and answers as it says") as notes:
        count = 0
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if path in ("/live", "/login", "/logout"):
                    continue
                kind = operation["summary"].split(":")[0]
                real = path.replace("{id}", "switch-hyper1" if kind == "of a switch" else "cluster-web")
                query = EXAMPLES.get(path.rsplit("/", 1)[-1], {})
                if query:
                    real += "?" + "&".join(f"{name}={value}" for name, value in query.items())
                status, answer, raw = console.ask(method.upper(), f"/api/v1{real}", {}
                                                  if method == "post" else None)
                need(status == 200, f"{path}: {status} {answer}")
                described_answer(schema, operation, status, raw.getheader("Content-Type"), answer, path)
                count += 1
        notes.append(f"{count} operations")
    with run.case("what a parameter or a body is called there is what the server takes"):
        values = {"integer": 1, "string": "1", "boolean": True, "object": {}}
        for path, operations in document["paths"].items():
            if "{id}" not in path:
                continue
            for method, operation in operations.items():
                real = path.replace("{id}", "switch-hyper1"
                                    if operation["summary"].startswith("of a switch") else "cluster-web")
                if method == "get":
                    named = [one["name"] for one in operation["parameters"] if one["in"] == "query"]
                    status = console.get(real + "?" + "&".join(f"{name}=1" for name in named))[0]
                    stranger = console.get(real + "?stranger=1")[0]
                    need(stranger == 400 or path.endswith(("/samples", "/events")),
                         f"{path}?stranger: {stranger}")
                else:
                    fields = operation["requestBody"]["content"]["application/json"]["schema"]["properties"]
                    kinds = {name: one["type"] if isinstance(one["type"], str) else "integer" for name,
                             one in fields.items()}
                    status = console.post(real, {name: values[kind] for name, kind in kinds.items()})[0]
                    need(console.post(real, {"stranger": 1})[0] == 400, f"{path}: a stranger")
                need(status == 200, f"{path} with all that it may have: {status}")
    with run.case("refusals are as described, too"):
        bare = document["paths"]["/targets"]["get"]
        status, answer, raw = console.ask("GET", "/api/v1/targets", session=False)
        described_answer(schema, bare, status, raw.getheader("Content-Type"), answer, "/targets")


def live(run, console):
    def stream():
        connection = console.connection()
        connection.request("GET", "/api/v1/live", headers={"Cookie": console.cookie})
        return connection.getresponse()

    with run.case("the stream begins with the state of everything, then tells what happens"):
        answer, seen, states = stream(), set(), set()
        need(answer.getheader("Content-Type") == "text/event-stream", answer.getheader("Content-Type"))
        end = time.monotonic() + 15
        while not ({"state", "sample"} <= seen and len(states) == 2) and time.monotonic() < end:
            line = answer.fp.readline().decode()
            if line.startswith("event: "):
                seen.add(line[7:].strip())
            elif line.startswith("data: ") and "sample" not in seen:
                states.add(json.loads(line[6:]).get("id"))
        need({"state", "sample"} <= seen, f"only {seen} were told")
        sample = console.get("/targets/cluster-web/samples")[1]["samples"][-1]
        need(sample["hosts"]["1"]["opens"] > 0, f"no rate from counters that grow: {sample}")
    with run.case("fifty look on at once, each is told; too many are refused") as notes:
        before = memory(console)
        streams = [stream() for _ in range(50)]
        told = []
        threads = [threading.Thread(target=lambda one=one: told.append(one.fp.readline()
                                                                       and one.fp.readline()))
                   for one in streams]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(15)
        need(len(told) == 50, f"{len(told)} of 50 were told")
        need(console.get("/targets")[0] == 200, "nobody else is answered")
        streams += [stream() for _ in range(20)]  # the one of the case before still looks on
        statuses = [one.status for one in streams]
        need(statuses == [200] * 63 + [503] * 7, f"how many may look on? {statuses}")
        notes.append(f"{(memory(console) - before) / 1024:.1f} MiB more")
        need(memory(console) - before < 65536, f"{memory(console) - before} KiB more")


def memory(console):
    status = Path(f"/proc/{console.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))


def over_tls(run, nlb, directory, sockets):
    certificate, key = f"{directory}/c.pem", f"{directory}/k.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "1",
                    "-subj", "/CN=localhost", "-keyout", key, "-out", certificate], check=True,
                   capture_output=True)
    with run.case("with a certificate it speaks TLS alone, and its cookie is for TLS alone"):
        console = Console(nlb, f"{directory}/tls", *sockets, "--certificate", certificate, "--key", key)
        try:
            need(console.secure and "; Secure" in console.login(), "the cookie may go in clear")
            need(console.get("/targets")[0] == 200, "no data over TLS")
            with socket.create_connection(("127.0.0.1", console.port), timeout=5) as plain:
                plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
                try:
                    need(not plain.recv(100).startswith(b"HTTP"), "it answers in clear")
                except ConnectionError:
                    pass
        finally:
            console.end()
    with run.case("what would be unsafe is refused at the start"):
        others = Path(directory) / "others-can-read"
        others.write_text("0" * 64)
        others.chmod(0o644)
        for words, part in ((["--listen", "0.0.0.0:0"], "not loopback"),
                            (["--token-file", str(others)], "others"),
                            (["--connect", "tcp:1.2.3.4"], "allowed"),
                            (["--connect", "ssh://-oProxyCommand=id"], "is no host"),
                            (["--connect", "ssh://-l@host"], "is no user"),
                            (["--connect", "ssh://host:0/x.sock"], "is no port"),
                            (["--connect", "ssh://host/x y"], "characters"),
                            (["--certificate", certificate], "key")):
            arguments = [nlb, "console", *(["--listen", "127.0.0.1:0"] if "--listen" not in words else []),
                         *(["--token-file", f"{directory}/state/token"]
                           if "--token-file" not in words else []), *words]
            done = subprocess.run(arguments, capture_output=True, text=True, timeout=20, check=False)
            need(done.returncode in (1, 2) and part in done.stderr,
                 f"{words}: {done.returncode} {done.stderr}")


def scenario(run, nlb, directory):
    paths = [f"{directory}/web.sock", f"{directory}/switch.sock"]
    daemon, switch = stand_in.cluster(paths[0]), stand_in.switch(paths[1])
    sockets = [f"--connect=unix:{path}" for path in paths]
    console = Console(nlb, directory, *sockets)
    try:
        who_gets_in(run, console)
        wait_for("both daemons are found", lambda: len(console.get("/targets")[1]["targets"]) == 2, 10)
        wait_for("two samples", lambda: len(console.get("/targets/cluster-web/samples")[1]["samples"]) > 1,
                 10)
        what_is_refused(run, console, daemon)
        nonsense(run, console, daemon)
        roles(run, console, daemon)
        openapi(run, console)
        live(run, console)
        with run.case("who logs out is out"):
            need(console.post("/logout")[0] == 200 and console.get("/targets")[0] == 401, "still in")
    finally:
        console.end()
    over_tls(run, nlb, directory, sockets)
    for one in (daemon, switch):
        one.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nlb", required=True)
    parser.add_argument("--name", default="console_api")
    options = parser.parse_args()
    run = Run(options.name, None, False)
    with tempfile.TemporaryDirectory() as directory:
        with run.case("the scenario runs to its end"):
            scenario(run, os.path.abspath(options.nlb), directory)
    run.write()
    sys.exit(run.conclusion())


if __name__ == "__main__":
    main()
