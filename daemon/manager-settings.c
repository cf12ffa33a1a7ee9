/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the configuration means to the daemon's parts.
 *
 * Responsible for: reading it at the start and at a reload, telling what is wrong
 * in it, and handing each part what is its own. Which settings there are is
 * settings.c's.
 */
#include <string.h>

#include "adoption.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "controller.h"
#include "manager-settings.h"
#include "registry.h"

static void on_wrong(const char *file, unsigned int line, const char *reason, void *userdata)
{
	log_wrong_line(file, line, reason);
}

static void read_settings(struct manager *m)
{
	struct settings s;

	if (settings_read(&s, "", on_wrong, NULL) < 0)
		log_error("Out of memory: the configuration is not read, and the defaults hold");
	settings_clear(&m->settings);
	m->settings = s;
	log_set_level(s.log_level);
	policy_set_default(s.button, s.insert, s.grace);
}

void manager_settings_init(struct manager *m)
{
	settings_default(&m->settings);
	read_settings(m);
}

bool manager_settings_adopts(struct manager *m, const char *port)
{
	const char *names[] = { port, NULL, NULL };
	struct slot *s;
	bool any = false;

	/* A bridge with an SHPC has several slots; it is adopted as a whole. */
	TAILQ_FOREACH(s, &m->slots, entry) {
		if (strcmp(s->port, port) != 0)
			continue;
		any = true;
		names[1] = s->name;
		names[2] = slot_kernel_name(s);
		if (settings_adopts(&m->settings, names, 3))
			return true;
	}
	return !any && settings_adopts(&m->settings, names, 1);
}

static bool has_job(struct manager *m, const char *port)
{
	const struct slot *s;

	TAILQ_FOREACH(s, &m->slots, entry)
		if (strcmp(s->port, port) == 0 && engine_slot_job(m->engine, s->handle))
			return true;
	return false;
}

/* Gives back what is not wanted any more: with a job, when that has ended. */
static void release_unwanted(struct manager *m)
{
	struct slot *s;

	m->unwanted = false;
	TAILQ_FOREACH(s, &m->slots, entry) {
		struct slot *before = TAILQ_PREV(s, slot_list, entry);
		int r;

		if (s->backend != BACKEND_SHIM || manager_settings_adopts(m, s->port))
			continue;
		if (before && strcmp(before->port, s->port) == 0)
			continue; /* a bridge's slots are next to each other: asked once */
		if (has_job(m, s->port)) {
			m->unwanted = true;
			continue;
		}
		adoption_unwanted(m, s->port);
		r = shim_link_release(m->shim, s->port, 0);
		if (r < 0)
			log_warning("Cannot give port %s back to the kernel's driver: %s", s->port, strerror(-r));
	}
}

void manager_settings_settle(struct manager *m)
{
	if (m->unwanted && m->shim_state == SHIM_ACTIVE)
		release_unwanted(m);
}

void manager_settings_reload(struct manager *m)
{
	usec_t give_back = m->settings.give_back;

	read_settings(m);
	engine_set_config(m->engine, &m->settings.engine);
	registry_reread_policy(m);
	adoption_forget(m, NULL);
	if (m->shim_state == SHIM_ACTIVE) {
		release_unwanted(m);
		if (m->settings.give_back != give_back)
			controller_ask(m); /* adopts once that is answered */
		else
			registry_adopt_all(m);
	}
	log_info("Configuration read again");
}
