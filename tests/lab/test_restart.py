# SPDX-License-Identifier: LGPL-2.1-or-later
"""A restart of hotplugd is a pause: no job ends otherwise, no press is lost or taken
twice, and a worker that is still in the kernel is waited for."""

import re

import pytest

from lab import stuck
from lab.hotplug import DONE, WINDOW, ejected, plug, slots, until_state, with_shim, without_shim

# Windows of five seconds have to be met.
pytestmark = pytest.mark.idle

KILL = 'p=$(systemctl show hotplugd -p MainPID --value); [ "${p:-0}" -le 0 ] || kill -9 "$p"'
UP = "busctl call org.hotplugd1 /org/hotplugd1 org.freedesktop.DBus.Peer Ping"
WORKER = "@/usr/lib/hotplugd/hotplugd-worker"
WAITING = "grep -ls '^State:.D' $(grep -lsx 'Name:.hotplugd-worker' /proc/[0-9]*/status)"
SHUTDOWN = r"\[ *([0-9.]+)\] systemd-shutdown\[1\]: {}"
ENDED = "journalctl -u hotplugd -o cat --no-pager | grep -E 'slot{}: {} .job [0-9]+, by'"


@pytest.fixture(scope="module")
def g(pool):
    with pool.guest("flat", snapshot=True) as one:
        stuck.settle(one)
        yield one


@pytest.fixture(autouse=True)
def quiet(request, g):
    """The kernel complains only where a test is about that."""
    start = g.serial.size()
    yield
    if not request.node.get_closest_marker("expect_hang"):
        assert not g.serial.trouble(start)


def card_in(g, slot):
    if str(slot) not in g.plugged.values():
        plug(g, "nvme", slot)


def kill(g):
    g.run(KILL)
    g.wait_until(UP, 30)


def ended(g, slot, operation="eject"):
    """How the slot's jobs of that kind have ended, oldest first."""
    return re.findall(r"\) (\w+)", g.out(ENDED.format(slot, operation) + " || true"))


def handed_back(g):
    return g.out("dmesg | grep -c 'no controller\\|controller is gone' || true") != "0"


def test_a_button_press_goes_on_in_its_window_after_kill_9(g):
    plug(g, "nvme", 2)
    card = g.press(2)
    until_state(g, "slot2", "busy")
    before = stuck.job(g, 2)
    kill(g)
    after = stuck.job(g, 2)
    assert (after["id"], after["state"], after["origin"]) == (before["id"], "grace", "button")
    ejected(g, card, 2, WINDOW + DONE)
    assert ended(g, 2) == ["done"]
    assert not handed_back(g)


def test_the_second_press_cancels_across_a_restart(g):
    card_in(g, 2)
    g.run("hpshim-inject 2 button")
    until_state(g, "slot2", "busy")
    g.run("systemctl restart hotplugd", timeout=60)
    g.run("hpshim-inject 2 button")
    until_state(g, "slot2", "on")
    assert ended(g, 2)[-1] == "cancelled"


def test_the_second_press_cancels_though_the_daemon_is_away_when_the_window_ends(g):
    card_in(g, 2)
    window = 12     # of which the two presses have their time, under emulation
    g.run(f"printf '[Policy]\\nGraceSec={window}s\\n' >/etc/hotplugd.conf.d/60-window.conf && systemctl reload hotplugd")
    try:
        for _ in range(3):      # which of the two the loop found first was chance
            before = len(ended(g, 2))
            pressed = float(g.out("p=$(pidof hotplugd); s=$(date +%s.%N); hpshim-inject 2 button; sleep 0.5;"
                                  " kill -STOP $p; hpshim-inject 2 button; e=$(date +%s.%N); python3 -c \"print($e - $s)\";"
                                  f" sleep {window}; kill -CONT $p", timeout=90))
            assert pressed < window - 1, "the machine is too slow for this test"
            g.wait_until("hpctl --json jobs | grep -q '\"jobs\": *\\[ *\\]'", WINDOW + DONE)
            assert ended(g, 2)[before:] == ["cancelled"]
    finally:
        g.run("rm /etc/hotplugd.conf.d/60-window.conf; systemctl reload hotplugd", check=False)


def test_a_press_while_no_daemon_runs_is_neither_lost_nor_taken_twice(g):
    card_in(g, 2)
    starts = g.out("journalctl -u hotplugd -o cat | grep -c 'slot2: attention button pressed'")
    # stopped, it reads nothing; killed, it never will
    g.run("kill -STOP $(systemctl show hotplugd -p MainPID --value); hpshim-inject 2 button;" + KILL)
    g.wait_until(UP, 30)
    until_state(g, "slot2", "busy")
    now = g.out("journalctl -u hotplugd -o cat | grep -c 'slot2: attention button pressed'")
    assert int(now) == int(starts) + 1
    g.wait_until("! [ -e /sys/bus/pci/devices/" + g.address(2) + ".0 ]", WINDOW + DONE)
    until_state(g, "slot2", "empty")
    assert ended(g, 2)[-1] == "done"


def test_a_card_that_comes_while_no_daemon_runs_is_inserted(g):
    g.run("kill -STOP $(systemctl show hotplugd -p MainPID --value)")
    g.plug("nvme", 4)
    g.run(KILL)
    until_state(g, "slot4", "on")
    g.wait_bound(4, "nvme", DONE)
    # its press, which QEMU adds, is not taken for the wish to eject it
    assert ended(g, 4) == [] and slots(g)["slot4"]["job"] is None


def test_the_shim_stays_ours_when_the_state_file_is_lost(g):
    g.run("kill -STOP $(systemctl show hotplugd -p MainPID --value); rm /run/hotplugd/state;" + KILL)
    g.wait_until("hpctl status | grep -q 'active, drives 6 of 6'", 30)
    assert not handed_back(g)


@pytest.mark.expect_hang
@pytest.mark.parametrize("step", ["unbind", "remove"])
def test_a_worker_in_the_kernel_is_waited_for_and_not_doubled(g, step):
    stuck.settle(g, step)
    card_in(g, 4)
    stuck.prepare(g, 3, -1)
    removals, so_far = stuck.removals(g), [len(ended(g, slot)) for slot in (3, 4)]
    g.run("hpctl eject --no-block slot3")
    before = stuck.stalled(g, 3)
    worker, = stuck.workers(g)
    kill(g)
    g.run("systemctl restart hotplugd", timeout=30)
    assert stuck.workers(g) == [worker]
    after = stuck.stalled(g, 3)
    assert (after["id"], after["step"]) == (before["id"], step)
    assert "hpstuck_remove" in g.out("hpctl jobs")
    g.run("hpctl eject --no-block slot4")
    if step == "unbind":    # nobody else waits for it
        g.wait_deleted("nvme4", DONE)
        until_state(g, "slot4", "empty")
    else:                   # what needs a commit waits behind it
        assert stuck.job(g, 4)["state"] == "quiescing"
    assert stuck.power(g, 3)
    # the write was not made a second time: nobody waits for the device's lock
    assert stuck.workers(g) == [worker] and g.out(WAITING).split() == [worker.replace("stack", "status")]
    stuck.release(g)
    g.wait_deleted("edu3", DONE)
    if step == "remove":
        g.wait_deleted("nvme4", DONE)
    until_state(g, "slot3", "empty")
    assert stuck.removals(g) == removals + 1
    assert [ended(g, slot)[n:] for slot, n in zip((3, 4), so_far)] == [["done"], ["done"]]


@pytest.mark.expect_hang
def test_without_the_shim_a_restart_is_a_pause_as_well(g):
    stuck.settle(g)
    without_shim(g)
    try:
        stuck.prepare(g, 5, -1)
        assert slots(g)["slot5"]["backend"] == "native"
        g.run("hpctl eject --no-block slot5")
        before = stuck.stalled(g, 5)
        kill(g)
        g.run("systemctl restart hotplugd", timeout=30)
        after = stuck.stalled(g, 5)
        assert (after["id"], after["step"]) == (before["id"], "unbind")
        stuck.release(g)
        g.wait_deleted("edu5", DONE)
        until_state(g, "slot5", "empty")
        assert ended(g, 5) == ["done"]
    finally:
        with_shim(g)
    g.wait_until("hpctl status | grep -q 'active, drives 6 of 6'", 60)


@pytest.mark.expect_hang
def test_stopping_does_not_wait_for_a_stuck_worker(g):
    stuck.settle(g)
    stuck.prepare(g, 3, -1)
    g.run("hpctl eject --no-block slot3")
    stuck.stalled(g, 3)
    took = float(g.out("s=$(date +%s.%N); systemctl stop hotplugd; e=$(date +%s.%N);"
                       " python3 -c \"print($e - $s)\"", timeout=60))
    assert took < 5
    g.run("systemctl start hotplugd", timeout=60)
    # who starts it another day does not expect it to eject: the driver keeps its device
    assert stuck.stalled(g, 3)["step"] == "unbind"
    stuck.release(g)
    g.wait_bound(3, stuck.DRIVER, DONE)
    g.wait_until("hpctl --json jobs | grep -q '\"jobs\": *\\[ *\\]'", DONE)
    assert ended(g, 3)[-1] == "failed" and stuck.power(g, 3)
    stuck.sleep(g, 0)
    g.run("hpctl eject slot3", timeout=DONE)
    g.wait_deleted("edu3", DONE)


@pytest.mark.expect_hang
def test_a_stuck_worker_does_not_keep_systemd_from_shutting_down(pool):
    """As far as systemd goes: then the kernel waits for the driver, see docs/architecture.md."""
    with pool.guest("flat", snapshot=True) as one:
        stuck.settle(one)
        stuck.prepare(one, 3, -1)
        one.run("hpctl eject --no-block slot3")
        stuck.stalled(one, 3)
        start = one.serial.size()
        one.spawn("systemctl poweroff")
        last = one.wait_serial(SHUTDOWN.format("Powering off"), 180, start)
        first = one.wait_serial(SHUTDOWN.format("Sending SIGTERM"), 1, start)
        # twenty seconds for SIGTERM, as many for SIGKILL: the time-out of the lab's systemd
        assert float(last[1]) - float(first[1]) < 15


@pytest.mark.parametrize("step", ["unbind", "remove"])
def test_a_worker_that_is_killed_changes_no_outcome(g, step):
    stuck.settle(g, step)
    stuck.prepare(g, 3, 4)
    eject = g.spawn("hpctl eject slot3")
    g.wait_until(f"hpctl --json jobs | grep -q '\"step\": *\"{step}\"'", 20)
    g.run(f"pkill -9 -fx {WORKER}")
    assert eject.wait(DONE).rc == 0
    g.wait_deleted("edu3", DONE)


def test_a_journal_that_does_not_read_keeps_nobody_waiting(g):
    card_in(g, 2)
    # more than fits into its socket; the daemon logs a press each, and one of the window's ends
    took = float(g.out("trap 'kill -CONT $(pidof systemd-journald)' EXIT; kill -STOP $(pidof systemd-journald);"
                       " hpshim-inject 2 button 2000; sleep 3; s=$(date +%s.%N); hpctl list >/dev/null || exit;"
                       " e=$(date +%s.%N); python3 -c \"print($e - $s)\"", timeout=90))
    assert took < 10        # under emulation; it would be 30, the watchdog's, and a restart
    g.wait_until("hpctl --json jobs | grep -q '\"jobs\": *\\[ *\\]'", WINDOW + DONE)
    g.run("hpshim-inject 4 button")     # something to say
    g.wait_until("journalctl -u hotplugd -o cat | grep -q 'messages of hotplugd were lost'", 30)


def test_a_writer_whose_request_was_lost_is_answered(g):
    card_in(g, 4)
    # more than the socket holds, before and after the writer, and more than the shim keeps for replay
    storm = "hpshim-inject 5 button 14000; sleep 3"
    g.run(f"kill -STOP $(pidof hotplugd); {storm}", timeout=60)
    writer = g.spawn("echo 0 >/sys/bus/pci/slots/4/power")
    g.run(f"sleep 1; {storm}; kill -CONT $(pidof hotplugd)", timeout=60)
    assert writer.wait(100).rc == 0     # unanswered it fails after 120 s
    assert "Answers of the shim may be lost" in g.out("journalctl -u hotplugd -o cat --no-pager | grep 'may be lost'")
