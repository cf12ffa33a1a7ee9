# SPDX-License-Identifier: LGPL-2.1-or-later
"""R4: a card is pulled, without being asked for, in each state of its eject."""

import json
import time

from lab.shim import Client
from lab.hotplug import NO_JOBS
from races.witness import quiet

SLOTS = (1, 2, 3, 4, 5, 6)
# States of an eject in which the card goes. An eject without a window is checked at
# once, and waits for its turn while others commit.
STATES = ("grace", "checking", "quiescing", "committing", "settling")
LATER = 0.05        # seconds after a state was seen, at most; the window may last longer
WINDOW = 4.5
DEADLINE = 30


class Puller:
    """Pulls cards, and puts the ports right again, by injection: the VMM's cards
    themselves stay until the slot is switched off."""

    def __init__(self, g):
        self.client = Client(g, listen=False)

    def slots(self):
        return {f"slot{name}": slot["SLOT"] for name, slot in self.client.slots().items()}

    def pull(self, slot):
        self.client.inject(slot, "PRESENCE_LOST")
        self.client.inject(slot, "LINK_DOWN")

    def let(self, slot):
        """The registers say again what is so."""
        self.client.inject(slot, "LINK_UP")
        self.client.inject(slot, "PRESENCE_FOUND")


def fill(g):
    held = set(g.plugged.values())
    for slot in SLOTS:
        if str(slot) not in held:
            g.plug("nvme", slot)
    for slot in SLOTS:
        g.wait_bound(slot, "nvme", 60)
    g.wait_until(NO_JOBS, 60)


def race(g, puller, rng, log_start, hits):
    """Eject all slots, by button or together by hpctl, and pull each card in a state
    of its own; note in `hits` the states that were told last before the pulls: on a busy
    machine a short one may be over by then."""
    ids = puller.slots()
    targets = list(STATES) + [rng.choice(STATES)]
    rng.shuffle(targets)
    wanted = dict(zip([f"slot{slot}" for slot in SLOTS], targets))
    cards = dict(g.plugged)
    monitor = g.spawn("hpctl --json monitor", stdin=None)
    monitor.wait_for('"type":"ready"', DEADLINE)
    ejecting = [slot for slot, state in wanted.items() if state != "grace"]
    for slot, state in wanted.items():
        if state == "grace":
            g.press(slot)
    ejects = [g.spawn(["hpctl", "eject"] + ejecting)]
    deadline = time.monotonic() + DEADLINE
    while wanted and time.monotonic() < deadline:
        line = json.loads(monitor.wait_for(r"^\{.*\}$", DEADLINE)[0])
        slot = line.get("slot")
        if line["type"] not in ("job-new", "job-changed", "job-removed") or slot not in wanted:
            continue
        # a state that was too short to be told is over: then in this one
        if line["type"] == "job-removed" or line["state"] == wanted[slot]:
            # not a wait for something: the moment is what the race is about
            time.sleep(rng.uniform(0, WINDOW if line.get("state") == "grace" else LATER))
            puller.pull(ids[slot])
            hits[line.get("state", "ended")] += 1
            del wanted[slot]
    monitor.kill()
    result = quiet(g, ejects, log_start)
    if result == "ok" and wanted:
        result = f"not pulled in time: {wanted}"
    for card in cards if result == "ok" else ():
        g.wait_deleted(card, DEADLINE)      # each slot was switched off
    for slot in ids.values():
        puller.let(slot)
    return result
