#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a guarded port adds to a frame that crosses a bridge: ours beside rules of the forms that hypervisors
write, with 1, 50 and 200 guarded ports, in namespaces of its own.

Live frames of one UDP flow go from a guest's veth over the bridge to an uplink that drops them, all in the
sender's own time on a processor. A subject's cost is that time, a frame, less that of the same round without
a guard: rates of frames vary threefold on a busy machine, this less. Each subject must first refuse
the same frame where the port has another MAC. Forms of peers: libvirt's clean-traffic as ebtables (a jump a
port, MAC, IP and ARP in chains of the port), and a filter of MAC and IP in nftables that finds the port's
chain by a map, as Proxmox VE's does. The measured port is the middle of the list.
Usage: guard_rate_bench.py [ROUNDS [SECONDS]]; writes build/bench/guard_rates.json."""
import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/live"))
from figures import BUILD, spread, write  # noqa: E402
from live import end_process, need, wait_for  # noqa: E402
from rate_bench import run  # noqa: E402

GUEST, SWITCH, FAR = "nlb-gb-guest", "nlb-gb-switch", "nlb-gb-far"
SENT_MAC, OTHER_MAC, FAR_MAC = "52:54:00:00:00:99", "52:54:00:00:00:98", "52:54:00:00:00:01"
CLIENT, FAR_IP = "10.99.0.99", "10.99.0.10"
COUNTS = (1, 50, 200)
# Not where the kernel has no table of the old kind.
LEGACY = (shutil.which("ebtables-legacy")
          and run("ebtables-legacy", "-t", "nat", "-L", check=False).returncode == 0)


def at(space, *words, **options):
    return run("ip", "netns", "exec", space, *words, **options)


def clear():
    for space in (GUEST, SWITCH, FAR):
        run("ip", "netns", "del", space, check=False)


def ports(count, mac):
    """(interface, MAC, address) of every guarded port; p0 is the guest's, in the middle."""
    listed = [(f"d{i}", f"52:54:00:01:{i >> 8:02x}:{i & 255:02x}", f"10.98.{i >> 8}.{i & 255}")
              for i in range(1, count)]
    listed.insert(count // 2, ("p0", mac, CLIENT))
    return listed


def topology(count):
    clear()
    for space in (GUEST, SWITCH, FAR):
        run("ip", "netns", "add", space)
        at(space, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
    lines = ["link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0", "link set br0 up",
             f"link add p0 type veth peer name tx0 address {SENT_MAC} netns {GUEST}",
             f"link add up0 type veth peer name rx0 address {FAR_MAC} netns {FAR}"]
    others = [name for name, _, _ in ports(count, SENT_MAC) if name != "p0"]
    lines += [f"link add {name} type veth peer name far-{name}" for name in others]
    for name in [name for name, _, _ in ports(count, SENT_MAC)] + ["up0"]:
        lines += [f"link set {name} master br0", f"link set {name} up"]
    run("ip", "-n", SWITCH, "-batch", "-", input="\n".join(lines) + "\n")
    for space, link in ((GUEST, "tx0"), (FAR, "rx0")):
        run("ip", "-n", space, "link", "set", link, "up")
    for space, link in ((GUEST, "tx0"), (SWITCH, "p0"), (SWITCH, "up0"), (FAR, "rx0")):
        at(space, "ethtool", "-K", link, "gro", "on")
    at(SWITCH, "bridge", "fdb", "add", FAR_MAC, "dev", "up0", "master", "static")
    at(FAR, "ip", "link", "set", "rx0", "xdpdrv", "obj", BUILD / "tests-bpf/foreign_xdp.bpf.o", "program",
       "empty_drop")


@contextlib.contextmanager
def nothing(_):
    yield


def vmswitch(spoofing):
    def port(name, mac, address):
        own = spoofing if name == "p0" else "off"
        host = 'cluster = "web"\nhost_id = 1\n' if own == "cluster" else ""
        return (f'[[port]]\nvm = "{name}"\nadapter = "net0"\ninterface = "{name}"\nmac = "{mac}"\n'
                f'mac_spoofing = "{own}"\naddresses = ["{address}"]\n{host}')

    @contextlib.contextmanager
    def attached(listed):
        with tempfile.TemporaryDirectory() as folder:
            config = Path(folder) / "vmswitch.toml"
            config.write_text('[[switch]]\nbridge = "br0"\nuplinks = ["up0"]\nannounce = false\n'
                              '[[cluster]]\nname = "web"\ntype = "nlb"\nvips = ["10.99.0.100"]\n'
                              'mode = "unicast"\nhosts = [1, 2]\n' + "".join(port(*one) for one in listed))
            words = ["ip", "netns", "exec", SWITCH, str(BUILD / "bin/nlb-vmswitch"), "--config", str(config),
                     "--runtime-dir", folder]
            asked = [BUILD / "bin/nlb", "vmswitch", "--socket", f"{folder}/control.sock", "--json", "show"]
            with (Path(folder) / "log").open("w") as log:
                daemon = subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
            try:
                wait_for("the guard answers", lambda: run(*asked, check=False).returncode == 0, 20)
                yield
            finally:
                end_process(daemon)
                run(*words, "--release")
    return attached


@contextlib.contextmanager
def nftables(listed):
    chains = "".join(f"""
        chain from-{name} {{
            ether saddr != {mac} drop
            arp saddr ether != {mac} drop
            arp saddr ip != {address} drop
            ip saddr != {address} drop
            accept
        }}""" for name, mac, address in listed)
    places = ", ".join(f'"{name}" : jump from-{name}' for name, _, _ in listed)
    at(SWITCH, "nft", "-f", "-", input=f"""table bridge bench {{ {chains}
        map guests {{
            type ifname : verdict
            elements = {{ {places} }}
        }}
        chain out {{
            type filter hook prerouting priority 0; policy accept
            iifname vmap @guests
        }}
    }}""")
    yield
    at(SWITCH, "nft", "delete", "table", "bridge", "bench")


def ebtables(program):
    def lines(listed):
        yield "*nat"
        for name, _, _ in listed:
            yield from (f":I-{name}{part} ACCEPT" for part in ("", "-mac", "-ip", "-arp"))
        for name, mac, address in listed:
            yield f"-A PREROUTING -i {name} -j I-{name}"
            yield f"-A I-{name} -j I-{name}-mac"
            yield f"-A I-{name} -p IPv4 -j I-{name}-ip"
            yield f"-A I-{name} -p IPv4 -j ACCEPT"
            yield f"-A I-{name} -p ARP -j I-{name}-arp"
            yield f"-A I-{name} -p ARP -j ACCEPT"
            yield f"-A I-{name} -j DROP"
            yield f"-A I-{name}-mac -s {mac} -j RETURN"
            yield f"-A I-{name}-mac -j DROP"
            yield f"-A I-{name}-ip -p IPv4 --ip-src 0.0.0.0 --ip-proto udp -j RETURN"
            yield f"-A I-{name}-ip -p IPv4 --ip-src {address} -j RETURN"
            yield f"-A I-{name}-ip -j DROP"
            yield f"-A I-{name}-arp -p ARP --arp-mac-src ! {mac} -j DROP"
            yield f"-A I-{name}-arp -p ARP --arp-ip-src ! {address} -j DROP"

    @contextlib.contextmanager
    def loaded(listed):
        at(SWITCH, f"{program}-restore", input="\n".join(lines(listed)) + "\n")
        yield
        at(SWITCH, program, "-t", "nat", "-F")
        at(SWITCH, program, "-t", "nat", "-X")
    return loaded


NONE, NFT = "no guard", "nftables, chain by map"
SUBJECTS = {NONE: nothing, "OpenNLB guard, off": vmswitch("off"),
            "OpenNLB guard, cluster": vmswitch("cluster"),
            "OpenNLB guard, on": vmswitch("on"), NFT: nftables}
if shutil.which("ebtables-nft"):
    SUBJECTS["ebtables (nft), clean-traffic"] = ebtables("ebtables-nft")
if LEGACY:
    SUBJECTS["ebtables (legacy), clean-traffic"] = ebtables("ebtables-legacy")
LETS_ANY_MAC_PASS = (NONE, "OpenNLB guard, on")


def received():
    return int(at(FAR, "cat", "/sys/class/net/rx0/statistics/rx_packets").stdout)


def processor_ns(process):
    return int(Path(f"/proc/{process.pid}/schedstat").read_text().split()[0])


def send(seconds):
    """(frames that arrive in the middle of one long call of the sender's, its processor time in ns)"""
    words = ["ip", "netns", "exec", GUEST, str(BUILD / "bench/tools/live_sender"), "tx0", CLIENT, FAR_IP,
             FAR_MAC]
    with subprocess.Popen(words, stderr=subprocess.PIPE) as sender:
        time.sleep(0.1)
        frames, used = received(), processor_ns(sender)
        time.sleep(seconds)
        frames, used = received() - frames, processor_ns(sender) - used
        need(sender.poll() is None, "the sender has ended")
        sender.terminate()
    return frames, used


def prove(count):
    """Every subject refuses the guest's frames where the port has another MAC."""
    for name, subject in SUBJECTS.items():
        with subject(ports(count, OTHER_MAC)):
            frames, _ = send(0.05)
        need((frames > 50) == (name in LETS_ANY_MAC_PASS), f"{name}: {frames} spoofed frames passed")


def measured(count, rounds, seconds):
    topology(count)
    if count == COUNTS[0]:
        prove(count)
    cost = {name: [] for name in SUBJECTS}
    for _ in range(rounds):
        for name, subject in SUBJECTS.items():
            with subject(ports(count, SENT_MAC)):
                frames, used = send(seconds)
            need(frames > 400, f"{name}: the guest's own frames do not pass")
            cost[name].append(used / frames)
    return {name: spread([ns - base for ns, base in zip(runs, cost[NONE])]) for name, runs in cost.items()}


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 0.4
    try:
        figures = {count: measured(count, rounds, seconds) for count in COUNTS}
    finally:
        clear()
    rows = []
    for name in SUBJECTS:
        row = {"name": name, "ports": {count: figures[count][name] for count in COUNTS}}
        rows.append(row)
        print(f"{name:34}" + "".join(f"{one['median']:8.0f} ns ({one['least']:.0f}–{one['most']:.0f})"
                                     for one in row["ports"].values()))
    write("guard_rates", {"rounds": rounds, "seconds": seconds, "rows": rows})


if __name__ == "__main__":
    main()
