#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs a command as if it were alone on the machine: with processes, a network, mounts, /run, a BPF file
# system and /var/lib of its own. Several labs may run side by side so. Nothing of it outlives the command.
# Usage: apart.sh COMMAND…
exec unshare --mount --net --pid --fork --kill-child --mount-proc --propagation private sh -uc '
  set -e
  ip link set lo up
  mount -t tmpfs apart /run
  mkdir -p /run/netns /run/lock /run/lib/upper /run/lib/work
  mount -t overlay -o lowerdir=/var/lib,upperdir=/run/lib/upper,workdir=/run/lib/work apart /var/lib
  rm -rf /var/lib/opennlb-lab
  mount -t bpf apart /sys/fs/bpf
  set +e
  "$@" &  # this shell is the init: it reaps what daemons leave behind
  wait $!' apart "$@"
