#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A client of the lab's service over IPv6, run in a client's namespace: one JSON line of figures.

    load ADDRESS N            N connections, 16 at a time
    streams ADDRESS N SECONDS long-lived streams, every byte checked; "running" on stderr when all of them are
    fetch ADDRESS N           N transfers of some 1.3 MB
    datagrams ADDRESS N BYTES N datagrams from N ports; counts the answers to each
"""
import json
import select
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor


def stream_byte(offset):
    """As lab/tools.hh has it."""
    return ((offset * 31 + (offset >> 8) * 17) ^ (offset >> 16)) & 0xff


def ask(address, path, limit=10, sink=None):
    """(host, body octets), or an exception."""
    with socket.create_connection((address, 80), timeout=limit) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n".encode())
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                raise OSError("closed before its header")
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        wanted, got = int(fields["Content-Length"]), len(body)
        if sink:
            sink(body)
        while got < wanted:
            more = connection.recv(65536)
            if not more:
                raise OSError(f"closed after {got} of {wanted} octets")
            got += len(more)
            if sink:
                sink(more)
        return fields["X-NLB-Host"], got


def tally(jobs, how, workers=16):
    figures = {"connections": jobs, "failed": 0, "hosts": {}, "bytes": 0, "errors": []}

    def one(number):
        try:
            return how(number)
        except (OSError, ValueError) as problem:
            return str(problem)

    with ThreadPoolExecutor(workers) as pool:
        for answer in pool.map(one, range(jobs)):
            if isinstance(answer, str):
                figures["failed"] += 1
                figures["errors"] = (figures["errors"] + [answer])[:5]
                continue
            figures["hosts"][answer[0]] = figures["hosts"].get(answer[0], 0) + 1
            figures["bytes"] += answer[1]
    return figures


def streams(address, count, seconds):
    running = threading.Barrier(count + 1)

    def one(_):
        offset, begun = 0, False

        def check(octets):
            nonlocal offset, begun
            for octet in octets:
                if octet != stream_byte(offset):
                    raise ValueError(f"octet {offset} is wrong")
                offset += 1
            if octets and not begun:
                begun = True
                running.wait(10)
        return ask(address, f"/stream?seconds={seconds}&bytes=100", 5, check)

    threading.Thread(target=lambda: (running.wait(10), print("running", file=sys.stderr, flush=True)),
                     daemon=True).start()
    return tally(count, one, count)


def datagrams(address, count, size):
    sockets = []
    for _ in range(count):
        one = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        one.connect((address, 7007))
        one.send(b"x" * size)
        sockets.append(one)
    answers, hosts, end = {one: 0 for one in sockets}, {}, time.monotonic() + 1.5
    while time.monotonic() < end:
        for one in select.select(sockets, [], [], 0.1)[0]:
            host = one.recv(100).decode().strip().split("=")[1]
            answers[one] += 1
            hosts[host] = hosts.get(host, 0) + 1
    return {"answers": sorted(answers.values()), "hosts": hosts}


def main():
    kind, address, numbers = sys.argv[1], sys.argv[2], [int(word) for word in sys.argv[3:]]
    figures = {"load": lambda n: tally(n, lambda _: ask(address, "/")),
               "fetch": lambda n: tally(n, lambda _: ask(address, "/stream?seconds=1&bytes=65536"), n),
               "streams": lambda n, seconds: streams(address, n, seconds),
               "datagrams": lambda n, size: datagrams(address, n, size)}[kind](*numbers)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
