/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Plays the kernel to shim-link.c; see fake-shim.h. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>

#include "fake-shim.h"

#define FAMILY 0x30
#define GROUP  5

/* What a socket is going to receive: a message, or an error of libnl. */
struct packet {
	STAILQ_ENTRY(packet) entry;
	struct nl_msg *message;
	int error;
};

/* One for nlctrl, one for the shim; the shim's is made anew with the module. */
struct endpoint {
	struct nl_sock *socket;
	int fd;
	STAILQ_HEAD(, packet) queue;
};

static struct endpoint control = { .fd = -1 }, shim = { .fd = -1 };
static bool module_loaded;
static struct fake_sent last_sent;
static unsigned int n_sent;

/* ---- queues ---- */

static void endpoint_drain(struct endpoint *e)
{
	struct packet *p;

	while ((p = STAILQ_FIRST(&e->queue))) {
		STAILQ_REMOVE_HEAD(&e->queue, entry);
		nlmsg_free(p->message);
		free(p);
	}
}

static void endpoint_reset(struct endpoint *e)
{
	if (e->fd >= 0) {
		endpoint_drain(e);
		close(e->fd);
	}
	*e = (struct endpoint){ .fd = -1 };
}

void fake_reset(void)
{
	endpoint_reset(&control);
	endpoint_reset(&shim);
	module_loaded = false;
	n_sent = 0;
	last_sent = (struct fake_sent){ 0 };
}

static void queue(struct endpoint *e, struct nl_msg *message, int error)
{
	struct packet *p = calloc(1, sizeof(*p));

	assert(p && e->fd >= 0);
	p->message = message;
	p->error = error;
	STAILQ_INSERT_TAIL(&e->queue, p, entry);
	eventfd_write(e->fd, 1);
}

static int receive(struct nl_sock *sk, struct sockaddr_nl *from, unsigned char **ret, struct ucred **creds)
{
	struct endpoint *e = sk == control.socket ? &control : &shim;
	struct packet *p = STAILQ_FIRST(&e->queue);
	eventfd_t unused;
	int n;

	assert(sk == e->socket);
	if (!p) {
		eventfd_read(e->fd, &unused);
		return -NLE_AGAIN;
	}
	STAILQ_REMOVE_HEAD(&e->queue, entry);
	n = p->error;
	if (p->message) {
		n = (int)nlmsg_hdr(p->message)->nlmsg_len;
		*ret = malloc((size_t)n);
		assert(*ret);
		memcpy(*ret, nlmsg_hdr(p->message), (size_t)n);
		*from = (struct sockaddr_nl){ .nl_family = AF_NETLINK };
		nlmsg_free(p->message);
	}
	free(p);
	return n;
}

static int transmit(struct nl_sock *sk, struct nl_msg *message)
{
	struct nlattr *a[HPSHIM_A_MAX + 1];

	assert(genlmsg_parse(nlmsg_hdr(message), 0, a, HPSHIM_A_MAX, NULL) >= 0);
	last_sent = (struct fake_sent){
		.cmd = genlmsg_hdr(nlmsg_hdr(message))->cmd,
		.nl_seq = nlmsg_hdr(message)->nlmsg_seq,
		.after = a[HPSHIM_A_SEQ] ? nla_get_u64(a[HPSHIM_A_SEQ]) : 0,
		.cookie = a[HPSHIM_A_COOKIE] ? nla_get_u64(a[HPSHIM_A_COOKIE]) : 0,
		.value = a[HPSHIM_A_VALUE] ? nla_get_u32(a[HPSHIM_A_VALUE]) : 0,
	};
	n_sent++;
	return (int)nlmsg_hdr(message)->nlmsg_len;
}

struct fake_sent fake_sent(void)
{
	return last_sent;
}

unsigned int fake_sent_count(void)
{
	return n_sent;
}

/* ---- in the place of libnl's ---- */

int __wrap_genl_connect(struct nl_sock *sk);
int __wrap_genl_ctrl_resolve(struct nl_sock *sk, const char *name);
int __wrap_genl_ctrl_resolve_grp(struct nl_sock *sk, const char *family, const char *group);
int __wrap_nl_socket_add_membership(struct nl_sock *sk, int group);
int __wrap_nl_socket_set_nonblocking(const struct nl_sock *sk);
int __wrap_nl_socket_get_fd(const struct nl_sock *sk);

int __wrap_genl_connect(struct nl_sock *sk)
{
	struct endpoint *e = control.socket ? &shim : &control; /* nlctrl's is the first */
	struct nl_cb *cb = nl_socket_get_cb(sk);

	nl_cb_overwrite_recv(cb, receive);
	nl_cb_overwrite_send(cb, transmit);
	nl_cb_put(cb);
	endpoint_reset(e);
	STAILQ_INIT(&e->queue);
	e->socket = sk;
	e->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert(e->fd >= 0);
	return 0;
}

int __wrap_genl_ctrl_resolve(struct nl_sock *sk, const char *name)
{
	return module_loaded ? FAMILY : -NLE_OBJ_NOTFOUND;
}

int __wrap_genl_ctrl_resolve_grp(struct nl_sock *sk, const char *family, const char *group)
{
	return GROUP;
}

int __wrap_nl_socket_add_membership(struct nl_sock *sk, int group)
{
	return 0;
}

int __wrap_nl_socket_set_nonblocking(const struct nl_sock *sk)
{
	return 0;
}

int __wrap_nl_socket_get_fd(const struct nl_sock *sk)
{
	return sk == control.socket ? control.fd : shim.fd;
}

/* ---- what the kernel says ---- */

void fake_load(bool loaded)
{
	module_loaded = loaded;
}

void fake_notify(void)
{
	struct nl_msg *m = nlmsg_alloc();

	genlmsg_put(m, 0, 0, GENL_ID_CTRL, 0, 0, module_loaded ? CTRL_CMD_NEWFAMILY : CTRL_CMD_DELFAMILY, 2);
	nla_put_string(m, CTRL_ATTR_FAMILY_NAME, HPSHIM_GENL_NAME);
	queue(&control, m, 0);
}

static struct nl_msg *message(uint32_t nl_seq, uint8_t cmd, uint32_t slot, uint64_t seq, uint64_t presses)
{
	struct nl_msg *m = nlmsg_alloc();
	char name[16];

	snprintf(name, sizeof(name), "%u", slot);
	genlmsg_put(m, 0, nl_seq, FAMILY, 0, nl_seq ? NLM_F_MULTI : 0, cmd, HPSHIM_GENL_VERSION);
	nla_put_u32(m, HPSHIM_A_SLOT, slot);
	nla_put_u32(m, HPSHIM_A_GENERATION, 1);
	nla_put_string(m, HPSHIM_A_NAME, name);
	nla_put_u64(m, HPSHIM_A_SEQ, seq);
	nla_put_u64(m, HPSHIM_A_PRESSES, presses);
	return m;
}

void fake_answer_slot(uint32_t nl_seq, uint32_t slot, uint64_t seq, uint64_t presses)
{
	queue(&shim, message(nl_seq, HPSHIM_CMD_SLOT_GET, slot, seq, presses), 0);
}

void fake_answer_event(uint32_t nl_seq, uint32_t type, uint32_t slot, uint64_t seq, uint64_t presses)
{
	struct nl_msg *m = message(nl_seq, HPSHIM_CMD_EVENT, slot, seq, presses);

	nla_put_u32(m, HPSHIM_A_EVENT, type);
	queue(&shim, m, 0);
}

void fake_answer_overrun(uint32_t nl_seq, uint32_t type, uint32_t slot, uint64_t seq, uint64_t presses)
{
	struct nl_msg *m = message(nl_seq, HPSHIM_CMD_EVENT, slot, seq, presses);

	nla_put_u32(m, HPSHIM_A_EVENT, type);
	nla_put_flag(m, HPSHIM_A_OVERRUN);
	queue(&shim, m, 0);
}

void fake_event(uint32_t type, uint32_t slot, uint64_t seq, uint64_t presses)
{
	fake_answer_event(0, type, slot, seq, presses);
}

void fake_answer_end(uint32_t nl_seq)
{
	struct nl_msg *m = nlmsg_alloc();
	int zero = 0;

	nlmsg_put(m, 0, nl_seq, NLMSG_DONE, 0, NLM_F_MULTI);
	nlmsg_append(m, &zero, sizeof(zero), NLMSG_ALIGNTO);
	queue(&shim, m, 0);
}

void fake_ack(uint32_t nl_seq, int error, const char *text)
{
	struct nl_msg *m = nlmsg_alloc();
	struct nlmsgerr e = { .error = error, .msg = { .nlmsg_len = sizeof(struct nlmsghdr), .nlmsg_seq = nl_seq } };

	nlmsg_put(m, 0, nl_seq, NLMSG_ERROR, 0, NLM_F_CAPPED | (text ? NLM_F_ACK_TLVS : 0));
	nlmsg_append(m, &e, sizeof(e), NLMSG_ALIGNTO);
	if (text)
		nla_put_string(m, NLMSGERR_ATTR_MSG, text);
	queue(&shim, m, 0);
}

void fake_lose(void)
{
	queue(&shim, NULL, -NLE_NOMEM);
}

void fake_lose_notice(void)
{
	queue(&control, NULL, -NLE_NOMEM);
}

/* The slot's number is too short to be one. */
void fake_garbage(void)
{
	struct nl_msg *m = nlmsg_alloc();

	genlmsg_put(m, 0, 0, FAMILY, 0, 0, HPSHIM_CMD_EVENT, HPSHIM_GENL_VERSION);
	nla_put_u8(m, HPSHIM_A_SLOT, 1);
	queue(&shim, m, 0);
}
