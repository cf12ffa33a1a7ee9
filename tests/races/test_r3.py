# SPDX-License-Identifier: LGPL-2.1-or-later
"""R3 under hotplugd."""

from lab.shim import Client
from races import r3, witness


def test_sixteen_slots_survive_all_who_want_them_at_once(guest, tally, rounds):
    count = tally("R3", "hotplugd")
    g = guest(r3.TOPOLOGY, fresh=True)
    shim = Client(g, listen=False)
    presses = witness.Presses(g)
    for number in range(rounds):
        r3.fill(g)
        presses.forget()
        witness.judge(g, count, lambda start: r3.race(g, shim, presses, count.random(number), start), presses)
    witness.hangs_would_show(g)
