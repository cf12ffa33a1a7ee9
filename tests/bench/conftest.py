# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixtures of the measurements: what was measured is printed, and with --record
written to docs/results.md."""

import pytest

from lab import results


@pytest.fixture
def record(request):
    """A function that takes the name of a section and its text."""
    config = request.config
    kernel = config.getoption("--kernel")
    if config.getoption("--record"):
        results.source()        # as it is now

    def put(name, body):
        print(f"{name}, Linux {kernel}\n{body}", flush=True)
        if config.getoption("--record"):
            results.put(f"{name}, Linux {kernel}",
                        f"tests/check bench --rounds {config.getoption('--rounds')} -- --record --kernel {kernel}"
                        f" -k {request.node.path.name}", body, (kernel,))
    return put
