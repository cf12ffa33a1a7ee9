# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixtures of the races, and the table at the end of the run.

Those marked every_change belong to every change; the others are run by name:
tests/check races. With --record the table goes to docs/results.md.
"""

import random

import pytest

from lab import results
from races import race


def pytest_configure(config):
    config.addinivalue_line("markers", "every_change: a race that belongs to every change")
    if config.getoption("--record"):
        results.source()


@pytest.fixture
def tally(request, record_property):
    """Makes a Tally whose outcome gets into the table however the test ends."""
    made = []

    def make(name, system):
        seed = request.config.getoption("--seed") or random.randrange(1, 100000)
        made.append(race.Tally(name, system, seed))
        return made[-1]

    yield make
    for one in made:
        if getattr(request.node, "failed", False) and one.ok == one.rounds:
            one.remark = "the test failed between two rounds"
        record_property("race", race.row(one))


def pytest_terminal_summary(terminalreporter, config):
    rows = []
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "teardown":
                rows += [value for key, value in report.user_properties if key == "race"]
    if rows:
        terminalreporter.section("races")
        for line in race.table(sorted(rows)):
            terminalreporter.write_line(line)
        if config.getoption("--record"):
            for name in sorted({row[0].split()[0] for row in rows}):
                record(name, sorted(row for row in rows if row[0].split()[0] == name), config)


def record(name, rows, config):
    """Write the section of one race."""
    kernel = config.getoption("--kernel")
    command = f"tests/check races --rounds {config.getoption('--rounds')} -- --record --kernel {kernel} -k test_{name.lower()}.py"
    remarks = [f"{row[0]}, {row[1]}: {row[-1]}." for row in rows if row[-1]]
    body = "\n\n".join([results.table(race.HEAD[:-1], [row[:-1] for row in rows])] + remarks)
    results.put(f"Race {name}, Linux {kernel}", command, body, (kernel,))
