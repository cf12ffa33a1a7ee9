/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The wire to hpshim.
 *
 * Responsible for: the netlink socket, encoding commands, decoding events,
 * finding gaps in their sequence and filling them by replay or dump, noticing
 * that the module comes and goes. Knows no slots but for the count of presses
 * it has passed on, and no jobs. Never blocks once it is made.
 *
 *   ABSENT ──family appears──▶ DUMPING ──done──▶ REPLAYING ──done──▶ LIVE
 *     ▲                           ▲                  │ ▲               │
 *     └──family gone (any state)  └──────overrun─────┘ └──────gap──────┘
 *
 * While dumping or replaying, live events are only counted: the replay that
 * follows brings them, in order.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "shim-link.h"

/* Room for some ten thousand events; a receiver that is slower replays. */
#define RECEIVE_BUFFER (8 * 1024 * 1024)

enum link_state { LINK_ABSENT, LINK_DUMPING, LINK_REPLAYING, LINK_LIVE };

/* A command whose acknowledgement is awaited. */
struct command {
	TAILQ_ENTRY(command) entry;
	uint32_t seq;
	uint8_t cmd;
	uint64_t cookie;
};

/* How many presses of a slot were passed on. */
struct presses {
	TAILQ_ENTRY(presses) entry;
	uint32_t slot, generation;
	uint64_t count;
};

struct shim_link {
	sd_event *event;
	const struct shim_link_ops *ops;
	void *userdata;

	struct nl_sock *control; /* nlctrl: families come and go */
	struct nl_sock *socket;  /* NULL: ABSENT */
	sd_event_source *control_source, *source;
	int family;
	enum link_state state;

	uint64_t last_seq; /* of the event passed on last */
	uint64_t seen_seq; /* highest one heard of */
	bool overrun;      /* the replay says that some are lost */
	uint32_t dump_seq; /* netlink sequence number of the dump or replay */

	struct shim_slot *slots; /* of the dump under way */
	size_t n_slots;

	TAILQ_HEAD(, command) commands;
	TAILQ_HEAD(, presses) presses;
};

/* libnl has errors of its own; ours are the system's. */
static int nl_errno(int r)
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

/* ---- decoding ---- */

static void copy_string(char *to, size_t size, struct nlattr *from)
{
	if (from)
		nla_strlcpy(to, from, size);
}

static void decode(struct nlattr **a, struct shim_event *e)
{
	static const struct {
		int attribute;
		size_t offset;
	} words[] = {
		{ HPSHIM_A_EVENT, offsetof(struct shim_event, type) },
		{ HPSHIM_A_VALUE, offsetof(struct shim_event, value) },
		{ HPSHIM_A_SLOT, offsetof(struct shim_event, slot.id) },
		{ HPSHIM_A_GENERATION, offsetof(struct shim_event, slot.generation) },
		{ HPSHIM_A_KIND, offsetof(struct shim_event, slot.kind) },
		{ HPSHIM_A_CAPS, offsetof(struct shim_event, slot.caps) },
		{ HPSHIM_A_STATUS, offsetof(struct shim_event, slot.status) },
		{ HPSHIM_A_POWER_INDICATOR, offsetof(struct shim_event, slot.power_indicator) },
		{ HPSHIM_A_ATTENTION_INDICATOR, offsetof(struct shim_event, slot.attention_indicator) },
	}, quads[] = {
		{ HPSHIM_A_SEQ, offsetof(struct shim_event, seq) },
		{ HPSHIM_A_TIME_NS, offsetof(struct shim_event, time_ns) },
		{ HPSHIM_A_COOKIE, offsetof(struct shim_event, cookie) },
		{ HPSHIM_A_REQUEST, offsetof(struct shim_event, request) },
		{ HPSHIM_A_PRESSES, offsetof(struct shim_event, slot.presses) },
	};

	memset(e, 0, sizeof(*e));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (a[words[i].attribute])
			*(uint32_t *)((char *)e + words[i].offset) = nla_get_u32(a[words[i].attribute]);
	for (size_t i = 0; i < sizeof(quads) / sizeof(quads[0]); i++)
		if (a[quads[i].attribute])
			*(uint64_t *)((char *)e + quads[i].offset) = nla_get_u64(a[quads[i].attribute]);
	if (a[HPSHIM_A_ERRNO])
		e->error = nla_get_s32(a[HPSHIM_A_ERRNO]);
	copy_string(e->slot.port, sizeof(e->slot.port), a[HPSHIM_A_PORT]);
	copy_string(e->slot.address, sizeof(e->slot.address), a[HPSHIM_A_ADDRESS]);
	copy_string(e->slot.name, sizeof(e->slot.name), a[HPSHIM_A_NAME]);
	e->slot.seq = e->seq;
	e->report = a[HPSHIM_A_REPORT] ? nla_get_string(a[HPSHIM_A_REPORT]) : "";
}

/* Short attributes are not believed: the kernel does not send them, but a
 * wrong module might. */
static const struct nla_policy policy[HPSHIM_A_MAX + 1] = {
	[HPSHIM_A_SLOT] = { .type = NLA_U32 },
	[HPSHIM_A_GENERATION] = { .type = NLA_U32 },
	[HPSHIM_A_PORT] = { .type = NLA_STRING },
	[HPSHIM_A_ADDRESS] = { .type = NLA_STRING },
	[HPSHIM_A_NAME] = { .type = NLA_STRING },
	[HPSHIM_A_KIND] = { .type = NLA_U32 },
	[HPSHIM_A_CAPS] = { .type = NLA_U32 },
	[HPSHIM_A_STATUS] = { .type = NLA_U32 },
	[HPSHIM_A_POWER_INDICATOR] = { .type = NLA_U32 },
	[HPSHIM_A_ATTENTION_INDICATOR] = { .type = NLA_U32 },
	[HPSHIM_A_PRESSES] = { .type = NLA_U64 },
	[HPSHIM_A_SEQ] = { .type = NLA_U64 },
	[HPSHIM_A_TIME_NS] = { .type = NLA_U64 },
	[HPSHIM_A_EVENT] = { .type = NLA_U32 },
	[HPSHIM_A_COOKIE] = { .type = NLA_U64 },
	[HPSHIM_A_ERRNO] = { .type = NLA_S32 },
	[HPSHIM_A_VALUE] = { .type = NLA_U32 },
	[HPSHIM_A_REQUEST] = { .type = NLA_U64 },
	[HPSHIM_A_REPORT] = { .type = NLA_STRING },
};

/* ---- sending ---- */

static struct nl_msg *message_new(struct shim_link *l, int flags, uint8_t cmd)
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
		return nl_errno(r);
	}
	TAILQ_INSERT_TAIL(&l->commands, c, entry);
	return 0;
}

static int send_dump(struct shim_link *l, enum link_state state)
{
	bool replay = state == LINK_REPLAYING;
	struct nl_msg *message = message_new(l, NLM_F_REQUEST | NLM_F_DUMP, replay ? HPSHIM_CMD_EVENT_REPLAY : HPSHIM_CMD_SLOT_GET);
	int r;

	if (!message)
		return -ENOMEM;
	if (replay && nla_put_u64(message, HPSHIM_A_SEQ, l->last_seq) < 0) {
		nlmsg_free(message);
		return -ENOMEM;
	}
	nl_complete_msg(l->socket, message);
	l->dump_seq = nlmsg_hdr(message)->nlmsg_seq;
	r = nl_send(l->socket, message);
	nlmsg_free(message);
	if (r < 0)
		return nl_errno(r);
	l->state = state;
	l->overrun = false;
	l->n_slots = 0;
	return 0;
}

static void resync_failed(int r)
{
	log_error("Cannot ask the shim for its state: %s; events may be lost", strerror(-r));
}

/* ---- receiving ---- */

static struct presses *presses_of(struct shim_link *l, const struct shim_slot *s)
{
	struct presses *p;

	TAILQ_FOREACH(p, &l->presses, entry)
		if (p->slot == s->id && p->generation == s->generation)
			return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->slot = s->id;
	p->generation = s->generation;
	p->count = s->presses;
	TAILQ_INSERT_TAIL(&l->presses, p, entry);
	return p;
}

static void presses_forget(struct shim_link *l, const struct shim_slot *s)
{
	struct presses *p;

	TAILQ_FOREACH(p, &l->presses, entry) {
		if (p->slot != s->id || p->generation != s->generation)
			continue;
		TAILQ_REMOVE(&l->presses, p, entry);
		free(p);
		return;
	}
}

/* Passes on one event; a press that was passed on before is dropped. */
static void deliver(struct shim_link *l, const struct shim_event *e)
{
	struct presses *p;

	if (e->type == HPSHIM_EVENT_SLOT_GONE) {
		presses_forget(l, &e->slot);
	} else if (e->type == HPSHIM_EVENT_SLOT_ADD) {
		presses_of(l, &e->slot);
	} else if (e->type == HPSHIM_EVENT_BUTTON) {
		p = presses_of(l, &e->slot);
		if (p && e->slot.presses < p->count)
			return;
		if (p)
			p->count = e->slot.presses;
	}
	l->ops->event(e, l->userdata);
}

static void on_event(struct shim_link *l, const struct shim_event *e, bool replayed)
{
	if (e->seq > l->seen_seq)
		l->seen_seq = e->seq;
	if (!replayed && l->state != LINK_LIVE)
		return; /* the replay brings it */
	if (e->seq <= l->last_seq)
		return;
	if (e->seq != l->last_seq + 1) {
		int r;

		if (replayed)
			return; /* the overrun leads to a dump */
		log_debug("Events %llu to %llu of the shim were lost, asking for them",
			  (unsigned long long)l->last_seq + 1, (unsigned long long)e->seq - 1);
		r = send_dump(l, LINK_REPLAYING);
		if (r < 0)
			resync_failed(r);
		return;
	}
	l->last_seq = e->seq;
	deliver(l, e);
}

static void on_slot(struct shim_link *l, const struct shim_slot *s)
{
	struct shim_slot *more = reallocarray(l->slots, l->n_slots + 1, sizeof(*more));

	if (!more) {
		log_error("Out of memory: slot %s is not seen", s->name);
		return;
	}
	l->slots = more;
	l->slots[l->n_slots++] = *s;
}

/* The dump is complete: slots first, then the presses that it shows and that
 * were not passed on. */
static void dump_done(struct shim_link *l)
{
	l->last_seq = l->n_slots > 0 ? UINT64_MAX : l->seen_seq;
	for (size_t i = 0; i < l->n_slots; i++)
		if (l->slots[i].seq < l->last_seq)
			l->last_seq = l->slots[i].seq;
	l->ops->resync(l->slots, l->n_slots, l->userdata);
	for (size_t i = 0; i < l->n_slots; i++) {
		struct presses *p = presses_of(l, &l->slots[i]);
		struct shim_event press = { .type = HPSHIM_EVENT_BUTTON, .slot = l->slots[i], .report = "" };

		while (p && p->count < l->slots[i].presses) {
			press.slot.presses = ++p->count;
			l->ops->event(&press, l->userdata);
		}
	}
}

static void sync_step_done(struct shim_link *l)
{
	enum link_state next = LINK_LIVE;
	int r;

	if (l->state == LINK_DUMPING) {
		dump_done(l);
		next = LINK_REPLAYING; /* what happened since the dump */
	} else if (l->overrun) {
		next = LINK_DUMPING;
	} else if (l->seen_seq > l->last_seq) {
		next = LINK_REPLAYING; /* what happened since the replay */
	}
	if (next == LINK_LIVE) {
		l->state = LINK_LIVE;
		return;
	}
	r = send_dump(l, next);
	if (r < 0)
		resync_failed(r);
}

static int on_message(struct nl_msg *message, void *userdata)
{
	struct shim_link *l = userdata;
	struct nlmsghdr *h = nlmsg_hdr(message);
	struct nlattr *a[HPSHIM_A_MAX + 1];
	struct shim_event e;
	bool answer = h->nlmsg_flags & NLM_F_MULTI && h->nlmsg_seq == l->dump_seq;

	if (h->nlmsg_type != l->family)
		return NL_SKIP;
	if (genlmsg_parse(h, 0, a, HPSHIM_A_MAX, (struct nla_policy *)policy) < 0) {
		log_error("The shim sent a message that cannot be read: module and daemon do not match");
		return NL_SKIP;
	}
	decode(a, &e);
	if (genlmsg_hdr(h)->cmd == HPSHIM_CMD_SLOT_GET) {
		if (answer)
			on_slot(l, &e.slot);
		return NL_OK;
	}
	if (a[HPSHIM_A_OVERRUN])
		l->overrun = true;
	if (genlmsg_hdr(h)->cmd == HPSHIM_CMD_EVENT)
		on_event(l, &e, answer);
	return NL_OK;
}

static int on_finish(struct nl_msg *message, void *userdata)
{
	struct shim_link *l = userdata;

	if (nlmsg_hdr(message)->nlmsg_seq == l->dump_seq && l->state != LINK_LIVE)
		sync_step_done(l);
	return NL_OK;
}

/* A command was taken (error 0) or refused. Acceptance is told only where no
 * OP_DONE of the shim follows. */
static void on_acknowledged(struct shim_link *l, uint32_t seq, int error, const char *report)
{
	struct shim_event e = { .type = HPSHIM_EVENT_OP_DONE, .error = error, .report = report };
	struct command *c;

	TAILQ_FOREACH(c, &l->commands, entry)
		if (c->seq == seq)
			break;
	if (!c)
		return;
	TAILQ_REMOVE(&l->commands, c, entry);
	e.cookie = c->cookie;
	if (error || c->cmd == HPSHIM_CMD_CONTROLLER_SET)
		l->ops->event(&e, l->userdata);
	free(c);
}

static int on_ack(struct nl_msg *message, void *userdata)
{
	on_acknowledged(userdata, nlmsg_hdr(message)->nlmsg_seq, 0, "");
	return NL_OK;
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *error, void *userdata)
{
	struct shim_link *l = userdata;
	struct nlmsghdr *h = (struct nlmsghdr *)((char *)error - NLMSG_HDRLEN);
	int rest = (int)h->nlmsg_len - NLMSG_HDRLEN - (int)sizeof(*error);
	struct nlattr *text = NULL;
	char report[256] = "";

	if (h->nlmsg_flags & NLM_F_ACK_TLVS && rest > 0)
		text = nla_find((struct nlattr *)(error + 1), rest, NLMSGERR_ATTR_MSG);
	copy_string(report, sizeof(report), text);
	if (error->msg.nlmsg_seq == l->dump_seq && l->state != LINK_LIVE)
		resync_failed(error->error);
	on_acknowledged(l, error->msg.nlmsg_seq, error->error, report);
	return NL_SKIP; /* go on with the next message */
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct shim_link *l = userdata;
	int r;

	do
		r = nl_errno(nl_recvmsgs_default(l->socket));
	while (r == 0 && l->socket);
	if (r == -ENOBUFS) {
		log_notice("The shim sends faster than we read; asking for what was lost");
		r = l->state == LINK_DUMPING ? send_dump(l, LINK_DUMPING) : send_dump(l, LINK_REPLAYING);
	}
	if (r < 0 && r != -EAGAIN)
		log_error("Cannot read from the shim: %s", strerror(-r));
	return 0;
}

/* ---- coming and going of the module ---- */

static void disconnect(struct shim_link *l)
{
	struct command *c;
	struct presses *p;

	l->source = sd_event_source_disable_unref(l->source);
	if (l->socket)
		nl_socket_free(l->socket);
	l->socket = NULL;
	l->state = LINK_ABSENT;
	while ((c = TAILQ_FIRST(&l->commands))) {
		TAILQ_REMOVE(&l->commands, c, entry);
		free(c);
	}
	while ((p = TAILQ_FIRST(&l->presses))) {
		TAILQ_REMOVE(&l->presses, p, entry);
		free(p);
	}
	l->last_seq = l->seen_seq = 0;
}

static int socket_prepare(struct shim_link *l, struct nl_sock *s)
{
	int one = 1, size = RECEIVE_BUFFER, fd, group, r;

	r = nl_errno(genl_connect(s));
	if (r < 0)
		return r;
	l->family = genl_ctrl_resolve(s, HPSHIM_GENL_NAME);
	if (l->family < 0)
		return nl_errno(l->family);
	group = genl_ctrl_resolve_grp(s, HPSHIM_GENL_NAME, HPSHIM_MCGRP_EVENTS);
	if (group < 0)
		return nl_errno(group);

	fd = nl_socket_get_fd(s);
	/* Without the extras an error has no text, no more. */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		log_debug("Cannot enlarge the receive buffer: %m");

	nl_socket_disable_seq_check(s);
	nl_socket_disable_auto_ack(s);
	nl_socket_modify_cb(s, NL_CB_VALID, NL_CB_CUSTOM, on_message, l);
	nl_socket_modify_cb(s, NL_CB_FINISH, NL_CB_CUSTOM, on_finish, l);
	nl_socket_modify_cb(s, NL_CB_ACK, NL_CB_CUSTOM, on_ack, l);
	nl_socket_modify_err_cb(s, NL_CB_CUSTOM, on_error, l);
	r = nl_errno(nl_socket_set_nonblocking(s));
	if (r >= 0)
		r = nl_errno(nl_socket_add_membership(s, group));
	return r;
}

static int connect_shim(struct shim_link *l)
{
	struct nl_sock *s = nl_socket_alloc();
	int r;

	if (!s)
		return -ENOMEM;
	r = socket_prepare(l, s);
	if (r < 0) {
		nl_socket_free(s);
		return r;
	}
	l->socket = s;
	r = sd_event_add_io(l->event, &l->source, nl_socket_get_fd(s), EPOLLIN, on_readable, l);
	if (r >= 0)
		r = send_dump(l, LINK_DUMPING);
	if (r < 0) {
		disconnect(l);
		return r;
	}
	l->ops->appeared(l->userdata);
	return 0;
}

static int on_control_message(struct nl_msg *message, void *userdata)
{
	struct shim_link *l = userdata;
	struct nlattr *a[CTRL_ATTR_MAX + 1];
	uint8_t cmd = genlmsg_hdr(nlmsg_hdr(message))->cmd;
	int r = 0;

	if (genlmsg_parse(nlmsg_hdr(message), 0, a, CTRL_ATTR_MAX, NULL) < 0 || !a[CTRL_ATTR_FAMILY_NAME] ||
	    strcmp(nla_get_string(a[CTRL_ATTR_FAMILY_NAME]), HPSHIM_GENL_NAME) != 0)
		return NL_OK;
	if (cmd == CTRL_CMD_DELFAMILY && l->socket) {
		disconnect(l);
		l->ops->lost(l->userdata);
	} else if (cmd == CTRL_CMD_NEWFAMILY && !l->socket) {
		r = connect_shim(l);
	}
	if (r < 0)
		log_error("Cannot talk to the shim: %s", strerror(-r));
	return NL_OK;
}

static int on_control_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct shim_link *l = userdata;
	int r;

	do
		r = nl_errno(nl_recvmsgs_default(l->control));
	while (r == 0);
	if (r != -EAGAIN)
		log_warning("Cannot read which netlink families come and go: %s", strerror(-r));
	return 0;
}

static int start_control(struct shim_link *l)
{
	int group, r;

	l->control = nl_socket_alloc();
	if (!l->control)
		return -ENOMEM;
	r = nl_errno(genl_connect(l->control));
	if (r < 0)
		return r;
	group = genl_ctrl_resolve_grp(l->control, "nlctrl", "notify");
	if (group < 0)
		return nl_errno(group);
	nl_socket_disable_seq_check(l->control);
	nl_socket_modify_cb(l->control, NL_CB_VALID, NL_CB_CUSTOM, on_control_message, l);
	r = nl_errno(nl_socket_set_nonblocking(l->control));
	if (r >= 0)
		r = nl_errno(nl_socket_add_membership(l->control, group));
	if (r < 0)
		return r;
	return sd_event_add_io(l->event, &l->control_source, nl_socket_get_fd(l->control), EPOLLIN,
			       on_control_readable, l);
}

int shim_link_new(struct shim_link **ret, sd_event *event, const struct shim_link_ops *ops, void *userdata)
{
	struct shim_link *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->event = sd_event_ref(event);
	l->ops = ops;
	l->userdata = userdata;
	TAILQ_INIT(&l->commands);
	TAILQ_INIT(&l->presses);
	/* Listening comes before looking, so that nothing is missed between. */
	r = start_control(l);
	*ret = l;
	if (r >= 0)
		r = connect_shim(l);
	if (r < 0 && r != -ENOENT) {
		*ret = shim_link_free(l);
		return r;
	}
	return 0;
}

struct shim_link *shim_link_free(struct shim_link *l)
{
	if (!l)
		return NULL;
	disconnect(l);
	sd_event_source_disable_unref(l->control_source);
	if (l->control)
		nl_socket_free(l->control);
	sd_event_unref(l->event);
	free(l->slots);
	free(l);
	return NULL;
}

bool shim_link_present(const struct shim_link *l)
{
	return l->socket;
}

/* ---- commands ---- */

int shim_link_become_controller(struct shim_link *l, uint32_t grace_ms, uint64_t cookie)
{
	struct nl_msg *message;

	if (!l->socket)
		return -ENOTCONN;
	message = message_new(l, NLM_F_REQUEST | NLM_F_ACK, HPSHIM_CMD_CONTROLLER_SET);
	if (message && nla_put_u32(message, HPSHIM_A_GRACE_MS, grace_ms) < 0) {
		nlmsg_free(message);
		return -ENOMEM;
	}
	return message_send(l, message, HPSHIM_CMD_CONTROLLER_SET, cookie);
}

static int send_port(struct shim_link *l, uint8_t cmd, const char *port, uint64_t cookie)
{
	struct nl_msg *message;

	if (!l->socket)
		return -ENOTCONN;
	message = message_new(l, NLM_F_REQUEST | NLM_F_ACK, cmd);
	if (message && (nla_put_string(message, HPSHIM_A_PORT, port) < 0 ||
			nla_put_u64(message, HPSHIM_A_COOKIE, cookie) < 0)) {
		nlmsg_free(message);
		return -ENOMEM;
	}
	return message_send(l, message, cmd, cookie);
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
	struct nl_msg *message;

	if (!l->socket)
		return -ENOTCONN;
	message = message_new(l, NLM_F_REQUEST | NLM_F_ACK, cmd);
	if (message && (nla_put_u32(message, HPSHIM_A_SLOT, slot) < 0 ||
			nla_put_u32(message, HPSHIM_A_GENERATION, generation) < 0 ||
			nla_put_u32(message, HPSHIM_A_VALUE, value) < 0 ||
			nla_put_u64(message, HPSHIM_A_COOKIE, cookie) < 0)) {
		nlmsg_free(message);
		return -ENOMEM;
	}
	return message_send(l, message, cmd, cookie);
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
	struct nl_msg *message;

	if (!l->socket)
		return -ENOTCONN;
	message = message_new(l, NLM_F_REQUEST | NLM_F_ACK, HPSHIM_CMD_REQUEST_ANSWER);
	if (message && (nla_put_u64(message, HPSHIM_A_REQUEST, request) < 0 ||
			nla_put_s32(message, HPSHIM_A_ERRNO, error) < 0)) {
		nlmsg_free(message);
		return -ENOMEM;
	}
	return message_send(l, message, HPSHIM_CMD_REQUEST_ANSWER, 0);
}
