#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The first process of a guest: file systems, drivers, the shares that the kernel's command line names, and
# then one script, which says what this guest is for.
#   nlb.share=TAG:PATH     a directory of the hypervisor (virtio-9p), mounted at PATH
#   nlb.run=PATH           the script; when it ends, the guest powers off
# Other modules come by their aliases: the kernel calls /sbin/modprobe.
export PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/usr/lib/busybox HOME=/root TERM=dumb
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm /dev/net
mknod /dev/net/tun c 10 200
mount -t devpts devpts /dev/pts
chmod 1777 /tmp  # all is memory here; and what was built below /tmp or /run has the same path in the guest
mount -t bpf -o mode=700 bpf /sys/fs/bpf
mount -t cgroup2 cgroup /sys/fs/cgroup
ln -s /proc/self/fd /dev/fd
mkdir -p /run/netns
modprobe -a virtio_pci virtio_rng virtio_net virtio_console 9pnet_virtio 9p
ip link set lo up
run=
read -r line </proc/cmdline
for word in $line; do
  value=${word#*=}
  case $word in
    nlb.share=*)
      mkdir -p "${value#*:}"
      mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=none "${value%%:*}" "${value#*:}" ||
        echo "guest: share ${value%%:*} cannot be mounted" ;;
    nlb.run=*) run=$value ;;
  esac
done
if [ -n "$run" ]; then sh "$run"; else echo "guest: no nlb.run= on the kernel's command line"; fi
sync
poweroff -f
