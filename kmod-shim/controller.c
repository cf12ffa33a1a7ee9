// SPDX-License-Identifier: GPL-2.0-only
/*
 * controller.c - the one process that drives the slots, and what if it is gone
 *
 * A controller is a netlink socket. When it is closed, whoever closed it, the
 * slots stay ours for the grace time and then go back to their native drivers.
 * Netlink tells of a closed socket in a notifier, where work is only queued.
 */
#include <linux/jiffies.h>
#include <linux/netlink.h>
#include <linux/notifier.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <net/net_namespace.h>
#include "port.h"
#include "slot.h"

/* A controller that has sent one heartbeat is dead after this long without. */
#define HPS_HEARTBEAT	(30 * HZ)

/* All of the following; taken before the lock of the list of ports. */
static DEFINE_SPINLOCK(hps_controller_lock);
static u32 hps_portid;				/* 0: no controller */
static struct pid *hps_tgid;			/* process that became controller */
static unsigned int hps_grace_ms;
static bool hps_heartbeats;
static unsigned long hps_last_heartbeat;
static bool hps_closed;				/* the module is on its way out */

static void hps_controller_grace_over(struct work_struct *work)
{
	/* Under the lock, or a controller that comes at this moment would lose its slots. */
	spin_lock(&hps_controller_lock);
	if (!hps_portid) {
		pr_info("hpshim: no controller: slots go back to their native drivers\n");
		hps_port_release_all(false);
	}
	spin_unlock(&hps_controller_lock);
}

static DECLARE_DELAYED_WORK(hps_grace_work, hps_controller_grace_over);

bool hps_controller_is(u32 portid)
{
	return portid && READ_ONCE(hps_portid) == portid;
}

/* Is the running process the controller? */
bool hps_controller_is_current(void)
{
	bool is;

	spin_lock(&hps_controller_lock);
	is = hps_portid && hps_tgid == task_tgid(current);
	spin_unlock(&hps_controller_lock);
	return is;
}

/* Is there one, and does it show signs of life? */
bool hps_controller_alive(void)
{
	bool alive;

	spin_lock(&hps_controller_lock);
	alive = hps_portid && (!hps_heartbeats ||
			       time_before(jiffies, hps_last_heartbeat + HPS_HEARTBEAT));
	spin_unlock(&hps_controller_lock);
	return alive;
}

/* Is there one, or may one come back in time? */
bool hps_controller_expected(void)
{
	bool expected;

	spin_lock(&hps_controller_lock);
	expected = hps_portid || delayed_work_pending(&hps_grace_work);
	spin_unlock(&hps_controller_lock);
	return expected;
}

int hps_controller_set(u32 portid, u32 grace_ms, struct netlink_ext_ack *extack)
{
	struct pid *old;

	spin_lock(&hps_controller_lock);
	if (hps_closed) {
		spin_unlock(&hps_controller_lock);
		NL_SET_ERR_MSG(extack, "hpshim is being unloaded");
		return -ESHUTDOWN;
	}
	if (hps_portid && hps_portid != portid) {
		spin_unlock(&hps_controller_lock);
		NL_SET_ERR_MSG(extack, "there is a controller already");
		return -EBUSY;
	}
	hps_portid = portid;
	hps_grace_ms = grace_ms;
	hps_heartbeats = false;
	old = hps_tgid;
	hps_tgid = get_pid(task_tgid(current));
	/* Under the lock, or a close at this moment would be undone. */
	cancel_delayed_work(&hps_grace_work);
	spin_unlock(&hps_controller_lock);
	put_pid(old);

	/* Writers that its predecessor left without an answer. */
	hps_legacy_resend();
	return 0;
}

void hps_controller_heartbeat(void)
{
	spin_lock(&hps_controller_lock);
	hps_heartbeats = true;
	hps_last_heartbeat = jiffies;
	spin_unlock(&hps_controller_lock);
}

static void hps_controller_drop(void)
{
	struct pid *old = hps_tgid;

	lockdep_assert_held(&hps_controller_lock);
	hps_portid = 0;
	hps_tgid = NULL;
	put_pid(old);
}

/* The controller resigns: no grace. */
void hps_controller_clear(void)
{
	spin_lock(&hps_controller_lock);
	hps_controller_drop();
	cancel_delayed_work(&hps_grace_work);
	hps_port_release_all(false);
	spin_unlock(&hps_controller_lock);
}

/* The module is being unloaded: nobody is controller any more, nor becomes it. */
void hps_controller_close(void)
{
	spin_lock(&hps_controller_lock);
	hps_closed = true;
	spin_unlock(&hps_controller_lock);
	hps_controller_clear();
	hps_port_release_all(true);
}

static int hps_controller_netlink(struct notifier_block *nb, unsigned long event, void *data)
{
	struct netlink_notify *notify = data;

	if (event != NETLINK_URELEASE || notify->protocol != NETLINK_GENERIC ||
	    !net_eq(notify->net, &init_net))
		return NOTIFY_DONE;

	spin_lock(&hps_controller_lock);
	if (hps_portid && hps_portid == notify->portid) {
		pr_info("hpshim: controller is gone, waiting %u ms for the next\n", hps_grace_ms);
		hps_controller_drop();
		mod_delayed_work(hps_wq, &hps_grace_work, msecs_to_jiffies(hps_grace_ms));
	}
	spin_unlock(&hps_controller_lock);
	return NOTIFY_DONE;
}

static struct notifier_block hps_controller_notifier = {
	.notifier_call = hps_controller_netlink,
};

int hps_controller_init(void)
{
	return netlink_register_notifier(&hps_controller_notifier);
}

/* After hps_controller_close(). */
void hps_controller_exit(void)
{
	netlink_unregister_notifier(&hps_controller_notifier);
	cancel_delayed_work_sync(&hps_grace_work);
}
