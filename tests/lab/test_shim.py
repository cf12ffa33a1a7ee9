# SPDX-License-Identifier: LGPL-2.1-or-later
"""hpshim by itself on PCIe ports: what its controller sees, hears and may do."""

import re
import time

import pytest

from lab.flat import PORTS, POWER, bring_up, drive, driver, eject, flat, native, shim, until_native   # noqa: F401
from lab.shim import CAPS, INDICATOR, Client, Refused, bare, commit, has, write, writer   # noqa: F401

EVERY_COMMAND = [
    ("SLOT_GET", {"SLOT": 1}), ("CONTROLLER_SET", {"GRACE_MS": 0}), ("CONTROLLER_CLEAR", {}), ("HEARTBEAT", {}),
    ("PORT_ADOPT", {"PORT": PORTS[1]}), ("PORT_RELEASE", {"PORT": PORTS[0]}),
    ("SET_POWER", {"SLOT": 1, "VALUE": 0}), ("SET_POWER_INDICATOR", {"SLOT": 1, "VALUE": 1}),
    ("SET_ATTENTION_INDICATOR", {"SLOT": 1, "VALUE": 1}), ("SET_INTERLOCK", {"SLOT": 1, "VALUE": 1}),
    ("REQUEST_ANSWER", {"REQUEST": 1, "ERRNO": 0}), ("INJECT", {"SLOT": 1, "INJECT": 1}),
]


def test_loading_the_module_takes_nothing(flat):
    assert native(flat)
    assert flat.run("test -w /sys/bus/pci/drivers/hpshim/remove -a -w /sys/bus/pci/drivers/hpshim/rescan")


def test_an_adopted_port_keeps_its_devices_and_state(flat, shim, drive):
    assert driver(flat, PORTS[2]) == "hpshim"
    assert has(drive, "PRESENT", "POWER", "LINK", "OCCUPIED") and not has(drive, "BUSY")
    assert drive["CAPS"] & CAPS["BUTTON"] and drive["CAPS"] & CAPS["LINK"]
    assert drive["POWER_INDICATOR"] == INDICATOR["ON"]
    assert drive["ATTENTION_INDICATOR"] == INDICATOR["OFF"]
    assert flat.out("ls -d /sys/class/nvme/nvme0").strip()
    assert native(flat, PORTS[:2] + PORTS[3:])


def test_adoption_is_told_before_it_is_done(shim):
    done = shim.op("PORT_ADOPT", PORT=PORTS[0])
    add, = shim.events("SLOT_ADD", PORT=PORTS[0])
    assert add["SEQ"] < done["SEQ"] and done["PORT"] == PORTS[0] and done["ERRNO"] == 0


def test_what_is_no_hotplug_port_cannot_be_adopted(shim):
    assert shim.refused("PORT_ADOPT", PORT="0000:00:00.0") == 95      # EOPNOTSUPP
    assert shim.refused("PORT_ADOPT", PORT="0000:77:00.0") == 19      # ENODEV
    assert shim.refused("PORT_ADOPT", PORT="rubbish") == 19
    assert shim.refused("PORT_ADOPT") == 22


def test_names_stay_when_ports_are_adopted_and_released(bare):
    g = bare("clash")
    names = "cd /sys/bus/pci/slots; for s in *; do echo $s $(cat $s/address); done"
    before = g.out(names)
    g.run("modprobe hpshim")
    client = Client(g)
    client.call("CONTROLLER_SET", GRACE_MS=0)
    for port in reversed(PORTS[:2]):
        client.adopt(port)
    assert set(client.slots()) == {"1", "1-1"}
    assert g.out(names) == before
    client.call("CONTROLLER_CLEAR")
    for port in PORTS[:2]:
        until_native(g, port)
    client.close()
    g.run("rmmod hpshim")


def test_one_controller_and_nobody_else_may_command(flat, shim):
    slot = shim.adopt(PORTS[0])["1"]
    other = Client(flat)
    assert other.refused("CONTROLLER_SET", GRACE_MS=0) == 16
    for command, attrs in (("CONTROLLER_CLEAR", {}), ("HEARTBEAT", {}), ("PORT_ADOPT", {"PORT": PORTS[1]}),
                           ("PORT_RELEASE", {"PORT": PORTS[0]}), ("SET_POWER", {"SLOT": slot["SLOT"], "VALUE": 0}),
                           ("REQUEST_ANSWER", {"REQUEST": 1, "ERRNO": 0})):
        assert other.refused(command, **attrs) == 1, command
    assert other.slots().keys() == {"1"}
    shim.close()
    other.call("CONTROLLER_SET", GRACE_MS=0)
    other.close()


def test_an_unprivileged_user_can_do_nothing(flat, shim):
    shim.adopt(PORTS[0])
    user = Client(flat, user="user")
    assert any(m.get("group") == 1 for m in user.said)
    for command, attrs in EVERY_COMMAND:
        assert user.refused(command, **attrs) == 1, command
    assert flat.run("echo x > /sys/bus/pci/drivers/hpshim/remove", check=False, user="user").rc
    user.close()


def test_root_of_a_user_namespace_can_do_nothing(flat, shim):
    """It has CAP_NET_ADMIN, but not in the namespace that counts."""
    slot = shim.adopt(PORTS[0])["1"]["SLOT"]
    for options in "-r", "-rn":
        inside = Client(flat, user="user", wrap=["unshare", options])
        if options == "-rn":        # no family in another network namespace
            assert inside.said[0].get("error") == "no family"
            continue
        assert any(m.get("group") == 1 for m in inside.said)
        for command, attrs in EVERY_COMMAND:
            attrs = {name: slot if name == "SLOT" else value for name, value in attrs.items()}
            assert inside.refused(command, **attrs) == 1, command
        for command, attrs in ("SLOT_GET", {}), ("EVENT_REPLAY", {"SEQ": 0}):
            with pytest.raises(Refused) as refused:
                inside.dump(command, **attrs)
            assert refused.value.errno == 1, command
        inside.close()


def test_attributes_are_checked(shim):
    slot = shim.adopt(PORTS[0])["1"]["SLOT"]
    assert shim.refused("SET_POWER", SLOT=slot, VALUE=2) == 34          # ERANGE
    assert shim.refused("SET_POWER", VALUE=1) == 22
    assert shim.refused("SET_POWER", SLOT=slot) == 22
    assert shim.refused("SET_POWER", SLOT=0, VALUE=1) == 34
    assert shim.refused("SET_POWER_INDICATOR", SLOT=slot, VALUE=0) == 34
    assert shim.refused("SET_POWER_INDICATOR", SLOT=slot, VALUE=4) == 34
    assert shim.refused("CONTROLLER_SET", GRACE_MS=600001) == 34
    assert shim.refused("SET_POWER", SLOT=slot, VALUE=1, PORT="0000:00:02.0") == 22     # not its
    assert shim.refused("SET_POWER", raw="0500020001000000", VALUE=1) == 22             # too short
    assert shim.refused("SET_POWER", SLOT=slot + 1000, VALUE=1) == 19


def test_an_old_generation_is_refused(flat, shim):
    old = shim.adopt(PORTS[0])["1"]
    assert shim.op("PORT_RELEASE", PORT=PORTS[0])["ERRNO"] == 0
    gone = shim.event("SLOT_GONE")
    assert (gone["SLOT"], gone["GENERATION"]) == (old["SLOT"], old["GENERATION"])
    new = shim.adopt(PORTS[0])["1"]
    assert new["SLOT"] != old["SLOT"] and new["GENERATION"] != old["GENERATION"]
    assert shim.refused("SET_POWER", SLOT=old["SLOT"], VALUE=1) == 19
    assert shim.refused("SET_POWER", SLOT=new["SLOT"], GENERATION=old["GENERATION"], VALUE=1) == 116
    assert commit(flat, "remove", new["ADDRESS"], old["GENERATION"]) == "ESTALE"


@pytest.mark.parametrize("line, errno", [("", "EINVAL"), ("0000:00:02.0 x", "EINVAL"), ("0000:00:02.0 1 2", "EINVAL"),
                                         ("0000:00:1f.0", "ENODEV"), ("nonsense", "ENODEV"), ("x" * 60, "EINVAL")])
def test_a_commit_that_makes_no_sense_is_refused(flat, shim, line, errno):
    shim.adopt(PORTS[0])
    for verb in "remove", "rescan":
        assert commit(flat, verb, line + "\n") == errno


def test_a_press_is_told_once_and_counted(flat, shim, drive):
    flat.press(3)
    press = shim.event("BUTTON")
    number = drive["PRESSES"] + 1
    assert press["SLOT"] == drive["SLOT"] and press["PRESSES"] == number and has(press, "OCCUPIED")
    shim.inject(drive["SLOT"], "BUTTON", 2, 2000)
    assert [shim.event("BUTTON")["PRESSES"] for _ in range(2)] == [number + 1, number + 2]
    assert shim.slot(drive["SLOT"])["PRESSES"] == number + 2
    eject(flat, shim, drive)


def test_a_drive_is_ejected_and_the_next_one_comes_up(flat, shim, drive):
    eject(flat, shim, drive)
    done, = shim.events("COMMIT", VALUE=0)
    assert done["ERRNO"] == 0 and not has(done, "OCCUPIED")
    while has(shim.event("PRESENCE"), "PRESENT"):       # until it is told that the first is gone
        pass
    shim.skip()
    flat.plug("nvme", 3)
    found = shim.event("PRESENCE")
    assert has(found, "PRESENT") and not has(found, "POWER")
    bring_up(flat, shim, drive)
    assert commit(flat, "rescan", drive["ADDRESS"]) is None         # nothing new: fine
    assert has(shim.slot(drive["SLOT"]), "PRESENT", "POWER", "LINK", "OCCUPIED")
    eject(flat, shim, drive)


def test_commits_of_an_empty_slot(flat, shim):
    slot = shim.adopt(PORTS[3])["4"]
    assert commit(flat, "remove", slot["ADDRESS"]) is None
    assert commit(flat, "rescan", slot["ADDRESS"]) == "ENODEV"
    done = shim.op("SET_POWER", SLOT=slot["SLOT"], VALUE=1)
    assert done["ERRNO"] == 19 and "no card" in done["REPORT"]


def test_virtual_functions_go_first_and_backwards(flat, shim):
    slot = shim.adopt(PORTS[2])["3"]
    flat.plug("nvme-sriov", 3)
    bring_up(flat, shim, slot)
    function = flat.address(3) + ".0"
    sysfs = f"/sys/bus/pci/devices/{function}"
    flat.run(f"echo 0 > {sysfs}/sriov_drivers_autoprobe; echo 2 > {sysfs}/sriov_numvfs")
    virtual = [flat.out(f"basename $(readlink {sysfs}/virtfn{i})") for i in (0, 1)]
    watch = flat.spawn("udevadm monitor --kernel --subsystem-match=pci")
    watch.wait_for("KERNEL - the kernel uevent", timeout=10)
    assert commit(flat, "remove", slot["ADDRESS"], slot["GENERATION"]) is None
    watch.wait_for(rf"remove .*/{re.escape(function)} ", timeout=20)
    gone = re.findall(r"remove .*/([0-9a-f:.]+) \(pci\)", watch.out)
    assert gone == [*reversed(virtual), function]
    watch.kill()
    assert not has(shim.slot(slot["SLOT"]), "OCCUPIED")
    card = flat.card(3)
    shim.op("SET_POWER", SLOT=slot["SLOT"], VALUE=0)
    shim.op("SET_POWER_INDICATOR", SLOT=slot["SLOT"], VALUE=INDICATOR["OFF"])
    flat.wait_deleted(card)


def test_a_power_off_takes_over_from_a_power_on(flat, shim, drive):
    assert commit(flat, "remove", drive["ADDRESS"]) is None
    # the indicator is on, so QEMU leaves the card in the slot
    assert shim.op("SET_POWER", SLOT=drive["SLOT"], VALUE=0)["ERRNO"] == 0
    shim.skip()
    asked = [shim.start("SET_POWER", SLOT=drive["SLOT"], VALUE=value, COOKIE=cookie)
             for cookie, value in ((1, 1), (2, 1), (3, 0))]
    first, last = shim.event("OP_DONE"), shim.event("OP_DONE")
    assert (first["COOKIE"], first["ERRNO"]) == (1, 125) and (last["COOKIE"], last["ERRNO"]) == (3, 0)
    assert [shim.until(lambda m: m.get("ack") == number)["errno"] for number in asked] == [0, 16, 0]
    assert not has(last, "POWER", "BUSY")
    shim.op("SET_POWER_INDICATOR", SLOT=drive["SLOT"], VALUE=INDICATOR["OFF"])


def test_power_is_not_cut_under_devices_unless_they_are_lost(flat, shim, drive):
    slot = drive["SLOT"]
    done = shim.op("SET_POWER", SLOT=slot, VALUE=0)
    assert done["ERRNO"] == 16 and "devices" in done["REPORT"] and has(done, "POWER", "OCCUPIED")
    flat.run("dd if=/dev/nvme0n1 of=/dev/null bs=4k count=16 iflag=direct")
    for what in "LINK_DOWN", "PRESENCE_LOST":
        shim.inject(slot, what)
    flat.wait_until("dmesg | grep -q 'Slot(3): card gone'")
    done = shim.op("SET_POWER", SLOT=slot, VALUE=0)
    assert done["ERRNO"] == 0 and has(done, "OCCUPIED") and not has(done, "POWER")
    for what in "PRESENCE_FOUND", "LINK_UP":
        shim.inject(slot, what)
    eject(flat, shim, drive)


def test_latch_and_power_fault(flat, shim, drive):
    slot = drive["SLOT"]
    shim.inject(slot, "LATCH_OPEN")
    assert has(shim.event("LATCH"), "LATCH_OPEN")
    done = shim.op("SET_POWER", SLOT=slot, VALUE=1)
    assert done["ERRNO"] == 1 and "latch" in done["REPORT"]
    shim.inject(slot, "LATCH_CLOSED")
    assert not has(shim.event("LATCH"), "LATCH_OPEN")
    shim.inject(slot, "POWER_FAULT")
    assert has(shim.event("POWER_FAULT"), "POWER_FAULT")
    assert has(shim.slot(slot), "POWER_FAULT")          # latched
    assert shim.op("SET_POWER", SLOT=slot, VALUE=1)["ERRNO"] == 0
    assert not has(shim.slot(slot), "POWER_FAULT")      # until the next power-on
    eject(flat, shim, drive)


def test_a_command_without_completion_is_told_and_not_waited_for_forever(shim):
    slot = shim.adopt(PORTS[0])["1"]["SLOT"]
    shim.inject(slot, "COMMAND_TIMEOUT")
    shim.event("SLOT_ADD")
    assert shim.op("SET_ATTENTION_INDICATOR", SLOT=slot, VALUE=INDICATOR["BLINK"])["ERRNO"] == 0
    shim.event("COMMAND_TIMEOUT", SLOT=slot)
    assert shim.slot(slot)["ATTENTION_INDICATOR"] == INDICATOR["BLINK"]


def test_a_card_that_is_gone_is_marked_disconnected_at_once(flat, shim, drive):
    shim.inject(drive["SLOT"], "LINK_DOWN")
    shim.event("LINK")
    shim.inject(drive["SLOT"], "PRESENCE_LOST")
    gone = shim.event("PRESENCE")
    assert not has(gone, "PRESENT") and not has(gone, "LINK") and has(gone, "OCCUPIED")
    flat.wait_until("dmesg | grep -q 'Slot(3): card gone'")
    assert commit(flat, "remove", drive["ADDRESS"]) is None
    for what in "PRESENCE_FOUND", "LINK_UP":
        shim.inject(drive["SLOT"], what)
    eject(flat, shim, drive)


def test_a_write_to_power_waits_for_the_controllers_answer(flat, shim):
    shim.adopt(PORTS[0])
    for errno, name in (0, ""), (16, "EBUSY"):
        waiting = writer(flat, POWER.format(1), "1")
        request = shim.event("REQUEST")
        assert request["NAME"] == "1" and request["VALUE"] == 1
        time.sleep(0.3)
        assert waiting.rc is None
        shim.call("REQUEST_ANSWER", REQUEST=request["REQUEST"], ERRNO=-errno)
        assert waiting.wait().out.strip() == name
        assert shim.refused("REQUEST_ANSWER", REQUEST=request["REQUEST"], ERRNO=0) == 2


def test_a_writer_can_be_killed_and_that_is_told(flat, shim):
    shim.adopt(PORTS[0])
    waiting = writer(flat, POWER.format(1), "0")
    request = shim.event("REQUEST")
    waiting.kill()
    assert shim.event("REQUEST_CANCEL")["REQUEST"] == request["REQUEST"]
    waiting.wait()


def test_a_writer_gives_up_at_the_deadline(flat, shim):
    shim.adopt(PORTS[0])
    parameter = "/sys/module/hpshim/parameters/request_timeout"
    flat.run(f"echo 1 > {parameter}")
    errno = write(flat, POWER.format(1), "0")
    flat.run(f"echo 120 > {parameter}")
    assert errno == "ETIMEDOUT"
    shim.event("REQUEST_CANCEL")


def test_the_controller_cannot_lock_itself_up(shim):
    shim.adopt(PORTS[0])
    shim.send(write=POWER.format(1), text="0")
    assert shim.until(lambda m: "wrote" in m)["wrote"] == 35        # EDEADLK


def test_writers_return_when_their_slot_goes(flat, shim):
    shim.adopt(PORTS[0])
    waiting = [writer(flat, POWER.format(1), "0") for _ in range(3)]
    for _ in waiting:
        shim.event("REQUEST")
    service = flat.out(f"basename /sys/bus/pci_express/devices/{PORTS[0]}:pcie*04").strip()
    flat.run(f"echo {service} > /sys/bus/pci_express/drivers/hpshim/unbind")
    assert {process.wait(10).out.strip() for process in waiting} == {"ENODEV"}
    shim.event("SLOT_GONE")
    # by hand it does not come to us, and goes to its native driver
    assert flat.run(f"echo {service} > /sys/bus/pci_express/drivers/hpshim/bind", check=False).rc
    flat.run(f"echo {service} > /sys/bus/pci_express/drivers/pciehp/bind")


def test_a_new_controller_hears_of_writers_that_wait(flat):
    first = Client(flat)
    first.call("CONTROLLER_SET", GRACE_MS=30000)
    first.adopt(PORTS[0])
    waiting = writer(flat, POWER.format(1), "0")
    request = first.event("REQUEST")
    first.close()
    second = Client(flat)
    second.call("CONTROLLER_SET", GRACE_MS=0)
    assert second.event("REQUEST")["REQUEST"] == request["REQUEST"]
    second.call("REQUEST_ANSWER", REQUEST=request["REQUEST"], ERRNO=0)
    assert waiting.wait().out.strip() == ""
    second.close()
    until_native(flat, PORTS[0])


def test_without_a_controller_a_writer_fails_at_once(flat):
    client = Client(flat)
    client.call("CONTROLLER_SET", GRACE_MS=30000)
    client.adopt(PORTS[0])
    client.close()
    assert write(flat, POWER.format(1), "0", timeout=5) == "ENODEV"


def test_indicators_and_attention_file_agree(flat, shim):
    slot = shim.adopt(PORTS[0])["1"]["SLOT"]
    for name, text in ("ON", "1"), ("BLINK", "2"), ("OFF", "0"):
        shim.op("SET_ATTENTION_INDICATOR", SLOT=slot, VALUE=INDICATOR[name])
        assert flat.out("cat /sys/bus/pci/slots/1/attention").strip() == text
        flat.run(f"echo {text} > /sys/bus/pci/slots/1/attention")
        assert shim.slot(slot)["ATTENTION_INDICATOR"] == INDICATOR[name]


@pytest.mark.parametrize("grace", [0, 1500])
def test_slots_go_back_when_the_controller_is_gone_for_the_grace_time(flat, grace):
    client = Client(flat)
    client.call("CONTROLLER_SET", GRACE_MS=grace)
    client.adopt(PORTS[0], PORTS[4])
    client.process.kill()
    client.process.wait()
    if grace:
        assert driver(flat, PORTS[4]) == "hpshim"
    until_native(flat, PORTS[0])
    until_native(flat, PORTS[4])


def test_a_controller_that_comes_back_in_time_keeps_its_slots(flat):
    first = Client(flat)
    first.call("CONTROLLER_SET", GRACE_MS=3000)
    before = first.adopt(PORTS[0])["1"]
    first.close()
    second = Client(flat)
    second.call("CONTROLLER_SET", GRACE_MS=3000)
    time.sleep(4)
    assert second.slots()["1"]["GENERATION"] == before["GENERATION"]
    second.call("CONTROLLER_CLEAR")
    second.event("SLOT_GONE")
    second.close()


def test_what_was_switched_off_stays_off_until_somebody_wants_it(flat, drive, shim):
    slot = drive["SLOT"]
    assert commit(flat, "remove", drive["ADDRESS"]) is None
    assert shim.op("SET_POWER", SLOT=slot, VALUE=0)["ERRNO"] == 0
    shim.call("CONTROLLER_CLEAR")
    time.sleep(1)
    assert driver(flat, PORTS[2]) == "hpshim" and not has(shim.slot(slot), "POWER")
    assert write(flat, POWER.format(3), "1") is None
    until_native(flat, PORTS[2])
    flat.wait_bound(3, "nvme", 40)


def test_a_blinking_indicator_is_put_right_on_the_way_back(flat, shim, drive):
    shim.op("SET_POWER_INDICATOR", SLOT=drive["SLOT"], VALUE=INDICATOR["BLINK"])
    shim.op("PORT_RELEASE", PORT=PORTS[2])
    assert shim.adopt(PORTS[2])["3"]["POWER_INDICATOR"] == INDICATOR["ON"]


def test_rmmod_gives_everything_back_at_once_in_a_storm(flat):
    client, storm = Client(flat), Client(flat, listen=False)
    client.call("CONTROLLER_SET", GRACE_MS=600000)
    slots = client.adopt(*PORTS)
    for slot in slots.values():
        storm.inject(slot["SLOT"], "BUTTON", 5000, 1000)
    flat.run("rmmod hpshim", timeout=30)
    assert native(flat)
    flat.run("modprobe hpshim")


def test_a_writer_that_waits_keeps_the_module_in_or_is_sent_away(flat, shim):
    """Up to 6.15 the hotplug core holds the module for a writer; later ones let it go
    and have the slot's removal wait for the writer."""
    shim.adopt(PORTS[1])
    waiting = writer(flat, POWER.format(2), "0")
    request = shim.event("REQUEST")
    rmmod = flat.run("rmmod hpshim", check=False, timeout=60)
    if rmmod.rc:
        assert "in use" in rmmod.err
        shim.call("REQUEST_ANSWER", REQUEST=request["REQUEST"], ERRNO=-5)
        assert waiting.wait().out.strip() == "EIO"
    else:
        assert waiting.wait().out.strip() == "ENODEV"
        assert native(flat)
        flat.run("modprobe hpshim")


def test_lost_events_are_replayed(flat, shim):
    slot = shim.adopt(PORTS[0])["1"]["SLOT"]
    shim.inject(slot, "BUTTON", 50)
    shim.until(lambda m: m.get("event", {}).get("PRESSES") == 50)
    events = shim.events()
    seqs = [event["SEQ"] for event in events]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    again = shim.dump("EVENT_REPLAY", SEQ=seqs[3])
    same = ("SEQ", "EVENT", "PRESSES", "TIME_NS", "SLOT")
    assert [[e.get(k) for k in same] for e in again] == [[e.get(k) for k in same] for e in events[4:]]
    assert not any("OVERRUN" in event for event in again)
    assert shim.dump("EVENT_REPLAY", SEQ=seqs[-1]) == []


def test_a_number_that_was_never_given_is_an_overrun(shim):
    shim.adopt(PORTS[0])
    answer, = shim.dump("EVENT_REPLAY", SEQ=1 << 40)
    assert answer["OVERRUN"] and "EVENT" not in answer


def test_a_slow_receiver_ends_up_with_every_press(flat):
    """It loses messages (ENOBUFS), sees the gap, and asks."""
    slow, quick = Client(flat, receive_buffer=32768), Client(flat, listen=False)
    slow.call("CONTROLLER_SET", GRACE_MS=0)
    slot = slow.adopt(PORTS[0])["1"]["SLOT"]
    slow.send(sleep=4)
    quick.start("INJECT", SLOT=slot, INJECT=1, COUNT=20000, INTERVAL_US=0)
    slow.until(lambda m: "lost" in m, 60)
    deadline = time.monotonic() + 60
    while quick.slot(slot)["PRESSES"] < 20000:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    # until its socket has room again, an answer would be lost as well
    for presses in range(20001, 20020):
        quick.inject(slot, "BUTTON")
        try:
            slow.until(lambda m: m.get("event", {}).get("PRESSES") == presses, 2)
            break
        except AssertionError:
            continue
    assert slow.slot(slot)["PRESSES"] == presses
    replay = slow.dump("EVENT_REPLAY", SEQ=1)
    assert replay[0].get("OVERRUN")
    assert max(event.get("PRESSES", 0) for event in replay) == presses
    quick.close()
    slow.close()


def test_a_reset_of_a_card_tells_nothing(flat, shim, drive):
    address = flat.address(3) + ".0"
    flat.run(f"echo bus > /sys/bus/pci/devices/{address}/reset_method")
    shim.skip()
    flat.run(f"echo 1 > /sys/bus/pci/devices/{address}/reset", timeout=60)
    # an event of ours, behind which those of the reset would have been
    shim.inject(drive["SLOT"], "BUTTON")
    shim.event("BUTTON")
    assert [m["event"]["EVENT"] for m in shim.said if "event" in m][-1] == "BUTTON"
    assert not shim.events("LINK") and not shim.events("COMMIT", VALUE=0)
    assert has(shim.slot(drive["SLOT"]), "LINK", "OCCUPIED")
    # and it is heard again when something happens
    flat.press(3)
    shim.event("BUTTON")


def test_many_adoptions_and_releases_leave_nothing_behind(flat, shim):
    shim.adopt(*PORTS)
    before = int(re.search(r"Slab:\s+(\d+)", flat.out("cat /proc/meminfo")).group(1))
    for round in range(1, 11):
        for port in PORTS:
            shim.start("PORT_RELEASE", PORT=port, COOKIE=1)
            shim.start("PORT_ADOPT", PORT=port, COOKIE=2)
        # more than a round at once may be more than the socket holds
        shim.until(lambda m: len(shim.events("OP_DONE", COOKIE=2)) == 6 * round, 60)
    assert all(event["ERRNO"] == 0 for event in shim.events("OP_DONE"))
    after = int(re.search(r"Slab:\s+(\d+)", flat.out("cat /proc/meminfo")).group(1))
    assert after - before < 4096, f"{before} kB, then {after} kB"
