#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""hang.py HOST SECONDS: the protocol thread of that host's nlbd stands still for so long, all others run.

As under a debugger: the thread is seized (ptrace) and interrupted. A child holds it, as it goes on when its
tracer ends. Prints at_ns=, CLOCK_MONOTONIC, when the thread stands, and returns."""
import ctypes
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "live"))
from live import processes  # noqa: E402  pylint: disable=wrong-import-position

SEIZE, INTERRUPT = 0x4206, 0x4207
WAIT_FOR_THREADS = 0x40000000  # __WALL
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def threads(process, name):
    """Numbers of a process's threads of that name; none when it has ended meanwhile."""
    try:
        return [int(thread.name) for thread in Path(f"/proc/{process}/task").iterdir()
                if thread.joinpath("comm").read_text() == name + "\n"]
    except OSError:
        return []


def protocol_thread(host):
    """That of the daemon that has this host's configuration."""
    daemons = processes(lambda words: words[0].endswith("nlbd") and f"host{host}/" in " ".join(words))
    found = [thread for daemon in daemons for thread in threads(daemon, "nlbd-protocol")]
    return found[0] if found else sys.exit(f"host {host}: no nlbd with a protocol thread")


def stop(thread):
    for request in (SEIZE, INTERRUPT):
        if libc.ptrace(request, thread, None, None) != 0:
            sys.exit(f"ptrace: {os.strerror(ctypes.get_errno())}")
    os.waitpid(thread, WAIT_FOR_THREADS)


def main():
    host, seconds = int(sys.argv[1]), float(sys.argv[2])
    thread = protocol_thread(host)
    stands, tell = os.pipe()
    if os.fork() == 0:
        os.setsid()
        stop(thread)
        os.write(tell, str(time.monotonic_ns()).encode())
        for descriptor in (tell, 0, 1, 2):
            os.close(descriptor)
        time.sleep(seconds)
        os._exit(0)
    os.close(tell)
    instant = os.read(stands, 32).decode()
    if not instant:
        sys.exit("the thread does not stand")
    print(f"at_ns={instant}")


if __name__ == "__main__":
    main()
