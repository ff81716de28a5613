# SPDX-License-Identifier: Apache-2.0
"""Daemons that only answer, for tests of the console that need no root: a control socket each."""
import json
import socketserver
import threading

COUNTERS = [{"name": "owned", "packets": 0, "bytes": 0, "expected": True},
            {"name": "foreign", "packets": 0, "bytes": 0, "expected": True}]


class StandIn:
    """One control socket; what it is asked is kept in `asked`, and `refuse` makes it answer with an error."""

    def __init__(self, path, answers):
        self.path, self.answers, self.asked, self.refuse = path, answers, [], {}
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                for line in self.rfile:
                    request = json.loads(line)
                    outer.asked.append(request)
                    self.wfile.write(json.dumps(outer.answer(request)).encode() + b"\n")

        class Server(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True

        self.server = Server(path, Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def answer(self, request):
        command = request["command"]
        if command in self.refuse:
            message, code = self.refuse[command]
            return {"schema": 1, "error": {"message": message, "exit": code}}
        answer = self.answers.get(command)
        if answer is None:
            return {"schema": 1, "error": {"message": f'unknown command "{command}"', "exit": 2}}
        answer = {"schema": 1, **(answer(request) if callable(answer) else answer)}
        if request.get("hosts") == "all":
            return {"schema": 1, "cluster": "web", "host": 1, "answers": [
                {"host": host, "name": f"web{host}", "answer": answer} for host in (1, 2)]}
        return answer

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def cluster(path):
    packets = [0]

    def counters(_):
        packets[0] += 100
        grown = [{**one, "packets": packets[0]} for one in COUNTERS]
        return {"counters": grown, "tcp": {"passive_opens": packets[0]}}

    event = {"time": "2026-01-31T12:00:00.123Z", "number": 28, "name": "converged", "severity": "info",
             "text": "view 2 <b>&</b>", "remedy": "", "fields": {}}
    done = {"state": "stopped", "changed": True, "message": "Cluster operations: done."}
    answers = {command: done for command in
               ("start", "stop", "drainstop", "suspend", "resume", "enable", "disable", "drain", "change")}
    members = [{"id": 1, "name": "web1", "state": "converged", "default": True, "dedicated_ip": "",
                "last_heard_ms": 0}]
    answers |= {"version": {"cluster": "web", "host": 1, "version": "0", "role": "operate"},
                "query": {"host": 1, "state": "converged", "view": 2, "default": True, "members": members},
                "display": {"vips": []}, "params": {}, "connections": {"total": 3, "rules": []},
                "counters": counters,
                "history": {"history": []}, "queryport": {"rules": []}, "filter": {"host": 1, "bucket": 7},
                "buckets": {"slot": 0, "states": "5" * 2048}, "doctor": {"checks": []},
                "events": {"log": "a1", "last": 1, "lost": 0, "events": [event]}}
    return StandIn(path, answers)


def switch(path):
    return StandIn(path, {"version": {"version": "0", "node": "hyper1", "role": "admin"},
                          "show": {"switches": []},
                          "clusters": {"clusters": []}, "violations": {"violations": []},
                          "set": {"message": "done"},
                          "events": {"log": "b1", "last": 0, "lost": 0, "events": []}})
