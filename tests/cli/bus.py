# SPDX-License-Identifier: LGPL-2.1-or-later
"""A system bus of one's own, the fake daemon on it, and hpctl before both.

Knows processes and terminals, not what hpctl should say.
"""

import json
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import tempfile
import time
import unittest

HPCTL = os.environ.get("HPCTL", "hpctl")
FAKE = os.environ.get("FAKE_HOTPLUGD", "fake-hotplugd")
TIMEOUT = 20

CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={directory}/bus</listen>
  <auth>EXTERNAL</auth>
  <servicedir>{directory}</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""
# Would be started by any call that lets the bus do so.
SERVICE = """[D-BUS Service]
Name=org.hotplugd1
Exec=/bin/sh -c 'touch {directory}/was-started'
"""


class Terminal:
    """hpctl on a terminal: what it writes, with what moves the cursor."""

    def __init__(self, arguments, env, columns=80):
        self.out = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.clear()
            os.environ.update(env)
            subprocess.run(["stty", "cols", str(columns), "rows", "24"], check=False)
            os.execvp(arguments[0], arguments)

    def wait_for(self, pattern, timeout=TIMEOUT):
        end = time.monotonic() + timeout
        while not re.search(pattern, self.out):
            if not self.read(end - time.monotonic()):
                raise AssertionError(f"no {pattern!r} in {self.out!r}")

    def read(self, timeout):
        if timeout <= 0 or not select.select([self.fd], [], [], timeout)[0]:
            return False
        try:
            data = os.read(self.fd, 4096)
        except OSError:     # the other side has closed the terminal
            data = b""
        self.out += data.decode()
        return bool(data)

    def interrupt(self):
        os.write(self.fd, b"\x03")

    def finish(self):
        """Wait for the end; return the exit code."""
        while self.read(TIMEOUT):
            pass
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.fd)
        return code

    @property
    def screen(self):
        """The lines as they stand at the end."""
        lines, row = [""], 0
        for part in re.split(r"(\x1b\[\d*[A-Za-z]|\r|\n)", self.out):
            if part == "\n":
                row += 1
                lines += [""] * (row + 1 - len(lines))
            elif part == "\r":
                column = 0
            elif re.fullmatch(r"\x1b\[\d*A", part):
                row -= int(part[2:-1] or 1)
            elif part == "\x1b[K":
                lines[row] = lines[row][:column]
            elif part == "\x1b[J":
                lines[row:] = [""]
            elif part and not part.startswith("\x1b"):
                column = column if lines[row] else 0
                lines[row] = lines[row][:column] + part + lines[row][column + len(part):]
                column += len(part)
        return [line for line in lines if line]


class BusCase(unittest.TestCase):
    """One bus a test; `self.fake()` puts the daemon on it."""

    def setUp(self):
        # A socket's path may have 107 bytes: not below the build folder.
        holder = tempfile.TemporaryDirectory(prefix="hpctl-test-", dir="/tmp")
        self.addCleanup(holder.cleanup)
        self.directory = pathlib.Path(holder.name)
        config = self.directory / "bus.conf"
        config.write_text(CONFIG.format(directory=self.directory))
        (self.directory / "org.hotplugd1.service").write_text(SERVICE.format(directory=self.directory))
        self.env = {key: value for key, value in os.environ.items() if not key.startswith("DBUS_")}
        self.env.update(DBUS_SYSTEM_BUS_ADDRESS=f"unix:path={self.directory}/bus",
                        LC_ALL="C.UTF-8", TERM="xterm")
        self.env.pop("NO_COLOR", None)
        self.bus = self.spawn(["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile",
                               "--print-address"])
        self.bus.stdout.readline()

    def spawn(self, command):
        process = subprocess.Popen(command, env=self.env, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def fake(self, *arguments):
        process = self.spawn([FAKE, *arguments])
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def hpctl(self, *arguments):
        return subprocess.run([HPCTL, *arguments], env=self.env, capture_output=True, text=True,
                              timeout=TIMEOUT, check=False)

    def terminal(self, *arguments, columns=80):
        return Terminal([HPCTL, *arguments], self.env, columns)

    def said(self, *arguments, code=0):
        """Run hpctl, check its exit code, return what it printed."""
        done = self.hpctl(*arguments)
        self.assertEqual(done.returncode, code, done)
        return done.stdout

    def refused(self, *arguments, code):
        """The same for one that fails: the message, one line, and no output."""
        done = self.hpctl(*arguments)
        self.assertEqual(done.returncode, code, done)
        self.assertEqual(done.stdout, "")
        self.assertTrue(done.stderr.startswith("hpctl: ") and done.stderr.endswith("\n"), done)
        self.assertEqual(done.stderr.count("\n"), 1, done)
        return done.stderr

    def json(self, *arguments, code=0):
        return json.loads(self.said("--json", *arguments, code=code))

    def interrupt(self, process):
        process.send_signal(signal.SIGINT)
