#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Frames out of the ordinary find their owner: IP options, jumbo frames, data in a SYN (TCP fast open)."""
import os
import signal
from collections import Counter
from pathlib import Path

from live import main, need, wait_for

HOSTS = (1, 2)
# Each line that it prints: who answered a datagram of so many octets, with these IP options.
DATAGRAMS = r'''
import socket, sys
size, options = int(sys.argv[1]), bytes.fromhex(sys.argv[2])
for _ in range(24):
    s = socket.socket(type=socket.SOCK_DGRAM); s.settimeout(2)
    if options: s.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, options)
    s.sendto(b"x" * size, ("10.77.0.100", 7007))
    print(s.recv(100).split(b"host=")[1].split()[0].decode())
'''
# Who answered a request that went with the SYN where the client has a cookie.
FAST = r'''
import socket
for _ in range(24):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, b"\3" + 15 * b"\0")  # 3 s
    request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    s.sendto(request, socket.MSG_FASTOPEN, ("10.77.0.100", 80))
    text = b""
    while chunk := s.recv(4096): text += chunk
    print(text.split(b"host=")[1].split()[0].decode())
'''


def on(lab, node, *words):
    return lab.lab("exec", node, "--", *words).stdout


def passive_opens(lab, node):
    names, values = [line.split() for line in on(lab, node, "cat", "/proc/net/netstat").splitlines()
                     if line.startswith("TcpExt:")]
    return int(values[names.index("TCPFastOpenPassive")])


def by_both(lab, notes, *words):
    answered = Counter(on(lab, "client1", "python3", "-c", *words).split())
    need(set(answered) == {"1", "2"} and answered.total() == 24, f"not both answer: {answered}")
    notes.append(dict(answered))


def scenario(run):
    lab = run.lab
    lab.up(hosts=len(HOSTS))
    with run.case("datagrams with IP options (router alert, record route)") as notes:
        for options in ("94040000", "0707040000000000"):
            by_both(lab, notes, DATAGRAMS, "20", options)
    with run.case("TCP fast open: a client's second SYN carries data, to whichever host it goes") as notes:
        for host in HOSTS:  # of listeners that are made from now on, also those that do not ask for it
            on(lab, f"host{host}", "sysctl", "-qw", "net.ipv4.tcp_fastopen=0x402")
            pid = Path(lab.root, f"host{host}", "service.pid").read_text(encoding="utf-8").split()[0]
            os.kill(int(pid), signal.SIGKILL)
            wait_for("the service is gone", lambda: not Path("/proc", pid).exists(), 2)
            lab.lab("start", f"host{host}")
        on(lab, "client1", "sysctl", "-qw", "net.ipv4.tcp_fastopen=1")
        by_both(lab, notes, FAST)
        taken = sum(passive_opens(lab, f"host{host}") for host in HOSTS)
        need(taken > 0, "no host took data from a SYN: this shows nothing")
        notes.append(f"data of {taken} SYNs taken")
    with run.case("jumbo frames: datagrams of 8000 octets, unfragmented") as notes:
        for node in ("host1", "host2", "client1"):
            on(lab, node, "ip", "link", "set", "eth0", "mtu", "9000")
        for line in on(lab, "switch", "ip", "-o", "link", "show", "master", "nlbsw0").splitlines():
            on(lab, "switch", "ip", "link", "set", line.split()[1].split("@")[0], "mtu", "9000")
        by_both(lab, notes, DATAGRAMS, "8000", "")
        shown = on(lab, "client1", "sh", "-c", "grep ^Ip: /proc/net/snmp | tail -1").split()
        need(shown[19] == "0", f"the client made fragments: {shown}")


if __name__ == "__main__":
    main(scenario)
