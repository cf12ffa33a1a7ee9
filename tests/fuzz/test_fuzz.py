# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whatever root says to hpshim, it answers with an error or does it, and works on.

`--seconds` says for how long, `--seed` repeats a run.
"""

import json
import random

from fuzz import messages
from lab import shim
from lab.shim import Client, bare, commit     # noqa: F401

PORTS = [f"0000:00:{2 + i:02x}.0" for i in range(6)]
MARGIN = 300        # for the last answers


def test_random_messages_are_refused_cleanly_and_the_module_works_on(bare, request, record_property):
    seconds = request.config.getoption("--seconds")
    seed = request.config.getoption("--seed")
    seed = random.randrange(1 << 32) if seed is None else seed
    g = bare("flat")
    g.run("modprobe hpshim")

    tables = {"COMMANDS": shim.COMMANDS, "ATTRIBUTES": shim.ATTRIBUTES, "U64": sorted(shim.U64),
              "STRINGS": sorted(shim.STRINGS), "PORTS": PORTS, "SEED": seed, "SECONDS": seconds}
    source = "".join(f"{name} = {value!r}\n" for name, value in tables.items()) + messages.SOURCE
    said = g.spawn(["python3", "-c", source]).wait(seconds + MARGIN)
    assert said.rc == 0, f"seed {seed}: {said.err}"
    found = json.loads(said.out)
    record_property("seed", seed)
    record_property("counts", found["counts"])
    print(f"seed {seed}: {found['counts']}")
    assert not found["wrong"], f"seed {seed}: {found['wrong']}"
    # it was not only refused, and not by one check alone
    assert found["counts"]["0"] > 0 and found["counts"]["EINVAL"] > 0, found["counts"]

    works(g)


def works(g):
    """A press, an insert and an eject; then the module goes."""
    client = Client(g)
    client.call("CONTROLLER_SET", GRACE_MS=0)
    for port in PORTS:
        client.op("PORT_RELEASE", timeout=60, PORT=port)
    slots = client.adopt(*PORTS)
    assert len(slots) == len(PORTS)
    three = slots["3"]
    client.skip()
    card = g.plug("nvme", 3)
    client.event("PRESENCE", SLOT=three["SLOT"])
    assert client.op("SET_POWER", timeout=60, SLOT=three["SLOT"], VALUE=1)["ERRNO"] == 0
    client.op("SET_POWER_INDICATOR", SLOT=three["SLOT"], VALUE=1)
    assert commit(g, "rescan", three["ADDRESS"]) is None
    g.wait_bound(3, "nvme", 60)
    g.press(3)
    client.event("BUTTON", SLOT=three["SLOT"])
    assert commit(g, "remove", three["ADDRESS"]) is None
    assert client.op("SET_POWER", timeout=60, SLOT=three["SLOT"], VALUE=0)["ERRNO"] == 0
    client.op("SET_POWER_INDICATOR", SLOT=three["SLOT"], VALUE=shim.INDICATOR["OFF"])   # QEMU waits for it
    g.wait_deleted(card, 60)
    client.close()
    g.wait_until("test $(cat /sys/module/hpshim/refcnt) = 0", 60)
    g.run("rmmod hpshim", timeout=60)
    services = "/sys/bus/pci_express/devices/*:pcie*04"
    g.wait_until(f"for d in {services}; do readlink $d/driver | grep -q pciehp || exit 1; done", 60)
