// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a person can do about a job that is stalled.
 *
 * Responsible for: the advice. Where it is stuck, the job's record says.
 */
#include "stall.h"
#include "util.h"

const char *stall_advice(const struct job *j)
{
	if (streq(j->step, "unbind"))
		return "Do not pull the card: a driver has not let go of it. The job goes on by itself when the driver does; "
		       "\"journalctl -k\" may say what it waits for. Other slots are not affected.";
	if (streq(j->step, "remove"))
		return "Do not pull the card: a driver has not let go of it. The job goes on by itself when the driver does; "
		       "\"journalctl -k\" may say what it waits for. If it never does, hot-plug is stuck until a reboot.";
	if (streq(j->step, "rescan"))
		return "A driver does not come back from taking its device. The job goes on by itself when it does; "
		       "\"journalctl -k\" may say what it waits for. If it never does, hot-plug is stuck until a reboot.";
	if (streq(j->step, "power-on") || streq(j->step, "power-off"))
		return "The slot's controller does not answer. Leave the card where it is; see \"journalctl -k\" and "
		       "\"journalctl -u hotplugd\", and if nothing happens: systemctl restart hotplugd, which asks again.";
	if (streq(j->step, "confirm"))
		return "The devices are there, and their drivers are late: see \"journalctl -k\" and \"udevadm settle\".";
	return "See \"journalctl -u hotplugd\". hpctl cancel takes back what has not come to its commit.";
}
