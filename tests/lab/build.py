# SPDX-License-Identifier: LGPL-2.1-or-later
"""Builds the project for the guest and installs it into a tree in the build folder."""

import shutil
import subprocess

from lab import kernel, paths


def guest_build():
    """Configure and compile; return the build directory, or None without a meson.build."""
    if not (paths.SOURCE / "meson.build").exists():
        paths.say("no meson.build: the guest is a stock system")
        return None
    directory = paths.BUILD / "guest"
    directory.parent.mkdir(parents=True, exist_ok=True)
    if not (directory / "build.ninja").exists():
        run("meson", "setup", directory, paths.SOURCE, "--prefix=/usr", "-Dmodule=enabled",
            f"-Dkernel_dir={kernel.headers(kernel.KERNELS[kernel.DEFAULT])}", "-Dtest_build=true")
    run("meson", "compile", "-C", directory)
    return directory


def installed(name=kernel.DEFAULT):
    """Build and install; return the tree (None: stock). Trees are named by their
    content, so that another caller's guest keeps the one it boots from. User space
    is the same for all kernels; the module is each one's own."""
    with paths.lock(paths.BUILD / "guest.lock"):
        directory = guest_build()
        if not directory:
            return None
        new = paths.BUILD / "guest-tree.new"
        paths.remove(new)
        run("meson", "install", "-C", directory, "--no-rebuild", "--quiet", "--destdir", new)
        if name != kernel.DEFAULT:
            replace_module(new, name)
        test_modules(new, name)
        tree = paths.BUILD / f"guest-tree-{paths.tree_digest(new)}"
        if tree.exists():
            paths.remove(new)
            tree.touch()
        else:
            new.rename(tree)
        older = sorted(paths.BUILD.glob("guest-tree-*"), key=lambda path: path.stat().st_mtime)
        for path in older[:-3]:
            paths.remove(path)
        return tree


def replace_module(tree, name):
    """Put the module for a kernel in the place of the default one's."""
    boot = kernel.ready(name)
    module = made(boot, "hpshim", paths.SOURCE / "kmod-shim",
                  lambda new: boot.toolchain.module(boot.headers, new))
    paths.remove(tree / "usr/lib/modules")
    target = tree / "usr/lib/modules" / boot.release / "updates"
    target.mkdir(parents=True)
    shutil.copy2(module, target / "hpshim.ko")


def test_modules(tree, name):
    """Put what is in lab/modules into the tree, where modprobe does not look."""
    boot = kernel.ready(name)
    place = tree / "usr/local/lib/lab-modules"
    place.mkdir(parents=True)
    for source in (paths.LAB / "modules").glob("*.c"):
        module = made(boot, source.stem, paths.LAB / "modules",
                      lambda new: boot.toolchain.test_module(boot.headers, source.stem, new))
        shutil.copy2(module, place / f"{source.stem}.ko")


def made(boot, name, source, make):
    """A module for a kernel, built anew when its sources have changed."""
    return paths.made_once(
        paths.BUILD / f"{name}-{boot.top.name}-{paths.tree_digest(source)}.ko", make)


def run(*command):
    """Run a step of the build; show what it said only when it fails."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}")
