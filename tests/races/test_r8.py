# SPDX-License-Identifier: LGPL-2.1-or-later
"""R8 under hotplugd. A round is one eject of a card whose driver does not let go."""

import pytest

from lab import stuck
from lab.hotplug import DONE, until_state
from races import r8, witness


def eject(g, seconds, step, count):
    stuck.prepare(g, r8.SLOT, seconds)
    removals = stuck.removals(g)
    job = g.spawn(f"hpctl eject slot{r8.SLOT}")
    stuck.stalled(g, r8.SLOT)
    assert stuck.job(g, r8.SLOT)["step"] == step
    # what can be cancelled: an eject that waits for the commit; a replace that waits for a card
    times = stuck.answers(g, *((r8.OTHER, "Eject") if step == "remove" else (r8.EMPTY, "Replace")))
    result, slowest = "ok", max(took[0] for took in times.values())
    for check in (lambda: r8.shown(g, step), lambda: r8.journal(g), lambda: r8.answered(times),
                  lambda: r8.cancelled(g) if step == "remove" else r8.goes(g)):
        answer = check()
        result = answer if result == "ok" else result
    if not stuck.power(g, r8.SLOT) or stuck.removals(g) != removals:
        result = "power went off under the driver"
    if seconds == r8.NEVER:
        stuck.release(g)
    code = job.wait(r8.LONG + DONE).rc
    g.wait_deleted(f"{stuck.CARD}{r8.SLOT}", DONE)
    until_state(g, f"slot{r8.SLOT}", "empty")
    if result == "ok":
        result = witness.agree(g) if code == 0 else f"exit {code}"
    count.note(result, slowest / 1000)
    print("R8: median and slowest, ms:", {name: (r8.middle(took), took[0]) for name, took in times.items()})
    assert result == "ok"


@pytest.mark.expect_hang
@pytest.mark.parametrize("step", ["unbind", "remove"])
@pytest.mark.parametrize("seconds", [r8.LONG, r8.NEVER], ids=["a while", "until told"])
def test_a_driver_that_does_not_let_go_is_shown_and_waited_for(guest, tally, rounds, seconds, step):
    count = tally(f"R8 {step}, a while" if seconds == r8.LONG else f"R8 {step}, until told", "hotplugd")
    if seconds == r8.LONG and rounds <= 3:
        seconds = r8.SHORT
    g = guest("flat", fresh=True)
    stuck.settle(g, step)
    g.plug("nvme", r8.OTHER)
    g.wait_bound(r8.OTHER, "nvme", DONE)
    for _ in range(rounds if seconds == r8.NEVER else 1):
        eject(g, seconds, step, count)
