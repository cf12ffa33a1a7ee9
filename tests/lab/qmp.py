# SPDX-License-Identifier: LGPL-2.1-or-later
"""QMP: commands to the VMM, and its events, which are kept until a test asks for them."""

import collections
import json
import queue
import socket
import threading
import time


class QmpError(Exception):
    """The VMM refused a command."""

    def __init__(self, command, error):
        super().__init__(f"{command}: {error['desc']}")
        self.desc = error["desc"]


class Qmp:
    def __init__(self, path, deadline, log=None):
        self.log = log
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(max(0.1, deadline - time.monotonic()))
        self.socket.connect(path)
        self.file = self.socket.makefile("r")
        json.loads(self.file.readline())    # the greeting
        self.socket.settimeout(None)
        self.replies = queue.Queue()
        self.events = collections.deque()
        self.arrival = threading.Condition()
        self.command_lock = threading.Lock()
        self.closed = False
        self.on_event = []                  # callables, run in the reader's thread
        threading.Thread(target=self._read, daemon=True).start()
        self.command("qmp_capabilities")

    def _read(self):
        try:
            for line in self.file:
                message = json.loads(line)
                self._note("<", line.strip())
                if "event" in message:
                    for callable in self.on_event:
                        callable(message)
                    with self.arrival:
                        self.events.append(message)
                        self.arrival.notify_all()
                else:
                    self.replies.put(message)
        except (OSError, ValueError):
            pass
        with self.arrival:
            self.closed = True
            self.arrival.notify_all()
        self.replies.put(None)

    def _note(self, direction, text):
        if self.log:
            self.log.write(f"{time.monotonic():.3f} {direction} {text}\n")
            self.log.flush()

    def command(self, command, timeout=30, **arguments):
        """Run a command (underscores in argument names stand for hyphens, but for
        the properties of devices, which have both)."""
        if command != "device_add":
            arguments = {name.replace("_", "-"): value for name, value in arguments.items()}
        with self.command_lock:
            text = json.dumps({"execute": command, "arguments": arguments})
            self._note(">", text)
            self.socket.sendall(text.encode() + b"\n")
            try:
                reply = self.replies.get(timeout=timeout)
            except queue.Empty:
                raise TimeoutError(f"QMP {command}: no answer in {timeout} s") from None
        if reply is None:
            raise ConnectionError(f"QMP {command}: QEMU is gone")
        if "error" in reply:
            raise QmpError(command, reply["error"])
        return reply["return"]

    def take_event(self, name, **match):
        """The oldest event of this name and data that was not taken yet, or None."""
        for event in self.events:
            data = event.get("data", {})
            if event["event"] == name and all(data.get(k) == v for k, v in match.items()):
                self.events.remove(event)
                return event
        return None

    def forget(self, name=None, **match):
        """Drop events that nobody took: all, or those of this name and data."""
        with self.arrival:
            if name is None:
                self.events.clear()
            else:
                while self.take_event(name, **match):
                    pass

    def wait_event(self, name, timeout, **match):
        """Wait for an event; it may have come before the call."""
        deadline = time.monotonic() + timeout
        with self.arrival:
            while True:
                event = self.take_event(name, **match)
                if event:
                    return event
                left = deadline - time.monotonic()
                if left <= 0 or self.closed:
                    seen = [f"{e['event']} {e.get('data', {})}" for e in self.events]
                    raise TimeoutError(f"no {name} {match} within {timeout} s; other events: {seen}")
                self.arrival.wait(left)

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
