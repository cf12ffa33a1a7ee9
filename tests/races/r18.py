# SPDX-License-Identifier: LGPL-2.1-or-later
"""R18: the switch above our slots is removed by hand, and found again, at any moment
of our own commits. The kernel's heap is checked (slub_debug).

On the stock kernel a write to a child's `remove` uses the child after somebody who
removes its parent has freed it, and one to `rescan` waits for the lock that he holds
while he waits for the write. The commit attributes hold what they work on, and live
where nobody waits for them.
"""

from lab.channel import GuestTimeout

HEAP = "slub_debug=FZPU"        # checks, red zones, poison, who allocated
COMMITTED = (3, 4)              # slots whose devices come and go all the time
EJECTED = (5, 6)                # slots that hotplugd empties meanwhile
DEADLINE = 60


def ports(g):
    """Addresses of the ports above the slots, by slot: the bridge of their bus."""
    script = ("for s in 3 4 5 6; do b=$(cut -d: -f1,2 /sys/bus/pci/slots/$s/address);"
              " basename $(readlink -f /sys/class/pci_bus/$b/../..); done")
    return dict(zip((3, 4, 5, 6), g.out(script).split()))


def race(g, rng):
    """Commits in loops, ejects, and a removal by hand and a rescan at random
    moments; return what runs and the one who removes."""
    where = ports(g)
    g.run("rm -f /run/r18*")
    loops = [g.spawn(f"while [ ! -e /run/r18 ]; do for verb in remove rescan; do"
                     f" echo {where[slot]} > /sys/bus/pci/drivers/hpshim/$verb; done; done")
             for slot in COMMITTED]
    loops += [g.spawn(f"sleep {rng.uniform(0, 1):.3f}; hpctl eject slot{slot}") for slot in EJECTED]
    upstream = f"/sys/bus/pci/devices/{g.address(1)}.0"
    # not waits for something: the moments are what the race is about
    by_hand = g.spawn(f"for again in 1 2 3; do sleep {rng.uniform(0, 1.5):.3f}; echo 1 > {upstream}/remove;"
                      f" sleep {rng.uniform(0, 0.5):.3f}; echo 1 > /sys/bus/pci/rescan; done")
    return loops, by_hand


def outcome(g, loops, by_hand, log_start):
    """Wait for all of them; return "ok", or what went wrong."""
    try:
        by_hand.wait(DEADLINE)
        g.run("touch /run/r18")
        for loop in loops:
            loop.wait(DEADLINE)
        g.wait_until("! grep -qs '^State:.D' /proc/[0-9]*/status", DEADLINE)
    except GuestTimeout as error:
        hung = g.serial.hung_tasks(log_start)
        return f"hung: {', '.join(sorted(set(hung)))}" if hung else f"stuck: {error}"
    finally:
        g.run("touch /run/r18", check=False)
    return "; ".join(g.serial.trouble(log_start)) or "ok"
