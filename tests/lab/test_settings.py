# SPDX-License-Identifier: LGPL-2.1-or-later
"""hotplugd.conf: read at the start, again by reload, and wrong lines do no harm."""

import pytest

from lab.hotplug import ejected, plug, slots

DROP_IN = "/run/hotplugd.conf.d/50-test.conf"
SHIM_FILES = "/sys/bus/pci/drivers/hpshim/remove /sys/bus/pci/drivers/hpshim/rescan"
RELOAD = "systemctl reload hotplugd"


@pytest.fixture
def flat(guest):
    g = guest("flat")
    yield g
    g.run(f"rm -f {DROP_IN}; {RELOAD}")
    g.wait_until("hpctl list | grep -c shim | grep -qx 6")


def configure(g, text):
    """Put a drop-in in place and reload; return what the journal says of that."""
    cursor = g.out("journalctl -n0 --show-cursor").split("cursor: ")[1].strip()
    g.run(f"mkdir -p {DROP_IN.rsplit('/', 1)[0]} && cat >{DROP_IN}", stdin=text)
    g.run(RELOAD)
    said = f"journalctl -u hotplugd -o cat --after-cursor='{cursor}'"
    g.wait_until(f"{said} | grep -q 'Configuration read again'")
    return g.out(said)


def test_a_drop_in_takes_the_button_window_away_at_a_reload(flat):
    card = plug(flat, "nvme", 3) and "nvme3"
    pid = flat.out("systemctl show -P MainPID hotplugd")
    configure(flat, "[Policy]\nGraceSec=0\n")
    monitor = flat.spawn("hpctl --json monitor")
    monitor.wait_for("{", 10)
    flat.press(3)
    ejected(flat, card, 3)
    assert '"grace"' not in monitor.out and '"done"' in monitor.out
    monitor.kill()
    assert flat.out("systemctl show -P MainPID hotplugd") == pid


def test_a_wrong_line_is_named_in_the_journal_and_the_rest_holds(flat):
    said = configure(flat, "[Policy]\nButton=perhaps\nInsert=notify\nwhat is this\n")
    assert f"{DROP_IN}:2: Button=perhaps is ignored: it should be eject, notify or ignore" in said
    assert f"{DROP_IN}:4: the line is neither" in said
    assert flat.out(f"journalctl -o cat CONFIG_FILE={DROP_IN} CONFIG_LINE=2 | wc -l") != "0"
    monitor = flat.spawn("hpctl --json monitor")
    monitor.wait_for("{", 10)
    flat.plug("nvme", 4)
    monitor.wait_for('"notify"', 10)
    monitor.kill()
    assert slots(flat)["slot4"]["state"] == "off"
    flat.run("hpctl insert slot4 && hpctl eject slot4", timeout=60)
    ejected(flat, "nvme4", 4)


def test_adopt_says_which_slots_stay_with_the_kernel_and_come_back(flat):
    configure(flat, "[Daemon]\nAdopt=slot? !slot2 !slot5\n")
    flat.wait_until("hpctl list | grep -c native | grep -qx 2")
    found = slots(flat)
    assert [name for name in found if found[name]["backend"] == "native"] == ["slot2", "slot5"]
    configure(flat, "[Daemon]\nAdopt=yes\n")
    flat.wait_until("hpctl list | grep -c shim | grep -qx 6")


def test_the_kernel_can_do_the_commits(flat):
    configure(flat, "[Daemon]\nCommit=kernel\n")
    # What is written to the shim's own files goes nowhere.
    flat.run(f"for f in {SHIM_FILES}; do mount --bind /dev/null $f; done")
    try:
        plug(flat, "nvme", 2)
        flat.run("hpctl eject slot2", timeout=60)
        ejected(flat, "nvme2", 2)
    finally:
        flat.run(f"umount {SHIM_FILES}")


def test_cat_config_shows_what_hotplugd_reads(flat):
    configure(flat, "[Policy]\nGraceSec=7\n")
    shown = flat.out("systemd-analyze cat-config hotplugd.conf")
    assert f"# {DROP_IN}\n[Policy]\nGraceSec=7" in shown


def test_a_slot_that_is_not_to_be_adopted_any_more_is_given_back_after_its_job(flat):
    plug(flat, "nvme", 3)
    replace = flat.spawn("hpctl replace slot3")
    flat.wait_deleted("nvme3", 40)
    flat.wait_until("hpctl --no-legend jobs | grep -q ' card '")
    configure(flat, "[Daemon]\nAdopt=* !slot3\n")
    flat.run("sleep 1")
    assert slots(flat)["slot3"]["backend"] == "shim"
    flat.run("hpctl cancel $(hpctl --no-legend jobs | awk '{ print $1 }')", check=False)
    replace.wait(40)
    flat.wait_until("hpctl --no-legend list slot3 | grep -q native")
    assert slots(flat)["slot2"]["backend"] == "shim"
