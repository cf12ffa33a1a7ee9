# SPDX-License-Identifier: LGPL-2.1-or-later
"""R3: sixteen slots; buttons, writers of slots/N/power and D-Bus clients all at once,
in random order, so that jobs are started, joined, cancelled and refused."""

import time

from lab.hotplug import NO_JOBS
from races.witness import quiet

TOPOLOGY = "ports-16"
SLOTS = range(1, 17)
EACH = 3            # things that happen to each slot
SPAN = 7.0          # seconds in which they happen: a window and a half
WAYS = {            # what is done: the shell command, or a press
    "button": None,
    "second button": None,          # while the VMM refuses one: injected
    "power 0": "echo 0 > /sys/bus/pci/slots/{slot}/power",
    "power 1": "echo 1 > /sys/bus/pci/slots/{slot}/power",
    "eject": "hpctl eject slot{slot}",
    "insert": "hpctl insert slot{slot}",
}
# done, failed (no card), refused (another job is under way), cancelled (by a press)
ENDS = {0, 1, 2, 5, 8}      # 2: of a shell whose write failed


def fill(g):
    """A bound drive in each slot."""
    held = set(g.plugged.values())
    for slot in SLOTS:
        if str(slot) not in held:
            g.plug("nvme", slot)
    for slot in SLOTS:
        g.wait_bound(slot, "nvme", 60)
    g.wait_until(NO_JOBS, 60)


def plan(rng):
    """What happens: (moment, slot, way), in order."""
    return sorted((rng.uniform(0, SPAN), slot, rng.choice(list(WAYS)))
                  for slot in SLOTS for _ in range(EACH))


def race(g, shim, presses, rng, log_start):
    """Do it all and wait for its end; return "ok", or what went wrong."""
    processes = []
    ids = {name: slot["SLOT"] for name, slot in shim.slots().items()}
    start = time.monotonic()
    for moment, slot, way in plan(rng):
        # not a wait for something: the moments are what the race is about
        time.sleep(max(0, start + moment - time.monotonic()))
        if way == "button":
            presses.press(slot)
        elif way == "second button":
            shim.inject(ids[str(slot)], "BUTTON")
            presses.made[f"slot{slot}"] += 1
        else:
            processes.append(g.spawn(WAYS[way].format(slot=slot)))
    result = quiet(g, processes, log_start)
    for process in processes:
        if result == "ok" and process.rc not in ENDS:
            result = f"{process.command}: exit {process.rc}: {process.err.strip()}"
    return result
