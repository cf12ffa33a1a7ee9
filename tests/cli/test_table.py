# SPDX-License-Identifier: LGPL-2.1-or-later
"""hpctl's tables: on a terminal, which has colours and may be narrow, and in a pipe."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from bus import BusCase  # noqa: E402


class Table(BusCase):
    def test_a_table_has_headings_no_colours_and_fits_80_columns(self):
        self.fake("busy")
        out = self.said("list", "slot1", "slot8", "slot20")
        self.assertEqual(out.split()[:7], ["SLOT", "ADDRESS", "BACKEND", "KIND", "STATE", "DEVICES", "JOB"])
        self.assertNotIn("\x1b", out)
        self.assertLessEqual(max(len(line.rstrip()) for line in out.splitlines()), 80)
        self.assertRegex(out, r"slot8 .* busy +nvme8n1 \(nvme\) +1 eject grace")

    def test_what_is_too_wide_for_a_table_goes_on_below(self):
        self.fake()
        terminal = self.terminal("list", "slot1", columns=62)
        self.assertEqual(terminal.finish(), 0)
        self.assertRegex(terminal.out, r"nvme0n1 \(nvme\) +front *\r?\n +left *\r?\n")

    def test_devices_stand_below_each_other_and_are_never_torn(self):
        self.fake()
        for columns in (80, 40):
            terminal = self.terminal("list", "slot24", columns=columns)
            self.assertEqual(terminal.finish(), 0)
            self.assertRegex(terminal.out, r"nvme24n1 \(nvme\), *\r?\n +nvme24n2 \(nvme\) *\r?\n", columns)
        self.assertRegex(self.said("list", "slot24"), r" nvme24n1 \(nvme\), nvme24n2 \(nvme\) ")

    def test_colours_are_for_terminals_without_no_color(self):
        self.fake()
        terminal = self.terminal("list")
        terminal.finish()
        self.assertIn("\x1b[32m", terminal.out)
        self.env["NO_COLOR"] = "1"
        terminal = self.terminal("list")
        terminal.finish()
        self.assertNotIn("\x1b", terminal.out)


if __name__ == "__main__":
    unittest.main()
