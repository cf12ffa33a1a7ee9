# SPDX-License-Identifier: LGPL-2.1-or-later
"""hpshim by itself: addresses of the devices that come into a slot."""

import re

import pytest

from lab.flat import PORTS, bring_up, drive, eject, flat, shim     # noqa: F401
from lab.shim import INDICATOR, Client, bare, commit     # noqa: F401

MIB = 1 << 20
# Base and limit together.
WINDOWS = ("IO_BASE.w", "MEMORY_BASE.l", "PREF_MEMORY_BASE.l", "PREF_BASE_UPPER32.l", "PREF_LIMIT_UPPER32.l")


def windows_set(g, bus):
    """How often the kernel has written the windows of the bridge to a bus."""
    return len(re.findall(rf"PCI bridge to \[bus {bus}[\]-]", g.out("dmesg")))


def regions(g, device):
    """{number: (first address, size)} of what a device has."""
    lines = g.out(f"cat /sys/bus/pci/devices/{device}/resource").splitlines()
    found = {number: [int(word, 16) for word in line.split()] for number, line in enumerate(lines)}
    return {number: (start, end - start + 1) for number, (start, end, _) in found.items() if end}


def mapped(g, card):
    """{number: address} of all regions of a card, as the VMM has it: None where it does not answer."""
    def walk(devices):
        for device in devices:
            yield device
            yield from walk(device.get("pci_bridge", {}).get("devices", ()))

    found, = (device for bus in g.qmp("query-pci") for device in walk(bus["devices"])
              if device["qdev_id"] == card)
    return {region["bar"]: region["address"] if 0 <= region["address"] < 1 << 63 else None
            for region in found["regions"] if region["bar"] != 6}       # a ROM has its own switch


def assert_answers(g, card, device):
    """The card of which the kernel says where it is answers there, once it may."""
    g.run(f"setpci -s {device} COMMAND=0003:0003")
    has = regions(g, device)
    has.pop(6, None)
    assert has and mapped(g, card) == {number: start for number, (start, _) in has.items()}
    return has


def assert_reachable(g, port, has):
    """Every address in memory is in a window that the port itself has."""
    _, memory, pref, base, limit = (int(word, 16) for word in g.out(f"setpci -s {port} {' '.join(WINDOWS)}").split())
    windows = [((range << 16 & 0xfff00000) | low << 32, range & 0xfff00000 | 0xfffff | high << 32)
               for range, low, high in ((memory, 0, 0), (pref, base, limit))]
    for start, size in has.values():
        assert start < 65536 or any(first <= start and start + size - 1 <= last for first, last in windows)


def reads(g):
    g.wait_until("test -b /dev/nvme0n1", 20)
    g.run("dd if=/dev/nvme0n1 of=/dev/null bs=4k count=16 iflag=direct")


def insert(g, shim, slot, kind, **properties):
    """Plug a card and bring it up, whatever it is; return its id."""
    card = g.plug(kind, slot["NAME"], **properties)
    bring_up(g, shim, slot, kind)
    shim.skip()
    return card


@pytest.mark.parametrize("kind", ["nvme", "e1000e"])    # the second one has ports, too
def test_a_card_that_fits_leaves_the_windows_of_its_port_alone(flat, shim, kind):
    slot = shim.adopt(PORTS[2])["3"]
    before = windows_set(flat, "03")
    card = insert(flat, shim, slot, kind)
    assert windows_set(flat, "03") == before
    has = assert_answers(flat, card, flat.address(3) + ".0")
    assert any(start < 65536 for start, _ in has.values()) == (kind == "e1000e")
    assert_reachable(flat, PORTS[2], has)
    eject(flat, shim, slot)


@pytest.mark.parametrize("window", ["MEMORY_BASE=fff0", *(pytest.param(other, marks=pytest.mark.long) for other in (
    "PREF_MEMORY_BASE=fff0", "PREF_BASE_UPPER32=7", "PREF_LIMIT_UPPER32=7", "IO_BASE.w=00f0",
    "COMMAND=0000:0003"))])
def test_a_window_that_the_port_has_lost_is_written_again(flat, shim, window):
    slot = shim.adopt(PORTS[2])["3"]
    windows = f"setpci -s {PORTS[2]} COMMAND {' '.join(WINDOWS)}"
    before = flat.out(windows)
    flat.run(f"setpci -s {PORTS[2]} {window}")
    assert flat.out(windows) != before
    card = insert(flat, shim, slot, "virtio-net" if window.startswith("PREF") else "e1000e")
    assert_answers(flat, card, flat.address(3) + ".0")
    assert flat.out(windows) == before
    eject(flat, shim, slot)


def test_a_card_that_does_not_fit_gets_larger_windows(flat, shim):
    slot = shim.adopt(PORTS[2])["3"]
    before = windows_set(flat, "03")
    card = insert(flat, shim, slot, "testdev", membar=64 * MIB)
    assert windows_set(flat, "03") > before
    has = assert_answers(flat, card, "0000:03:00.0")
    assert max(size for _, size in has.values()) == 64 * MIB
    assert_reachable(flat, PORTS[2], has)
    assert commit(flat, "remove", slot["ADDRESS"], slot["GENERATION"]) is None
    assert shim.op("SET_POWER", SLOT=slot["SLOT"], VALUE=0)["ERRNO"] == 0
    assert shim.op("SET_POWER_INDICATOR", SLOT=slot["SLOT"], VALUE=INDICATOR["OFF"])["ERRNO"] == 0
    flat.wait_deleted(card)
    # and what is smaller fits afterwards
    insert(flat, shim, slot, "nvme")
    reads(flat)
    eject(flat, shim, slot)


def test_what_was_removed_answers_at_no_address_until_it_is_found_again(flat, shim, drive):
    card = flat.card(3)
    assert all(mapped(flat, card).values())
    assert commit(flat, "remove", drive["ADDRESS"]) is None
    assert not any(mapped(flat, card).values())
    assert commit(flat, "rescan", drive["ADDRESS"]) is None
    flat.wait_bound(3, "nvme", 40)
    assert all(mapped(flat, card).values())
    reads(flat)
    eject(flat, shim, drive)
