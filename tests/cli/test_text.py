# SPDX-License-Identifier: LGPL-2.1-or-later
"""Text of others in hpctl's output: from hardware, the daemon, the command line.

A label, a reason or an argument may have control characters in it, or bytes that are
no UTF-8: none of them may get to the terminal as it is. What of them is in the
journal is test_history.py's.
"""

import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from bus import HPCTL, BusCase  # noqa: E402


class Text(BusCase):
    def test_no_text_of_others_moves_the_cursor(self):
        self.fake()
        monitor = self.spawn([HPCTL, "monitor"])
        monitor.stderr.readline()
        shown = r"\x1b[2Jü"
        for verb, text in {"status": f"slot9 - {shown}", "list": shown, "tree": shown}.items():
            self.assertIn(text, self.said(verb, "slot9"))
        for verb in ["status", "list", "tree", "--dry-run eject"]:
            out = self.said(*verb.split(), "slot25")
            self.assertIn(r"nvme25n1\x1b[2J", out, verb)
            self.assertIn(r"nv\xc2\x9bme", out, verb)
        failure = r"It \x1b[31m did not.\x0aslot1: ejected"
        self.assertIn(failure, self.refused("eject", "slot25", code=1))
        self.assertIn(r"torn\x1b[31m\x0a\xc2\x9b out", self.refused("insert", "slot10", code=5))
        self.assertIn(r"torn\x1b[31m\x0a\xc2\x9b out", self.refused("hold", "slot10", code=5))
        for line in iter(monitor.stdout.readline, ""):
            self.assertRegex(line, r"^\d\d:\d\d:\d\d\.\d{3}  slot25 [ -~]+\n$")
            if "eject failed" in line:
                break
        self.assertIn(failure, line)

    def test_no_argument_moves_the_cursor(self):
        self.fake()
        for arguments, code in [(["\x1b[2J"], 2), (["list", "\x1b[2J"], 3), (["cancel", "\x1b[2J"], 2),
                                (["--json=\x1b[2J"], 2), (["--\x1b[2J"], 2), (["history", "--since=\x1b[2J"], 2),
                                (["history", "-D", "/\x1b[2J"], 1)]:
            message = self.refused(*arguments, code=code)
            self.assertIn(r"\x1b[2J", message)
            self.assertNotIn("\x1b", message)
        self.assertEqual(self.refused("list", "\x1b[2J", code=3).count(r"\x1b[2J"), 1)

    def test_json_has_texts_as_they_are_and_nothing_that_moves_the_cursor(self):
        self.fake()
        out = self.said("--json", "list")
        self.assertRegex(out, r"^[ -~ü]+\n$")
        slots = {slot["slot"]: slot for slot in json.loads(out)["slots"]}
        self.assertEqual(slots["slot9"]["label"], "\x1b[2Jü")
        self.assertEqual((slots["slot25"]["devices"][0]["driver"], slots["slot25"]["devices"][0]["nodes"]),
                         ("nv\x9bme", ["nvme25n1\x1b[2J"]))
        result, = self.json("eject", "slot25", code=1)["results"]
        self.assertEqual(result["reason"], "It \x1b[31m did not.\nslot1: ejected")

    def test_no_stage_moves_the_cursor(self):
        self.fake()
        terminal = self.terminal("eject", "slot25")
        self.assertEqual(terminal.finish(), 1)
        self.assertIn(r"removing nvme25n1\x1b[2J…", terminal.out)
        self.assertNotIn("\x1b[2J", terminal.out)
        self.assertNotIn("\x1b[31m", terminal.out)
        self.assertNotIn("\x9b", terminal.out)


if __name__ == "__main__":
    unittest.main()
