# SPDX-License-Identifier: LGPL-2.1-or-later
"""R5 under hotplugd."""

from races import r4, r5, witness


def test_a_switch_may_lose_its_link_while_its_children_are_ejected(guest, tally, rounds):
    count = tally("R5", "hotplugd")
    g = guest("switch-kept", fresh=True)
    puller = r4.Puller(g)
    for number in range(rounds):
        r5.fill(g)
        witness.judge(g, count, lambda start: r5.race(g, puller, count.random(number), start))
    r5.fill(g)
    witness.hangs_would_show(g)
