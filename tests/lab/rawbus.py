# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client of the system bus without a library, for what no library lets one do: calls
that nobody reads the answers of, names of 32 MiB. The beginning of programs for the
guest's python3."""

CLIENT = r'''
import json, os, socket, struct, sys, time

def pad(data, to=8):
    return data + b"\0" * (-len(data) % to)

def text(value):
    data = value.encode()
    return struct.pack("<I", len(data)) + data + b"\0"

def field(code, kind, value):
    data = bytes([code, 1]) + kind.encode() + b"\0"
    return data + (bytes([len(value)]) + value.encode() + b"\0" if kind == "g" else text(value))

def call(serial, destination, path, interface, member, signature="", body=b""):
    """A method call, as bytes."""
    fields = b""
    for one in [field(1, "o", path), field(2, "s", interface), field(3, "s", member),
                field(6, "s", destination)] + ([field(8, "g", signature)] if signature else []):
        fields = pad(fields) + one
    return pad(struct.pack("<BBBBIII", ord("l"), 1, 0, 1, len(body), serial, len(fields)) + fields) + body

def connect():
    """A connection that has said hello, with serial 1."""
    bus = socket.socket(socket.AF_UNIX)
    bus.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    bus.connect("/run/dbus/system_bus_socket")
    bus.sendall(b"\0AUTH EXTERNAL " + str(os.getuid()).encode().hex().encode() + b"\r\n")
    bus.recv(4096)
    bus.sendall(b"BEGIN\r\n" + call(1, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello"))
    return bus
'''
