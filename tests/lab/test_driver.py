# SPDX-License-Identifier: LGPL-2.1-or-later
"""An insert ends when what came has its drivers."""

import pytest

from lab import stuck
from lab.hotplug import DONE, NO_JOBS, plug

SLOT = 3
CONFIRMING = "hpctl --json jobs | grep -q '\"step\": *\"confirm\"'"


@pytest.fixture
def g(guest):
    """A card whose driver is looked for, and no driver; there is all the time for one."""
    g = guest("flat", fresh=True)
    g.run("mkdir -p /etc/hotplugd.conf.d && cat >/etc/hotplugd.conf.d/90-test.conf && systemctl reload hotplugd",
          stdin="[Timeouts]\nDriverSec=40s\n", timeout=DONE)
    g.plug(stuck.CARD, SLOT)
    g.wait_until(CONFIRMING, DONE)
    return g


def end(g):
    g.wait_until(NO_JOBS, 60)
    return g.out(f"hpctl --json history slot{SLOT}")


def test_a_driver_that_comes_late_ends_the_insert_at_once(g):
    g.run(f"insmod {stuck.MODULE}")
    g.wait_until(NO_JOBS, 20)
    assert "no driver" not in end(g)


@pytest.mark.expect_hang
def test_a_driver_whose_probe_fails_was_never_there(g):
    g.spawn(f"insmod {stuck.MODULE} doomed=1")
    g.wait_until(f"test -e /sys/bus/pci/drivers/{stuck.DRIVER}/0000:*", DONE)   # its link is there while probe() runs
    # What happens meanwhile has the daemon look, and see the link.
    plug(g, "nvme", 2)
    g.run("hpctl eject slot2", timeout=DONE)
    assert stuck.job(g, SLOT)["step"] == "confirm"
    stuck.release(g)
    assert "no driver bound to" in end(g)


@pytest.mark.expect_hang
def test_a_probe_that_takes_longer_than_the_wait_is_told(g):
    g.spawn(f"insmod {stuck.MODULE} doomed=1")
    assert "no driver bound to" in end(g)   # though its link is there
    assert g.out(f"ls -d /sys/bus/pci/drivers/{stuck.DRIVER}/0000:*")
    stuck.release(g)
