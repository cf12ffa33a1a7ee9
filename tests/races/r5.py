# SPDX-License-Identifier: LGPL-2.1-or-later
"""R5: the link of a switch drops while one of its children is in its window and
another one is being ejected."""

import time

from races import r1
from races.r4 import Puller
from races.witness import quiet

SWITCH = "slot1"
IN_WINDOW, COMMITTING = 3, 4
GONE = "[ $(ls /sys/bus/pci/slots | wc -l) = 2 ]"
DEADLINE = 60


def fill(g):
    g.run(["hpctl", "insert", SWITCH], timeout=DEADLINE)
    for slot in r1.CHILDREN:
        g.wait_until(f"hpctl status slot{slot}", DEADLINE)
    off = [f"slot{slot}" for slot in r1.CHILDREN if str(slot) in g.plugged.values()]
    g.wait_until(r1.NO_JOBS, DEADLINE)
    if off:
        g.run(["hpctl", "insert"] + off, timeout=DEADLINE)
    r1.fill(g)


def race(g, puller, rng, log_start):
    """Press, eject, and drop the link, with the card or without; wait until all below
    the switch is gone and let the link come back."""
    switch = puller.slots()[SWITCH]
    g.press(IN_WINDOW)
    # not waits for something: the moments are what the race is about
    time.sleep(rng.uniform(0, r1.WINDOW - 0.5))
    eject = g.spawn(f"hpctl eject slot{COMMITTING}")
    time.sleep(rng.uniform(0, 1.0))
    if rng.choice([True, False]):
        puller.client.inject(switch, "PRESENCE_LOST")
    puller.client.inject(switch, "LINK_DOWN")
    g.wait_until(GONE, DEADLINE)
    result = quiet(g, [eject], log_start)
    puller.let(switch)
    return result
