#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A guest that is a cluster host of the lab. HOME/machine.sh, which the lab writes, sets:
#   id mac address gateway routes forward   the host and its adapter
#   user                                    the number of nlbd's user
#   home                                    the runtime directory at the hypervisor: configuration, logs
#   state                                   the disk: what survives a reboot
#   root                                    where the configuration looks for the key
# and says what is to be done:
#   boot     everything, then wait for the power button (/run/power: off or reboot)
#   service, nlbd    start it, if it does not run
#   stop     nlbd by SIGTERM
#   which    prints a name of the nlbd that runs: its process and the boot
#   signal NAME   to nlbd: KILL, STOP, CONT
#   state    prints how nlbd and the service are: running, paused or dead
# nlbd is started at boot once it has been enabled ($state/enabled).
: "${user:?}"
: "${id:?}" "${mac:?}" "${address:?}" "${gateway:?}" "${home:?}" "${state:?}" "${root:?}" "${forward:?}"
: "${routes=}"

runs() { # NAME
  [ -r "/run/$1.pid" ] && readlink "/proc/$(cat "/run/$1.pid")/exe" >/dev/null  # a zombie has none
}

state_of() { # NAME
  if ! runs "$1"; then
    echo dead
  elif [ "$(cut -d ' ' -f 3 "/proc/$(cat "/run/$1.pid")/stat")" = T ]; then
    echo paused
  else
    echo running
  fi
}

start() { # NAME COMMAND…
  name=$1
  shift
  runs "$name" && return 0
  setsid "$@" </dev/null >>"$home/$name.log" 2>&1 &
  echo $! >"/run/$name.pid"
}

start_service() { start service nlb lab service --host-id "$id"; }

start_nlbd() {
  start nlbd nlbd --user "$user" --config "$home/web.toml" --runtime-dir /run/opennlb/web \
    --state-dir "$state" --foreground
}

end() { # NAME: as an init system does it
  runs "$1" || return 0
  kill -CONT "$(cat "/run/$1.pid")"
  kill -TERM "$(cat "/run/$1.pid")"
  for _ in $(seq 100); do
    runs "$1" || return 0
    usleep 100000
  done
  kill -KILL "$(cat "/run/$1.pid")"
}

# The adapter at the lab's switch is eth0. The other one leads to the agent alone and lives in a namespace of
# its own, so that this host has one adapter.
set_up_network() {
  echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
  echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
  echo "$forward" >/proc/sys/net/ipv4/ip_forward
  ip netns add agent
  for link in /sys/class/net/*; do
    [ "$(cat "$link/address")" = "$mac" ] || ip link set "${link##*/}" netns agent 2>/dev/null
  done
  for link in /sys/class/net/e*; do ip link set "${link##*/}" name eth0 2>/dev/null; done
  for link in $(ip -n agent -o link | cut -d: -f2 | grep -v lo); do
    ip -n agent addr add 10.0.2.15/24 dev "$link"
    ip -n agent link set "$link" up
  done
  ip link set eth0 up
  ip addr add "$address" dev eth0
  ip route add default via "$gateway"
  echo "$routes" | while read -r route; do
    # shellcheck disable=SC2086  # DESTINATION via GATEWAY
    [ -z "$route" ] || ip route add $route
  done
}

wait_for_the_button() {
  mkfifo /run/power
  while true; do
    read -r wanted </run/power
    case $wanted in
      off | reboot) break ;;
    esac
  done
  end nlbd
  end service
  sync
  [ "$wanted" = off ] || reboot -f
}

boot() {
  hostname "host$id"
  set_up_network
  mkdir -p /run/opennlb
  (umask 077 && cp "$home/web.key" "$root/web.key" && chown "$user" "$root/web.key")
  start_service
  [ ! -e "$state/enabled" ] || start_nlbd
  start agent nlb lab agent --network agent
  wait_for_the_button
}

case ${1:-boot} in
  boot) boot ;;
  service) start_service ;;
  nlbd) touch "$state/enabled" && start_nlbd ;;
  stop) end nlbd ;;
  which) ! runs nlbd || echo "$(cat /run/nlbd.pid) $(cat /proc/sys/kernel/random/boot_id)" ;;
  signal) runs nlbd && kill -"$2" "$(cat /run/nlbd.pid)" ;;
  state) echo "$(state_of nlbd) $(state_of service)" ;;
esac
