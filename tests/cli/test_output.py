# SPDX-License-Identifier: LGPL-2.1-or-later
"""What becomes of hpctl's output: who reads it, and what it has to find there."""

import json
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from bus import HPCTL, TIMEOUT, BusCase  # noqa: E402


class Monitor(BusCase):
    def monitor(self, *options, stdout):
        """With SIGPIPE ignored, as a unit of systemd has it; so has Python."""
        process = subprocess.Popen([HPCTL, *options, "monitor"], env=self.env, stdout=stdout, stderr=subprocess.PIPE,
                                   text=True, restore_signals=False)
        self.addCleanup(self.end, process)
        return process

    def ends(self, process):
        self.assertEqual(process.wait(TIMEOUT), 1)
        self.assertIn("cannot write the output", process.stderr.read())

    def test_it_ends_when_its_reader_has(self):
        self.fake()
        monitor = self.monitor("--json", stdout=subprocess.PIPE)
        self.assertEqual(json.loads(monitor.stdout.readline())["type"], "ready")
        monitor.stdout.close()
        self.said("eject", "slot1")
        self.ends(monitor)

    def test_it_ends_when_the_disk_is_full(self):
        fake = self.fake()
        with open("/dev/full", "w") as full:
            self.ends(self.monitor("--json", stdout=full))
            monitor = self.monitor(stdout=full)
            monitor.stderr.readline()
            fake.kill()
            self.ends(monitor)


class Json(BusCase):
    KEYS = ["slot", "operation", "job", "result", "error", "reason", "exit_code"]

    def test_each_result_has_all_keys(self):
        self.fake("busy")
        for verb in ("eject slot1", "insert slot4", "hold slot1", "locate slot1", "release slot1", "adopt slot1",
                     "--dry-run eject slot1", "--dry-run insert slot1", "cancel 1"):
            for result in self.json(*verb.split())["results"]:
                self.assertEqual(list(result), self.KEYS, verb)

    def test_a_cancel_tells_of_what(self):
        self.fake("busy")
        results = self.json("cancel", "1", "77", code=1)["results"]
        self.assertEqual([(result["slot"], result["operation"], result["job"]) for result in results],
                         [("slot8", "eject", 1), (None, None, 77)])
        self.assertEqual([list(result) for result in results], [self.KEYS, self.KEYS])


if __name__ == "__main__":
    unittest.main()
