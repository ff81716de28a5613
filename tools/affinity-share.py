#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long a joiner waits for its share of a rule with extended affinity: a third host joins two.

Each client is simulated visit by visit, and the rule is applied as it stands: a bucket that the table gives
to the joiner stays where it is until none of the clients that came before the join has come for the timeout.
A client returns after a gap drawn evenly from zero to twice the mean, and goes for good after a session of
exponential length; newcomers do not count, so they are left out. Prints the table of
docs/operating/extended-affinity.md.

Usage: affinity-share.py [--timeout S] [--gap S] [--session S] [--seed N]"""
import argparse
import random

HOSTS_AFTER = 3
CLIENTS = (1_000, 10_000, 100_000)
BUCKETS = (4096, 65536)
MINUTE = 60


def last_visits(draw, options):
    """Of one client that was there at the join: its visits, the last before the join first (time 0)."""
    gap = 2 * options.gap * draw.random() ** 0.5  # the one that the join falls into: long ones more often
    at = -draw.uniform(0, gap)
    ends = draw.expovariate(1 / options.session)  # without memory: what is left of the session is as long
    yield at
    at += gap
    while at < ends:
        yield at
        at += draw.uniform(0, 2 * options.gap)


def move_times(clients, buckets, options):
    """When each of the joiner's buckets moves, in seconds after the join; 0 = at once."""
    draw = random.Random(options.seed)
    visits = {}
    for _ in range(clients):
        bucket = draw.randrange(buckets)
        if bucket % HOSTS_AFTER:  # a third of them is the joiner's by the table
            continue
        visits.setdefault(bucket, []).extend(last_visits(draw, options))
    moves = [0] * (len(range(0, buckets, HOSTS_AFTER)) - len(visits))
    for times in visits.values():
        times.sort()
        moved = times[0] + options.timeout
        for at in times:
            if at > moved and moved > 0:
                break
            moved = at + options.timeout
        moves.append(max(0, moved))
    return sorted(moves)


def text(seconds):
    if seconds < 1:
        return "at once"
    minutes = round(seconds / MINUTE)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02} min"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--timeout", type=float, default=20 * MINUTE)
    parser.add_argument("--gap", type=float, default=5 * MINUTE)
    parser.add_argument("--session", type=float, default=60 * MINUTE)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print("| active clients | buckets | at once | 50 % of its share | 90 % of its share | all of it |")
    print("|---|---|---|---|---|---|")
    for clients in CLIENTS:
        for buckets in BUCKETS:
            moves = move_times(clients, buckets, options)
            at_once = sum(move < 1 for move in moves) / len(moves)
            parts = " | ".join(text(moves[min(len(moves) - 1, int(part * len(moves)))])
                               for part in (0.5, 0.9, 1))
            print(f"| {clients:,} | {buckets} | {at_once:.0%} | {parts} |")


if __name__ == "__main__":
    main()
