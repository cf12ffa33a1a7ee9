// SPDX-License-Identifier: GPL-2.0-only
/*
 * genl.c - the generic netlink family: policies, commands, messages
 *
 * A command is validated and queued. Nothing in here may wait for hardware, for
 * work, or take a lock of the PCI core: commands run under genetlink's lock,
 * which a driver that registers a family of its own in its probe() wants under
 * the rescan lock.
 */
#include <linux/netlink.h>
#include <net/genetlink.h>
#include "compat.h"
#include "event.h"
#include "port.h"
#include "slot.h"

/* Not const: 6.1 has no const in struct nla_policy. */
static struct netlink_range_validation hps_grace_range = { .max = 600000 };
static struct netlink_range_validation hps_count_range = { .min = 1, .max = 1000000 };
static struct netlink_range_validation hps_interval_range = { .max = 60000000 };

static const struct nla_policy hps_slot_get_policy[] = {
	[HPSHIM_A_SLOT] = NLA_POLICY_MIN(NLA_U32, 1),
	[HPSHIM_A_GENERATION] = { .type = NLA_U32 },
};

static const struct nla_policy hps_controller_set_policy[] = {
	[HPSHIM_A_GRACE_MS] = NLA_POLICY_FULL_RANGE(NLA_U32, &hps_grace_range),
};

static const struct nla_policy hps_port_policy[] = {
	[HPSHIM_A_PORT] = { .type = NLA_NUL_STRING, .len = HPSHIM_ADDRESS_MAX - 1 },
	[HPSHIM_A_COOKIE] = { .type = NLA_U64 },
};

static const struct nla_policy hps_set_switch_policy[] = {
	[HPSHIM_A_SLOT] = NLA_POLICY_MIN(NLA_U32, 1),
	[HPSHIM_A_GENERATION] = { .type = NLA_U32 },
	[HPSHIM_A_VALUE] = NLA_POLICY_MAX(NLA_U32, 1),
	[HPSHIM_A_COOKIE] = { .type = NLA_U64 },
};

static const struct nla_policy hps_set_indicator_policy[] = {
	[HPSHIM_A_SLOT] = NLA_POLICY_MIN(NLA_U32, 1),
	[HPSHIM_A_GENERATION] = { .type = NLA_U32 },
	[HPSHIM_A_VALUE] = NLA_POLICY_RANGE(NLA_U32, HPSHIM_INDICATOR_ON, HPSHIM_INDICATOR_OFF),
	[HPSHIM_A_COOKIE] = { .type = NLA_U64 },
};

static const struct nla_policy hps_answer_policy[] = {
	[HPSHIM_A_REQUEST] = { .type = NLA_U64 },
	/* Those beyond are the kernel's own, and mean something to a system call. */
	[HPSHIM_A_ERRNO] = NLA_POLICY_RANGE(NLA_S32, -EHWPOISON, 0),
};

static const struct nla_policy hps_replay_policy[] = {
	[HPSHIM_A_SEQ] = { .type = NLA_U64 },
};

static const struct nla_policy hps_inject_policy[] = {
	[HPSHIM_A_SLOT] = NLA_POLICY_MIN(NLA_U32, 1),
	[HPSHIM_A_GENERATION] = { .type = NLA_U32 },
	[HPSHIM_A_INJECT] = NLA_POLICY_RANGE(NLA_U32, HPSHIM_INJECT_BUTTON,
					     HPSHIM_INJECT_CARD_CHANGED),
	[HPSHIM_A_COUNT] = NLA_POLICY_FULL_RANGE(NLA_U32, &hps_count_range),
	[HPSHIM_A_INTERVAL_US] = NLA_POLICY_FULL_RANGE(NLA_U32, &hps_interval_range),
};

static struct genl_family hps_family;

static int hps_genl_put_string(struct sk_buff *skb, int type, const char *string)
{
	return string[0] ? nla_put_string(skb, type, string) : 0;
}

static int hps_genl_put_u64(struct sk_buff *skb, int type, u64 value)
{
	return nla_put_u64_64bit(skb, type, value, HPSHIM_A_PAD);
}

static int hps_genl_put_slot(struct sk_buff *skb, const struct hps_event *event)
{
	if (nla_put_u32(skb, HPSHIM_A_SLOT, event->slot) ||
	    nla_put_u32(skb, HPSHIM_A_GENERATION, event->generation) ||
	    nla_put_u32(skb, HPSHIM_A_KIND, event->kind) ||
	    nla_put_u32(skb, HPSHIM_A_CAPS, event->caps) ||
	    nla_put_u32(skb, HPSHIM_A_STATUS, event->status) ||
	    nla_put_u32(skb, HPSHIM_A_POWER_INDICATOR, event->power_indicator) ||
	    nla_put_u32(skb, HPSHIM_A_ATTENTION_INDICATOR, event->attention_indicator) ||
	    hps_genl_put_u64(skb, HPSHIM_A_PRESSES, event->presses) ||
	    hps_genl_put_string(skb, HPSHIM_A_ADDRESS, event->address) ||
	    hps_genl_put_string(skb, HPSHIM_A_NAME, event->name))
		return -EMSGSIZE;
	return 0;
}

static int hps_genl_put_rest(struct sk_buff *skb, const struct hps_event *event)
{
	const u32 carries = event->carries;

	if (hps_genl_put_u64(skb, HPSHIM_A_SEQ, event->seq) ||
	    hps_genl_put_string(skb, HPSHIM_A_PORT, event->port) ||
	    (event->event && nla_put_u32(skb, HPSHIM_A_EVENT, event->event)) ||
	    (event->event && hps_genl_put_u64(skb, HPSHIM_A_TIME_NS, event->time_ns)) ||
	    (carries & HPS_CARRIES_COOKIE &&
	     hps_genl_put_u64(skb, HPSHIM_A_COOKIE, event->cookie)) ||
	    (carries & HPS_CARRIES_ERRNO && nla_put_s32(skb, HPSHIM_A_ERRNO, event->error)) ||
	    (carries & HPS_CARRIES_VALUE && nla_put_u32(skb, HPSHIM_A_VALUE, event->value)) ||
	    (carries & HPS_CARRIES_REQUEST &&
	     hps_genl_put_u64(skb, HPSHIM_A_REQUEST, event->request)) ||
	    (carries & HPS_CARRIES_OVERRUN && nla_put_flag(skb, HPSHIM_A_OVERRUN)) ||
	    (event->report && nla_put_string(skb, HPSHIM_A_REPORT, event->report)))
		return -EMSGSIZE;
	return 0;
}

static int hps_genl_put(struct sk_buff *skb, u32 portid, u32 seq, int flags, u8 cmd,
			const struct hps_event *event)
{
	void *header = genlmsg_put(skb, portid, seq, &hps_family, flags, cmd);

	if (!header)
		return -EMSGSIZE;
	if ((event->carries & HPS_CARRIES_SLOT && hps_genl_put_slot(skb, event)) ||
	    hps_genl_put_rest(skb, event)) {
		genlmsg_cancel(skb, header);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, header);
	return 0;
}

/*
 * Sends an event to the group. What cannot be sent is in the ring, and the socket's
 * error or the gap in the numbers shows.
 */
void hps_genl_multicast(const struct hps_event *event)
{
	struct sk_buff *skb;

	if (!genl_has_listeners(&hps_family, &init_net, 0))
		return;
	skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!skb) {
		genl_set_err(&hps_family, &init_net, 0, 0, -ENOBUFS);
		return;
	}
	if (hps_genl_put(skb, 0, 0, 0, HPSHIM_CMD_EVENT, event)) {
		WARN_ON_ONCE(1);
		nlmsg_free(skb);
		return;
	}
	genlmsg_multicast(&hps_family, skb, 0, 0, GFP_KERNEL);
}

static int hps_genl_error(struct genl_info *info, const char *why, int error)
{
	if (info->extack && why)
		info->extack->_msg = why;
	return error;
}

static int hps_genl_controller_only(struct genl_info *info)
{
	if (hps_controller_is(info->snd_portid))
		return 0;
	return hps_genl_error(info, "this socket is not the controller", -EPERM);
}

/* The slot that the command means, with a reference, or an error. */
static struct hps_slot *hps_genl_slot(struct genl_info *info)
{
	struct nlattr *generation = info->attrs[HPSHIM_A_GENERATION];
	struct hps_slot *slot;

	if (GENL_REQ_ATTR_CHECK(info, HPSHIM_A_SLOT))
		return ERR_PTR(-EINVAL);
	slot = hps_slot_get(nla_get_u32(info->attrs[HPSHIM_A_SLOT]));
	if (!slot)
		return ERR_PTR(hps_genl_error(info, "no such slot", -ENODEV));
	if (generation && nla_get_u32(generation) != slot->generation) {
		hps_slot_put(slot);
		return ERR_PTR(hps_genl_error(info, "slot was adopted anew", -ESTALE));
	}
	return slot;
}

static void hps_genl_answer_slot(struct hps_slot *slot, struct hps_event *answer)
{
	*answer = (struct hps_event){ .seq = hps_event_seq() };
	hps_slot_describe(slot, answer);
}

static int hps_genl_slot_get(struct sk_buff *skb, struct genl_info *info)
{
	struct hps_slot *slot = hps_genl_slot(info);
	struct hps_event answer;
	struct sk_buff *reply;

	if (IS_ERR(slot))
		return PTR_ERR(slot);
	hps_genl_answer_slot(slot, &answer);
	hps_slot_put(slot);

	reply = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!reply)
		return -ENOMEM;
	if (hps_genl_put(reply, info->snd_portid, info->snd_seq, 0, HPSHIM_CMD_SLOT_GET,
			 &answer)) {
		nlmsg_free(reply);
		return -EMSGSIZE;
	}
	return genlmsg_reply(reply, info);
}

/* cb->args[0] is the identifier of the last slot that was put. */
static int hps_genl_slot_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct hps_event answer;
	struct hps_slot *slot;
	int error = 0;

	while (!error && (slot = hps_slot_get_after(cb->args[0]))) {
		hps_genl_answer_slot(slot, &answer);
		error = hps_genl_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
				     NLM_F_MULTI, HPSHIM_CMD_SLOT_GET, &answer);
		if (!error)
			cb->args[0] = slot->id;
		hps_slot_put(slot);
	}
	return skb->len;
}

static int hps_genl_controller_set(struct sk_buff *skb, struct genl_info *info)
{
	if (GENL_REQ_ATTR_CHECK(info, HPSHIM_A_GRACE_MS))
		return -EINVAL;
	return hps_controller_set(info->snd_portid, nla_get_u32(info->attrs[HPSHIM_A_GRACE_MS]),
				  info->extack);
}

static int hps_genl_controller_clear(struct sk_buff *skb, struct genl_info *info)
{
	int error = hps_genl_controller_only(info);

	if (!error)
		hps_controller_clear();
	return error;
}

static int hps_genl_heartbeat(struct sk_buff *skb, struct genl_info *info)
{
	int error = hps_genl_controller_only(info);

	if (!error)
		hps_controller_heartbeat();
	return error;
}

static u64 hps_genl_cookie(struct genl_info *info, bool *has_cookie)
{
	struct nlattr *cookie = info->attrs[HPSHIM_A_COOKIE];

	*has_cookie = cookie;
	return cookie ? nla_get_u64(cookie) : 0;
}

static int hps_genl_port(struct sk_buff *skb, struct genl_info *info)
{
	int error = hps_genl_controller_only(info);
	bool has_cookie;
	u64 cookie;

	if (error)
		return error;
	if (GENL_REQ_ATTR_CHECK(info, HPSHIM_A_PORT))
		return -EINVAL;
	cookie = hps_genl_cookie(info, &has_cookie);
	return hps_port_queue(nla_data(info->attrs[HPSHIM_A_PORT]), info->genlhdr->cmd, cookie,
			      has_cookie, info->extack);
}

/* Whether the slot has what the command is about. */
static int hps_genl_check_caps(struct genl_info *info, const struct hps_slot *slot)
{
	u32 needs = 0;

	switch (info->genlhdr->cmd) {
	case HPSHIM_CMD_SET_POWER_INDICATOR:
		needs = HPSHIM_CAP_POWER_INDICATOR;
		break;
	case HPSHIM_CMD_SET_ATTENTION_INDICATOR:
		needs = HPSHIM_CAP_ATTENTION_INDICATOR;
		break;
	case HPSHIM_CMD_SET_INTERLOCK:
		needs = HPSHIM_CAP_INTERLOCK;
		break;
	}
	if (needs & ~slot->caps)
		return hps_genl_error(info, "slot does not have that", -EOPNOTSUPP);
	return 0;
}

static int hps_genl_set(struct sk_buff *skb, struct genl_info *info)
{
	int error = hps_genl_controller_only(info);
	const char *why = NULL;
	struct hps_slot *slot;
	bool has_cookie;
	u64 cookie;

	if (error)
		return error;
	if (GENL_REQ_ATTR_CHECK(info, HPSHIM_A_VALUE))
		return -EINVAL;
	slot = hps_genl_slot(info);
	if (IS_ERR(slot))
		return PTR_ERR(slot);

	cookie = hps_genl_cookie(info, &has_cookie);
	error = hps_genl_check_caps(info, slot);
	if (!error)
		error = hps_op_queue(slot, info->genlhdr->cmd,
				     nla_get_u32(info->attrs[HPSHIM_A_VALUE]), cookie,
				     has_cookie, &why);
	hps_slot_put(slot);
	return hps_genl_error(info, why, error);
}

static int hps_genl_answer(struct sk_buff *skb, struct genl_info *info)
{
	int error = hps_genl_controller_only(info);

	if (error)
		return error;
	if (GENL_REQ_ATTR_CHECK(info, HPSHIM_A_REQUEST) ||
	    GENL_REQ_ATTR_CHECK(info, HPSHIM_A_ERRNO))
		return -EINVAL;
	error = hps_legacy_answer(nla_get_u64(info->attrs[HPSHIM_A_REQUEST]),
				  nla_get_s32(info->attrs[HPSHIM_A_ERRNO]));
	return hps_genl_error(info, error ? "nobody waits for this answer" : NULL, error);
}

/* cb->ctx is the number of the last event that was put. */
static int hps_genl_replay_start(struct netlink_callback *cb)
{
	struct nlattr **attrs = hps_dump_attrs(cb);
	u64 *after = (u64 *)cb->ctx;

	BUILD_BUG_ON(sizeof(*after) > sizeof(cb->ctx));
	if (NL_REQ_ATTR_CHECK(cb->extack, NULL, attrs, HPSHIM_A_SEQ))
		return -EINVAL;
	*after = nla_get_u64(attrs[HPSHIM_A_SEQ]);
	return 0;
}

static int hps_genl_replay(struct sk_buff *skb, struct netlink_callback *cb)
{
	u64 *after = (u64 *)cb->ctx;
	struct hps_event event;

	for (;;) {
		u64 next = *after;

		if (!hps_event_replay(&next, &event) ||
		    hps_genl_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
				 NLM_F_MULTI, HPSHIM_CMD_EVENT, &event))
			break;
		*after = next;
	}
	return skb->len;
}

#ifdef HPSHIM_TEST_BUILD
/* For the hand of a test, beside the controller: from any socket. */
static int hps_genl_inject(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *count = info->attrs[HPSHIM_A_COUNT];
	struct nlattr *interval = info->attrs[HPSHIM_A_INTERVAL_US];
	struct hps_slot *slot;
	int error;

	if (GENL_REQ_ATTR_CHECK(info, HPSHIM_A_INJECT))
		return -EINVAL;
	slot = hps_genl_slot(info);
	if (IS_ERR(slot))
		return PTR_ERR(slot);
	error = hps_inject(slot, nla_get_u32(info->attrs[HPSHIM_A_INJECT]),
			   count ? nla_get_u32(count) : 1, interval ? nla_get_u32(interval) : 0);
	hps_slot_put(slot);
	return error;
}
#else
static int hps_genl_inject(struct sk_buff *skb, struct genl_info *info)
{
	return hps_genl_error(info, "not a test build", -EOPNOTSUPP);
}
#endif

static const struct genl_ops hps_genl_ops[] = {
	{
		.cmd = HPSHIM_CMD_SLOT_GET,
		.flags = GENL_ADMIN_PERM,
		.doit = hps_genl_slot_get,
		.dumpit = hps_genl_slot_dump,
		.policy = hps_slot_get_policy,
		.maxattr = ARRAY_SIZE(hps_slot_get_policy) - 1,
	},
	{
		.cmd = HPSHIM_CMD_CONTROLLER_SET,
		.flags = GENL_ADMIN_PERM,
		.doit = hps_genl_controller_set,
		.policy = hps_controller_set_policy,
		.maxattr = ARRAY_SIZE(hps_controller_set_policy) - 1,
	},
	{
		.cmd = HPSHIM_CMD_CONTROLLER_CLEAR,
		.flags = GENL_ADMIN_PERM,
		.doit = hps_genl_controller_clear,
	},
	{
		.cmd = HPSHIM_CMD_HEARTBEAT,
		.flags = GENL_ADMIN_PERM,
		.doit = hps_genl_heartbeat,
	},
	{
		.cmd = HPSHIM_CMD_PORT_ADOPT,
		.flags = GENL_ADMIN_PERM,
		.doit = hps_genl_port,
		.policy = hps_port_policy,
		.maxattr = ARRAY_SIZE(hps_port_policy) - 1,
	},
	{
		.cmd = HPSHIM_CMD_PORT_RELEASE,
		.flags = GENL_ADMIN_PERM,
		.doit = hps_genl_port,
		.policy = hps_port_policy,
		.maxattr = ARRAY_SIZE(hps_port_policy) - 1,
	},
	{
		.cmd = HPSHIM_CMD_SET_POWER,
		.flags = GENL_ADMIN_PERM,
		.doit = hps_genl_set,
		.policy = hps_set_switch_policy,
		.maxattr = ARRAY_SIZE(hps_set_switch_policy) - 1,
	},
	{
		.cmd = HPSHIM_CMD_SET_POWER_INDICATOR,
		.flags = GENL_ADMIN_PERM,
		.doit = hps_genl_set,
		.policy = hps_set_indicator_policy,
		.maxattr = ARRAY_SIZE(hps_set_indicator_policy) - 1,
	},
	{
		.cmd = HPSHIM_CMD_SET_ATTENTION_INDICATOR,
		.flags = GENL_ADMIN_PERM,
		.doit = hps_genl_set,
		.policy = hps_set_indicator_policy,
		.maxattr = ARRAY_SIZE(hps_set_indicator_policy) - 1,
	},
	{
		.cmd = HPSHIM_CMD_SET_INTERLOCK,
		.flags = GENL_ADMIN_PERM,
		.doit = hps_genl_set,
		.policy = hps_set_switch_policy,
		.maxattr = ARRAY_SIZE(hps_set_switch_policy) - 1,
	},
	{
		.cmd = HPSHIM_CMD_REQUEST_ANSWER,
		.flags = GENL_ADMIN_PERM,
		.doit = hps_genl_answer,
		.policy = hps_answer_policy,
		.maxattr = ARRAY_SIZE(hps_answer_policy) - 1,
	},
	{
		.cmd = HPSHIM_CMD_EVENT_REPLAY,
		.flags = GENL_ADMIN_PERM,
		.start = hps_genl_replay_start,
		.dumpit = hps_genl_replay,
		.policy = hps_replay_policy,
		.maxattr = ARRAY_SIZE(hps_replay_policy) - 1,
	},
	{
		.cmd = HPSHIM_CMD_INJECT,
		.flags = GENL_ADMIN_PERM,
		.doit = hps_genl_inject,
		.policy = hps_inject_policy,
		.maxattr = ARRAY_SIZE(hps_inject_policy) - 1,
	},
};

static const struct genl_multicast_group hps_genl_groups[] = {
	{ .name = HPSHIM_MCGRP_EVENTS, .flags = GENL_MCAST_CAP_NET_ADMIN },
};

static struct genl_family hps_family __ro_after_init = {
	.name = HPSHIM_GENL_NAME,
	.version = HPSHIM_GENL_VERSION,
	.module = THIS_MODULE,
	.parallel_ops = true,
	.ops = hps_genl_ops,
	.n_ops = ARRAY_SIZE(hps_genl_ops),
	.mcgrps = hps_genl_groups,
	.n_mcgrps = ARRAY_SIZE(hps_genl_groups),
};

/* As the first thing of a message's way: drivers and commands need the family. */
int hps_genl_init(void)
{
	return genl_register_family(&hps_family);
}

void hps_genl_exit(void)
{
	genl_unregister_family(&hps_family);
}
