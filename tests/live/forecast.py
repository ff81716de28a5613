#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`nlb filter` foretells which host serves a client, and every member says the same."""
import json
import random
import subprocess

from live import UDP, VIP, main, need

# Opens one connection (or sends one datagram, or pings) from a given address and port; prints who served it.
# Runs in the client; one line of input is one question.
ASK = r'''
import socket, sys
def tcp(address, port):
    s = socket.socket(); s.settimeout(3)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port)); s.connect(("10.77.0.100", 80))
    s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    text = b""
    while chunk := s.recv(4096): text += chunk
    return text.split(b"host=")[1].split()[0].decode()
def udp(address, port):
    s = socket.socket(type=socket.SOCK_DGRAM); s.settimeout(3)
    s.bind((address, port)); s.sendto(b"?", ("10.77.0.100", 7007))
    return s.recv(100).split(b"host=")[1].split()[0].decode()
for line in sys.stdin:
    protocol, address, port = line.split()
    try: print({"tcp": tcp, "udp": udp}[protocol](address, int(port)), flush=True)
    except Exception as e: print(f"{type(e).__name__}", flush=True)
'''


def foretell(lab, host, protocol, address, port):
    to = f"{VIP}:80" if protocol == "tcp" else UDP
    done = lab.host(host, "--json", "filter", "--client", f"{address}:{port}", "--to", to,
                    "--protocol", protocol)
    return json.loads(done.stdout)["host"]


def scenario(run):
    lab = run.lab
    lab.up("--client-addresses", 4)
    count = 500 if run.full else 100
    addresses = ["10.77.0.201"] + [f"10.81.{a}.1" for a in range(3)]
    generator = random.Random(20261122)
    questions = [(protocol, generator.choice(addresses), port) for protocol in ("tcp", "udp")
                 for port in generator.sample(range(10000, 32000), count)]
    with run.case(f"{len(questions)} random tuples, TCP and UDP: what is foretold happens") as notes:
        served = subprocess.run([lab.nlb_path, "lab", "exec", "client1", "--", "python3", "-c", ASK],
                                input="".join(f"{p} {a} {n}\n" for p, a, n in questions), capture_output=True,
                                text=True, timeout=120, check=True).stdout.split()
        foretold = [str(foretell(lab, 1 + i % 3, *question)) for i, question in enumerate(questions)]
        wrong = [(q, f, s) for q, f, s in zip(questions, foretold, served) if f != s]
        need(len(served) == len(questions) and not wrong, f"{len(wrong)} differ: {wrong[:3]}")
        notes.append(f"served by {sorted((h, served.count(h)) for h in set(served))}")
    with run.case("ping: the host that is foretold answers, alone"):
        for address in addresses:
            answers = {json.loads(lab.host(host, "--json", "filter", "--client", address, "--to", VIP,
                                           "--protocol", "icmp").stdout)["host"] for host in (1, 2, 3)}
            need(len(answers) == 1, f"members do not agree: {answers}")
            host = answers.pop()
            before = echoes(lab, host)
            done = lab.lab("exec", "client1", "--", "ping", "-c", "1", "-W", "1", "-I", address, VIP)
            need("1 received" in done.stdout and "DUP" not in done.stdout, done.stdout)
            need(echoes(lab, host) == before + 1, f"host {host} did not answer")


def echoes(lab, host):
    text = lab.lab("exec", f"host{host}", "--", "cat", "/proc/net/snmp").stdout
    header, values = [line.split() for line in text.splitlines() if line.startswith("Icmp:")]
    return int(values[header.index("InEchos")])


if __name__ == "__main__":
    main(scenario)
