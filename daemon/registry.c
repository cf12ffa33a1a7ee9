/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which slots there are.
 *
 * Responsible for: the list of slots, kept true from two sources: the shim's
 * slots, and /sys/bus/pci/slots for those of the kernel's own drivers; taking
 * ports over; finding the slot that somebody means. Starts no jobs.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adoption.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "confirm.h"
#include "devices.h"
#include "journal.h"
#include "manager-settings.h"
#include "registry.h"
#include "resolve.h"
#include "slot-dbus.h"

/* So much of a name that stands for nothing is told. */
#define NAME_TOLD_MAX 200
/* Uevents come in bursts; one look at the end of a burst is enough. Who asks before that
 * makes it look at once. */
#define REFRESH_USEC (100 * USEC_PER_MSEC)
/* It goes before others if it would be later than this. */
#define LATE_USEC (1 * USEC_PER_SEC)
/* Reading all properties of all slots looks at each once. */
#define LOOK_USEC (250 * USEC_PER_MSEC)

struct slot *manager_slot_by_handle(struct manager *m, slot_handle_t handle)
{
	struct slot *s;

	TAILQ_FOREACH(s, &m->slots, entry)
		if (s->handle == handle)
			return s;
	TAILQ_FOREACH(s, &m->departed, entry)
		if (s->handle == handle)
			return s;
	return NULL;
}

struct slot *manager_slot_by_name(struct manager *m, const char *name)
{
	struct slot *s;

	TAILQ_FOREACH(s, &m->slots, entry)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

struct slot *manager_slot_by_path(struct manager *m, const char *path)
{
	struct slot *s;

	TAILQ_FOREACH(s, &m->slots, entry)
		if (strcmp(s->path, path) == 0)
			return s;
	return NULL;
}

struct slot *registry_by_shim(struct manager *m, uint32_t shim_id, uint32_t generation)
{
	struct slot *s;

	TAILQ_FOREACH(s, &m->slots, entry)
		if (s->backend == BACKEND_SHIM && s->shim_id == shim_id && s->generation == generation)
			return s;
	return NULL;
}

static struct slot *by_kernel_name(struct manager *m, const char *kernel_name)
{
	struct slot *s;

	TAILQ_FOREACH(s, &m->slots, entry)
		if (strcmp(slot_kernel_name(s), kernel_name) == 0)
			return s;
	return NULL;
}

/* The slot that holds the device chain[0], whose parents follow. */
static struct slot *slot_of_chain(struct manager *m, char *const *chain)
{
	struct slot *s;

	for (size_t i = 0; chain[i]; i++)
		TAILQ_FOREACH(s, &m->slots, entry)
			if (slot_contains(s, chain[i + 1] ?: "", chain[i]))
				return s;
	return NULL;
}

slot_handle_t registry_parent(struct manager *m, struct slot *s)
{
	struct slot *above;

	if (s->port[0] == '\0' || (!s->above && resolve_chain(s->port, &s->above) < 0))
		return 0;
	above = slot_of_chain(m, s->above);
	return above && above != s ? above->handle : 0;
}

const struct job *registry_port_job(struct manager *m, const char *port, struct slot **ret)
{
	struct slot *s;

	TAILQ_FOREACH(s, &m->slots, entry) {
		const struct job *job = engine_slot_job(m->engine, s->handle);

		if (!job)
			continue;
		registry_parent(m, s); /* so that it is known what is above */
		*ret = s;
		if (slot_is_below(s, port))
			return job;
	}
	return NULL;
}

int manager_find_slot(struct manager *m, const char *text, struct slot **ret, char **ret_why)
{
	_cleanup_(resolved_clear) struct resolved found = { 0 };
	char told[NAME_TOLD_MAX + 1];
	struct slot *s = NULL;
	int r;

	r = resolve_name(text, &found);
	if (r >= 0 && found.kind == RESOLVED_SLOT) {
		s = by_kernel_name(m, found.slot);
		r = s ? 0 : -ENOENT;
	} else if (r >= 0) {
		/* The address of a port means the slot below it. */
		TAILQ_FOREACH(s, &m->slots, entry)
			if (s->kind == SYSFS_SLOT_PCIE && strcmp(s->port, found.chain[0]) == 0)
				break;
		if (!s)
			s = slot_of_chain(m, found.chain);
		r = s ? 0 : -ENODEV;
	}
	if (r >= 0) {
		*ret = s;
		return 0;
	}
	/* Callers' text comes back to them cut off, between two characters: an answer that
	 * is too long for the bus, or no UTF-8, costs us the connection. */
	text_make_printable(text, told, sizeof(told));
	if (asprintf(ret_why, "%s%s: %s", told, strlen(text) > NAME_TOLD_MAX ? "…" : "",
		     r == -ENODEV ? "this is in no hot-plug slot" :
		     r == -EINVAL ? "neither a slot, a PCI address nor a device" :
				    "no such slot or device") < 0)
		*ret_why = NULL;
	return r;
}

/* ---- coming and going ---- */

static void tell_engine_parents(struct manager *m)
{
	struct slot *s;

	/* A slot that came may be the parent of others. */
	TAILQ_FOREACH(s, &m->slots, entry)
		manager_slot_changed(m, s);
}

/* Whether a job of the slot waits for the answer to its commit. */
static bool has_job(struct manager *m, slot_handle_t handle)
{
	for (const struct job *j = engine_job_next(m->engine, NULL); j; j = engine_job_next(m->engine, j))
		if (j->slot == handle)
			return true;
	return false;
}

static void remove_slot(struct manager *m, struct slot *s)
{
	log_info("%s: gone", s->name);
	s->gone = true;
	/* The slot is still in the list while its job ends, for its name. */
	engine_slot_remove(m->engine, s->handle, manager_now(m));
	manager_run_engine(m);
	TAILQ_REMOVE(&m->slots, s, entry);
	slot_dbus_removed(s);
	if (has_job(m, s->handle))
		TAILQ_INSERT_TAIL(&m->departed, s, entry);
	else
		slot_free(s);
}

void registry_forget_departed(struct manager *m, slot_handle_t handle)
{
	struct slot *s;

	TAILQ_FOREACH(s, &m->departed, entry) {
		if (s->handle != handle)
			continue;
		TAILQ_REMOVE(&m->departed, s, entry);
		slot_free(s);
		return;
	}
}

static struct slot *add_slot(struct manager *m, const char *kernel_name)
{
	struct slot *s, *after;

	if (slot_new(&s, m, kernel_name, ++m->last_handle) < 0) {
		log_error("Out of memory: slot%s is not listed", kernel_name);
		return NULL;
	}
	/* slot2 before slot10 */
	TAILQ_FOREACH(after, &m->slots, entry)
		if (strverscmp(after->name, s->name) > 0)
			break;
	if (after)
		TAILQ_INSERT_BEFORE(after, s, entry);
	else
		TAILQ_INSERT_TAIL(&m->slots, s, entry);
	return s;
}

/* Whether the shim had the slot for the daemon before this one already. */
static bool was_ours(struct manager *m, const struct slot *s)
{
	const struct state_slot *before = state_slot_by_name(&m->before, s->name);

	return before && before->shim && before->shim_id == s->shim_id && before->generation == s->generation;
}

/* Whether something happened to the slot that must not go unseen. */
static bool differs(const struct slot *s, const struct shim_slot *from)
{
	return s->present != (bool)(from->status & HPSHIM_STATUS_PRESENT) ||
	       s->link != (bool)(from->status & HPSHIM_STATUS_LINK) ||
	       s->fault != (bool)(from->status & HPSHIM_STATUS_POWER_FAULT);
}

/* A job that is in its commit goes on without the slot, but not without its name. */
static void keep_for_job(struct manager *m, const struct slot *s)
{
	struct slot *old;

	if (!has_job(m, s->handle))
		return;
	if (slot_new(&old, m, slot_kernel_name(s), s->handle) < 0) {
		log_error("%s: out of memory; its job is told of without it", s->name);
		return;
	}
	old->backend = s->backend;
	old->gone = true;
	TAILQ_INSERT_TAIL(&m->departed, old, entry);
}

static void tell_incomplete(const struct slot *s, int error)
{
	if (error < 0)
		log_error("%s: its state is not complete: %s", s->name, strerror(-error));
}

/* Makes the slot, or takes it over; the engine is still to be told. */
static void put_shim(struct manager *m, const struct shim_slot *from)
{
	struct slot *s = by_kernel_name(m, from->name);
	bool new = !s;
	bool adopted = !s || !(s->backend == BACKEND_SHIM && s->shim_id == from->id && s->generation == from->generation);

	if (s && !s->unsettled && (adopted || differs(s, from))) {
		s->unsettled = s->was_known = true;
		s->was_present = s->present;
		/* A new owner tells of them himself. */
		s->was_link = adopted || s->link;
		s->was_fault = adopted || s->fault;
	}
	if (s && adopted) {
		/* Another owner, another life: jobs of the old one end. */
		engine_slot_remove(m->engine, s->handle, manager_now(m));
		manager_run_engine(m);
		keep_for_job(m, s);
		s->handle = ++m->last_handle;
		s->unbound = false;
		s->power_wanted = INDICATOR_KEEP;
		s->attention_told = s->indicators_refused = false;
	}
	if (!s) {
		s = add_slot(m, from->name);
		if (s)
			s->unsettled = true;
	}
	if (!s)
		return;
	tell_incomplete(s, slot_update_from_shim(s, from) < 0 ? -ENOMEM : slot_refresh_devices(s));
	if (new)
		slot_dbus_added(s);
	if (adopted && !was_ours(m, s))
		journal_adopted(s);
}

void registry_put_shim(struct manager *m, const struct shim_slot *from)
{
	put_shim(m, from);
	tell_engine_parents(m);
	manager_run_engine(m);
}

void registry_remove_shim(struct manager *m, uint32_t shim_id, uint32_t generation)
{
	struct slot *s = registry_by_shim(m, shim_id, generation);

	if (s) {
		journal_released(s);
		remove_slot(m, s);
	}
	registry_schedule_refresh(m, true);
}

void registry_resync_shim(struct manager *m, const struct shim_slot *slots, size_t n)
{
	struct slot *s, *next;

	for (s = TAILQ_FIRST(&m->slots); s; s = next) {
		bool there = false;

		next = TAILQ_NEXT(s, entry);
		for (size_t i = 0; !there && i < n; i++)
			there = s->shim_id == slots[i].id && s->generation == slots[i].generation;
		if (s->backend != BACKEND_SHIM || there)
			continue;
		journal_released(s);
		remove_slot(m, s);
	}
	/* The engine is told once of them all, who are each other's parents. */
	for (size_t i = 0; i < n; i++)
		put_shim(m, &slots[i]);
	tell_engine_parents(m);
	manager_run_engine(m);
	if (n == 0)
		registry_schedule_refresh(m, true);
}

bool registry_is_released(struct manager *m, const char *port)
{
	for (char **p = m->released; p && *p; p++)
		if (strcmp(*p, port) == 0)
			return true;
	return false;
}

int registry_set_released(struct manager *m, const char *port, bool released)
{
	char **ports, *copy;
	size_t n = 0;

	if (registry_is_released(m, port) == released)
		return 0;
	while (m->released && m->released[n])
		n++;
	if (released) {
		copy = strdup(port);
		ports = copy ? reallocarray(m->released, n + 2, sizeof(*ports)) : NULL;
		if (!ports) {
			free(copy);
			return -ENOMEM;
		}
		ports[n] = copy;
		ports[n + 1] = NULL;
		m->released = ports;
		return 0;
	}
	for (char **p = m->released; *p; p++) {
		if (strcmp(*p, port) != 0)
			continue;
		free(*p);
		*p = m->released[n - 1];
		m->released[n - 1] = NULL;
		break;
	}
	return 0;
}

int registry_adopt(struct manager *m, const char *port, uint64_t cookie)
{
	registry_set_released(m, port, false);
	adoption_forget(m, port);
	return shim_link_adopt(m->shim, port, cookie);
}

int registry_release(struct manager *m, const char *port, uint64_t cookie)
{
	int r = registry_set_released(m, port, true);

	return r < 0 ? r : shim_link_release(m->shim, port, cookie);
}

/* It was given back by hand before the daemon was restarted. */
static void keep_released(struct manager *m, const struct slot *s)
{
	const struct state_slot *before = state_slot_by_name(&m->before, s->name);

	if (before && before->released && registry_set_released(m, s->port, true) < 0)
		log_error("%s: out of memory; the slot may be adopted again", s->name);
}

static int list_native(struct manager *m)
{
	struct sysfs_slot *found = NULL;
	struct slot *s, *next;
	size_t n = 0;
	int r = sysfs_slots_read(&found, &n);

	if (r < 0) {
		log_error("Cannot read the slots of the kernel's drivers: %s", strerror(-r));
		return r;
	}
	for (s = TAILQ_FIRST(&m->slots); s; s = next) {
		bool there = false;

		next = TAILQ_NEXT(s, entry);
		for (size_t i = 0; !there && i < n; i++)
			there = strcmp(slot_kernel_name(s), found[i].name) == 0;
		if (s->backend == BACKEND_NATIVE && !there)
			remove_slot(m, s);
	}
	for (size_t i = 0; i < n; i++) {
		s = by_kernel_name(m, found[i].name);
		if ((s && s->backend == BACKEND_SHIM) || found[i].shim)
			continue; /* it is the shim's, or its SLOT_ADD is on the way */

		bool new = !s;

		if (!s)
			s = add_slot(m, found[i].name);
		if (!s)
			continue;
		tell_incomplete(s, slot_update_from_sysfs(s, &found[i]) < 0 ? -ENOMEM : slot_refresh_devices(s));
		if (new) {
			keep_released(m, s);
			slot_dbus_added(s);
		}
	}
	sysfs_slots_free(found, n);
	return 0;
}

void registry_adopt_all(struct manager *m)
{
	_cleanup_strv_ char **ports = NULL;
	int r = sysfs_adoptable_ports(&ports);
	struct slot *busy;

	m->adoption_waits = false;
	if (r < 0) {
		log_error("Cannot list the ports of the kernel's hot-plug drivers: %s", strerror(-r));
		return;
	}
	for (size_t i = 0; ports[i]; i++) {
		if (!manager_settings_adopts(m, ports[i]) || registry_is_released(m, ports[i]) ||
		    adoption_given_up(m, ports[i]))
			continue;
		/* Under another owner it would be another slot, without the job. */
		if (registry_port_job(m, ports[i], &busy)) {
			m->adoption_waits = true;
			continue;
		}
		r = shim_link_adopt(m->shim, ports[i], COOKIE_ADOPT);
		if (r < 0)
			log_warning("Cannot ask the shim to take port %s: %s", ports[i], strerror(-r));
		else
			m->adopting++;
	}
}

/* ---- changes ---- */

void registry_list(struct manager *m)
{
	if (!m->list_stale)
		return;
	m->list_stale = false;
	list_native(m);
	if (m->shim_state == SHIM_ACTIVE)
		registry_adopt_all(m);
	tell_engine_parents(m);
}

static void on_refresh(void *userdata)
{
	struct manager *m = userdata;

	registry_list(m);
	confirm_look(m);
	manager_run_engine(m);
	devices_read_all(m);
}

void registry_schedule_refresh(struct manager *m, bool list)
{
	m->list_stale |= list;
	later_ask(m->refresh);
}

void registry_reread_policy(struct manager *m)
{
	struct slot *s;

	TAILQ_FOREACH(s, &m->slots, entry)
		s->stale = true;
	registry_schedule_refresh(m, false);
}

void registry_reread_all(struct manager *m)
{
	registry_reread_policy(m);
	registry_schedule_refresh(m, true);
}

void registry_look(struct manager *m, struct slot *s)
{
	struct sysfs_slot now;

	if (devices_read(m, s)) /* somebody is in the middle of a call: the engine has its turn later */
		registry_schedule_refresh(m, false);
	if (s->backend != BACKEND_NATIVE || manager_now(m) < s->looked + LOOK_USEC)
		return;
	s->looked = manager_now(m);
	if (sysfs_slot_read(slot_kernel_name(s), &now) > 0 && !now.shim &&
	    (now.present != s->present || now.power != s->power || now.latch_open != s->latch_open) &&
	    slot_update_from_sysfs(s, &now) >= 0)
		registry_schedule_refresh(m, true); /* tells the engine and the bus */
	sysfs_slot_clear(&now);
}

void registry_device_changed(struct manager *m, const char *action, const char *syspath)
{
	struct slot *s;

	/* A port that came, or got its driver, brings slots with it; and what the
	 * native driver did to a slot shows only in the slot's own files. */
	bool list = strstr(syspath, ":pcie");

	if (strcmp(action, "bind") == 0)
		registry_device_bound(m, syspath); /* should the kernel's own word have been lost */
	TAILQ_FOREACH(s, &m->slots, entry)
		if (devices_mark(s, action, syspath))
			list |= s->backend == BACKEND_NATIVE;
	registry_schedule_refresh(m, list);
}

void registry_device_bound(struct manager *m, const char *syspath)
{
	struct slot *s;

	TAILQ_FOREACH(s, &m->slots, entry) {
		if (!devices_below(s, syspath))
			continue;
		s->stale = true; /* who hears that the job is done may ask before udev tells */
		confirm_bound(m, s, syspath);
	}
	registry_schedule_refresh(m, false);
}

int registry_init(struct manager *m)
{
	/* Looking is slow; what brings a job forward goes first. */
	int r = later_new(&m->refresh, m->event, REFRESH_USEC, LATE_USEC, on_refresh, m);

	if (r >= 0)
		r = devices_init(m);
	if (r >= 0)
		r = list_native(m);
	if (r >= 0)
		tell_engine_parents(m);
	return r;
}

void registry_free(struct manager *m)
{
	struct slot *s;

	while ((s = TAILQ_FIRST(&m->slots))) {
		TAILQ_REMOVE(&m->slots, s, entry);
		slot_free(s);
	}
	while ((s = TAILQ_FIRST(&m->departed)))
		registry_forget_departed(m, s->handle);
	m->refresh = later_free(m->refresh);
	devices_free(m);
	m->released = strv_free(m->released);
}
