# SPDX-License-Identifier: LGPL-2.1-or-later
"""Counts rounds of a race and prints them as a table. What a round is, its
scenario says; here is only what all races share."""

import dataclasses
import random


@dataclasses.dataclass
class Tally:
    """The outcome of some rounds of one race on one system."""
    race: str
    system: str
    seed: int
    outcomes: list = dataclasses.field(default_factory=list)
    remark: str = ""
    slowest: float = 0      # seconds that hpctl list took at most; 0: not measured

    def note(self, outcome, slowest=0):
        self.outcomes.append(outcome)
        self.slowest = max(self.slowest, slowest)
        print(f"{self.race} {self.system}: round {len(self.outcomes)}: {outcome}", flush=True)

    @property
    def rounds(self):
        return len(self.outcomes)

    @property
    def ok(self):
        return self.outcomes.count("ok")

    @property
    def hung(self):
        return sum(outcome.startswith("hung") for outcome in self.outcomes)

    def random(self, number):
        """The randomness of one round: the same again with the same seed."""
        return random.Random(f"{self.race} {self.system} {self.seed} {number}")


def row(tally):
    return [tally.race, tally.system, tally.rounds, tally.hung,
            tally.rounds - tally.hung - tally.ok, tally.ok,
            f"{tally.slowest:.2f} s" if tally.slowest else "-", tally.seed, tally.remark]


HEAD = ["race", "system", "rounds", "hung", "other", "ok", "slowest list", "seed", "remark"]


def table(rows):
    rows = [HEAD] + [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    return ["  ".join(cell.ljust(width) if i < 2 else cell.rjust(width)
                      for i, (cell, width) in enumerate(zip(row, widths))) for row in rows]
