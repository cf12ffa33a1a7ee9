# SPDX-License-Identifier: LGPL-2.1-or-later
"""hpshim by itself on bridges with a Standard Hot-Plug Controller."""

import time

import pytest

from lab.shim import CAPS, INDICATOR, Client, bare, commit, has, write, writer   # noqa: F401


def bridges(g, driver):
    return g.out(f"ls /sys/bus/pci/drivers/{driver} | grep ^0000: || true").split()


@pytest.fixture(params=["shpc", "shpc-behind-pcie"])
def shpc(bare, request):
    g = bare(request.param)
    g.run("modprobe hpshim")
    found = bridges(g, "shpchp")
    yield g
    if g.alive():
        g.run("rmmod hpshim", timeout=60)
        assert bridges(g, "shpchp") == found


@pytest.fixture
def shim(shpc):
    client = Client(shpc)
    client.call("CONTROLLER_SET", GRACE_MS=0)
    yield client
    if client.process.rc is None:
        client.close()


@pytest.fixture
def slots(shpc, shim):
    bridge, = bridges(shpc, "shpchp")
    found = shim.adopt(bridge)
    shim.skip()
    return found


def bring_up(g, shim, slot):
    shim.event("BUTTON", SLOT=slot["SLOT"])
    assert shim.op("SET_POWER", SLOT=slot["SLOT"], VALUE=1)["ERRNO"] == 0
    assert shim.op("SET_POWER_INDICATOR", SLOT=slot["SLOT"], VALUE=INDICATOR["ON"])["ERRNO"] == 0
    assert commit(g, "rescan", slot["ADDRESS"], slot["GENERATION"]) is None
    g.wait_bound(slot["NAME"], "nvme", 40)


def eject(g, shim, slot):
    card = g.card(slot["NAME"])
    assert commit(g, "remove", slot["ADDRESS"], slot["GENERATION"]) is None
    assert shim.op("SET_POWER", SLOT=slot["SLOT"], VALUE=0)["ERRNO"] == 0
    g.wait_deleted(card)


def test_all_slots_are_there_under_their_names(shpc, slots):
    assert sorted(slots, key=int) == [str(i) for i in range(1, 32)]
    for slot in slots.values():
        assert slot["KIND"] == 2 and slot["CAPS"] & CAPS["BUTTON"] and slot["CAPS"] & CAPS["LATCH"]
        assert not slot["CAPS"] & CAPS["LINK"]
        assert has(slot, "LATCH_OPEN") and not has(slot, "PRESENT") and not has(slot, "POWER")
    assert slots["5"]["ADDRESS"].endswith(":05.0")
    assert shpc.out("readlink /sys/bus/pci/slots/5/module").endswith("/hpshim")


def test_a_card_is_brought_up_and_ejected(shpc, shim, slots):
    shpc.plug("nvme", 5)
    bring_up(shpc, shim, slots["5"])
    now = shim.slot(slots["5"]["SLOT"])
    assert has(now, "PRESENT", "POWER", "OCCUPIED") and not has(now, "LATCH_OPEN")
    assert now["POWER_INDICATOR"] == INDICATOR["ON"]
    assert not has(shim.slot(slots["6"]["SLOT"]), "OCCUPIED")
    shpc.press(5)
    shim.event("BUTTON", SLOT=slots["5"]["SLOT"])
    eject(shpc, shim, slots["5"])
    gone = shim.slot(slots["5"]["SLOT"])
    assert has(gone, "LATCH_OPEN") and not has(gone, "PRESENT")
    assert gone["POWER_INDICATOR"] == INDICATOR["OFF"]      # with the power, in one command


def test_a_commit_touches_its_slot_only(shpc, shim, slots):
    for number in 3, 4:
        shpc.plug("nvme", number)
        bring_up(shpc, shim, slots[str(number)])
    shpc.run("dmesg --clear")
    assert commit(shpc, "remove", slots["3"]["ADDRESS"]) is None
    assert not has(shim.slot(slots["3"]["SLOT"]), "OCCUPIED")
    assert has(shim.slot(slots["4"]["SLOT"]), "OCCUPIED")
    assert commit(shpc, "rescan", slots["3"]["ADDRESS"]) is None
    shpc.wait_bound(3, "nvme", 40)
    assert "PCI bridge to" not in shpc.out("dmesg")     # its windows were not shut, not for a moment
    for number in 3, 4:
        eject(shpc, shim, slots[str(number)])


def test_a_rescan_leaves_a_card_alone_that_was_taken_out_of_another_slot(shpc, shim, slots):
    for number in 3, 4:
        shpc.plug("nvme", number)
        bring_up(shpc, shim, slots[str(number)])
    assert commit(shpc, "remove", slots["4"]["ADDRESS"]) is None
    assert commit(shpc, "rescan", slots["3"]["ADDRESS"]) is None    # nothing new: fine
    taken_out = shim.slot(slots["4"]["SLOT"])
    assert has(taken_out, "POWER") and not has(taken_out, "OCCUPIED")
    for number in 3, 4:
        eject(shpc, shim, slots[str(number)])


def test_slots_are_powered_side_by_side(shpc, shim, slots):
    for number in range(2, 8):
        shpc.plug("nvme", number)
        shim.event("BUTTON", SLOT=slots[str(number)]["SLOT"])
    began = time.monotonic()
    for number in range(2, 8):
        shim.start("SET_POWER", SLOT=slots[str(number)]["SLOT"], VALUE=1, COOKIE=number)
    for _ in range(2, 8):
        assert shim.event("OP_DONE")["ERRNO"] == 0
    assert time.monotonic() - began < 5         # each of them waits for a second
    for number in range(2, 8):
        card = shpc.card(number)
        assert shim.op("SET_POWER", SLOT=slots[str(number)]["SLOT"], VALUE=0)["ERRNO"] == 0
        shpc.wait_deleted(card)


def test_an_open_latch_and_an_empty_slot_get_no_power(shpc, shim, slots):
    done = shim.op("SET_POWER", SLOT=slots["9"]["SLOT"], VALUE=1)
    assert done["ERRNO"] == 19 and "no card" in done["REPORT"]
    shpc.plug("nvme", 9)
    shim.event("BUTTON")
    shim.inject(slots["9"]["SLOT"], "LATCH_OPEN")
    done = shim.op("SET_POWER", SLOT=slots["9"]["SLOT"], VALUE=1)
    assert done["ERRNO"] == 1 and "latch" in done["REPORT"]
    shim.inject(slots["9"]["SLOT"], "LATCH_CLOSED")
    bring_up_again = shim.op("SET_POWER", SLOT=slots["9"]["SLOT"], VALUE=1)
    assert bring_up_again["ERRNO"] == 0
    card = shpc.card(9)
    shim.op("SET_POWER", SLOT=slots["9"]["SLOT"], VALUE=0)
    shpc.wait_deleted(card)


def test_indicators_are_set_one_by_one(shpc, shim, slots):
    slot = slots["7"]["SLOT"]
    assert shim.op("SET_ATTENTION_INDICATOR", SLOT=slot, VALUE=INDICATOR["BLINK"])["ERRNO"] == 0
    assert shim.op("SET_POWER_INDICATOR", SLOT=slot, VALUE=INDICATOR["ON"])["ERRNO"] == 0
    now = shim.slot(slot)
    assert (now["POWER_INDICATOR"], now["ATTENTION_INDICATOR"]) == (INDICATOR["ON"], INDICATOR["BLINK"])
    assert shpc.out("cat /sys/bus/pci/slots/7/attention").strip() == "2"
    for command in "SET_ATTENTION_INDICATOR", "SET_POWER_INDICATOR":
        shim.op(command, SLOT=slot, VALUE=INDICATOR["OFF"])


def test_the_bridge_goes_while_writers_wait_and_commands_run(shpc, shim, slots):
    bridge, = bridges(shpc, "hpshim")
    waiting = [writer(shpc, f"/sys/bus/pci/slots/{number}/power", "1") for number in (1, 2, 3)]
    for _ in waiting:
        shim.event("REQUEST")
    storm = Client(shpc, listen=False)
    for number in 1, 2, 3:
        storm.inject(slots[str(number)]["SLOT"], "BUTTON", 3000, 500)
        storm.start("SET_ATTENTION_INDICATOR", SLOT=slots[str(number)]["SLOT"], VALUE=2)
    assert write(shpc, f"/sys/bus/pci/devices/{bridge}/remove", "1", timeout=20) is None
    assert {process.wait(10).out.strip() for process in waiting} == {"ENODEV"}
    shpc.run("echo 1 > /sys/bus/pci/rescan", timeout=60)
    assert bridges(shpc, "shpchp") == [bridge]
    assert Client(shpc).slots() == {}


def test_a_bridge_is_released_to_its_native_driver(shpc, shim, slots):
    bridge, = bridges(shpc, "hpshim")
    assert shim.op("PORT_RELEASE", PORT=bridge)["ERRNO"] == 0
    assert bridges(shpc, "shpchp") == [bridge]
    assert len(shim.events("SLOT_GONE")) == 31
    assert shpc.out("cat /sys/bus/pci/slots/5/power").strip() == "0"


def test_a_bridge_that_appears_below_a_port_of_ours_is_ours_from_the_start(bare):
    g = bare("shpc-behind-pcie")
    g.run("modprobe hpshim")
    shim = Client(g)
    shim.call("CONTROLLER_SET", GRACE_MS=0)
    port, = shim.adopt("0000:00:02.0").values()
    assert commit(g, "remove", port["ADDRESS"]) is None
    loads = "dmesg | grep -c 'HPC vendor_id' || true"
    before = g.out(loads)
    assert commit(g, "rescan", port["ADDRESS"]) is None
    bridge, = bridges(g, "hpshim")
    assert len(shim.slots()) == 32 and g.out(loads) == before       # shpchp says so when it starts
    # by hand as ever
    assert g.out(f"cat /sys/bus/pci/devices/{bridge}/driver_override") == "(null)"
    g.run(f"echo {bridge} > /sys/bus/pci/drivers/hpshim/unbind && echo {bridge} > /sys/bus/pci/drivers/shpchp/bind")
    assert set(shim.slots()) == {port["NAME"]}
    shim.adopt(bridge)
    shim.close()
    g.wait_until("test -e /sys/bus/pci/drivers/shpchp/" + bridge)
    g.run("rmmod hpshim", timeout=60)
