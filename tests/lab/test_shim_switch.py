# SPDX-License-Identifier: LGPL-2.1-or-later
"""hpshim by itself on ports that go away: a switch below a hot-plug port."""

import pytest

from lab.flat import bring_up, eject
from lab.shim import Client, bare, commit, has, write, writer   # noqa: F401

ROOT = "0000:00:02.0"


@pytest.fixture
def switch(bare):
    # the port above the switch has no power controller: the switch stays in it
    g = bare("switch-kept")
    g.run("modprobe hpshim")
    yield g
    if g.alive():
        g.run("rmmod hpshim", timeout=60)
        g.run("echo 1 > /sys/bus/pci/rescan", timeout=60)


@pytest.fixture
def shim(switch):
    client = Client(switch)
    client.call("CONTROLLER_SET", GRACE_MS=0)
    yield client
    client.close()


def downstream(g):
    """Addresses of the downstream ports."""
    return g.out("for s in 3 4 5 6; do a=$(cat /sys/bus/pci/slots/$s/address); "
                 "basename $(dirname $(readlink -f /sys/bus/pci/devices/*/pci_bus/${a%:*} | head -1)"
                 " | xargs dirname); done").split()


def adopt_all(g, shim):
    ports = downstream(g)
    return shim.adopt(ROOT, *ports), ports


def test_ports_of_a_switch_are_adopted(switch, shim):
    slots, ports = adopt_all(switch, shim)
    assert set(slots) == {"1", "3", "4", "5", "6"}
    assert has(slots["1"], "OCCUPIED") and not has(slots["3"], "OCCUPIED")
    assert {slots[name]["PORT"] for name in "3456"} == set(ports)


REFUSALS = "dmesg | grep -c 'Slot already registered by another hotplug driver' || true"


def driver(g, port):
    return g.out(f"basename $(readlink -f /sys/bus/pci_express/devices/{port}:pcie*04/driver)").strip()


@pytest.mark.parametrize("how", ["by hand", "commit"])
def test_ports_that_appear_below_one_of_ours_are_ours_from_the_start(switch, shim, how):
    """Their native driver looks at them, finds their slots taken, and goes."""
    shim.adopt(ROOT)
    assert set(shim.slots()) == {"1"}
    assert commit(switch, "remove", ROOT) is None
    shim.skip()
    before = int(switch.out(REFUSALS))
    if how == "by hand":
        switch.run("echo 1 > /sys/bus/pci/rescan", timeout=60)
    else:
        assert commit(switch, "rescan", ROOT) is None
    slots = shim.slots()
    assert set(slots) == {"1", "3", "4", "5", "6"}
    assert {event["NAME"] for event in shim.events("SLOT_ADD")} == {"1", "3", "4", "5", "6"}
    for name in "3456":
        assert driver(switch, slots[name]["PORT"]) == "hpshim"
        assert switch.out(f"readlink /sys/bus/pci/slots/{name}/module").endswith("/hpshim")
    # they never were the native driver's: it gave up at the door, once for each
    assert int(switch.out(REFUSALS)) == before + 4
    # and work as any other
    waiting = writer(switch, "/sys/bus/pci/slots/5/power", "1")
    request = shim.event("REQUEST")
    assert request["SLOT"] == slots["5"]["SLOT"]
    shim.call("REQUEST_ANSWER", REQUEST=request["REQUEST"], ERRNO=-16)
    assert waiting.wait().out.strip() == "EBUSY"
    shim.op("PORT_RELEASE", PORT=slots["5"]["PORT"])
    assert driver(switch, slots["5"]["PORT"]) == "pciehp"


def test_a_rescan_above_finds_a_port_and_leaves_a_card_alone_that_was_taken_out(switch, shim):
    slots, _ = adopt_all(switch, shim)
    switch.plug("nvme", 3)
    bring_up(switch, shim, slots["3"])
    assert commit(switch, "remove", slots["3"]["ADDRESS"]) is None
    switch.run(f"echo 1 > /sys/bus/pci/devices/{slots['4']['PORT']}/remove", timeout=60)
    assert set(shim.slots()) == {"1", "3", "5", "6"}
    assert commit(switch, "rescan", ROOT) is None
    found = shim.slots()
    assert set(found) == {"1", "3", "4", "5", "6"}
    assert has(found["3"], "POWER") and not has(found["3"], "OCCUPIED")
    eject(switch, shim, slots["3"])


def test_ports_that_appear_below_a_native_one_or_without_a_controller_are_left_alone(switch, shim):
    for controlled in True, False:
        slots, ports = adopt_all(switch, shim)
        assert commit(switch, "remove", ROOT) is None
        if controlled:
            shim.op("PORT_RELEASE", PORT=ROOT)
        else:
            shim.call("CONTROLLER_CLEAR")
            switch.wait_until("test $(ls /sys/bus/pci_express/drivers/hpshim | grep -c ^0000) = 0")
        switch.run("echo 1 > /sys/bus/pci/rescan", timeout=60)
        switch.wait_until("test -e /sys/bus/pci/slots/6/power")
        assert {driver(switch, port) for port in downstream(switch)} == {"pciehp"}


@pytest.mark.long
def test_the_controller_goes_while_ports_appear(switch, shim):
    """Whatever comes first, no port stays without a driver."""
    adopt_all(switch, shim)
    for delay in 0, 0.1, 0.3:
        client = shim if delay == 0 else Client(switch)
        if delay:
            client.call("CONTROLLER_SET", GRACE_MS=0)
            client.adopt(ROOT)
        assert commit(switch, "remove", ROOT) is None
        rescan = switch.spawn(f"echo {ROOT} > /sys/bus/pci/drivers/hpshim/rescan")
        # the moment is what the race is about
        switch.run(f"sleep {delay}")
        client.process.kill()
        client.process.wait()
        rescan.wait(60)
        switch.wait_until("for d in /sys/bus/pci_express/devices/*:pcie*04; do"
                          " test $(basename $(readlink -f $d/driver)) = pciehp || exit 1; done", 40)
        assert len(downstream(switch)) == 4


@pytest.mark.parametrize("how", [pytest.param("by hand", marks=pytest.mark.long), "commit"])
def test_the_switch_is_removed_under_fire(switch, shim, how):
    for _ in range(3):
        slots, ports = adopt_all(switch, shim)
        shim.skip()
        waiting = [writer(switch, f"/sys/bus/pci/slots/{name}/power", "1") for name in "3456"]
        for _ in waiting:
            shim.event("REQUEST")
        storm = Client(switch, listen=False)
        for name in "3456":
            storm.inject(slots[name]["SLOT"], "BUTTON", 3000, 500)
            storm.start("SET_POWER", SLOT=slots[name]["SLOT"], VALUE=1)
        commits = [writer(switch, f"/sys/bus/pci/drivers/hpshim/{verb}", port)
                   for port in ports[:2] for verb in ("rescan", "remove")]
        if how == "by hand":
            upstream = switch.out(f"ls -d /sys/bus/pci/devices/{ROOT}/0000:*:00.0/remove")
            assert write(switch, upstream, "1", timeout=30) is None
        else:
            assert commit(switch, "remove", ROOT) is None
        assert {process.wait(10).out.strip() for process in waiting} == {"ENODEV"}
        for process in commits:
            assert process.wait(20).out.strip() in ("", "ENODEV")
        assert set(storm.slots()) == {"1"} and not has(storm.slots()["1"], "OCCUPIED")
        storm.close()
        assert commit(switch, "rescan", ROOT) is None
        switch.wait_until("test -e /sys/bus/pci/slots/6/power")


def test_operations_of_a_port_that_goes_end_with_enodev(switch, shim):
    slots, _ = adopt_all(switch, shim)
    shim.inject(slots["3"]["SLOT"], "COMMAND_TIMEOUT", 3)
    mark = len(shim.said)
    for cookie in range(1, 4):
        shim.start("SET_ATTENTION_INDICATOR", SLOT=slots["3"]["SLOT"], VALUE=1, COOKIE=cookie)
    assert commit(switch, "remove", ROOT) is None
    last = shim.until(lambda m: m.get("event", {}).get("COOKIE") == 3, start=mark)["event"]
    assert last["ERRNO"] == 19
    assert commit(switch, "rescan", ROOT) is None
    switch.wait_until("test -e /sys/bus/pci/slots/6/power")
