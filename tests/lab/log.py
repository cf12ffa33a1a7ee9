# SPDX-License-Identifier: LGPL-2.1-or-later
"""The serial log: what in it is a sign that the kernel is broken."""

import re

TROUBLE = re.compile("|".join([
    r"INFO: task .* blocked for more than",
    r"INFO: rcu_.* (self-)?detected stall", r"rcu: INFO: .*stall", r"rcu: .* kthread starved",
    r"watchdog: BUG: soft lockup", r"NMI watchdog: .*LOCKUP",
    r"\bBUG: ", r"kernel BUG at", r"\bWARNING: (CPU|possible|suspicious|bad|inconsistent|\S+:\d+ at )",
    r"Oops(:| -)", r"general protection fault", r"Unable to handle kernel", r"Kernel panic",
    r"refcount_t: ", r"list_(add|del) corruption", r"scheduling while atomic",
    r"ODEBUG: ", r"turning off the locking correctness validator",
    r"DEBUG_LOCKS_WARN_ON", r"sleeping function called", r"UBSAN: ", r"KASAN: ",
    r"Internal error", r"unregister_netdevice: waiting for", r"nobody cared",
    r"Bad page state", r"Object already free", r"Poison overwritten", r"Redzone overwritten",
]))
# pciehp brings a card up with its reset_lock held, and takes it again under the rescan
# lock (6.1: pciehp_ist(), pciehp_configure_device()): a stock bug, which lockdep tells.
LOCKDEP = re.compile(r"^[^\n]*WARNING: possible circular locking dependency.*?</TASK>$", re.M | re.S)
HUNG = re.compile(r"INFO: task (\S+):(\d+) blocked for more than")


def of_pciehp_alone(report):
    return "at: pciehp_configure_device" in report and "[hpshim]" not in report


class SerialLog:
    def __init__(self, path):
        self.path = path

    def size(self):
        return self.path.stat().st_size if self.path.exists() else 0

    def text(self, start=0):
        if not self.path.exists():
            return ""
        with open(self.path, "rb") as file:
            file.seek(start)
            return file.read().decode(errors="replace").replace("\r", "")

    def trouble(self, start=0, stock=False):
        """The lines written since `start` that must fail a test. With `stock` also what
        lockdep says of pciehp alone, after which it looks at nothing any more."""
        text = self.text(start)
        if not stock:
            text = LOCKDEP.sub(lambda report: "" if of_pciehp_alone(report[0]) else report[0], text)
        return [line for line in text.splitlines() if TROUBLE.search(line)]

    def hung_tasks(self, start=0):
        """Names of the tasks reported as hung since `start`."""
        return [match[1] for match in HUNG.finditer(self.text(start))]
