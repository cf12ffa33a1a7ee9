// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * hpctl replace: takes a card out, waits for another one and brings that up.
 *
 * Responsible for: the verb's words; how it is followed is follow.c's.
 */
#include "follow.h"

static const struct operation replace = {
	.name = "replace",
	.method = "Replace",
	.done = "replaced",
	.idle = "there is no card to replace",
	.shows_devices = true,
};

int cmd_replace(const struct options *o, char **names)
{
	return o->dry_run ? dry_run(o, &replace, names) : follow_run(o, &replace, names);
}
