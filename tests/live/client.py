#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A client of the lab's service by either family, run in a client's namespace: one JSON line of figures.

    load ADDRESS N            N connections, 16 at a time
    streams ADDRESS N SECONDS long-lived streams, every byte checked; "running" on stderr when all of them are
    fetch ADDRESS N           N transfers of some 1.3 MB
    datagrams ADDRESS N BYTES [PREFIX]
                              N datagrams from N ports, or from N addresses of the prefix; counts of answers
"""
import ipaddress
import itertools
import json
import resource
import select
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

AT_ONCE = 16  # datagrams


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


def datagrams(address, count, size, prefix=None):
    """{"answers": {answers: how many datagrams had so many}, "hosts"}. All sockets stay open to the end, so
    that a second answer is seen; a few datagrams at a time, so that the service's buffer holds them."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 100, count + 100))
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sources = map(str, ipaddress.ip_network(prefix).hosts()) if prefix else itertools.repeat("")
    answers, hosts = {}, {}

    def take(until):
        ready = select.poll()
        numbers = {one.fileno(): one for one in answers}
        for number in numbers:
            ready.register(number, select.POLLIN)
        while not until():
            for number, _ in ready.poll(20):
                host = numbers[number].recv(100).decode().strip().split("=")[1]
                answers[numbers[number]] += 1
                hosts[host] = hosts.get(host, 0) + 1

    for begin in range(0, count, AT_ONCE):
        for source in itertools.islice(sources, min(AT_ONCE, count - begin)):
            one = socket.socket(family, socket.SOCK_DGRAM)
            one.bind((source, 0))
            one.connect((address, 7007))
            one.send(b"x" * size)
            answers[one] = 0
        limit = time.monotonic() + 2
        take(lambda: all(answers.values()) or time.monotonic() > limit)
        if not all(answers.values()):
            break
    end = time.monotonic() + 0.5
    take(lambda: time.monotonic() > end)
    return {"answers": {str(n): list(answers.values()).count(n) for n in set(answers.values())},
            "hosts": hosts}


def main():
    kind, address = sys.argv[1:3]
    numbers = [int(word) if word.isdigit() else word for word in sys.argv[3:]]
    figures = {"load": lambda n: tally(n, lambda _: ask(address, "/")),
               "fetch": lambda n: tally(n, lambda _: ask(address, "/stream?seconds=1&bytes=65536"), n),
               "streams": lambda n, seconds: streams(address, n, seconds),
               "datagrams": lambda n, size, *prefix: datagrams(address, n, size, *prefix)}[kind](*numbers)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
