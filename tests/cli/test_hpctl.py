# SPDX-License-Identifier: LGPL-2.1-or-later
"""hpctl against a daemon that only plays: output, JSON, exit codes.

What each slot of the fake does is the table in fake-slots.h.
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import unittest
import xml.etree.ElementTree as xml

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from bus import HPCTL, BusCase  # noqa: E402

VERBS = ["list", "tree", "status", "eject", "insert", "replace", "hold", "unhold", "locate", "adopt", "release",
         "jobs", "cancel", "monitor"]
ROOT = pathlib.Path(os.environ.get("SOURCE_ROOT", pathlib.Path(__file__).parents[2]))


class Listing(BusCase):
    def test_slots_are_listed_in_the_order_people_count(self):
        self.fake()
        names = [line.split()[0] for line in self.said("--no-legend").splitlines()]
        self.assertEqual(names, ["slot1", "slot1-1", "slot2", "slot3", "slot4", "slot5", "slot6", "slot7",
                                 "slot8", "slot9", "slot10", "slot20", "slot21", "slot22", "slot23", "slot24", "slot25"])

    def test_json_has_the_keys_and_types_of_the_contract(self):
        self.fake("busy")
        slots = {slot["slot"]: slot for slot in self.json("list")["slots"]}
        slot = slots["slot1-1"]
        self.assertLessEqual({"slot", "address", "backend", "kind", "state", "power", "present", "latch", "link",
                              "locate", "devices", "job"}, set(slot))
        self.assertEqual((slot["address"], slot["backend"], slot["kind"], slot["state"]),
                         ("0000:00:01.1", "shim", "pcie", "on"))
        self.assertEqual((slot["power"], slot["present"], slot["locate"]), (True, True, False))
        self.assertEqual((slot["latch"], slot["link"]), ("closed", None))
        self.assertEqual((slots["slot10"]["latch"], slots["slot10"]["link"]), ("open", False))
        self.assertEqual((slots["slot1"]["latch"], slots["slot1"]["link"]), (None, True))
        self.assertEqual(slot["devices"], [{"address": "0000:01:00.0", "name": "Made-up Device",
                                            "driver": "e1000e", "nodes": ["eth1"]}])
        self.assertIsNone(slot["job"])
        job = slots["slot8"]["job"]
        self.assertEqual((job["id"], job["operation"], job["state"]), (1, "eject", "grace"))

    def test_jobs_are_listed_as_table_and_as_json(self):
        self.fake("busy")
        self.assertRegex(self.said("jobs"), r"(?m)^ 1 slot8 eject +dbus +grace window +\d+m?s uid 0$")
        job, = self.json("jobs")["jobs"]
        self.assertLessEqual({"id": 1, "slot": "slot8", "operation": "eject", "origin": "dbus", "state": "grace",
                              "step": "window", "stalled": False, "requested_by": "uid 0"}.items(), job.items())
        self.assertGreater(job["step_age_sec"], 0)
        self.assertLess(job["step_age_sec"], job["age_sec"])

    def test_no_jobs_is_an_empty_list_and_a_remark(self):
        self.fake()
        self.assertEqual(self.json("jobs"), {"jobs": []})
        done = self.hpctl("jobs")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", "No jobs under way.\n"))

    def test_json_is_short_in_a_pipe_and_pretty_on_demand(self):
        self.fake()
        self.assertEqual(self.said("--json", "list").count("\n"), 1)
        self.assertEqual(self.said("--json=short", "list").count("\n"), 1)
        self.assertGreater(self.said("--json=pretty", "list").count("\n"), 100)

    def test_no_slots_is_explained_and_no_error(self):
        self.fake("no-slots")
        done = self.hpctl("list")
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        self.assertIn("No hot-plug slots", done.stderr)
        self.assertIn("modprobe hpshim", done.stderr)
        self.assertEqual(self.json("list"), {"slots": []})

    def test_a_slot_is_found_by_any_of_its_names(self):
        self.fake()
        for name in ["slot6", "6", "0000:00:06.0", "nvme6n1", "/dev/nvme6n1"]:
            self.assertEqual([slot["slot"] for slot in self.json("list", name)["slots"]], ["slot6"])

    def test_a_tree_shows_each_slot_once_below_its_parent(self):
        self.fake()
        lines = self.said("--no-legend", "tree").splitlines()
        self.assertEqual(len(lines), 17)
        at = next(i for i, line in enumerate(lines) if line.startswith("slot1 "))
        self.assertRegex(lines[at + 1], r"^\W+slot1-1 ")
        self.assertRegex(self.said("--no-legend", "tree", "slot1-1"), r"^slot1-1 .*\n$")
        self.assertEqual(self.json("tree", "slot1-1"), self.json("list", "slot1-1"))

    def test_status_tells_all_about_a_slot(self):
        self.fake("busy")
        out = self.said("status", "slot1", "slot8")
        for text in ["slot1 - front left", "State: on (power on, card present)", "Link: up", "Latch: no sensor",
                     "Button: ejects after 5s", "0000:01:00.0 Made-up Device", "driver nvme: nvme0n1",
                     "Job: none", "1 eject, grace: eject begins in", "(in step window for ", "started by uid 0 (dbus)"]:
            self.assertIn(text, out)
        self.assertIn("power fault. To power the slot on again: hpctl insert slot10", self.said("status", "slot10"))

    def test_status_tells_about_the_daemon_and_a_missing_shim(self):
        self.fake("absent")
        out = self.said("status")
        self.assertIn("hotplugd 0.0-fake is running", out)
        self.assertIn("absent", out)
        self.assertIn("modprobe hpshim", out)
        status = self.json("status")
        self.assertEqual((status["version"], status["shim"], status["slots"]["total"], status["jobs"]),
                         ("0.0-fake", "absent", 17, 0))


class Usage(BusCase):
    def test_help_fits_a_screen_and_names_each_verb(self):
        lines = self.said("--help").splitlines()
        self.assertLess(len(lines), 24)     # and a prompt
        self.assertLessEqual(max(map(len, lines)), 80)
        for verb in VERBS:
            self.assertTrue(any(re.match(rf"  (\w+ \| )?{verb}\b", line) for line in lines), verb)

    def test_an_unknown_verb_exits_2_and_names_the_verbs(self):
        message = self.refused("ejct", "slot1", code=2)
        for verb in VERBS:
            self.assertIn(verb, message)

    def test_wrong_usage_exits_2_and_points_to_help(self):
        for wrong in (["eject"], ["cancel"], ["jobs", "7"], ["--nonsense"], ["-x"], ["--json=yaml", "list"],
                      ["--timeout"], ["--timeout=soon", "eject", "1"], ["--timeout=-1", "eject", "1"],
                      ["--timeout=nan", "eject", "1"], ["--force", "list"], ["--no-block", "monitor"],
                      ["--timeout=1", "jobs"], ["--force=yes", "eject", "1"], ["--all", "list"], ["--all", "cancel"],
                      ["locate", "off"], ["hold"], ["replace"], ["--force", "release", "1"], ["eject", ""],
                      ["eject", "slot1", ""]):
            self.assertIn("hpctl --help", self.refused(*wrong, code=2), wrong)
        self.assertIn("number of a job", self.refused("cancel", "slot3", code=2))

    def test_a_verb_of_a_version_to_come_says_what_there_is_instead(self):
        for verb, instead in {"check": "--dry-run", "inhibit": "HOTPLUGD_PROTECT", "protect": "HOTPLUGD_PROTECT",
                              "unprotect": "--force"}.items():
            message = self.refused(verb, "slot1", code=2)
            self.assertIn("not in this version", message)
            self.assertIn(instead, message)

    def test_output_that_cannot_be_written_is_a_failure(self):
        self.fake()
        for command in ("--help", "--version", "--json list", "list", "--json eject slot1", "--dry-run eject slot1"):
            with open("/dev/full", "w") as full:
                done = subprocess.run([HPCTL, *command.split()], env=self.env, stdout=full, stderr=subprocess.PIPE,
                                      text=True, timeout=10)
            self.assertEqual(done.returncode, 1, command)
            self.assertIn("cannot write the output", done.stderr)

    def test_version(self):
        self.assertRegex(self.said("--version"), r"^hpctl \d")


class NotRunning(BusCase):
    def test_without_a_daemon_each_verb_exits_4_and_says_how_to_start_it(self):
        for verb in VERBS:
            verb += {"jobs": "", "cancel": " 1"}.get(verb, " slot1")
            self.assertEqual(self.refused(*verb.split(), code=4),
                             "hpctl: hotplugd is not running; start it with: systemctl start hotplugd.\n")

    def test_the_daemon_is_not_started_by_looking(self):
        self.refused("list", code=4)
        self.refused("eject", "slot1", code=4)
        self.assertFalse((self.directory / "was-started").exists())

    def test_without_a_bus_exits_4(self):
        self.env["DBUS_SYSTEM_BUS_ADDRESS"] = "unix:path=/nonexistent/bus"
        self.assertIn("systemctl start", self.refused("list", code=4))


class Results(BusCase):
    """One result line, or one message, and the exit code."""

    def test_done_exits_0(self):
        self.fake()
        self.assertEqual(self.said("eject", "/dev/nvme0n1"), "slot1: ejected nvme0n1\n")
        self.assertEqual(self.said("insert", "slot4"), 
                         "slot4: inserted: nvme4n1 (nvme) (Its driver took long to bind)\n")

    def test_a_dry_run_tells_and_does_nothing(self):
        self.fake("busy")
        before = self.json("list")
        self.assertEqual(self.said("--dry-run", "eject", "nvme0n1"), "slot1: would eject nvme0n1 (nvme)\n")
        self.assertIn("nothing to do", self.said("--dry-run", "eject", "slot2"))
        self.assertIn("no card", self.refused("--dry-run", "insert", "slot2", code=1))
        self.said("release", "slot5")
        self.assertIn("adopt it first", self.refused("--dry-run", "replace", "slot5", code=1))
        self.said("adopt", "slot5")
        job, = self.json("jobs")["jobs"]
        self.assertEqual(job["operation"], "eject")
        self.assertIn("is under way", self.refused("--dry-run", "replace", job["slot"], code=5))
        self.assertIn("slot99", self.refused("--dry-run", "eject", "slot99", code=3))
        done = self.hpctl("--dry-run", "--json", "eject", "slot1", "slot2")
        self.assertEqual([one["result"] for one in json.loads(done.stdout)["results"]], ["would-start", "nothing"])
        self.assertEqual(self.json("list"), before)

    def test_nothing_to_do_exits_0(self):
        self.fake()
        self.assertIn("nothing to do", self.said("eject", "slot2"))

    def test_an_unknown_slot_exits_3_and_names_what_exists(self):
        self.fake()
        for verb in ["eject", "insert", "status", "list", "monitor"]:
            message = self.refused(verb, "slot99", code=3)
            for name in ["slot99", "slot1,", "slot24"]:
                self.assertIn(name, message)

    def test_with_an_unknown_slot_nothing_is_started(self):
        self.fake()
        self.refused("eject", "slot1", "slot99", code=3)
        self.assertEqual(self.json("list", "slot1")["slots"][0]["state"], "on")

    def test_a_failed_job_exits_1_with_its_reason(self):
        self.fake()
        self.assertEqual(self.refused("eject", "slot5", code=1),
                         "hpctl: slot5: eject failed: The slot did not power off. See: journalctl -u hotplugd.\n")

    def test_insert_without_a_card_exits_1(self):
        self.fake()
        self.assertIn("no card in the slot", self.refused("insert", "slot2", code=1))

    def test_refusals_exit_5_with_their_reason(self):
        self.fake()
        self.assertRegex(self.refused("eject", "slot6", code=5), "^hpctl: slot6: .*mounted on /data, as slot60's is")
        self.assertIn("HOTPLUGD_PROTECT", self.refused("eject", "slot3", code=5))
        self.assertIn("job 1", self.refused("eject", "slot24", code=5))
        self.assertIn("latch is open", self.refused("insert", "slot10", code=5))

    def test_force_goes_to_the_daemon(self):
        self.fake()
        self.assertEqual(self.said("--force", "eject", "slot3"), "slot3: ejected nvme3n1\n")

    def test_not_authorised_exits_6_and_says_what_to_do(self):
        self.fake()
        self.assertIn("sudo", self.refused("eject", "slot22", code=6))
        self.assertIn("sudo", self.refused("eject", "slot23", code=6))
        self.assertIn("leave out --no-ask-password", self.refused("--no-ask-password", "eject", "slot23", code=6))

    def test_after_a_no_the_others_are_not_tried(self):
        self.fake()
        done = self.hpctl("eject", "slot22", "slot1")
        self.assertEqual(done.returncode, 6)
        self.assertIn("slot1: not tried", done.stderr)
        self.assertEqual(self.json("list", "slot1")["slots"][0]["state"], "on")

    def test_gone_is_a_success_of_eject_and_no_success_of_insert(self):
        self.fake()
        self.assertIn("gone: A slot above", self.said("eject", "slot1-1"))
        self.assertIn("A slot above", self.refused("insert", "slot1-1", code=1))

    def test_several_slots_have_a_line_each_and_the_worst_exit_code(self):
        self.fake()
        done = self.hpctl("eject", "slot1", "slot6", "slot2", "1", "slot5")
        self.assertEqual(done.returncode, 1, done)
        self.assertEqual(sorted(line.split(":")[0] for line in done.stdout.splitlines()), ["slot1", "slot2"])
        self.assertEqual(len(done.stderr.splitlines()), 2)

    def test_json_has_a_result_for_each_slot(self):
        self.fake()
        results = self.json("eject", "slot1", "slot6", "slot2", code=5)["results"]
        self.assertEqual([(result["slot"], result["result"], result["exit_code"]) for result in results],
                         [("slot1", "done", 0), ("slot6", "refused", 5), ("slot2", "nothing", 0)])
        self.assertEqual([bool(result["job"]) for result in results], [True, True, False])
        self.assertEqual([result["error"] for result in results], [None, None, None])

    def test_json_has_the_name_of_an_error(self):
        self.fake()
        for verb in ["eject", "hold", "locate", "adopt"]:
            results = self.json(verb, "slot3", "slot1-1", "slot24", code=5)["results"]
            self.assertEqual([(result["slot"], result["exit_code"], result["error"]) for result in results],
                             [("slot3", 5, "org.hotplugd1.Error.Protected"), ("slot1-1", 0, None),
                              ("slot24", 5, "org.hotplugd1.Error.Busy")], verb)
            self.assertIn("--force overrides", results[0]["reason"])
            self.assertIn("job 1", results[2]["reason"])
        result, = self.json("cancel", "77", code=1)["results"]
        self.assertEqual((result["error"], "no job 77" in result["reason"]), ("org.hotplugd1.Error.NoSuchJob", True))

    def test_all_are_those_that_have_something_to_eject(self):
        self.fake()
        done = self.hpctl("--json", "eject", "--all", "--no-block")
        results = {result["slot"]: result["exit_code"] for result in json.loads(done.stdout)["results"]}
        self.assertEqual(results["slot1"], 0)
        self.assertFalse({"slot2", "slot4"} & set(results))

    def test_all_below_a_slot_leave_out_the_slot_itself(self):
        self.fake()
        results = self.json("eject", "--all", "slot1")["results"]
        self.assertEqual([result["slot"] for result in results], ["slot1-1"])

    def test_all_of_nothing_is_nothing_to_do(self):
        self.fake("no-slots")
        self.assertIn("nothing to do", self.said("eject", "--all"))
        self.assertEqual(self.json("insert", "--all"), {"results": []})
        self.refused("eject", "--all", "slot99", code=3)

    def test_many_slots_are_asked_for_at_once(self):
        self.fake()
        names = ["slot1", "slot9", "slot5", "slot6", "slot2", "slot3", "slot24"]
        results = self.json("eject", *names, code=1)["results"]
        self.assertEqual([(result["slot"], result["exit_code"]) for result in results],
                         list(zip(names, [0, 0, 1, 5, 0, 5, 5])))

    def test_a_card_is_replaced_as_one_job(self):
        self.fake()
        self.assertEqual(self.said("replace", "slot1"), "slot1: replaced: nvme4n1 (nvme)\n")
        self.assertIn("no card to replace", self.said("replace", "slot2"))

    def test_a_held_slot_says_so_until_it_is_not_held(self):
        self.fake()
        self.assertIn("slot1: held", self.said("hold", "1"))
        self.assertTrue(self.json("list", "slot1")["slots"][0]["hold"])
        self.assertIn("hpctl unhold slot1", self.said("status", "slot1"))
        self.assertIn("slot1: not held", self.said("unhold", "/dev/nvme0n1"))
        self.assertFalse(self.json("list", "slot1")["slots"][0]["hold"])

    def test_locate_is_switched_on_and_off(self):
        self.fake()
        for words, on in ((["slot1", "slot2"], True), (["slot1", "slot2", "off"], False), (["slot1", "on"], True)):
            self.said("locate", *words)
            self.assertEqual(self.json("list", "slot1")["slots"][0]["locate"], on)
        self.assertFalse(self.json("list", "slot2")["slots"][0]["locate"])

    def test_release_gives_a_slot_to_the_native_driver_and_adopt_takes_it_back(self):
        self.fake()
        for verb, backend in (("release", "native"), ("adopt", "shim")):
            self.said(verb, "slot1")
            self.assertEqual(self.json("list", "slot1")["slots"][0]["backend"], backend)

    def test_status_of_a_native_slot_tells_who_acts_on_its_button_and_not_a_policy_that_does_not_hold(self):
        self.fake("absent")
        pcie, other = self.said("status", "slot3").replace("\n", " "), self.said("status", "slot4").replace("\n", " ")
        self.assertIn("Button: the kernel's own driver ejects", pcie)
        self.assertIn("hpctl adopt slot3", pcie)
        self.assertIn("Protected: yes (HOTPLUGD_PROTECT): hpctl does not eject it without --force; the button does", pcie)
        self.assertIn("Button: the firmware's", other)
        for out in (pcie, other):
            self.assertNotIn("New card:", out)
            self.assertNotIn("second press", out)
        self.assertNotIn("adopt", other)

    def test_what_is_set_has_a_result_for_each_slot(self):
        self.fake()
        results = self.json("hold", "slot1", "slot2")["results"]
        self.assertEqual([(result["slot"], result["operation"], result["result"]) for result in results],
                         [("slot1", "hold", "done"), ("slot2", "hold", "done")])
        self.assertIn("slot99", self.refused("hold", "slot1", "slot99", code=3))
        self.assertFalse(self.json("list", "slot3")["slots"][0]["hold"])

    def test_after_a_no_nothing_more_is_set_and_each_slot_has_its_reason(self):
        self.fake()
        done = self.hpctl("--json", "hold", "slot2", "slot22", "slot1")
        self.assertEqual(done.returncode, 6)
        results = {result["slot"]: result for result in json.loads(done.stdout)["results"]}
        self.assertEqual((results["slot2"]["result"], results["slot2"]["reason"]), ("done", None))
        self.assertEqual((results["slot22"]["result"], results["slot22"]["exit_code"]), ("error", 6))
        self.assertIn("polkit says no", results["slot22"]["reason"])
        self.assertEqual(results["slot1"]["reason"], "not tried, for the same reason")
        self.assertIn("slot1: not tried", done.stderr)
        self.assertFalse(self.json("list", "slot1")["slots"][0]["hold"])


class Following(BusCase):
    def test_a_job_that_ends_before_the_answer_is_not_missed(self):
        self.fake()
        self.assertEqual(self.said("eject", "slot9"), "slot9: ejected nvme9n1\n")

    def test_no_block_prints_the_job_and_returns(self):
        self.fake()
        self.assertEqual(self.said("--no-block", "eject", "slot7", "slot8"), "slot7: job 1\nslot8: job 2\n")
        self.assertEqual(len(self.json("jobs")["jobs"]), 2)

    def test_a_time_out_exits_7_and_the_job_goes_on(self):
        self.fake()
        message = self.refused("--timeout=0.3", "eject", "slot7", code=7)
        self.assertIn("removing nvme7n1", message)
        self.assertIn("job 1", message)
        self.assertIn("hpctl jobs", message)
        self.assertEqual(self.json("jobs")["jobs"][0]["state"], "committing")

    def test_a_job_under_way_is_joined(self):
        self.fake("busy")
        self.assertIn("job 1", self.refused("--timeout=0.2", "eject", "slot8", code=7))

    def test_cancel_ends_a_job_and_whoever_follows_it_exits_8(self):
        self.fake()
        follower = self.spawn([HPCTL, "eject", "slot8"])
        monitor = self.spawn([HPCTL, "--json", "monitor"])
        for line in monitor.stdout:
            if json.loads(line)["type"] in ("ready", "job-new") and self.json("jobs")["jobs"]:
                break
        self.assertIn("job 1: cancelled", self.said("cancel", "1"))
        out, err = follower.communicate(timeout=10)
        self.assertEqual((follower.returncode, out), (8, ""))
        self.assertIn("slot8: eject cancelled", err)

    def test_cancel_too_late_exits_1_with_the_reason(self):
        self.fake()
        self.refused("--timeout=0.2", "eject", "slot7", code=7)
        self.assertIn("has reached its commit", self.refused("cancel", "1", code=1))

    def test_cancel_of_an_unknown_job_exits_1(self):
        self.fake()
        self.assertIn("no job 7", self.refused("cancel", "7", code=1))

    def test_an_interrupt_cancels_and_a_second_one_leaves_it_running(self):
        self.fake()
        for slot, code, text in [("slot8", 8, "cancelled"), ("slot7", 7, "left running as job")]:
            process = self.spawn([HPCTL, "eject", slot])
            while not any(job["slot"] == slot and job["step"] in ("window", "remove")
                          for job in self.json("jobs")["jobs"]):
                pass
            self.interrupt(process)
            if slot == "slot7":
                self.assertIn("asking to cancel", process.stderr.readline())
                self.assertIn("reached its commit", process.stderr.readline())
                self.interrupt(process)
            _, err = process.communicate(timeout=10)
            self.assertEqual(process.returncode, code, err)
            self.assertIn(text, err)

    def test_a_restart_of_the_daemon_is_survived(self):
        self.fake()
        done = self.hpctl("eject", "slot20")
        self.assertEqual((done.returncode, done.stdout), (0, "slot20: ejected nvme20n1\n"))
        self.assertIn("went away", done.stderr)

    def test_a_lost_bus_ends_it(self):
        self.fake()
        process = self.spawn([HPCTL, "eject", "slot7"])
        while not self.json("jobs")["jobs"]:
            pass
        self.bus.kill()
        _, err = process.communicate(timeout=10)
        self.assertEqual(process.returncode, 4, err)

    def test_a_lost_bus_ends_json_with_what_is_known(self):
        self.fake()
        process = self.spawn([HPCTL, "--json", "eject", "slot7"])
        while not self.json("jobs")["jobs"]:
            pass
        self.bus.kill()
        out, err = process.communicate(timeout=10)
        self.assertEqual(process.returncode, 4, err)
        one, = json.loads(out)["results"]
        self.assertEqual((one["slot"], one["result"], one["exit_code"]), ("slot7", "error", 4))


class Terminal(BusCase):
    def test_stages_are_shown_as_they_pass(self):
        self.fake()
        terminal = self.terminal("eject", "slot1")
        self.assertEqual(terminal.finish(), 0)
        for stage in ["checking…", "removing nvme0n1…", "powering off…"]:
            self.assertIn(stage, terminal.out)
        self.assertEqual(terminal.screen, ["slot1: checking… removing nvme0n1… powering off… done"])

    def test_each_slot_has_a_line_and_messages_stand_above(self):
        self.fake()
        terminal = self.terminal("eject", "slot1", "slot6", "slot2")
        self.assertEqual(terminal.finish(), 5)
        screen = terminal.screen
        self.assertEqual([line for line in screen if line.startswith("slot")],
                         ["slot1: checking… removing nvme0n1… powering off… done",
                          "slot6: checking… refused",
                          "slot2: nothing to do: the slot is empty or off"])
        self.assertIn("/dev/nvme6n1 is mounted on /data", "".join(screen))

    def test_the_window_is_counted_down_and_ctrl_c_cancels(self):
        self.fake()
        terminal = self.terminal("eject", "slot8")
        terminal.wait_for("begins in 5s.*begins in 4s")
        terminal.interrupt()
        self.assertEqual(terminal.finish(), 8)
        self.assertIn("asking to cancel", terminal.out)
        self.assertEqual(terminal.screen[-1], "slot8: cancelled")

    def test_a_stalled_job_is_explained_and_ctrl_c_twice_leaves_it(self):
        self.fake()
        terminal = self.terminal("eject", "slot7")
        terminal.wait_for("is stalled")
        terminal.interrupt()
        terminal.wait_for("has reached its commit")
        terminal.interrupt()
        self.assertEqual(terminal.finish(), 7)
        self.assertIn("left running as job 1", terminal.out)

    def test_no_line_is_wider_than_the_terminal(self):
        self.fake()
        terminal = self.terminal("eject", "slot1", columns=40)
        self.assertEqual(terminal.finish(), 0)
        for line in re.split(r"[\r\n]|\x1b\[K", terminal.out):
            self.assertLess(len(re.sub(r"\x1b\[\w*", "", line)), 40, line)

    def test_a_dumb_terminal_gets_the_result_only(self):
        self.fake()
        self.env["TERM"] = "dumb"
        terminal = self.terminal("eject", "slot1")
        self.assertEqual((terminal.finish(), terminal.out), (0, "slot1: ejected nvme0n1\r\n"))


class Monitor(BusCase):
    def test_a_press_and_its_job_are_seen_as_json_lines(self):
        fake = self.fake()
        monitor = self.spawn([HPCTL, "--json", "monitor"])
        self.assertEqual(json.loads(monitor.stdout.readline())["type"], "ready")
        fake.send_signal(signal.SIGHUP)
        seen = [json.loads(monitor.stdout.readline()) for _ in range(3)]
        self.assertEqual([event["type"] for event in seen], ["slot-event", "job-new", "slot-changed"])
        self.assertLessEqual({"slot": "slot8", "event": "button", "verdict": "started"}.items(), seen[0].items())
        self.assertLessEqual({"id": 1, "slot": "slot8", "operation": "eject"}.items(), seen[1].items())
        self.assertEqual((seen[2]["slot"], seen[2]["state"]), ("slot8", "busy"))
        self.said("cancel", "1")
        line = monitor.stdout.readline()
        self.assertIn('"result":"cancelled"', line)
        self.assertEqual(json.loads(line)["operation"], "eject")
        self.interrupt(monitor)
        self.assertEqual(monitor.wait(10), 0)

    def test_words_for_people(self):
        self.fake()
        monitor = self.spawn([HPCTL, "monitor"])
        monitor.stderr.readline()
        self.said("eject", "slot1")
        out = ""
        while "eject done" not in out:
            out += monitor.stdout.readline()
        self.assertRegex(out, r"(?m)^\d\d:\d\d:\d\d\.\d{3}  slot1 +job 1: eject begins, asked for by uid 0$")
        self.assertRegex(out, r"(?m) slot1 +job 1: committing, removing nvme0n1$")

    def test_only_the_slots_that_are_named(self):
        self.fake()
        monitor = self.spawn([HPCTL, "--json", "monitor", "slot5"])
        monitor.stdout.readline()
        self.said("eject", "slot1")
        self.said("eject", "slot5", code=1)
        self.assertEqual(json.loads(monitor.stdout.readline())["slot"], "slot5")

    def test_it_goes_on_when_the_daemon_restarts(self):
        fake = self.fake()
        monitor = self.spawn([HPCTL, "--json", "monitor"])
        monitor.stdout.readline()
        fake.kill()
        self.assertEqual(json.loads(monitor.stdout.readline())["type"], "daemon-stopped")
        fake = self.fake()
        for word in ("daemon-started", "ready"):
            self.assertEqual(json.loads(monitor.stdout.readline())["type"], word)
        fake.send_signal(signal.SIGHUP)
        self.assertEqual(json.loads(monitor.stdout.readline())["type"], "slot-event")

    def test_a_time_out_ends_it_with_success(self):
        self.fake()
        self.said("--timeout=0.2", "monitor")


class Files(BusCase):
    """Files that must agree with each other."""

    @staticmethod
    def shape(interface):
        """An interface without annotations and comments."""
        shape = set()
        for member in interface:
            if member.tag == "annotation":
                continue
            arguments = tuple((argument.get("name"), argument.get("type"), argument.get("direction", ""))
                              for argument in member.findall("arg"))
            shape.add((member.tag, member.get("name"), member.get("type"), member.get("access"), arguments))
        return shape

    def test_the_man_page_tells_of_each_key_of_json(self):
        self.fake("busy")
        page = (ROOT / "docs/man/hpctl.1").read_text()
        words = set(re.findall(r"[\w-]+", page[page.index(".Sh JSON"):page.index(".Sh ENVIRONMENT")]))
        found = [self.json("jobs")["jobs"], self.json("list")["slots"], self.json("eject", "slot1")["results"],
                 self.json("cancel", "1")["results"], self.json("hold", "slot1")["results"]]
        for one in (one for each in found for one in each):
            keys = set(one).union(*(part for part in one.values() if isinstance(part, dict)),
                                  *(part for part in one.get("devices", [])))
            self.assertLessEqual(keys, words)

    def introspect(self, path):
        out = subprocess.run(["dbus-send", "--bus=" + self.env["DBUS_SYSTEM_BUS_ADDRESS"], "--print-reply=literal",
                              "--dest=org.hotplugd1", path, "org.freedesktop.DBus.Introspectable.Introspect"],
                             env=self.env, capture_output=True, text=True, check=True).stdout
        return xml.fromstring(out[out.index("<node"):])

    def test_the_fake_serves_the_interfaces_of_the_daemon(self):
        self.fake("busy")
        for path, name in [("/org/hotplugd1", "Manager"), ("/org/hotplugd1/slot/slot1", "Slot"),
                           ("/org/hotplugd1/job/1", "Job")]:
            name = f"org.hotplugd1.{name}"
            find = f"./interface[@name='{name}']"
            documented = xml.parse(ROOT / "daemon/dbus" / f"{name}.xml").find(find)
            self.assertEqual(self.shape(self.introspect(path).find(find)), self.shape(documented), name)


if __name__ == "__main__":
    unittest.main()
