# SPDX-License-Identifier: LGPL-2.1-or-later
"""R7: hotplugd and its worker are killed at random moments of a storm of presses,
writers and requests. A restart is a pause: whoever was told of a job is told of its
end, each press is told, and what hotplugd says in the end is what the hardware says."""

import json
import re
import time

from lab import paths
from races import r3
from races.witness import quiet

TOPOLOGY = "flat"
SLOTS = range(1, 7)
EACH = 2            # things that happen to each slot
SPAN = 7.0          # seconds in which they happen: a window and a half
KILLS = 5           # in these seconds and the ones after, in which jobs end
# MainPID is 0 while systemd starts it again: that would be everybody in our process group
DAEMON = 'p=$(systemctl show hotplugd -p MainPID --value); [ "${p:-0}" -le 0 ] || kill -9 "$p"'
WAYS = dict(r3.WAYS, cancel="hpctl cancel $(hpctl jobs --no-legend | awk '$2 == \"slot{slot}\" {{ print $1 }}')")
WORKER = "pkill -9 -fx @/usr/lib/hotplugd/hotplugd-worker"
# What the daemon had written down when it was killed: a commit is written before it begins.
MET = "; grep -q '\"state\":\"committing\"' /run/hotplugd/state && echo met"
ENDS = ("DONE", "FAILED", "CANCELLED", "REFUSED", "GONE")


def message(name):
    return re.search(rf'MESSAGE_{name}\s+"(\w+)"', (paths.SOURCE / "daemon/base/names.h").read_text())[1]


def fill(g):
    """A bound drive in each slot."""
    held = set(g.plugged.values())
    for slot in SLOTS:
        if str(slot) not in held:
            g.plug("nvme", slot)
    for slot in SLOTS:
        g.wait_bound(slot, "nvme", 60)
    g.wait_until(r3.NO_JOBS, 60)


def plan(rng):
    """What happens: (moment, slot or None, way), in order."""
    deeds = [(rng.uniform(0, SPAN), slot, rng.choice(list(WAYS))) for slot in SLOTS for _ in range(EACH)]
    deeds += [(rng.uniform(0.5, SPAN + 3), None, rng.choice([DAEMON, DAEMON, WORKER])) for _ in range(KILLS)]
    return sorted(deeds, key=lambda deed: deed[0])


def race(g, shim, presses, rng, log_start, met):
    """Do it all and wait for its end; return "ok", or what went wrong. `met` is told of
    each kill whether a commit was under way."""
    processes = []
    ids = {name: slot["SLOT"] for name, slot in shim.slots().items()}
    start = time.monotonic()
    for moment, slot, way in plan(rng):
        # not a wait for something: the moments are what the race is about
        time.sleep(max(0, start + moment - time.monotonic()))
        if slot is None:
            met.append("met" in g.run(way + MET, check=False).out)
        elif way == "button":
            presses.press(slot)
        elif way == "second button":
            shim.inject(ids[str(slot)], "BUTTON")
            presses.made[f"slot{slot}"] += 1
        else:
            # a client may meet a daemon that has just been killed: how it ends is its own affair
            processes.append(g.spawn(WAYS[way].format(slot=slot)))
    g.wait_until("systemctl is-active hotplugd && hpctl list", 60)
    return quiet(g, processes, log_start)


class Jobs:
    """Counts the ends of the jobs that hotplugd told of, by their numbers."""

    def __init__(self, g):
        self.g = g
        words = [f"MESSAGE_ID={message(name)}" for name in ("JOB_BEGUN",) + tuple(f"JOB_{end}" for end in ENDS)]
        self.read = f"journalctl -u hotplugd -o json --cursor-file=/run/jobs {' '.join(words)}"
        self.begun = message("JOB_BEGUN")
        self.count = 0
        self.told()

    def told(self):
        begun, ended = set(), {}
        self.g.run("journalctl --sync")
        for line in self.g.run(self.read, check=False).out.splitlines():
            if not line.startswith("{"):
                continue
            entry = json.loads(line)
            if entry["MESSAGE_ID"] == self.begun:
                begun.add(entry["HOTPLUGD_JOB"])
            else:
                ended[entry["HOTPLUGD_JOB"]] = ended.get(entry["HOTPLUGD_JOB"], 0) + 1
        return begun, ended

    def outcome(self):
        """ "ok" when each job that began has ended once."""
        begun, ended = self.told()
        self.count += len(begun)
        wrong = [f"job {job} has no end" for job in sorted(begun - set(ended))]
        wrong += [f"job {job} ended {times} times" for job, times in sorted(ended.items()) if times != 1]
        return "jobs: " + "; ".join(wrong) if wrong else "ok"
