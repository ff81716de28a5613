#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Health checks with real servers: a rule leaves the host whose service fails, and comes back; a whole host;
all hosts at once, open and closed. Rule 8080 is nginx, listening on the VIP alone, and asked by http; rule 80
is the lab's service, asked by a program that looks for a file."""
import json
import os
import signal
import time
from pathlib import Path

from bystander import lateness
from live import VIP, main, need, need_no_failure, need_shares, shares, time_of, wait_for

WEB = f"{VIP}:8080"
INTERVAL_MS, TIMEOUT_MS, FALL, RISE = 200, 150, 2, 2
MARGIN_MS = 300
TIMED_OUT = 28  # curl's exit code
EVEN = {1: 100 / 3, 2: 100 / 3, 3: 100 / 3}
HOSTS = (1, 2, 3)
TIMES = f"interval_ms = {INTERVAL_MS}\ntimeout_ms = {TIMEOUT_MS}\nfall = {FALL}\nrise = {RISE}\n"
NGINX = """user root; worker_processes 1; pid {root}/nginx.pid; error_log {root}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {root}; proxy_temp_path {root}; fastcgi_temp_path {root}; uwsgi_temp_path {root};
  scgi_temp_path {root};
  server {{
    listen {vip}:8080;
    location / {{ default_type text/plain; add_header X-NLB-Host {host}; return 200 "host={host}\\n"; }}
  }}
}}
"""


class Service:
    """nginx of a host, and the file that the program of rule 80 looks for."""

    def __init__(self, lab, host):
        self.lab, self.host = lab, host
        self.root = Path(f"{lab.root}/host{host}/health")
        self.root.mkdir(mode=0o755)
        self.conf, self.pid_file = self.root / "nginx.conf", self.root / "nginx.pid"
        self.flag = self.root / "well"
        self.conf.write_text(NGINX.format(root=self.root, vip=VIP, host=host))
        self.program = self.root / "check"
        self.program.write_text(f"#!/bin/sh\ntest -e {self.flag} && exit 0\necho the file is gone\nexit 2\n")
        self.program.chmod(0o755)
        self.flag.touch()

    def start(self):
        self.lab.lab("exec", f"host{self.host}", "--", "nginx", "-c", self.conf, "-p", self.root)

    def signal(self, number):
        """To the master and its worker."""
        master = int(self.pid_file.read_text())
        children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        for pid in [master, *map(int, children)]:
            os.kill(pid, number)

    def stop(self):
        if self.pid_file.exists():
            self.signal(signal.SIGKILL)
            self.pid_file.unlink()

    def configure(self, more=""):
        """The checks into this host's file, and a reload."""
        path = Path(f"{self.lab.root}/host{self.host}/web.toml")
        before = path.read_text().split("\n# health\n")[0]
        web = (f'[[port_rule]]\nports = "8080"\nprotocol = "tcp"\naffinity = "none"\n[[port_rule.health]]\n'
               f'type = "http"\ntarget = "{WEB}"\nexpect_body = "host={self.host}"\n{TIMES}')
        file = (f'[[port_rule.health]]\ntype = "exec"\ntarget = "{self.program}"\nall_down = "open"\n'
                f'flap_window_s = 0\n{TIMES}')
        first, rest = before.replace(file, "").split("\n[[port_rule]]\nports = \"7007\"")
        path.write_text(f'{first}{file}\n[[port_rule]]\nports = "7007"{rest}\n# health\n{web}{more}')
        self.lab.host(self.host, "reload")


def rule(lab, host, port):
    return json.loads(lab.host(host, "--json", "queryport", port).stdout)["rules"][0]


def served_by(lab, port, seen_from=2):
    return [member["id"] for member in rule(lab, seen_from, port)["members"] if member["share"] > 0]


def wait_served_by(lab, port, hosts, seconds=3):
    return wait_for(f"port {port} is served by {hosts}", lambda: served_by(lab, port) == list(hosts), seconds)


def events(lab, host, number):
    return [event for event in lab.events(host) if event["number"] == number]


def one_rule(run, services):
    lab = run.lab
    bound = INTERVAL_MS * FALL + MARGIN_MS
    with run.case("nginx of host 1 is stopped: its share of the rule moves, and the check says why") as notes:
        need_shares(lab.load(600, to=WEB), EVEN, 12)
        master = services[1].pid_file.read_text().strip()
        figures = lab.tool("gap", "--to", WEB, "--seconds", 2, "--fault-at-ms", 600, "--fault-cmd",
                           f"kill -KILL {master} $(cat /proc/{master}/task/{master}/children)")
        services[1].pid_file.unlink()
        notes.append(f"gap {figures['gap_ms']:.0f} ms of at most {bound}")
        need(figures["ended"] and 0 < figures["gap_ms"] <= bound, f"not within {bound} ms: {figures}")
        need("1" not in figures["hosts_after"], figures)
        told = events(lab, 1, 1050)
        need(told and told[-1]["fields"]["detail"] == "Connection refused" and told[-1]["remedy"], told)
        need(rule(lab, 1, 8080)["state"] == "unhealthy", rule(lab, 1, 8080))
        need("out of all:8080 tcp" in lab.host(3, "query").stdout, lab.host(3, "query").stdout)
    with run.case("the host's other rule goes on"):
        figures = lab.load(600)
        need_no_failure(figures)
        need_shares(figures, EVEN, 12)
    with run.case("nginx is back: the rule comes back after `rise` good results") as notes:
        services[1].start()
        seconds = wait_served_by(lab, 8080, HOSTS)
        notes.append(f"after {1000 * seconds:.0f} ms")
        need(seconds > INTERVAL_MS * (RISE - 1) / 1000, f"before {RISE} good results: {seconds} s")
        need_no_failure(lab.load(300, to=WEB))
        need(events(lab, 1, 1051), "nothing was told")


def hanging(run, services):
    lab = run.lab
    with run.case("nginx of host 2 hangs: found after the time limit, and no heartbeat is late") as notes:
        def hangs():
            begin = time.time()
            services[2].signal(signal.SIGSTOP)
            bound = INTERVAL_MS * FALL + TIMEOUT_MS + MARGIN_MS
            seconds = wait_served_by(lab, 8080, [1, 3], bound / 1000)
            notes.append(f"after {1000 * seconds:.0f} ms of at most {bound}")
            need("no answer within" in events(lab, 2, 1050)[-1]["fields"]["detail"], events(lab, 2, 1050))
            time.sleep(3 * INTERVAL_MS / 1000)
            services[2].signal(signal.SIGCONT)
            wait_served_by(lab, 8080, HOSTS)
            found = [event for host in HOSTS for number in (1004, 1005, 1007)
                     for event in events(lab, host, number)]
            return [event for event in found if time_of(event) >= begin]
        late = lateness(hangs)
        need(not late, late)


def connections(run, services):
    lab = run.lab
    with run.case("a rule that is out keeps its connections") as notes:
        streams = lab.start_streams(60, 2)
        services[1].flag.unlink()
        wait_served_by(lab, 80, [2, 3])
        need(1 not in shares(lab.load(200)), "takes new connections")
        held = json.loads(lab.host(1, "--json", "connections").stdout)["rules"][0]["connections"]
        notes.append(f"{held} connections stay")
        need(held > 5, f"only {held} connections")
        need(lab.finish(streams)["failed"] == 0, "a stream was broken")
        need("exit code 2: the file is gone" in lab.host(1, "display").stdout, lab.host(1, "display").stdout)


def all_at_once(run, services):
    lab = run.lab
    with run.case("all hosts fail, all_down = \"open\": served as if all were well") as notes:
        for host in (2, 3):
            services[host].flag.unlink()
        wait_for("all fail", lambda: all(events(lab, host, 1055) for host in HOSTS), 3)
        figures = lab.load(600)
        need_no_failure(figures)
        notes.append(need_shares(figures, EVEN, 12))
        need({rule(lab, 1, 80)["state"], rule(lab, 2, 80)["state"]} == {"unhealthy"}, rule(lab, 1, 80))
        services[3].flag.touch()
        wait_served_by(lab, 80, [3])
        services[1].flag.touch()
        services[2].flag.touch()
        wait_served_by(lab, 80, HOSTS)
    with run.case("all hosts fail, all_down = \"closed\": nobody serves, and one alone does when it is back"):
        for host in HOSTS:
            services[host].stop()
        wait_served_by(lab, 8080, [])
        asked = lab.lab("exec", "client1", "--", "curl", "-s", "-m", 1, f"http://{WEB}/", check=False)
        need(asked.returncode == TIMED_OUT, f"somebody answers: curl's exit code {asked.returncode}")
        wait_for("it is told", lambda: all(events(lab, host, 1054) for host in HOSTS), 2)
        services[3].start()
        wait_served_by(lab, 8080, [3])
        need_no_failure(lab.load(100, to=WEB))
        need(all(events(lab, host, 1056) for host in HOSTS), "its end is not told")
        services[1].start()
        services[2].start()
        wait_served_by(lab, 8080, HOSTS, 6)


def whole_host(run, services):
    lab = run.lab
    with run.case("a check with on_failure = \"host\" takes the host out of all rules"):
        flag = services[1].root / "host"
        services[1].configure(f'[[port_rule.health]]\ntype = "exec"\ntarget = "/usr/bin/false"\n'
                              f'on_failure = "host"\n{TIMES}')
        for port in (80, 7007):
            wait_served_by(lab, port, [2, 3])
        need(lab.query(2)["members"][0]["in_service"] is False, lab.query(2))
        need(lab.query(3)["default"] is False and lab.query(2)["default"], "the default host is another")
        need(events(lab, 1, 1052) and "out of service" in lab.host(1, "query").stdout, flag)
    with run.case("a check that is removed holds nobody back"):
        services[1].configure()
        for port in (80, 7007):
            wait_served_by(lab, port, HOSTS)
        need(events(lab, 1, 1053), "its return is not told")


def restart(run):
    lab = run.lab
    with run.case("a restarted nlbd serves after its first good result") as notes:
        lab.lab("restart", "host3")
        wait_for("host 3 is back", lambda: lab.state(3) == "converged", 5)
        seconds = wait_for("it serves", lambda: served_by(lab, 8080, 3) == list(HOSTS), 2)
        notes.append(f"{1000 * seconds:.0f} ms after it has converged")
        need(rule(lab, 3, 8080)["state"] == "enabled", rule(lab, 3, 8080))
        need_no_failure(lab.load(100, to=WEB))


def scenario(run):
    run.lab.up()
    services = {host: Service(run.lab, host) for host in HOSTS}
    try:
        for service in services.values():
            service.start()
            service.configure()
        wait_served_by(run.lab, 8080, HOSTS, 5)
        for part in (one_rule, hanging, connections, all_at_once, whole_host):
            part(run, services)
        restart(run)
    finally:
        for service in services.values():
            service.stop()


if __name__ == "__main__":
    main(scenario)
