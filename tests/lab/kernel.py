# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kernels a guest can boot: fetched from the archive, unpacked, never installed.

A kernel in the cache is a directory with `vmlinuz`, `root/` (its modules, as a
tree for depmod and modprobe), `modules.sqfs` (the same, for the guest) and
`initramfs` (what finds the root file system).
"""

import dataclasses
import pathlib
import re
import shutil
import subprocess

from lab import paths


@dataclasses.dataclass(frozen=True)
class Kernel:
    name: str
    suite: str      # of the archive; its headers and compiler build the module
    headers: str    # glob of header packages as they lie in /usr/src


KERNELS = {
    "6.1": Kernel("6.1", "bookworm", "linux-headers-6.1.*-[0-9]*-amd64"),
}
DEFAULT = "6.1"

# Never needed in the guest, and most of the package's size.
LEFT_OUT = ["sound", "drivers/media", "drivers/gpu", "drivers/infiniband", "drivers/iio",
            "drivers/hwmon", "drivers/hid", "drivers/input", "drivers/staging",
            "drivers/bluetooth", "drivers/isdn", "drivers/mmc", "drivers/mtd", "drivers/comedi",
            "drivers/video", "drivers/thunderbolt", "drivers/platform", "drivers/net/wireless",
            "drivers/net/can", "drivers/net/usb", "drivers/usb", "drivers/target",
            "drivers/watchdog", "drivers/i2c", "drivers/ata", "drivers/cpufreq", "drivers/crypto",
            "drivers/mfd", "arch/x86/kvm", "arch/x86/crypto"]
FOR_INITRAMFS = ["virtio_pci", "virtio_blk", "squashfs", "overlay"]


@dataclasses.dataclass(frozen=True)
class Unpacked:
    """A kernel that is ready to boot."""
    release: str
    headers: pathlib.Path
    top: pathlib.Path

    @property
    def image(self):
        return self.top / "vmlinuz"

    @property
    def modules_image(self):
        return self.top / "modules.sqfs"

    @property
    def modules(self):
        return self.top / "root" / "usr/lib/modules" / self.release

    def initramfs_modules(self):
        """Files of the modules that mount the root file system, in order of loading."""
        files = []
        for module in FOR_INITRAMFS:
            lines = paths.run("/sbin/modprobe", "-d", self.top / "root", "-S", self.release,
                              "--show-depends", module)
            for line in lines.splitlines():
                word = line.split()
                if word[0] == "insmod" and word[1] not in files:
                    files.append(word[1])
        return [pathlib.Path(file) for file in files]


def headers(kernel):
    """The newest installed headers of this kernel."""
    found = [path for path in pathlib.Path("/usr/src").glob(kernel.headers)
             if (path / "Module.symvers").exists()]
    if not found:
        raise RuntimeError(f"no headers for Linux {kernel.name}: install linux-headers-amd64")
    return max(found, key=lambda path: [int(n) for n in re.findall(r"\d+", path.name)])


def ready(name=DEFAULT):
    """Make a kernel ready to boot; return where it is."""
    kernel = KERNELS[name]
    where = headers(kernel)
    release = where.name.removeprefix("linux-headers-")
    version = paths.run("dpkg-query", "-W", "-f", "${Version}", where.name)
    recipe = paths.digest(version, LEFT_OUT, FOR_INITRAMFS, pathlib.Path(__file__).read_bytes())
    final = paths.CACHE / f"kernel-{release}-{recipe}"
    top = paths.made_once(final, lambda new: unpack(new, release, version))
    return Unpacked(release, where, top)


def unpack(new, release, version):
    paths.say(f"unpacking Linux {release} ({version})")
    new.mkdir(parents=True)
    package = f"linux-image-{release}={version}"
    subprocess.run(["apt-get", "download", "-qq", package], cwd=new, check=True,
                   stderr=subprocess.DEVNULL)
    deb, = new.glob("*.deb")
    tree = new / "deb"
    paths.run("dpkg-deb", "-x", deb, tree)
    deb.unlink()
    (tree / "boot" / f"vmlinuz-{release}").rename(new / "vmlinuz")
    modules = tree / "lib/modules" / release
    if not modules.exists():
        modules = tree / "usr/lib/modules" / release
    for name in LEFT_OUT:
        shutil.rmtree(modules / "kernel" / name, ignore_errors=True)
    target = new / "root/usr/lib/modules" / release
    target.parent.mkdir(parents=True)
    modules.rename(target)
    (new / "root/lib").symlink_to("usr/lib")
    shutil.rmtree(tree)
    paths.run("/sbin/depmod", "-b", new / "root", release)
    paths.run("mksquashfs", new / "root/usr", new / "modules.sqfs", "-keep-as-directory",
              "-all-root", "-noI", "-noD", "-noF", "-noX", "-no-progress")
