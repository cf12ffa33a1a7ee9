# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixtures of the races, and the table at the end of the run."""

import random

import pytest

from races import race


@pytest.fixture
def rounds(request):
    return request.config.getoption("--rounds")


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
        record_property("race", race.row(one))


def pytest_terminal_summary(terminalreporter):
    rows = []
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "teardown":
                rows += [value for key, value in report.user_properties if key == "race"]
    if rows:
        terminalreporter.section("races")
        for line in race.table(sorted(rows)):
            terminalreporter.write_line(line)
