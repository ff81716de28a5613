#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A bucket moves while its old owner still has a socket for the very flow: a half-open one, or one in
TIME_WAIT. The new owner's connection lives, and the old owner says nothing into it."""
import json
import subprocess
import time

from capture import RST, Capture
from live import HTTP, VIP, main, need, wait_for

CLIENT = "10.77.0.201"

# Connects from a given port, asks for a path, reads to the end; prints the host and how many bytes came.
ASK = r'''
import socket, sys
port, path, limit = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.settimeout(limit)
s.bind(("10.77.0.201", port))
s.connect(("10.77.0.100", 80))
s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
answer = b""
while chunk := s.recv(65536): answer += chunk
print(answer.split(b"X-NLB-Host: ")[1].split()[0].decode(), len(answer))
'''


def ask(lab, port, path, limit=10):
    words = [lab.nlb_path, "lab", "exec", "client1", "--", "python3", "-c", ASK, str(port), path, str(limit)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def answered_by(process):
    out, err = process.communicate(timeout=30)
    need(process.returncode == 0, err)
    host, count = out.split()
    return int(host), int(count)


def owner_of(lab, port):
    words = ["--client", f"{CLIENT}:{port}", "--to", HTTP, "--protocol", "tcp"]
    return json.loads(lab.host(1, "--json", "filter", *words).stdout)["host"]


def port_of(lab, host, first):
    """A client port whose connection is that host's."""
    for port in range(first, first + 400):
        if owner_of(lab, port) == host:
            return port
    raise AssertionError("no such port")


def sockets(lab, host, state, port):
    """The host's sockets of that state for the client's port."""
    return lab.lab("exec", f"host{host}", "--", "ss", "-Htan", "state", state,
                   f"dst {CLIENT} and dport = :{port}").stdout.strip()


def client(lab, *words):
    lab.lab("exec", "client1", "--", *words)


def need_no_reset(capture, port):
    resets = [p for p in capture.ips() if p.flags & RST and port in (p.from_port, p.to_port)]
    need(not resets, f"{len(resets)} resets, for instance {resets[:2]}")


def half_open(run):
    lab = run.lab
    with run.case("the SYN-ACK of the old owner is lost, the bucket moves, the SYN is sent again") as notes:
        port = port_of(lab, 3, 20000)
        client(lab, "nft", "add table ip lost; add chain ip lost in { type filter hook input priority 0; }; "
                           f"add rule ip lost in tcp sport 80 tcp dport {port} drop")
        with Capture(lab, f"tcp and host {VIP}") as capture:
            process = ask(lab, port, "/")
            wait_for("host 3 has a half-open connection", lambda: sockets(lab, 3, "syn-recv", port), 2)
            lab.host(3, "drainstop")
            lab.wait_members([1, 2], draining=[3])
            need(sockets(lab, 3, "syn-recv", port), "the half-open connection is gone: nothing is proved")
            client(lab, "nft", "delete table ip lost")
            host, _ = answered_by(process)
        need(host in (1, 2), f"host {host} answered")
        need_no_reset(capture, port)
        notes.append(f"port {port}: half-open at host 3, served by host {host}")
    with run.case("the half-open connection does not keep host 3 from ending") as notes:
        notes.append(f"{wait_for('host 3 stops', lambda: lab.state(3) == 'stopped', 70):.0f} s")
        lab.host(3, "start")
        lab.wait_members([1, 2, 3])


def time_wait(run):
    lab = run.lab
    with run.case("the old owner has the flow in TIME_WAIT: the new owner's connection lives") as notes:
        port = port_of(lab, 3, 21000)
        host, _ = answered_by(ask(lab, port, "/"))
        need(host == 3, f"host {host} answered")
        wait_for("host 3 has it in TIME_WAIT", lambda: sockets(lab, 3, "time-wait", port), 2)
        begin = time.monotonic()
        lab.host(3, "drainstop")
        wait_for("TIME_WAIT does not delay the end", lambda: lab.state(3) == "stopped", 2)
        notes.append(f"drained within {time.monotonic() - begin:.1f} s")
        lab.wait_members([1, 2])
        with Capture(lab, f"tcp and host {VIP}") as capture:
            process = ask(lab, port, "/stream?seconds=5")
            wait_for("a new owner has the connection", lambda: any(
                sockets(lab, host, "established", port) for host in (1, 2)), 3)
            lab.host(3, "start")
            lab.wait_members([1, 2, 3])
            need(owner_of(lab, port) == 3, f"the bucket went back to host {owner_of(lab, port)}")
            need(sockets(lab, 3, "time-wait", port), "TIME_WAIT is over: nothing is proved")
            host, count = answered_by(process)
        need(host in (1, 2), f"host {host} answered")
        need_no_reset(capture, port)
        notes.append(f"{count} bytes from host {host} while host 3 owned the bucket")


def scenario(run):
    run.lab.up("--mac-strategy", "add")
    for part in (time_wait, half_open):
        with run.case(f"part {part.__name__} runs to its end"):
            part(run)


if __name__ == "__main__":
    main(scenario)
