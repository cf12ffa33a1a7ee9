# SPDX-License-Identifier: LGPL-2.1-or-later
"""hpshim by itself: is the card that answers the one whose devices are there?"""

import pytest

from lab.flat import PORTS, bring_up, drive, eject, flat, shim     # noqa: F401
from lab.shim import CAPS, INDICATOR, Client, bare, commit, has    # noqa: F401

RAW = "/sys/bus/pci/slots/3/attention"


def flap(shim, slot):
    for what in "LINK_DOWN", "LINK_UP":
        shim.inject(slot, what)
        shim.event("LINK", SLOT=slot)


def test_a_link_that_comes_back_to_the_same_card_tells_no_more_than_that(flat, shim, drive):
    flap(shim, drive["SLOT"])
    shim.inject(drive["SLOT"], "LATCH_CLOSED")
    shim.event("LATCH")             # what came before has been told
    assert not shim.events("PRESENCE", SLOT=drive["SLOT"])[1:]
    assert has(shim.slot(drive["SLOT"]), "PRESENT", "LINK", "OCCUPIED")
    flat.run("dd if=/dev/nvme0n1 of=/dev/null bs=4k count=16 iflag=direct")
    eject(flat, shim, drive)


@pytest.mark.parametrize("how", ["another card", "a card that was reset"])
def test_a_link_that_comes_back_to_something_else_is_a_card_that_went(flat, shim, drive, how):
    slot = drive["SLOT"]
    if how == "another card":
        shim.inject(slot, "CARD_CHANGED")
    else:
        flat.run(f"setpci -s {flat.address(3)}.0 COMMAND=0000")
    shim.inject(slot, "LINK_UP")
    gone = shim.event("PRESENCE", SLOT=slot)
    assert not has(gone, "PRESENT") and not has(gone, "LINK") and has(gone, "OCCUPIED", "POWER")
    assert commit(flat, "remove", drive["ADDRESS"]) is None
    assert has(shim.event("PRESENCE", SLOT=slot), "PRESENT")
    # its devices come as those of any card
    assert commit(flat, "rescan", drive["ADDRESS"]) is None
    flat.wait_bound(3, "nvme", 40)
    assert has(shim.slot(slot), "PRESENT", "LINK", "OCCUPIED")
    eject(flat, shim, drive)


def test_a_card_that_went_counts_as_gone_until_anybody_removes_its_devices(flat, shim, drive):
    slot = drive["SLOT"]
    shim.inject(slot, "CARD_CHANGED")
    shim.inject(slot, "LINK_UP")
    assert not has(shim.event("PRESENCE", SLOT=slot), "PRESENT")
    flat.run(f"echo 1 > /sys/bus/pci/devices/{flat.address(3)}.0/remove")
    assert has(shim.slot(slot), "PRESENT")
    flat.run("echo 1 > /sys/bus/pci/rescan")
    flat.wait_bound(3, "nvme", 40)
    assert has(shim.slot(slot), "PRESENT", "OCCUPIED")
    flap(shim, slot)                # and is known by now
    assert has(shim.slot(slot), "PRESENT", "OCCUPIED")
    eject(flat, shim, drive)


def test_a_card_that_did_not_answer_when_it_was_adopted_is_no_other_one_when_it_does(flat, shim):
    flat.plug("e1000e", 3)          # has a serial number
    flat.wait_bound(3, "e1000e", 40)
    # the port has no driver, and the card neither driver nor power, for a moment
    flat.run(f"echo {flat.address(3)}.0 > /sys/bus/pci/drivers/e1000e/unbind")
    service = flat.out(f"basename /sys/bus/pci_express/devices/{PORTS[2]}:pcie*04").strip()
    flat.run(f"echo {service} > /sys/bus/pci_express/drivers/pciehp/unbind")
    flat.run(f"setpci -s {PORTS[2]} CAP_EXP+18.w=0400:0400")
    slot = shim.adopt(PORTS[2])["3"]
    flat.run(f"setpci -s {PORTS[2]} CAP_EXP+18.w=0000:0400")
    shim.skip()
    flap(shim, slot["SLOT"])
    shim.inject(slot["SLOT"], "LATCH_CLOSED")
    shim.event("LATCH")             # what came before has been told
    assert has(shim.slot(slot["SLOT"]), "PRESENT", "LINK", "OCCUPIED")
    eject(flat, shim, slot)


@pytest.mark.long
def test_indicators_that_belong_to_user_space_are_written_as_they_are(bare):
    """As below Intel's VMD, where ledctl knows what the bits mean."""
    g = bare("flat")
    g.run("modprobe hpshim user_indicators=1")
    shim = Client(g)
    shim.call("CONTROLLER_SET", GRACE_MS=0)
    slot = shim.adopt(PORTS[2])["3"]
    assert not slot["CAPS"] & (CAPS["POWER_INDICATOR"] | CAPS["ATTENTION_INDICATOR"])
    assert shim.refused("SET_ATTENTION_INDICATOR", SLOT=slot["SLOT"], VALUE=INDICATOR["ON"]) == 95
    for value in 5, 10, 15:
        g.run(f"echo {value} > {RAW}")
        assert g.out(f"cat {RAW}") == str(value)
        assert int(g.out(f"setpci -s {PORTS[2]} CAP_EXP+18.w"), 16) & 0x3c0 == value << 6
    shim.close()
    g.run("rmmod hpshim", timeout=60)


@pytest.mark.long
@pytest.mark.parametrize("parameter", ["pcie_pme=nomsi", "threadirqs"])
def test_a_drive_comes_and_goes_whatever_the_interrupts(bare, parameter):
    """INTx, and handlers that the kernel would like to run in threads."""
    g = bare("flat", append=[parameter])
    g.run("modprobe hpshim")
    shim = Client(g)
    shim.call("CONTROLLER_SET", GRACE_MS=0)
    slot = shim.adopt(*PORTS)["3"]
    g.plug("nvme", 3)
    bring_up(g, shim, slot)
    g.press(3)
    shim.event("BUTTON", SLOT=slot["SLOT"])
    eject(g, shim, slot)
    shim.close()
    g.run("rmmod hpshim", timeout=60)
