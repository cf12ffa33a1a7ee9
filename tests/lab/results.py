# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes docs/results.md: one section for each measurement, replaced as a whole by
the command that measures it again. What the figures are and how they spread,
whoever measured says; here is where they stand and what they were measured on.
"""

import datetime
import functools
import os
import re
import statistics

from lab import kernel, paths

FILE = paths.SOURCE / "docs/results.md"
TITLE = """<!-- SPDX-License-Identifier: LGPL-2.1-or-later -->
# Results

Figures of hotplugd, each section written by the command that it names. All guests
run in QEMU under software emulation, so times are much longer than on hardware;
what counts is how two figures of one table compare.
"""


def put(name, command, body, kernels=(kernel.DEFAULT,), file=None):
    """Replace the section `name` of docs/results.md, or add it at the end.

    `command` is what has to be typed to measure again, `body` Markdown (see
    table), `kernels` the names of the kernels that were measured."""
    file = file or FILE
    head = f"Measured by `{command}` on {setting(kernels)}."
    section = f"## {name}\n\n{head}\n\n{body.strip()}\n"
    with paths.lock(paths.BUILD / "results.lock"):
        text = file.read_text() if file.exists() else TITLE
        new = file.with_name(file.name + ".new")
        new.write_text(replaced(text, name, section))
        new.rename(file)


def replaced(text, name, section):
    """The text with another section of that name, in its place or at the end."""
    parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    for i, part in enumerate(parts):
        if part.splitlines()[0] == f"## {name}":
            parts[i] = section
            break
    else:
        parts.append(section)
    return "\n".join(part.strip("\n") + "\n" for part in parts)


def setting(kernels):
    """What the figures depend on: when, which source, kernels, QEMU and machine."""
    releases = " and ".join(kernel.ready(name).release for name in kernels)
    qemu = re.search(r"version ([\d.]+)", paths.run("qemu-system-x86_64", "--version"))[1]
    return (f"{datetime.date.today()}: hotplugd {source()}, Linux {releases}, QEMU {qemu} (TCG), "
            f"{os.cpu_count()} CPUs {processor()}")


@functools.cache
def source():
    """The commit, and whether the code differs from it; as it was when first asked,
    which who measures for long does at the start."""
    commit = paths.run("git", "-C", paths.SOURCE, "rev-parse", "--short", "HEAD").strip()
    changed = paths.run("git", "-C", paths.SOURCE, "status", "--porcelain", "-uno", "--",
                        ".", ":!docs", ":!README.md")
    return commit + (" with changes" if changed else "")


def processor():
    with open("/proc/cpuinfo") as file:
        found = re.search(r"^model name\s*: (.*)", file.read(), re.MULTILINE)
    return found[1].strip() if found else os.uname().machine


def table(head, rows):
    """A Markdown table; columns of numbers are set to the right."""
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [head] + rows) for i in range(len(head))]
    right = [bool(rows) and all(re.match(r"[-\d]", row[i]) for row in rows) for i in range(len(head))]

    def line(cells):
        return "| " + " | ".join(cell.rjust(width) if side else cell.ljust(width)
                                 for cell, width, side in zip(cells, widths, right)) + " |"

    rule = "|" + "|".join("-" * (width + 1) + (":" if side else "-")
                          for width, side in zip(widths, right)) + "|"
    return "\n".join([line(head), rule] + [line(row) for row in rows])


def spread(values, unit="", digits=2):
    """Median, least and greatest of some measurements: `7.35 s (7.20–7.61, n=5)`."""
    unit = unit and " " + unit
    return (f"{statistics.median(values):.{digits}f}{unit} "
            f"({min(values):.{digits}f}–{max(values):.{digits}f}, n={len(values)})")
