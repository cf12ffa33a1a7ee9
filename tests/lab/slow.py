# SPDX-License-Identifier: LGPL-2.1-or-later
"""A kernel whose commits take long: else they are over before they are met."""

MODULE = "/usr/local/lib/lab-modules/hpslow.ko"
MS = 150            # what the removal of each PCI device takes longer


def commits(g):
    """From now on, until the guest ends."""
    g.run(f"insmod {MODULE} ms={MS}")
