# SPDX-License-Identifier: LGPL-2.1-or-later
"""Jobs that hpctl starts and follows: in which order, for how long, and through what."""

import json
import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from bus import BusCase  # noqa: E402


class Order(BusCase):
    def test_a_slot_is_ejected_before_the_one_that_it_is_below(self):
        self.fake()
        for names in (["slot1", "slot1-1"], ["slot1-1", "slot1"]):
            results = self.json("eject", *names)["results"]
            self.assertEqual([result["slot"] for result in results], names)
            self.said("insert", "slot1")

    def test_all_have_a_result_that_is_not_for_want_of_the_slot_above(self):
        self.fake()
        done = self.json("--no-block", "eject", "--all", code=6)["results"]
        jobs = {result["slot"]: result["job"] for result in done}
        self.assertLess(jobs["slot1-1"], jobs["slot1"])


class Restart(BusCase):
    def test_a_slot_that_is_on_is_no_proof_that_its_card_was_replaced(self):
        self.fake()
        done = self.hpctl("--json", "replace", "slot20")
        self.assertEqual(done.returncode, 1, done)
        result, = json.loads(done.stdout)["results"]
        self.assertEqual((result["slot"], result["result"], result["exit_code"]), ("slot20", "error", 1))
        self.assertIn("hpctl history slot20", done.stderr)

    def test_what_the_daemon_tells_when_it_is_back_counts_more_than_the_slots_state(self):
        self.fake()
        self.hpctl("eject", "slot20")
        done = self.hpctl("insert", "slot20")
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("The driver has failed", done.stderr)


class TimeOut(BusCase):
    def test_a_cancel_waits_no_longer_for_answers_than_it_may(self):
        self.fake("silent")
        began = time.monotonic()
        results = self.json("--timeout=0.5", "cancel", "1", "2", code=7)["results"]
        self.assertLess(time.monotonic() - began, 10)
        self.assertEqual([(result["job"], result["result"], result["exit_code"]) for result in results],
                         [(1, "pending", 7), (2, "pending", 7)])

    def test_what_was_not_asked_for_in_time_is_not_pending(self):
        self.fake("silent")
        results = self.json("--timeout=0.5", "eject", "slot1", "slot5", code=7)["results"]
        self.assertEqual([(result["slot"], result["result"], result["exit_code"]) for result in results],
                         [("slot1", "pending", 7), ("slot5", "cancelled", 8)])


if __name__ == "__main__":
    unittest.main()
