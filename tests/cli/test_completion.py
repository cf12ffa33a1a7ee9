# SPDX-License-Identifier: LGPL-2.1-or-later
"""The shell completions offer what hpctl takes, no more and no less.

bash runs its file; of zsh's only the text is looked at, as the machine need not
have a zsh.
"""

import os
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from bus import HPCTL, BusCase  # noqa: E402

COMPLETION = pathlib.Path(os.environ.get("SOURCE_ROOT", pathlib.Path(__file__).parents[2])) / "cli/completion"
# As bash splits the line: COMP_WORDBREAKS has the "=".
SCRIPT = """
    compopt() { :; }
    . "$COMPLETION/hpctl"
    while read -r line; do
        read -ra COMP_WORDS <<<"$line"
        [[ $line == *_ ]] && COMP_WORDS[-1]=
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _hpctl
        echo "${COMPREPLY[*]}"
    done
"""


class Completion(BusCase):
    def setUp(self):
        super().setUp()
        self.env.update(COMPLETION=str(COMPLETION), PATH=f"{pathlib.Path(HPCTL).parent}:{self.env['PATH']}")
        self.verbs = self.hpctl("no-such-verb").stderr.split("Verbs: ")[1].split(". See")[0].split(", ")
        self.options = sorted(set(re.findall(r"--[a-z-]+[a-z]", self.said("--help"))))

    def complete(self, *lines):
        """What bash offers for the last word of each line; "_": for an empty one."""
        done = subprocess.run(["bash", "-c", SCRIPT], env=self.env, input="\n".join(lines) + "\n", text=True,
                              capture_output=True, check=True)
        self.assertEqual(done.stderr, "")
        return [line.split() for line in done.stdout.splitlines()]

    def takes(self, verb, option):
        """Whether hpctl lets the verb have the option. There is no daemon, so nothing happens."""
        value = {"--timeout": "=1", "--since": "=now", "--lines": "=1", "--directory": "=/nonexistent"}.get(option, "")
        done = self.hpctl(option + value, verb, *{"jobs": [], "cancel": ["1"]}.get(verb, ["slot1"]))
        self.assertNotEqual(done.returncode, 0, done)
        return not re.search(r"means? nothing to", done.stderr)

    def test_every_verb_is_offered_and_no_other(self):
        offered, one = self.complete("hpctl _", "hpctl --force ej")
        self.assertEqual(sorted(offered), sorted(self.verbs))
        self.assertEqual(one, ["eject"])

    def test_every_option_is_offered_before_a_verb(self):
        offered, = self.complete("hpctl --")
        self.assertEqual({word.split("=")[0] for word in offered}, set(self.options))

    def test_a_verb_is_offered_just_the_options_that_it_takes(self):
        answers = self.complete(*(f"hpctl {verb} --" for verb in self.verbs))
        for verb, answer in zip(self.verbs, answers):
            offered = {word.split("=")[0] for word in answer} - {"--help", "--version"}
            taken = {option for option in self.options if option not in ("--help", "--version") and self.takes(verb, option)}
            self.assertEqual(offered, taken, verb)

    def test_slots_devices_and_jobs_are_offered_where_they_are_taken(self):
        self.fake("busy")
        two = [verb for verb in self.verbs if verb not in ("jobs", "cancel")]
        for verb, answer in zip(two, self.complete(*(f"hpctl --json {verb} slot9 slot2" for verb in two))):
            self.assertEqual(answer, ["slot2", "slot20", "slot21", "slot22", "slot23", "slot24", "slot25"], verb)
        lines = {
            "hpctl eject nvme0": ["nvme0n1"],
            "hpctl cancel _": ["1"],
            "hpctl --timeout 3 cancel _": ["1"],
            "hpctl --timeout = 3 cancel _": ["1"],
            "hpctl jobs _": [],
            "hpctl locate slot1 o": ["off"],
            "hpctl locate o": [],
            "hpctl eject slot1 o": [],
        }
        for (line, expected), answer in zip(lines.items(), self.complete(*lines)):
            self.assertEqual(answer, expected, line)

    def test_values_of_options_are_offered(self):
        lines = {
            "hpctl --json =": ["short", "pretty"],
            "hpctl --json = p": ["pretty"],
            "hpctl history --since = y": ["yesterday"],
            "hpctl history --since y": ["yesterday"],
            "hpctl history -n a": ["all"],
            "hpctl history --lines =": ["all"],
            "hpctl history -D /us": ["/usr"],
            "hpctl eject --timeout 3": [],
        }
        for (line, expected), answer in zip(lines.items(), self.complete(*lines)):
            self.assertEqual(answer, expected, line)

    def test_zsh_names_every_verb_and_option(self):
        text = (COMPLETION / "_hpctl").read_text()
        for verb in self.verbs:
            self.assertRegex(text, rf"'{verb}:", verb)
        for option in self.options:
            self.assertRegex(text, rf"['{{,)]{option}[=\[,}}]", option)


if __name__ == "__main__":
    unittest.main()
