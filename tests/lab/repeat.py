# SPDX-License-Identifier: LGPL-2.1-or-later
"""A test during which QEMU itself crashed is run once more.

QEMU 7.2 sometimes dies by SIGSEGV, with a stock kernel too. That says nothing about
what runs in the guest, so it is no verdict. It is counted and said, in the report's
user_properties and so in the JUnit file; tests/totals repeats it. The evidence of
the first run stays in the artifacts. More than a few in one run are no accident.
"""

import pytest
from _pytest.runner import runtestprotocol

from lab import guest, paths

PROPERTY = "QEMU crashed"
AT_MOST = 2     # repeated tests of one pytest process

repeated = 0


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    global repeated
    guest.crashes()
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    signals = guest.crashes()
    if signals and repeated < AT_MOST and any(report.failed for report in reports):
        repeated += 1
        paths.say(f"{item.nodeid}: QEMU was ended by {', '.join(signals)}; once more. It was:\n"
                  + "\n".join(report.longreprtext for report in reports if report.failed))
        item._initrequest()     # the fixtures anew; pytest has no public way
        item.failed = False
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        reports[-1].user_properties.append((PROPERTY, " ".join(signals)))
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
