# SPDX-License-Identifier: LGPL-2.1-or-later
"""R13: slots/N/power of a root port and of the slots of the switch below it are
written in loops, against `hpctl eject` and buttons.

On the stock kernel: the root port's interrupt thread removes a child port, with the
lock held, and waits for the child's interrupt thread or for who writes its `power`;
those wait for the lock.
"""

import time

from lab import topology
from lab.channel import GuestTimeout
from races import r1
from races.witness import quiet

# All ports without power controller: the VMM takes no card out, the switch comes back.
TOPOLOGY = topology.Topology(
    "switch-cycled", tuple(f"{device},power_controller_present=off"
                           if device.startswith(("pcie-root-port", "xio3130")) else device
                           for device in topology.SWITCH.devices), topology.SWITCH.slots)
ROOT = 1
LASTS = 8.0         # seconds
DEADLINE = 150      # a writer waits for 120 s
LOOP = ("while [ ! -e /run/r13 ]; do for on in 0 1; do"
        " echo $on > /sys/bus/pci/slots/{slot}/power || sleep 0.05; done; done 2>/dev/null")


def fill(g):
    """The switch and a bound drive in each slot below it."""
    if not g.stock:
        g.run(f"hpctl insert slot{ROOT}", timeout=60)
        for slot in r1.CHILDREN:
            g.wait_until(f"hpctl status slot{slot}", 60)
        held = [f"slot{slot}" for slot in r1.CHILDREN if str(slot) in g.plugged.values()]
        g.wait_until(r1.NO_JOBS, 60)
        if held:
            g.run(["hpctl", "insert"] + held, timeout=60)
    r1.fill(g)


def race(g, presses, rng, log_start):
    """Loops on all slots; ejects and presses at random moments of them."""
    g.run("rm -f /run/r13")
    running = [g.spawn(LOOP.format(slot=slot)) for slot in (ROOT,) + r1.CHILDREN]
    end = time.monotonic() + LASTS
    while time.monotonic() < end:
        # not a wait for something: the moments are what the race is about
        time.sleep(rng.uniform(0, 0.5))
        if not g.stock and rng.random() < 0.3:
            running.append(g.spawn(f"hpctl eject slot{rng.choice((ROOT,) + r1.CHILDREN)}"))
        elif not g.stock and rng.random() < 0.3:
            running.append(g.spawn(f"hpshim-inject slot{ROOT} button"))
            presses.made[f"slot{ROOT}"] += 1
        else:
            presses.press(rng.choice(r1.CHILDREN))
    try:
        g.run("touch /run/r13", timeout=60)
    except GuestTimeout:
        pass    # quiet() says why
    return quiet(g, running, log_start, r1.GIVEN_UP if g.stock else DEADLINE)
