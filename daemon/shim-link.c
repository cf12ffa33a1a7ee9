/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The wire to hpshim.
 *
 * Responsible for: the netlink socket, the order of events, finding gaps in
 * their sequence and filling them by replay or dump, noticing that the module
 * comes and goes. Commands are shim-command.c's. Knows no slots but for the
 * count of presses it has passed on, and no jobs. Never blocks once it is made.
 *
 *   ABSENT ──family appears──▶ DUMPING ──done──▶ REPLAYING ──done──▶ LIVE
 *     ▲                           ▲                  │ ▲               │
 *     └──family gone (any state)  └──────overrun─────┘ └──────gap──────┘
 *
 * While dumping or replaying, live events are only counted: the replay that
 * follows brings them, in order. The kernel does one dump or replay of a socket
 * at a time, so a second one is asked for when the first has ended.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "shim-internal.h"
#include "shim-message.h"

/* Room for some ten thousand events; a receiver that is slower replays. */
#define RECEIVE_BUFFER (8 * 1024 * 1024)

/* A dump or replay that the kernel refused is asked for again after this. */
#define RETRY_USEC 500000

/* The shim takes a controller for dead after 30 s without. */
#define HEARTBEAT_USEC 10000000

/* So many messages at a time: a storm does not keep others from their turn. */
#define MESSAGES_PER_TURN 256

/* ---- asking for what was missed ---- */

static int send_dump(struct shim_link *l, enum link_state state)
{
	bool replay = state == LINK_REPLAYING;
	struct nl_msg *message = shim_link_message(l, NLM_F_REQUEST | NLM_F_DUMP,
						   replay ? HPSHIM_CMD_EVENT_REPLAY : HPSHIM_CMD_SLOT_GET);
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
	return r < 0 ? shim_link_errno(r) : 0;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata);

/* It did not work. Until it does, events are only counted: none is lost. */
static void ask_again(struct shim_link *l, int error)
{
	int r;

	log_warning("Cannot ask the shim for its state: %s; trying again", strerror(-error));
	l->dump_seq = 0;
	l->retry = sd_event_source_disable_unref(l->retry);
	r = sd_event_add_time_relative(l->event, &l->retry, CLOCK_MONOTONIC, RETRY_USEC, 0, on_retry, l);
	if (r < 0)
		log_error("Cannot try again: %s; events of the shim are lost", strerror(-r));
}

/* Asks for a dump or a replay: LINK_DUMPING or LINK_REPLAYING. */
static void ask(struct shim_link *l, enum link_state state)
{
	int r;

	l->state = state;
	l->overrun = l->missed = false;
	l->n_slots = 0;
	r = send_dump(l, state);
	if (r < 0)
		ask_again(l, r);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct shim_link *l = userdata;

	ask(l, l->state);
	return 0;
}

/* ---- receiving ---- */

/* Passes on one event; a press that was passed on before is dropped. */
static void deliver(struct shim_link *l, const struct shim_event *e)
{
	struct presses *p;

	if (e->type == HPSHIM_EVENT_SLOT_GONE) {
		shim_presses_forget(l, &e->slot);
	} else if (e->type == HPSHIM_EVENT_SLOT_ADD) {
		shim_presses_of(l, &e->slot, true);
	} else if (e->type == HPSHIM_EVENT_BUTTON) {
		p = shim_presses_of(l, &e->slot, false);
		if (p && p->known && e->slot.presses <= p->count)
			return;
		if (p) {
			p->count = e->slot.presses;
			p->known = true;
		}
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
		if (replayed)
			return; /* the overrun leads to a dump */
		log_debug("Events %llu to %llu of the shim were lost, asking for them",
			  (unsigned long long)l->last_seq + 1, (unsigned long long)e->seq - 1);
		ask(l, LINK_REPLAYING);
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
 * were not passed on. Those before the first dump are not ours: the shim does
 * not say which of them somebody has dealt with. */
static void dump_done(struct shim_link *l)
{
	bool first = !l->synced;

	l->synced = true;
	shim_presses_prune(l);
	if (l->resumed) {
		/* The replay brings all since, presses in their place among them. */
		l->resumed = false;
		l->ops->resync(l->slots, l->n_slots, l->userdata);
		return;
	}
	l->last_seq = l->n_slots > 0 ? UINT64_MAX : l->seen_seq;
	for (size_t i = 0; i < l->n_slots; i++)
		if (l->slots[i].seq < l->last_seq)
			l->last_seq = l->slots[i].seq;
	l->ops->resync(l->slots, l->n_slots, l->userdata);
	for (size_t i = 0; i < l->n_slots; i++) {
		struct presses *p = shim_presses_of(l, &l->slots[i], !first);
		struct shim_event press = { .type = HPSHIM_EVENT_BUTTON, .slot = l->slots[i], .report = "" };

		while (p && p->count < l->slots[i].presses) {
			press.slot.presses = ++p->count;
			p->known = true;
			l->ops->event(&press, l->userdata);
		}
	}
}

static void forget_commands(struct shim_link *l)
{
	struct command *c;

	while ((c = TAILQ_FIRST(&l->commands))) {
		TAILQ_REMOVE(&l->commands, c, entry);
		free(c);
	}
}

static void sync_step_done(struct shim_link *l)
{
	if (l->state == LINK_DUMPING) {
		dump_done(l);
		ask(l, LINK_REPLAYING); /* what happened since the dump */
	} else if (l->overrun) {
		l->lost = true;
		ask(l, LINK_DUMPING);
	} else if (l->missed || l->seen_seq > l->last_seq) {
		ask(l, LINK_REPLAYING); /* what happened since the replay */
	} else {
		bool lost = l->lost;

		l->state = LINK_LIVE;
		l->lost = false;
		if (lost)
			forget_commands(l); /* acknowledged or not: nobody knows */
		l->ops->live(lost, l->userdata);
	}
}

static int on_message(struct nl_msg *message, void *userdata)
{
	struct shim_link *l = userdata;
	struct nlmsghdr *h = nlmsg_hdr(message);
	struct shim_event e;
	bool overrun, answer = h->nlmsg_flags & NLM_F_MULTI && h->nlmsg_seq == l->dump_seq;

	if (h->nlmsg_type != l->family)
		return NL_SKIP;
	if (shim_message_parse(h, &e, &overrun) < 0) {
		log_error("The shim sent a message that cannot be read: module and daemon do not match");
		return NL_SKIP;
	}
	if (genlmsg_hdr(h)->cmd == HPSHIM_CMD_SLOT_GET) {
		if (answer)
			on_slot(l, &e.slot);
		return NL_OK;
	}
	l->overrun |= overrun;
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
	if (!error && c->cmd == HPSHIM_CMD_CONTROLLER_SET)
		shim_heartbeat_start(l);
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
	if (text)
		nla_strlcpy(report, text, sizeof(report));
	if (error->msg.nlmsg_seq == l->dump_seq && l->state != LINK_LIVE)
		ask_again(l, error->error);
	on_acknowledged(l, error->msg.nlmsg_seq, error->error, report);
	return NL_SKIP; /* go on with the next message */
}

bool shim_link_read(struct shim_link *l)
{
	int r = 0;

	for (int i = 0; l->socket && i < MESSAGES_PER_TURN && r == 0; i++)
		r = shim_link_errno(nl_recvmsgs_default(l->socket));
	if (r == -ENOBUFS) {
		log_notice("The shim sends faster than we read; asking for what was lost");
		l->lost = true;
		if (l->state == LINK_LIVE)
			ask(l, LINK_REPLAYING);
		else
			l->missed = true; /* one at a time */
	} else if (r < 0 && r != -EAGAIN) {
		log_error("Cannot read from the shim: %s", strerror(-r));
	}
	l->ops->read(l->userdata);
	return r != 0;
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	shim_link_read(userdata);
	return 0;
}

/* ---- coming and going of the module ---- */

static void disconnect(struct shim_link *l)
{
	l->source = sd_event_source_disable_unref(l->source);
	l->retry = sd_event_source_disable_unref(l->retry);
	if (l->socket)
		nl_socket_free(l->socket);
	l->socket = NULL;
	l->state = LINK_ABSENT;
	l->synced = l->resumed = l->kept = l->lost = false;
	shim_heartbeat_stop(l);
	forget_commands(l);
	shim_presses_clear(l);
	l->last_seq = l->seen_seq = 0;
}

static int socket_prepare(struct shim_link *l, struct nl_sock *s)
{
	int one = 1, size = RECEIVE_BUFFER, fd, group, r;

	if (!shim_resume_connect(l, s, &group)) {
		r = shim_link_errno(genl_connect(s));
		if (r < 0)
			return r;
		l->family = genl_ctrl_resolve(s, HPSHIM_GENL_NAME);
		if (l->family < 0)
			return shim_link_errno(l->family);
		group = genl_ctrl_resolve_grp(s, HPSHIM_GENL_NAME, HPSHIM_MCGRP_EVENTS);
		if (group < 0)
			return shim_link_errno(group);
	}

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
	r = shim_link_errno(nl_socket_set_nonblocking(s));
	if (r >= 0)
		r = shim_link_errno(nl_socket_add_membership(s, group));
	return r;
}

static int connect_shim(struct shim_link *l, const struct shim_resume *resume)
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
	if (r < 0) {
		disconnect(l);
		return r;
	}
	shim_resume_position(l, resume);
	ask(l, LINK_DUMPING);
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
		r = connect_shim(l, NULL);
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
		r = shim_link_errno(nl_recvmsgs_default(l->control));
	while (r == 0);
	if (r == -ENOBUFS && !l->socket)
		r = connect_shim(l, NULL); /* its coming may be what was lost */
	if (r < 0 && r != -EAGAIN && r != -ENOENT)
		log_warning("Cannot read which netlink families come and go: %s", strerror(-r));
	return 0;
}

static int start_control(struct shim_link *l)
{
	int group, r;

	l->control = nl_socket_alloc();
	if (!l->control)
		return -ENOMEM;
	r = shim_link_errno(genl_connect(l->control));
	if (r < 0)
		return r;
	group = genl_ctrl_resolve_grp(l->control, "nlctrl", "notify");
	if (group < 0)
		return shim_link_errno(group);
	nl_socket_disable_seq_check(l->control);
	nl_socket_modify_cb(l->control, NL_CB_VALID, NL_CB_CUSTOM, on_control_message, l);
	r = shim_link_errno(nl_socket_set_nonblocking(l->control));
	if (r >= 0)
		r = shim_link_errno(nl_socket_add_membership(l->control, group));
	if (r < 0)
		return r;
	return sd_event_add_io(l->event, &l->control_source, nl_socket_get_fd(l->control), EPOLLIN,
			       on_control_readable, l);
}

int shim_link_new(struct shim_link **ret, sd_event *event, const struct shim_link_ops *ops, void *userdata,
		  const struct shim_resume *resume)
{
	struct shim_link *l = calloc(1, sizeof(*l));
	int r;

	if (!l) {
		if (resume && resume->fd >= 0)
			close(resume->fd);
		return -ENOMEM;
	}
	l->resume_fd = resume ? resume->fd : -1;
	l->event = sd_event_ref(event);
	l->heartbeat_usec = HEARTBEAT_USEC;
	l->ops = ops;
	l->userdata = userdata;
	TAILQ_INIT(&l->commands);
	TAILQ_INIT(&l->presses);
	/* Listening comes before looking, so that nothing is missed between. */
	r = start_control(l);
	*ret = l;
	if (r >= 0)
		r = connect_shim(l, resume);
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
	if (l->resume_fd >= 0)
		close(l->resume_fd);
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

int shim_link_fd(const struct shim_link *l)
{
	return l->socket ? nl_socket_get_fd(l->socket) : -1;
}

bool shim_link_kept(const struct shim_link *l)
{
	return l->kept;
}

bool shim_link_live(const struct shim_link *l)
{
	return l->state == LINK_LIVE;
}

void shim_link_position(const struct shim_link *l, int *ret_family, uint64_t *ret_seq)
{
	bool known = l->socket && (l->synced || l->resumed);

	*ret_family = known ? l->family : 0;
	*ret_seq = known ? l->last_seq : 0;
}
