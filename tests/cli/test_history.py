# SPDX-License-Identifier: LGPL-2.1-or-later
"""hpctl history, against a journal that is made here.

The journal is what systemd-journal-remote makes of the export format; the daemon
is not needed for anything but names.
"""

import datetime
import os
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from bus import BusCase  # noqa: E402

ROOT = pathlib.Path(os.environ.get("SOURCE_ROOT", pathlib.Path(__file__).parents[2]))
WRITER = "/lib/systemd/systemd-journal-remote"
BOOTS = ["b007" * 8, "b008" * 8]
START = 1795494000      # 2026-11-24 04:20:00 UTC
IDS = dict(re.findall(r'#define MESSAGE_(\w+)\s+"(\w+)"', (ROOT / "daemon/base/names.h").read_text()))
UNIT = "hotplugd.service"


def entry(second, message, boot=0, unit=UNIT, **fields):
    """One message of the daemon, `second` seconds after START."""
    usec = int((START + second) * 1000000)
    lines = {"__REALTIME_TIMESTAMP": usec, "__MONOTONIC_TIMESTAMP": int((second + 1000000) * 1000000),
             "_BOOT_ID": BOOTS[boot], "_SYSTEMD_UNIT": unit, "MESSAGE": message, "MESSAGE_ID": IDS[message]}
    lines.update((f"HOTPLUGD_{name.upper()}", value) for name, value in fields.items())
    return "".join(f"{name}={value}\n" for name, value in lines.items()) + "\n"


def job(second, number, slot, operation, result, took=2, devices="", **fields):
    """The begin and the end of a job; the end of an eject does not know the devices any more."""
    about = {"job": number, "slot": slot, "address": f"0000:00:0{slot[-1]}.0", "operation": operation}
    boot = fields.pop("boot", 0)
    who = {"origin": fields.pop("origin", "dbus"), "requested_by": fields.pop("requested_by", "uid 0")}
    begin = {"devices": devices, "drivers": "nvme"} if devices and operation != "insert" else {}
    end = {"devices": devices} if devices and operation == "insert" else {}
    return (entry(second, "JOB_BEGUN", boot, **about, **who, **begin)
            + entry(second + took, f"JOB_{result.upper()}", boot, **about, **who, **end, result=result,
                    usec=took * 1000000, **fields))


STORY = (
    job(0, 1, "slot3", "eject", "done", devices="nvme0n1")
    + entry(10, "PRESS", slot="slot4", address="0000:00:04.0", devices="nvme1n1", verdict="started")
    + job(11, 2, "slot4", "eject", "refused", devices="nvme1n1", origin="button", requested_by="button",
          reason="The slot is protected.")
    + job(20, 3, "slot3", "insert", "done", devices="nvme7n1", requested_by="uid 1000")
    + entry(30, "ADOPTED", slot="slot9")
    + entry(31, "JOB_DONE", unit="forger.service", slot="slot3", job=99, operation="eject", result="done")
    + job(3600, 1, "slot3", "eject", "failed", boot=1, devices="nvme7n1", took=75, reason="It did not work.")
    + entry(3680, "SURPRISE", 1, slot="slot5", job=2, operation="eject", origin="surprise", devices="eth0")
    + entry(3681, "POWER_FAULT", 1, slot="slot5", verdict="nothing")
    + entry(3690, "JOB_BEGUN", 1, slot="slot6", job=3, operation="eject", origin="sysfs", requested_by="sysfs",
            devices="nvme6n1")
    + entry(3720, "JOB_STALLED", 1, slot="slot6", job=3, operation="eject", origin="sysfs", requested_by="sysfs",
            devices="nvme6n1", step="remove"))


class History(BusCase):
    def setUp(self):
        super().setUp()
        self.env["TZ"] = "UTC"
        self.journal = self.directory / "journal"
        self.journal.mkdir()

    def write(self, text):
        done = subprocess.run([WRITER, "-o", self.journal / "test.journal", "-"], input=text, text=True,
                              capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def history(self, *arguments):
        return self.json("history", "-D", str(self.journal), *arguments)["history"]

    def brief(self, *arguments):
        return [(e["slot"], e["operation"] or e["type"], e["result"] or e["verdict"]) for e in self.history(*arguments)]

    def test_a_job_is_one_line_with_origin_result_time_and_who(self):
        self.write(STORY)
        lines = self.said("history", "-D", str(self.journal)).splitlines()
        self.assertEqual(lines[0].split(), ["TIME", "SLOT", "WHAT", "ORIGIN", "RESULT", "TOOK", "BY", "DETAILS"])
        self.assertRegex(lines[1], r"^2026-11-24 04:20:02 slot3 eject +dbus +done +2s uid 0 +nvme0n1$")
        self.assertRegex(lines[2], r"^2026-11-24 04:20:10 slot4 press +button +started +nvme1n1$")
        self.assertRegex(lines[3], r"slot4 eject +button +refused +2s button +nvme1n1: The slot is protected$")
        self.assertRegex(lines[4], r"slot3 insert +dbus +done +2s uid 1000 nvme7n1$")
        self.assertRegex(lines[5], r"^2026-11-24 05:21:15 slot3 eject +dbus +failed +1min 15s uid 0 ")
        self.assertRegex(lines[6], r"slot5 surprise +surprise +eth0$")
        self.assertRegex(lines[7], r"slot5 power-fault +nothing *$")
        self.assertRegex(lines[8], r"slot6 eject +sysfs +begun +sysfs +nvme6n1$")
        self.assertRegex(lines[9], r"slot6 eject +sysfs +stalled +sysfs +nvme6n1: in step remove$")
        self.assertEqual(len(lines), 10)

    def test_what_the_journal_says_does_not_move_the_cursor(self):
        self.write(job(0, 1, "slot3", "eject", "failed", devices="nvme0n1", reason="It \x1b[2J\x9b did not."))
        out = self.said("history", "-D", str(self.journal))
        self.assertIn(r"nvme0n1: It \x1b[2J\xc2\x9b did not", out)
        self.assertEqual(self.history()[0]["reason"], "It \x1b[2J\x9b did not.")
        self.assertIn(r"\u009b", self.said("--json", "history", "-D", str(self.journal)))
        self.assertIn(r"Nothing of \x1b[2J in", self.hpctl("history", "-D", str(self.journal), "\x1b[2J").stderr)

    def test_json_is_utf_8_whatever_the_journal_says(self):
        entry_of = job(0, 1, "slot3", "eject", "failed", reason="It @ did not.").encode()
        done = subprocess.run([WRITER, "-o", self.journal / "test.journal", "-"], input=entry_of.replace(b"@", b"\xff\xe0\x82\x9b"),
                              capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.history()[0]["reason"], "It " + 4 * "\ufffd" + " did not.")

    def test_json_has_all_fields_and_null_for_what_is_not_told(self):
        self.write(STORY)
        found = self.history()
        self.assertEqual(found[0], {
            "time": "2026-11-24T04:20:02.000000Z", "type": "job", "slot": "slot3", "address": "0000:00:03.0", "job": 1,
            "operation": "eject", "origin": "dbus", "requested_by": "uid 0", "began": "2026-11-24T04:20:00.000000Z",
            "duration_sec": 2.0, "result": "done", "verdict": None, "reason": None, "step": None, "stack": None,
            "devices": ["nvme0n1"], "drivers": ["nvme"], "boot_id": BOOTS[0]})
        self.assertEqual([e["type"] for e in found], ["job", "press", "job", "job", "job", "surprise", "power-fault",
                                                      "job", "job-stalled"])
        self.assertEqual((found[7]["result"], found[7]["duration_sec"]), (None, None))
        self.assertEqual(found[8]["step"], "remove")

    def test_slots_and_devices_are_found_by_their_names_of_then(self):
        self.write(STORY)
        slot3 = [("slot3", "eject", "done"), ("slot3", "insert", "done"), ("slot3", "eject", "failed")]
        for name in ["slot3", "3", "0000:00:03.0"]:
            self.assertEqual(self.brief(name), slot3, name)
        self.assertEqual(self.brief("nvme0n1"), slot3[:1])
        self.assertEqual(self.brief("/dev/nvme7n1"), slot3[1:])
        self.assertEqual(self.brief("slot5", "nvme0n1")[0], slot3[0])
        self.assertEqual(self.brief("nvme7"), [])

    def test_the_newest_lines_are_shown_oldest_first(self):
        self.write(STORY)
        everything = self.brief()
        self.assertEqual(self.brief("-n", "3"), everything[-3:])
        self.assertEqual(self.brief("--lines=all"), everything)
        self.assertEqual(self.brief("--lines=0"), [])
        self.assertEqual(self.brief("-n2", "slot3"), [("slot3", "insert", "done"), ("slot3", "eject", "failed")])
        # The device that was ejected is told by a message that is older than that.
        self.assertEqual(self.history("-n", "1", "slot3")[0]["devices"], ["nvme7n1"])

    def test_of_very_many_the_newest_thousand_are_shown_and_the_rest_is_told_of(self):
        self.write("".join(job(4 * i, i, "slot3", "eject", "done", devices="nvme0n1") for i in range(1, 1102)))
        done = self.hpctl("--no-legend", "history", "-D", str(self.journal))
        self.assertEqual((done.stdout.count("\n"), done.stderr), (1000, ""))
        done = self.hpctl("history", "-D", str(self.journal))
        self.assertIn("--lines=all", done.stderr)
        found = self.history()
        self.assertEqual([e["job"] for e in found], list(range(102, 1102)))
        self.assertTrue(all(e["devices"] == ["nvme0n1"] for e in found))
        self.assertEqual(len(self.history("--lines=all")), 1101)
        self.assertEqual(len(self.history("--since=2026-11-24")), 1101)

    def test_since_takes_what_people_write(self):
        self.write(STORY)
        late = self.brief()[4:]
        for text in ["2026-11-24 05:00:00", "2026-11-24 05:00", "2026-11-24T05:00:00.123456Z", f"@{START + 2400}",
                     f"@{START + 2400}.5"]:
            self.assertEqual(self.brief("--since", text), late, text)
        self.assertEqual(len(self.brief("--since=2026-11-24")), 9)
        self.assertEqual(len(self.brief("--since", "2026-11-24T04:20:02.000000Z")), 9)
        self.assertEqual(len(self.brief("--since", "2026-11-24T04:20:02.000001Z")), 8)
        self.assertEqual(self.brief("--since=2027-01-01"), [])

    def test_a_job_that_ended_in_time_is_told_with_its_begin_from_before(self):
        self.write(entry(0, "JOB_BEGUN", slot="slot3", job=1, operation="eject", devices="nvme0n1")
                   + entry(1, "JOB_BEGUN", slot="slot4", job=2, operation="eject", devices="nvme1n1")
                   + entry(10, "JOB_DONE", slot="slot3", job=1, operation="eject", result="done")
                   + entry(11, "JOB_DONE", slot="slot4", job=2, operation="eject", result="done"))
        for arguments in [["--since", f"@{START + 5}"], ["-n", "2"]]:
            self.assertEqual([(e["slot"], e["devices"], e["began"][-9:-8]) for e in self.history(*arguments)],
                             [("slot3", ["nvme0n1"], "0"), ("slot4", ["nvme1n1"], "1")])

    def test_a_replace_tells_of_the_new_card_and_the_old_one(self):
        about = {"slot": "slot3", "job": 1, "operation": "replace"}
        self.write(entry(0, "JOB_BEGUN", **about, devices="nvme0n1")
                   + entry(60, "JOB_DONE", **about, devices="nvme1n1", result="done"))
        for name in ["nvme0n1", "nvme1n1"]:
            self.assertEqual([e["devices"] for e in self.history(name)], [["nvme1n1", "nvme0n1"]])

    def test_a_job_of_another_boot_with_the_same_number_is_another_one(self):
        self.write(entry(0, "JOB_BEGUN", slot="slot3", job=1, operation="eject", devices="nvme0n1")
                   + entry(60, "JOB_DONE", 1, slot="slot3", job=1, operation="eject", result="done"))
        self.assertEqual([(e["result"], e["devices"]) for e in self.history()], [(None, ["nvme0n1"]), ("done", [])])

    def test_since_is_relative_to_now(self):
        now = datetime.datetime.now(datetime.timezone.utc).timestamp() - START
        self.write(job(now - 7200, 1, "slot3", "eject", "done") + job(now - 60, 2, "slot3", "insert", "done"))
        recent = [("slot3", "insert", "done")]
        for text in ["-1h", "1h ago", "90min ago", "-1h 30min", "5m ago"]:
            self.assertEqual(self.brief("--since", text), recent, text)
        for text in ["-3h", "-1d", "yesterday"]:
            self.assertEqual(len(self.brief("--since", text)), 2, text)
        self.assertEqual(self.brief("--since", "now"), [])
        self.assertLessEqual(len(self.brief("--since", "00:00")), len(self.brief("--since", "yesterday")))
        self.assertEqual(self.brief("--since", "today"), self.brief("--since", "00:00:00"))

    def test_wrong_usage_exits_2_and_says_what_is_right(self):
        for text in ["", "soon", "2026-02-31", "2026-13-01", "25:00", "-", "-x", "@", "@1x", "2026-11-24 04:20 PM",
                     "-infinity", "2026-11-24 04:20Z", "99999999999999999999"]:
            self.assertIn("--since is a time", self.refused("history", "--since", text, code=2), text)
        for text in ["", "-1", "x", "3x", "all of them"]:
            self.assertIn("--lines is a number", self.refused("history", f"--lines={text}", code=2), text)
        for verb in ["list", "monitor"]:
            for option in ["--since=now", "--lines=3", "-D/tmp"]:
                self.assertIn("hpctl --help", self.refused(option, verb, code=2))

    def test_no_journal_exits_1_and_says_where_there_is_none(self):
        message = self.refused("history", "-D", str(self.journal), code=1)
        self.assertEqual(message, f"hpctl: {self.journal}: there are no journal files in it.\n")
        self.assertIn("No such file", self.refused("history", "-D", "/nonexistent", code=1))

    def test_nothing_in_the_journal_is_a_remark_and_no_error(self):
        self.write(entry(0, "ADOPTED", slot="slot9"))
        done = self.hpctl("history", "-D", str(self.journal))
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", "Nothing in the journal.\n"))
        done = self.hpctl("history", "-D", str(self.journal), "slot9")
        self.assertEqual((done.returncode, done.stderr), (0, "Nothing of slot9 in the journal.\n"))
        self.assertEqual(self.history(), [])


if __name__ == "__main__":
    unittest.main()
