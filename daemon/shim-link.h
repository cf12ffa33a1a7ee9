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
	/* All that had happened was passed on: what comes now comes at once. At
	 * the start, and each time after events were lost. @lost: what came of a command
	 * may be among what nobody can bring again; it is to be asked for once more. */
	void (*live)(bool lost, void *userdata);
	/* All that was in the socket was passed on, for now. */
	void (*read)(void *userdata);
	/* The module was loaded (also at the start), or is gone. */
	void (*appeared)(void *userdata);
	void (*lost)(void *userdata);
};

struct shim_link;

/* Presses of a slot that were dealt with. */
struct shim_presses {
	uint32_t slot, generation;
	uint64_t count;
};

/* Where another link, of a process that is no more, had got to. */
struct shim_resume {
	int fd;       /* its socket, -1: none; the link takes it */
	int family;   /* of the module then, 0: nothing is known */
	uint64_t seq; /* of the event dealt with last */
	struct shim_presses *presses;
	size_t n_presses;
};

/*
 * Starts to listen. The module need not be loaded: ops->appeared() comes when
 * it is. @event is referenced, @ops and @userdata must outlive the link.
 *
 * @resume, or NULL: goes on from there, so that the events since come as after
 * a gap, and the module sees the controller that it had. If the module was
 * loaded anew since, or nothing is known of the past, only the socket is taken.
 * Returns 0 or a negative errno; resume->fd is the link's either way.
 */
int shim_link_new(struct shim_link **ret, sd_event *event, const struct shim_link_ops *ops, void *userdata,
		  const struct shim_resume *resume);
struct shim_link *shim_link_free(struct shim_link *l);

/* Reads what waits in the socket, as the loop would. Returns whether that was all. */
bool shim_link_read(struct shim_link *l);

/* Whether the module is loaded. */
bool shim_link_present(const struct shim_link *l);

/* Its socket, -1 when the module is not loaded. Stays the link's. */
int shim_link_fd(const struct shim_link *l);

/* Whether that is the socket that was to be taken over. */
bool shim_link_kept(const struct shim_link *l);

/* Whether all that happened so far was passed on. */
bool shim_link_live(const struct shim_link *l);

/* For struct shim_resume: the module's family, and the last event that was passed
 * on or is being passed on; 0 while there is none to go on from. */
void shim_link_position(const struct shim_link *l, int *ret_family, uint64_t *ret_seq);
/* How many presses of a slot were passed on. */
uint64_t shim_link_presses(const struct shim_link *l, uint32_t slot, uint32_t generation);

/*
 * Commands; see enum hpshim_cmd. None waits: they return 0 when sent, -ENOTCONN
 * when the module is not there, or a negative errno. What comes of them is
 * HPSHIM_EVENT_OP_DONE with @cookie (0: nobody waits). A link that has become the
 * controller sends the shim signs of life by itself, as long as its loop runs.
 */
int shim_link_become_controller(struct shim_link *l, uint32_t grace_ms, uint64_t cookie);
int shim_link_adopt(struct shim_link *l, const char *port, uint64_t cookie);
int shim_link_release(struct shim_link *l, const char *port, uint64_t cookie);
int shim_link_set_power(struct shim_link *l, uint32_t slot, uint32_t generation, bool on, uint64_t cookie);
int shim_link_set_power_indicator(struct shim_link *l, uint32_t slot, uint32_t generation, uint32_t value, uint64_t cookie);
int shim_link_set_attention_indicator(struct shim_link *l, uint32_t slot, uint32_t generation, uint32_t value, uint64_t cookie);
int shim_link_answer_request(struct shim_link *l, uint64_t request, int error);

#endif
