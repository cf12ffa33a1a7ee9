# SPDX-License-Identifier: LGPL-2.1-or-later
"""The lab itself, on a stock system: what the other tests rely on is so."""

import os
import subprocess
import sys
import textwrap
import xml.etree.ElementTree as ElementTree

import pytest

from lab import console, device, paths, results, topology
from lab.channel import CommandFailed, GuestTimeout
from lab.guest import QmpError


def bare(guest, name):
    return guest(name, stock="bare")


def test_a_guest_starts_without_a_failed_unit(guest):
    g = bare(guest, "flat")
    assert g.out("systemctl --failed --no-legend") == ""
    assert g.out("systemctl is-system-running") == "running"


def test_commands_run_side_by_side_with_input_and_exit_codes(guest):
    g = bare(guest, "flat")
    slow = g.spawn("read line; echo got $line; exit 3", stdin=None)
    assert g.out("cat", stdin="häh\n") == "häh"
    slow.send("it\n")
    slow.wait_for("got it")
    assert slow.wait(10).rc == 3
    assert g.run("echo wrong >&2; false", check=False).err == "wrong\n"
    with pytest.raises(CommandFailed):
        g.run("false")


def test_commands_run_as_an_unprivileged_user(guest):
    g = bare(guest, "flat")
    assert g.out("id -un; echo $HOME", user="user") == "user\n/home/user"
    assert g.run("cat /etc/shadow", check=False, user="user").rc == 1


def test_the_console_has_a_prompt_that_answers(guest):
    with console.connect(bare(guest, "flat")) as link:
        link.settimeout(30)
        said, asked = b"", False
        while b"42" not in said:
            said += link.recv(4096)
            if not asked and b"# " in said:
                link.sendall(b"echo $((6 * 7))\n")
                asked = True


def test_a_command_that_does_not_end_meets_its_deadline(guest):
    g = bare(guest, "flat")
    with pytest.raises(GuestTimeout):
        g.run("echo before; exec sleep 1000", timeout=3)
    with pytest.raises(GuestTimeout, match="not true within"):
        g.wait_until("[ -e /no/such/file ]", timeout=2)
    g.wait_until("! pgrep -x sleep", timeout=10)


# What differs from another one in its cards or power alone, or is a part of another one, takes
# a guest of its own for little.
ALIKE = ("flat-no-power", "switch", "switch-kept", "shpc-behind-pcie", "shpc", "shpc-two-levels")


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.long] * (name in ALIKE))
                                  for name in topology.TOPOLOGIES])
def test_slots_are_named_as_the_topology_says(guest, name):
    g = bare(guest, name)
    names = g.out("ls /sys/bus/pci/slots").split()
    assert sorted(names) == sorted(slot.name for slot in topology.find(name).slots)


@pytest.mark.parametrize("kind", ["nvme", "e1000e", "virtio-blk", "virtio-net"])
def test_a_plugged_card_gets_its_driver(guest, kind):
    g = bare(guest, "flat")
    g.plug(kind, slot=2)
    g.wait_bound(2, device.driver(kind))


@pytest.mark.parametrize("name, slot", [("flat", 3), ("switch", 4), *(
    pytest.param(name, slot, marks=pytest.mark.long) for name, slot in (("shpc", 5), ("shpc-behind-pcie", 2)))])
def test_stock_drivers_let_a_card_go_after_a_press(guest, name, slot):
    g = bare(guest, name)
    card = g.plug("nvme", slot)
    g.wait_bound(slot, "nvme")
    g.press(slot)
    g.wait_deleted(card, timeout=20)
    assert g.plugged == {}


def test_a_second_press_is_refused_while_the_indicator_blinks(guest):
    g = bare(guest, "flat")
    card = g.plug("nvme", 1)
    g.wait_bound(1, "nvme")
    g.press(1)
    with pytest.raises(QmpError, match="in the process of unplug|blinking"):
        g.press(1)
    g.wait_deleted(card)


@pytest.mark.expect_hang
def test_a_hung_task_is_seen(guest):
    g = bare(guest, "flat")
    start = g.serial.size()
    g.run("echo 'lab: INFO: task x:1 blocked for more than 10 seconds' >/dev/kmsg")
    g.wait_serial("INFO: task x:1")
    assert g.serial.hung_tasks(start) == ["x"]
    assert g.serial.trouble(start)


def test_a_section_of_the_results_is_replaced_and_the_others_stay(tmp_path):
    file = tmp_path / "results.md"
    results.put("First", "measure one", results.table(["what", "s"], [["a", results.spread([1, 3, 2], digits=1)]]),
                file=file)
    results.put("Second", "measure two", "old", file=file)
    first, _, rest = file.read_text().partition("## Second")
    assert "Measured by `measure one` on 2" in first and "| a    | 2.0 (1.0–3.0, n=3) |" in first
    results.put("Second", "measure two", "new", file=file)
    again, _, rest = file.read_text().partition("## Second")
    assert again == first and "new" in rest and "old" not in rest


def test_only_a_test_whose_emulator_crashed_is_run_once_more(tmp_path):
    (tmp_path / "test_inner.py").write_text(textwrap.dedent(f"""
        import os, pathlib, signal
        runs = pathlib.Path({str(tmp_path)!r})
        def run(name):
            with open(runs / name, "a") as file:
                file.write(".")
            return len((runs / name).read_text())
        def test_crash(guest):
            g = guest("flat", stock="bare")
            if run("crash") == 1:
                os.kill(g.process.pid, signal.SIGSEGV)
            assert g.out("echo it") == "it"
        def test_crash_again(guest):
            run("again")
            g = guest("flat", stock="bare")
            os.kill(g.process.pid, signal.SIGABRT)
            g.out("true")
        def test_fault_of_its_own():
            run("own")
            assert False
    """))
    done = subprocess.run([sys.executable, "-m", "pytest", "-p", "lab.fixtures", "-p", "no:cacheprovider",
                           "--junitxml=out/inner.xml", "test_inner.py"], cwd=tmp_path,
                          env={**os.environ, "PYTHONPATH": str(paths.SOURCE / "tests"),
                               "HOTPLUGD_BUILD": str(paths.BUILD)},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900)
    assert "1 passed" in done.stdout and "fault_of_its_own" in done.stdout, done.stdout
    runs = {name: len((tmp_path / name).read_text()) for name in ("crash", "again", "own")}
    assert runs == {"crash": 2, "again": 2, "own": 1}
    totals = subprocess.run([paths.SOURCE / "tests/totals", tmp_path / "out"],
                            stdout=subprocess.PIPE, text=True).stdout
    assert "had crashed: inner: test_crash (SIGSEGV)" in totals, totals
