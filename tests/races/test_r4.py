# SPDX-License-Identifier: LGPL-2.1-or-later
"""R4 under hotplugd."""

import collections

from lab import slow
from races import r4, witness


def test_a_card_may_be_pulled_in_each_state_of_its_eject(guest, tally, rounds):
    count = tally("R4", "hotplugd")
    g = guest("flat", fresh=True)
    puller = r4.Puller(g)
    slow.commits(g)
    hits = collections.Counter()
    for number in range(rounds):
        r4.fill(g)
        witness.judge(g, count, lambda start: r4.race(g, puller, count.random(number), start, hits))
    witness.hangs_would_show(g)
    count.remark = "cards pulled when it told of " + ", ".join(f"{state} {hits[state]}" for state in hits)
    assert set(r4.STATES) - {"checking"} <= set(hits), hits
