// SPDX-License-Identifier: GPL-2.0-only
/*
 * port-slots.c - what the slots of a port have to be before the port is given back
 *
 * Called by port.c's work, which holds no lock.
 */
#include <linux/delay.h>
#include <linux/pci.h>
#include "event.h"
#include "port.h"
#include "slot.h"

/* A slot needs this long after it was switched off (PCIe r6.0, sec 6.7.1.8). */
#define HPS_OFF_MS	1000

/* Sleeps until that is over for a slot that was switched off last at @off_ns, 0: none was. */
static void hps_port_wait_off(u64 off_ns)
{
	s64 left = off_ns + HPS_OFF_MS * NSEC_PER_MSEC - ktime_get_ns();

	if (off_ns && left > 0)
		fsleep(div_s64(left, NSEC_PER_USEC));
}

/*
 * Native drivers take a powered slot for one whose devices they know, and leave
 * indicators alone: switch off what is powered without devices, so that they
 * start from scratch, and let nothing blink on. They power up what is off at
 * once, so whoever switched it off, it has its second.
 */
void hps_port_normalise(struct pci_dev *pdev)
{
	const char *report;
	struct hps_slot *slot;
	u64 off_ns = 0;
	u32 id;

	for (id = 0; (slot = hps_slot_get_after(id)); id = slot->id, hps_slot_put(slot)) {
		struct hps_level level;
		bool used;

		if (slot->port != pdev)
			continue;
		hps_slot_status(slot, &level);
		used = level.status & HPSHIM_STATUS_OCCUPIED;
		if (slot->caps & HPSHIM_CAP_POWER && level.status & HPSHIM_STATUS_POWER && !used)
			hps_slot_power_off(slot, &report);
		off_ns = max(off_ns, READ_ONCE(slot->off_ns));
		if (level.power_indicator == HPSHIM_INDICATOR_BLINK)
			slot->ops->indicators(slot, used ? HPSHIM_INDICATOR_ON :
							   HPSHIM_INDICATOR_OFF,
					      HPSHIM_INDICATOR_UNKNOWN);
	}
	hps_port_wait_off(off_ns);
}

/*
 * Is the slot to stay with us, off as the controller wanted it? Asked for PCIe
 * ports only. Who still waits in its power file hears that nobody answers, or, if
 * it is power that he wants, gets it.
 */
bool hps_port_stays_off(struct pci_dev *pdev)
{
	struct hps_slot *slot = hps_slot_get_by_address(pci_name(pdev));
	struct hps_level level;
	bool off = false;

	if (slot && READ_ONCE(slot->off_by_request)) {
		hps_slot_status(slot, &level);
		off = level.status & HPSHIM_STATUS_PRESENT &&
		      !(level.status & (HPSHIM_STATUS_POWER | HPSHIM_STATUS_OCCUPIED)) &&
		      !hps_legacy_give_up(slot);
	}
	hps_slot_put(slot);
	return off;
}

/* Commits and resets of its slots come to their end first. */
void hps_port_leave(struct pci_dev *pdev)
{
	struct hps_slot *slot;
	u32 id;

	for (id = 0; (slot = hps_slot_get_after(id)); id = slot->id, hps_slot_put(slot))
		if (slot->port == pdev)
			hps_slot_leave(slot);
}
