# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where a module is compiled: on this machine, or in the root of another Debian suite,
with that suite's compiler and headers. Such a root is unpacked in the cache; nothing
of it is installed, and it is entered in a mount namespace of its own.
"""

import os
import pathlib
import re
import tempfile

from lab import image, paths

PACKAGES = ["linux-headers-amd64", "make", "perl"]
# A mirror may be behind sid, whose release files are good for days only.
APT = 'Acquire::Check-Valid-Until "false"'
# $1 is the new root: the image that its headers are of lies beside them, in one package
# or in several.
NAMES = " ".join(f"-e linux-{part}-$release" for part in ("image", "base", "binary", "modules"))
FETCH_IMAGE = ('release=$(basename "$1"/usr/src/linux-headers-[0-9]*-amd64 | sed s/linux-headers-//);'
               ' chroot "$1" sh -c "cd /var/tmp && apt-get download -qq'
               f' \\$(apt-cache pkgnames linux- | grep -Fx {NAMES})"')
# In a namespace: $1 is the root, $2 a directory that is /mnt there, the rest a command.
# objtool looks in /proc how large its stack may be.
ENTER = ('mount --rbind /dev "$1/dev" && mount --rbind /proc "$1/proc" && mount --bind "$2" "$1/mnt" &&'
         ' root=$1 && shift 2 && exec chroot "$root" "$@"')


class Toolchain:
    """A suite's compiler; `top` is its root, None that of this machine."""

    def __init__(self, top=None):
        self.top = top

    def headers(self, pattern):
        """The newest headers whose package is named like `pattern`."""
        found = [path for path in pathlib.Path(self.top or "/", "usr/src").glob(pattern)
                 if (path / "Module.symvers").exists()]
        if not found:
            raise RuntimeError(f"no {pattern} in {self.top or '/'}usr/src: install linux-headers-amd64")
        return max(found, key=lambda path: [int(n) for n in re.findall(r"\d+", path.name)])

    def module(self, headers, output, test_build=True):
        """Build hpshim.ko for a kernel, warnings being errors, and copy it to `output`."""
        self._build(paths.SOURCE / "kmod-shim", headers, lambda place, kernel: [
            "sh", place / "source/build-module", place / "source", kernel, place / "build",
            place / "hpshim.ko", f"HPSHIM_TEST_BUILD={'y' if test_build else 'n'}"], "hpshim.ko", output)

    def test_module(self, headers, name, output):
        """Build one of lab/modules for a kernel and copy it to `output`."""
        self._build(paths.LAB / "modules", headers, lambda place, kernel: [
            "make", "-C", kernel, f"M={place}/source", "modules"], f"source/{name}.ko", output)

    def _build(self, source, headers, command, result, output):
        """Run command(directory, kernel) where `directory`/source is a copy of the
        sources, and copy its result."""
        with tempfile.TemporaryDirectory() as directory:
            place = pathlib.Path("/mnt" if self.top else directory)
            kernel = pathlib.Path("/", headers.relative_to(self.top)) if self.top else headers
            paths.run("cp", "-r", f"{source}/.", f"{directory}/source")
            run = command(place, kernel)
            if self.top:
                user = [] if os.geteuid() == 0 else ["--map-root-user"]
                run = ["unshare", "--mount", *user, "sh", "-c", ENTER, "sh", self.top, directory, *run]
            paths.run(*run)
            paths.run("cp", f"{directory}/{result}", output)


def ready(suite):
    """The toolchain of a suite, made if need be."""
    if suite == image.SUITE:
        return Toolchain()
    recipe = paths.digest(suite, PACKAGES, FETCH_IMAGE)
    return Toolchain(paths.made_once(paths.CACHE / f"toolchain-{suite}-{recipe}",
                                     lambda new: make(new, suite)))


def make(new, suite):
    paths.say(f"fetching kernel, headers and compiler of Debian {suite}")
    new.mkdir(parents=True)
    tar = new / "root.tar"
    paths.run("mmdebstrap", "--quiet", "--variant=apt", "--include=" + ",".join(PACKAGES),
              "--aptopt=" + APT, "--customize-hook=" + FETCH_IMAGE, suite, tar, "-",
              input="\n".join(image.sources(suite)) + "\n", stdin=None)
    paths.run("tar", "-C", new, "--no-same-owner", "--exclude=./dev/*", "-xf", tar)
    tar.unlink()
