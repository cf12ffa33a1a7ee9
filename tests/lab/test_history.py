# SPDX-License-Identifier: LGPL-2.1-or-later
"""hpctl history: what was done, by whom, from the journal of a real machine."""

import json

from lab.hotplug import DONE, WINDOW, ejected, plug


def history(g, arguments=""):
    return json.loads(g.out(f"hpctl --json history {arguments}"))["history"]


def jobs(g, arguments=""):
    """Slot, operation, origin, result, who of each job."""
    return [(e["slot"], e["operation"], e["origin"], e["result"], e["requested_by"])
            for e in history(g, arguments) if e["type"] == "job"]


def test_history_tells_of_ejects_and_inserts_and_outlives_the_daemon(guest):
    g = guest("flat", fresh=True)
    function = plug(g, "nvme", 3)["devices"][0]["address"]
    assert [job[:2] for job in jobs(g, function)] == [("slot3", "insert")]
    card = g.press(3)
    ejected(g, card, 3, WINDOW + DONE)
    plug(g, "nvme", 4)
    g.run("hpctl eject /dev/nvme0n1")
    ejected(g, "nvme4", 4)

    done = [("slot3", "insert", "surprise", "done", "surprise"), ("slot3", "eject", "button", "done", "button"),
            ("slot4", "insert", "surprise", "done", "surprise"), ("slot4", "eject", "dbus", "done", "uid 0")]
    assert jobs(g) == done
    presses = [e for e in history(g, "slot3") if e["type"] == "press"]  # QEMU presses for a new card, too
    assert (presses[-1]["verdict"], presses[-1]["devices"]) == ("started", ["nvme0n1"])
    assert jobs(g, "slot4") == done[2:] and jobs(g, "-n 1 4") == done[3:]
    # An insert may end before its disk has a name.
    assert [job for job in jobs(g, "nvme0n1") if job[1] == "eject"] == [done[1], done[3]]
    last = history(g, "-n 1")[0]
    assert last["devices"] == ["nvme0n1"] and last["drivers"] == ["nvme"] and last["duration_sec"] > 0.5
    assert last["began"] < last["time"]
    table = g.out("hpctl history slot4").splitlines()
    assert table[0].split() == ["TIME", "SLOT", "WHAT", "ORIGIN", "RESULT", "TOOK", "BY", "DETAILS"]
    assert table[-1].split()[2:6] == ["slot4", "eject", "dbus", "done"] and table[-1].split()[-1] == "nvme0n1"

    # A forger may write what he likes to the journal.
    g.run("logger --journald", stdin="MESSAGE_ID=d29a9184e2fe4e81a68411af61b7a34e\nMESSAGE=x\nHOTPLUGD_SLOT=slot4\n"
          "HOTPLUGD_OPERATION=eject\nHOTPLUGD_RESULT=done\n")
    g.run("systemctl restart hotplugd && hpctl list")
    assert jobs(g) == done
    g.run("systemctl stop hotplugd")
    assert jobs(g, "slot3") == done[:2] and jobs(g, "--since=-1h") == done and jobs(g, "--since=now") == []
    assert g.run("hpctl history slot99", check=False).rc == 3
    g.run("hpctl history slot5")

    refused = g.run("hpctl history", user="user", check=False)
    assert refused.rc == 6 and "systemd-journal" in refused.err
    g.run("systemctl start hotplugd")


def test_history_tells_what_was_set_on_a_slot_and_what_policy_turned_down(guest):
    g = guest("flat", fresh=True)
    plug(g, "nvme", 2)
    g.run("hpctl hold slot2 && hpctl hold slot2 && hpctl unhold slot2 && hpctl locate slot2 && hpctl locate slot2 off &&"
          " hpctl release slot2 && hpctl adopt slot2", timeout=DONE)
    told = [e for e in history(g, "slot2") if e["type"] == "control"]
    assert [(e["operation"], e["result"], e["origin"], e["requested_by"]) for e in told] == \
        [(what, "done", "dbus", "uid 0") for what in ("hold", "unhold", "locate", "unlocate", "release", "adopt")]

    g.run("mkdir -p /run/udev/rules.d && cat >/run/udev/rules.d/90-test.rules && udevadm control --reload &&"
          " udevadm trigger --settle -c change -s block",
          stdin='SUBSYSTEM=="block", KERNEL=="nvme0n1", ENV{HOTPLUGD_PROTECT}="1"\n')
    g.wait_until("hpctl status slot2 | grep -qi protect", DONE)
    assert g.run("hpctl eject slot2", check=False).rc == 5
    last = history(g, "nvme0n1")[-1]
    assert (last["type"], last["operation"], last["result"], last["job"]) == ("request-refused", "eject", "refused", None)
    assert "HOTPLUGD_PROTECT" in last["reason"]
    assert g.out("hpctl history slot2").splitlines()[-1].split()[2:6] == ["slot2", "eject", "dbus", "refused"]
