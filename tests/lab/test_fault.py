# SPDX-License-Identifier: LGPL-2.1-or-later
"""Power faults and latches, which QEMU does not have: the shim's test build pretends them.
The ports have no power controller, so QEMU leaves a card in that is switched off."""

import json

import pytest

from lab.hotplug import DONE, plug, slots, until_state


@pytest.fixture
def flat(guest):
    return guest("flat-no-power")


@pytest.fixture
def patient(guest):
    """With a button window that no slow machine is too slow for."""
    g = guest("flat-no-power", fresh=True)
    g.run("mkdir -p /etc/hotplugd.conf.d && cat >/etc/hotplugd.conf.d/90-test.conf && systemctl reload hotplugd",
          stdin="[Policy]\nGraceSec=300\n", timeout=60)
    return g


def attention(g, slot):
    """As in sysfs: 0 off, 1 on, 2 blinks."""
    return int(g.out(f"cat /sys/bus/pci/slots/{slot}/attention"))


def until_attention(g, slot, value):
    g.wait_until(f"grep -qx {value} /sys/bus/pci/slots/{slot}/attention", DONE)


def inject(g, slot, *what):
    for each in what:
        g.run(f"hpshim-inject slot{slot} {each}", timeout=DONE)


def test_a_power_fault_takes_the_devices_out_and_is_shown_until_the_card_is_up_again(patient):
    flat = patient
    plug(flat, "nvme", 2)
    inject(flat, 2, "power-fault")
    until_state(flat, "slot2", "fault")
    until_attention(flat, 2, 1)
    assert slots(flat)["slot2"]["devices"] == []
    history = flat.out("journalctl -u hotplugd -o cat")
    assert "A power fault has cut the slot's power" in history
    # what is begun and left does not wipe it, and no card comes up by itself
    inject(flat, 2, "button")
    until_state(flat, "slot2", "busy")
    inject(flat, 2, "button")
    until_state(flat, "slot2", "fault")
    assert attention(flat, 2) == 1
    flat.run("hpctl insert slot2", timeout=DONE)
    flat.wait_bound(2, "nvme", DONE)
    until_attention(flat, 2, 0)
    assert slots(flat)["slot2"]["state"] == "on"


def test_a_power_fault_is_not_forgotten_by_a_restart(guest):
    g = guest("flat-no-power", fresh=True)
    plug(g, "nvme", 2)
    inject(g, 2, "power-fault")
    until_state(g, "slot2", "fault")
    g.run("systemctl restart hotplugd", timeout=60)
    assert slots(g)["slot2"]["state"] == "fault" and slots(g)["slot2"]["devices"] == []
    assert attention(g, 2) == 1


def test_a_card_comes_up_when_the_latch_is_closed_over_it(flat):
    plug(flat, "nvme", 3)
    flat.run("hpctl eject slot3", timeout=DONE)
    assert slots(flat)["slot3"]["state"] == "off"
    inject(flat, 3, "latch-open")
    done = flat.run("hpctl insert slot3", check=False)
    assert done.rc != 0 and "latch" in done.err, done
    assert slots(flat)["slot3"]["devices"] == []
    inject(flat, 3, "latch-closed")
    flat.wait_bound(3, "nvme", DONE)


def test_a_latch_that_is_opened_ends_an_insert(patient):
    flat = patient
    plug(flat, "nvme", 4)
    flat.run("hpctl eject slot4", timeout=DONE)
    inject(flat, 4, "button")
    until_state(flat, "slot4", "busy")
    inject(flat, 4, "latch-open")
    until_state(flat, "slot4", "off")
    assert slots(flat)["slot4"]["devices"] == []
    inject(flat, 4, "latch-closed")
    flat.wait_bound(4, "nvme", DONE)


def test_a_latch_that_is_opened_on_a_live_slot_is_told_and_takes_nothing_out(flat):
    plug(flat, "nvme", 5)
    monitor = flat.spawn("hpctl --json monitor slot5")
    monitor.wait_for("ready", 10)
    inject(flat, 5, "latch-open")
    monitor.wait_for('"event":"latch","verdict":"notify"', DONE)
    until_attention(flat, 5, 1)
    assert slots(flat)["slot5"]["devices"] and json.loads(flat.out("hpctl --json jobs"))["jobs"] == []
    inject(flat, 5, "latch-closed")
    until_attention(flat, 5, 0)
    monitor.kill()


def test_an_ejected_card_is_put_back_by_a_press_and_pulled_without_a_surprise(flat):
    plug(flat, "nvme", 6)
    flat.run("hpctl eject slot6", timeout=DONE)
    inject(flat, 6, "button")
    until_state(flat, "slot6", "busy")
    job, = json.loads(flat.out("hpctl --json jobs"))["jobs"]
    assert (job["operation"], job["origin"]) == ("insert", "button")
    flat.wait_bound(6, "nvme", DONE)
    flat.run("hpctl eject slot6", timeout=DONE)
    inject(flat, 6, "link-down", "presence-lost")
    until_state(flat, "slot6", "empty")
    # that a card comes is its own doing, too; that it goes would be an eject
    assert not any(line.split()[3:5] == ["eject", "surprise"]
                   for line in flat.out("hpctl --no-legend history slot6").splitlines())
    inject(flat, 6, "link-up", "presence-found")
    flat.wait_bound(6, "nvme", DONE)
