# SPDX-License-Identifier: LGPL-2.1-or-later
"""R1 on the stock kernel and under hotplugd."""

import pytest

from lab.channel import CommandFailed, GuestTimeout
from races import r1

pytestmark = pytest.mark.every_change

BY_HAND = "echo 1 > {upstream}/remove"
BY_HPCTL = "hpctl eject slot1"


@pytest.mark.expect_hang
def test_the_stock_kernel_hangs(guest, tally, rounds):
    count = tally("R1 by hand", "stock")
    # a guest that hung is lost, so each round has its own; the best of five tells enough,
    # and that it can hang is enough with every change
    wanted = 3 if rounds > 3 else 1
    for number in range(5):
        if count.hung == wanted or count.ok == 3:
            break
        with guest.own("switch", stock=True, snapshot=True) as g:
            r1.fill(g)
            remover, upstream = r1.race(g, BY_HAND, count.random(number))
            count.note(r1.outcome(g, remover, upstream, 0))
    assert count.hung == wanted


@pytest.mark.parametrize("way", [BY_HAND, BY_HPCTL], ids=["by hand", "hpctl eject"])
def test_hotplugd_survives_every_round(guest, tally, rounds, way):
    name = "R1 by hand" if way is BY_HAND else "R1 hpctl eject"
    count = tally(name, "hotplugd")
    g = guest("switch-kept", fresh=True)
    for number in range(rounds):
        r1.fill(g)
        start = g.serial.size()
        remover, upstream = r1.race(g, way, count.random(number))
        result = r1.outcome(g, remover, upstream, start)
        if result == "ok":
            result = daemon_is_well(g)
        count.note(result)
        assert result == "ok"
        bring_back(g)
    # a hang would keep the kernel's lock, and be reported after 10 to 20 seconds
    g.run("sleep 21")
    assert not g.serial.hung_tasks()


def daemon_is_well(g):
    try:
        g.run("systemctl is-active hotplugd && hpctl list", timeout=20)
    except (CommandFailed, GuestTimeout) as error:
        return f"daemon: {error}"
    return "ok"


def bring_back(g):
    """Find the switch again, and see that each slot below it still works: an
    eject of what is left in it reaches the VMM."""
    g.wait_until(r1.NO_JOBS, 60)
    g.run("echo 1 > /sys/bus/pci/rescan", timeout=60)
    slots = [f"slot{slot}" for slot in r1.CHILDREN]
    for slot in slots:
        g.wait_until(f"hpctl status {slot}", 60)
    # a card that was off when its port went is found, and brought up
    g.wait_until(r1.NO_JOBS, 60)
    cards = list(g.plugged)
    g.run(["hpctl", "eject"] + slots, timeout=90)
    for card in cards:
        g.wait_deleted(card)
