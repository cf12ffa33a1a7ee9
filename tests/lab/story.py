# SPDX-License-Identifier: LGPL-2.1-or-later
"""The demo: tells in a few minutes, on real guests, what hotplugd is for.

What is printed behind a prompt is typed in the guest, and what follows is what
the guest printed; what happens outside of it (a button, a card) is in brackets.
"""

import random
import sys

from lab import build, console, hotplug, paths
from lab.guest import Guest
from races import r1

BOLD, DIM, OFF = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")
RULES = "/etc/udev/rules.d/71-demo.rules"
SEEDS = (2, 5, 0)       # of the moments of the removal: the stock kernel may be lucky
APPLY = "udevadm control --reload; udevadm trigger -c change -s pci; udevadm settle"
HINTS = """
You are root in the guest. Try:
    hpctl                       slots 1 to 6; slot2 has a drive, slot4 a network card
    hpctl eject nvme0           follow the stages; then: hpctl insert slot2
    hpctl status slot4
    hpctl monitor               everything as it happens
    journalctl -u hotplugd
    man is not installed here, but hpctl --help is short
"""


def say(text):
    print(f"\n{BOLD}{text}{OFF}", flush=True)


def outside(text):
    print(f"{DIM}[{text}]{OFF}", flush=True)


def typed(guest, command, check=True, timeout=60):
    print(f"{BOLD}#{OFF} {command}", flush=True)
    result = guest.run(command, check=check, timeout=timeout)
    sys.stdout.write(result.out + result.err)
    sys.stdout.flush()
    return result


def ejecting(g):
    say("1. Slots, and what is in them")
    outside("two NVMe drives and a network card are plugged in")
    for kind, slot in (("nvme", 2), ("nvme", 3), ("e1000e", 4)):
        hotplug.plug(g, kind, slot)
    typed(g, "hpctl list")

    say("2. Somebody presses the attention button of slot 3")
    monitor = g.spawn("hpctl monitor")
    monitor.wait_for("Watching", 20, "err")
    card = g.press(3)
    outside("press; the power indicator blinks for five seconds, in which a second press cancels")
    g.wait_deleted(card, 60)
    outside("the machine says: the guest has switched the slot off, the card is out")
    hotplug.until_state(g, "slot3", "empty")
    monitor.kill()
    monitor.wait(20)
    sys.stdout.write(monitor.out)

    say("3. The same by command; and a new card stays off until somebody asks, by a udev rule")
    outside("a new card goes into slot 3")
    hotplug.plug(g, "nvme", 3)
    typed(g, "hpctl eject slot3")
    g.wait_deleted("nvme3", 60)
    rule(g, 'ENV{HOTPLUGD_INSERT}="notify"')
    outside("another card goes into slot 3")
    g.plug("nvme", 3)
    hotplug.until_state(g, "slot3", "off")
    typed(g, "hpctl insert slot3")
    typed(g, "hpctl status slot3")


def rule(g, what):
    """A rule for the port of slot 3, in force at once."""
    port = hotplug.slots(g)["slot3"]["address"]
    typed(g, f"echo 'SUBSYSTEM==\"pci\", KERNEL==\"{port}\", {what}' >{RULES}")
    typed(g, APPLY)


def asking(g):
    say("4. Desktop tools ask on D-Bus")
    typed(g, "busctl get-property org.hotplugd1 /org/hotplugd1/slot/slot3 org.hotplugd1.Slot"
             " State Devices")

    say("5. Policy holds at once: now the button of slot 3 does nothing")
    rule(g, 'ENV{HOTPLUGD_BUTTON}="ignore"')
    outside("press")
    g.run("hpshim-inject slot3 button")
    g.wait_until("journalctl -u hotplugd -o cat | grep -q 'ignored by policy'", 20)
    typed(g, "journalctl -u hotplugd -o cat -n 1")
    typed(g, "hpctl list")
    g.run(f"rm {RULES};" + APPLY)


def race(g, seed=SEEDS[0]):
    """Start one round of R1; return the start of its log and the rest of it."""
    r1.fill(g)
    outside("four drives below a switch; all four buttons; five seconds later:")
    print(f"{BOLD}#{OFF} echo 1 > /sys/bus/pci/devices/SWITCH/remove", flush=True)
    start = g.serial.size()
    return start, *r1.race(g, "echo 1 > {upstream}/remove", random.Random(seed))


def hangs(tree, seed):
    """One round on the stock kernel; say whether it hung."""
    with Guest("switch", tree, stock=True, snapshot=True) as g:
        start, remover, upstream = race(g, seed)
        if r1.outcome(g, remover, upstream, start) == "ok":
            print("this time it came through")
            return False
        print(*(line for line in g.serial.text(start).splitlines() if "blocked for more than" in line),
              "hung for good: PCI hot-plug of this machine is dead until it is rebooted", sep="\n")
        return True


def survives(tree):
    """The same under hotplugd."""
    with Guest("switch", tree, snapshot=True) as g:
        start, remover, upstream = race(g)
        well = r1.outcome(g, remover, upstream, start) == "ok"
        if well:
            print("the switch and all below it are gone; nothing hangs")
        typed(g, "hpctl list")
    return well


def main():
    tree = build.installed()
    say("hotplugd, shown on a machine with six PCIe hot-plug slots (QEMU, software emulation)")
    paths.say("booting")
    with Guest("flat", tree) as g:
        ejecting(g)
        asking(g)
        say("6. What a stock kernel does when a switch is removed while buttons are pressed below it")
        if not any(hangs(tree, seed) for seed in SEEDS):
            print("it has been lucky; most of the time it hangs: tests/check races")
        say("7. The same under hotplugd")
        if not survives(tree):
            say("That should not have happened.")
            return 1
        if sys.stdin.isatty() and sys.stdout.isatty():
            print(HINTS)
            console.interact(g)
        else:
            say("With a terminal you would now be at a prompt of the first machine.")
    return 0
