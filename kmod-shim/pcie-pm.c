// SPDX-License-Identifier: GPL-2.0-only
/*
 * pcie-pm.c - a PCIe slot across sleep, and across the recovery from errors
 *
 * Mirrors pciehp's callbacks (drivers/pci/hotplug/pciehp_core.c), with one
 * addition: the core restores Slot Control, with power and indicators in it, from
 * a state that it saved earlier, so what we last wrote is written again. A port
 * that we own is never runtime suspended, see hps_pcie_probe().
 *
 * Callbacks of sleep run under device_lock(port); slot_reset() does as well, and
 * the core restores the port's registers between it and the unlocking.
 *
 * No virtual machine monitor that we know has Downstream Port Containment;
 * hps_pcie_recovered() follows pci_dpc_recovered() (drivers/pci/pcie/dpc.c),
 * which is not exported, and pciehp_ist().
 */
#include <linux/jiffies.h>
#include "event.h"
#include "pcie.h"

/* Of pci_dev.priv_flags, from drivers/pci/pci.h; the same from 6.1 to 7.2. */
#define HPS_DPC_RECOVERED	1
#define HPS_DPC_RECOVERING	2

#define HPS_DPC_MS		4000	/* for DPC to be done, as long as pciehp gives it */

/* Of Slot Control, what a restored state may have wrong. */
#define HPS_PCIE_KEEP	(HPS_PCIE_NOTIFY | PCI_EXP_SLTCTL_AIC | PCI_EXP_SLTCTL_PIC |	\
			 PCI_EXP_SLTCTL_PCC | PCI_EXP_SLTCTL_IBPD_DISABLE)

/* If firmware handles wake-up, the slot's interrupt has to stay on to cause it. */
static bool hps_pcie_pme_is_native(struct hps_pcie *pcie)
{
	return pci_find_host_bridge(pcie->slot.port->bus)->native_pme;
}

/* Of Slot Control, what is ours. */
static u16 hps_pcie_ours(const struct hps_pcie *pcie)
{
	if (pcie->slot.user_indicators)
		return HPS_PCIE_KEEP & ~(PCI_EXP_SLTCTL_AIC | PCI_EXP_SLTCTL_PIC);
	return HPS_PCIE_KEEP;
}

/* What we want that to be, before we write anything else to it. */
static u16 hps_pcie_wanted(const struct hps_pcie *pcie)
{
	return (pcie->slot_ctrl & hps_pcie_ours(pcie) & ~HPS_PCIE_NOTIFY) | pcie->notify;
}

/*
 * Writes that, and waits for it: a completion whose interrupt got lost would keep
 * others from being sent. The caller holds the command mutex.
 */
static void hps_pcie_restore(struct hps_pcie *pcie, u16 wanted)
{
	if (!hps_pcie_write_command(pcie, wanted, hps_pcie_ours(pcie)))
		hps_pcie_wait_command(pcie);
}

/* The core has restored Slot Control: that was a command. */
static void hps_pcie_was_restored(struct hps_pcie *pcie)
{
	pcie->started = jiffies;
	WRITE_ONCE(pcie->busy, !(pcie->slot_cap & PCI_EXP_SLTCAP_NCCS ||
				 pcie->slot.port->broken_cmd_compl));
}

/* Mask what fires when the link goes down on the way to sleep. */
int hps_pcie_suspend(struct pcie_device *service)
{
	struct hps_pcie *pcie = service->priv_data;

	if (!pcie)
		return 0;
	hps_card_asleep(&pcie->slot);
	if (!hps_pcie_pme_is_native(pcie))
		return 0;
	mutex_lock(&pcie->command);
	hps_pcie_write_command(pcie, 0, PCI_EXP_SLTCTL_HPIE | PCI_EXP_SLTCTL_DLLSCE);
	hps_pcie_wait_command(pcie);
	mutex_unlock(&pcie->command);
	return 0;
}

int hps_pcie_resume_noirq(struct pcie_device *service)
{
	struct hps_pcie *pcie = service->priv_data;

	if (!pcie)
		return 0;
	hps_pcie_was_restored(pcie);
	pcie_capability_write_word(service->port, PCI_EXP_SLTSTA, HPS_PCIE_FLAPS);
	hps_card_check(&pcie->slot, true);
	return 0;
}

/*
 * What was seen while the interrupt was masked may never cause one (PCIe r6.0,
 * sec 6.7.3.4). Changes of card and link are found by comparing.
 */
static u32 hps_pcie_overslept(struct hps_pcie *pcie)
{
	u16 status;

	if (pcie->slot_ctrl & PCI_EXP_SLTCTL_HPIE || hps_pcie_read(pcie, PCI_EXP_SLTSTA, &status))
		return 0;
	status &= PCI_EXP_SLTSTA_ABP | PCI_EXP_SLTSTA_MRLSC | PCI_EXP_SLTSTA_PFD;
	if (status & PCI_EXP_SLTSTA_PFD)
		WRITE_ONCE(pcie->fault, true);
	pcie_capability_write_word(pcie->slot.port, PCI_EXP_SLTSTA, status);
	return hps_pcie_told(status);
}

int hps_pcie_resume(struct pcie_device *service)
{
	struct hps_pcie *pcie = service->priv_data;
	u32 saw;

	if (!pcie)
		return 0;
	mutex_lock(&pcie->command);
	saw = hps_pcie_overslept(pcie);
	hps_pcie_restore(pcie, hps_pcie_wanted(pcie));
	mutex_unlock(&pcie->command);
	hps_slot_saw(&pcie->slot, saw);
	hps_card_awake(&pcie->slot);
	return 0;
}

/*
 * Error recovery restores Slot Control from what was saved when the port's driver
 * was bound, and so switches off whoever has got a card since then. Hence it is
 * saved anew when an operation has changed it. What it has not restored yet is not
 * for saving: the core has the device_lock while it restores.
 *
 * The windows are saved with it, and so once more after each rescan of ours. Not under
 * the rescan lock: a remover may hold that for as long as a driver likes, and what is
 * saved in the middle of a rescan is put right at its end.
 */
void hps_pcie_save_work(struct work_struct *work)
{
	struct hps_pcie *pcie = container_of(work, struct hps_pcie, save_work);
	struct pci_dev *port = pcie->slot.port;

	device_lock(&port->dev);
	if (!READ_ONCE(pcie->slot.dead) && pci_device_is_present(port) &&
	    !hps_pcie_is_blank(pcie))
		pci_save_state(port);
	device_unlock(&port->dev);
	hps_slot_put(&pcie->slot);
}

void hps_pcie_settled(struct hps_slot *slot)
{
	hps_slot_queue_work(slot, &to_hps_pcie(slot)->save_work, hps_wq);
}

/*
 * Error recovery has reset something above the port, and the port with it: the
 * link below it went down and came up. The core goes on to restore the port's
 * registers from a state that it saved earlier, maybe before our last command;
 * when it is done with that it lets go of the device_lock.
 */
int hps_pcie_slot_reset(struct pcie_device *service)
{
	struct hps_pcie *pcie;

	/*
	 * The core holds the port's device_lock and not the service's, so our
	 * remove() may run at this moment.
	 */
	rcu_read_lock();
	pcie = READ_ONCE(service->priv_data);
	if (pcie && !kref_get_unless_zero(&pcie->slot.ref))
		pcie = NULL;
	rcu_read_unlock();
	if (!pcie)
		return 0;
	WRITE_ONCE(pcie->restoring, true);
	WRITE_ONCE(pcie->resetting, true);
	pcie_capability_write_word(service->port, PCI_EXP_SLTSTA, HPS_PCIE_FLAPS);
	hps_slot_queue_work(&pcie->slot, &pcie->restore_work, hps_wq);
	hps_slot_put(&pcie->slot);
	return 0;
}

void hps_pcie_restore_work(struct work_struct *work)
{
	struct hps_pcie *pcie = container_of(work, struct hps_pcie, restore_work);
	struct hps_slot *slot = &pcie->slot;
	u32 saw = BIT(HPSHIM_EVENT_RESUME);
	struct hps_level level;
	u16 wanted;

	device_lock(&slot->port->dev);
	device_unlock(&slot->port->dev);

	mutex_lock(&pcie->command);
	if (!slot->dead) {
		/*
		 * Slot Control was restored before MSI was: what has been pending
		 * since then keeps further messages from being sent.
		 */
		wanted = hps_pcie_wanted(pcie);
		hps_pcie_was_restored(pcie);
		WRITE_ONCE(pcie->slot_ctrl, pcie->slot_ctrl & ~PCI_EXP_SLTCTL_HPIE);
		hps_pcie_write_command(pcie, 0, HPS_PCIE_NOTIFY);
		hps_pcie_wait_command(pcie);
		saw |= hps_pcie_overslept(pcie);
		pcie_capability_write_word(slot->port, PCI_EXP_SLTSTA,
					   HPS_PCIE_FLAPS | PCI_EXP_SLTSTA_CC);
		WRITE_ONCE(pcie->resetting, false);
		hps_pcie_restore(pcie, wanted);
		WRITE_ONCE(pcie->restoring, false);
	}
	mutex_unlock(&pcie->command);

	/* A link that is not back, or not with that card, was taken for a part of the reset. */
	if (hps_slot_status(slot, &level) && level.status & HPSHIM_STATUS_OCCUPIED) {
		if (pcie->link_reporting && !(level.status & HPSHIM_STATUS_LINK))
			saw |= BIT(HPSHIM_EVENT_LINK);
		else if (hps_card_check(slot, false))
			saw |= BIT(HPSHIM_EVENT_PRESENCE);
	}
	hps_slot_saw(slot, saw);
	/* The core has saved what it restored, not this. */
	hps_pcie_settled(slot);
	hps_slot_put(slot);
}

#ifdef CONFIG_PCIE_DPC
static bool hps_pcie_dpc_is_done(struct pci_dev *port)
{
	u16 status;

	pci_read_config_word(port, port->dpc_cap + PCI_EXP_DPC_STATUS, &status);
	if (!PCI_POSSIBLE_ERROR(status) && status & PCI_EXP_DPC_STATUS_TRIGGER)
		return false;
	return !test_bit(HPS_DPC_RECOVERING, &port->priv_flags);
}

/*
 * The link has changed: was that the port itself, containing an error, and has it
 * recovered? Waits until that is decided, 4 s at most, or the slot dies.
 */
bool hps_pcie_recovered(struct hps_slot *slot)
{
	unsigned long deadline = jiffies + msecs_to_jiffies(HPS_DPC_MS);
	struct pci_dev *port = slot->port;
	u16 link;

	if (!port->dpc_cap || (!pci_find_host_bridge(port->bus)->native_dpc &&
			       !IS_ENABLED(CONFIG_PCIE_EDR)))
		return false;
	while (!hps_pcie_dpc_is_done(port) && time_before(jiffies, deadline))
		if (!hps_slot_pause(slot, 20))
			return false;
	if (!test_and_clear_bit(HPS_DPC_RECOVERED, &port->priv_flags))
		return false;
	/* The change that took the link for good may have been among those before. */
	return !hps_pcie_read(to_hps_pcie(slot), PCI_EXP_LNKSTA, &link) &&
	       link & PCI_EXP_LNKSTA_DLLLA;
}
#else
bool hps_pcie_recovered(struct hps_slot *slot)
{
	return false;
}
#endif
