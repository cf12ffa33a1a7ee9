# SPDX-License-Identifier: LGPL-2.1-or-later
"""R6 under hotplugd."""

from races import r4, r6, witness


def test_cards_that_go_and_come_within_a_second_end_up_bound(guest, tally, rounds):
    count = tally("R6", "hotplugd")
    g = guest("flat-no-power", fresh=True)      # whose cards the VMM leaves in
    puller = r4.Puller(g)
    for number in range(rounds):
        r6.fill(g)
        witness.judge(g, count, lambda start: r6.race(g, puller, count.random(number), start))
    witness.hangs_would_show(g)
