# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kernels a guest can boot: fetched from the archive, unpacked, never installed;
and one that is built from the archive's sources, to find mistakes.

A kernel in the cache is a directory with `vmlinuz`, `root/` (its modules, as a
tree for depmod and modprobe), `modules.sqfs` (the same, for the guest) and
`initramfs` (what finds the root file system).
"""

import dataclasses
import os
import pathlib
import shutil
import subprocess

from lab import paths, toolchain


@dataclasses.dataclass(frozen=True)
class Kernel:
    name: str
    suite: str              # of the archive; its compiler builds the module
    headers: str = None     # glob of header packages as they lie in /usr/src
    source: str = None      # package of the sources that it is built from


KERNELS = {kernel.name: kernel for kernel in (
    Kernel("6.1", "bookworm", headers="linux-headers-6.1.*-[0-9]*-amd64"),
    Kernel("6.12", "trixie", headers="linux-headers-6.12.*-amd64"),
    Kernel("7.2", "sid", headers="linux-headers-7.*-amd64"),
    Kernel("debug", "bookworm", source="linux-source-6.1"),
)}
DEFAULT = "6.1"
DEBUG_CONFIG = paths.LAB / "debug.config"

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
    toolchain: toolchain.Toolchain

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
    """The newest headers of a kernel of this machine's own suite."""
    return toolchain.ready(kernel.suite).headers(kernel.headers)


def ready(name=DEFAULT):
    """Make a kernel ready to boot; return where it is."""
    kernel = KERNELS[name]
    tools = toolchain.ready(kernel.suite)
    if kernel.source:
        return built(kernel, tools)
    where = tools.headers(kernel.headers)
    release = where.name.removeprefix("linux-headers-")
    version = tools.top.name if tools.top else paths.run("dpkg-query", "-W", "-f", "${Version}", where.name)
    recipe = paths.digest(version, LEFT_OUT, FOR_INITRAMFS, pathlib.Path(__file__).read_bytes())
    final = paths.CACHE / f"kernel-{release}-{recipe}"
    top = paths.made_once(final, lambda new: unpack(new, release, version, tools))
    return Unpacked(release, where, top, tools)


def fetch(package, where):
    """Download a package of this machine's own suite; return the file."""
    subprocess.run(["apt-get", "download", "-qq", package], cwd=where, check=True,
                   stderr=subprocess.DEVNULL)
    deb, = where.glob("*.deb")
    return deb


def unpack(new, release, version, tools):
    paths.say(f"unpacking Linux {release}")
    new.mkdir(parents=True)
    if tools.top:
        debs = list((tools.top / "var/tmp").glob("linux-*.deb"))
    else:
        debs = [fetch(f"linux-image-{release}={version}", new)]
    tree = new / "deb"
    for deb in debs:
        paths.run("dpkg-deb", "-x", deb, tree)
        if not tools.top:
            deb.unlink()
    modules = tree / "lib/modules" / release
    if not modules.exists():
        modules = tree / "usr/lib/modules" / release
    image = tree / "boot" / f"vmlinuz-{release}"
    if not image.exists():
        image = modules / "vmlinuz"
    image.rename(new / "vmlinuz")
    for name in LEFT_OUT:
        shutil.rmtree(modules / "kernel" / name, ignore_errors=True)
    # what mounts the root file system has to do without the kernel's help
    paths.run("find", modules, "-name", "*.ko.xz", "-exec", "xz", "-d", "{}", "+")
    pack(new, modules, release)
    shutil.rmtree(tree)


def pack(new, modules, release):
    """Make the modules into the tree that modprobe and the guest want."""
    target = new / "root/usr/lib/modules" / release
    target.parent.mkdir(parents=True)
    modules.rename(target)
    (new / "root/lib").symlink_to("usr/lib")
    paths.run("/sbin/depmod", "-b", new / "root", release)
    paths.run("mksquashfs", new / "root/usr", new / "modules.sqfs", "-keep-as-directory",
              "-all-root", "-noI", "-noD", "-noF", "-noX", "-no-progress")


def built(kernel, tools):
    """A kernel built from the archive's sources with debug.config; the tree that
    it was built in serves as its headers."""
    version = source_version(kernel)
    recipe = paths.digest(version, DEBUG_CONFIG.read_bytes())
    top = paths.made_once(paths.CACHE / f"kernel-{kernel.name}-{recipe}",
                          lambda new: build(new, kernel, version))
    headers = top / kernel.source
    release = (headers / "include/config/kernel.release").read_text().strip()
    return Unpacked(release, headers, top, tools)


def source_version(kernel):
    shown = paths.run("apt-cache", "show", "--no-all-versions", kernel.source)
    return next(line for line in shown.splitlines() if line.startswith("Version:")).split()[1]


def checkpatch():
    """checkpatch.pl of the archive's sources, with the lists that it reads beside it."""
    kernel = KERNELS["debug"]
    version = source_version(kernel)

    def extract(new):
        paths.say(f"fetching checkpatch of Linux {version}")
        new.mkdir(parents=True)
        deb = fetch(f"{kernel.source}={version}", new)
        paths.run("dpkg-deb", "-x", deb, new / "deb")
        deb.unlink()
        scripts = [f"{kernel.source}/scripts/{name}"
                   for name in ("checkpatch.pl", "spelling.txt", "const_structs.checkpatch")]
        paths.run("tar", "-C", new, "-xf", new / f"deb/usr/src/{kernel.source}.tar.xz", *scripts)
        shutil.rmtree(new / "deb")

    top = paths.made_once(paths.CACHE / f"checkpatch-{paths.digest(version)}", extract)
    return top / kernel.source / "scripts/checkpatch.pl"


def build(new, kernel, version):
    paths.say(f"building Linux {version} with {DEBUG_CONFIG.name}, which takes half an hour")
    new.mkdir(parents=True)
    deb = fetch(f"{kernel.source}={version}", new)
    paths.run("dpkg-deb", "-x", deb, new / "deb")
    deb.unlink()
    paths.run("tar", "-C", new, "-xf", new / f"deb/usr/src/{kernel.source}.tar.xz")
    shutil.rmtree(new / "deb")
    make = ["make", "-C", new / kernel.source, f"-j{os.cpu_count()}", "-s", "KBUILD_BUILD_USER=lab",
            "KBUILD_BUILD_HOST=lab"]
    paths.run(*make, f"KCONFIG_ALLCONFIG={DEBUG_CONFIG}", "allnoconfig")
    missing = unset(new / kernel.source / ".config")
    if missing:
        raise RuntimeError(f"{DEBUG_CONFIG.name} asks for what did not come about: {', '.join(missing)}")
    paths.run(*make, "bzImage", "modules")
    shutil.copy2(new / kernel.source / "arch/x86/boot/bzImage", new / "vmlinuz")
    release = (new / kernel.source / "include/config/kernel.release").read_text().strip()
    paths.run(*make, f"INSTALL_MOD_PATH={new / 'installed'}", "modules_install")
    modules = new / "installed/lib/modules" / release
    for link in ("build", "source"):
        (modules / link).unlink(missing_ok=True)
    pack(new, modules, release)


def unset(config):
    """Lines of debug.config that are not so in the configuration."""
    got = set(config.read_text().splitlines())
    return [line for line in DEBUG_CONFIG.read_text().splitlines()
            if line.startswith("CONFIG_") and line not in got]
