# SPDX-License-Identifier: LGPL-2.1-or-later
"""R1: a switch is removed while the button presses of its children mature.

On the stock kernel: the remover holds the lock for rescan and removal and waits
for a child's interrupt thread; that thread waits for the lock.
"""

import time

from lab.channel import GuestTimeout
from lab.hotplug import NO_JOBS

WINDOW = 5.0            # seconds from a press to its effect, of pciehp and of hotplugd
STAGGER = 0.15          # from press to press; a removal lasts about three of them
JITTER = (0.0, 0.4)     # of the removal, while the windows end one after the other
CHILDREN = (3, 4, 5, 6)
GONE = 60               # deadline for the removal
GIVEN_UP = 30           # the same on the stock kernel: whoever hangs is reported before it
UPSTREAM = "/sys/bus/pci/devices/{}.0"


def fill(g):
    """A bound drive in each child slot, whose insertion is over (while it lasts the
    power indicator blinks and QEMU refuses a press)."""
    held = set(g.plugged.values())
    for slot in CHILDREN:
        if str(slot) not in held:
            g.plug("nvme", slot)
    for slot in CHILDREN:
        g.wait_bound(slot, "nvme", 60)
    if not g.stock:
        g.wait_until(NO_JOBS, 60)


def race(g, remove, rng):
    """Press all children, the one that is removed last as the last one, and start
    the removal about when the presses mature;
    return the process that removes and the switch's sysfs path."""
    upstream = UPSTREAM.format(g.address(1))
    start = time.monotonic()
    # not waits for something: the moments are what the race is about
    for number, slot in enumerate(reversed(CHILDREN)):
        time.sleep(max(0, start + number * STAGGER - time.monotonic()))
        g.press(slot)
    delay = WINDOW + rng.uniform(*JITTER) - (time.monotonic() - start)
    return g.spawn(f"sleep {delay:.3f}; {remove.format(upstream=upstream)}"), upstream


def outcome(g, remover, upstream, log_start):
    """Wait for the end of the removal; return "ok", or what went wrong."""
    try:
        result = remover.wait(GIVEN_UP if g.stock else GONE)
        g.wait_until(f"! [ -e {upstream} ]", 30)
        g.wait_until("! grep -qs '^State:.D' /proc/[0-9]*/status", 30)
    except GuestTimeout as error:
        hung = g.serial.hung_tasks(log_start)
        return f"hung: {', '.join(sorted(set(hung)))}" if hung else f"stuck: {error}"
    if result.rc:
        return f"exit {result.rc}: {result.err.strip()}"
    trouble = g.serial.trouble(log_start)
    return "; ".join(trouble) or "ok"
