/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Going on where the link of another process had got to.
 *
 * Responsible for: taking its socket over, and what it had dealt with. Starts
 * nothing; what was missed meanwhile is asked for by shim-link.c, as after a gap.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>

#include "base/log.h"
#include "shim-internal.h"

/* What waits in the socket, events and answers to somebody else, is in the
 * replay as well. More than the receive buffer holds does not wait there. */
#define DRAIN_MAX (1024 * 1024)

/* A dump that was cut off is read to its end by this, which lets the next begin. */
static void drain(int fd)
{
	char nothing[64];
	ssize_t n;

	for (int i = 0; i < DRAIN_MAX; i++) {
		n = recv(fd, nothing, sizeof(nothing), MSG_DONTWAIT | MSG_TRUNC);
		if (n < 0 && errno != EINTR && errno != ENOBUFS)
			return;
	}
}

/* The numbers of the family, asked for on another socket: on ours events may come
 * at any moment. Returns the family, or a negative errno. */
static int resolve(int *ret_group)
{
	struct nl_sock *s = nl_socket_alloc();
	int r;

	if (!s)
		return -ENOMEM;
	r = shim_link_errno(genl_connect(s));
	if (r >= 0) {
		r = genl_ctrl_resolve_grp(s, HPSHIM_GENL_NAME, HPSHIM_MCGRP_EVENTS);
		if (r >= 0) {
			*ret_group = r;
			r = genl_ctrl_resolve(s, HPSHIM_GENL_NAME);
		}
		r = r < 0 ? shim_link_errno(r) : r;
	}
	nl_socket_free(s);
	return r;
}

static bool is_generic_netlink(int fd)
{
	int domain = 0, protocol = -1;
	socklen_t size = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_NETLINK &&
	       getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 && protocol == NETLINK_GENERIC;
}

int shim_resume_connect(struct shim_link *l, struct nl_sock *s, int *ret_group)
{
	int fd = l->resume_fd;

	l->resume_fd = -1;
	if (fd < 0)
		return 0;
	if (is_generic_netlink(fd)) {
		int family = resolve(ret_group);

		/* Whatever is known of its past: to the module it may be the controller. */
		if (family > 0) {
			drain(fd);
			if (nl_socket_set_fd(s, NETLINK_GENERIC, fd) == 0) {
				l->family = family;
				l->kept = true;
				return 1;
			}
		}
	}
	close(fd);
	return 0;
}

static void add_presses(struct shim_link *l, const struct shim_presses *from)
{
	struct presses *p = calloc(1, sizeof(*p));

	if (!p) {
		log_error("Out of memory: a press of slot %u may be taken for the first", from->slot);
		return;
	}
	p->slot = from->slot;
	p->generation = from->generation;
	p->count = from->count;
	p->known = true;
	TAILQ_INSERT_TAIL(&l->presses, p, entry);
}

void shim_resume_position(struct shim_link *l, const struct shim_resume *resume)
{
	if (!resume || resume->family == 0 || resume->family != l->family)
		return;
	l->resumed = true;
	l->last_seq = resume->seq;
	for (size_t i = 0; i < resume->n_presses; i++)
		add_presses(l, &resume->presses[i]);
}
