/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * slot.h - slots, and what may be done to them
 *
 * Lock contract. A slot is torn down by its driver's remove(), which runs under
 * pci_lock_rescan_remove(), the port's and the service's device_lock(). There,
 * nothing may wait for the controller process or for work that may want the
 * rescan lock or a device_lock (commit, adopt, release). Order, outermost first:
 *
 *	kernfs active reference of an attribute
 *	  pci_lock_rescan_remove()
 *	    device_lock(port), device_lock(service)
 *	      command mutex of the controller (pcie.c, shpc.c)
 *	        event mutex (event.c)
 *	          spinlocks
 *
 * So no show or store method takes the rescan lock; the commit attributes are
 * the exception and say why (commit.c). Error recovery takes device_locks under
 * pci_bus_sem; so under a device_lock nothing of ours takes that, but functions of
 * the core that native drivers call there as well: for slot objects and resets.
 * What a work item touches it holds by reference, and it looks at @dead under the
 * lock that protects what it wants to touch.
 */
#ifndef _HPSHIM_SLOT_H
#define _HPSHIM_SLOT_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/pci.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include "uapi/hpshim.h"

struct hps_event;
struct hps_legacy;
struct hps_slot;

/* The slot is all of the bus below the port. */
#define HPS_DEVICE_ALL	0xff

/**
 * struct hps_level - what the hardware says now
 * @status: HPSHIM_STATUS_* bits that come from hardware
 * @power_indicator: enum hpshim_indicator
 * @attention_indicator: enum hpshim_indicator
 */
struct hps_level {
	u32 status;
	u8 power_indicator;
	u8 attention_indicator;
};

/**
 * struct hps_slot_ops - what a kind of slot can do
 * @level: read the level state. Does not sleep. Returns whether it could be read;
 *	that of a dead slot cannot.
 * @power_on: power the slot and wait until its device answers. Sleeps, up to
 *	some seconds; holds the command mutex only for single steps; gives up
 *	when the slot dies or hps_slot_aborted().
 * @power_off: switch the power off and wait for the command. Called by way of
 *	hps_slot_power_off().
 * @indicators: set indicators; HPSHIM_INDICATOR_UNKNOWN leaves one as it is.
 * @raw_indicators: read, or with @set write, both indicators as they are in Slot
 *	Control, for slots with @user_indicators; or NULL.
 * @interlock: engage or disengage the electromechanical interlock; or NULL.
 * @reset: secondary bus reset without events; or NULL.
 * @recovered: the link has changed: was that error recovery, and is it up again?
 *	Waits until that is known. Or NULL.
 * @settled: an operation or a rescan is done, and about to be told. Does not wait. Or
 *	NULL.
 * @free: last reference is gone; free after an RCU grace period.
 *
 * All but @level return 0 or a negative errno, -ENODEV on a dead slot, and may
 * set @report to a literal that says more.
 */
struct hps_slot_ops {
	bool (*level)(struct hps_slot *slot, struct hps_level *level);
	int (*power_on)(struct hps_slot *slot, const char **report);
	int (*power_off)(struct hps_slot *slot, const char **report);
	int (*indicators)(struct hps_slot *slot, u8 power, u8 attention);
	int (*raw_indicators)(struct hps_slot *slot, bool set, u8 *value);
	int (*interlock)(struct hps_slot *slot, bool engage);
	int (*reset)(struct hps_slot *slot);
	bool (*recovered)(struct hps_slot *slot);
	void (*settled)(struct hps_slot *slot);
	void (*free)(struct hps_slot *slot);
};

/**
 * struct hps_forced - test build: what the hardware is said to show
 * @lock: protects the rest
 * @set: status bits that are set
 * @clear: status bits that are clear
 * @timeouts: number of commands whose completion gets lost
 * @card_changed: the card will be another one when it is looked at next
 */
struct hps_forced {
	spinlock_t lock;	/* see above */
	u32 set;
	u32 clear;
	u32 timeouts;
	bool card_changed;
};

/* Operations of a slot run in order within a lane, and beside the other lane. */
enum hps_lane_id {
	HPS_LANE_POWER,		/* may take seconds */
	HPS_LANE_CONTROL,	/* indicators and interlock, one command each */
	HPS_LANES
};

/**
 * struct hps_lane - queue of operations of a slot
 * @ops: struct hps_op, protected by the slot's @lock; the first one runs
 * @length: of @ops
 * @work: runs them; holds a reference to the slot while queued
 */
struct hps_lane {
	struct list_head ops;
	unsigned int length;
	struct work_struct work;
};

/**
 * struct hps_slot - a slot that we own or owned
 * @ref: references; the driver holds one until remove()
 * @rcu: frees it; legacy.c looks for it under RCU
 * @node: in the list of slots, in order of @id
 * @ops: what its kind can do
 * @port: port or bridge above the slot, referenced
 * @id: never used twice while the module is loaded
 * @generation: changes with each adoption
 * @kind: enum hpshim_kind
 * @caps: HPSHIM_CAP_* bits
 * @device: device number on the secondary bus, or HPS_DEVICE_ALL
 * @address: as the commit attributes take it
 * @name: in /sys/bus/pci/slots
 * @user_indicators: the indicators belong to user space, which writes them as
 *	they are in the register (Intel VMD)
 * @lock: protects @dead, @last, @replaced and what the hardware file says; taken
 *	from interrupts
 * @dead: the driver is going or gone: no access to the hardware. Set under the
 *	command mutex and @lock, read under either; never cleared.
 * @going: remove() waits for the command mutex: who has it before begins no more
 *	commands, so that it waits for one at most; never cleared
 * @last: level state as it was read last, which is told when it cannot be read
 * @gone: SLOT_GONE was sent; protected by the event mutex
 * @wait: woken when @dead is set, @abort is set, the last of @holds is let go, an
 *	operation is done or a legacy write is answered
 * @holds: commits and resets that are under way
 * @leaving: the slot is about to be given back: no more of them begin, and no power
 *	operation is accepted; set under @lock, never cleared
 * @pending: events seen and not yet sent, BIT(enum hpshim_event)
 * @seen_ns: when the first of @pending was seen
 * @presses: attention button presses since adoption
 * @presses_sent: of these, already sent; protected by the event mutex
 * @event_work: sends what is pending; holds a reference while queued
 * @lanes: operations, protected by @lock
 * @abort: a power-off, or who gives the slot back, waits for the running power-on to
 *	give up
 * @off_ns: when it was switched off last, 0: never
 * @off_by_request: the controller switched it off, and its card is still there
 * @class: class and revision as the card whose devices are there says them, 0: not
 *	known, as @serial then
 * @serial: its Device Serial Number, 0: none
 * @slept_present: there was a card when the machine went to sleep
 * @replaced: the card whose devices are there is not there any more, or lost all
 *	that it was told, though there is one; until its devices are gone
 * @legacy: our face towards the hotplug core
 * @forced: test build: what the hardware is said to show
 */
struct hps_slot {
	struct kref ref;
	struct rcu_head rcu;
	struct list_head node;
	const struct hps_slot_ops *ops;
	struct pci_dev *port;
	u32 id;
	u32 generation;
	u32 kind;
	u32 caps;
	u8 device;
	char address[HPSHIM_ADDRESS_MAX];
	char name[HPSHIM_NAME_MAX];

	bool user_indicators;

	spinlock_t lock;	/* see above */
	bool dead;
	bool going;
	bool gone;
	struct hps_level last;
	wait_queue_head_t wait;
	atomic_t holds;
	bool leaving;

	atomic_t pending;
	atomic64_t seen_ns;
	atomic64_t presses;
	u64 presses_sent;
	struct work_struct event_work;

	struct hps_lane lanes[HPS_LANES];
	bool abort;

	u64 off_ns;
	bool off_by_request;
	u32 class;
	u64 serial;
	bool slept_present;
	bool replaced;
	struct hps_legacy *legacy;
#ifdef HPSHIM_TEST_BUILD
	struct hps_forced forced;
#endif
};

/* slot.c */
int hps_slot_module_init(void);
void hps_slot_module_exit(void);
void hps_slot_init(struct hps_slot *slot, const struct hps_slot_ops *ops, struct pci_dev *port,
		   u8 device);
void hps_slot_add(struct hps_slot *slot);
void hps_slot_del(struct hps_slot *slot);
void hps_slot_put(struct hps_slot *slot);
struct hps_slot *hps_slot_get(u32 id);
struct hps_slot *hps_slot_get_after(u32 id);
struct hps_slot *hps_slot_get_by_address(const char *address);
struct hps_slot *hps_slot_get_by_device(struct pci_dev *pdev);
void hps_slot_kill(struct hps_slot *slot);
bool hps_slot_hold(struct hps_slot *slot);
void hps_slot_unhold(struct hps_slot *slot);
void hps_slot_leave(struct hps_slot *slot);
bool hps_slot_occupied(struct hps_slot *slot);
bool hps_slot_status(struct hps_slot *slot, struct hps_level *level);
bool hps_slot_in_reach(struct hps_slot *slot);
int hps_slot_power_off(struct hps_slot *slot, const char **report);
void hps_slot_describe(struct hps_slot *slot, struct hps_event *event);
bool hps_slot_holds(const struct hps_slot *slot, struct pci_dev *pdev);
void hps_slot_disconnect(struct hps_slot *slot);
void hps_slot_saw(struct hps_slot *slot, u32 events);
bool hps_slot_sleep(struct hps_slot *slot, unsigned int ms);
bool hps_slot_pause(struct hps_slot *slot, unsigned int ms);
bool hps_slot_aborted(struct hps_slot *slot);
bool hps_slot_queue_work(struct hps_slot *slot, struct work_struct *work,
			 struct workqueue_struct *wq);

/* inject.c, in test builds */
#ifdef HPSHIM_TEST_BUILD
void hps_inject_init_slot(struct hps_slot *slot);
void hps_inject_status(struct hps_slot *slot, struct hps_level *level);
void hps_inject_power_on(struct hps_slot *slot);
bool hps_inject_loses_command(struct hps_slot *slot);
bool hps_inject_card_changed(struct hps_slot *slot);
bool hps_inject_user_indicators(void);
int hps_inject(struct hps_slot *slot, u32 what, u32 count, u32 interval_us);
#else
static inline void hps_inject_init_slot(struct hps_slot *slot) { }
static inline void hps_inject_status(struct hps_slot *slot, struct hps_level *level) { }
static inline void hps_inject_power_on(struct hps_slot *slot) { }
static inline bool hps_inject_loses_command(struct hps_slot *slot) { return false; }
static inline bool hps_inject_card_changed(struct hps_slot *slot) { return false; }
static inline bool hps_inject_user_indicators(void) { return false; }
#endif

/* op.c */
void hps_op_init_slot(struct hps_slot *slot);
int hps_op_queue(struct hps_slot *slot, u8 cmd, u32 value, u64 cookie, bool has_cookie,
		 const char **why);
bool hps_op_power_busy(struct hps_slot *slot);

/* legacy.c */
void hps_legacy_number_all(u16 number);
int hps_legacy_reserve(struct pci_dev *port, const char *name);
void hps_legacy_unreserve(struct pci_dev *port);
int hps_legacy_init_slot(struct hps_slot *slot, struct pci_bus *bus, const char *name);
int hps_legacy_publish(struct hps_slot *slot);
void hps_legacy_unpublish(struct hps_slot *slot);
void hps_legacy_destroy(struct hps_slot *slot);
int hps_legacy_answer(u64 id, int error);
bool hps_legacy_give_up(struct hps_slot *slot);
void hps_legacy_resend(void);
void hps_legacy_exit(void);

/* card.c */
void hps_card_learn(struct hps_slot *slot);
void hps_card_appeared(struct pci_dev *pdev);
bool hps_card_check(struct hps_slot *slot, bool slept);
bool hps_card_check_config(struct hps_slot *slot);
void hps_card_asleep(struct hps_slot *slot);
void hps_card_awake(struct hps_slot *slot);

/* assign.c */
void hps_assign(struct hps_slot *slot);

/* commit.c */
extern const struct attribute_group *hps_commit_groups[];

/* main.c */
extern struct workqueue_struct *hps_event_wq;	/* sends events */
extern struct workqueue_struct *hps_wq;		/* operations, adoption, release */

#endif /* _HPSHIM_SLOT_H */
