# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who says how a round under hotplugd ended: the slots' registers and the VMM say
whether hotplugd knows the true state, the journal whether a press was lost, and a
client that asks all the time whether the daemon answered."""

import collections
import json
import re
import time

from lab import paths
from lab.channel import GuestTimeout
from lab.guest import QmpError
from lab.hotplug import NO_JOBS

QUIET = 120         # deadline, seconds, until no job is left after a storm
AGREED = 30         # until hotplugd and the hardware say the same, when no job is left
ANSWER = 20         # the longest that `hpctl list` may take, among all that starts in the guest
PRESS = re.search(r'MESSAGE_PRESS\s+"(\w+)"', (paths.SOURCE / "daemon/base/names.h").read_text())[1]

# Each is a program for the guest's python3.
ASKING = r'''
import select, subprocess, sys, time
while True:
    last = select.select([sys.stdin], [], [], 0.3)[0]
    began = time.monotonic()
    done = subprocess.run(["hpctl", "--json", "list"], stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True)
    print(f"{time.monotonic() - began:.3f}", done.returncode, done.stderr.strip(), flush=True)
    if last:
        break
'''
HARDWARE = r'''
import json, os, struct
PCI = "/sys/bus/pci/"

def capability(config, wanted):
    at = config[0x34]
    while at:
        if config[at] == wanted:
            return at
        at = config[at + 1]

def pcie(config, at):
    caps, control, status = struct.unpack_from("<IHH", config, at + 0x14)
    link_caps, _, link = struct.unpack_from("<IHH", config, at + 0x0c)
    return {"present": bool(status & 0x40),
            "link": bool(link & 0x2000) if link_caps & 1 << 20 else None,
            "power": not (caps & 2 and control & 0x400), "controller": bool(caps & 2)}

def shpc(fd, at, device):
    os.pwrite(fd, bytes([9 + device - 1]), at + 2)
    state, = struct.unpack("<I", os.pread(fd, 4, at + 4))
    return {"present": state >> 10 & 3 != 3, "link": None, "power": state & 3 in (1, 2),
            "controller": True}

found = {}
for name in os.listdir(PCI + "slots"):
    try:
        address = open(f"{PCI}slots/{name}/address").read().strip()
        bus = address.rpartition(":")[0]
        port = os.path.dirname(os.path.dirname(os.path.realpath(f"/sys/class/pci_bus/{bus}")))
        fd = os.open(port + "/config", os.O_RDWR)
    except OSError:
        continue
    config = os.pread(fd, 256, 0)
    at = capability(config, 0x10)
    if at and struct.unpack_from("<H", config, at + 2)[0] & 0x100:
        slot, below = pcie(config, at), bus + ":"
    else:
        slot = shpc(fd, capability(config, 0x0c), int(address.rpartition(":")[2], 16))
        below = address + "."
    os.close(fd)
    slot["below"] = below
    slot["devices"] = {
        device: os.path.basename(os.path.realpath(f"{PCI}devices/{device}/driver"))
        if os.path.exists(f"{PCI}devices/{device}/driver") else None
        for device in sorted(os.listdir(PCI + "devices")) if device.startswith(below)}
    found["slot" + name] = slot
print(json.dumps(found))
'''


class Asking:
    """A client that lists the slots, again and again, while the round lasts."""

    def __init__(self, g):
        self.process = g.spawn(["python3", "-u", "-c", ASKING], stdin=None)
        self.slowest = 0.0

    def outcome(self):
        """End it; return "ok", or how the daemon failed to answer."""
        self.process.end_input()
        try:
            said = self.process.wait(60).out.splitlines()
        except GuestTimeout:
            return "daemon: hpctl list did not end"
        for line in said:
            took, code, error = line.split(" ", 2)
            self.slowest = max(self.slowest, float(took))
            if code != "0":
                return f"daemon: hpctl list: exit {code}: {error}"
        if self.slowest > ANSWER:
            return f"daemon: hpctl list took {self.slowest} s"
        return "ok"


def differences(g):
    """What hotplugd says of the slots and the hardware, or the VMM, does not."""
    hardware = json.loads(g.out(["python3", "-c", HARDWARE]))
    listed = {slot["slot"]: slot for slot in json.loads(g.out("hpctl --json list"))["slots"]}
    if set(hardware) != set(listed):
        return [f"slots listed: {' '.join(sorted(listed))}; there: {' '.join(sorted(hardware))}"]
    wrong = []
    for name, true in hardware.items():
        slot = listed[name]
        devices = {device["address"]: device["driver"] for device in slot["devices"]
                   if device["address"].startswith(true["below"])}
        says = {"present": slot["present"], "power": slot["power"], "link": slot["link"], "devices": devices}
        if slot["backend"] != "shim" or slot["job"] or slot["state"] in ("busy", "fault"):
            wrong.append(f"{name}: {slot['backend']}, {slot['state']}, job {slot['job']}")
        wrong += [f"{name}: {key} is {true[key]}, hotplugd says {value}"
                  for key, value in says.items() if value != true[key]]
        if None in devices.values():
            wrong.append(f"{name}: no driver: {devices}")
        if true["controller"] and true["power"] != bool(true["devices"]):
            wrong.append(f"{name}: power {true['power']}, devices {true['devices']}")
    present = {name.removeprefix("slot") for name, true in hardware.items() if true["present"]}
    held = {slot for slot in g.plugged.values() if f"slot{slot}" in hardware}
    held |= {slot.parent for slot in g.topology.slots if slot.parent and f"slot{slot.parent}" in hardware}
    if present != held:
        wrong.append(f"the VMM has cards in {sorted(held)}, the slots say {sorted(present)}")
    return wrong


def agree(g):
    """Wait until hotplugd, hardware and VMM say the same; return "ok" or what differs."""
    deadline = time.monotonic() + AGREED
    while wrong := differences(g):
        if time.monotonic() > deadline:
            return "state: " + "; ".join(wrong)
        time.sleep(0.3)
    return "ok"


def quiet(g, processes, log_start, deadline=QUIET):
    """Wait until the processes have ended, no job is left and nobody is stuck in
    the kernel; return "ok", or what went wrong."""
    try:
        for process in processes:
            process.wait(deadline)
        if not g.stock:
            g.wait_until(NO_JOBS, deadline)
        g.wait_until("! grep -qs '^State:.D' /proc/[0-9]*/status", 30)
    except GuestTimeout as error:
        hung = g.serial.hung_tasks(log_start)
        return f"hung: {', '.join(sorted(set(hung)))}" if hung else f"stuck: {error}"
    return "; ".join(g.serial.trouble(log_start)) or "ok"


class Presses:
    """Counts the presses that hotplugd tells of, with its verdict on each."""

    READ = f"journalctl -u hotplugd -o json --cursor-file=/run/presses MESSAGE_ID={PRESS}"

    def __init__(self, g, only=None):
        self.g = g
        self.only = only        # slots whose presses count; None: all
        self.made = collections.Counter()
        self.told()

    def forget(self):
        """Forget the presses so far; a new card comes with one."""
        self.told()
        self.made.clear()

    def press(self, slot):
        """A press by the VMM, unless it refuses one now."""
        try:
            self.g.press(slot)
            self.made[f"slot{slot}"] += 1
        except (QmpError, KeyError):
            pass

    def outcome(self):
        """ "ok" when hotplugd told of each press that was made since the last call. """
        made, self.made = self.made, collections.Counter()
        told = self.told()
        lost = [f"{slot}: {made[slot]} presses, {told[slot]} told" for slot in made | told
                if made[slot] != told[slot] and (self.only is None or slot in self.only)]
        return "presses: " + "; ".join(lost) if lost else "ok"

    def told(self):
        """{slot: number} of the presses told since the last call."""
        found = collections.Counter()
        self.g.run("journalctl --sync")
        for line in self.g.run(self.READ, check=False).out.splitlines():    # exit 1: none
            if line.startswith("{"):
                found[json.loads(line)["HOTPLUGD_SLOT"]] += 1
        return found


def judge(g, count, run, presses=None):
    """A round under hotplugd. `run(log_start)` does it and returns how it ended;
    then count whether the daemon answered meanwhile, each press was told and
    hotplugd knows the true state. Fails the test if not."""
    asking = Asking(g)
    result = run(g.serial.size())
    for check in (asking.outcome, presses and presses.outcome, lambda: agree(g)):
        if check:
            answer = check()
            result = answer if result == "ok" else result
    count.note(result, asking.slowest)
    assert result == "ok"


def hangs_would_show(g):
    """Wait as long as the kernel takes to report a task that hangs."""
    g.run("sleep 21")
    assert not g.serial.hung_tasks()
