# SPDX-License-Identifier: LGPL-2.1-or-later
"""udev rules change what happens, at once, on the port or on a device below it."""

import pytest

from lab.hotplug import ejected, plug, slots

APPLY = ("udevadm control --reload && udevadm trigger -c change -s pci -s block -s net"
         " && udevadm settle")


@pytest.fixture
def flat(guest):
    return guest("flat")


@pytest.fixture
def rules(flat):
    def install(text):
        flat.run("mkdir -p /run/udev/rules.d && cat >/run/udev/rules.d/90-test.rules",
                 stdin=text + "\n")
        flat.run(APPLY, timeout=60)
    yield install
    flat.run("rm -f /run/udev/rules.d/90-test.rules;" + APPLY, timeout=60)


def watch(g):
    monitor = g.spawn("hpctl --json monitor")
    monitor.wait_for("{", 10)
    return monitor


def test_a_rule_on_the_port_makes_a_press_ignored(flat, rules):
    port = plug(flat, "nvme", 3)["address"]
    rules(f'SUBSYSTEM=="pci", KERNEL=="{port}", ENV{{HOTPLUGD_BUTTON}}="ignore"')
    monitor = watch(flat)
    flat.run("hpshim-inject slot3 button")
    monitor.wait_for('"ignored"', 10)
    monitor.kill()
    assert slots(flat)["slot3"]["state"] == "on"


def test_a_rule_on_a_drive_protects_its_slot_from_command_and_button(flat, rules):
    plug(flat, "nvme", 3)
    rules('SUBSYSTEM=="block", KERNEL=="nvme0n1", ENV{HOTPLUGD_PROTECT}="1"')
    done = flat.run("hpctl eject slot3", check=False)
    assert done.rc == 5 and "HOTPLUGD_PROTECT" in done.err + done.out
    for verb in ("--no-block eject", "replace"):
        done = flat.run(f"hpctl {verb} slot3", check=False)
        assert done.rc == 5 and "HOTPLUGD_PROTECT" in done.err, verb
    assert "eject asked for by uid 0 is refused" in flat.out("journalctl -u hotplugd -o cat -n 20")
    assert slots(flat)["slot3"]["state"] == "on"
    monitor = watch(flat)
    flat.run("hpshim-inject slot3 button")
    monitor.wait_for('"refused"', 20)
    monitor.kill()
    assert slots(flat)["slot3"]["state"] == "on"
    flat.run("hpctl --force eject slot3")
    ejected(flat, "nvme3", 3)


def test_a_rule_does_away_with_the_window(flat, rules):
    port = plug(flat, "nvme", 3)["address"]
    rules(f'SUBSYSTEM=="pci", KERNEL=="{port}", ENV{{HOTPLUGD_GRACE_SEC}}="0"')
    monitor = watch(flat)
    card = flat.press(3)
    ejected(flat, card, 3)
    monitor.wait_for('"done"', 10)
    assert '"grace"' not in monitor.out
    monitor.kill()


def test_a_rule_leaves_a_new_card_off_until_somebody_asks(flat, rules):
    port = slots(flat)["slot3"]["address"]
    rules(f'SUBSYSTEM=="pci", KERNEL=="{port}", ENV{{HOTPLUGD_INSERT}}="notify"')
    monitor = watch(flat)
    flat.plug("nvme", 3)
    monitor.wait_for('"notify"', 10)
    monitor.kill()
    assert slots(flat)["slot3"]["state"] == "off"
    flat.run("hpctl insert slot3")
    assert slots(flat)["slot3"]["devices"][0]["driver"] == "nvme"


def test_the_rules_of_a_slot_below_are_its_own(guest):
    g = guest("switch")
    below = slots(g)["slot3"]["address"]
    g.run("mkdir -p /run/udev/rules.d && cat >/run/udev/rules.d/90-test.rules", stdin=(
        f'SUBSYSTEM=="pci", KERNEL=="{below}", ENV{{HOTPLUGD_NAME}}="Bay 3", ENV{{HOTPLUGD_BUTTON}}="ignore"\n'))
    g.run(APPLY, timeout=60)
    try:
        g.wait_until("busctl get-property org.hotplugd1 /org/hotplugd1/slot/slot3 org.hotplugd1.Slot Label | grep -q 'Bay 3'", 20)
        assert "Bay 3" not in g.out("busctl get-property org.hotplugd1 /org/hotplugd1/slot/slot1 org.hotplugd1.Slot Label")
    finally:
        g.run("rm -f /run/udev/rules.d/90-test.rules;" + APPLY, timeout=60)
