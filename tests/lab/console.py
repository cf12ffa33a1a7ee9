# SPDX-License-Identifier: LGPL-2.1-or-later
"""Connects the terminal to a guest's console (hvc0, root, no password)."""

import os
import selectors
import shutil
import socket
import sys
import termios
import tty

LEAVE = b"\x1d"     # Ctrl-]


def connect(guest):
    """Log root in; return the socket that is the console's other end."""
    link = socket.socket(socket.AF_UNIX)
    link.connect(str(guest.sockets / "console"))
    # the console came too late for systemd-getty-generator to find it
    guest.run("systemctl start serial-getty@hvc0.service")
    return link


def interact(guest):
    """Pass keys and output between terminal and guest until Ctrl-]."""
    if not sys.stdin.isatty():
        raise SystemExit("no terminal to connect: use -c COMMAND")
    columns, lines = shutil.get_terminal_size()
    link = connect(guest)
    guest.run(f"stty -F /dev/hvc0 rows {lines} cols {columns}", check=False)
    sys.stdout.write("Connected to the guest's console as root. Ctrl-] leaves and ends the guest.\r\n")
    sys.stdout.flush()
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        pump(link)
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        link.close()
        print()


def pump(link):
    selector = selectors.DefaultSelector()
    selector.register(0, selectors.EVENT_READ)
    selector.register(link, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is link:
                data = link.recv(4096)
                if not data:
                    return
                os.write(1, data)
            else:
                data = os.read(0, 1024)
                if not data or LEAVE in data:
                    return
                link.sendall(data)
