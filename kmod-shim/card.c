// SPDX-License-Identifier: GPL-2.0-only
/*
 * card.c - is this the card that was here before the machine slept?
 *
 * Used by the PM callbacks of both kinds of slots, which run while nobody removes
 * anything. A card that was changed is gone as far as its drivers and the
 * controller are concerned, until its devices have been removed; then the new one
 * is there. Which properties tell is pciehp's choice (pciehp_device_replaced()).
 */
#include <linux/pci.h>
#include "event.h"
#include "slot.h"

static void hps_card_read(struct hps_slot *slot, struct hps_card *card)
{
	u8 device = slot->device == HPS_DEVICE_ALL ? 0 : slot->device;
	struct pci_bus *bus = slot->port->subordinate;
	struct pci_dev *pdev = bus ? pci_get_slot(bus, PCI_DEVFN(device, 0)) : NULL;

	*card = (struct hps_card){ };
	if (!pdev)
		return;
	pci_read_config_dword(pdev, PCI_VENDOR_ID, &card->id);
	pci_read_config_dword(pdev, PCI_CLASS_REVISION, &card->class);
	if (pdev->hdr_type == PCI_HEADER_TYPE_NORMAL)
		pci_read_config_dword(pdev, PCI_SUBSYSTEM_VENDOR_ID, &card->subsystem);
	card->serial = pci_get_dsn(pdev);
	card->known = !PCI_POSSIBLE_ERROR(card->id);
	pci_dev_put(pdev);
}

static bool hps_card_present(struct hps_slot *slot)
{
	struct hps_level level;

	hps_slot_status(slot, &level);
	return level.status & HPSHIM_STATUS_PRESENT;
}

/* On the way to sleep: remembers what is in the slot. */
void hps_card_note(struct hps_slot *slot)
{
	hps_card_read(slot, &slot->card);
	slot->card.present = hps_card_present(slot);
	hps_inject_card(slot, &slot->card.serial);
}

/*
 * On the way back, before the card's drivers are: compares. It is the last moment
 * to keep a driver from a card that it does not know.
 */
void hps_card_check(struct hps_slot *slot)
{
	struct hps_card now;

	if (!slot->card.known)
		return;
	hps_card_read(slot, &now);
	if (now.id == slot->card.id && now.class == slot->card.class &&
	    now.subsystem == slot->card.subsystem && now.serial == slot->card.serial)
		return;
	pci_info(slot->port, "Slot(%s): card was changed during sleep\n", slot->name);
	WRITE_ONCE(slot->replaced, true);
	hps_slot_disconnect(slot);
}

/* The slot works again: tells that it slept, and whether a card came or went. */
void hps_card_awake(struct hps_slot *slot)
{
	u32 saw = BIT(HPSHIM_EVENT_RESUME);

	if (slot->card.present != hps_card_present(slot))
		saw |= BIT(HPSHIM_EVENT_PRESENCE);
	hps_slot_saw(slot, saw);
}

/* The devices of a card that was changed are removed. */
void hps_card_removed(struct hps_slot *slot)
{
	if (!READ_ONCE(slot->replaced))
		return;
	WRITE_ONCE(slot->replaced, false);
	hps_slot_saw(slot, BIT(HPSHIM_EVENT_PRESENCE));
}
