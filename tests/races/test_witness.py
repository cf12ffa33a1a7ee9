# SPDX-License-Identifier: LGPL-2.1-or-later
"""The judge of the races sees what it is there to see."""

from lab.hotplug import plug, until_state
from races import r4, witness


def test_a_state_that_is_not_the_hardwares_and_a_press_that_is_lost_are_seen(guest):
    g = guest("flat-no-power", fresh=True)
    puller = r4.Puller(g)
    presses = witness.Presses(g)
    plug(g, "nvme", 2)
    presses.forget()
    assert witness.agree(g) == "ok"
    puller.client.inject(puller.slots()["slot3"], "BUTTON")
    presses.made["slot3"] += 1
    assert witness.quiet(g, [], 0) == "ok" and presses.outcome() == "ok"
    presses.made["slot3"] += 1
    assert presses.outcome() == "presses: slot3: 1 presses, 0 told"
    puller.pull(puller.slots()["slot2"])
    until_state(g, "slot2", "empty")
    assert any("slot2: present is True, hotplugd says False" in line for line in witness.differences(g))
