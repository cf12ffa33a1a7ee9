// SPDX-License-Identifier: GPL-2.0-only
/*
 * card.c - is this the card whose devices are there?
 *
 * Asked after the machine slept, after a reset, and when a link came back. A card
 * that was changed is gone as far as its drivers and the controller are concerned,
 * until its devices have been removed; then the new one is there. Which properties
 * tell is pciehp's choice (pciehp_device_replaced() of later kernels).
 *
 * Called under device_locks as well, by probe(), resume and resets; may sleep.
 */
#include <linux/pci.h>
#include "compat.h"
#include "event.h"
#include "slot.h"

#define HPS_CARD_READY_MS	1000	/* for a device that was reset to answer */
#define HPS_CARD_RESTORE_MS	1000	/* for who reset a device to put it right */

/* Device and function number of the card's function 0. */
static unsigned int hps_card_devfn(const struct hps_slot *slot)
{
	return PCI_DEVFN(slot->device == HPS_DEVICE_ALL ? 0 : slot->device, 0);
}

static int hps_card_match(struct device *dev, hps_match_data *data)
{
	struct pci_dev *pdev = dev->bus == &pci_bus_type ? to_pci_dev(dev) : NULL;

	/* Virtual functions may be on a bus of their own. */
	return pdev && !pdev->is_virtfn && pdev->devfn == hps_card_devfn(data);
}

/* Function 0 of the devices that are there, with a reference, or NULL. */
static struct pci_dev *hps_card_device(struct hps_slot *slot)
{
	struct device *dev = device_find_child(&slot->port->dev, slot, hps_card_match);

	return dev ? to_pci_dev(dev) : NULL;
}

static bool hps_card_reads(struct pci_dev *pdev, int reg, u32 expected)
{
	u32 value;

	return !pci_read_config_dword(pdev, reg, &value) && value == expected;
}

/*
 * What only the card itself says. Its class is read, not taken from @pdev, where
 * the core's fixups may have put another one (quirk_tw686x_class()). Of one that does
 * not answer nothing is known, not even that it has no serial number.
 */
static void hps_card_note(struct hps_slot *slot, struct pci_dev *pdev)
{
	u64 serial;
	u32 class;

	if (pci_read_config_dword(pdev, PCI_CLASS_REVISION, &class) || PCI_POSSIBLE_ERROR(class))
		class = 0;
	serial = pci_get_dsn(pdev);
	if (!hps_card_reads(pdev, PCI_CLASS_REVISION, class))
		class = 0;
	WRITE_ONCE(slot->serial, serial);
	WRITE_ONCE(slot->class, class);
}

/* A slot that has just become ours learns what is in it. */
void hps_card_learn(struct hps_slot *slot)
{
	struct pci_dev *pdev = hps_card_device(slot);

	if (!pdev)
		return;
	hps_card_note(slot, pdev);
	pci_dev_put(pdev);
}

/* A device was found, by us or anybody else; the rescan lock is held. */
void hps_card_appeared(struct pci_dev *pdev)
{
	struct hps_slot *slot;

	if (pdev->is_virtfn)
		return;
	slot = hps_slot_get_by_device(pdev);
	/* With ARI, function 8 of the card has function number 0 as well. */
	if (slot && pdev->devfn == hps_card_devfn(slot))
		hps_card_note(slot, pdev);
	hps_slot_put(slot);
}

/*
 * Does the device answer? One that is not ready yet says so with a vendor ID of 1
 * (PCIe r6.0, sec 2.3.2), or with none at all where the root port does not make
 * that visible: as long as its link is up it has a second.
 */
static bool hps_card_answers(struct hps_slot *slot, struct pci_dev *pdev)
{
	unsigned long deadline = jiffies + msecs_to_jiffies(HPS_CARD_READY_MS);
	u16 vendor;

	while (!pci_read_config_word(pdev, PCI_VENDOR_ID, &vendor)) {
		if (vendor != 1 && !PCI_POSSIBLE_ERROR(vendor))
			return true;
		if (!hps_slot_in_reach(slot) || time_after(jiffies, deadline) ||
		    !hps_slot_pause(slot, 20))
			break;
	}
	return false;
}

static bool hps_card_is_another(struct hps_slot *slot, struct pci_dev *pdev)
{
	u32 class = READ_ONCE(slot->class);

	if (hps_inject_card_changed(slot))
		return true;
	if (!hps_card_answers(slot, pdev) ||
	    !hps_card_reads(pdev, PCI_VENDOR_ID, pdev->vendor | (u32)pdev->device << 16))
		return true;
	if (pdev->hdr_type == PCI_HEADER_TYPE_NORMAL &&
	    !hps_card_reads(pdev, PCI_SUBSYSTEM_VENDOR_ID,
			    pdev->subsystem_vendor | (u32)pdev->subsystem_device << 16))
		return true;
	if (!class) {
		/* As far as anybody knows it is the one. */
		hps_card_note(slot, pdev);
		return false;
	}
	return !hps_card_reads(pdev, PCI_CLASS_REVISION, class) ||
	       pci_get_dsn(pdev) != READ_ONCE(slot->serial);
}

static bool hps_card_is_lost(const struct pci_dev *pdev)
{
	return pdev->error_state == pci_channel_io_perm_failure;
}

/* Its driver has enabled it, and it knows nothing of that; no commit has quieted it, either. */
static bool hps_card_is_blank(struct pci_dev *pdev)
{
	u16 command;

	return pci_is_enabled(pdev) && !hps_card_is_lost(pdev) &&
	       !pci_read_config_word(pdev, PCI_COMMAND, &command) &&
	       !(command & (PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER)) &&
	       device_is_registered(&pdev->dev);
}

static void hps_card_lose(struct hps_slot *slot, const char *why)
{
	pci_info(slot->port, "Slot(%s): %s\n", slot->name, why);
	spin_lock_irq(&slot->lock);
	slot->replaced = true;
	spin_unlock_irq(&slot->lock);
	hps_slot_disconnect(slot);
}

/*
 * Compares. Returns whether the card is another one, which is marked then. One whose
 * link has gone down again, or whose slot is given back, is not: that is told by
 * itself. But if the machine @slept it is: its drivers are the next to look.
 */
bool hps_card_check(struct hps_slot *slot, bool slept)
{
	struct pci_dev *pdev = hps_card_device(slot);
	bool another;

	if (!pdev)
		return false;
	another = !hps_card_is_lost(pdev) && hps_card_is_another(slot, pdev) &&
		  (slept || hps_slot_in_reach(slot));
	pci_dev_put(pdev);
	if (another)
		hps_card_lose(slot, "card was changed");
	return another;
}

/*
 * The same, and whether it is the one but was reset, and who did that has not put
 * it right in a second.
 */
bool hps_card_check_config(struct hps_slot *slot)
{
	unsigned long deadline = jiffies + msecs_to_jiffies(HPS_CARD_RESTORE_MS);
	struct pci_dev *pdev;
	bool blank = false;

	if (hps_card_check(slot, false))
		return true;
	pdev = hps_card_device(slot);
	if (!pdev)
		return false;
	while (!blank && hps_card_is_blank(pdev)) {
		blank = time_after(jiffies, deadline);
		if (!blank && !hps_slot_pause(slot, 20))
			break;
	}
	pci_dev_put(pdev);
	if (blank)
		hps_card_lose(slot, "card was reset");
	return blank;
}

static bool hps_card_present(struct hps_slot *slot)
{
	struct hps_level level;

	hps_slot_status(slot, &level);
	return level.status & HPSHIM_STATUS_PRESENT;
}

/* On the way to sleep: remembers whether there is a card, which may be off. */
void hps_card_asleep(struct hps_slot *slot)
{
	slot->slept_present = hps_card_present(slot);
}

/* The slot works again: tells that it slept, and whether a card came or went. */
void hps_card_awake(struct hps_slot *slot)
{
	u32 saw = BIT(HPSHIM_EVENT_RESUME);

	if (slot->slept_present != hps_card_present(slot))
		saw |= BIT(HPSHIM_EVENT_PRESENCE);
	hps_slot_saw(slot, saw);
}
