# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real button ejects a real drive, a new card comes up, hpctl says so.

The witness is the VMM: DEVICE_DELETED comes only when the guest has powered the
slot off.
"""

import json
import re

import pytest

from lab.hotplug import DONE, WINDOW, ejected, plug, slots, until_state
from lab.shim import write, writer


@pytest.fixture
def flat(guest):
    return guest("flat")


def test_every_slot_is_listed_with_its_backend_and_state(flat):
    found = slots(flat)
    assert list(found) == [f"slot{i}" for i in range(1, 7)]
    for slot in found.values():
        assert slot["backend"] == "shim" and slot["kind"] == "pcie"
        assert slot["state"] == "empty" and slot["present"] is False and slot["devices"] == []
        assert slot["job"] is None and slot["latch"] is None and slot["link"] is False
    assert found["slot3"]["address"] == "0000:00:04.0"


def test_a_new_card_comes_up_bound_to_its_driver(flat):
    found = plug(flat, "nvme", 3)
    assert found["devices"][0]["driver"] == "nvme"
    assert "nvme0n1" in found["devices"][0]["nodes"]
    assert found["power"] is True and found["link"] is True


@pytest.mark.parametrize("name, slot", [("flat", 3), ("switch", 4)])
def test_a_button_press_ejects_the_drive_after_its_window(guest, name, slot):
    g = guest(name)
    plug(g, "nvme", slot)
    monitor = g.spawn("hpctl --json monitor")
    monitor.wait_for("{", 10)
    card = g.press(slot)
    until_state(g, f"slot{slot}", "busy")
    job, = json.loads(g.out("hpctl --json jobs"))["jobs"]
    assert (job["slot"], job["operation"], job["origin"]) == (f"slot{slot}", "eject", "button")
    assert job["state"] == "grace" and job["stalled"] is False
    ejected(g, card, slot, WINDOW + DONE)
    monitor.wait_for('"done"', 10)
    monitor.kill()


@pytest.mark.parametrize("name", ["slot4", "4", "/dev/nvme0n1", "nvme0", "address", "/sys/bus/pci/slots/4",
                                  "/sys/bus/pci/slots/4/power"])
def test_eject_finds_the_slot_by_any_of_its_names(flat, name):
    found = plug(flat, "nvme", 4)
    done = flat.run(f"hpctl eject {found['devices'][0]['address'] if name == 'address' else name}")
    assert "slot4" in done.out
    ejected(flat, "nvme4", 4)


def test_eject_finds_the_slot_of_a_network_interface(flat):
    found = plug(flat, "e1000e", 5)
    interface, = found["devices"][0]["nodes"]
    flat.run(f"ip link property add dev {interface} altname eth1")
    flat.run("hpctl eject eth1")
    ejected(flat, "e1000e5", 5)


def test_insert_brings_back_what_was_ejected_and_stayed_in_its_slot(guest):
    g = guest("flat-no-power")
    plug(g, "nvme", 2)
    g.run("hpctl eject slot2")
    assert slots(g)["slot2"]["devices"] == []
    g.run("hpctl insert slot2")
    assert slots(g)["slot2"]["devices"][0]["driver"] == "nvme"


def test_ejecting_an_empty_slot_is_nothing_to_do(flat):
    done = flat.run("hpctl eject slot6")
    assert done.rc == 0 and "nothing to do" in done.out + done.err


def test_inserting_without_a_card_says_that_there_is_none(flat):
    done = flat.run("hpctl insert slot6", check=False)
    assert done.rc == 1 and "no card" in done.err


def test_an_unknown_slot_exits_3_and_names_what_exists(flat):
    for verb in ("eject", "insert", "status"):
        done = flat.run(f"hpctl {verb} slot9", check=False)
        assert done.rc == 3, verb
        assert "slot9" in done.err and "slot1" in done.err and "slot6" in done.err
    assert flat.run("hpctl eject 0000:00:1f.2", check=False).rc == 3


def test_wrong_usage_exits_2(flat):
    for wrong in ("eject", "fly slot3", "--json=no list", "--timeout=x eject slot3", "cancel"):
        assert flat.run(f"hpctl {wrong}", check=False).rc == 2, wrong


def test_an_unprivileged_user_may_look_and_not_touch(flat):
    plug(flat, "nvme", 2)
    done = flat.run("hpctl --no-ask-password eject slot2", user="user", check=False)
    assert done.rc == 6, done
    assert slots(flat)["slot2"]["state"] == "on"
    flat.run("hpctl list", user="user")
    flat.run("hpctl eject slot2")
    ejected(flat, "nvme2", 2)


def test_bus_clients_see_slots_and_their_changes(flat):
    assert "/org/hotplugd1/slot/slot3" in flat.out("busctl --list tree org.hotplugd1")
    managed = flat.out("gdbus call --system -d org.hotplugd1 -o /org/hotplugd1 "
                       "-m org.freedesktop.DBus.ObjectManager.GetManagedObjects")
    assert "'/org/hotplugd1/slot/slot6'" in managed
    watch = flat.spawn("gdbus monitor --system -d org.hotplugd1")
    watch.wait_for("is owned by", 20)
    plug(flat, "nvme", 3)
    flat.run("hpctl eject slot3")
    ejected(flat, "nvme3", 3)
    for _ in range(2):      # of the insert and of the eject
        watch.wait_for(r"Manager.JobRemoved .*'done'", 10)
    # slots are told of when there is time, so not in step with their jobs
    watch.wait_for(r"slot/slot3: .*PropertiesChanged .*'State': <'empty'>", 10)
    assert re.search(r"slot/slot3: .*PropertiesChanged .*'State': <'busy'>", watch.out)
    # of steps that are short perhaps the last only; this one lasts a second
    assert re.search(r"job/\d+: .*PropertiesChanged .*'State': <'settling'>, 'Step': <'off-wait'>", watch.out)
    watch.kill()


def test_a_second_press_in_the_window_cancels(flat):
    plug(flat, "nvme", 3)
    flat.press(3)
    until_state(flat, "slot3", "busy")
    flat.run("hpshim-inject slot3 button")
    until_state(flat, "slot3", "on")
    assert json.loads(flat.out("hpctl --json jobs"))["jobs"] == []
    assert "cancelled" in flat.out("journalctl -u hotplugd -n 5 -o cat")
    flat.run("hpctl eject slot3")
    ejected(flat, "nvme3", 3)


def test_a_write_to_power_is_a_job_and_gets_what_came_of_it(flat):
    plug(flat, "nvme", 3)
    power = "/sys/bus/pci/slots/3/power"
    watch = flat.spawn("hpctl --json monitor")
    watch.wait_for("{", 10)
    assert write(flat, power, "0") is None
    ejected(flat, "nvme3", 3)
    watch.wait_for('"result": *"done"', 10)
    job = next(line for line in map(json.loads, watch.out.splitlines()) if line["type"] == "job-new")
    assert (job["slot"], job["operation"], job["origin"]) == ("slot3", "eject", "sysfs")
    watch.kill()
    assert write(flat, power, "0") is None                  # nothing to do
    assert write(flat, power, "1") == "ENOMEDIUM"
    # a press cancels what a writer waits for, no differently from another's
    plug(flat, "nvme", 3)
    flat.press(3)
    until_state(flat, "slot3", "busy")
    waiting = writer(flat, power, "1")
    assert waiting.wait(20).out.strip() == "EBUSY"          # an eject is under way
    joined = writer(flat, power, "0")
    assert joined.wait(DONE).out.strip() == ""
    ejected(flat, "nvme3", 3)


@pytest.mark.parametrize("name, slot", [
    ("shpc", 5), pytest.param("shpc-behind-pcie", 7, marks=pytest.mark.long),
    pytest.param("shpc-two-levels", "5-1", marks=pytest.mark.long)])
def test_an_shpc_slot_ejects_on_a_press_and_takes_a_new_card(guest, name, slot):
    g = guest(name)
    name = f"slot{g.topology.slot(slot).name}"
    listed = slots(g)
    assert {f"slot{one.name}" for one in g.topology.slots} == set(listed)
    assert listed[name]["state"] == "empty" and listed[name]["latch"] == "open"
    found = plug(g, "nvme", slot)
    assert found["kind"] == "shpc" and found["backend"] == "shim" and found["latch"] == "closed"
    card = g.press(slot)
    ejected(g, card, slot, WINDOW + DONE)
    plug(g, "nvme", slot)
    g.run(f"hpctl eject {name}")
    ejected(g, card, slot)
