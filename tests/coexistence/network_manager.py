# SPDX-License-Identifier: Apache-2.0
"""NetworkManager in charge of a host's cluster interface, under both strategies that put the cluster MAC in
force, first as it comes, then with the file of `nlb netcfg`.

Its configuration gives interfaces random MAC addresses, as administrators do for privacy: what would take
the cluster MAC off."""
import json
import re
import tempfile
from datetime import datetime
from pathlib import Path

from doctor import WIRE, Host, sh
from live import VIP, need, wait_for
from place import MARKER, Place, addresses_meanwhile

PREPARE = ("rm -rf /etc/NetworkManager; mkdir /run/NetworkManager; "
           "mkdir -p /etc/NetworkManager/conf.d /etc/NetworkManager/system-connections; "
           "mount -o remount,ro,bind /sys")  # tells it that there is no udev
PROFILE = """[connection]
id=eth0
uuid=6f1c6bd2-36b0-4f0a-9d0c-2d7c12f0a001
type=ethernet
interface-name=eth0
[ipv4]
method=manual
address1=10.77.0.11/24,10.77.0.1
[ipv6]
method=disabled
"""
MAIN = """[main]
plugins=keyfile
[connection]
ethernet.cloned-mac-address=stable
"""
FILE = "etc/NetworkManager/conf.d/50-opennlb-eth0.conf"
MANAGED, UNMANAGED = "100 ", "10 "  # states of a device: activated; left alone


class Manager:
    def __init__(self, host):
        self.host = host
        self.place = Place(host.inside(), PREPARE, f"{host.directory}/log")
        self.place.root("etc/NetworkManager/NetworkManager.conf").write_text(MAIN, encoding="utf-8")
        profile = self.place.root("etc/NetworkManager/system-connections/eth0.nmconnection")
        profile.write_text(PROFILE, encoding="utf-8")
        profile.chmod(0o600)
        self.place.start_bus()
        self.process = None
        self.start()

    def start(self, state=MANAGED):
        self.process = self.place.start("NetworkManager", "--debug", "--state-file=/run/manager.state")
        wait_for(f"eth0 is {state} to NetworkManager", lambda: self.sees(state), 10)

    def sees(self, state):
        return self.place.run("nmcli -g GENERAL.STATE device show eth0").stdout.startswith(state)

    def restart(self, state=MANAGED):
        self.process.terminate()
        self.process.wait(10)
        self.start(state)

    def up(self):
        self.place.do("nmcli connection up eth0")
        wait_for("eth0 is up again", lambda: self.sees(MANAGED), 10)


def adapter(host):
    return json.loads(host.nlb("display", "--json").stdout)["adapter"]


def mac(host):
    return re.search(r"link/ether (\S+)", host.do("ip link show dev eth0")).group(1)


def there(host):
    return VIP in host.do("ip -4 addr show dev eth0")


def serves():
    sh(f"ip netns exec {WIRE} timeout 5 bash -c 'exec 3<>/dev/tcp/{VIP}/80'")


def bound(host):
    now = adapter(host)
    return now["bind"] == "bound" and there(host) and now["mac_current"] == now["mac_expected"]


def gap_ms(seen):
    """How long the VIP was not there, by what `ip monitor` saw; none if it stayed."""
    times = []
    for line in seen.splitlines():
        stamp = re.match(r"\[([^]]+)\] (Deleted )?.*\b" + re.escape(VIP) + "/32", line)
        if stamp and bool(stamp.group(2)) == (not times):
            times.append(datetime.fromisoformat(stamp.group(1)))
    return round((times[1] - times[0]).total_seconds() * 1000, 1) if len(times) == 2 else None


def carrier_lost(host):
    """For longer than NetworkManager waits for a carrier."""
    sh(f"ip -n {WIRE} link set eth1 down; sleep 7; ip -n {WIRE} link set eth1 up")
    wait_for("this host is a member again",
             lambda: json.loads(host.nlb("--json", "query").stdout)["members"], 10)


def as_it_comes(run, host, manager, strategy):
    with run.case(f"NetworkManager, {strategy}, as it comes: takes VIP and MAC; they come back") as notes:
        seen = addresses_meanwhile(manager.place, manager.up)
        wait_for("bound, all as expected", lambda: bound(host), 5)
        need(gap_ms(seen) is not None, f"the VIP stayed: this shows nothing: {seen}")
        serves()
        if strategy == "replace":
            need('"mac_changed"' in host.nlb("events", "--json").stdout, "the MAC stayed: this shows nothing")
        notes.append(f"without VIP for {gap_ms(seen)} ms; MAC {mac(host)}")
    with run.case(f"NetworkManager, {strategy}, as it comes: without carrier it takes the addresses off"):
        seen = addresses_meanwhile(manager.place, lambda: carrier_lost(host))
        need(re.search(r"Deleted .*10\.77\.0\.11/24", seen), f"they stayed: this shows nothing: {seen}")
        wait_for("bound, all as expected", lambda: bound(host), 5)


def with_file(run, host, manager, strategy):
    root = f"{host.directory}/root"
    done = host.nlb("netcfg", "--manager", "networkmanager", "--write", "--root", root)
    need(done.returncode == 0, done.stderr)
    manager.place.root(FILE).write_text(Path(root, FILE).read_text(encoding="utf-8"), encoding="utf-8")
    manager.place.do("nmcli general reload")
    manager.up()  # gives the MAC back that it had set itself
    wait_for("bound, all as expected", lambda: bound(host), 10)
    with run.case(f"NetworkManager, {strategy}, with the file of nlb netcfg: the MAC stays") as notes:
        before = (mac(host), host.nlb("events", "--json").stdout.count('"mac_'))
        seen = addresses_meanwhile(manager.place, manager.up)
        wait_for("bound, all as expected", lambda: bound(host), 5)
        after = (mac(host), host.nlb("events", "--json").stdout.count('"mac_'))
        need(before == after, f"MAC and events of it: {before}, then {after}")
        serves()
        notes.append(f"MAC {mac(host)}; without VIP for {gap_ms(seen)} ms")
    for what, action in (("its restart", manager.restart), ("a loss of carrier", lambda: carrier_lost(host))):
        with run.case(f"NetworkManager, {strategy}, with the file: {what} takes nothing off"):
            seen = addresses_meanwhile(manager.place, action)
            need(not re.search(rf"Deleted (?!.*{MARKER})", seen), f"addresses were taken off: {seen}")
            need(bound(host), adapter(host))
            serves()


def let_go(run, host, manager, strategy):
    """The other way that the file names. By a reload instead of a restart, NetworkManager would take all
    addresses off and the link down."""
    with run.case(f"NetworkManager, {strategy}: restarted not to manage the interface, it takes nothing off"):
        manager.place.root(f"{FILE}.conf").write_text("[keyfile]\nunmanaged-devices+=interface-name:eth0\n",
                                                      encoding="utf-8")
        seen = addresses_meanwhile(manager.place, lambda: manager.restart(UNMANAGED))
        need(not re.search(rf"Deleted (?!.*{MARKER})", seen), f"addresses were taken off: {seen}")
        need(bound(host), adapter(host))
        serves()


def one_strategy(run, strategy):
    directory = tempfile.mkdtemp(prefix="nlb-manager-")
    host, manager = Host(str(Path(run.lab.nlb_path).parent), directory), None
    try:
        host.do("ip addr flush dev eth0")
        manager = Manager(host)
        host.configure(strategy)
        host.start_nlbd()
        serves()
        as_it_comes(run, host, manager, strategy)
        with_file(run, host, manager, strategy)
        let_go(run, host, manager, strategy)
    finally:
        if manager:
            manager.place.end()
        host.end()


def scenario(run):
    for strategy in ("add", "replace"):
        one_strategy(run, strategy)
