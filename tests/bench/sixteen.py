# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sixteen drives out and in, by the kernel's own drivers and by hotplugd, in one guest
that changes hands. Times are the guest's own."""

import contextlib
import json
import re

from lab import topology
from lab.channel import GuestTimeout
from lab.hotplug import NO_JOBS

SLOTS = range(1, 17)
POWERED = topology.find("ports-16")
# Without power controllers the VMM leaves the cards in, so they can be told to come back.
KEPT = topology.ports(16, "ports-16-no-power", ",power_controller_present=off")
DEADLINE = 120
LOST_INTERRUPT = re.compile(r"nvme\d+: I/O \d+ QID \d+ timeout")
LOST_MAX = 5

TIMED = r'''
import subprocess, sys, time
start = time.monotonic()
subprocess.run(["sh", "-c", sys.argv[1]], check=True, stdout=subprocess.DEVNULL)
print(start, time.monotonic())
'''
# Says when it listens, then when each PCI device got its driver.
BINDINGS = r'''
import os, socket, sys, time
events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15)
events.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)
events.bind((0, 1))
print("listening", flush=True)
seen = set()
while True:
    fields = events.recv(65536).split(b"\0")
    if b"ACTION=bind" in fields and b"DRIVER=nvme" in fields:
        slot = next(f for f in fields if f.startswith(b"PCI_SLOT_NAME=")).decode()
        if slot not in seen:    # a drive that is bound twice is one drive
            print(f"bound {time.monotonic()}", flush=True)
        seen.add(slot)
'''
PARALLEL = "for slot in /sys/bus/pci/slots/*; do echo {} > $slot/power & done; wait"


class Stock:
    """pciehp, and a shell that writes to all `power` files at once."""
    name = "stock"
    eject, insert = PARALLEL.format(0), PARALLEL.format(1)

    @staticmethod
    def takes(g):
        g.run("systemctl stop hotplugd && rmmod hpshim", timeout=60)
        g.wait_until("! readlink /sys/bus/pci_express/devices/*:pcie*04/driver | grep -v pciehp", 60)


class Ours:
    """hotplugd, and `hpctl --all`."""
    name = "hotplugd"
    eject, insert = "hpctl eject --all", "hpctl insert --all"

    @staticmethod
    def takes(g):
        g.run("systemctl start hotplugd", timeout=60)
        g.wait_until(f"test $(hpctl --no-legend list | grep -c shim) = {len(SLOTS)} && {NO_JOBS}", 60)


def timed(g, command):
    """When a shell command begins and ends, in seconds."""
    return map(float, g.run(["python3", "-c", TIMED, command], timeout=DEADLINE).out.split())


@contextlib.contextmanager
def bindings(g):
    """Gives a function that waits for the drivers of all drives, and says when the last came."""
    watch = g.spawn(["python3", "-u", "-c", BINDINGS])

    def last():
        watch.wait_for(rf"(?:bound [\d.]+\s+){{{len(SLOTS)}}}", timeout=DEADLINE)
        return max(float(line.split()[1]) for line in watch.out.splitlines() if line.startswith("bound"))

    watch.wait_for("listening", timeout=20)
    yield last
    watch.kill()


def bound(g):
    """Addresses of the drives that have their driver."""
    return set(g.out("ls /sys/bus/pci/drivers/nvme | grep ^0000 || true").split())


def is_idle(g, system):
    if system is Ours:
        g.wait_until(NO_JOBS, DEADLINE)
    g.wait_until("! grep -qs '^State:.D' /proc/[0-9]*/status", DEADLINE)


def plugged(g, system):
    """Seconds from sixteen cards, all put in at the same moment, to their drivers."""
    with bindings(g) as last:
        start = float(g.out(["python3", "-c", "import time; print(time.monotonic())"]))
        g.qmp("stop")           # and with it the guest's clock
        for slot in SLOTS:
            g.plug("nvme", slot)
        g.qmp("cont")
        end = last()
    is_idle(g, system)
    return end - start


def ejected(g, system):
    """Seconds of an eject of all; the VMM says that they are out."""
    cards = list(g.plugged)
    start, end = timed(g, system.eject)
    for card in cards:
        g.wait_deleted(card, DEADLINE)
    is_idle(g, system)
    assert not bound(g)
    return end - start


def cycled(g, system):
    """Seconds of an insert of all, which were told to go first: until all have their drivers,
    and until the command has ended too."""
    g.run(system.eject, timeout=DEADLINE)
    is_idle(g, system)
    assert not bound(g)
    with bindings(g) as last:
        start, end = timed(g, system.insert)
        there = last()
    is_idle(g, system)
    return there - start, max(end, there) - start


class Guests:
    """A guest that changes hands, and another when one is of no use any more."""

    def __init__(self, own, topology, filled):
        self.own, self.topology, self.filled = own, topology, filled
        self.stack, self.g, self.has, self.lost = contextlib.ExitStack(), None, None, 0

    def new(self):
        self.stack.close()
        self.g, self.has = self.stack.enter_context(self.own(self.topology, snapshot=True)), Ours
        if self.filled:
            plugged(self.g, Ours)

    def measured(self, system, measure):
        """A drive of QEMU may lose an interrupt, whoever drives its slot; its driver then waits for
        minutes. Or QEMU ends itself (an assertion in msix.c). What is measured with it is void:
        None, and the next guest is a new one."""
        try:
            if not self.g:
                self.new()
            if system is not self.has:
                system.takes(self.g)
                self.has = system
            return measure(self.g, system)
        except (GuestTimeout, ConnectionError):
            lost = LOST_INTERRUPT.search(self.g.serial.text())
            if self.g.alive() and not lost or self.lost == LOST_MAX:
                raise
            self.lost, self.g = self.lost + 1, None
            print(f"{system.name}: {'a drive lost an interrupt' if lost else 'QEMU ended'}", flush=True)
            return None


def compared(guests, rounds, measure):
    """Both systems measured in turn, `rounds` times after one that warms up:
    {name: [what measure() returned]}."""
    took = {Stock.name: [], Ours.name: []}
    order, done = [Stock, Ours], -1     # the first round is to warm up
    for number in range(rounds + 1 + LOST_MAX):
        pair = {}
        for system in order if number % 2 else reversed(order):
            pair[system.name] = guests.measured(system, measure)
            print(f"round {number}: {system.name}: {json.dumps(pair[system.name])}", flush=True)
        if None in pair.values():
            continue
        done += 1
        for name, result in pair.items() if done else ():
            took[name].append(result)
        if done == rounds:
            break
    guests.stack.close()
    return took
