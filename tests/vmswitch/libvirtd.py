# SPDX-License-Identifier: Apache-2.0
"""libvirtd and virsh of Debian, apart from the machine's own: directories are its own by a mount namespace,
its bridges those of the test's network namespace, its guests bare QEMU machines that sit in their firmware.
Frames are put into a guest's adapter through a filter of QEMU: they leave by the tap as the guest's would."""
import shutil
import signal
import socket
import struct
import subprocess
from pathlib import Path

from bridge import Failure, octets, sh, wait_for

HOOK = Path(__file__).resolve().parents[2] / "packaging/libvirt/opennlb"
PROGRAMS = ("/usr/sbin/libvirtd", "/usr/bin/virsh", "/usr/bin/qemu-system-x86_64")

# What a plain installation makes in postinst scripts, where no service may be started: the user of QEMU.
SETUP = """
mount --make-rprivate /
mkdir -p {own}/cgroup /run/opennlb
for name in passwd group; do cp /etc/$name {own}/$name; done
grep -q ^libvirt-qemu: {own}/passwd || echo libvirt-qemu:x:64055:64055::/:/bin/false >>{own}/passwd
grep -q ^libvirt-qemu: {own}/group || echo libvirt-qemu:x:64055: >>{own}/group
grep -q ^kvm: {own}/group || echo kvm:x:64056: >>{own}/group
for name in passwd group; do mount --bind {own}/$name /etc/$name; done
mount --rbind /sys/fs/cgroup {own}/cgroup
mount -t sysfs sysfs /sys
mount --rbind {own}/cgroup /sys/fs/cgroup
for at in etc lib log cache run; do mkdir -p {own}/$at; done
mkdir -p /etc/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt /run/libvirt
mount --bind {own}/etc /etc/libvirt
mount --bind {own}/lib /var/lib/libvirt
mount --bind {own}/log /var/log/libvirt
mount --bind {own}/cache /var/cache/libvirt
mount --bind {own}/run /run/libvirt
mount -t tmpfs tmpfs /run/opennlb
mkdir /run/opennlb/vmswitch
mount --bind {runtime} /run/opennlb/vmswitch
exec libvirtd -f {own}/libvirtd.conf -p {own}/libvirtd.pid
"""

QEMU_CONF = """user = "root"
group = "root"
security_driver = "none"
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
"""

DOMAIN = """<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>{name}</name>
  <metadata>{metadata}</metadata>
  <memory unit='MiB'>32</memory>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <interface type='bridge'>
      <mac address='{mac}'/>
      <source bridge='{bridge}'/>
      <model type='e1000'/>
      <rom enabled='no'/>
    </interface>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
  </devices>
  <qemu:commandline>
    <qemu:arg value='-chardev'/>
    <qemu:arg value='socket,id=frames,path={own}/{mac}.frames,server=on,wait=off'/>
    <qemu:arg value='-object'/>
    <qemu:arg value='filter-redirector,id=guest,netdev=hostnet0,queue=rx,indev=frames'/>
  </qemu:commandline>
</domain>
"""


def metadata(attributes, inner=""):
    return ("<o:vmswitch xmlns:o='urn:opennlb:vmswitch:1'>"
            f"<o:port adapter='net0' {attributes}>{inner}</o:port></o:vmswitch>")


class Libvirt:
    def __init__(self, bridge):
        self.bridge, self.own = bridge, bridge.directory / "libvirt"
        self.uri = f"qemu:///system?socket={self.own}/run/libvirt-sock"
        self.daemon, self.ways_in = None, {}
        (bridge.directory / "run").mkdir(exist_ok=True)
        (self.own / "etc/hooks/qemu.d").mkdir(parents=True)
        (self.own / "etc/qemu.conf").write_text(QEMU_CONF)
        (self.own / "libvirtd.conf").write_text(
            'unix_sock_dir = "/run/libvirt"\nauth_unix_rw = "none"\nauth_unix_ro = "none"\n')
        shutil.copy(HOOK, self.own / "etc/hooks/qemu.d/opennlb")

    def start(self):
        script = SETUP.format(own=self.own, runtime=self.bridge.directory / "run")
        path = f"{Path(self.bridge.nlb).parent}:/usr/sbin:/usr/bin:/sbin:/bin"
        log = open(self.own / "libvirtd.log", "a", encoding="utf-8")
        self.daemon = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self.bridge.switch}", "unshare", "-m", "sh", "-ec", script],
            env={"PATH": path, "HOME": "/root"}, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_for("libvirtd answers", lambda: self.virsh("list", check=False).returncode == 0, 30)
        self.bridge.wrapper = ["nsenter", f"--mount=/proc/{self.daemon.pid}/ns/mnt"]

    def stop(self):
        """Its machines go on."""
        if self.daemon:
            self.daemon.send_signal(signal.SIGTERM)
            self.daemon.wait(30)
            self.daemon = None

    def virsh(self, *words, check=True):
        done = sh("virsh", "-q", "-c", self.uri, *words, check=False)
        if check and done.returncode != 0:
            raise Failure(f"virsh {words}: exit {done.returncode}: {done.stderr}")
        return done

    def define(self, name, mac, settings="", bridge="br0"):
        file = self.own / f"{name}.xml"
        file.write_text(DOMAIN.format(name=name, mac=mac, metadata=settings, bridge=bridge, own=self.own))
        self.virsh("undefine", name, check=False)
        self.virsh("define", file)

    def interface(self, name):
        words = self.virsh("domiflist", name).stdout.split()
        return words[0] if words else ""

    def send(self, mac, *frames):
        """Frames as of the guest with this adapter; its QEMU takes one connection in its life."""
        data = b"".join(struct.pack("!I", 60) + frame.ljust(60, b"\0") for frame in frames)
        try:
            self.ways_in[mac].sendall(data)
        except (KeyError, BrokenPipeError):
            self.ways_in[mac] = socket.socket(socket.AF_UNIX)
            self.ways_in[mac].connect(f"{self.own}/{mac}.frames")
            self.ways_in[mac].sendall(data)

    def close(self):
        if self.daemon:
            for name in self.virsh("list", "--name", check=False).stdout.split():
                self.virsh("destroy", name, check=False)
        self.stop()


def frame_of(source, kind, number=0, destination="ff:ff:ff:ff:ff:ff", ether_type=0x88B7):
    return (octets(destination) + octets(source) + struct.pack("!H", ether_type) + kind.encode() +
            struct.pack("!I", number))


def reverse_arp(source, about):
    message = struct.pack("!HHHBBH", 0x8035, 1, 0x0800, 6, 4, 3) + 2 * (octets(about) + bytes(4))
    return b"\xff" * 6 + octets(source) + message
