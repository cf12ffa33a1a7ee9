# SPDX-License-Identifier: LGPL-2.1-or-later
"""R6: cards go and come back, less than a second apart, again and again. Vendors tell
their users to wait for fifteen seconds."""

import time

from lab.hotplug import NO_JOBS
from races.witness import quiet

SLOTS = (1, 2, 3, 4)
FLIPS = 6               # of each card: out, in, out, …, in
APART = (0.02, 0.95)    # seconds between two
DEADLINE = 60


def fill(g):
    held = set(g.plugged.values())
    for slot in SLOTS:
        if str(slot) not in held:
            g.plug("nvme", slot)
    for slot in SLOTS:
        g.wait_bound(slot, "nvme", DEADLINE)
    g.wait_until(NO_JOBS, DEADLINE)


def plan(rng):
    """When which slot loses its card or gets it back: (moment, slot, out)."""
    steps = []
    for slot in SLOTS:
        moment = 0
        for flip in range(FLIPS):
            moment += rng.uniform(*APART)
            steps.append((moment, slot, flip % 2 == 0))
    return sorted(steps)


def race(g, puller, rng, log_start):
    """Pull the cards and put them back; in the end each one is in and bound."""
    ids = puller.slots()
    start = time.monotonic()
    for moment, slot, out in plan(rng):
        # not a wait for something: the moments are what the race is about
        time.sleep(max(0, start + moment - time.monotonic()))
        (puller.pull if out else puller.let)(ids[f"slot{slot}"])
    result = quiet(g, [], log_start)
    for slot in SLOTS if result == "ok" else ():
        g.wait_bound(slot, "nvme", DEADLINE)
    return result
