# SPDX-License-Identifier: LGPL-2.1-or-later
"""hpshim by itself: slots that go back to their native drivers in the middle of things."""

import pytest

from lab import stuck
from lab.flat import PORTS, driver, drive, eject, flat, native, shim, until_native     # noqa: F401
from lab.shim import INDICATOR, Client, bare, commit, writer     # noqa: F401

ECANCELED = 125


@pytest.mark.expect_hang       # of the commit, which hangs in a driver's remove()
def test_a_slot_goes_back_when_the_commit_that_is_under_way_has_ended(flat, shim):
    slot = shim.adopt(PORTS[2])["3"]
    flat.run(f"[ -d {stuck.PARAMETERS} ] || insmod {stuck.MODULE}")
    flat.plug(stuck.CARD, 3)
    shim.event("BUTTON", SLOT=slot["SLOT"])
    assert shim.op("SET_POWER", SLOT=slot["SLOT"], VALUE=1)["ERRNO"] == 0
    assert commit(flat, "rescan", slot["ADDRESS"]) is None
    flat.wait_bound(3, stuck.DRIVER, 40)
    stuck.sleep(flat, -1)
    removing = writer(flat, "/sys/bus/pci/drivers/hpshim/remove", slot["ADDRESS"])
    flat.wait_until("grep -qs hpstuck_remove /proc/[0-9]*/stack")

    shim.close()
    flat.wait_until("dmesg | grep -q 'Slot(3): is given back when'", 40)
    assert driver(flat, PORTS[2]) == "hpshim"
    rmmod = flat.run("rmmod hpshim", check=False)
    assert rmmod.rc and "in use" in rmmod.err

    stuck.sleep(flat, 0)
    stuck.release(flat)
    assert removing.wait(30).out == ""
    until_native(flat, PORTS[2])
    flat.wait_until("test $(cat /sys/bus/pci/slots/3/power) = 0 -o -e /sys/bus/pci/devices/$(cat /sys/bus/pci/slots/3/address).0")
    flat.run("rmmod hpstuck")


def test_presses_up_to_the_last_moment_are_told(flat, shim):
    slot = shim.adopt(PORTS[0])["1"]
    for _ in range(5):
        shim.skip()
        mark = len(shim.said)
        shim.inject(slot["SLOT"], "BUTTON", 150, 50)        # no more than a socket holds
        assert shim.op("PORT_RELEASE", PORT=PORTS[0])["ERRNO"] == 0
        gone = shim.event("SLOT_GONE", SLOT=slot["SLOT"])
        told = [m["event"]["PRESSES"] for m in shim.said[mark:]
                if m.get("event", {}).get("EVENT") == "BUTTON"]
        assert told == list(range(1, gone["PRESSES"] + 1))
        slot = shim.adopt(PORTS[0])["1"]


def test_an_adoption_whose_controller_has_resigned_says_that_it_was_in_vain(flat, shim):
    done = []
    for cookie in range(1, 11):     # the kernel may be quicker with all of them
        count = len(done) + 2 * len(PORTS)
        shim.call("CONTROLLER_SET", GRACE_MS=0)
        for port in PORTS * 2:
            shim.start("PORT_ADOPT", PORT=port, COOKIE=cookie)
        shim.call("CONTROLLER_CLEAR")
        while len(done) < count:
            done.append(shim.event("OP_DONE", COOKIE=cookie)["ERRNO"])
        for port in PORTS:
            until_native(flat, port)
        if ECANCELED in done:
            break
    assert set(done) == {0, ECANCELED} or set(done) == {ECANCELED}


def test_a_writer_at_a_slot_that_stays_off_is_told_that_nobody_answers(flat, shim, drive):
    """The drive is off because the controller wanted it so; who wants power gets it."""
    assert commit(flat, "remove", drive["ADDRESS"]) is None
    assert shim.op("SET_POWER", SLOT=drive["SLOT"], VALUE=0)["ERRNO"] == 0
    refused = writer(flat, "/sys/bus/pci/slots/3/power", "0")
    shim.event("REQUEST", SLOT=drive["SLOT"])
    shim.close()
    assert refused.wait(20).out.strip() == "ENODEV"
    assert driver(flat, PORTS[2]) == "hpshim"
    flat.run("echo 1 > /sys/bus/pci/slots/3/power")
    flat.wait_bound(3, "nvme", 40)
    assert native(flat)
    card = flat.card(3)
    flat.run("echo 0 > /sys/bus/pci/slots/3/power")
    flat.wait_deleted(card)


def test_a_slot_that_was_just_switched_off_has_its_second_before_it_goes_back(flat, shim, drive):
    assert commit(flat, "remove", drive["ADDRESS"]) is None
    off = shim.op("SET_POWER", SLOT=drive["SLOT"], VALUE=0)
    assert off["ERRNO"] == 0
    assert shim.op("PORT_RELEASE", PORT=PORTS[2])["ERRNO"] == 0
    gone = shim.event("SLOT_GONE", SLOT=drive["SLOT"])
    assert gone["TIME_NS"] - off["TIME_NS"] > 0.95e9
    flat.wait_bound(3, "nvme", 40)      # its native driver has powered it up at once
    card = flat.card(3)
    flat.run("echo 0 > /sys/bus/pci/slots/3/power")
    flat.wait_deleted(card)


def test_answers_that_no_program_may_get_are_refused(flat, shim):
    for error, errno in (-133, 2), (-134, 34), (-512, 34), (1, 34):
        assert shim.refused("REQUEST_ANSWER", REQUEST=1, ERRNO=error) == errno
