/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A slot as the daemon sees it.
 *
 * Responsible for: a slot's record, filled from the shim, from sysfs and from
 * udev. Starts nothing and tells nobody.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/names.h"
#include "slot.h"

static const char *const slot_state_names[_SLOT_STATE_MAX] = {
	[SLOT_ON] = "on",
	[SLOT_OFF] = "off",
	[SLOT_EMPTY] = "empty",
	[SLOT_BUSY] = "busy",
	[SLOT_FAULT] = "fault",
};

const char *slot_state_to_string(enum slot_state s)
{
	return s >= 0 && s < _SLOT_STATE_MAX ? slot_state_names[s] : NULL;
}

const char *backend_to_string(enum backend b)
{
	switch (b) {
	case BACKEND_SHIM:
		return "shim";
	case BACKEND_NATIVE:
		return "native";
	default:
		return NULL;
	}
}

#define SLOT_PREFIX "slot"

int slot_new(struct slot **ret, struct manager *m, const char *kernel_name, slot_handle_t handle)
{
	_cleanup_(slot_freep) struct slot *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->manager = m;
	s->handle = handle;
	s->address = strdup("");
	s->port = strdup("");
	if (!s->address || !s->port || asprintf(&s->name, SLOT_PREFIX "%s", kernel_name) < 0)
		return -ENOMEM;
	if (sd_bus_path_encode(PATH_SLOTS, s->name, &s->path) < 0)
		return -ENOMEM;
	s->attention_wanted = INDICATOR_OFF;
	policy_default(&s->policy);
	*ret = TAKE_PTR(s);
	return 0;
}

struct slot *slot_free(struct slot *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < SLOT_N_PROPERTIES; i++)
		free(s->published[i]);
	sysfs_functions_free(s->functions, s->n_functions);
	policy_clear(&s->policy);
	free(s->name);
	free(s->path);
	free(s->address);
	free(s->port);
	slot_forget_above(s);
	strv_free(s->bound);
	free(s);
	return NULL;
}

const char *slot_kernel_name(const struct slot *s)
{
	return s->name + strlen(SLOT_PREFIX);
}

static int replace_string(char **p, const char *with)
{
	char *copy;

	if (*p && strcmp(*p, with) == 0)
		return 0;
	copy = strdup(with);
	if (!copy)
		return -ENOMEM;
	free(*p);
	*p = copy;
	return 0;
}

void slot_forget_above(struct slot *s)
{
	strv_free(s->above);
	s->above = NULL;
}

bool slot_is_below(const struct slot *s, const char *port)
{
	if (strcmp(s->port, port) == 0)
		return true;
	for (char **above = s->above; above && *above; above++)
		if (strcmp(*above, port) == 0)
			return true;
	return false;
}

static int set_place(struct slot *s, const char *address, const char *port)
{
	if (strcmp(s->port, port) != 0)
		slot_forget_above(s);
	return replace_string(&s->address, address) < 0 ? -ENOMEM : replace_string(&s->port, port);
}

static enum indicator indicator_from_shim(uint32_t value)
{
	switch (value) {
	case HPSHIM_INDICATOR_ON:
		return INDICATOR_ON;
	case HPSHIM_INDICATOR_BLINK:
		return INDICATOR_BLINK;
	case HPSHIM_INDICATOR_OFF:
		return INDICATOR_OFF;
	default:
		return INDICATOR_KEEP;
	}
}

int slot_update_from_shim(struct slot *s, const struct shim_slot *from)
{
	if (set_place(s, from->address, from->port) < 0)
		return -ENOMEM;
	s->backend = BACKEND_SHIM;
	s->kind = from->kind == HPSHIM_KIND_SHPC ? SYSFS_SLOT_SHPC : SYSFS_SLOT_PCIE;
	s->shim_id = from->id;
	s->generation = from->generation;
	s->link_known = from->caps & HPSHIM_CAP_LINK;
	s->latch_known = from->caps & HPSHIM_CAP_LATCH;
	s->power_control = from->caps & HPSHIM_CAP_POWER;
	s->present = from->status & HPSHIM_STATUS_PRESENT;
	s->power = from->status & HPSHIM_STATUS_POWER;
	s->link = from->status & HPSHIM_STATUS_LINK;
	s->latch_open = from->status & HPSHIM_STATUS_LATCH_OPEN;
	s->fault = from->status & HPSHIM_STATUS_POWER_FAULT;
	s->occupied = from->status & HPSHIM_STATUS_OCCUPIED;
	s->has_power_indicator = from->caps & HPSHIM_CAP_POWER_INDICATOR;
	s->has_attention_indicator = from->caps & HPSHIM_CAP_ATTENTION_INDICATOR;
	s->power_indicator = indicator_from_shim(from->power_indicator);
	s->attention_indicator = indicator_from_shim(from->attention_indicator);
	return 0;
}

int slot_update_from_sysfs(struct slot *s, const struct sysfs_slot *from)
{
	if (set_place(s, from->address, from->port) < 0)
		return -ENOMEM;
	s->backend = BACKEND_NATIVE;
	s->kind = from->kind;
	s->shim_id = 0;
	s->generation = 0;
	s->link_known = false;
	s->latch_known = from->latch_known;
	s->power_control = false; /* the driver's file says 1 also where nothing can be switched */
	s->present = from->present;
	s->power = from->power;
	s->link = false;
	s->latch_open = from->latch_open;
	s->fault = false;
	s->has_power_indicator = s->has_attention_indicator = false;
	s->power_indicator = INDICATOR_KEEP;
	s->attention_indicator = INDICATOR_KEEP;
	return 0;
}

/* Below a port is one slot; other slots share their bus, and tell by the device. */
static const char *only_device(const struct slot *s)
{
	return s->kind == SYSFS_SLOT_PCIE ? NULL : s->address;
}

/* Whether there is nothing to be read, as the port or what is below it has gone. Nothing
 * else says that a slot is empty, least of all that it could not be looked at. */
static bool is_empty(int error)
{
	return error == -ENOENT || error == -ENODEV;
}

int slot_refresh_functions(struct slot *s)
{
	struct sysfs_function *functions = NULL;
	size_t n = 0;
	int r;

	r = sysfs_functions_read(s->port, only_device(s), &functions, &n);
	if (r < 0 && !is_empty(r))
		return r;
	sysfs_functions_free(s->functions, s->n_functions);
	s->functions = functions;
	s->n_functions = n;
	s->occupied = n > 0;
	return 0;
}

int slot_refresh_devices(struct slot *s)
{
	int r = slot_refresh_functions(s);

	if (r < 0)
		return r;
	r = policy_read(s->port, s->functions, s->n_functions, &s->policy);
	if (r >= 0)
		s->stale = false;
	return r;
}

int slot_refresh_occupied(struct slot *s)
{
	if (!sysfs_functions_exist(s->port, only_device(s)))
		return slot_refresh_devices(s);
	s->occupied = s->stale = true;
	return 0;
}

int slot_read_drivers(const struct slot *s, struct sysfs_function **ret, size_t *ret_n)
{
	int r;

	*ret = NULL;
	*ret_n = 0;
	r = sysfs_drivers_read(s->port, only_device(s), ret, ret_n);
	return is_empty(r) ? 0 : r;
}

bool slot_is_on(const struct slot *s)
{
	return s->occupied || (s->power && s->power_control && s->present);
}

enum slot_state slot_state(const struct slot *s, const struct job *job)
{
	if (job)
		return SLOT_BUSY;
	if (s->fault)
		return SLOT_FAULT;
	if (slot_is_on(s))
		return SLOT_ON;
	return s->present ? SLOT_OFF : SLOT_EMPTY;
}

/* Compares domain, bus and device, whatever the function: "0000:02:03.0". */
static bool same_device(const char *a, const char *b)
{
	const char *dot = strrchr(a, '.');
	size_t n = dot ? (size_t)(dot - a) : strlen(a);

	return strncmp(a, b, n) == 0 && (b[n] == '.' || b[n] == '\0');
}

bool slot_contains(const struct slot *s, const char *parent, const char *address)
{
	if (s->kind == SYSFS_SLOT_PCIE)
		return s->port[0] != '\0' && strcmp(s->port, parent) == 0;
	return s->address[0] != '\0' && same_device(s->address, address);
}
