# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixtures of the stress suite."""

import pytest


@pytest.fixture
def rounds(request):
    return request.config.getoption("--rounds")
