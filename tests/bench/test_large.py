# SPDX-License-Identifier: LGPL-2.1-or-later
"""A machine with 200 slots: how fast they are listed, and what the daemon costs."""

import json

from bench import sixteen
from lab import results

SLOTS = 200
MINUTE = 60

TIMES = r'''
import json, subprocess, sys, time
took = {command: [] for command in sys.argv[2:]}
for _ in range(int(sys.argv[1])):
    for command in took:
        start = time.monotonic()
        subprocess.run(["sh", "-c", command], check=True, stdout=subprocess.DEVNULL)
        took[command].append(time.monotonic() - start)
print(json.dumps(took))
'''
# What a process is: its memory in kB, and how often it was given a CPU.
COST = "grep -h VmRSS /proc/{0}/status; cut -d' ' -f3 /proc/{0}/schedstat"
LISTS = {"hpctl list": "hpctl list", "hpctl --json list": "hpctl --json list",
         "the files of all slots": "cat /sys/bus/pci/slots/*/* 2>/dev/null || true", "lspci": "lspci"}


def processes(g):
    """{name: pid} of the daemon, of its worker if it had work, and of some to compare."""
    return {name: pids[0] for name in ("hotplugd", "hotplugd-worker", "systemd-udevd", "systemd-logind", "dbus-daemon")
            if (pids := g.out(f"pidof {name} || true").split())}


def cost(g, pid):
    memory, turns = g.out(COST.format(pid)).splitlines()
    return int(memory.split()[1]), int(turns)


def test_two_hundred_slots_are_listed_at_once_and_cost_little(guest, rounds, record):
    g = guest(f"ports-{SLOTS}", fresh=True)
    g.wait_until(f"test $(hpctl --no-legend list | grep -c shim) = {SLOTS} && {sixteen.NO_JOBS}", 180)
    took = json.loads(g.run(["python3", "-c", TIMES, str(rounds), *LISTS.values()], timeout=600).out)

    pids = processes(g)
    before = {name: cost(g, pid) for name, pid in pids.items()}
    g.run(f"sleep {MINUTE}", timeout=MINUTE + 30)
    after = {name: cost(g, pid) for name, pid in pids.items()}
    woken = {name: after[name][1] - before[name][1] for name in pids}

    record(f"{SLOTS} slots", results.table(
        ["command", "time"], [[f"`{name}`" if name == command else name, results.spread(took[command], "s")]
                              for name, command in LISTS.items()])
        + "\n\n" + results.table(
        ["process, idle", "resident memory", "turns of a CPU in a minute"],
        [[name, f"{after[name][0]} kB", woken[name]] for name in pids]))
    ours = sorted(took["hpctl list"])[len(took["hpctl list"]) // 2]
    files = sorted(took[LISTS["the files of all slots"]])[rounds // 2]
    assert ours <= files
    assert woken["hotplugd"] <= 20 and woken["hotplugd-worker"] == 0
    assert after["hotplugd"][0] < 32 << 10
