#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`nlb filter` foretells which host serves a client, and every member says the same."""
import json
import random
import re
import subprocess
from pathlib import Path

from capture import Capture
from live import UDP, VIP, main, need

PER_PROTOCOL = 334

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


# One echo request from each address, none waited for.
PING = r'''
import socket, struct, sys, time
for address in sys.argv[1:]:
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    s.bind((address, 0))
    s.sendto(struct.pack("!BBHHH", 8, 0, 0xf7fe, 0, 1), ("10.77.0.100", 0))  # 0xf7fe: the checksum of this
    time.sleep(0.002)
'''


# One packet of each protocol from each address; ports as SCTP has them.
OTHERS = r'''
import socket, struct, sys
for address in sys.argv[1:]:
    for protocol in (47, 50, 51, 132):
        s = socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol)
        s.bind((address, 0))
        s.sendto(struct.pack("!HHQ", 5060, 5060, 0), ("10.77.0.100", 0))
'''
# The rule by which each goes: docs/operating/protocols.md.
RULE_OF = {"gre": ("tcp", 1723), "esp": ("udp", 500), "ah": ("udp", 500), "sctp": ("tcp", 5060)}
SEEN = """
table ip seen {
  set packets { typeof ip saddr . ip protocol; size 4096; flags dynamic; }
  chain input {
    type filter hook input priority 0;
    ip daddr 10.77.0.100 ip protocol { gre, esp, ah, sctp } add @packets { ip saddr . ip protocol }
  }
}
"""


def foretell(lab, host, protocol, address, port):
    to = {"tcp": f"{VIP}:80", "udp": UDP, "icmp": VIP}[protocol]
    client = address if protocol == "icmp" else f"{address}:{port}"
    done = lab.host(host, "--json", "filter", "--client", client, "--to", to, "--protocol", protocol)
    return json.loads(done.stdout)["host"]


def random_tuples(addresses):
    generator = random.Random(20261122)
    ports = {protocol: generator.sample(range(10000, 32000), PER_PROTOCOL) for protocol in ("tcp", "udp")}
    questions = [(protocol, generator.choice(addresses), port)
                 for protocol in ports for port in ports[protocol]]
    return questions + [("icmp", address, 0) for address in generator.sample(addresses, PER_PROTOCOL)]


def answered_pings(lab, addresses):
    """{client address: host whose reply crossed the switch}; a client answered twice maps to 0."""
    with Capture(lab, "icmp") as capture:
        lab.lab("exec", "client1", "--", "python3", "-c", PING, *addresses)
    hosts = {}
    for packet in capture.ips():
        if packet.from_ip == VIP:
            host = int(packet.source.split(":")[-1], 16)
            hosts[packet.to_ip] = 0 if packet.to_ip in hosts else host
    return hosts


def scenario(run):
    lab = run.lab
    lab.up("--mac-strategy", "add", "--client-addresses", PER_PROTOCOL + 60)
    shown = lab.lab("exec", "client1", "--", "ip", "-4", "-o", "addr", "show", "dev", "eth0").stdout
    questions = random_tuples([line.split()[3].split("/")[0] for line in shown.splitlines()])
    with run.case(f"{len(questions)} random tuples, TCP, UDP and ICMP: what is foretold happens") as notes:
        foretold = [foretell(lab, 1 + i % 3, *question) for i, question in enumerate(questions)]
        asked = "".join(f"{p} {a} {n}\n" for p, a, n in questions if p != "icmp")
        asker = [lab.nlb_path, "lab", "exec", "client1", "--", "python3", "-c", ASK]
        served = subprocess.run(asker, input=asked, capture_output=True, text=True, timeout=120,
                                check=True).stdout.split()
        pings = answered_pings(lab, [address for protocol, address, _ in questions if protocol == "icmp"])
        served += [str(pings.get(q[1], "nobody")) for q in questions if q[0] == "icmp"]
        wrong = [(q, f, s) for q, f, s in zip(questions, foretold, served) if str(f) != s]
        need(len(served) == len(questions) and not wrong, f"{len(wrong)} differ: {wrong[:3]}")
        for protocol in ("tcp", "udp", "icmp"):
            hosts = [s for q, s in zip(questions, served) if q[0] == protocol]
            notes.append(f"{protocol}: served by {sorted((h, hosts.count(h)) for h in set(hosts))}")
    with run.case("every member foretells the same"):
        for question in questions[:20] + questions[-20:]:
            answers = {foretell(lab, host, *question) for host in (1, 2, 3)}
            need(len(answers) == 1, f"members do not agree about {question}: {answers}")
    without_ports(run, [address for protocol, address, _ in questions if protocol == "icmp"][:30])


def without_ports(run, addresses):
    lab = run.lab
    on_host = lambda host, *words: lab.lab("exec", f"host{host}", "--", "nft", *words)
    with run.case("GRE, ESP, AH and SCTP are where the rule of their control channel is") as notes:
        lab.host(1, "rule", "add", "1723", "--protocol", "tcp", "--affinity", "single")
        lab.host(1, "rule", "add", "500-4500", "--protocol", "udp", "--affinity", "single")
        lab.host(1, "rule", "add", "5060", "--protocol", "both", "--affinity", "single")
        lab.wait_members([1, 2, 3])
        for host in (1, 2, 3):
            path = Path(lab.root, f"host{host}", "seen.nft")
            path.write_text(SEEN, encoding="utf-8")
            on_host(host, "-f", path)
        lab.lab("exec", "client1", "--", "python3", "-c", OTHERS, *addresses)
        met = {}  # (address, protocol): hosts
        for host in (1, 2, 3):
            listing = on_host(host, "list", "set", "ip", "seen", "packets").stdout
            for address, protocol in re.findall(r"([0-9.]+) \. (gre|esp|ah|sctp)", listing):
                met.setdefault((address, protocol), []).append(host)
        need(len(met) == 4 * len(addresses), f"{len(met)} of {4 * len(addresses)} packets were served")
        for (address, protocol), hosts in met.items():
            whose = lambda by, port: json.loads(lab.host(
                1, "--json", "filter", "--client", address, "--to", f"{VIP}:{port}" if port else VIP,
                "--protocol", by).stdout)["host"]
            foretold = {whose(*RULE_OF[protocol]), whose(protocol, 5060 if protocol == "sctp" else 0)}
            need(foretold == set(hosts), f"{protocol} of {address}: hosts {hosts}, foretold {foretold}")
        served = [hosts[0] for hosts in met.values()]
        need(set(served) == {1, 2, 3}, "not all serve")
        notes.append(f"{len(served)} packets: {[(h, served.count(h)) for h in (1, 2, 3)]}")


if __name__ == "__main__":
    main(scenario)
