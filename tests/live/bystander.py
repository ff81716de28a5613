# SPDX-License-Identifier: Apache-2.0
"""Whether the machine itself was late: claims that a daemon is never late are no claims about the machine."""
import select
import subprocess
import sys
import time

from live import Failure

NAP_S = 0.01
QUIET_S = 0.1  # half of what nlbd reports of its own turn: two heartbeat periods
ROUNDS = 3


class Bystander:
    """A process that sleeps, and remembers by how much it overslept: `worst_s`, once the block is left. It is
    no thread: one would wait for the interpreter's lock, too."""

    def __init__(self):
        self.worst_s = 0.0
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen([sys.executable, "-S", __file__], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.process.stdout.readline()  # it sleeps
        return self

    def __exit__(self, *_):
        self.worst_s = float(self.process.communicate(timeout=60)[0])


def lateness(turn):
    """What `turn()` finds late: nothing, or what it found in the first round in which a bystander was not."""
    for _ in range(ROUNDS):
        with Bystander() as machine:
            late = turn()
        if not late or machine.worst_s < QUIET_S:
            return late
    raise Failure(f"{late} in the last of {ROUNDS} rounds, in each of which the machine itself was late, "
                  f"{1000 * machine.worst_s:.0f} ms in the last")


def oversleep(ended):
    """Naps until that file has an end; the worst nap, s longer than asked for."""
    worst_s = 0.0
    while True:
        begin = time.monotonic()
        if select.select([ended], [], [], NAP_S)[0]:
            return worst_s
        worst_s = max(worst_s, time.monotonic() - begin - NAP_S)


if __name__ == "__main__":
    print("sleeping", flush=True)
    print(oversleep(sys.stdin))
