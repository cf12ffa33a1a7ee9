# SPDX-License-Identifier: LGPL-2.1-or-later
"""R8: a driver whose remove() takes long, or never returns until it is told to. The
job is shown as stalled, with the place where it is; the slot keeps its power; others
are answered at once; and when the driver lets go, the job goes on."""

import re

from lab import stuck
from lab.hotplug import DONE, plug, until_state

LONG = 60       # seconds; in the short form of the race
SHORT = 15
NEVER = -1
SLOT, OTHER, EMPTY = 3, 5, 6
# Milliseconds. Under emulation, with others on the machine, the bus itself takes up
# to 60 for a single answer of its own; so half of the answers must be within the
# limit, and none may look as if the daemon had waited for something.
LIMIT, NEVER_MORE = 50, 1000


def shown(g, step):
    """What is missing in what people are told of a stalled job; "ok" for nothing."""
    jobs, status = g.out("hpctl jobs"), g.out(f"hpctl status slot{SLOT}")
    wanted = [(jobs, "stalled"), (jobs, f"step {step}"), (jobs, "hpstuck_remove"), (jobs, "driver hpstuck"),
              (jobs, "Do not pull the card"), (status, f"stalled in step {step}"), (status, "hpstuck_remove")]
    missing = [text for said, text in wanted if text not in said]
    return f"not shown: {missing}: {jobs}{status}" if missing else "ok"


def middle(took):
    return took[len(took) // 2]


def answered(times):
    """ "ok" when calls of each kind were answered within the limit. """
    slow = {name: took for name, took in times.items() if middle(took) > LIMIT or took[0] > NEVER_MORE}
    return f"slow: {slow}" if slow else "ok"


def journal(g):
    """The stack is in the journal, too."""
    said = g.out("journalctl -u hotplugd -o cat --no-pager")
    return "ok" if re.search(r"stalled|stuck", said) and "hpstuck_remove" in said else "not in the journal"


def goes(g):
    """Another slot is ejected meanwhile, and its drive comes back."""
    done = g.run(f"hpctl eject slot{OTHER}", check=False, timeout=DONE)
    if done.rc:
        return f"slot{OTHER} was not ejected: {done.err}"
    g.wait_deleted(f"nvme{OTHER}", DONE)
    until_state(g, f"slot{OTHER}", "empty")
    plug(g, "nvme", OTHER)
    return "ok"


def cancelled(g):
    """Another eject is taken, waits for its turn, and can be cancelled."""
    g.run(f"hpctl eject --no-block slot{OTHER}")
    job = stuck.job(g, OTHER)
    if job["state"] != "quiescing":
        return f"slot{OTHER}: {job}"
    g.run(f"hpctl cancel {job['id']}")
    return "ok" if stuck.job(g, OTHER) is None else f"slot{OTHER} has a job still"
