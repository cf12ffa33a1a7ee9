# SPDX-License-Identifier: LGPL-2.1-or-later
"""Six root ports, the module without hotplugd, and a drive: fixtures of the tests of
hpshim by itself, and what a controller does with a slot."""

import pytest

from lab.device import NVME_SUBSYSTEM, driver as driver_of
from lab.shim import INDICATOR, Client, bare, commit     # noqa: F401

PORTS = [f"0000:00:{2 + i:02x}.0" for i in range(6)]
POWER = "/sys/bus/pci/slots/{}/power"


def driver(g, port):
    return g.out(f"basename $(readlink -f /sys/bus/pci_express/devices/{port}:pcie*04/driver)").strip()


def native(g, ports=PORTS):
    return all(driver(g, port) == "pciehp" for port in ports)


def until_native(g, port, timeout=20):
    g.wait_until(f"readlink -f /sys/bus/pci_express/devices/{port}:pcie*04/driver | grep -q pciehp",
                 timeout)


@pytest.fixture
def flat(bare):
    """Six empty root ports, pciehp on all, the module loaded and nobody's."""
    g = bare("flat", qemu=NVME_SUBSYSTEM)
    g.run("modprobe hpshim")
    yield g
    if g.alive():
        g.run("rmmod hpshim", timeout=60)
        assert native(g)


@pytest.fixture
def shim(flat):
    client = Client(flat)
    client.call("CONTROLLER_SET", GRACE_MS=0)
    yield client
    if client.process.rc is None:
        client.close()


@pytest.fixture
def drive(flat, shim):
    """An NVMe drive that was brought up in slot 3 by way of the shim."""
    slot = shim.adopt(PORTS[2])["3"]
    flat.plug("nvme", 3)
    bring_up(flat, shim, slot)
    shim.skip()
    return shim.slot(slot["SLOT"])


def bring_up(g, shim, slot, kind="nvme"):
    """What a controller does, without the questions."""
    shim.event("BUTTON", SLOT=slot["SLOT"])             # QEMU presses for an insertion
    assert shim.op("SET_POWER", SLOT=slot["SLOT"], VALUE=1)["ERRNO"] == 0
    assert shim.op("SET_POWER_INDICATOR", SLOT=slot["SLOT"], VALUE=INDICATOR["ON"])["ERRNO"] == 0
    assert commit(g, "rescan", slot["ADDRESS"], slot["GENERATION"]) is None
    if driver_of(kind):
        g.wait_bound(slot["NAME"], driver_of(kind), 40)


def eject(g, shim, slot):
    card = g.card(slot["NAME"])
    assert commit(g, "remove", slot["ADDRESS"], slot["GENERATION"]) is None
    assert shim.op("SET_POWER", SLOT=slot["SLOT"], VALUE=0)["ERRNO"] == 0
    assert shim.op("SET_POWER_INDICATOR", SLOT=slot["SLOT"], VALUE=INDICATOR["OFF"])["ERRNO"] == 0
    g.wait_deleted(card)
