# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest: QEMU with a topology, started, spoken to, examined and taken down.

Nothing here sleeps and hopes: every wait is for an event or a condition and has
a deadline. QEMU dies with the process that started it.
"""

import itertools
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time

from lab import device, image, kernel, paths, topology
from lab.channel import Channel, CommandFailed, GuestTimeout, Result
from lab.log import SerialLog
from lab.qmp import Qmp, QmpError

BOOT_DEADLINE = 300     # seconds; a boot takes a tenth of it on an idle machine
SAVED_STATES = 12       # kept of guests as they were after the boot
COMMAND_LINE = """
    console=ttyS0,115200 loglevel=7 mitigations=off nokaslr random.trust_cpu=on no_timer_check
    mce=off net.ifnames=0 panic=0 cryptomgr.notests systemd.show_status=0 systemd.default_timeout_stop_sec=20
    sysctl.kernel.hung_task_timeout_secs=10 sysctl.kernel.hung_task_warnings=-1
    sysctl.kernel.printk_ratelimit=0
""".split()
STOCK = ["systemd.mask=hotplugd.service", "module_blacklist=hpshim"]

# what ends QEMU when QEMU is at fault; SIGKILL is how the lab ends it
CRASHES = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE}

counter = itertools.count(1)
emulators = []      # every QEMU started here, until it has ended


def crashes():
    """Names of the signals by which QEMU crashed since this was last asked."""
    ended = [process for process in emulators if process.poll() is not None]
    emulators[:] = [process for process in emulators if process not in ended]
    return [signal.Signals(-process.returncode).name for process in ended
            if -process.returncode in CRASHES]


class Guest:
    """A guest. `tree` is the installed tree under test; with `stock` it is in the
    image but neither the module nor the daemon starts. With `snapshot` the guest's
    state after the boot is saved, and the next such guest starts from that."""

    def __init__(self, where, tree=None, stock=False, kernel_name=kernel.DEFAULT, append=(),
                 cold=None, cpus=2, qemu=(), snapshot=False):
        self.topology = topology.find(where)
        self.tree = tree
        self.stock = stock or tree is None
        self.kernel_name = kernel_name
        self.append = list(append)
        self.cold = cold or {}
        self.cpus = cpus
        self.qemu_arguments = list(qemu)
        self.snapshot = snapshot
        self.plugged = {}       # device id -> slot name
        self.process = self.channel = self._qmp = None
        # socket addresses must be short, so they are not below the build folder
        self.sockets = pathlib.Path(tempfile.mkdtemp(prefix="hotplugd-lab."))
        kind = "stock" if self.stock else "hotplugd"
        self.directory = pathlib.Path(tempfile.mkdtemp(
            prefix=f"{self.topology.name}-{kind}-{next(counter)}.", dir=self._run_folder()))
        self.serial = SerialLog(self.directory / "serial.log")
        self.qmp_log = open(self.directory / "qmp.log", "w")

    @staticmethod
    def _run_folder():
        folder = paths.BUILD / "run"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    # start and end

    def command_line(self):
        boot = kernel.ready(self.kernel_name)
        root = image.base()
        initramfs = image.initramfs(boot, root, self.tree)
        append = COMMAND_LINE + (STOCK if self.stock and self.tree else []) + self.append
        line = ["qemu-system-x86_64", "-machine", "q35", "-cpu", "max",
                "-accel", "tcg,thread=multi", "-smp", str(self.cpus), "-m", self.topology.memory,
                "-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off",
                "-nodefaults", "-nic", "none", "-display", "none", "-no-reboot",
                "-kernel", str(boot.image), "-initrd", str(initramfs), "-append", " ".join(append),
                "-chardev", f"file,id=serial,path={self.serial.path},append=on", "-serial", "chardev:serial",
                "-qmp", f"unix:{self.sockets}/qmp,server=on,wait=off",
                "-device", "virtio-serial-pci,id=vs,addr=0x1c",
                "-chardev", f"socket,id=agent,path={self.sockets}/agent,server=on,wait=off",
                "-device", "virtserialport,chardev=agent,name=org.hotplugd.lab",
                "-chardev", f"socket,id=console,path={self.sockets}/console,server=on,wait=off",
                "-device", "virtconsole,chardev=console"]
        for role, file, addr in (("root", root / "root.sqfs", "0x1d"),
                                 ("modules", boot.modules_image, "0x1e")):
            line += ["-drive", f"if=none,id={role},file={file},format=raw,readonly=on",
                     "-device", f"virtio-blk-pci,drive={role},serial={role},addr={addr}"]
        for argument in self.topology.devices:
            line += ["-device", argument]
        for name, kind in self.cold.items():
            line += self._cold_arguments(name, kind)
        return line + self.qemu_arguments

    def _cold_arguments(self, name, kind):
        slot = self.topology.slot(name)
        id = f"{kind}{slot.name}"
        node, arguments = device.describe(kind, id, slot, 64 << 20)
        self.plugged[id] = slot.name
        line = []
        if node:
            node["read-zeroes"] = "on"
            line += ["-blockdev", ",".join(f"{k}={v}" for k, v in node.items())]
        type = arguments.pop("driver")
        return line + ["-device", ",".join([type] + [f"{k}={v}" for k, v in arguments.items()])]

    def start(self, deadline=BOOT_DEADLINE):
        """Boot and wait until systemd has started everything."""
        return self.launch().ready(deadline)

    def launch(self):
        """Start QEMU; ready() waits for the guest."""
        self._began = time.monotonic()
        command = self.command_line()
        self._saved = self._saved_state(command) if self.snapshot else None
        self._spawn(command)
        return self

    def _spawn(self, command):
        """Start QEMU, from the saved state if there is one."""
        self._restores = self._saved is not None and self._saved.exists()
        self._command = command
        if self._restores:
            command = command + ["-incoming", f"exec:cat {shlex.quote(str(self._saved))}"]
        # setpriv: QEMU goes when whoever runs the test goes, whatever the reason
        with open(self.directory / "qemu.log", "a") as log:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--"] + command,
                                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                            stderr=log)
        emulators.append(self.process)

    def ready(self, deadline=BOOT_DEADLINE):
        """Wait until systemd has started everything."""
        deadline += time.monotonic()
        if self._restores:
            self._restored(deadline)
        else:
            self._booted(deadline)
            if self._saved:
                # all go on from the saved state, the one that saved it too
                paths.made_once(self._saved, self._save_state)
                self._end_process()
                self._spawn(self._command)
                self._restored(deadline)
        self.boot_seconds = time.monotonic() - self._began
        return self

    def _booted(self, deadline):
        """Wait for the end of the boot. Once in a hundred boots QEMU's emulation
        (7.2) loses a CPU that meets code just being patched, long before there is
        anything of ours; such a boot is tried again, once."""
        for attempt in (1, 2):
            self._connect(deadline)
            while not (up := self.channel.ping(5)):
                if self.serial.trouble() or time.monotonic() > deadline:
                    break
            if up:
                break
            if attempt == 2 or time.monotonic() > deadline:
                raise GuestTimeout(f"guest did not boot; end of {self.serial.path}:\n"
                                   + "\n".join(self.serial.text().splitlines()[-40:]))
            paths.say("the boot got stuck; once more:\n" + "\n".join(self.serial.trouble()))
            self._end_process()
            self.serial.path.rename(self.directory / "stuck-boot.log")
            self._spawn(self._command)
        self.run("systemctl is-system-running --wait", check=False,
                 timeout=deadline - time.monotonic())

    def _restored(self, deadline):
        self._connect(deadline)
        # saved as stopped, so it stays stopped until told otherwise
        while self.qmp("query-status")["status"] == "inmigrate":
            time.sleep(0.02)
        self.qmp("cont")
        if not self.channel.ping(deadline - time.monotonic()):
            self._saved.unlink(missing_ok=True)
            raise GuestTimeout("guest did not go on from its saved state, which is dropped")

    def _saved_state(self, command):
        own = [str(self.sockets), str(self.serial.path)]
        key = [argument for argument in command if not any(path in argument for path in own)]
        return paths.BUILD / "snapshots" / f"{self.topology.name}-{paths.digest(*key)}.state"

    def _save_state(self, new):
        older = sorted(new.parent.glob("*.state"), key=lambda path: path.stat().st_mtime)
        for path in older[:-SAVED_STATES]:
            path.unlink(missing_ok=True)
        self.qmp("stop")
        self.qmp("migrate-set-parameters", max_bandwidth=10 << 30)
        self.qmp("migrate", uri=f"exec:cat > {shlex.quote(str(new))}")
        while (status := self.qmp("query-migrate").get("status")) != "completed":
            if status == "failed":
                raise RuntimeError("QEMU could not save the guest")
            time.sleep(0.02)

    def _connect(self, deadline):
        for name in ("qmp", "agent"):
            while not (self.sockets / name).exists():
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise self._did_not_start()
                time.sleep(0.01)
        try:
            self._qmp = Qmp(str(self.sockets / "qmp"), deadline, self.qmp_log)
        except (OSError, ValueError):
            raise self._did_not_start() from None
        self._qmp.on_event.append(self._note_event)
        self.channel = Channel(str(self.sockets / "agent"), deadline)

    def _did_not_start(self):
        return RuntimeError("QEMU did not start: " + (self.directory / "qemu.log").read_text())

    def _note_event(self, event):
        if event["event"] == "DEVICE_DELETED":
            self.plugged.pop(event["data"].get("device"), None)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """End QEMU at once; the files of the run stay for whoever wants to look."""
        self._end_process()
        self.qmp_log.close()
        shutil.rmtree(self.sockets, ignore_errors=True)

    def _end_process(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        for end in (self.channel, self._qmp):
            if end:
                end.close()
        for socket in self.sockets.glob("*"):
            socket.unlink()

    def discard(self):
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()

    # commands in the guest

    def spawn(self, command, user="root", env=None, stdin=""):
        """Start a command (a string for /bin/sh, or a list) and return its Process."""
        return self.channel.spawn(command, user, env, stdin)

    def run(self, command, check=True, timeout=30, user="root", env=None, stdin=""):
        """Run a command to its end; with `check` a non-zero exit fails the test."""
        result = self.spawn(command, user, env, stdin).wait(timeout)
        if check and result.rc:
            raise CommandFailed(f"{command!r}: exit {result.rc}\n{result.out}{result.err}")
        return result

    def out(self, command, **options):
        """What a command that must succeed prints, without the last newline."""
        return self.run(command, **options).out.rstrip("\n")

    def wait_until(self, condition, timeout=30, user="root"):
        """Wait, in the guest, until a shell condition holds."""
        process = self.spawn(f"until {{ {condition}\n}} >/tmp/wait_until.$$ 2>&1; do sleep 0.1; done;"
                             " rm -f /tmp/wait_until.$$", user)
        try:
            process.wait(timeout)
        except GuestTimeout:
            last = self.run(f"{{ {condition}\n}} 2>&1", check=False, timeout=20)
            raise GuestTimeout(f"not true within {timeout} s: {condition}\n"
                               f"now it exits {last.rc}: {last.out}") from None

    def wait_serial(self, regex, timeout=30, start=0):
        """Wait for a line in the serial log; return the match."""
        deadline = time.monotonic() + timeout
        while not (match := re.search(regex, self.serial.text(start))):
            if time.monotonic() > deadline:
                raise GuestTimeout(f"nothing like {regex!r} in {self.serial.path} in {timeout} s")
            time.sleep(0.1)
        return match

    # the machine, from outside

    def qmp(self, command, timeout=30, **arguments):
        return self._qmp.command(command, timeout, **arguments)

    def wait_event(self, name, timeout=30, **match):
        return self._qmp.wait_event(name, timeout, **match)

    def wait_deleted(self, id, timeout=30):
        """Wait for the VMM's word that the guest has let a device go."""
        return self.wait_event("DEVICE_DELETED", timeout, device=id)

    def forget_events(self):
        """Drop the events that nobody waited for."""
        self._qmp.forget()

    def plug(self, kind, slot, id=None, size=64 << 20, **properties):
        """Put a card into a slot; return its id (kind and slot name, unless given)."""
        place = self.topology.slot(slot)
        id = id or f"{kind}{place.name}"
        if "file" in properties:
            properties["file"] = self._backing_file(properties["file"], size)
        node, arguments = device.describe(kind, id, place, size, **properties)
        if node:
            self.qmp("blockdev-add", **node)
        driver = arguments.pop("driver")
        # an earlier card of this id may have left without anybody waiting for it
        self._qmp.forget("DEVICE_DELETED", device=id)
        self.qmp("device_add", driver=driver, **arguments)
        self.plugged[id] = place.name
        return id

    def _backing_file(self, name, size):
        path = self.directory / name
        if not path.exists():
            with open(path, "wb") as file:
                file.truncate(size)
        return path

    def card(self, slot):
        """The id of the card in a slot."""
        name = self.topology.slot(slot).name
        for id, place in self.plugged.items():
            if place == name:
                return id
        raise KeyError(f"nothing plugged into slot {name}")

    def press(self, slot):
        """Press the attention button of an occupied slot; return the card's id.

        QEMU takes this for a wish to take the card out, and refuses another one
        while the slot's power indicator blinks (QmpError)."""
        id = self.card(slot)
        self.qmp("device_del", id=id)
        return id

    def address(self, slot):
        """The slot's PCI address as the guest says, 0000:02:00."""
        return self.out(f"cat /sys/bus/pci/slots/{self.topology.slot(slot).name}/address")

    def wait_bound(self, slot, driver, timeout=30):
        """Wait until the card in a slot is bound to a driver; return its address."""
        function = self.address(slot) + ".0"
        self.wait_until(f'[ "$(basename "$(readlink /sys/bus/pci/devices/{function}/driver)")"'
                        f" = {driver} ]", timeout)
        return function

    # evidence

    def leaks(self):
        """What kmemleak finds lost; nothing but on the debug kernel. It passes over what
        is younger than five seconds, and over what changed since the scan before
        (MSECS_MIN_AGE, update_checksum() in mm/kmemleak.c), so it takes a minute."""
        if self.kernel_name != "debug":
            return ""
        return self.out("cd /sys/kernel/debug; sleep 6; echo scan >kmemleak; echo scan >kmemleak;"
                        " cat kmemleak", timeout=600)

    def collect(self, folder):
        """Save what explains a failure: serial log, QMP log, journal, stuck tasks."""
        folder.mkdir(parents=True, exist_ok=True)
        for path in self.directory.glob("*.log"):
            shutil.copy2(path, folder)
        if not self.alive() or not self.channel:
            return
        for name, command in EVIDENCE.items():
            try:
                result = self.run(command, check=False, timeout=20)
                (folder / name).write_text(result.out + result.err)
            except (GuestTimeout, OSError) as error:
                (folder / name).write_text(f"{error}\n")


EVIDENCE = {
    "journal.txt": "journalctl -o short-monotonic --no-pager -b",
    "failed-units.txt": "systemctl --failed --no-pager --no-legend",
    "pci.txt": "lspci -tv; lspci -k; grep -H . /sys/bus/pci/slots/*/*",
    "stuck-tasks.txt": "for s in $(grep -ls '^State:.D' /proc/[0-9]*/status); do"
                       " cat ${s%/*}/comm ${s%/*}/stack; echo; done",
}
