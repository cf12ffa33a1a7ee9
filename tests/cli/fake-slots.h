/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The slots of the fake daemon: one for each way in which a request can end.
 *
 * Responsible for: the table. What a behaviour means is played in
 * fake-hotplugd.c; tests know the slots by name.
 */
#ifndef FAKE_SLOTS_H
#define FAKE_SLOTS_H

#include <stddef.h>
#include <string.h>

#include <systemd/sd-bus.h>

#include "base/names.h"

enum behaviour {
	ENDS,         /* the job runs through its steps to its result */
	NOTHING,      /* nothing to do: no job */
	STOPS,        /* the job stays where its steps end */
	ERROR,        /* the call fails */
	ENDS_EARLY,   /* the job has ended before the call is answered */
	RESTARTS,     /* the daemon is restarted and comes back without the job */
	QUITS,        /* the daemon ends and does not come back */
	ASKS,         /* needs a person for a password */
};

struct step {
	const char *state, *step;
};

static const struct step eject_steps[] = {
	{ "checking", "check" },   { "quiescing", "turn" },      { "committing", "remove" },
	{ "settling", "power-off" }, { "settling", "off-wait" }, { NULL, NULL },
};
static const struct step insert_steps[] = {
	{ "checking", "check" },   { "quiescing", "power-on" }, { "quiescing", "turn" },
	{ "committing", "rescan" }, { "settling", "confirm" },   { NULL, NULL },
};
static const struct step replace_steps[] = {
	{ "checking", "check" },     { "quiescing", "turn" },     { "committing", "remove" },
	{ "settling", "power-off" }, { "settling", "card" },      { "quiescing", "power-on" },
	{ "committing", "rescan" },  { "settling", "confirm" },   { NULL, NULL },
};
static const struct step check_steps[] = { { "checking", "check" }, { NULL, NULL } };
static const struct step commit_steps[] = { { "checking", "check" }, { "committing", "remove" }, { NULL, NULL } };
static const struct step window_steps[] = { { "grace", "window" }, { NULL, NULL } };
static const struct step card_steps[] = { { "checking", "check" }, { "settling", "card" }, { NULL, NULL } };

struct fake_slot {
	const char *name, *address, *state, *label;
	const char *node, *driver; /* of the one device; NULL: no device */
	const char *latch, *link;
	enum behaviour behaviour;
	const struct step *steps;  /* of its job; NULL: those of the operation */
	const char *result, *reason; /* of its job, or name and message of the error */
};

static struct fake_slot slots[] = {
	{ "slot10", "0000:00:0a.0", "fault", "", NULL, NULL, "open", "down", ERROR, NULL, ERROR_LATCH_OPEN,
	  "cannot insert slot10: the latch is open or torn\x1b[31m\n\xc2\x9b out; close it first" },
	{ "slot1", "0000:00:01.0", "on", "front left", "nvme0n1", "nvme", "", "up", ENDS, NULL, "done", "" },
	{ "slot1-1", "0000:00:01.1", "on", "", "eth1", "e1000e", "closed", "", ENDS, check_steps, "gone",
	  "A slot above is being ejected by job 5, and this slot goes with it." },
	{ "slot2", "0000:00:02.0", "empty", "", NULL, NULL, "", "down", NOTHING, NULL, NULL, NULL },
	{ "slot3", "0000:00:03.0", "on", "", "nvme3n1", "nvme", "", "up", ERROR, NULL, ERROR_PROTECTED,
	  "slot3 is protected by HOTPLUGD_PROTECT; --force overrides" },
	{ "slot4", "0000:00:04.0", "off", "", NULL, NULL, "", "down", ENDS, NULL, "done", "Its driver took long to bind." },
	{ "slot5", "0000:00:05.0", "on", "", "nvme5n1", "nvme", "", "up", ENDS, commit_steps, "failed",
	  "The slot did not power off." },
	{ "slot6", "0000:00:06.0", "on", "", "nvme6n1", "nvme", "", "up", ENDS, check_steps, "refused",
	  "/dev/nvme6n1 is mounted on /data, as slot60's is." },
	{ "slot7", "0000:00:07.0", "on", "", "nvme7n1", "nvme", "", "up", STOPS, commit_steps, NULL, NULL },
	{ "slot8", "0000:00:08.0", "on", "", "nvme8n1", "nvme", "", "up", STOPS, window_steps, NULL, NULL },
	{ "slot9", "0000:00:09.0", "on", "\x1b[2J\xc3\xbc", "nvme9n1", "nvme", "open", "up", ENDS_EARLY, NULL, "done", "" },
	{ "slot20", "0000:00:14.0", "on", "", "nvme20n1", "nvme", "", "up", RESTARTS, commit_steps, NULL, NULL },
	{ "slot21", "0000:00:15.0", "on", "", "nvme21n1", "nvme", "", "up", QUITS, commit_steps, NULL, NULL },
	{ "slot22", "0000:00:16.0", "on", "", "nvme22n1", "nvme", "", "up", ERROR, NULL, ERROR_NOT_AUTHORIZED,
	  "not authorised for org.hotplugd1.eject: polkit says no. Use sudo" },
	{ "slot23", "0000:00:17.0", "on", "", "nvme23n1", "nvme", "", "up", ASKS, NULL, NULL, NULL },
	{ "slot24", "0000:00:18.0", "busy", "", "nvme24n1", "nvme", "", "up", ERROR, NULL, ERROR_BUSY,
	  "cannot eject slot24: job 1 (eject, committing) is under way on slot24; wait for it or cancel it" },
	/* What it says would move the cursor, colour what follows and forge a line. */
	{ "slot25", "0000:00:19.0", "on", "", "nvme25n1\x1b[2J", "nv\xc2\x9bme", "", "up", ENDS, NULL, "failed",
	  "It \x1b[31m did not.\nslot1: ejected" },
};

/* slot4 is one that the firmware has. */
static inline const char *kind_of(const struct fake_slot *s)
{
	return strcmp(s->name, "slot4") == 0 ? "other" : "pcie";
}

static inline const char *parent_of(const struct fake_slot *s)
{
	return strcmp(s->name, "slot1-1") == 0 ? "slot1" : strcmp(s->name, "slot9") == 0 ? "slot7" : "";
}

static inline const struct step *steps_of(const struct fake_slot *s, const char *operation)
{
	if (strcmp(operation, "replace") == 0)
		return s->behaviour == STOPS ? card_steps : s->steps ?: replace_steps;
	return s->steps ?: strcmp(operation, "eject") == 0 ? eject_steps : insert_steps;
}

/* The node of a second device of a slot; NULL: it has none. */
static inline const char *second_node(const struct fake_slot *s)
{
	return s->node && strcmp(s->node, "nvme24n1") == 0 ? "nvme24n2" : NULL;
}

/* Its Devices, as on the bus. */
static inline int append_devices(sd_bus_message *reply, const struct fake_slot *s)
{
	const char *const name = "Made-up Device";

	if (!s->node)
		return sd_bus_message_append(reply, "a(sssas)", 0);
	if (second_node(s))
		return sd_bus_message_append(reply, "a(sssas)", 2, "0000:01:00.0", name, s->driver, 1, s->node,
					     "0000:01:00.1", name, s->driver, 1, second_node(s));
	return sd_bus_message_append(reply, "a(sssas)", 1, "0000:01:00.0", name, s->driver, 1, s->node);
}

#endif
