#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""nlb import, switch-config and netcfg as a user runs them: files, exit codes, and what nlbd and others' own
readers say to what they wrote. Prints what failed; exit 1 when something did."""
import configparser
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PROGRAMS = Path(sys.argv.pop())
SAMPLES = Path(__file__).parent / "samples"
FIVE = ["cluster.json", "nodes.json", "rules.json", "vips.json", "dips.json"]


def run(program, *words):
    return subprocess.run([PROGRAMS / program, *map(str, words)], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL)


class Commands(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)
        self.directory = Path(self.scratch.name)

    def nlb(self, *words, code=0):
        done = run("nlb", *words)
        self.assertEqual(done.returncode, code, f"{words}: {done.stdout}{done.stderr}")
        return done

    @staticmethod
    def text(path):
        return path.read_text(encoding="utf-8")

    def imported(self, *words, code=0):
        return self.nlb("import", "--interface", "nlbtest0", "-o", self.directory,
                        *(SAMPLES / name for name in FIVE), *words, code=code)

    def test_import_writes_what_nlbd_takes_and_never_over_a_file(self):
        answer = json.loads(self.imported("--json").stdout)
        files = [Path(file["file"]) for file in answer["files"]]
        self.assertEqual([file.name for file in files], [f"web.host{n}.toml" for n in (1, 2, 3)])
        self.assertEqual([file["node"] for file in answer["files"]], ["web1", "web2", "web3"])
        before = self.text(files[0])
        for file in answer["files"]:
            for note in file["notes"]:
                self.assertIn(note["text"], self.text(Path(file["file"])))
        self.nlb("keygen", "-o", self.directory / "web.key")
        for file in files:
            done = run("nlbd", "--config", file, "--check-config")
            self.assertEqual(done.returncode, 0, done.stderr)
        files[2].unlink()
        self.assertIn("is there already; nothing was written", self.imported(code=1).stderr)
        self.assertFalse(files[2].exists())
        self.assertEqual(self.text(files[0]), before)

    def test_import_names_lines_and_writes_nothing(self):
        bad = self.directory / "bad.txt"
        bad.write_text("Name : web\nIPAddress : 10.0.0.5\nMode : Broadcast\n", encoding="utf-8")
        done = self.nlb("import", bad, "-o", self.directory / "out", code=2)
        self.assertIn(f"{bad}:3: Mode is \"Broadcast\"; allowed: Unicast, Multicast", done.stderr)
        self.assertFalse((self.directory / "out").exists())
        self.nlb("import", "--interface", "a/b", bad, code=2)
        self.nlb("import", "--name", "a b", bad, code=2)
        self.nlb("import", self.directory / "none", code=1)

    def test_forms_of_nlb_exe(self):
        self.assertIn("switch-config", self.nlb("help").stdout)
        for words in (["query", "ALL"], ["drain", "ALL:80", "ALL"], ["queryport", 80, "All"]):
            self.assertIn(run("nlb", *words).returncode, (1, 3), words)  # understood; no daemon, or several
        for words in (["query", "nlbtest"], ["stop", "nlbtest"], ["enable", "ALL", "nlbtest"]):
            self.assertIn('cluster "nlbtest"', self.nlb(*words, code=3).stderr)
        self.nlb("query", "10.77.0.100", code=2)
        self.nlb("--cluster", "nlbtest", "query", "nlbtest", code=2)

    def test_ip2mac_takes_what_can_be_a_cluster_address(self):
        self.assertEqual(json.loads(self.nlb("ip2mac", "10.77.0.100", "--json").stdout)["unicast"],
                         "02:bf:0a:4d:00:64")
        for address in ("0.0.0.0", "127.0.0.1", "224.0.0.1", "239.255.0.1", "255.255.255.255", "10.0.0"):
            self.assertIn(address, self.nlb("ip2mac", address, code=2).stderr)

    def test_switch_config_reads_a_file(self):
        self.imported()
        config = self.directory / "web.host1.toml"
        config.write_text(self.text(config).replace('"unicast"', '"multicast"'), encoding="utf-8")
        words = ["switch-config", "--vendor", "cisco", "--config", config, "--vlan", 7, "--ports", "P1,P2"]
        self.assertIn("mac address-table static 03bf.0a4d.0064 vlan 7 interface P1 P2\n",
                      self.nlb(*words).stdout)
        self.assertEqual(json.loads(self.nlb(*words, "--json").stdout)["vendor"], "cisco")
        self.nlb("switch-config", "--vendor", "netgear", "--config", config, code=2)
        self.nlb("switch-config", "--vendor", "cisco", "--config", self.directory / "none", code=2)

    def test_netcfg_writes_what_their_readers_take(self):
        self.imported()
        config, root = self.directory / "web.host1.toml", self.directory / "root"
        words = ["netcfg", "--config", config]
        networkd_words = [*words, "--manager", "networkd", "--network-file"]
        done = self.nlb(*networkd_words, "10-lan.network", "--manager", "networkmanager",
                        "--manager", "ifupdown", "--root", root, "--write")
        self.assertIn("ifupdown needs no drop-in", done.stdout)
        written = sorted(str(path.relative_to(root)) for path in root.rglob("*.conf"))
        self.assertEqual(written, ["etc/NetworkManager/conf.d/50-opennlb-nlbtest0.conf",
                                   "etc/systemd/network/10-lan.network.d/50-opennlb-nlbtest0.conf"])
        networkd, manager = configparser.ConfigParser(), configparser.ConfigParser()
        for parser in (networkd, manager):
            parser.optionxform = str
        networkd.read(root / written[1], encoding="utf-8")
        self.assertEqual(dict(networkd["Network"]), {"KeepConfiguration": "yes", "IgnoreCarrierLoss": "5s"})
        manager.read(root / written[0], encoding="utf-8")
        self.assertEqual(dict(manager["connection-opennlb-nlbtest0"]),
                         {"match-device": "interface-name:nlbtest0",
                          "ethernet.cloned-mac-address": "preserve"})
        # A second cluster of this host, on an interface that the same .network file matches.
        second = self.directory / "second.toml"
        text = config.read_text(encoding="utf-8").replace("nlbtest0", "nlbtest1")
        second.write_text(text, encoding="utf-8")
        before = {path: path.read_bytes() for path in root.rglob("*.conf")}
        self.nlb("netcfg", "--config", second, "--manager", "networkd", "--network-file", "10-lan.network",
                 "--manager", "networkmanager", "--root", root, "--write")
        after = {path: path.read_bytes() for path in root.rglob("*.conf")}
        self.assertEqual(len(after), 4)
        self.assertEqual(before, {path: after[path] for path in before})
        self.nlb(*words, "--manager", "networkd", code=2)
        self.nlb(*networkd_words, "../x.network", code=2)
        self.nlb(*words, code=1)  # no such interface here


if __name__ == "__main__":
    unittest.main()
