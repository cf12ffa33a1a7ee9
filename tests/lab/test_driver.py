# SPDX-License-Identifier: LGPL-2.1-or-later
"""An insert ends when what came has its drivers."""

import pytest

from lab import stuck
from lab.hotplug import DONE, NO_JOBS, plug

SLOT = 3
# The driver's link is there while its probe() runs.
PROBING = f"test -e /sys/bus/pci/drivers/{stuck.DRIVER}/0000:*"
STEP = "hpctl --json jobs | grep -Eq '\"step\": *\"({})\"'"


@pytest.fixture
def patient(guest):
    """There is all the time for a driver."""
    g = guest("flat", fresh=True)
    g.run("mkdir -p /etc/hotplugd.conf.d && cat >/etc/hotplugd.conf.d/90-test.conf && systemctl reload hotplugd",
          stdin="[Timeouts]\nDriverSec=40s\n", timeout=DONE)
    return g


@pytest.fixture
def g(patient):
    """A card whose driver is looked for, and no driver."""
    patient.plug(stuck.CARD, SLOT)
    patient.wait_until(STEP.format("confirm"), DONE)
    return patient


def end(g):
    g.wait_until(NO_JOBS, 60)
    return g.out(f"hpctl --json history slot{SLOT}")


def test_a_driver_that_comes_late_ends_the_insert_at_once(g):
    g.run(f"insmod {stuck.MODULE}")
    g.wait_until(NO_JOBS, 20)
    assert "no driver" not in end(g)


@pytest.mark.expect_hang
def test_an_insert_waits_for_a_probe_that_goes_on_after_the_rescan(patient):
    """On kernels that probe new devices asynchronously; on others the rescan itself waits."""
    g = patient
    g.run(f"insmod {stuck.MODULE} doomed=1 async_probe")
    g.plug(stuck.CARD, SLOT)
    g.wait_until(PROBING, DONE)
    g.wait_until(STEP.format("rescan|confirm"), DONE)
    stuck.release(g)
    assert "no driver bound to" in end(g)


@pytest.mark.expect_hang
def test_a_driver_whose_probe_fails_was_never_there(g):
    g.spawn(f"insmod {stuck.MODULE} doomed=1")
    g.wait_until(PROBING, DONE)
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
