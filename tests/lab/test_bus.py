# SPDX-License-Identifier: LGPL-2.1-or-later
"""hotplugd on the real bus: its interfaces are those that are documented, who may what
is polkit's to say, and clients that ask and never read harm nobody."""

import json
import time
import xml.etree.ElementTree as xml

import pytest

from lab import paths
from lab.hotplug import plug, slots, until_state
from lab.rawbus import CLIENT

INTERFACES = paths.SOURCE / "daemon/dbus"
RULES = "/etc/polkit-1/rules.d/10-test.rules"

# Connections that ask and never read. Prints a line when all is sent, and stays.
FLOOD = CLIENT + r'''
connections = [connect() for _ in range(int(sys.argv[1]))]
for bus in connections:
    bus.setblocking(False)
sent = 0
for serial in range(2, 2 + int(sys.argv[2])):
    for bus in connections:
        try:
            bus.send(call(serial, "org.hotplugd1", "/org/hotplugd1", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects"))
            sent += 1
        except BlockingIOError:
            pass
print("sent", sent, flush=True)
time.sleep(3600)
'''


@pytest.fixture
def flat(guest):
    return guest("flat")


def introspect(g, path):
    out = g.out(f"busctl call -j org.hotplugd1 {path} org.freedesktop.DBus.Introspectable Introspect")
    return xml.fromstring(json.loads(out)["data"][0])


def annotations(element):
    return tuple((one.get("name"), one.get("value")) for one in element.findall("annotation"))


def shape(interface):
    """All that an interface says, but its comments, and the order of its members."""
    found = {annotations(interface)}
    for member in interface:
        if member.tag == "annotation":
            continue
        arguments = tuple((argument.get("name"), argument.get("type"),
                           argument.get("direction") if member.tag == "method" else None)
                          for argument in member.findall("arg"))
        found.add((member.tag, member.get("name"), member.get("type"), member.get("access"), arguments,
                   annotations(member)))
    return found


def test_the_interfaces_on_the_bus_are_the_documented_ones(flat):
    plug(flat, "nvme", 3)
    flat.press(3)
    until_state(flat, "slot3", "busy")
    job, = json.loads(flat.out("hpctl --json jobs"))["jobs"]
    live = {name: introspect(flat, path)
            for name, path in (("Manager", "/org/hotplugd1"), ("Slot", "/org/hotplugd1/slot/slot3"),
                               ("Job", f"/org/hotplugd1/job/{job['id']}"))}
    flat.run(f"hpctl cancel {job['id']}", check=False)
    for name, found in live.items():
        find = f"./interface[@name='org.hotplugd1.{name}']"
        documented = xml.parse(INTERFACES / f"org.hotplugd1.{name}.xml").find(find)
        assert shape(found.find(find)) == shape(documented), name
    assert live["Manager"].find("./interface[@name='org.freedesktop.DBus.ObjectManager']") is not None


def memory(g):
    """The daemon's, in MiB."""
    return int(g.out("grep VmRSS /proc/$(pidof hotplugd)/status").split()[1]) / 1024


def list_seconds(g, count):
    start = time.monotonic()
    assert len(json.loads(g.run("hpctl --json list", timeout=60).out)["slots"]) == count
    return time.monotonic() - start


def restart_seconds(g):
    start = time.monotonic()
    g.run("systemctl restart hotplugd", timeout=60)
    return time.monotonic() - start


# One FindSlot with a name of so many bytes. Waits for the answer.
LONG_NAME = CLIENT + r'''
bus = connect()
name = "x" + "\u00fc" * (int(sys.argv[1]) // 2)    # cut off in the middle of one, it is no text
bus.sendall(call(2, "org.hotplugd1", "/org/hotplugd1", "org.hotplugd1.Manager", "FindSlot", "s", text(name)))
told = b""
while b"org.hotplugd1.Error.NoSuchSlot" not in told:
    told = told[-100:] + (bus.recv(65536) or sys.exit("the bus hung up"))
print("answered", len(told))
'''


def daemon_pid(g):
    return g.out("systemctl show hotplugd -p MainPID --value")


def test_a_name_as_long_as_the_bus_takes_costs_one_short_answer(flat):
    pid = daemon_pid(flat)
    assert "answered" in flat.run(["python3", "-c", LONG_NAME, str((32 << 20) - 300)], user="user", timeout=120).out
    eject = "busctl call org.hotplugd1 /org/hotplugd1 org.hotplugd1.Manager Eject 'sa{sv}' slot5 "
    for options, why in (("2 force b true force b true", "given twice"), ("1 forced b true", "unknown option 'forced'"),
                         ("1 " + "ü" * 60 + " b true", "unknown option 'ü")):
        assert why in flat.run(eject + options, user="user", check=False).err
    assert daemon_pid(flat) == pid and flat.run("hpctl list").rc == 0


@pytest.mark.parametrize("calls", [pytest.param(10, marks=pytest.mark.long), pytest.param(100, marks=pytest.mark.idle)])
def test_a_hundred_clients_that_never_read_do_no_harm(guest, calls):
    """The bus listens to nobody of whom it keeps 127 MiB: 3,000 answers with 64 slots, 1,000 with 200."""
    g = guest("ports-64")
    g.wait_until("test $(hpctl --no-legend list | grep -c shim) = 64", 120)
    usual = list_seconds(g, 64)
    flood = g.spawn(["python3", "-c", FLOOD, "100", str(calls)], user="user")
    flood.wait_for("sent", 60)
    try:
        took = [list_seconds(g, 64) for _ in range(5)]
        start = time.monotonic()
        assert "nothing to do" in g.out("hpctl eject slot7")
        took.append(time.monotonic() - start)
        assert flood.rc is None, flood.err
        print(f"list {usual:.2f} s; with 100 silent clients {[round(t, 2) for t in took]}, {memory(g):.0f} MiB")
        # The first waits behind all that was asked before it, for less than hpctl would wait.
        assert took[0] < 25 and max(took[1:]) < 10 + usual, took
        assert memory(g) < 100
        assert restart_seconds(g) < 15
        assert list_seconds(g, 64) < 5 + usual
    finally:
        flood.kill()
    assert g.run("hpctl list", user="user").rc == 0


@pytest.fixture
def allowed(flat):
    """Let polkit say yes to the user for some actions."""
    def allow(*actions):
        flat.run(f"cat >{RULES} && systemctl restart polkit", timeout=60, stdin=f"""
            polkit.addRule(function(action, subject) {{
                if (subject.user == "user" && {json.dumps(["org.hotplugd1." + one for one in actions])}.indexOf(action.id) >= 0)
                    return polkit.Result.YES;
            }});
            """)
    yield allow
    flat.run(f"rm -f {RULES} && systemctl restart polkit", timeout=60)


def test_whom_polkit_lets_is_named_as_who_asked(flat, allowed):
    uid = flat.out("id -u user").strip()
    allowed("eject", "replace", "cancel")
    plug(flat, "nvme", 3)
    replace = flat.spawn("hpctl --no-ask-password replace slot3", user="user")
    flat.wait_deleted("nvme3", 40)
    flat.wait_until("hpctl --no-legend jobs | grep -q ' card '")
    job, = json.loads(flat.out("hpctl --json jobs"))["jobs"]
    assert job["requested_by"] == f"uid {uid}"
    for verb in ("insert slot4", "hold slot4"):
        done = flat.run(f"hpctl --no-ask-password {verb}", user="user", check=False)
        assert done.rc == 6 and "not authorised" in done.err, done
    flat.run(f"hpctl --no-ask-password cancel {job['id']}", user="user", check=False)
    assert f"cancelled by uid {uid}" in replace.wait(40).err
    plug(flat, "nvme", 3)
    flat.run("hpctl --no-ask-password eject slot3", user="user", timeout=40)
    assert f"HOTPLUGD_REQUESTED_BY=uid {uid}" in flat.out("journalctl -u hotplugd -o export -n 20")


def test_who_is_not_let_by_polkit_cancels_inserts_and_rescans_nothing(flat):
    plug(flat, "nvme", 3)
    replace = flat.spawn("hpctl replace slot3")     # a job that waits as long as it has to
    flat.wait_deleted("nvme3", 40)
    flat.wait_until("hpctl --no-legend jobs | grep -q ' card '")
    job, = json.loads(flat.out("hpctl --json jobs"))["jobs"]
    for verb in (f"cancel {job['id']}", "insert slot3", "replace slot3"):
        done = flat.run(f"hpctl --no-ask-password {verb}", user="user", check=False)
        assert done.rc == 6, (verb, done)
    for slot in ("Manager Rescan sa{sv} slot3 0", "Manager Insert sa{sv} slot3 0"):
        done = flat.run(f"busctl call org.hotplugd1 /org/hotplugd1 org.hotplugd1.{slot}", user="user", check=False)
        assert done.rc != 0 and "not authorised" in done.err, done
    assert json.loads(flat.out("hpctl --json jobs"))["jobs"][0]["id"] == job["id"]
    flat.run(f"hpctl cancel {job['id']}", check=False)
    assert "cancelled by uid 0" in replace.wait(40).err
