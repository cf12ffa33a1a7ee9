# SPDX-License-Identifier: LGPL-2.1-or-later
"""A controller for hpshim, for tests that drive the module without hotplugd.

`Client` is a process in the guest that holds one netlink socket. It takes a
command a line and prints what comes back, both as JSON; numbers and names are
those of kmod-shim/uapi/hpshim.h, which is parsed here.
"""

import functools
import itertools
import json
import re
import time

import pytest

from lab import paths

HEADER = paths.SOURCE / "kmod-shim/uapi/hpshim.h"
U64 = {"PRESSES", "SEQ", "TIME_NS", "COOKIE", "REQUEST"}
STRINGS = {"PORT", "ADDRESS", "NAME", "REPORT"}


def enum(name, prefix):
    """{word: number} of an enum of the header, without its prefix."""
    body = re.search(rf"enum {name} {{(.*?)}};", HEADER.read_text(), re.S).group(1)
    numbers, value = {}, -1
    for word, given in re.findall(r"^\s*(\w+)(?: = (\w+))?,", body, re.M):
        value = int(given) if given and given.isdigit() else value + 1
        if word.startswith(prefix):
            numbers[word.removeprefix(prefix)] = value
    return numbers


def bits(prefix):
    return {word: 1 << int(shift) for word, shift in
            re.findall(rf"#define {prefix}(\w+)\s+\(1U << (\d+)\)", HEADER.read_text())}


COMMANDS = enum("hpshim_cmd", "HPSHIM_CMD_")
ATTRIBUTES = enum("hpshim_attr", "HPSHIM_A_")
EVENTS = enum("hpshim_event", "HPSHIM_EVENT_")
INJECT = enum("hpshim_inject", "HPSHIM_INJECT_")
INDICATOR = enum("hpshim_indicator", "HPSHIM_INDICATOR_")
STATUS = bits("HPSHIM_STATUS_")
CAPS = bits("HPSHIM_CAP_")

# What runs in the guest; TABLES is prepended. Standard library only.
GUEST = r'''
import errno, json, os, select, socket, struct, sys, time

GENERIC, GETFAMILY, REQUEST, ACK, DUMP = 16, 3, 1, 4, 0x300
names = {number: name for name, number in ATTRIBUTES.items()}
events = {number: name for name, number in EVENTS.items()}

def tell(**what):
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()

def attribute(kind, data):
    size = 4 + len(data)
    return struct.pack("HH", size, kind) + data + b"\0" * (-size % 4)

def attributes(data):
    while len(data) >= 4:
        size, kind = struct.unpack_from("HH", data)
        yield kind & 0x3fff, data[4:size]
        data = data[(size + 3) & ~3:]

sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
sock.bind((0, 0))
for option in 1, 10, 11, 12:
    if option in (11, 12):          # extended acknowledgements, strict checks
        sock.setsockopt(270, option, 1)
if RECEIVE_BUFFER:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)

def send(family, command, flags, sequence, body, version=1):
    sock.send(struct.pack("IHHII", 20 + len(body), family, REQUEST | flags, sequence, 0)
              + struct.pack("BBH", command, version, 0) + body)

send(GENERIC, GETFAMILY, 0, 0, attribute(2, b"hpshim\0"), 2)
family = group = None
for kind, data in attributes(sock.recv(65536)[20:]):
    if kind == 1:
        family, = struct.unpack("H", data)
    elif kind == 7:
        for _, member in attributes(data):
            for inner, value in attributes(member):
                if inner == 2:
                    group, = struct.unpack("I", value)
if not family:
    tell(error="no family")
    sys.exit(1)
try:
    if LISTEN:
        sock.setsockopt(270, 1, group)
except OSError as error:
    tell(group=error.errno)
tell(ready=os.getpid())

def command(request):
    body = b""
    for name, value in request.get("attrs", {}).items():
        if name in STRINGS:
            data = value.encode() + b"\0"
        elif name in U64:
            data = struct.pack("Q", value)
        elif name == "ERRNO":
            data = struct.pack("i", value)
        else:
            data = struct.pack("I", value)
        body += attribute(ATTRIBUTES[name], data)
    body += bytes.fromhex(request.get("raw", ""))
    send(family, COMMANDS[request["cmd"]], DUMP if request.get("dump") else ACK,
         request["id"], body)

def message(data):
    size, kind, flags, sequence, _ = struct.unpack_from("IHHII", data)
    if kind == 2:
        code, = struct.unpack_from("i", data, 16)
        said = None
        if flags & 0x200:
            rest = data[36:size] if flags & 0x100 else data[20 + struct.unpack_from("I", data, 20)[0]:size]
            for inner, value in attributes(rest):
                if inner == 1:
                    said = value.rstrip(b"\0").decode()
        tell(ack=sequence, errno=-code, said=said)
    elif kind == 3:
        tell(done=sequence, errno=-struct.unpack_from("i", data, 16)[0] if size >= 20 else 0)
    elif kind == family:
        found = {}
        for number, value in attributes(data[20:size]):
            name = names.get(number, str(number))
            if name in STRINGS:
                found[name] = value.rstrip(b"\0").decode()
            elif name in U64:
                found[name], = struct.unpack("Q", value)
            elif name == "OVERRUN":
                found[name] = True
            elif name == "ERRNO":
                found[name] = -struct.unpack("i", value)[0]
            elif name == "EVENT":
                found[name] = events[struct.unpack("I", value)[0]]
            elif name != "PAD":
                found[name], = struct.unpack("I", value)
        tell(**{"slot" if data[16] == COMMANDS["SLOT_GET"] else "event": found}, id=sequence)

waiting = b""
while True:
    readable, _, _ = select.select([sock, 0], [], [])
    if 0 in readable:
        got = os.read(0, 65536)
        if not got:
            break
        *lines, waiting = (waiting + got).split(b"\n")
        for line in lines:
            request = json.loads(line)
            if "sleep" in request:
                time.sleep(request["sleep"])
                tell(slept=True)
            elif "write" in request:        # from this very process
                try:
                    with open(request["write"], "w") as file:
                        file.write(request["text"])
                    tell(wrote=0)
                except OSError as error:
                    tell(wrote=error.errno)
            else:
                command(request)
    if sock in readable:
        try:
            data = sock.recv(1 << 20)
        except OSError as error:
            tell(lost=error.errno)
            continue
        while len(data) >= 16:
            size, = struct.unpack_from("I", data)
            message(data[:size])
            data = data[(size + 3) & ~3:]
'''


class Refused(AssertionError):
    def __init__(self, errno, said):
        super().__init__(f"errno {errno}: {said}")
        self.errno = errno
        self.said = said


class Client:
    """A netlink socket in guest `g`; `close` ends the process that holds it.

    `wrap` is a command that starts the process. In a storm an acknowledgement may get lost like an event: let one socket
    command that does not listen."""

    def __init__(self, g, user="root", receive_buffer=0, listen=True, wrap=()):
        tables = {"COMMANDS": COMMANDS, "ATTRIBUTES": ATTRIBUTES, "EVENTS": EVENTS,
                  "U64": sorted(U64), "STRINGS": sorted(STRINGS), "RECEIVE_BUFFER": receive_buffer,
                  "LISTEN": listen}
        source = "".join(f"{name} = {value!r}\n" for name, value in tables.items()) + GUEST
        self.g = g
        self.ids = itertools.count(1)
        self.cookies = itertools.count(1000)
        self.process = g.spawn([*wrap, "python3", "-c", source], user=user, stdin=None)
        self.seen = 0           # bytes of output that were parsed
        self.said = []          # all that it printed
        self.looked = 0         # of that, already looked at by event()
        self.pid = self.until(lambda m: "ready" in m or "error" in m).get("ready")

    def _parse(self):
        text = self.process.out
        end = text.rfind("\n", self.seen) + 1
        if end > self.seen:
            self.said += map(json.loads, text[self.seen:end].splitlines())
            self.seen = end

    def until(self, wanted, timeout=20, start=0):
        """The first message from number `start` on that is wanted."""
        deadline = time.monotonic() + timeout
        index = start
        with self.process.channel.arrival:
            while True:
                self._parse()
                while index < len(self.said):
                    if wanted(self.said[index]):
                        self.found = index
                        return self.said[index]
                    index += 1
                left = deadline - time.monotonic()
                assert left > 0 and self.process.rc is None, \
                    f"not heard in {timeout} s: {self.said[-12:]}\n{self.process.err}"
                self.process.channel.arrival.wait(left)

    def send(self, **what):
        self.process.send(json.dumps(what) + "\n")

    def start(self, cmd, raw="", dump=False, **attrs):
        number = next(self.ids)
        self.send(id=number, cmd=cmd, attrs=attrs, raw=raw, dump=dump)
        return number

    def call(self, cmd, raw="", **attrs):
        """A command up to its acknowledgement."""
        number = self.start(cmd, raw, **attrs)
        ack = self.until(lambda m: m.get("ack") == number)
        if ack["errno"]:
            raise Refused(ack["errno"], ack["said"])

    def refused(self, cmd, raw="", **attrs):
        """The errno with which a command is refused."""
        try:
            self.call(cmd, raw, **attrs)
        except Refused as refused:
            return refused.errno
        raise AssertionError(f"{cmd} {attrs} was accepted")

    def op(self, cmd, timeout=20, **attrs):
        """A command up to its completion; returns the OP_DONE event."""
        cookie = next(self.cookies)
        mark = len(self.said)
        self.call(cmd, COOKIE=cookie, **attrs)
        return self.until(lambda m: m.get("event", {}).get("EVENT") == "OP_DONE"
                          and m["event"].get("COOKIE") == cookie, timeout, mark)["event"]

    def dump(self, cmd="SLOT_GET", **attrs):
        number = self.start(cmd, dump=True, **attrs)
        done = self.until(lambda m: m.get("done") == number or m.get("ack") == number)
        if done.get("errno"):
            raise Refused(done["errno"], done.get("said"))
        return [m.get("slot") or m["event"] for m in self.said
                if m.get("id") == number and ("slot" in m or "event" in m)]

    def slots(self):
        """Slots by name."""
        return {slot["NAME"]: slot for slot in self.dump()}

    def slot(self, number):
        seq = self.start("SLOT_GET", SLOT=number)
        answer = self.until(lambda m: m.get("id") == seq and "slot" in m or m.get("ack") == seq)
        if "slot" not in answer:
            raise Refused(answer["errno"], answer["said"])
        return answer["slot"]

    def event(self, name, timeout=20, **match):
        """The next event of that name; later calls look after it."""
        found = self.until(lambda m: m.get("event", {}).get("EVENT") == name and m["id"] == 0
                           and all(m["event"].get(k) == v for k, v in match.items()),
                           timeout, self.looked)["event"]
        self.looked = self.found + 1
        return found

    def events(self, name=None, **match):
        """All events so far that came by themselves."""
        with self.process.channel.arrival:
            self._parse()
        return [m["event"] for m in self.said if "event" in m and m["id"] == 0
                and name in (None, m["event"].get("EVENT"))
                and all(m["event"].get(k) == v for k, v in match.items())]

    def skip(self):
        """Forget the events so far."""
        with self.process.channel.arrival:
            self._parse()
        self.looked = len(self.said)

    def adopt(self, *ports):
        """Adopt ports by address; returns the slots that came, by name."""
        for port in ports:
            done = self.op("PORT_ADOPT", PORT=port)
            assert done.get("ERRNO") == 0, done
        return {name: slot for name, slot in self.slots().items() if slot["PORT"] in ports}

    def inject(self, slot, what, count=1, interval_us=0):
        self.call("INJECT", SLOT=slot, INJECT=INJECT[what], COUNT=count, INTERVAL_US=interval_us)

    def close(self):
        self.process.end_input()
        self.process.wait()


def has(slot, *names):
    """Are all these status bits set?"""
    return all(slot["STATUS"] & STATUS[name] for name in names)


def writer(g, path, text):
    """A process that writes to a file and prints the errno's name, if there is one."""
    return g.spawn(["python3", "-c", "import errno,os,sys\n"
                    "try: os.write(os.open(sys.argv[1], os.O_WRONLY), sys.argv[2].encode())\n"
                    "except OSError as e: print(errno.errorcode[e.errno])", path, text])


def write(g, path, text, timeout=60):
    return writer(g, path, text).wait(timeout).out.strip() or None


def commit(g, verb, address, generation=None):
    """Write to a commit attribute; the errno's name or None."""
    line = address if generation is None else f"{address} {generation}"
    return write(g, f"/sys/bus/pci/drivers/hpshim/{verb}", line)


@pytest.fixture
def bare(request, pool):
    """A function that gives the test a guest in which hotplugd does not start and
    the module is there to be loaded; shared with others that ask for the same."""
    used = []

    def give(topology, append=(), qemu=()):
        make = functools.partial(pool.guest, topology, qemu=qemu,
                                 append=["systemd.mask=hotplugd.service", *append])
        guest = pool.take((topology, "shim", *append, *qemu), make)
        used.append((guest, guest.serial.size()))
        return guest

    yield give

    expected = request.node.get_closest_marker("expect_hang")
    trouble = []
    for guest, start in used:
        trouble += [] if expected else guest.serial.trouble(start)
        if trouble or getattr(request.node, "failed", False):
            name = re.sub(r"[^\w.-]+", "_", request.node.name)
            guest.collect(paths.ARTIFACTS / name / guest.directory.name)
            pool.drop(guest)
            guest.discard()
    if trouble:
        pytest.fail("the kernel complained:\n" + "\n".join(trouble), pytrace=False)
