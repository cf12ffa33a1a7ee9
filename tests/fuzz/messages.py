# SPDX-License-Identifier: LGPL-2.1-or-later
"""What runs in the guest: as root, throws random and mutated messages at the family.

The lab puts the protocol's tables, PORTS, SEED and SECONDS before it. Every message
that asks for an acknowledgement has to get one, with an errno that a refusal can
have. Prints one JSON object at the end; `wrong` in it is what was not a clean error.
"""

SOURCE = r'''
import collections, errno, json, random, select, socket, struct, sys, time

GENERIC, GETFAMILY, REQUEST, ACK, DUMP = 16, 3, 1, 4, 0x300
ERROR, DONE = 2, 3
CLEAN = {0} | {getattr(errno, name) for name in (
    "EINVAL ERANGE EMSGSIZE EOPNOTSUPP ENOENT ENODEV EBUSY ESTALE EPERM EPROTO EEXIST"
    " ENXIO EALREADY ENOSPC EAGAIN ENOBUFS").split()}
PATIENCE = 60
OFTEN = 256         # messages from one proof of life to the next
rng = random.Random(SEED)
counts = collections.Counter()
wrong = []

def attribute(kind, data, size=None):
    size = 4 + len(data) if size is None else size
    return struct.pack("HH", size & 0xffff, kind & 0xffff) + data + b"\0" * (-len(data) % 4)

def attributes(data):
    while len(data) >= 4:
        size, kind = struct.unpack_from("HH", data)
        if size < 4:
            return
        yield kind & 0x3fff, data[4:size]
        data = data[(size + 3) & ~3:]

def opened():
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
    sock.bind((0, 0))
    sock.setsockopt(270, 11, 1)
    sock.setsockopt(270, 12, rng.randrange(2))      # strict checks: some have them
    return sock

def family():
    sock = opened()
    body = attribute(2, b"hpshim\0")
    sock.send(struct.pack("IHHII", 20 + len(body), GENERIC, REQUEST, 0, 0)
              + struct.pack("BBH", GETFAMILY, 2, 0) + body)
    found = dict(attributes(sock.recv(65536)[20:]))
    for _, member in attributes(found[7]):
        group = dict(attributes(member)).get(2)
    return struct.unpack("H", found[1])[0], struct.unpack("I", group)[0]

EDGES = [0, 1, 2, 3, 4, 5, 255, 1000, 600000, 600001, 0x7fffffff, 0x80000000, 0xfffff001, 0xffffffff]

def value(name):
    """Bytes of an attribute, that its policy may or may not take."""
    if rng.random() < 0.1:
        return rng.randbytes(rng.choice([0, 1, 3, 4, 7, 8, 19, 20, 21, 64, 300]))
    if name in STRINGS:
        if rng.random() < 0.7:
            return rng.choice(PORTS).encode() + b"\0"
        return rng.choice([b"", b"\0", b"0000:00:1f.7\0", b"ffff:ff:ff.9\0", b"0000:00:02.0",
                           b"%s%n\0", b"x" * 19 + b"\0", b"y" * 20, b"../../etc\0", b"0000:00:02.0 junk\0"])
    if name == "COUNT":         # how long a storm may be is not the question here
        return struct.pack("I", rng.choice([0, 1, 2, 50, 1000001]))
    if name == "INTERVAL_US":
        return struct.pack("I", rng.choice([0, 1, 1000, 60000001]))
    if name in ("SLOT", "VALUE", "INJECT") and rng.random() < 0.7:
        return struct.pack("I", rng.randrange(12))
    number = rng.choice(EDGES)
    return struct.pack("Q", number << rng.choice([0, 0, 31])) if name in U64 else struct.pack("I", number)

def sound():
    """A message as a controller sends it: command, attributes it takes, their values."""
    command = rng.choice(sorted(set(COMMANDS) - {"UNSPEC", "EVENT"}))
    names = {"PORT_ADOPT": ["PORT", "COOKIE"], "PORT_RELEASE": ["PORT", "COOKIE"],
             "CONTROLLER_SET": ["GRACE_MS"], "CONTROLLER_CLEAR": [], "HEARTBEAT": [],
             "SLOT_GET": ["SLOT"], "REQUEST_ANSWER": ["REQUEST", "ERRNO"], "EVENT_REPLAY": ["SEQ"],
             "INJECT": ["SLOT", "INJECT", "COUNT", "INTERVAL_US"]}.get(command, ["SLOT", "VALUE", "COOKIE"])
    if command == "CONTROLLER_CLEAR" and rng.random() < 0.9:
        return sound()          # or there would be no slot for long
    dump = command == "EVENT_REPLAY" or command == "SLOT_GET" and rng.random() < 0.3
    parts = [attribute(ATTRIBUTES[name], value(name)) for name in names]
    return COMMANDS[command], 1, ACK | (DUMP if dump else 0), parts

def spoilt():
    """One that no controller sends."""
    command, version, flags, parts = sound()
    for _ in range(rng.randint(1, 3)):
        what = rng.randrange(8)
        if what == 0:
            command = rng.randrange(256)
        elif what == 1:
            version = rng.randrange(256)
        elif what == 2:
            flags ^= rng.choice([0x100, 0x200, 0x300, 0x400, 0x800, 8])
        elif what == 3 and parts:
            parts.append(rng.choice(parts))
        elif what == 4 and parts:
            del parts[rng.randrange(len(parts))]
        elif what == 5:         # any attribute, nested or not, whatever its length says
            name = rng.choice(sorted(ATTRIBUTES))
            data = value(name)
            parts.append(attribute(ATTRIBUTES[name] | rng.choice([0, 0, 0x8000, 0x4000]), data,
                                   rng.choice([None, None, 0, 3, 4, 5 + len(data), 0xffff])))
        elif what == 6:
            parts.append(rng.randbytes(rng.choice([1, 2, 3, 4, 5, 40, 4000])))
        elif parts:
            index = rng.randrange(len(parts))
            part = bytearray(parts[index])
            if part:
                part[rng.randrange(len(part))] ^= 1 << rng.randrange(8)
            parts[index] = bytes(part)
    return command, version, flags | ACK, parts

def packed(sequence, command, version, flags, parts):
    body = struct.pack("BBH", command, version, rng.choice([0, 0, 0, 0xffff])) + b"".join(parts)
    return struct.pack("IHHII", 16 + len(body), number, REQUEST | flags, sequence, 0) + body

def answered(sock, sequence, what):
    """Read up to the end of the answer to a message."""
    deadline = time.monotonic() + PATIENCE
    while True:
        if not select.select([sock], [], [], max(0, deadline - time.monotonic()))[0]:
            wrong.append(f"no answer to {what}")
            return
        try:
            data = sock.recv(1 << 20)
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            counts["lost"] += 1
            return              # the answer may be among what was lost
        while len(data) >= 16:
            size, kind, flags, got, _ = struct.unpack_from("IHHII", data)
            if kind in (ERROR, DONE) and got == sequence:
                code = -struct.unpack_from("i", data, 16)[0] if size >= 20 else 0
                counts[errno.errorcode.get(code, str(code))] += 1
                if code not in CLEAN:
                    wrong.append(f"errno {code} for {what}")
                return
            data = data[(size + 3) & ~3:]

number, group = family()
sockets = [opened() for _ in range(3)]
sockets[2].setsockopt(270, 1, group)
sequence, end = 0, time.monotonic() + SECONDS
while time.monotonic() < end and len(wrong) < 10:
    sequence += 1
    if sequence % OFTEN == 0:   # a socket goes, and with it a controller; and a proof of life
        index = rng.randrange(2)
        sockets[index].close()
        sockets[index] = opened()
        message = COMMANDS["SLOT_GET"], 1, ACK | DUMP, []
    else:
        message = (sound if rng.random() < 0.4 else spoilt)()
    sock = sockets[min(rng.randrange(8), 2)] if sequence % 64 else sockets[0]
    data = packed(sequence, *message)
    counts["sent"] += 1
    try:
        sock.send(data)
    except OSError as error:
        wrong.append(f"send: {error} for {data.hex()}")
        continue
    answered(sock, sequence, data[:200].hex())
print(json.dumps({"wrong": wrong, "counts": counts}))
'''
