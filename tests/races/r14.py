# SPDX-License-Identifier: LGPL-2.1-or-later
"""R14: slots/N/power of two levels of SHPC bridges is written while a bridge is
removed.

On the stock kernel: the remover holds the lock and waits for who writes `power`, or
for a slot's work queue; those wait for the lock to add or remove a card's devices.
"""

from races import r1
from races.witness import quiet

TOPOLOGY = "shpc-two-levels"
UPPER = ("2", "3")                  # slots of the first bridge; its slot 1 has the second one
LOWER = ("2-1", "3-1", "4-1", "5-1", "6-1")  # slots of the second bridge
EMPTY = ("9", "9-1")
BRIDGES = ("br1", "br2")
SPAN = 0.6                          # seconds of the writes
REMOVED = (0, 0.4)                  # when the bridge is removed: before the last of them
BY_HAND = "echo 1 > /sys/bus/pci/devices/{bridge}/remove"
DEADLINE = 150                      # a writer waits for 120 s


def bridges(g):
    """Addresses of the two bridges, by their QEMU ids."""
    return {"br1": "0000:00:03.0", "br2": f"{g.address(1)}.0"}


def find_again(g):
    """Both bridges, and hotplugd on their slots; returns "ok"."""
    g.run("echo 1 > /sys/bus/pci/rescan", timeout=60)
    g.wait_until("hpctl status slot9-1", 60)
    g.wait_until(r1.NO_JOBS, 60)
    return "ok"


def fill(g):
    """A bound card in each slot that the race is about."""
    held = set(g.plugged.values())
    for slot in UPPER + LOWER:
        if slot not in held:
            g.plug("nvme", slot)
    for slot in UPPER + LOWER:
        g.wait_bound(slot, "nvme", 60)
    if not g.stock:
        g.wait_until(r1.NO_JOBS, 60)


def race(g, rng, log_start):
    """Writers on the slots of both levels, and the removal of a bridge among them."""
    running = []
    for slot in UPPER + LOWER + EMPTY:
        value = 1 if slot in EMPTY else 0
        running.append(g.spawn(f"sleep {rng.uniform(0, SPAN):.3f};"
                               f" echo {value} > /sys/bus/pci/slots/{slot}/power"))
    remove = BY_HAND.format(bridge=bridges(g)[rng.choice(BRIDGES)])
    # not waits for something: the moments are what the race is about
    running.append(g.spawn(f"sleep {rng.uniform(*REMOVED):.3f}; {remove}"))
    result = quiet(g, running, log_start, r1.GIVEN_UP if g.stock else DEADLINE)
    return find_again(g) if result == "ok" and not g.stock else result
