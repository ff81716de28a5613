# SPDX-License-Identifier: Apache-2.0
"""firewalld on both hosts, with its default zone (public) on the cluster's interface.

What it does not know stays shut, heartbeats apart; open ports serve over the VIP; its reload leaves nlbd's
tables, the connections and the cluster alone."""
from ipv6 import VIP6, ask
from live import need, need_no_failure, shares, wait_for
from place import Place
from streams import while_streaming

HOSTS = (1, 2)
PREPARE = "rm -rf /etc/firewalld; mkdir -p /etc/firewalld/zones /etc/firewalld/services /run/firewalld"
TABLES = [f"table {family} nlb_eth0" for family in ("inet", "arp", "netdev")]


class Firewall:
    def __init__(self, lab, host):
        enter = ["nsenter", f"--net=/run/netns/nlb-host{host}"]
        self.place = Place(enter, PREPARE, f"{lab.root}/host{host}/firewalld.log")
        try:
            self.place.start_bus()
            self.place.start("firewalld", "--nofork", "--nopid")
            wait_for(f"firewalld of host {host}",
                     lambda: self.place.run("firewall-cmd --state").stdout.strip() == "running", 20)
        except Exception:
            self.place.end()
            raise

    def do(self, words):
        return self.place.do(f"firewall-cmd {words}").strip()

    def tables(self):
        return self.place.do("nft list tables").splitlines()


def serve(run, firewalls):
    lab = run.lab
    with run.case("firewalld: what no zone opens is rejected, and the cluster stays whole") as notes:
        need(firewalls[0].do("--get-default-zone") == "public", "another default zone")
        for firewall in firewalls:
            need("table inet firewalld" in firewall.tables(), f"no firewall: {firewall.tables()}")
            need(set(TABLES) <= set(firewall.tables()), f"nlbd's tables: {firewall.tables()}")
        shut = lab.load(20)
        need(shut["failed"] == 20, f"the port is open: this shows nothing: {shut}")
        lab.wait_members(HOSTS, 3)
        notes.append(f"{shut['failures']}")
    with run.case("firewalld: an open port serves over the VIP, by IPv4 and IPv6") as notes:
        for firewall in firewalls:
            firewall.do("--permanent --zone=public --add-port=80/tcp")
            firewall.do("--reload")
            need(set(TABLES) <= set(firewall.tables()), f"a reload took tables: {firewall.tables()}")
        for figures in (lab.load(300), ask(lab, "load", VIP6, 100)):
            need_no_failure(figures)
            need(set(shares(figures)) == set(HOSTS), figures)
            notes.append(f"{figures['hosts']}")


def moves(run, firewalls):
    lab = run.lab

    def reload_and_drain(notes):
        views = {host: lab.query(host)["view"] for host in HOSTS}
        for firewall in firewalls:
            firewall.do("--reload")
        need(views == {host: lab.query(host)["view"] for host in HOSTS}, "a reload changed the view")
        lab.host(2, "drainstop")
        lab.wait_members([1], draining=[2])
        need_no_failure(lab.load(100))
        notes.append("a reload changes no view")

    def drained(_):
        wait_for("host 2 has stopped", lambda: lab.state(2) == "stopped", 10)
        lab.host(2, "start")
        lab.wait_members(HOSTS)

    while_streaming(run, "firewalld: connections outlive its reload and a drain", reload_and_drain, drained)
    with run.case("firewalld: its complete reload leaves nlbd's tables and the cluster alone"):
        for firewall in firewalls:
            firewall.do("--complete-reload")
            need(set(TABLES) <= set(firewall.tables()), f"tables after it: {firewall.tables()}")
        lab.wait_members(HOSTS)
        need_no_failure(lab.load(200))


def scenario(run):
    firewalls = []
    run.lab.up("--ipv6", hosts=len(HOSTS))
    try:
        for host in HOSTS:
            firewalls.append(Firewall(run.lab, host))
        serve(run, firewalls)
        moves(run, firewalls)
    finally:
        for firewall in firewalls:
            firewall.place.end()
