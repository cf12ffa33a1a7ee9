# SPDX-License-Identifier: LGPL-2.1-or-later
"""pytest fixtures: guests for tests, shared where it is safe, and the verdict on
what the kernel said meanwhile.

    def test_x(guest):
        g = guest("flat")                   shared with other tests; slots empty
        g = guest("switch", fresh=True)     a guest of its own
        g = guest("flat", stock=True)       without hotplugd

A test that makes the kernel complain (a hung task, an oops, a WARNING, a lockup)
fails, whatever else it found, unless it is marked expect_hang. On the debug kernel
so does one whose guest has lost memory; of a shared guest that is known at its end.
"""

import contextlib
import functools
import re

import pytest

from lab import build, kernel, paths
from lab.guest import Guest
from lab.repeat import pytest_runtest_protocol  # noqa: F401, a hook of this plugin

AT_ONCE = 4     # shared guests kept alive by one pytest process


def pytest_addoption(parser):
    parser.addoption("--kernel", default=kernel.DEFAULT, choices=list(kernel.KERNELS),
                     help="the kernel that guests boot")
    parser.addoption("--rounds", type=int, default=3, help="rounds of races, of what is done for long, of measurements")
    parser.addoption("--seconds", type=int, default=600, help="how long messages are thrown at the module")
    parser.addoption("--record", action="store_true", help="write what was measured to docs/results.md")
    parser.addoption("--seed", type=int, help="seed of the races' timing, from an earlier run's table")


def pytest_configure(config):
    config.addinivalue_line("markers", "idle: needs a machine that does nothing else, so it is run by name")
    config.addinivalue_line("markers", "long: takes long and seldom tells something new, so it is run by name")
    config.addinivalue_line("markers", "expect_hang: what the kernel complains of is what is tested")


@pytest.hookimpl(tryfirst=True)     # xdist looks at the groups in the same hook
def pytest_collection_modifyitems(items):
    """With -n and --dist loadgroup, tests of one file stay on one guest."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(item.path.name))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        item.failed = True


class Pool:
    """The shared guests of this process, oldest use first; all boot one kernel."""

    def __init__(self, kernel_name):
        self.kernel_name = kernel_name
        self.guests = {}
        self.leaks = []         # of guests that were dismissed

    @functools.cached_property
    def tree(self):
        return build.installed(self.kernel_name)

    def guest(self, topology, stock=False, **options):
        """A new guest, which is not shared. `stock`: "bare" is without our files,
        any other truth is the same image with hotplugd kept from starting."""
        return Guest(topology, None if stock == "bare" else self.tree, stock=bool(stock),
                     kernel_name=self.kernel_name, **options)

    def take(self, key, make):
        guest = self.guests.pop(key, None)
        if guest and not is_tidy(guest):
            guest.discard()
            guest = None
        if not guest:
            while len(self.guests) >= AT_ONCE:
                oldest = next(iter(self.guests))
                self.dismiss(self.guests.pop(oldest))
            guest = make().start()
        self.guests[key] = guest
        return guest

    def drop(self, guest):
        self.guests = {key: value for key, value in self.guests.items() if value is not guest}

    def dismiss(self, guest):
        """A shared guest has served."""
        if guest.alive():
            self.leaks += guest.leaks().splitlines()
        guest.discard()

    def end(self):
        for guest in self.guests.values():
            self.dismiss(guest)
        if self.leaks:
            pytest.fail("memory was lost:\n" + "\n".join(self.leaks), pytrace=False)


def is_tidy(guest):
    """Empty the slots of a guest; say whether it can serve another test."""
    try:
        if not guest.alive() or not guest.channel.ping(20):
            return False
        cards = list(guest.plugged)
        for card in cards:
            guest.qmp("device_del", id=card)
        for card in cards:
            guest.wait_deleted(card, 40)
        guest.forget_events()
        return not guest.serial.trouble(stock=True)
    except Exception as error:      # whatever it is, a new guest is the answer
        paths.say(f"a shared guest cannot be used again: {error}")
        return False


@pytest.fixture
def rounds(request):
    return request.config.getoption("--rounds")


@pytest.fixture(scope="session")
def pool(request):
    pool = Pool(request.config.getoption("--kernel"))
    yield pool
    pool.end()


@pytest.fixture
def guest(request, pool):
    """A function that gives the test its guest (see above)."""
    used = []

    def give(topology, stock=False, fresh=False, **options):
        options.setdefault("snapshot", "cold" not in options)
        make = functools.partial(pool.guest, topology, stock, **options)
        alone = fresh or len(options) > 1
        if alone:
            guest = make()
            used.append((guest, 0, True))
            guest.start()
        else:
            guest = pool.take((topology, stock), make)
            used.append((guest, guest.serial.size(), False))
        return guest

    @contextlib.contextmanager
    def own(topology, stock=False, **options):
        """A guest for a part of a test, which may ruin it."""
        guest = pool.guest(topology, stock, **options)
        try:
            yield guest.start()
        finally:
            guest.discard()

    give.own = own
    yield give

    expected = request.node.get_closest_marker("expect_hang")
    trouble = []
    for guest, start, own in used:
        lines = [] if expected else guest.serial.trouble(start)
        if not guest.alive():
            lines.append(f"QEMU ended by itself: exit {guest.process.poll()}")
        elif own and not expected and not getattr(request.node, "failed", False):
            lines += guest.leaks().splitlines()
        trouble += lines
        failed = getattr(request.node, "failed", False) or lines
        if failed:
            name = re.sub(r"[^\w.-]+", "_", request.node.name)
            guest.collect(paths.ARTIFACTS / name / guest.directory.name)
        if own or failed:
            pool.drop(guest)
            guest.discard()
    if trouble:
        pytest.fail("the kernel complained:\n" + "\n".join(trouble), pytrace=False)
