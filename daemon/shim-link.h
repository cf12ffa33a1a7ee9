/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The wire to hpshim: commands out, events in, in order and without gaps.
 */
#ifndef HOTPLUGD_SHIM_LINK_H
#define HOTPLUGD_SHIM_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <systemd/sd-event.h>

#include "uapi/hpshim.h"

/* A slot as the shim tells it; see enum hpshim_attr for the members. */
struct shim_slot {
	uint32_t id, generation;
	uint32_t kind, caps, status;
	uint32_t power_indicator, attention_indicator;
	uint64_t presses;
	uint64_t seq;
	char port[HPSHIM_ADDRESS_MAX];
	char address[HPSHIM_ADDRESS_MAX];
	char name[HPSHIM_NAME_MAX];
};

/* An event. slot.id is 0 where it is of no slot. Valid during the callback. */
struct shim_event {
	uint32_t type; /* enum hpshim_event */
	uint64_t seq;
	uint64_t time_ns;
	struct shim_slot slot; /* level state after it */
	uint64_t cookie;
	int error; /* 0 or a negative errno */
	uint32_t value;
	uint64_t request;
	const char *report; /* a sentence, or "" */
};

struct shim_link_ops {
	/* Something happened, in the order of the shim. A command that is
	 * refused comes as HPSHIM_EVENT_OP_DONE with its cookie, too, and so
	 * does the answer to shim_link_become_controller(). */
	void (*event)(const struct shim_event *e, void *userdata);
	/* These are all slots: at the start, and after events were lost. */
	void (*resync)(const struct shim_slot *slots, size_t n, void *userdata);
	/* The module was loaded (also at the start), or is gone. */
	void (*appeared)(void *userdata);
	void (*lost)(void *userdata);
};

struct shim_link;

/*
 * Starts to listen. The module need not be loaded: ops->appeared() comes when
 * it is. @event is referenced, @ops and @userdata must outlive the link.
 * Returns 0 or a negative errno.
 */
int shim_link_new(struct shim_link **ret, sd_event *event, const struct shim_link_ops *ops, void *userdata);
struct shim_link *shim_link_free(struct shim_link *l);

/* Whether the module is loaded. */
bool shim_link_present(const struct shim_link *l);

/*
 * Commands; see enum hpshim_cmd. None waits: they return 0 when sent, -ENOTCONN
 * when the module is not there, or a negative errno. What comes of them is
 * HPSHIM_EVENT_OP_DONE with @cookie (0: nobody waits).
 */
int shim_link_become_controller(struct shim_link *l, uint32_t grace_ms, uint64_t cookie);
int shim_link_adopt(struct shim_link *l, const char *port, uint64_t cookie);
int shim_link_release(struct shim_link *l, const char *port, uint64_t cookie);
int shim_link_set_power(struct shim_link *l, uint32_t slot, uint32_t generation, bool on, uint64_t cookie);
int shim_link_set_power_indicator(struct shim_link *l, uint32_t slot, uint32_t generation, uint32_t value, uint64_t cookie);
int shim_link_set_attention_indicator(struct shim_link *l, uint32_t slot, uint32_t generation, uint32_t value, uint64_t cookie);
int shim_link_answer_request(struct shim_link *l, uint64_t request, int error);

#endif
