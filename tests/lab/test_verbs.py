# SPDX-License-Identifier: LGPL-2.1-or-later
"""What people ask for besides eject and insert: several slots at once, a card replaced
in one job, slots held, located, given away and taken back."""

import json

import pytest

from lab import stuck
from lab.hotplug import DONE, ejected, plug, slots, until_state


@pytest.fixture
def flat(guest):
    g = guest("flat")
    yield g
    if g.alive():
        g.run("for job in $(hpctl --no-legend jobs | awk '{ print $1 }'); do hpctl cancel $job; done;"
              " for slot in 1 2 3 4 5 6; do hpctl adopt $slot; hpctl unhold $slot; done",
              check=False, timeout=DONE)


def results(done):
    return {result["slot"]: result for result in json.loads(done.out)["results"]}


def job_step(g, step):
    """Wait until the one job is at a step; its number."""
    g.wait_until(f"hpctl --no-legend jobs | grep -q ' {step} '", DONE)
    job, = json.loads(g.out("hpctl --json jobs"))["jobs"]
    return job["id"]


def test_all_cards_are_ejected_in_one_command_and_brought_back(guest):
    g = guest("flat-no-power")
    for slot in (2, 3, 5):
        plug(g, "nvme", slot)
    done = g.run("hpctl --json eject --all", timeout=DONE)
    assert {slot: result["result"] for slot, result in results(done).items()} == \
        {"slot2": "done", "slot3": "done", "slot5": "done"}
    assert not any(slot["devices"] for slot in slots(g).values())
    assert [slots(g)[f"slot{slot}"]["state"] for slot in (2, 3, 5)] == ["off"] * 3
    g.run("hpctl insert --all", timeout=DONE)
    for slot in (2, 3, 5):
        g.wait_bound(slot, "nvme", DONE)
    found = slots(g)
    assert [name for name, slot in found.items() if slot["state"] == "on"] == ["slot2", "slot3", "slot5"]
    assert [len(found[f"slot{slot}"]["devices"]) for slot in (2, 3, 5)] == [1, 1, 1]
    assert "nothing to do" in g.out("hpctl insert --all")


def test_each_slot_of_a_batch_has_its_own_result(flat):
    for slot in (2, 4):
        plug(flat, "nvme", slot)
    flat.run("hpctl release slot4")
    flat.run("hpctl hold slot2")
    done = flat.run("hpctl --json eject slot2 slot3 slot4", timeout=DONE)
    assert {slot: result["result"] for slot, result in results(done).items()} == \
        {"slot2": "done", "slot3": "nothing", "slot4": "done"}
    ejected(flat, "nvme2", 2)
    flat.wait_deleted("nvme4", DONE)


def test_all_below_a_switch_go_and_the_switch_stays(guest):
    g = guest("switch", fresh=True)
    for slot in (3, 4, 5):
        plug(g, "nvme", slot)
    tree = g.out("hpctl --no-legend tree").splitlines()
    assert [line.split()[0].lstrip("├─└|`- ") for line in tree] == ["slot1", "slot3", "slot4", "slot5", "slot6", "slot2"]
    assert not tree[1].startswith("slot")
    done = g.run("hpctl --json eject --all slot1", timeout=DONE)
    assert sorted(results(done)) == ["slot3", "slot4", "slot5"]
    assert slots(g)["slot1"]["state"] == "on"
    assert slots(g)["slot3"]["parent"] == "slot1"


def test_a_card_is_replaced_by_another_one_in_one_job(flat):
    plug(flat, "nvme", 3)
    replace = flat.spawn("hpctl replace slot3")
    flat.wait_deleted("nvme3", DONE)
    job = job_step(flat, "card")
    flat.plug("e1000e", 3)
    assert replace.wait(DONE).rc == 0
    assert "replaced" in replace.out and "e1000e" in replace.out, replace
    assert slots(flat)["slot3"]["devices"][0]["driver"] == "e1000e"
    journal = flat.out(f"journalctl -u hotplugd -o cat HOTPLUGD_JOB={job}")
    assert "replace" in journal and "done" in journal


def test_a_replace_that_waits_for_its_card_can_be_left_and_says_that_the_slot_is_off(flat):
    plug(flat, "nvme", 3)
    replace = flat.spawn("hpctl replace slot3")
    flat.wait_deleted("nvme3", DONE)
    done = flat.run(f"hpctl cancel {job_step(flat, 'card')}", check=False)
    assert done.rc == 1 and "the slot is off" in done.err
    done = replace.wait(DONE)
    assert done.rc == 1 and "the slot is off: cancelled by uid 0" in done.err
    assert slots(flat)["slot3"]["state"] == "empty"
    plug(flat, "nvme", 3)


@pytest.mark.parametrize("restart", [pytest.param(False, marks=pytest.mark.long, id=""),
                                     pytest.param(True, id="after-a-restart")])
def test_a_card_that_came_to_a_held_slot_is_brought_up_when_it_is_let_go(guest, restart):
    """The VMM presses the button when it puts a card in, which a hold does not concern:
    that insert is cancelled, in a window that is long enough. A port with power control
    would unplug the card then, as QEMU plays it."""
    flat = guest("flat-no-power", fresh=True)
    rules = "/run/udev/rules.d/90-test.rules"
    apply = "udevadm control --reload && udevadm trigger -c change -s pci && udevadm settle"
    port = slots(flat)["slot4"]["address"]
    flat.run(f"mkdir -p $(dirname {rules}) && cat >{rules} && {apply} && hpctl hold slot4", timeout=60,
             stdin=f'SUBSYSTEM=="pci", KERNEL=="{port}", ENV{{HOTPLUGD_GRACE_SEC}}="300"\n')
    monitor = flat.spawn("hpctl --json monitor slot4")
    monitor.wait_for("ready", 10)
    flat.plug("nvme", 4)
    monitor.wait_for('"event":"presence","verdict":"ignored"', DONE)
    flat.run(f"hpctl cancel {job_step(flat, 'window')}")
    assert slots(flat)["slot4"]["devices"] == []
    assert "hpctl unhold slot4" in flat.out("hpctl status slot4")
    if restart:
        flat.run("systemctl restart hotplugd", timeout=60)
    assert slots(flat)["slot4"]["devices"] == []
    flat.run("hpctl unhold slot4")
    flat.wait_bound(4, "nvme", DONE)
    monitor.kill()


def test_a_hold_survives_a_restart_and_keeps_nobody_from_ejecting(flat):
    plug(flat, "nvme", 4)
    flat.run("hpctl hold slot4")
    flat.run("systemctl restart hotplugd", timeout=60)
    assert slots(flat)["slot4"]["hold"] is True
    flat.press(4)
    ejected(flat, "nvme4", 4)


def test_locate_blinks_the_attention_indicator_until_it_is_switched_off(flat):
    flat.run("hpctl locate slot2 slot5")
    for slot in ("slot2", "slot5"):
        assert slots(flat)[slot]["locate"] is True
        flat.wait_until(f"hpctl status {slot} | grep -q 'attention blink'", 10)
    flat.run("hpctl locate slot2 slot5 off")
    for slot in ("slot2", "slot5"):
        assert slots(flat)[slot]["locate"] is False
        flat.wait_until(f"hpctl status {slot} | grep -q 'attention off'", 10)


def test_a_slot_is_given_to_the_native_driver_and_taken_back_with_its_card(flat):
    plug(flat, "nvme", 3)
    port = slots(flat)["slot3"]["address"]
    bound = f"readlink -f /sys/bus/pci_express/devices/{port}:pcie*/driver"
    flat.run("hpctl release slot3")
    assert slots(flat)["slot3"]["backend"] == "native"
    assert "pciehp" in flat.out(bound)
    for verb in ("hold", "locate"):
        done = flat.run(f"hpctl {verb} slot3", check=False)
        assert done.rc == 1 and "adopt it first" in done.err
    flat.run("hpctl adopt slot3")
    assert slots(flat)["slot3"]["backend"] == "shim"
    assert "pciehp" not in flat.out(bound)
    assert slots(flat)["slot3"]["devices"][0]["driver"] == "nvme"
    flat.press(3)
    ejected(flat, "nvme3", 3)


def test_a_slot_with_a_job_is_not_given_away(flat):
    plug(flat, "nvme", 3)
    replace = flat.spawn("hpctl replace slot3")
    job = job_step(flat, "card")
    done = flat.run("hpctl release slot3", check=False)
    assert done.rc == 5 and "replace" in done.err and "cancel" in done.err
    assert slots(flat)["slot3"]["backend"] == "shim"
    flat.run(f"hpctl cancel {job}", check=False)
    replace.wait(DONE)
    flat.run("hpctl release slot3")


def test_a_slot_that_is_released_without_the_shim_stays_with_its_driver_when_that_comes(flat):
    flat.run("rmmod hpshim")
    flat.wait_until("hpctl --no-legend list | grep -c native | grep -qx 6", DONE)
    flat.run("hpctl release slot2")
    flat.run("modprobe hpshim")
    flat.wait_until("hpctl --no-legend list | grep -c shim | grep -qx 5", DONE)
    assert slots(flat)["slot2"]["backend"] == "native"
    flat.run("hpctl adopt slot2")
    assert slots(flat)["slot2"]["backend"] == "shim"


def test_an_unprivileged_user_sets_nothing(flat):
    for verb in ("hold", "unhold", "locate", "adopt", "release", "replace"):
        done = flat.run(f"hpctl --no-ask-password {verb} slot2", user="user", check=False)
        assert done.rc == 6, (verb, done)
    flat.run("hpctl tree", user="user")


def test_wrong_input_names_what_is_wrong(flat):
    for wrong in ("hold", "locate off", "replace", "--all hold slot1", "--all list", "--force hold slot1"):
        done = flat.run(f"hpctl {wrong}", check=False)
        assert done.rc == 2 and "hpctl --help" in done.err, wrong
    for verb in ("hold", "unhold", "locate", "adopt", "release", "replace", "eject --all"):
        done = flat.run(f"hpctl {verb} slot9", check=False)
        assert done.rc == 3 and "slot9" in done.err and "slot1" in done.err, verb


@pytest.mark.expect_hang
def test_who_adopts_is_told_when_the_kernel_does_not_let_go_of_the_port(guest):
    g = guest("flat", fresh=True)
    stuck.prepare(g, 4, -1)
    g.run("hpctl release slot4", timeout=DONE)
    g.spawn("echo 0 >/sys/bus/pci/slots/4/power")
    g.wait_until("grep -qs hpstuck_remove /proc/[0-9]*/stack", DONE)
    done = g.run("hpctl adopt slot4", check=False, timeout=DONE)
    assert done.rc == 1 and "has not let the shim adopt port" in done.err and "slot4" in done.err
    # who needs no lock of the kernel does not wait
    g.run("hpctl list && hpctl locate slot2 && hpctl locate slot2 off", timeout=DONE)
    stuck.release(g)
    g.wait_until("hpctl --no-legend list slot4 | grep -q shim", DONE)
    assert [(e["operation"], e["result"]) for e in json.loads(g.out("hpctl --json history slot4"))["history"]
            if e["type"] == "control"] == [("release", "done"), ("adopt", "failed"), ("adopt", "done")]
