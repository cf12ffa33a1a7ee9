# SPDX-License-Identifier: LGPL-2.1-or-later
"""The host's end of the command channel: processes in a guest, many at once."""

import contextlib
import dataclasses
import itertools
import json
import re
import signal
import socket
import threading
import time


@dataclasses.dataclass
class Result:
    rc: int
    out: str
    err: str


class CommandFailed(AssertionError):
    pass


class GuestTimeout(AssertionError):
    pass


class Process:
    """A command running in the guest."""

    def __init__(self, channel, number, command):
        self.channel = channel
        self.number = number
        self.command = command
        self.rc = None
        self._bytes = {"out": b"", "err": b""}
        self._read_to = {"out": 0, "err": 0}

    @property
    def out(self):
        return self._bytes["out"].decode(errors="replace")

    @property
    def err(self):
        return self._bytes["err"].decode(errors="replace")

    def _message(self, message):
        for stream in self._bytes:
            if stream in message:
                self._bytes[stream] += message[stream].encode("latin-1")
        if "exit" in message:
            self.rc = message["exit"]

    def _wait(self, condition, timeout, what):
        deadline = time.monotonic() + timeout
        with self.channel.arrival:
            while not condition():
                left = deadline - time.monotonic()
                if left <= 0 or self.channel.closed:
                    why = "channel closed" if self.channel.closed else f"after {timeout} s"
                    raise GuestTimeout(f"{self.command!r}: {what}: {why}; "
                                       f"rc={self.rc}\nout: {self.out}\nerr: {self.err}")
                self.channel.arrival.wait(left)

    def wait(self, timeout=30):
        """Wait for the end; kill it (as far as it can be killed) at the deadline."""
        try:
            self._wait(lambda: self.rc is not None, timeout, "did not end")
        except GuestTimeout:
            with contextlib.suppress(OSError):
                self.kill()
            raise
        return Result(self.rc, self.out, self.err)

    def wait_for(self, regex, timeout=30, stream="out"):
        """Wait for output that matches; the next call looks at what comes after it."""
        pattern = re.compile(regex, re.MULTILINE)
        found = None

        def matches():
            nonlocal found
            text = self._bytes[stream].decode(errors="replace")
            found = pattern.search(text, self._read_to[stream])
            return found or self.rc is not None

        self._wait(matches, timeout, f"no {regex!r} on {stream}")
        if not found:
            raise CommandFailed(f"{self.command!r} ended ({self.rc}) without {regex!r} on {stream}\n"
                                f"out: {self.out}\nerr: {self.err}")
        self._read_to[stream] = found.end()
        return found

    def send(self, text):
        self.channel.send(op="input", id=self.number, data=text.encode().decode("latin-1"))

    def end_input(self):
        self.channel.send(op="input", id=self.number, data=None)

    def kill(self, number=signal.SIGKILL):
        self.channel.send(op="kill", id=self.number, signal=int(number))


class Channel:
    def __init__(self, path, deadline):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(max(0.1, deadline - time.monotonic()))
        self.socket.connect(path)
        self.socket.settimeout(None)
        self.arrival = threading.Condition()
        self.send_lock = threading.Lock()
        self.closed = False
        self.processes = {}
        self.pongs = set()
        self.numbers = itertools.count(1)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            for line in self.socket.makefile("rb"):
                try:
                    message = json.loads(line)
                except ValueError:
                    continue
                with self.arrival:
                    if message.get("pong"):
                        self.pongs.add(message["id"])
                    elif message["id"] in self.processes:
                        self.processes[message["id"]]._message(message)
                    self.arrival.notify_all()
        except OSError:
            pass
        with self.arrival:
            self.closed = True
            self.arrival.notify_all()

    def send(self, **message):
        with self.send_lock:
            self.socket.sendall(json.dumps(message).encode() + b"\n")

    def ping(self, timeout):
        """Wait until the agent answers."""
        number = next(self.numbers)
        self.send(op="ping", id=number)
        deadline = time.monotonic() + timeout
        with self.arrival:
            while number not in self.pongs:
                left = deadline - time.monotonic()
                if left <= 0 or self.closed:
                    return False
                self.arrival.wait(left)
        return True

    def spawn(self, command, user="root", env=None, stdin=""):
        """Start a command: a string for /bin/sh or a list. stdin=None leaves it open."""
        number = next(self.numbers)
        argv = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
        process = Process(self, number, command)
        self.processes[number] = process
        self.send(op="run", id=number, argv=argv, user=user, env=env or {})
        if stdin is not None:
            if stdin:
                process.send(stdin)
            process.end_input()
        return process

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
