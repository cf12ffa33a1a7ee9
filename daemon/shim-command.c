/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Commands to hpshim.
 *
 * Responsible for: encoding and sending them, and noting whose acknowledgement
 * is awaited; the heartbeat. What comes back is shim-link.c's. Waits for nothing.
 */
#include <errno.h>
#include <stdlib.h>

#include <netlink/genl/genl.h>
#include <netlink/netlink.h>

#include "base/log.h"
#include "shim-internal.h"

int shim_link_errno(int r)
{
	switch (-r) {
	case NLE_SUCCESS:
		return 0;
	case NLE_AGAIN:
		return -EAGAIN;
	case NLE_NOMEM:
		return -ENOBUFS;
	case NLE_OBJ_NOTFOUND:
		return -ENOENT;
	case NLE_PERM:
		return -EPERM;
	default:
		return -EIO;
	}
}

struct nl_msg *shim_link_message(struct shim_link *l, int flags, uint8_t cmd)
{
	struct nl_msg *message = nlmsg_alloc();

	if (message && !genlmsg_put(message, NL_AUTO_PORT, NL_AUTO_SEQ, l->family, 0, flags, cmd, HPSHIM_GENL_VERSION)) {
		nlmsg_free(message);
		return NULL;
	}
	return message;
}

/* Sends @message, which it takes (NULL: memory was short); remembers a command
 * that will be acknowledged. */
static int message_send(struct shim_link *l, struct nl_msg *message, uint8_t cmd, uint64_t cookie)
{
	struct command *c;
	int r;

	if (!message)
		return -ENOMEM;
	c = calloc(1, sizeof(*c));
	if (!c) {
		nlmsg_free(message);
		return -ENOMEM;
	}
	nl_complete_msg(l->socket, message);
	c->seq = nlmsg_hdr(message)->nlmsg_seq;
	c->cmd = cmd;
	c->cookie = cookie;
	r = nl_send(l->socket, message);
	nlmsg_free(message);
	if (r < 0) {
		free(c);
		return shim_link_errno(r);
	}
	TAILQ_INSERT_TAIL(&l->commands, c, entry);
	return 0;
}

/* An attribute of a command: a text, or a number as wide as it says. */
struct field {
	int attribute;
	enum { FIELD_U32, FIELD_S32, FIELD_U64, FIELD_TEXT } type;
	uint64_t number;
	const char *text;
};

static int field_put(struct nl_msg *message, const struct field *f)
{
	switch (f->type) {
	case FIELD_U32:
		return nla_put_u32(message, f->attribute, (uint32_t)f->number);
	case FIELD_S32:
		return nla_put_s32(message, f->attribute, (int32_t)f->number);
	case FIELD_U64:
		return nla_put_u64(message, f->attribute, f->number);
	default:
		return nla_put_string(message, f->attribute, f->text);
	}
}

static int send_command(struct shim_link *l, uint8_t cmd, uint64_t cookie, const struct field *fields, size_t n)
{
	struct nl_msg *message;

	if (!l->socket)
		return -ENOTCONN;
	message = shim_link_message(l, NLM_F_REQUEST | NLM_F_ACK, cmd);
	for (size_t i = 0; message && i < n; i++) {
		if (field_put(message, &fields[i]) < 0) {
			nlmsg_free(message);
			message = NULL;
		}
	}
	return message_send(l, message, cmd, cookie);
}

int shim_link_become_controller(struct shim_link *l, uint32_t grace_ms, uint64_t cookie)
{
	const struct field fields[] = { { HPSHIM_A_GRACE_MS, FIELD_U32, grace_ms, NULL } };

	return send_command(l, HPSHIM_CMD_CONTROLLER_SET, cookie, fields, 1);
}

static int send_port(struct shim_link *l, uint8_t cmd, const char *port, uint64_t cookie)
{
	const struct field fields[] = {
		{ HPSHIM_A_PORT, FIELD_TEXT, 0, port },
		{ HPSHIM_A_COOKIE, FIELD_U64, cookie, NULL },
	};

	return send_command(l, cmd, cookie, fields, 2);
}

int shim_link_adopt(struct shim_link *l, const char *port, uint64_t cookie)
{
	return send_port(l, HPSHIM_CMD_PORT_ADOPT, port, cookie);
}

int shim_link_release(struct shim_link *l, const char *port, uint64_t cookie)
{
	return send_port(l, HPSHIM_CMD_PORT_RELEASE, port, cookie);
}

static int send_set(struct shim_link *l, uint8_t cmd, uint32_t slot, uint32_t generation, uint32_t value,
		    uint64_t cookie)
{
	const struct field fields[] = {
		{ HPSHIM_A_SLOT, FIELD_U32, slot, NULL },
		{ HPSHIM_A_GENERATION, FIELD_U32, generation, NULL },
		{ HPSHIM_A_VALUE, FIELD_U32, value, NULL },
		{ HPSHIM_A_COOKIE, FIELD_U64, cookie, NULL },
	};

	return send_command(l, cmd, cookie, fields, 4);
}

int shim_link_set_power(struct shim_link *l, uint32_t slot, uint32_t generation, bool on, uint64_t cookie)
{
	return send_set(l, HPSHIM_CMD_SET_POWER, slot, generation, on, cookie);
}

int shim_link_set_power_indicator(struct shim_link *l, uint32_t slot, uint32_t generation, uint32_t value,
				  uint64_t cookie)
{
	return send_set(l, HPSHIM_CMD_SET_POWER_INDICATOR, slot, generation, value, cookie);
}

int shim_link_set_attention_indicator(struct shim_link *l, uint32_t slot, uint32_t generation, uint32_t value,
				      uint64_t cookie)
{
	return send_set(l, HPSHIM_CMD_SET_ATTENTION_INDICATOR, slot, generation, value, cookie);
}

int shim_link_answer_request(struct shim_link *l, uint64_t request, int error)
{
	const struct field fields[] = {
		{ HPSHIM_A_REQUEST, FIELD_U64, request, NULL },
		{ HPSHIM_A_ERRNO, FIELD_S32, (uint64_t)(int64_t)error, NULL },
	};

	return send_command(l, HPSHIM_CMD_REQUEST_ANSWER, 0, fields, 2);
}

/* ---- signs of life ---- */

/* Nobody waits for an answer: without one of these the next is as good. */
static void send_heartbeat(struct shim_link *l)
{
	struct nl_msg *message = shim_link_message(l, NLM_F_REQUEST, HPSHIM_CMD_HEARTBEAT);
	int r = -NLE_NOMEM;

	if (message) {
		nl_complete_msg(l->socket, message);
		r = nl_send(l->socket, message);
		nlmsg_free(message);
	}
	if (r < 0)
		log_debug("Cannot send the shim a sign of life: %s", nl_geterror(r));
}

static int on_heartbeat(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct shim_link *l = userdata;

	send_heartbeat(l);
	if (sd_event_source_set_time_relative(source, l->heartbeat_usec) < 0 ||
	    sd_event_source_set_enabled(source, SD_EVENT_ONESHOT) < 0)
		log_error("Cannot arm the timer of the heartbeat; the shim will take us for dead");
	return 0;
}

void shim_heartbeat_start(struct shim_link *l)
{
	int r;

	shim_heartbeat_stop(l);
	/* Late by half of it at most, when the processor is awake anyway. */
	r = sd_event_add_time_relative(l->event, &l->heartbeat, CLOCK_MONOTONIC, l->heartbeat_usec,
				       l->heartbeat_usec / 2, on_heartbeat, l);
	/* With none at all it takes nobody for dead. */
	if (r >= 0)
		send_heartbeat(l);
	else
		log_warning("No timer for the heartbeat: a hotplugd that hangs is not noticed by the shim");
}

void shim_heartbeat_stop(struct shim_link *l)
{
	l->heartbeat = sd_event_source_disable_unref(l->heartbeat);
}
