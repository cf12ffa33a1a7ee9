/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * shpc.h - a bridge's Standard Hot-Plug Controller (SHPC specification 1.0)
 */
#ifndef _HPSHIM_SHPC_H
#define _HPSHIM_SHPC_H

#include <linux/bits.h>
#include <linux/io.h>
#include <linux/mutex.h>
#include "slot.h"

#define HPS_SHPC_SLOTS	31

#define HPS_SHPC_SETTLE_MS	1000	/* after a slot was enabled: no request before that */

/* Working register set. */
#define SHPC_BASE_OFFSET	0x00
#define SHPC_SLOTS_AVAILABLE_1	0x04
#define SHPC_SLOTS_AVAILABLE_2	0x08
#define SHPC_SLOT_CONFIG	0x0c
#define SHPC_BUS_CONFIG		0x10	/* 16 bits */
#define SHPC_INTERFACE		0x13	/* 8 bits */
#define SHPC_COMMAND		0x14	/* 16 bits */
#define SHPC_COMMAND_STATUS	0x16	/* 16 bits */
#define SHPC_INTERRUPTS		0x18
#define SHPC_SERR_INT		0x20
#define SHPC_SLOT(index)	(0x24 + 4 * (index))

/* Slot configuration. */
#define SHPC_CONFIG_SLOTS	GENMASK(4, 0)
#define SHPC_CONFIG_FIRST	GENMASK(12, 8)
#define SHPC_CONFIG_NUMBER	GENMASK(26, 16)
#define SHPC_CONFIG_UP		BIT(29)
#define SHPC_CONFIG_LATCH	BIT(30)
#define SHPC_CONFIG_BUTTON	BIT(31)

/* Command status. */
#define SHPC_STATUS_BUSY	BIT(0)
#define SHPC_STATUS_ERROR	GENMASK(3, 1)
#define SHPC_ERROR_LATCH	1
#define SHPC_ERROR_COMMAND	2
#define SHPC_ERROR_SPEED	4

/* Interrupt locator. */
#define SHPC_INTERRUPT_COMMAND	BIT(0)
#define SHPC_INTERRUPT_SLOT(index) BIT((index) + 1)

/* Controller SERR-INT: masks, and detected bits that are cleared by writing them. */
#define SHPC_MASK_INTERRUPTS	BIT(0)
#define SHPC_MASK_SERR		BIT(1)
#define SHPC_MASK_COMMAND	BIT(2)
#define SHPC_MASK_ARBITER	BIT(3)
#define SHPC_DETECTED		GENMASK(17, 16)
#define SHPC_SERR_INT_RESERVED	GENMASK(31, 18)

/* Logical slot register. */
#define SHPC_SLOT_STATE		GENMASK(1, 0)
#define SHPC_STATE_POWER_ONLY	1
#define SHPC_STATE_ENABLED	2
#define SHPC_STATE_DISABLED	3
#define SHPC_SLOT_PIC		GENMASK(3, 2)
#define SHPC_SLOT_AIC		GENMASK(5, 4)
#define SHPC_SLOT_NO_FAULT	BIT(6)
#define SHPC_SLOT_LATCH_OPEN	BIT(8)
#define SHPC_SLOT_66MHZ		BIT(9)
#define SHPC_SLOT_PRSNT		GENMASK(11, 10)
#define SHPC_PRSNT_EMPTY	3
#define SHPC_SLOT_PCIX_1	GENMASK(13, 12)	/* programming interface 1 */
#define SHPC_SLOT_PCIX_2	GENMASK(14, 12)	/* programming interface 2 */
#define SHPC_SLOT_SAW_PRESENCE	BIT(16)
#define SHPC_SLOT_SAW_ISO_FAULT	BIT(17)
#define SHPC_SLOT_SAW_BUTTON	BIT(18)
#define SHPC_SLOT_SAW_LATCH	BIT(19)
#define SHPC_SLOT_SAW_FAULT	BIT(20)
#define SHPC_SLOT_SAW		GENMASK(20, 16)
#define SHPC_SLOT_MASKS		GENMASK(28, 24)	/* interrupts */
#define SHPC_SLOT_SERR_MASKS	GENMASK(30, 29)
#define SHPC_SLOT_RESERVED	(BIT(15) | GENMASK(23, 21))

/* Slot operation command: state, indicators; zero means: as it is. */
#define SHPC_CMD_POWER_ONLY	SHPC_STATE_POWER_ONLY
#define SHPC_CMD_ENABLE		SHPC_STATE_ENABLED
#define SHPC_CMD_DISABLE	SHPC_STATE_DISABLED
#define SHPC_CMD_PIC		GENMASK(3, 2)
#define SHPC_CMD_AIC		GENMASK(5, 4)
#define SHPC_CMD_SPEED_A	0x40
#define SHPC_CMD_SPEED_B	0x50

/**
 * struct hps_shpc - a controller and its slots
 * @ref: the driver's and one of each slot
 * @bridge: its bridge; referenced by each slot
 * @regs: working register set, mapped while not @dead
 * @base: physical address of @regs
 * @size: of @regs
 * @irq: -1: polled
 * @interface: programming interface, 1 or 2
 * @slots: how many
 * @first: device number of the first one
 * @lock: protects @dead, @regs and read-modify-write of registers; taken from
 *	interrupts
 * @dead: set under @command and @lock
 * @going: as in struct hps_slot
 * @command: one command at a time; held over that command only
 * @speed: held from the choice of the bus speed until the slot is on the bus;
 *	outside of @command, never taken by remove()
 * @queue: woken by command completion
 * @poll_work: looks at the registers when there is no interrupt
 * @errata: saved register of a bridge that needs it
 * @asleep: interrupts are off: commands are polled
 * @saved_bus: bus configuration when the machine went to sleep
 * @slot: by index; for the driver only, which holds them
 */
struct hps_shpc {
	struct kref ref;
	struct pci_dev *bridge;
	void __iomem *regs;
	resource_size_t base;
	resource_size_t size;
	int irq;
	u8 interface;
	u8 slots;
	u8 first;
	spinlock_t lock;	/* see above */
	bool dead;
	bool going;
	struct mutex command;	/* see above */
	struct mutex speed;	/* see above */
	wait_queue_head_t queue;
	struct delayed_work poll_work;
	u32 errata;
	bool asleep;
	u16 saved_bus;
	struct hps_shpc_slot *slot[HPS_SHPC_SLOTS];
};

/**
 * struct hps_shpc_slot - one of its slots
 * @slot: the slot
 * @shpc: the controller, referenced
 * @index: from 0
 * @published: has files
 * @fault: power fault latched until next power-on
 * @saved: its register when the machine went to sleep
 */
struct hps_shpc_slot {
	struct hps_slot slot;
	struct hps_shpc *shpc;
	u8 index;
	bool published;
	bool fault;
	u32 saved;
};

static inline struct hps_shpc_slot *to_hps_shpc_slot(struct hps_slot *slot)
{
	return container_of(slot, struct hps_shpc_slot, slot);
}

/* shpc.c */
void hps_shpc_put(struct hps_shpc *shpc);
void hps_shpc_look_at_slot(struct hps_shpc *shpc, int index);
void hps_shpc_mask(struct hps_shpc *shpc);
void hps_shpc_unmask(struct hps_shpc *shpc);

/* shpc-power.c */
extern const struct hps_slot_ops hps_shpc_ops;
void hps_shpc_learn_speeds(struct hps_shpc *shpc);
void hps_shpc_restore_speed(struct hps_shpc *shpc, u16 saved);
int hps_shpc_command(struct hps_shpc_slot *slot, u8 target, u8 code, const char **report);

/* shpc-pm.c */
extern const struct dev_pm_ops hps_shpc_pm_ops;

#endif /* _HPSHIM_SHPC_H */
