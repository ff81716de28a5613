#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs a command as if it were alone on the machine: with processes, a network, mounts, /run, a BPF file
# system and /var/lib of its own, so that several labs may run side by side. Nothing of it outlives the command.
# Usage: apart.sh COMMAND…
exec unshare --mount --net --pid --fork --kill-child --mount-proc --propagation private sh -uc '
  set -e
  ip link set lo up
  mount -t tmpfs apart /mnt
  mkdir /mnt/upper /mnt/work
  mount -t overlay -o lowerdir=/var/lib,upperdir=/mnt/upper,workdir=/mnt/work apart /var/lib
  rm -rf /var/lib/opennlb-lab
  mount -t tmpfs apart /run
  mkdir -p /run/netns /run/lock
  mount -t bpf apart /sys/fs/bpf
  set +e
  "$@" &  # this shell is the init: it reaps what daemons leave behind
  wait $!' apart "$@"
