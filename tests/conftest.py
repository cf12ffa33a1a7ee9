# SPDX-License-Identifier: LGPL-2.1-or-later
"""Everything that boots a guest gets the lab's fixtures."""

pytest_plugins = ["lab.fixtures"]
