/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ports that the shim could not take, or is not to.
 *
 * Responsible for: counting. A port that cannot be taken is unbound from its driver
 * and bound again by each try, and that looks like news of the port: without a limit
 * it would be tried for ever.
 */
#include <stdlib.h>
#include <string.h>

#include "adoption.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "manager.h"

#define TRIES_MAX 3

struct adoption_failure {
	TAILQ_ENTRY(adoption_failure) entry;
	char port[HPSHIM_ADDRESS_MAX];
	unsigned int tries;
};

static struct adoption_failure *find(const struct manager *m, const char *port)
{
	struct adoption_failure *f;

	TAILQ_FOREACH(f, &m->adoption_failures, entry)
		if (strcmp(f->port, port) == 0)
			return f;
	return NULL;
}

static struct adoption_failure *find_or_new(struct manager *m, const char *port)
{
	struct adoption_failure *f = find(m, port);

	if (f)
		return f;
	f = calloc(1, sizeof(*f));
	if (f) {
		strncpy(f->port, port, sizeof(f->port) - 1);
		TAILQ_INSERT_TAIL(&m->adoption_failures, f, entry);
	}
	return f;
}

void adoption_unwanted(struct manager *m, const char *port)
{
	struct adoption_failure *f = find_or_new(m, port);

	if (f)
		f->tries = TRIES_MAX;
}

void adoption_failed(struct manager *m, const char *port, const char *why)
{
	struct adoption_failure *f;

	if (port[0] == '\0') { /* refused at once: nothing was touched, so nothing will ask for it again */
		log_warning("Cannot take a port from its driver: %s", why);
		return;
	}
	f = find_or_new(m, port);
	if (!f)
		return;
	if (++f->tries < TRIES_MAX)
		log_warning("Cannot take port %s from its driver: %s; trying again", port, why);
	else
		log_warning("Cannot take port %s from its driver: %s; tried %u times, it stays there. 'hpctl adopt' and "
			    "'systemctl reload hotplugd' try again", port, why, f->tries);
}

bool adoption_given_up(const struct manager *m, const char *port)
{
	const struct adoption_failure *f = find(m, port);

	return f && f->tries >= TRIES_MAX;
}

void adoption_forget(struct manager *m, const char *port)
{
	struct adoption_failure *f, *next;

	for (f = TAILQ_FIRST(&m->adoption_failures); f; f = next) {
		next = TAILQ_NEXT(f, entry);
		if (port && strcmp(f->port, port) != 0)
			continue;
		TAILQ_REMOVE(&m->adoption_failures, f, entry);
		free(f);
	}
}
