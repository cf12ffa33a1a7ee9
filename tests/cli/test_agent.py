# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ctrl-C of somebody who is asked for passwords: fake-agent.c says when there is an agent."""

import os
import pathlib
import signal
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from bus import BusCase, Terminal  # noqa: E402

HPCTL = os.environ.get("HPCTL_FAKE_AGENT", "hpctl-fake-agent")


class Agent(BusCase):
    def terminal(self, *arguments, columns=80):
        return Terminal([HPCTL, *arguments], self.env, columns)

    def test_an_agent_is_there_again_when_ctrl_c_asks_to_cancel(self):
        fake = self.fake()
        terminal = self.terminal("eject", "slot8")
        terminal.wait_for(r"(?s)\[agent begins\].*begins in 5s")
        fake.send_signal(signal.SIGSTOP)
        terminal.interrupt()
        terminal.wait_for(r"(?s)asking to cancel.*\[agent ends: 2\]\s+\[agent begins\]\r\n")
        out = terminal.out
        self.assertFalse(terminal.read(2.5), "it writes where a password may be typed")
        self.assertEqual(terminal.out, out)
        fake.send_signal(signal.SIGCONT)
        self.assertEqual(terminal.finish(), 8)
        self.assertIn("slot8: cancelled", terminal.out)

    def test_all_jobs_are_asked_to_be_cancelled_one_after_the_other(self):
        self.fake()
        terminal = self.terminal("eject", "slot7", "slot8")
        terminal.wait_for("(?s)removing nvme7n1.*begins in")
        terminal.interrupt()
        terminal.wait_for("(?s)slot7: not cancelled.*reached its commit")
        terminal.wait_for("slot8: [^:]*cancelled")
        terminal.interrupt()
        self.assertEqual(terminal.finish(), 7)
        self.assertEqual(terminal.out.count("[agent begins]"), 2)


if __name__ == "__main__":
    unittest.main()
