/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pcie.h - a PCIe port's slot registers
 */
#ifndef _HPSHIM_PCIE_H
#define _HPSHIM_PCIE_H

#include <linux/mutex.h>
#include "service.h"
#include "slot.h"

/* Enables of Slot Control that are about notification. */
#define HPS_PCIE_NOTIFY	(PCI_EXP_SLTCTL_ABPE | PCI_EXP_SLTCTL_PFDE | PCI_EXP_SLTCTL_MRLSCE |	\
			 PCI_EXP_SLTCTL_PDCE | PCI_EXP_SLTCTL_CCIE | PCI_EXP_SLTCTL_HPIE |	\
			 PCI_EXP_SLTCTL_DLLSCE)

/* Status bits that are cleared by writing them. */
#define HPS_PCIE_EVENTS	(PCI_EXP_SLTSTA_ABP | PCI_EXP_SLTSTA_PFD | PCI_EXP_SLTSTA_MRLSC |	\
			 PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_CC | PCI_EXP_SLTSTA_DLLSC)

/* Changes that a reset or a power operation causes by itself. */
#define HPS_PCIE_FLAPS	(PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_DLLSC)

/**
 * struct hps_pcie - a PCIe slot: one port, one slot, one controller
 * @slot: the slot
 * @service: the port's hotplug service; valid until remove() returns
 * @irq: its vector, or -1: polled
 * @slot_cap: Slot Capabilities with quirks applied
 * @link_reporting: Data Link Layer Link Active is reported
 * @inband_disabled: in-band presence is off, so presence may lag behind the link
 * @inband_control: and it was us who switched it off
 * @command: serializes writes of Slot Control, held over one command and for
 *	setting @slot.dead; never over the wait for a link
 * @slot_ctrl: last written value of Slot Control
 * @notify: notification enables that we want
 * @busy: a command was written and not yet reported complete
 * @started: jiffies when it was
 * @queue: woken by command completion
 * @fault: power fault latched until next power-on
 * @resetting: link and presence changes are our own doing
 * @restoring: error recovery has reset the port, and @restore_work has not yet put it
 *	right; cleared under @command
 * @poll_work: reads the status when there is no interrupt
 * @restore_work: puts Slot Control right after error recovery
 * @save_work: has the core save what error recovery restores
 */
struct hps_pcie {
	struct hps_slot slot;
	struct pcie_device *service;
	int irq;
	u32 slot_cap;
	bool link_reporting;
	bool inband_disabled;
	bool inband_control;

	struct mutex command;	/* see above */
	u16 slot_ctrl;
	u16 notify;
	bool busy;
	unsigned long started;
	wait_queue_head_t queue;

	bool fault;
	bool resetting;
	bool restoring;
	struct delayed_work poll_work;
	struct work_struct restore_work;
	struct work_struct save_work;
};

static inline struct hps_pcie *to_hps_pcie(struct hps_slot *slot)
{
	return container_of(slot, struct hps_pcie, slot);
}

/* pcie.c */
u32 hps_pcie_told(u16 status);

/* pcie-power.c */
extern const struct hps_slot_ops hps_pcie_ops;
int hps_pcie_read(struct hps_pcie *pcie, int reg, u16 *value);
int hps_pcie_write_command(struct hps_pcie *pcie, u16 value, u16 mask);
void hps_pcie_wait_command(struct hps_pcie *pcie);
bool hps_pcie_is_blank(struct hps_pcie *pcie);

/* pcie-pm.c */
int hps_pcie_suspend(struct pcie_device *service);
int hps_pcie_resume_noirq(struct pcie_device *service);
int hps_pcie_resume(struct pcie_device *service);
int hps_pcie_slot_reset(struct pcie_device *service);
void hps_pcie_restore_work(struct work_struct *work);
void hps_pcie_save_work(struct work_struct *work);
void hps_pcie_settled(struct hps_slot *slot);
bool hps_pcie_recovered(struct hps_slot *slot);

#endif /* _HPSHIM_PCIE_H */
