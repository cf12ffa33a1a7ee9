# SPDX-License-Identifier: LGPL-2.1-or-later
"""hpctl --dry-run: ends as the operation itself would."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from bus import BusCase  # noqa: E402


class DryRun(BusCase):
    def job_at(self, step):
        while not any(job["step"] == step for job in self.json("jobs")["jobs"]):
            pass

    def test_what_is_off_need_not_be_protected(self):
        self.fake()
        self.refused("--dry-run", "eject", "slot3", code=5)
        self.said("--force", "eject", "slot3")
        self.assertIn("nothing to do", self.said("eject", "slot3"))
        self.assertIn("nothing to do", self.said("--dry-run", "eject", "slot3"))

    def test_what_is_on_needs_no_latch(self):
        self.fake()
        self.assertEqual(self.json("list", "slot9")["slots"][0]["latch"], "open")
        self.assertIn("nothing to do", self.said("--dry-run", "insert", "slot9"))
        self.refused("--dry-run", "insert", "slot2", code=1)

    def test_an_insert_ends_the_wait_of_a_replace(self):
        self.fake()
        self.said("--no-block", "replace", "slot7")
        self.job_at("card")
        self.assertIn("job 1", self.said("--dry-run", "insert", "slot7"))
        self.refused("--dry-run", "eject", "slot7", code=5)

    def test_below_a_slot_that_is_being_ejected_all_is_refused(self):
        self.fake()
        self.said("--dry-run", "eject", "slot9")
        self.said("--no-block", "eject", "slot7")
        self.job_at("remove")
        for verb in ("eject", "insert", "replace"):
            self.assertIn("slot7", self.refused("--dry-run", verb, "slot9", code=5))
            self.assertIn("slot7", self.refused(verb, "slot9", code=5))

    def test_below_a_slot_that_waits_for_a_card_nothing_is_refused(self):
        self.fake()
        self.said("--no-block", "replace", "slot7")
        self.job_at("card")
        self.said("--dry-run", "eject", "slot9")


if __name__ == "__main__":
    unittest.main()
