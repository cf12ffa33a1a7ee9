# SPDX-License-Identifier: LGPL-2.1-or-later
"""hpshim for long: what it does once it does a thousand times and leaves nothing behind.

`--rounds 100` is the full length: 100 loads of the module, more than 1,000 adoptions
and releases, 20 rounds of each way that a port can go, 100,000 events.
"""

import random
import re
import time

import pytest

from lab.shim import Client, bare, commit, has, write, writer   # noqa: F401

PORTS = [f"0000:00:{2 + i:02x}.0" for i in range(6)]
ROOT = PORTS[0]
KEPT = 4096             # kB: what the kernel may keep for itself, whatever the rounds
KMEMLEAK = "/sys/kernel/debug/kmemleak"


def slab(g):
    """kB that the kernel uses now; what only waits for its RCU period is gone."""
    g.run("sync; echo 3 > /proc/sys/vm/drop_caches")
    return int(re.search(r"SUnreclaim:\s+(\d+)", g.out("cat /proc/meminfo")).group(1))


def users(g):
    return int(g.out("cat /sys/module/hpshim/refcnt"))


def drivers(g):
    return g.out("for d in /sys/bus/pci_express/devices/*:pcie*04; do basename $(readlink $d/driver); done").split()


@pytest.fixture
def nothing_lost():
    """A function that starts to count in a guest and returns one that compares."""
    def start(g):
        before = slab(g)
        slots = g.out("ls /sys/bus/pci/slots")
        kmemleak = not g.run(f"echo clear > {KMEMLEAK}", check=False).rc

        def compare():
            assert g.out("ls /sys/bus/pci/slots") == slots
            after = slab(g)
            assert after - before < KEPT, f"{before} kB, then {after} kB"
            if kmemleak:
                g.run(f"echo scan > {KMEMLEAK}", timeout=300)
                assert not g.out(f"cat {KMEMLEAK}")
        return compare
    return start


@pytest.fixture
def flat(bare):
    g = bare("flat")
    g.run("modprobe hpshim && rmmod hpshim")        # what stays the first time stays once
    return g


@pytest.fixture
def switch(bare):
    g = bare("switch-kept")
    g.run("modprobe hpshim")
    yield g
    if g.alive():
        g.run("rmmod hpshim", timeout=60)
        g.run("echo 1 > /sys/bus/pci/rescan", timeout=60)


def test_loads_and_unloads_in_a_storm_leave_nothing_behind(flat, rounds, nothing_lost):
    compare = nothing_lost(flat)
    for _ in range(rounds):
        flat.run("modprobe hpshim")
        shim, storm = Client(flat), Client(flat, listen=False)
        shim.call("CONTROLLER_SET", GRACE_MS=600000)
        for slot in shim.adopt(*PORTS).values():
            storm.inject(slot["SLOT"], "BUTTON", 5000, 200)
            storm.inject(slot["SLOT"], "COMMAND_TIMEOUT")
            storm.inject(slot["SLOT"], "LINK_DOWN", 1000, 500)
            shim.start("SET_ATTENTION_INDICATOR", SLOT=slot["SLOT"], VALUE=2)
            shim.start("SET_POWER", SLOT=slot["SLOT"], VALUE=1)
        flat.run("rmmod hpshim", timeout=60)
        assert drivers(flat) == ["pciehp"] * 6
        for client in shim, storm:
            client.process.kill()
            client.process.wait()
    compare()


def test_adoptions_and_releases_leave_nothing_behind(flat, rounds, nothing_lost):
    flat.run("modprobe hpshim")
    shim = Client(flat)
    shim.call("CONTROLLER_SET", GRACE_MS=0)
    shim.adopt(*PORTS)
    compare = nothing_lost(flat)
    for _ in range(2 * rounds):         # of six ports each
        mark = len(shim.said)
        for port in PORTS:
            shim.start("PORT_RELEASE", PORT=port, COOKIE=1)
            shim.start("PORT_ADOPT", PORT=port, COOKIE=2)
        done = [event for event in until_done(shim, 12, mark)]
        assert all(event["ERRNO"] == 0 for event in done), done
        shim.said.clear()
        shim.looked = 0
    assert set(drivers(flat)) == {"hpshim"}
    compare()
    shim.close()
    flat.wait_until("test $(ls /sys/bus/pci_express/drivers/hpshim | grep -c ^0000) = 0")
    flat.run("rmmod hpshim", timeout=60)


def until_done(shim, count, mark, timeout=60):
    """The first `count` completions since message `mark`."""
    done = []
    while len(done) < count:
        shim.until(lambda m: m.get("event", {}).get("EVENT") == "OP_DONE", timeout, mark)
        done.append(shim.said[shim.found]["event"])
        mark = shim.found + 1
    return done


def unbind(g, slots):
    for name in "3456":
        g.run(f"cd /sys/bus/pci_express/drivers/hpshim && echo $(basename $(ls -d {slots[name]['PORT']}:pcie*04)) > unbind",
              timeout=30)


def bind_native(g, slots):
    for name in "3456":
        g.run(f"cd /sys/bus/pci_express/drivers/hpshim && s=$(ls -d {slots[name]['PORT']}:pcie*04)"
              " && echo $s > unbind && echo $s > ../pciehp/bind", timeout=30)


def remove_by_hand(g, slots):
    g.run(f"echo 1 > $(ls -d /sys/bus/pci/devices/{ROOT}/0000:*:00.0/remove)", timeout=30)


def remove_by_commit(g, slots):
    assert commit(g, "remove", ROOT) is None


@pytest.mark.parametrize("way", [unbind, bind_native, remove_by_hand, remove_by_commit], ids=lambda way: way.__name__)
def test_writers_and_commands_end_when_their_ports_go(switch, rounds, nothing_lost, way):
    shim = Client(switch)
    shim.call("CONTROLLER_SET", GRACE_MS=600000)
    compare = nothing_lost(switch)
    for _ in range(-(-rounds // 5)):
        services = switch.out("ls /sys/bus/pci_express/devices | grep pcie.04 | grep -v ^0000:00:03").split()
        slots = shim.adopt(*(service.rpartition(":")[0] for service in services))
        assert set(slots) == {"1", "3", "4", "5", "6"}
        shim.skip()
        waiting = [writer(switch, f"/sys/bus/pci/slots/{name}/power", "1") for name in "3456" for _ in range(3)]
        for _ in waiting[::3]:
            shim.event("REQUEST")
        storm = Client(switch, listen=False)
        for name in "3456":
            slot = slots[name]["SLOT"]
            storm.inject(slot, "COMMAND_TIMEOUT", 2)
            for value in 1, 2, 3:
                shim.start("SET_ATTENTION_INDICATOR", SLOT=slot, VALUE=value)
            shim.start("SET_POWER", SLOT=slot, VALUE=1)
            shim.start("SET_POWER", SLOT=slot, VALUE=0)
        for name in "3456":
            storm.inject(slots[name]["SLOT"], "BUTTON", 2000, 500)
        way(switch, slots)
        assert {process.wait(20).out.strip() for process in waiting} <= {"ENODEV", "ENOENT"}
        assert set(storm.slots()) == {"1"}
        storm.close()
        shim.said.clear()
        shim.looked = 0
        if way in (remove_by_hand, remove_by_commit):
            assert commit(switch, "rescan", ROOT) is None
        if way is unbind:
            for name in "3456":
                switch.run(f"echo $(basename $(ls -d /sys/bus/pci_express/devices/{slots[name]['PORT']}:pcie*04))"
                           " > /sys/bus/pci_express/drivers/pciehp/bind")
        switch.wait_until("test -e /sys/bus/pci/slots/6/power")
    switch.wait_until("test $(cat /sys/module/hpshim/refcnt) = 0")
    for service in switch.out("ls /sys/bus/pci_express/drivers/hpshim | grep ^0000 || true").split():
        shim.op("PORT_RELEASE", PORT=service.rpartition(":")[0])
    compare()
    shim.close()


def test_a_slow_receiver_and_one_that_was_killed_end_up_with_every_press(flat, rounds):
    """They miss events and ask: the counters and levels are the true ones."""
    flat.run("modprobe hpshim")
    total = 1000 * rounds
    slow = Client(flat, receive_buffer=16384)
    slow.call("CONTROLLER_SET", GRACE_MS=600000)
    slots = slow.adopt(*PORTS)
    hand, other = Client(flat, listen=False), Client(flat)
    share = total // len(PORTS) + 1
    for slot in slots.values():
        hand.inject(slot["SLOT"], "BUTTON", share)
        hand.inject(slot["SLOT"], "LATCH_OPEN", 50, 100)
    rng = random.Random(rounds)
    for _ in range(5):
        slow.send(sleep=rng.uniform(0.1, 1))
        other.process.kill()
        other.process.wait()
        other = Client(flat)
    until_told(hand, len(slots) * share)
    slow.until(lambda message: "lost" in message, 60)
    for slot in slots.values():
        assert slow.slot(slot["SLOT"])["PRESSES"] == share
        assert other.slot(slot["SLOT"])["PRESSES"] == share
        assert has(other.slot(slot["SLOT"]), "LATCH_OPEN")
    # a new one, from nothing: the dump, and the end of the replay, which says what it lacks
    fresh = Client(flat)
    assert {slot["PRESSES"] for slot in fresh.dump()} == {share}
    replay = fresh.dump("EVENT_REPLAY", SEQ=1)
    assert replay[0].get("OVERRUN") or len(replay) < 4096
    last = {event["SLOT"]: event["PRESSES"] for event in replay if "PRESSES" in event}
    assert set(last.values()) <= {share}
    for client in slow, hand, other, fresh:
        client.process.kill()
        client.process.wait()
    flat.run("rmmod hpshim", timeout=60)


def until_told(client, presses=None, timeout=600):
    """Wait until all presses are counted, if it is known how many, and no more events come."""
    deadline = time.monotonic() + timeout
    last = None
    while True:
        slots = client.dump()
        if presses in (None, sum(slot["PRESSES"] for slot in slots)) and slots[0]["SEQ"] == last:
            return
        assert time.monotonic() < deadline, slots
        last = slots[0]["SEQ"]
        client.g.run("sleep 0.5")


def test_slots_of_two_levels_of_shpc_bridges_work_go_and_come_back(bare, rounds):
    g = bare("shpc-two-levels")
    g.run("modprobe hpshim")
    shim = Client(g)
    shim.call("CONTROLLER_SET", GRACE_MS=600000)
    bridges = g.out("ls /sys/bus/pci/drivers/shpchp | grep ^0000").split()
    for _ in range(-(-rounds // 10)):
        slots = shim.adopt(*bridges)
        assert len(slots) == 62 and {slot["PORT"] for slot in slots.values()} == set(bridges)
        for name in "5", "5-1":
            shim.skip()
            card = g.plug("nvme", name)
            shim.event("BUTTON", SLOT=slots[name]["SLOT"])
            assert shim.op("SET_POWER", SLOT=slots[name]["SLOT"], VALUE=1)["ERRNO"] == 0
            shim.op("SET_POWER_INDICATOR", SLOT=slots[name]["SLOT"], VALUE=1)
            assert commit(g, "rescan", slots[name]["ADDRESS"]) is None
            g.wait_bound(name, "nvme", 40)
            g.press(name)
            shim.event("BUTTON", SLOT=slots[name]["SLOT"])
            assert commit(g, "remove", slots[name]["ADDRESS"]) is None
            assert shim.op("SET_POWER", SLOT=slots[name]["SLOT"], VALUE=0)["ERRNO"] == 0
            g.wait_deleted(card)
        # the upper bridge's slot 1 holds the lower bridge: it goes under fire, and comes back
        waiting = writer(g, "/sys/bus/pci/slots/7-1/power", "1")
        shim.event("REQUEST")
        storm = Client(g, listen=False)
        for name in "7", "7-1", "8-1":
            for what in "BUTTON", "LATCH_OPEN", "POWER_FAULT":
                storm.inject(slots[name]["SLOT"], what, 2000, 200)
            shim.start("SET_ATTENTION_INDICATOR", SLOT=slots[name]["SLOT"], VALUE=2)
            shim.start("SET_POWER", SLOT=slots[name]["SLOT"], VALUE=0)
        assert commit(g, "remove", slots["1"]["ADDRESS"]) is None
        assert waiting.wait(20).out.strip() == "ENODEV"
        until_told(storm)
        assert len(storm.slots()) == 31
        storm.close()
        shim.said.clear()
        shim.looked = 0
        assert commit(g, "rescan", slots["1"]["ADDRESS"]) is None
        assert len(shim.slots()) == 62              # ours from the start
        for bridge in reversed(bridges):
            shim.op("PORT_RELEASE", PORT=bridge)
        assert g.out("ls /sys/bus/pci/drivers/shpchp | grep ^0000").split() == bridges
    shim.close()
    g.run("rmmod hpshim", timeout=60)
