# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real button ejects a real drive, a new card comes up, hpctl says so.

The witness is the VMM: DEVICE_DELETED comes only when the guest has powered the
slot off. One guest a topology, shared by the tests below; each test leaves its
slots as it found them.
"""

import json

import pytest

DONE = 30       # seconds for an operation without a window, under emulation
WINDOW = 5      # the button window of the default policy


def slots(g):
    """What `hpctl --json list` says, by slot name."""
    found = json.loads(g.run("hpctl --json list").out)["slots"]
    return {slot["slot"]: slot for slot in found}


def until_state(g, slot, state, timeout=DONE):
    g.wait_until(f"hpctl --json list | jq -e '.slots[] | select(.slot==\"{slot}\").state==\"{state}\"'",
                 timeout)


def plug(g, kind, slot):
    """Put a card in and wait until its driver is bound."""
    g.plug(kind, slot)
    until_state(g, f"slot{slot}", "on")
    found = slots(g)[f"slot{slot}"]
    assert found["devices"] and all(device["driver"] for device in found["devices"]), found
    return found


def ejected(g, slot, timeout=DONE):
    g.wait_ejected(slot, timeout)
    until_state(g, f"slot{slot}", "empty")


@pytest.fixture(scope="module")
def flat(lab):
    return lab.guest("flat")


@pytest.fixture(scope="module")
def switch(lab):
    return lab.guest("switch")


def test_every_slot_is_listed_with_its_backend_and_state(flat):
    found = slots(flat)
    assert sorted(found) == [f"slot{i}" for i in range(1, 7)]
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


def test_a_button_press_ejects_the_drive_after_its_window(flat):
    monitor = flat.spawn("hpctl --json monitor")
    flat.press(3)
    monitor.wait_for('"verdict":"started"', 10)
    until_state(flat, "slot3", "busy")
    job, = json.loads(flat.run("hpctl --json jobs").out)["jobs"]
    assert (job["slot"], job["operation"], job["origin"]) == ("slot3", "eject", "button")
    assert job["state"] == "grace" and job["stalled"] is False
    ejected(flat, 3, WINDOW + DONE)
    monitor.wait_for('"result":"done"', 10)
    monitor.kill()


@pytest.mark.parametrize("name", ["slot4", "4", "/dev/nvme0n1", "nvme0", "0000:04:00.0"])
def test_eject_finds_the_slot_by_any_of_its_names(flat, name):
    address = plug(flat, "nvme", 4)["devices"][0]["address"]
    if name.startswith("0000:"):
        name = address
    done = flat.run(f"hpctl eject {name}")
    assert "slot4" in done.out
    ejected(flat, 4)


def test_eject_finds_the_slot_of_a_network_interface(flat):
    found = plug(flat, "e1000e", 5)
    interface, = found["devices"][0]["nodes"]
    flat.run(f"ip link set {interface} name eth1 || ip link property add dev {interface} altname eth1")
    flat.run("hpctl eject eth1")
    ejected(flat, 5)


def test_insert_brings_back_what_was_ejected_and_not_pulled(flat_no_power):
    plug(flat_no_power, "nvme", 2)
    flat_no_power.run("hpctl eject slot2")
    assert slots(flat_no_power)["slot2"]["devices"] == []
    flat_no_power.run("hpctl insert slot2")
    assert slots(flat_no_power)["slot2"]["devices"][0]["driver"] == "nvme"


def test_ejecting_an_empty_slot_is_nothing_to_do(flat):
    done = flat.run("hpctl eject slot6")
    assert done.rc == 0 and "nothing to do" in done.out + done.err


def test_an_unknown_slot_exits_3_and_names_what_exists(flat):
    done = flat.run("hpctl eject slot9", check=False)
    assert done.rc == 3
    assert "slot9" in done.err and "slot1" in done.err and "slot6" in done.err


def test_an_unprivileged_user_exits_6(flat):
    plug(flat, "nvme", 2)
    done = flat.run("hpctl --no-ask-password eject slot2", user="user", check=False)
    assert done.rc == 6, done
    assert slots(flat)["slot2"]["state"] == "on"
    flat.run("hpctl list", user="user")
    flat.run("hpctl eject slot2")
    ejected(flat, 2)


def test_bus_clients_see_slots_and_their_changes(flat):
    tree = flat.run("busctl --list tree org.hotplugd1").out
    assert "/org/hotplugd1/slot/slot3" in tree
    state = flat.run("busctl get-property org.hotplugd1 /org/hotplugd1/slot/slot3 "
                     "org.hotplugd1.Slot State").out
    assert state.strip() == 's "empty"'
    managed = flat.run("gdbus call --system -d org.hotplugd1 -o /org/hotplugd1 "
                       "-m org.freedesktop.DBus.ObjectManager.GetManagedObjects").out
    assert "'/org/hotplugd1/slot/slot6'" in managed
    watch = flat.spawn("gdbus monitor --system -d org.hotplugd1")
    watch.wait_for("is owned by", 20)
    plug(flat, "nvme", 3)
    flat.run("hpctl eject slot3")
    ejected(flat, 3)
    watch.wait_for(r"slot/slot3: org.freedesktop.DBus.Properties.PropertiesChanged .*'State': <'busy'>", 10)
    watch.wait_for(r"job/\d+: org.freedesktop.DBus.Properties.PropertiesChanged .*'State': <'committing'>", 10)
    watch.wait_for(r"org.hotplugd1.Manager.JobRemoved .*'done'", 10)
    watch.kill()


def rule(g, text):
    """Install a udev rule and apply it to what is there."""
    g.run("mkdir -p /run/udev/rules.d && cat >/run/udev/rules.d/90-test.rules", stdin=text + "\n")
    g.run("udevadm control --reload && udevadm trigger -c change -s pci -s block -s net && udevadm settle")


@pytest.fixture
def rules(flat):
    yield lambda text: rule(flat, text)
    rule(flat, "")


def test_a_rule_on_the_port_makes_a_press_ignored_at_once(flat, rules):
    port = plug(flat, "nvme", 3)["address"]
    rules(f'SUBSYSTEM=="pci", KERNEL=="{port}", ENV{{HOTPLUGD_BUTTON}}="ignore"')
    monitor = flat.spawn("hpctl --json monitor")
    flat.press(3)
    monitor.wait_for('"verdict":"ignored"', 10)
    monitor.kill()
    assert slots(flat)["slot3"]["state"] == "on"
    rules("")
    flat.run("hpctl eject slot3")
    ejected(flat, 3)


def test_a_rule_on_a_drive_below_protects_its_slot(flat, rules):
    plug(flat, "nvme", 3)
    rules('SUBSYSTEM=="block", KERNEL=="nvme0n1", ENV{HOTPLUGD_PROTECT}="1"')
    done = flat.run("hpctl eject slot3", check=False)
    assert done.rc == 5 and "HOTPLUGD_PROTECT" in done.err + done.out
    assert slots(flat)["slot3"]["state"] == "on"
    rules("")
    flat.run("hpctl eject slot3")
    ejected(flat, 3)


def test_a_rule_shortens_the_window(flat, rules):
    port = plug(flat, "nvme", 3)["address"]
    rules(f'SUBSYSTEM=="pci", KERNEL=="{port}", ENV{{HOTPLUGD_GRACE_SEC}}="0"')
    monitor = flat.spawn("hpctl --json monitor")
    flat.press(3)
    ejected(flat, 3)
    monitor.wait_for('"result":"done"', 10)
    assert '"grace"' not in monitor.out
    monitor.kill()


def test_a_rule_leaves_a_new_card_off(flat, rules):
    port = slots(flat)["slot3"]["address"]
    rules(f'SUBSYSTEM=="pci", KERNEL=="{port}", ENV{{HOTPLUGD_INSERT}}="notify"')
    monitor = flat.spawn("hpctl --json monitor")
    flat.plug("nvme", 3)
    monitor.wait_for('"verdict":"notify"', 10)
    monitor.kill()
    assert slots(flat)["slot3"]["state"] == "off"
    flat.run("hpctl insert slot3")
    assert slots(flat)["slot3"]["devices"][0]["driver"] == "nvme"
    rules("")
    flat.run("hpctl eject slot3")
    ejected(flat, 3)
