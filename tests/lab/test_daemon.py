# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemon comes and goes; slots always have somebody who drives them."""

import json

import pytest

from lab import shim, stuck
from lab.hotplug import DONE, ejected, plug, slots, with_shim, without_shim

NATIVE = "for p in /sys/bus/pci_express/drivers/pciehp/*:pcie*; do [ -e $p ] && echo; done | wc -l"


def test_a_daemon_that_does_not_run_exits_4_and_says_how_to_start_it(guest):
    g = guest("flat", fresh=True)
    g.run("systemctl stop hotplugd")
    for command in ("list", "eject slot3", "jobs"):
        done = g.run(f"hpctl {command}", check=False)
        assert done.rc == 4 and "systemctl start hotplugd" in done.err
    assert g.out("systemctl is-active hotplugd; true") == "inactive"


def test_without_the_shim_native_slots_are_listed_and_ejected(guest):
    g = guest("flat", fresh=True)
    without_shim(g)
    assert "hpshim is not loaded" in g.out("journalctl -u hotplugd -o cat")
    card = g.plug("nvme", 3)
    g.wait_bound(3, "nvme")
    g.wait_until("hpctl list | grep -q nvme0n1")
    found = slots(g)["slot3"]
    assert found["backend"] == "native" and found["state"] == "on"
    g.run("hpctl eject slot3")
    ejected(g, card, 3)
    assert "absent" in g.out("hpctl status")


def test_the_shim_is_taken_up_when_it_is_loaded_later(guest):
    g = guest("flat", fresh=True)
    without_shim(g)
    with_shim(g)
    g.wait_until("hpctl list | grep -c shim | grep -qx 6")
    g.run("modprobe -r hpshim")
    g.wait_until("hpctl list | grep -c native | grep -qx 6")


def test_slots_go_back_when_the_daemon_stays_away_and_come_again(guest):
    g = guest("flat", fresh=True)
    assert g.out(NATIVE) == "0"
    g.run("systemctl stop hotplugd")
    g.wait_until(f"[ $({NATIVE}) = 6 ]", 30)
    card = g.plug("nvme", 2)
    g.wait_bound(2, "nvme")
    g.run("systemctl start hotplugd", timeout=60)
    assert g.out(NATIVE) == "0"
    found = slots(g)["slot2"]
    assert found["backend"] == "shim" and found["devices"][0]["driver"] == "nvme"
    g.press(2)
    ejected(g, card, 2, 5 + DONE)


def test_a_restart_keeps_slots_and_devices_as_they_are(guest):
    g = guest("flat", fresh=True)
    plug(g, "nvme", 2)
    g.run("systemctl restart hotplugd", timeout=60)
    found = slots(g)["slot2"]
    assert found["backend"] == "shim" and found["devices"][0]["driver"] == "nvme"
    g.run("hpctl eject slot2")
    ejected(g, "nvme2", 2)


def test_rmmod_gives_the_slots_back_at_once(guest):
    g = guest("flat", fresh=True)
    g.run("modprobe -r hpshim", timeout=60)
    assert g.out(NATIVE) == "6"
    card = g.plug("nvme", 2)
    g.wait_bound(2, "nvme")
    g.press(2)
    g.wait_deleted(card, 30)


def test_ejecting_the_root_slot_takes_the_switch_and_all_below_it(guest):
    g = guest("switch", fresh=True)
    for slot in (3, 4, 5, 6):
        plug(g, "nvme", slot)
    g.run("hpctl eject slot1", timeout=60)
    g.wait_deleted("up", 30)
    assert list(slots(g)) == ["slot1", "slot2"]
    assert slots(g)["slot1"]["state"] == "empty"


def test_a_bridge_with_an_shpc_that_comes_back_is_taken_again(guest):
    g = guest("shpc", fresh=True)
    bridge = "0000:00:03.0"
    g.run(f"echo 1 > /sys/bus/pci/devices/{bridge}/remove", timeout=60)
    g.wait_until("hpctl list --no-legend | grep -c slot | grep -qx 0")
    g.run("echo 1 > /sys/bus/pci/rescan", timeout=60)
    g.wait_until("hpctl list | grep -c shim | grep -qx 31")


def test_a_second_daemon_says_so_and_touches_nothing(guest):
    g = guest("flat")
    before = g.out("cat /run/hotplugd/state")
    second = g.run("/usr/lib/hotplugd/hotplugd", check=False)
    pid = g.out("systemctl show -P MainPID hotplugd")
    assert second.rc == 1 and f"Another hotplugd is running (pid {pid})" in second.err
    assert g.out("cat /run/hotplugd/state") == before
    assert len(slots(g)) == 6


def test_while_another_program_controls_the_shim_nothing_is_done_to_its_slots(guest):
    g = guest("flat", fresh=True)
    g.run("systemctl stop hotplugd")
    g.wait_until(f"[ $({NATIVE}) = 6 ]", 30)
    card = g.plug("nvme", 3)
    g.wait_bound(3, "nvme")
    other = shim.Client(g)
    other.call("CONTROLLER_SET", GRACE_MS=0)
    slot = other.adopt("0000:00:04.0")["3"]
    g.run("systemctl start hotplugd", timeout=60)
    assert "Another program controls the shim" in g.out("journalctl -u hotplugd -o cat")
    other.inject(slot["SLOT"], "BUTTON")
    g.wait_until("journalctl -u hotplugd -o cat | grep -q 'ignored, another program controls the slot'")
    refused = g.run("hpctl eject slot3", check=False)
    assert refused.rc != 0 and "another program controls hpshim; end it first" in refused.err
    assert slots(g)["slot3"]["devices"][0]["driver"] == "nvme"
    # it is the other one that answers who writes to its slots
    writer = g.spawn("echo 0 >/sys/bus/pci/slots/3/power")
    request = other.event("REQUEST")
    assert "No jobs" in g.run("hpctl jobs").err
    other.call("REQUEST_ANSWER", REQUEST=request["REQUEST"], ERRNO=-1)
    assert writer.wait(30).rc != 0
    assert slots(g)["slot3"]["devices"][0]["driver"] == "nvme"
    # it ends, and its slot goes to hotplugd
    other.close()
    g.wait_until("hpctl list | grep -c shim | grep -qx 6", 60)
    g.run("hpctl eject slot3")
    ejected(g, card, 3)


@pytest.mark.expect_hang
def test_a_driver_that_does_not_let_go_keeps_no_slot_but_its_own(guest):
    g = guest("flat", fresh=True)
    stuck.settle(g)
    stuck.prepare(g, 3, -1)
    plug(g, "nvme", 4)
    eject = g.spawn("hpctl eject slot3")
    job = stuck.stalled(g, 3)
    assert job["step"] == "unbind" and "hpstuck_remove" in g.out("hpctl jobs")
    # out and in again: two commits
    g.run("hpctl eject slot4", timeout=DONE)
    g.wait_deleted("nvme4", DONE)
    plug(g, "nvme", 4)
    assert stuck.power(g, 3) and stuck.job(g, 3)["id"] == job["id"]
    # it can be called off still: then the driver has its device again
    g.run(f"busctl call org.hotplugd1 /org/hotplugd1 org.hotplugd1.Manager CancelJob u {job['id']}")
    assert stuck.job(g, 3)["id"] == job["id"]
    stuck.release(g)
    done = eject.wait(DONE)
    assert done.rc not in (0, 8) and "drivers had been unbound" in done.err
    g.wait_bound(3, stuck.DRIVER, DONE)
    assert stuck.power(g, 3)
    stuck.sleep(g, 0)
    g.run("hpctl eject slot3", timeout=DONE)
    g.wait_deleted("edu3", DONE)


@pytest.mark.long
def test_a_port_is_not_given_back_while_there_is_a_job_below_it(guest):
    g = guest("switch", fresh=True)
    plug(g, "nvme", 3)
    g.run("hpctl replace --no-block slot3")     # waits for a card
    done = g.run("hpctl release slot1", check=False)
    assert done.rc == 5 and "(replace of slot3, " in done.err
    number, = (job["id"] for job in json.loads(g.out("hpctl --json jobs"))["jobs"])
    g.run(f"hpctl cancel {number}", check=False, timeout=DONE)
    g.run("hpctl release slot1", timeout=DONE)
    assert slots(g)["slot1"]["backend"] == "native"
