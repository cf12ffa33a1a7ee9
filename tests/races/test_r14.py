# SPDX-License-Identifier: LGPL-2.1-or-later
"""R14 on the stock kernel and under hotplugd."""

import pytest

from races import r14, witness


@pytest.mark.expect_hang
def test_the_stock_kernel_hangs(guest, tally, rounds):
    count = tally("R14", "stock")
    # a guest that hung is lost, so each round has its own; three tell enough
    for number in range(min(rounds, 3)):
        with guest.own(r14.TOPOLOGY, stock=True, snapshot=True) as g:
            r14.fill(g)
            count.note(r14.race(g, count.random(number), 0))
    assert count.hung


def test_hotplugd_survives_writers_on_two_levels_of_bridges(guest, tally, rounds):
    count = tally("R14", "hotplugd")
    g = guest(r14.TOPOLOGY, fresh=True)
    for number in range(rounds):
        r14.fill(g)
        witness.judge(g, count, lambda start: r14.race(g, count.random(number), start))
    witness.hangs_would_show(g)
