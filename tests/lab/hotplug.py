# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests say about slots under hotplugd: in the words of `hpctl --json`."""

import json
import time

from lab.device import driver

DONE = 40       # seconds for an operation without a window, under emulation
WINDOW = 5      # the button window of the default policy
# A shell condition: no job is under way.
NO_JOBS = r"hpctl --json jobs | grep -q '\"jobs\": *\[ *\]'"


def slots(g):
    """What `hpctl --json list` says, by slot name."""
    return {slot["slot"]: slot for slot in json.loads(g.out("hpctl --json list"))["slots"]}


def until_state(g, slot, state, timeout=DONE):
    # as sd_bus_path_encode() does it
    label = "".join(c if c.isalnum() else f"_{ord(c):02x}" for c in slot)
    path = f"org.hotplugd1 /org/hotplugd1/slot/{label} org.hotplugd1.Slot State"
    g.wait_until(f"busctl get-property {path} | grep -q '\"{state}\"'", timeout)


def plug(g, kind, slot):
    """Put a card in and wait until hotplugd has brought it up; return what it lists."""
    g.plug(kind, slot)
    until_state(g, f"slot{slot}", "on")
    # hotplugd has done its part; loading the driver is udev's, and may take longer
    g.wait_bound(slot, driver(kind), DONE)
    deadline = time.monotonic() + DONE
    while True:
        found = slots(g)[f"slot{slot}"]
        if found["devices"] and all(device["driver"] for device in found["devices"]):
            return found
        assert time.monotonic() < deadline, found


def without_shim(g):
    """Start the daemon anew, without the module."""
    g.run("systemctl stop hotplugd && modprobe -r hpshim && mkdir -p /run/modprobe.d"
          " && echo install hpshim /bin/false >/run/modprobe.d/none.conf"
          " && systemctl start hotplugd", timeout=60)


def with_shim(g):
    """Let the module be loaded again, and load it."""
    g.run("rm /run/modprobe.d/none.conf && modprobe hpshim")


def ejected(g, card, slot, timeout=DONE):
    """The VMM has seen the slot go off, and hotplugd says so too."""
    g.wait_deleted(card, timeout)
    until_state(g, f"slot{slot}", "empty")
