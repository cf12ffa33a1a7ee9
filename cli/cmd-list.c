// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * hpctl list and tree: the slots, one a line.
 *
 * Responsible for: the verbs, and saying why when there is nothing to list.
 */
#include <stdio.h>

#include "client.h"
#include "format-json.h"
#include "format.h"
#include "util.h"

static enum exit_code explain_empty(struct client *c)
{
	_cleanup_free_ char *version = NULL, *shim = NULL;
	enum exit_code code = client_manager(c, &version, &shim);

	if (code != EXIT_CODE_OK)
		return code;
	fputs("No hot-plug slots: this machine has none, or no driver has found them (see /sys/bus/pci/slots).\n", stderr);
	if (streq(shim, "absent"))
		fputs("The kernel module hpshim is not loaded, and it finds slots too: modprobe hpshim\n", stderr);
	return EXIT_CODE_OK;
}

static int list(const struct options *o, char **names,
		enum exit_code (*print)(const struct options *o, const struct model *m, struct slot *const *slots))
{
	_cleanup_(model_clear) struct model m = { 0 };
	_cleanup_(client_close) struct client c = { 0 };
	_cleanup_free_ struct slot **slots = NULL;
	enum exit_code code;

	code = client_open(&c, o);
	if (code == EXIT_CODE_OK)
		code = client_load(&c, &m);
	if (code == EXIT_CODE_OK)
		code = client_select_slots(&c, &m, names, &slots);
	if (code != EXIT_CODE_OK)
		return code;
	if (o->json)
		return json_print(json_slots(&m, slots), o->json);
	if (m.n_slots == 0)
		return explain_empty(&c);
	return print(o, &m, slots);
}

int cmd_list(const struct options *o, char **names)
{
	return list(o, names, format_slot_table);
}

int cmd_tree(const struct options *o, char **names)
{
	return list(o, names, format_slot_tree);
}
