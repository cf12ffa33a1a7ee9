# SPDX-License-Identifier: LGPL-2.1-or-later
"""Others do something with the same devices by hand, past hotplugd: the files of
pci-sysfs.c are there for everybody."""

import json

from lab.hotplug import DONE, NO_JOBS, plug, slots, until_state

# Rescans the bus below a port, again and again, until its input ends.
RESCANS = r'''
import select, sys
while not select.select([sys.stdin], [], [], 0)[0]:
    with open(sys.argv[1] + "/rescan", "w") as file:
        file.write("1")
'''


POWERLESS = "Devices came into the slot while its power was switched off; they are taken out now"


def function(slot):
    return next(device for device in slot["devices"] if device["driver"] == "nvme")["address"]


def test_power_is_not_cut_under_devices_that_a_rescan_by_hand_brings_back(guest):
    g = guest("flat", fresh=True)
    slot = plug(g, "nvme", 3)
    for _ in range(3):
        rescans = g.spawn(["python3", "-u", "-c", RESCANS, f"/sys/bus/pci/devices/{slot['address']}"], stdin=None)
        done = g.run("hpctl eject slot3", check=False, timeout=DONE)
        rescans.end_input()
        rescans.wait(DONE)
        if "There are devices in the slot, so it stays powered" in done.err:
            # a rescan came between the removal and the end of the power
            assert done.rc == 1, done
            g.wait_bound(3, "nvme", DONE)
            assert slots(g)["slot3"]["power"]
            continue
        # A rescan that had begun when the power went may have found something after
        # the last look. None can keep it from that; it is told and taken out again.
        assert done.rc == 0 or done.rc == 1 and POWERLESS in done.err, done
        g.wait_deleted("nvme3", DONE)
        until_state(g, "slot3", "empty")
        g.wait_until(NO_JOBS, DONE)
        plug(g, "nvme", 3)


def test_devices_removed_by_hand_are_missed_and_the_slot_is_ejected_all_the_same(guest):
    g = guest("flat")
    slot = plug(g, "nvme", 4)
    g.run(f"echo 1 >/sys/bus/pci/devices/{function(slot)}/remove", timeout=DONE)
    g.wait_until("hpctl --json list slot4 | grep -q '\"devices\": *\\[ *\\]'", DONE)
    assert slots(g)["slot4"]["power"]
    g.run("hpctl eject slot4", timeout=DONE)
    g.wait_deleted("nvme4", DONE)
    until_state(g, "slot4", "empty")


def test_a_driver_unbound_by_hand_is_no_reason_to_do_anything(guest):
    g = guest("flat")
    address = function(plug(g, "nvme", 5))
    g.run(f"echo {address} >/sys/bus/pci/drivers/nvme/unbind", timeout=DONE)
    g.wait_until(f"hpctl --json list slot5 | grep -q '\"driver\": *null'", DONE)
    assert slots(g)["slot5"]["state"] == "on" and json.loads(g.out("hpctl --json jobs"))["jobs"] == []
    g.run(f"echo {address} >/sys/bus/pci/drivers/nvme/bind", timeout=DONE)
    g.wait_until("hpctl --no-legend list slot5 | grep -q nvme0n1", DONE)


def test_a_rescan_finds_what_was_taken_out_by_hand_in_a_slot_that_is_on(guest):
    g = guest("switch", fresh=True)
    plug(g, "nvme", 3)
    port = slots(g)["slot4"]["address"]
    g.run(f"echo 1 >/sys/bus/pci/devices/{port}/remove", timeout=DONE)
    g.wait_until("! hpctl --no-legend list | grep -q '^slot4 '", DONE)
    g.run("busctl call org.hotplugd1 /org/hotplugd1/slot/slot1 org.hotplugd1.Slot Rescan 'a{sv}' 0", timeout=DONE)
    g.wait_until("hpctl --no-legend list slot4 | grep -q shim", DONE)
    g.wait_until(NO_JOBS, DONE)
    assert slots(g)["slot3"]["state"] == "on"
    plug(g, "nvme", 4)
