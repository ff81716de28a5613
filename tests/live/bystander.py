# SPDX-License-Identifier: Apache-2.0
"""Whether the machine itself was late: claims that a daemon is never late are no claims about the machine."""
import threading
import time

from live import Failure

NAP_S = 0.01
QUIET_S = 0.1  # half of what nlbd reports of its own turn: two heartbeat periods
ROUNDS = 3


class Bystander(threading.Thread):
    """Sleeps, and remembers by how much it overslept: `worst_s`."""

    def __init__(self):
        super().__init__(daemon=True)
        self.worst_s = 0.0
        self.ended = threading.Event()

    def run(self):
        while not self.ended.is_set():
            begin = time.monotonic()
            time.sleep(NAP_S)
            self.worst_s = max(self.worst_s, time.monotonic() - begin - NAP_S)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()


def lateness(turn):
    """What `turn()` finds late: nothing, or what it found in the first round in which a bystander was not."""
    for _ in range(ROUNDS):
        with Bystander() as machine:
            late = turn()
        if not late or machine.worst_s < QUIET_S:
            return late
    raise Failure(f"{late} in the last of {ROUNDS} rounds, in each of which the machine itself was late, "
                  f"{1000 * machine.worst_s:.0f} ms in the last")
