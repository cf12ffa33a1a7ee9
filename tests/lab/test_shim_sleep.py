# SPDX-License-Identifier: LGPL-2.1-or-later
"""hpshim by itself across sleep (S3, in which QEMU resets all devices) and across
the recovery from an error, which resets ports as well."""

import pytest

from lab.flat import bring_up, eject
from lab.shim import INDICATOR, Client, bare, commit, has, writer   # noqa: F401

pytestmark = pytest.mark.long   # and in the suite of the kernels
PORT = "0000:00:{:02x}.0"


@pytest.fixture
def flat(bare):
    """Six root ports, the module loaded."""
    yield from loaded(bare("flat"))


@pytest.fixture
def shpc(bare):
    yield from loaded(bare("shpc"))


@pytest.fixture
def switch(bare):
    yield from loaded(bare("switch-kept"))


def loaded(g):
    g.run("modprobe hpshim")
    yield g
    if g.alive():
        g.run("rmmod hpshim", timeout=60)


def controller(g):
    client = Client(g)
    client.call("CONTROLLER_SET", GRACE_MS=0)
    return client


def nap(g, meanwhile=lambda: None):
    """Suspend to RAM up to the last step, and resume: QEMU 7.2 really sleeps only
    once, and forgets what happened to its slots when it does."""
    begun = g.serial.size()
    going = g.spawn("echo 2 > /sys/module/suspend/parameters/pm_test_delay;"
                    "echo platform > /sys/power/pm_test; echo mem > /sys/power/state;"
                    "echo none > /sys/power/pm_test")
    g.wait_serial("PM: Saving platform NVS memory", start=begun)
    meanwhile()
    assert going.wait(60).rc == 0


def sleep(g, meanwhile=lambda: None):
    """Suspend to RAM, and wake up again."""
    going = g.spawn("echo mem > /sys/power/state")
    g.wait_event("SUSPEND", 40)
    meanwhile()
    g.qmp("system_wakeup")
    assert going.wait(60).rc == 0


def test_a_drive_and_the_indicators_are_after_sleep_what_they_were(flat):
    shim = controller(flat)
    slots = shim.adopt(PORT.format(4), PORT.format(5))
    drive, empty = slots["3"], slots["4"]
    flat.plug("nvme", 3)
    bring_up(flat, shim, drive)
    for slot, attention in (drive, "ON"), (empty, "BLINK"):
        shim.op("SET_ATTENTION_INDICATOR", SLOT=slot["SLOT"], VALUE=INDICATOR[attention])
    before = [shim.slot(slot["SLOT"]) for slot in (drive, empty)]
    shim.skip()

    sleep(flat)

    assert [shim.event("RESUME")["VALUE"] for _ in range(2)] == [0, 0]
    keys = "STATUS", "POWER_INDICATOR", "ATTENTION_INDICATOR", "PRESSES"
    after = [shim.slot(slot["SLOT"]) for slot in (drive, empty)]
    assert [[slot[k] for k in keys] for slot in after] == [[slot[k] for k in keys] for slot in before]
    assert has(after[0], "OCCUPIED", "LINK", "POWER")
    assert not [m for m in shim.said[shim.looked:] if m.get("event", {}).get("EVENT") in ("PRESENCE", "LINK")]
    flat.run("dd if=/dev/nvme0n1 of=/dev/null bs=4k count=16 iflag=direct")
    # interrupts and commands work
    flat.press(3)
    assert shim.event("BUTTON")["PRESSES"] == before[0]["PRESSES"] + 1
    eject(flat, shim, drive)
    for slot in drive, empty:
        shim.op("SET_ATTENTION_INDICATOR", SLOT=slot["SLOT"], VALUE=INDICATOR["OFF"])
    shim.close()


def test_a_card_that_was_changed_in_its_sleep_is_gone_until_it_is_removed(flat):
    shim = controller(flat)
    slot = shim.adopt(PORT.format(4))["3"]
    flat.plug("nvme", 3)
    bring_up(flat, shim, slot)
    shim.inject(slot["SLOT"], "CARD_CHANGED")
    shim.skip()

    nap(flat)

    gone = shim.event("PRESENCE")
    assert not has(gone, "PRESENT") and not has(gone, "LINK") and has(gone, "OCCUPIED", "POWER")
    assert shim.event("RESUME")["VALUE"] == 1
    assert "card was changed" in flat.out("dmesg")
    # its driver has been kept from the new one
    assert commit(flat, "remove", slot["ADDRESS"]) is None
    shim.event("COMMIT")
    assert has(shim.event("PRESENCE"), "PRESENT", "LINK")
    assert commit(flat, "rescan", slot["ADDRESS"]) is None
    flat.wait_bound(3, "nvme", 40)
    eject(flat, shim, slot)
    shim.close()


def test_a_press_during_sleep_is_told_afterwards(flat):
    shim = controller(flat)
    slot = shim.adopt(PORT.format(4))["3"]
    flat.plug("nvme", 3)
    bring_up(flat, shim, slot)
    shim.skip()
    nap(flat, lambda: flat.press(3))
    assert shim.event("BUTTON")["PRESSES"] == 2
    eject(flat, shim, slot)
    shim.close()


def test_a_writer_that_waits_sleeps_along_and_gets_its_answer_afterwards(flat):
    shim = controller(flat)
    slot = shim.adopt(PORT.format(4))["3"]
    waiting = writer(flat, "/sys/bus/pci/slots/3/power", "1")
    request = shim.event("REQUEST", SLOT=slot["SLOT"])["REQUEST"]
    nap(flat)
    assert waiting.rc is None
    shim.call("REQUEST_ANSWER", REQUEST=request, ERRNO=-16)
    assert waiting.wait(20).out.strip() == "EBUSY"
    shim.close()


def test_a_card_that_came_during_sleep_is_told(flat):
    shim = controller(flat)
    slot = shim.adopt(PORT.format(4))["3"]
    shim.skip()
    nap(flat, lambda: flat.plug("nvme", 3))
    assert has(shim.event("PRESENCE", SLOT=slot["SLOT"]), "PRESENT")
    bring_up(flat, shim, slot)
    eject(flat, shim, slot)
    shim.close()


def test_the_slots_of_an_shpc_work_after_sleep(shpc):
    shim = controller(shpc)
    bridge = shpc.out("ls /sys/bus/pci/drivers/shpchp | grep ^0000:")
    slots = shim.adopt(bridge)
    shpc.plug("nvme", 5)
    bring_up(shpc, shim, slots["5"])
    shim.op("SET_ATTENTION_INDICATOR", SLOT=slots["7"]["SLOT"], VALUE=INDICATOR["BLINK"])
    shim.skip()

    sleep(shpc)

    for _ in slots:
        assert shim.event("RESUME")["VALUE"] == 0
    assert has(shim.slot(slots["5"]["SLOT"]), "POWER", "PRESENT", "OCCUPIED")
    assert shim.slot(slots["5"]["SLOT"])["POWER_INDICATOR"] == INDICATOR["ON"]
    assert shim.slot(slots["7"]["SLOT"])["ATTENTION_INDICATOR"] == INDICATOR["BLINK"]
    assert not has(shim.slot(slots["6"]["SLOT"]), "POWER")
    shpc.run("dd if=/dev/nvme0n1 of=/dev/null bs=4k count=16 iflag=direct")
    shpc.press(5)
    shim.event("BUTTON", SLOT=slots["5"]["SLOT"])
    eject(shpc, shim, slots["5"])
    shim.op("SET_ATTENTION_INDICATOR", SLOT=slots["7"]["SLOT"], VALUE=INDICATOR["OFF"])
    shim.close()


# An uncorrectable, fatal error of the device that the arguments name.
AER_INJECT = """
import os, struct, sys
bus, device, function = (int(word, 16) for word in sys.argv[1:])
error = struct.pack("BBBxIIIIIII", bus, device, function, 0x10, 0, 0, 0, 0, 0, 0)
os.write(os.open("/dev/aer_inject", os.O_WRONLY), error)
"""


def test_ports_below_a_reset_by_error_recovery_are_put_right(switch):
    """The core restores Slot Control of the ports from what it saved at boot."""
    shim = controller(switch)
    shim.adopt(PORT.format(2))
    ports = switch.out("ls /sys/bus/pci_express/drivers/pciehp | grep ^0000 | grep -v ^0000:00").split()
    slots = shim.adopt(*(port.rpartition(":")[0] for port in ports))
    slot, used = slots["5"], slots["6"]
    shim.op("SET_ATTENTION_INDICATOR", SLOT=slot["SLOT"], VALUE=INDICATOR["BLINK"])
    switch.plug("nvme", 6)
    bring_up(switch, shim, used)
    upstream = switch.address(1).split(":")
    shim.skip()
    mark = len(shim.said)
    switch.run("modprobe aer_inject")
    switch.run(["python3", "-c", AER_INJECT, upstream[1], upstream[2], "0"])
    for one in slot, used:
        shim.event("RESUME", SLOT=one["SLOT"], timeout=60)
        shim.looked = mark
    now = shim.slot(slot["SLOT"])
    assert now["ATTENTION_INDICATOR"] == INDICATOR["BLINK"]
    assert not [m for m in shim.said[mark:] if m.get("event", {}).get("EVENT") in ("LINK", "PRESENCE")]
    now = shim.slot(used["SLOT"])
    assert has(now, "PRESENT", "POWER", "OCCUPIED"), f"{now['STATUS']:#x}"
    assert now["POWER_INDICATOR"] == INDICATOR["ON"]
    switch.wait_until("timeout 10 dd if=/dev/nvme0n1 of=/dev/null bs=4k count=16 iflag=direct", 60)
    eject(switch, shim, used)
    switch.plug("nvme", 5)
    shim.event("BUTTON", SLOT=slot["SLOT"])
    bringing = shim.op("SET_POWER", SLOT=slot["SLOT"], VALUE=1)
    assert bringing["ERRNO"] == 0
    card = switch.card(5)
    shim.op("SET_ATTENTION_INDICATOR", SLOT=slot["SLOT"], VALUE=INDICATOR["OFF"])
    shim.op("SET_POWER", SLOT=slot["SLOT"], VALUE=0)
    shim.op("SET_POWER_INDICATOR", SLOT=slot["SLOT"], VALUE=INDICATOR["OFF"])
    switch.wait_deleted(card)
    switch.run("rmmod aer_inject")
    shim.close()
