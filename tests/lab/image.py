# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a guest boots from: the base image, the layer over it, the initramfs.

The base image is a Debian root file system, read-only, shared by all guests.
The layer holds what is under test (the tree `meson install` made) and the lab's
own files of guest-root/; it travels in the initramfs, whose /init lays it over
the base image. So a change of code costs a cpio archive, not an image.
"""

import pathlib
import shutil
import subprocess
import tempfile

from lab import paths

SUITE = "bookworm"
PACKAGES = """
    systemd systemd-sysv dbus udev polkitd libpam-systemd kmod pciutils iproute2 e2fsprogs
    util-linux mount libglib2.0-bin bash-completion python3 less procps strace busybox-static
    libsystemd0 libudev1 libnl-3-200 libnl-genl-3-200 libnl-route-3-200 libpci3 libmount1
    libblkid1 libsmartcols1 libjson-c5 libinih1
""".split()
LEFT_OUT = ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*"]
MASKED = """
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer
    e2scrub_reap.service fstrim.timer systemd-tmpfiles-clean.timer systemd-pstore.service
    systemd-random-seed.service systemd-update-utmp.service systemd-update-utmp-runlevel.service
    systemd-journal-flush.service systemd-hwdb-update.service ldconfig.service
    systemd-journal-catalog-update.service systemd-machine-id-commit.service
    systemd-binfmt.service systemd-remount-fs.service systemd-sysusers.service
    getty@tty1.service serial-getty@ttyS0.service console-getty.service
    systemd-ask-password-wall.path systemd-ask-password-console.path
    sys-kernel-config.mount sys-fs-fuse-connections.mount modprobe@configfs.service
    modprobe@fuse.service modprobe@drm.service modprobe@efi_pstore.service
""".split()
# $1 is the new root file system.
SETUP = [
    'chroot "$1" useradd --create-home --shell /bin/bash user',
    'chroot "$1" systemctl -q mask ' + " ".join(MASKED),
    'echo lab > "$1"/etc/hostname',
    'echo 127.0.0.1 localhost lab > "$1"/etc/hosts',
    'echo 0123456789abcdef0123456789abcdef > "$1"/etc/machine-id',
    'rm -f "$1"/var/log/*.log "$1"/var/log/apt/*; rm -rf "$1"/usr/lib/udev/hwdb.d',
]


def sources(suite):
    """apt sources of a suite, from the mirrors that this machine itself uses. sid is
    one suite alone, without updates and security."""
    targets = paths.run("apt-get", "indextargets", "--format",
                        "$(CODENAME)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)",
                        "Created-By: Packages", "Origin: Debian")
    lines = []
    for target in targets.splitlines():
        codename, uri, release, component = target.split("|")
        own = codename.split("-")[0]
        if suite == "sid" and release != own:
            continue
        line = f"deb {uri} {release.replace(own, suite)} {component}"
        if line not in lines:
            lines.append(line)
    if not lines:
        raise RuntimeError("apt knows no Debian mirror here: run apt-get update")
    return lines


def base(suite=SUITE):
    """Make the base image; return its directory: `root.sqfs` and `busybox`."""
    recipe = paths.digest(suite, PACKAGES, LEFT_OUT, SETUP)
    return paths.made_once(paths.CACHE / f"root-{suite}-{recipe}",
                           lambda new: make_base(new, suite))


def make_base(new, suite):
    paths.say(f"making the base image (Debian {suite}, {len(PACKAGES)} packages and what they need)")
    new.mkdir(parents=True)
    command = ["mmdebstrap", "--quiet", "--variant=minbase", "--include=" + ",".join(PACKAGES)]
    command += [f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT]
    command += ["--customize-hook=" + hook for hook in SETUP]
    command += [f'--customize-hook=copy-out /bin/busybox "{new}"', suite, str(new / "root.tar"), "-"]
    paths.run(*command, input="\n".join(sources(suite)) + "\n", stdin=None)
    with open(new / "root.tar", "rb") as tar:
        paths.run("sqfstar", "-noI", "-noD", "-noF", "-noX", "-no-progress", new / "root.sqfs",
                  stdin=tar)
    (new / "root.tar").unlink()


def initramfs(kernel, root, tree):
    """Make the initramfs of a kernel with a layer: the lab's files and the tree
    under test (None: nothing, a stock system)."""
    key = paths.digest(kernel.top.name, root.name, (paths.LAB / "guest-init").read_bytes(),
                       paths.tree_digest(paths.LAB / "guest-root"),
                       paths.tree_digest(tree) if tree else "stock",
                       pathlib.Path(__file__).read_bytes())
    final = paths.BUILD / "initramfs" / f"{kernel.release}-{key}.cpio"
    if tree:
        forget_older(final)
    return paths.made_once(final, lambda new: make_initramfs(new, kernel, root, tree))


def forget_older(final):
    """Keep the last few; each is only as large as what is under test."""
    older = sorted(final.parent.glob("*.cpio"), key=lambda path: path.stat().st_mtime)
    for path in older[:-6]:
        path.unlink(missing_ok=True)


def make_initramfs(new, kernel, root, tree):
    with tempfile.TemporaryDirectory(dir=new.parent) as directory:
        top = pathlib.Path(directory)
        (top / "bin").mkdir()
        (top / "modules").mkdir()
        shutil.copy2(root / "busybox", top / "bin/busybox")
        shutil.copy2(paths.LAB / "guest-init", top / "init")
        names = []
        for module in kernel.initramfs_modules():
            shutil.copy2(module, top / "modules" / module.name)
            names.append(module.name)
        (top / "modules/order").write_text("".join(name + "\n" for name in names))

        layer = top / "layer"
        if tree:
            shutil.copytree(tree, layer, symlinks=True)
            prepare(layer, kernel)
        shutil.copytree(paths.LAB / "guest-root", layer, symlinks=True, dirs_exist_ok=True)
        files = paths.run("find", ".", cwd=top)
        with open(new, "wb") as archive:
            subprocess.run(["cpio", "-o", "-H", "newc", "-R", "0:0", "--quiet"], cwd=top,
                           input=files.encode(), stdout=archive, check=True)


def prepare(layer, kernel):
    """Do to the installed tree what a package's maintainer scripts would do."""
    modules = layer / "usr/lib/modules" / kernel.release
    objects = list(modules.rglob("*.ko"))
    for module in objects:
        paths.run("strip", "--strip-debug", module)
    if objects:
        with tempfile.TemporaryDirectory() as directory:
            merged = pathlib.Path(directory, "lib/modules", kernel.release)
            shutil.copytree(modules, merged)
            for path in kernel.modules.iterdir():
                if path.name in ("kernel", "modules.order") or path.name.startswith("modules.builtin"):
                    (merged / path.name).symlink_to(path)
            paths.run("/sbin/depmod", "-b", directory, kernel.release)
            for path in merged.glob("modules.*"):
                if not path.is_symlink():
                    shutil.copy2(path, modules / path.name)
    for unit in layer.glob("usr/lib/systemd/system/*.service"):
        if "\nWantedBy=" in unit.read_text():
            paths.run("systemctl", "--root", layer, "enable", "--quiet", unit.name)
