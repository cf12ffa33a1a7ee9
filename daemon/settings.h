/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an administrator has set in hotplugd.conf. hotplugd.conf(5) explains it. */
#ifndef HOTPLUGD_SETTINGS_H
#define HOTPLUGD_SETTINGS_H

#include <stdbool.h>

#include "engine.h"

#define SETTINGS_NAME "hotplugd.conf"

/* Who does the commits of the shim's slots. */
enum commit_by {
	COMMIT_BY_SHIM,   /* the shim's own attributes */
	COMMIT_BY_KERNEL, /* devices/…/remove and pci_bus/…/rescan */
	_COMMIT_BY_MAX,
	_COMMIT_BY_INVALID = -1,
};

struct settings {
	/* [Daemon] */
	int log_level;          /* LOG_ERR … LOG_DEBUG */
	enum commit_by commit;
	usec_t give_back;       /* what the shim waits without a daemon */
	char **adopt;           /* words of Adopt=, NULL: the default, all */

	/* [Policy] */
	enum button_policy button;
	enum insert_policy insert;
	usec_t grace;

	/* [Timeouts]; the engine has its part of them, LinkDownSec= and RefusedBlinkSec=
	 * of [Policy], and Unbind= of [Daemon] */
	struct engine_config engine;
	usec_t driver_wait;     /* how long an insert waits for drivers */
};

/* How often and with which words the files were wrong goes to @wrong:
 * line 0 stands for the whole file; @reason is without a full stop. */
typedef void (*settings_wrong_t)(const char *file, unsigned int line, const char *reason, void *userdata);

/* What holds when nothing is configured. Allocates nothing. */
void settings_default(struct settings *s);

/*
 * Reads hotplugd.conf and its drop-ins below @root ("": the machine's own) into
 * @s, which is overwritten. A setting that is wrong is told and left as if it
 * were not there. Returns 0, or -ENOMEM with @s being the default. To be
 * cleared with settings_clear().
 */
int settings_read(struct settings *s, const char *root, settings_wrong_t wrong, void *userdata);
void settings_clear(struct settings *s);

/* The name of setting number @i, "Button"; NULL behind the last. */
const char *settings_key(size_t i);

/*
 * Whether Adopt= wants a slot that has all of @names: its own, and its port's
 * address. Each word is a pattern (fnmatch(3)), "yes" and "no" being all and
 * none; "!" in front of it takes away. The last one that matches decides.
 */
bool settings_adopts(const struct settings *s, const char *const *names, size_t n);

#endif
