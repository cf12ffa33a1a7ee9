# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sixteen drives at once: hotplugd is not slower than the kernel's drivers."""

import statistics

from bench import sixteen
from lab import results


def ratios(took):
    return [ours / stock for stock, ours in zip(took["stock"], took["hotplugd"])]


def column(took, number):
    """Of what compared() gives, one of the figures of each round."""
    return {name: [figures[number] for figures in rounds] for name, rounds in took.items()}


def row(what, took):
    return [what, results.spread(took["stock"], "s"), results.spread(took["hotplugd"], "s"),
            results.spread(ratios(took))]


def test_sixteen_drives_go_and_come_as_fast_as_with_the_kernels_drivers(guest, rounds, record):
    guests = sixteen.Guests(guest.own, sixteen.POWERED, filled=False)
    both = sixteen.compared(guests, rounds, lambda g, system: (sixteen.plugged(g, system), sixteen.ejected(g, system)))
    plugged, ejected = column(both, 0), column(both, 1)
    cycled = sixteen.compared(sixteen.Guests(guest.own, sixteen.KEPT, filled=True), rounds, sixteen.cycled)

    record("Sixteen NVMe drives at once", results.table(
        ["what", "stock", "hotplugd", "ratio"],
        [row("eject: `hpctl eject --all`, 16 writes to `power`", ejected),
         row("insert: 16 cards put in at the same moment, until all have drivers", plugged),
         row("insert: `hpctl insert --all`, 16 writes to `power`, until all have drivers", column(cycled, 0)),
         row("the same, until the command has ended and told what came", column(cycled, 1))])
        + "\n\nRatio: hotplugd's time by that of pciehp just before or after, in the same guest.")
    assert statistics.median(ratios(ejected)) <= 1.0
    assert statistics.median(ratios(plugged)) <= 1.1
    assert statistics.median(ratios(column(cycled, 0))) <= 1.1
    # After the last driver the command still waits for what came to be read and told.
    assert statistics.median(ratios(column(cycled, 1))) <= 1.3
