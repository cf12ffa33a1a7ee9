# SPDX-License-Identifier: LGPL-2.1-or-later
"""R7 under hotplugd. A round is one kill."""

from lab import slow
from lab.shim import Client
from races import r7, witness


def test_no_job_and_no_press_is_lost_to_kill_9(guest, tally, rounds):
    count = tally("R7", "hotplugd")
    g = guest(r7.TOPOLOGY, fresh=True)
    slow.commits(g)
    shim = Client(g, listen=False)
    presses = witness.Presses(g)
    jobs = r7.Jobs(g)
    met = []
    for number in range(-(-rounds // r7.KILLS)):
        r7.fill(g)
        presses.forget()
        jobs.told()
        start = g.serial.size()
        result = r7.race(g, shim, presses, count.random(number), start, met)
        for check in (presses.outcome, jobs.outcome, lambda: witness.agree(g)):
            answer = check()
            result = answer if result == "ok" else result
        for _ in range(r7.KILLS):
            count.note(result)
        count.remark = f"{jobs.count} jobs; {sum(met)} of {len(met)} kills met a commit"
        assert result == "ok"
    print(f"R7: {count.remark}")
    assert rounds < 20 or any(met)
    assert g.out("dmesg | grep -c 'controller is gone' || true") == "0"
    witness.hangs_would_show(g)
