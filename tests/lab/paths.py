# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where things are: the source tree, the build folder, the cache of slow things.

The build folder belongs to one user of the lab (HOTPLUGD_BUILD); the cache
(HOTPLUGD_CACHE) may be shared by several at once, so all that is put there is
made under a lock and appears under its final name in one step.
"""

import contextlib
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

LAB = pathlib.Path(__file__).resolve().parent
SOURCE = LAB.parent.parent
BUILD = pathlib.Path(os.environ.get("HOTPLUGD_BUILD", SOURCE / "build")).absolute()
CACHE = pathlib.Path(os.environ.get("HOTPLUGD_CACHE", SOURCE / "build" / "cache")).absolute()
ARTIFACTS = BUILD / "artifacts"


def say(text):
    print(f"lab: {text}", file=sys.stderr, flush=True)


def digest(*parts):
    """A short name for a set of inputs."""
    total = hashlib.sha256()
    for part in parts:
        total.update(part if isinstance(part, bytes) else str(part).encode())
        total.update(b"\0")
    return total.hexdigest()[:12]


def tree_digest(top):
    """A short name for the content of a directory tree."""
    parts = []
    for path in sorted(pathlib.Path(top).rglob("*")):
        if "__pycache__" in path.parts:
            continue
        parts.append(f"{path.relative_to(top)} {path.lstat().st_mode:o}")
        if path.is_symlink():
            parts.append(os.readlink(path))
        elif path.is_file():
            parts.append(path.read_bytes())
    return digest(*parts)


@contextlib.contextmanager
def lock(path):
    """Hold an exclusive lock on a file, waiting for whoever has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def made_once(final, make):
    """Return `final`, made by make(temporary path) unless it is there already."""
    if final.exists():
        return final
    with lock(final.with_name(final.name + ".lock")):
        if not final.exists():
            temporary = final.with_name(final.name + ".new")
            remove(temporary)
            make(temporary)
            temporary.rename(final)
    return final


def remove(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def run(*command, **kwargs):
    """Run a command of the host quietly; when it fails, show all it said."""
    kwargs.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, **kwargs)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit {done.returncode}\n"
                           f"{done.stdout}{done.stderr}")
    return done.stdout
