# SPDX-License-Identifier: LGPL-2.1-or-later
"""R18 under hotplugd. It runs by name only, for it is about what the kernel does to
itself on its attributes, and no stock kernel is needed to see that ours do not."""

from races import r1, r18


def test_commits_survive_removals_and_rescans_by_hand(guest, tally, rounds):
    count = tally("R18", "hotplugd")
    g = guest("switch-kept", fresh=True, append=[r18.HEAP])
    for number in range(rounds):
        r1.fill(g)
        start = g.serial.size()
        result = r18.outcome(g, *r18.race(g, count.random(number)), start)
        if result == "ok":
            g.wait_until(r1.NO_JOBS, 60)
            g.run("systemctl is-active hotplugd && hpctl list", timeout=20)
        count.note(result)
        assert result == "ok"
        # what the loops left without devices is found again
        g.run("echo 1 > /sys/bus/pci/rescan", timeout=60)
    # a hang would keep the kernel's lock, and be reported after 10 to 20 seconds
    g.run("sleep 21")
    assert not g.serial.hung_tasks()
