/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a message of hpshim says.
 *
 * Responsible for: taking attributes apart (kmod-shim/hpshim.yaml). Remembers
 * nothing.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <netlink/genl/genl.h>
#include <netlink/netlink.h>

#include "shim-message.h"

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

int shim_message_parse(struct nlmsghdr *h, struct shim_event *ret, bool *ret_overrun)
{
	struct nlattr *a[HPSHIM_A_MAX + 1];

	if (genlmsg_parse(h, 0, a, HPSHIM_A_MAX, (struct nla_policy *)policy) < 0)
		return -EBADMSG;
	decode(a, ret);
	*ret_overrun = a[HPSHIM_A_OVERRUN];
	return 0;
}
