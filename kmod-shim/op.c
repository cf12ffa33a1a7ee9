// SPDX-License-Identifier: GPL-2.0-only
/*
 * op.c - operations on slots: accepted at once, done in order, reported
 *
 * A slot has two lanes: power, which may take seconds, and control (indicators,
 * interlock). Within a lane operations run in the order of their acceptance.
 * Every accepted operation ends with an OP_DONE event, whatever becomes of the
 * slot meanwhile.
 */
#include <linux/slab.h>
#include "event.h"
#include "slot.h"

/* More than a sane controller has under way for one slot. */
#define HPS_LANE_LENGTH	32

/**
 * struct hps_op - an accepted operation
 * @node: in its lane
 * @cmd: HPSHIM_CMD_SET_*
 * @has_cookie: caller gave @cookie
 * @value: see the command
 * @cookie: goes into OP_DONE
 */
struct hps_op {
	struct list_head node;
	u8 cmd;
	bool has_cookie;
	u32 value;
	u64 cookie;
};

static int hps_op_power(struct hps_slot *slot, const struct hps_op *op, const char **report)
{
	int error;

	if (!op->value) {
		/* Who was to be aborted is through: lanes run one by one. */
		WRITE_ONCE(slot->abort, false);
		error = hps_slot_power_off(slot, report);
		if (!error)
			WRITE_ONCE(slot->off_by_request, true);
		return error;
	}
	WRITE_ONCE(slot->off_by_request, false);
	hps_inject_power_on(slot);
	error = hps_slot_aborted(slot) ? -ECANCELED : slot->ops->power_on(slot, report);
	if (error && hps_slot_aborted(slot)) {
		*report = READ_ONCE(slot->leaving) ? "slot is given back" :
						     "power-on was given up for a power-off";
		error = -ECANCELED;
	}
	return error;
}

static int hps_op_run(struct hps_slot *slot, const struct hps_op *op, const char **report)
{
	if (READ_ONCE(slot->dead))
		return -ENODEV;
	switch (op->cmd) {
	case HPSHIM_CMD_SET_POWER:
		return hps_op_power(slot, op, report);
	case HPSHIM_CMD_SET_POWER_INDICATOR:
		return slot->ops->indicators(slot, op->value, HPSHIM_INDICATOR_UNKNOWN);
	case HPSHIM_CMD_SET_ATTENTION_INDICATOR:
		return slot->ops->indicators(slot, HPSHIM_INDICATOR_UNKNOWN, op->value);
	case HPSHIM_CMD_SET_INTERLOCK:
		return slot->ops->interlock(slot, op->value);
	}
	return -EOPNOTSUPP;
}

static void hps_op_lane_work(struct hps_slot *slot, struct hps_lane *lane)
{
	struct hps_event done;
	struct hps_op *op;

	for (;;) {
		spin_lock_irq(&slot->lock);
		op = list_first_entry_or_null(&lane->ops, struct hps_op, node);
		spin_unlock_irq(&slot->lock);
		if (!op)
			break;

		done = (struct hps_event){
			.event = HPSHIM_EVENT_OP_DONE,
			.carries = HPS_CARRIES_ERRNO | HPS_CARRIES_VALUE |
				   (op->has_cookie ? HPS_CARRIES_COOKIE : 0),
			.cookie = op->cookie,
			.value = op->value,
		};
		done.error = hps_op_run(slot, op, &done.report);

		/* Off the lane first, so that the event does not say BUSY. */
		spin_lock_irq(&slot->lock);
		list_del(&op->node);
		lane->length--;
		spin_unlock_irq(&slot->lock);
		wake_up_all(&slot->wait);
		kfree(op);
		/* Before it is told: the answer may be a rescan, which writes windows. */
		if (slot->ops->settled)
			slot->ops->settled(slot);
		hps_event_send(slot, &done);
	}
	hps_slot_put(slot);
}

static void hps_op_power_work(struct work_struct *work)
{
	struct hps_slot *slot = container_of(work, struct hps_slot, lanes[HPS_LANE_POWER].work);

	hps_op_lane_work(slot, &slot->lanes[HPS_LANE_POWER]);
}

static void hps_op_control_work(struct work_struct *work)
{
	struct hps_slot *slot = container_of(work, struct hps_slot, lanes[HPS_LANE_CONTROL].work);

	hps_op_lane_work(slot, &slot->lanes[HPS_LANE_CONTROL]);
}

void hps_op_init_slot(struct hps_slot *slot)
{
	int i;

	for (i = 0; i < HPS_LANES; i++)
		INIT_LIST_HEAD(&slot->lanes[i].ops);
	INIT_WORK(&slot->lanes[HPS_LANE_POWER].work, hps_op_power_work);
	INIT_WORK(&slot->lanes[HPS_LANE_CONTROL].work, hps_op_control_work);
}

/* Is a power operation accepted and not yet done? */
bool hps_op_power_busy(struct hps_slot *slot)
{
	return READ_ONCE(slot->lanes[HPS_LANE_POWER].length);
}

/*
 * Accepts an operation. A power-on is refused while another power operation is
 * under way; a power-off makes a running power-on give up. On failure, @why is
 * a sentence for the caller.
 */
int hps_op_queue(struct hps_slot *slot, u8 cmd, u32 value, u64 cookie, bool has_cookie,
		 const char **why)
{
	enum hps_lane_id id = cmd == HPSHIM_CMD_SET_POWER ? HPS_LANE_POWER : HPS_LANE_CONTROL;
	struct hps_lane *lane = &slot->lanes[id];
	struct hps_op *op;
	int error = 0;

	op = kzalloc(sizeof(*op), GFP_KERNEL_ACCOUNT);
	if (!op)
		return -ENOMEM;
	op->cmd = cmd;
	op->value = value;
	op->cookie = cookie;
	op->has_cookie = has_cookie;

	spin_lock_irq(&slot->lock);
	if (slot->dead) {
		*why = "slot is gone";
		error = -ENODEV;
	} else if (id == HPS_LANE_POWER && slot->leaving) {
		*why = "slot is about to be given back";
		error = -EBUSY;
	} else if (id == HPS_LANE_POWER && value && lane->length) {
		*why = "a power operation is under way";
		error = -EBUSY;
	} else if (lane->length >= HPS_LANE_LENGTH) {
		*why = "too many operations are under way";
		error = -EBUSY;
	} else {
		if (id == HPS_LANE_POWER && lane->length)
			WRITE_ONCE(slot->abort, true);
		list_add_tail(&op->node, &lane->ops);
		lane->length++;
	}
	spin_unlock_irq(&slot->lock);

	if (error) {
		kfree(op);
		return error;
	}
	wake_up_all(&slot->wait);
	hps_slot_queue_work(slot, &lane->work, hps_wq);
	return 0;
}
