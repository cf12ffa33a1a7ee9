# SPDX-License-Identifier: LGPL-2.1-or-later
"""A card whose driver does not let go, and how fast the daemon answers meanwhile."""

import json

from lab.hotplug import NO_JOBS, slots
from lab.rawbus import CLIENT

MODULE = "/usr/local/lib/lab-modules/hpstuck.ko"
PARAMETERS = "/sys/module/hpstuck/parameters"
CARD, DRIVER = "edu", "hpstuck"

# Calls methods on the system bus and prints the milliseconds that each answer took,
# as JSON. Standard library only; a connection of its own, as a desktop has.
CALLS = CLIENT + r'''
bus, waiting, serial = connect(), b"", 1

def message():
    global waiting
    while True:
        if len(waiting) >= 16:
            body, number, fields = struct.unpack_from("<III", waiting, 4)
            size = 16 + fields + -fields % 8 + body
            if len(waiting) >= size:
                whole, waiting = waiting[:size], waiting[size:]
                return whole
        waiting += bus.recv(65536)

def ask(*what):
    """Milliseconds until the answer, whether it was an error, and its body."""
    global serial
    serial += 1
    start = time.monotonic()
    bus.sendall(call(serial, *what))
    while True:
        answer = message()
        kind, fields = answer[1], answer[16:16 + struct.unpack_from("<I", answer, 12)[0]]
        # REPLY_SERIAL: field 5, type u, on a multiple of 8
        if kind in (2, 3) and b"\x05\x01u\0" + struct.pack("<I", serial) in fields:
            return (time.monotonic() - start) * 1000, kind == 3, answer[-struct.unpack_from("<I", answer, 4)[0]:]

HOTPLUGD = "org.hotplugd1"
MANAGER = "/org/hotplugd1", "org.hotplugd1.Manager"
took = {}
def measure(name, *what):
    times = took.setdefault(name, {"ms": [], "errors": 0})
    ms, error, body = ask(*what)
    times["ms"].append(round(ms, 2))
    times["errors"] += error
    return body
slot = text(OTHER)
config = os.open(f"/sys/bus/pci/devices/{PORT}/config", os.O_RDONLY)
at = os.pread(config, 1, 0x34)[0]
while os.pread(config, 1, at)[0] != 0x10:       # the PCI Express capability
    at = os.pread(config, 1, at + 1)[0]
def attention():
    """The indicator that the hardware shows, bits 7:6 of Slot Control: 2 blinks, 3 is off."""
    return os.pread(config, 1, at + 0x18)[0] >> 6
def measure_led(on):
    start = time.monotonic()
    measure("locate", HOTPLUGD, *MANAGER, "Locate", "sb", pad(slot, 4) + struct.pack("<I", on))
    while attention() != (2 if on else 3) and time.monotonic() < start + 10:
        time.sleep(0.001)
    took.setdefault("LED", {"ms": [], "errors": 0})["ms"].append(round((time.monotonic() - start) * 1000, 2))
for turn in range(ROUNDS):
    measure("bus", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetId")
    measure("list", HOTPLUGD, "/org/hotplugd1", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
    measure_led(turn % 2 == 0)
    job = measure("request", HOTPLUGD, *MANAGER, VERB, "sa{sv}", pad(pad(slot, 4) + struct.pack("<I", 0)))
    number = int(job.rstrip(b"\0").rpartition(b"/")[2])
    measure("cancel", HOTPLUGD, *MANAGER, "CancelJob", "u", struct.pack("<I", number))
print(json.dumps(took))
'''


def settle(g, step="unbind"):
    """Stalls are told after two seconds, and who waits for a driver is its own slot's
    unbinding, or with "remove" the commit."""
    unbind = {"unbind": "yes", "remove": "no"}[step]
    g.run(["sh", "-c", f"mkdir -p /etc/hotplugd.conf.d && printf '[Daemon]\nUnbind={unbind}\n"
           f"[Timeouts]\nUnbindSec=2s\nRemoveSec=2s\n' >/etc/hotplugd.conf.d/50-stuck.conf"
           " && systemctl reload hotplugd"])


def prepare(g, slot, seconds):
    """A card in the slot, up and bound to the driver that sleeps so long (-1: for good)."""
    g.run(f"[ -d {PARAMETERS} ] || insmod {MODULE}")
    sleep(g, 0)
    g.plug(CARD, slot)
    g.wait_bound(slot, DRIVER, 60)
    g.wait_until(f"hpctl status slot{slot} | grep -q {DRIVER}", 30)
    g.wait_until(NO_JOBS, 30)
    sleep(g, seconds)


def sleep(g, seconds):
    g.run(f"echo {seconds} >{PARAMETERS}/seconds")


def release(g):
    g.run(f"echo 1 >{PARAMETERS}/release")


def workers(g):
    """The processes that are in the driver's remove()."""
    return g.out("grep -ls hpstuck_remove /proc/[0-9]*/stack || true").split()


def removals(g):
    return int(g.out(f"cat {PARAMETERS}/removals"))


def job(g, slot):
    """What `hpctl --json jobs` says of the slot's job, or None."""
    jobs = json.loads(g.out("hpctl --json jobs"))["jobs"]
    return next((job for job in jobs if job["slot"] == f"slot{slot}"), None)


def stalled(g, slot, timeout=30):
    g.wait_until("hpctl --json jobs | grep -q '\"stalled\": *true'", timeout)
    return job(g, slot)


def power(g, slot):
    """Is the slot powered, by its own register: bit 10 of Slot Control, 0 is on."""
    port = slots(g)[f"slot{slot}"]["address"]
    return not int(g.out(f"setpci -s {port} CAP_EXP+18.w"), 16) & 0x400


def answers(g, other, verb="Eject", rounds=20):
    """Milliseconds of the answers to calls of each kind, slowest first: a list, the
    attention indicator of another slot (and until the hardware shows it), a job there
    that has to wait, and the cancel of that."""
    port = slots(g)[f"slot{other}"]["address"]
    source = f"ROUNDS, OTHER, PORT, VERB = {rounds}, {f'slot{other}'!r}, {port!r}, {verb!r}\n" + CALLS
    took = json.loads(g.run(["python3", "-c", source], timeout=60).out)
    refused = {name: times["errors"] for name, times in took.items() if times["errors"]}
    assert not refused, refused
    return {name: sorted(times["ms"], reverse=True) for name, times in took.items()}
