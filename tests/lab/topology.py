# SPDX-License-Identifier: LGPL-2.1-or-later
"""Topologies as data: which ports a guest has, and what the slots are called.

Each slot knows where QEMU puts a device into it (bus and address) and under
which name the guest's /sys/bus/pci/slots lists it. Root ports sit at 00:02.0
and up, as many to a device as it has functions when there are many.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Slot:
    name: str               # as in /sys/bus/pci/slots
    bus: str                # QEMU's bus id
    addr: str = "0x0"       # QEMU's device address on that bus
    kind: str = "pcie"      # or "shpc"
    parent: str = None      # slot that this one is below


@dataclasses.dataclass(frozen=True)
class Topology:
    name: str
    devices: tuple          # QEMU -device arguments, in order
    slots: tuple
    memory: str = "1G"

    def slot(self, name):
        name = str(name).removeprefix("slot")
        for slot in self.slots:
            if slot.name == name:
                return slot
        raise KeyError(f"topology {self.name} has no slot {name}")

    def children(self, name=None):
        """Slots below a slot (None: those that are below none)."""
        return [slot for slot in self.slots if slot.parent == (name and str(name))]


def root_ports(count, first=1, options=""):
    """Root ports that are slots first, first+1, …"""
    devices = []
    for i in range(count):
        place = f"addr={2 + i:#x}" if count <= 24 else \
            f"addr={2 + i // 8:#x}.{i % 8},multifunction=on"
        devices.append(f"pcie-root-port,id=rp{first + i},bus=pcie.0,{place},"
                       f"chassis={first + i},slot={first + i}{options}")
    return tuple(devices)


def ports(count, name=None, options=""):
    return Topology(name or f"ports({count})", root_ports(count, options=options),
                    tuple(Slot(str(i), f"rp{i}") for i in range(1, count + 1)))


# Six root ports, slots 1 to 6.
FLAT = ports(6, "flat")

# The same, with ports that have no power controller: slots/N/power then cycles
# a card without QEMU taking it out.
FLAT_NO_POWER = ports(6, "flat-no-power", ",power_controller_present=off")

# Slot 1 holds a switch whose four downstream ports are slots 3 to 6; slot 2 is
# a second root port beside it.
SWITCH_CARD = ("x3130-upstream,id=up,bus=rp1,addr=0x0",) + tuple(
    f"xio3130-downstream,id=dp{i},bus=up,addr={i - 3:#x},chassis={i},slot={i}" for i in range(3, 7))
SWITCH = Topology("switch", root_ports(2) + SWITCH_CARD,
                  (Slot("1", "rp1"), Slot("2", "rp2")) +
                  tuple(Slot(str(i), f"dp{i}", parent="1") for i in range(3, 7)))

# The same, with a root port that has no power controller: an eject of slot 1
# leaves the switch where it is (QEMU cannot plug a switch), and a rescan finds it.
SWITCH_KEPT = dataclasses.replace(
    SWITCH, name="switch-kept",
    devices=root_ports(2, options=",power_controller_present=off") + SWITCH_CARD)

# A PCI bridge on the root bus with a standard hot-plug controller.
SHPC = Topology("shpc", ("pci-bridge,id=br1,bus=pcie.0,addr=0x3,chassis_nr=7,shpc=on",),
                tuple(Slot(str(i), "br1", f"{i:#x}", "shpc") for i in range(1, 32)))

# The same below a hot-plug root port, slot 40, that can take the bridge away.
SHPC_BEHIND_PCIE = Topology(
    "shpc-behind-pcie", root_ports(1, first=40) + ("pcie-pci-bridge,id=br1,bus=rp40,addr=0x0",),
    (Slot("40", "rp40"),) +
    tuple(Slot(str(i), "br1", f"{i:#x}", "shpc", "40") for i in range(1, 32)))

# Two such bridges, the second one in slot 1 of the first; it calls its slots 1 to
# 31 as well, and the kernel 1-1 to 31-1.
SHPC_TWO_LEVELS = Topology(
    "shpc-two-levels", ("pci-bridge,id=br1,bus=pcie.0,addr=0x3,chassis_nr=7,shpc=on",
                        "pci-bridge,id=br2,bus=br1,addr=0x1,chassis_nr=8,shpc=on"),
    tuple(Slot(str(i), "br1", f"{i:#x}", "shpc") for i in range(1, 32)) +
    tuple(Slot(f"{i}-1", "br2", f"{i:#x}", "shpc", "1") for i in range(1, 32)))

# Two chassis that both call their slot 1: the kernel names the second one 1-1.
CLASH = Topology(
    "clash", tuple(f"pcie-root-port,id=rp{i},bus=pcie.0,addr={1 + i:#x},chassis={i},slot=1"
                   for i in (1, 2)),
    (Slot("1", "rp1"), Slot("1-1", "rp2")))

TOPOLOGIES = {t.name: t for t in (FLAT, FLAT_NO_POWER, SWITCH, SWITCH_KEPT, SHPC, SHPC_BEHIND_PCIE,
                                  SHPC_TWO_LEVELS, CLASH)}


def find(name):
    """A topology by name; `ports(16)` and `ports-16` make one."""
    if isinstance(name, Topology):
        return name
    if name in TOPOLOGIES:
        return TOPOLOGIES[name]
    if name.startswith("ports"):
        return ports(int(name[5:].strip("()-")))
    raise KeyError(f"no topology {name}; there are {', '.join(TOPOLOGIES)}, ports-N")
