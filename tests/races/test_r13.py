# SPDX-License-Identifier: LGPL-2.1-or-later
"""R13 on the stock kernel and under hotplugd."""

import pytest

from races import r13, witness


@pytest.mark.expect_hang
def test_the_stock_kernel_hangs(guest, tally, rounds):
    count = tally("R13", "stock")
    # a guest that hung is lost, so each round has its own; three tell enough
    for number in range(min(rounds, 3)):
        with guest.own(r13.TOPOLOGY, stock=True, snapshot=True) as g:
            r13.fill(g)
            presses = witness.Presses(g)
            count.note(r13.race(g, presses, count.random(number), 0))
    assert count.hung


def test_hotplugd_survives_loops_of_power_on_all_levels(guest, tally, rounds):
    count = tally("R13", "hotplugd")
    g = guest(r13.TOPOLOGY, fresh=True)
    presses = witness.Presses(g, only=[f"slot{r13.ROOT}"])  # the others come and go
    for number in range(rounds):
        r13.fill(g)
        presses.forget()
        witness.judge(g, count, lambda start: r13.race(g, presses, count.random(number), start), presses)
    r13.fill(g)
    witness.hangs_would_show(g)
