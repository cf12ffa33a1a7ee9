// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * hpctl eject: releases the devices in slots and powers these off.
 *
 * Responsible for: the verb's words; how it is followed is follow.c's.
 */
#include "follow.h"
#include "util.h"

static bool is_on(const struct slot *s)
{
	return !streq(s->state, "off") && !streq(s->state, "empty");
}

static const struct operation eject = {
	.name = "eject",
	.method = "Eject",
	.done = "ejected",
	.idle = "the slot is empty or off",
	.deepest_first = true,
	.concerns = is_on,
};

int cmd_eject(const struct options *o, char **names)
{
	return o->dry_run ? dry_run(o, &eject, names) : follow_run(o, &eject, names);
}
