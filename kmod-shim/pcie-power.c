// SPDX-License-Identifier: GPL-2.0-only
/*
 * pcie-power.c - commands of a PCIe slot: power, link, indicators, reset
 *
 * Each function takes the command mutex for single steps only and looks at
 * slot.dead after it got it. None may be called with a lock of the PCI core
 * held, but for the reset, whose caller holds the device_lock of the function
 * that is reset (and maybe the port's).
 */
#include <linux/bitfield.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/slab.h>
#include "event.h"
#include "pcie.h"

/* Changes of these always yield a completion; of the enables, not everywhere. */
#define HPS_PCIE_CONTROLS	(PCI_EXP_SLTCTL_PCC | PCI_EXP_SLTCTL_PIC |	\
				 PCI_EXP_SLTCTL_AIC | PCI_EXP_SLTCTL_EIC)

#define HPS_POWER_SETTLE_MS	20	/* after power-on, before the link is looked at */
#define HPS_LINK_MS		1000	/* for the link to come up */
#define HPS_LINK_SETTLE_MS	100	/* after it is up (PCIe r6.0, sec 6.6.1) */
#define HPS_PRESENCE_MS		1250	/* for out-of-band presence to follow */
#define HPS_VENDOR_MS		1000	/* for the device to answer */
#define HPS_INTERLOCK_MS	200	/* for the interlock to move */

/* Reads a PCIe capability register, unless the slot is dead or does not respond. */
int hps_pcie_read(struct hps_pcie *pcie, int reg, u16 *value)
{
	unsigned long flags;
	int error = -ENODEV;

	spin_lock_irqsave(&pcie->slot.lock, flags);
	if (!pcie->slot.dead &&
	    !pcie_capability_read_word(pcie->slot.port, reg, value) &&
	    !PCI_POSSIBLE_ERROR(*value))
		error = 0;
	spin_unlock_irqrestore(&pcie->slot.lock, flags);
	return error;
}

static bool hps_pcie_interrupts(const struct hps_pcie *pcie)
{
	const u16 bits = PCI_EXP_SLTCTL_HPIE | PCI_EXP_SLTCTL_CCIE;

	return pcie->irq >= 0 && (pcie->slot_ctrl & bits) == bits;
}

/* No interrupt tells us: look, and clear what we find. */
static bool hps_pcie_poll_completed(struct hps_pcie *pcie)
{
	struct pci_dev *port = pcie->slot.port;
	u16 status;

	pcie_capability_read_word(port, PCI_EXP_SLTSTA, &status);
	if (PCI_POSSIBLE_ERROR(status))
		return true;	/* no port, no command */
	if (!(status & PCI_EXP_SLTSTA_CC))
		return false;
	pcie_capability_write_word(port, PCI_EXP_SLTSTA, PCI_EXP_SLTSTA_CC);
	WRITE_ONCE(pcie->busy, false);
	return true;
}

/*
 * Waits until the last command is complete, at most until its second is over:
 * then the next one may be written anyway (PCIe r6.0, sec 6.7.3.2). The caller
 * holds the command mutex of a slot that is not dead.
 */
void hps_pcie_wait_command(struct hps_pcie *pcie)
{
	unsigned long deadline, now = jiffies;

	if (hps_inject_loses_command(&pcie->slot)) {
		msleep(1000);
		goto lost;
	}
	if (!READ_ONCE(pcie->busy))
		return;

	deadline = pcie->started + msecs_to_jiffies(pcie->irq < 0 ? 2500 : 1000);
	if (hps_pcie_interrupts(pcie)) {
		if (time_before(now, deadline))
			wait_event_timeout(pcie->queue, !READ_ONCE(pcie->busy), deadline - now);
	} else {
		while (!hps_pcie_poll_completed(pcie) && time_before(jiffies, deadline))
			usleep_range(10000, 15000);
	}
	if (!READ_ONCE(pcie->busy) || hps_pcie_poll_completed(pcie))
		return;
lost:
	WRITE_ONCE(pcie->busy, false);
	pci_info(pcie->slot.port, "Slot(%s): no completion of command %#06x after %u ms\n",
		 pcie->slot.name, pcie->slot_ctrl, jiffies_to_msecs(jiffies - pcie->started));
	hps_event_simple(&pcie->slot, HPSHIM_EVENT_COMMAND_TIMEOUT);
}

/*
 * Writes @value to the bits of Slot Control in @mask, after the previous
 * command is complete. Does not wait for this one. The caller holds the command
 * mutex.
 */
int hps_pcie_write_command(struct hps_pcie *pcie, u16 value, u16 mask)
{
	struct pci_dev *port = pcie->slot.port;
	u16 old, new;

	if (pcie->slot.dead)
		return -ENODEV;
	hps_pcie_wait_command(pcie);
	pcie_capability_read_word(port, PCI_EXP_SLTCTL, &old);
	if (PCI_POSSIBLE_ERROR(old))
		return -ENODEV;

	/* The interlock control is no state: written as 1 it toggles. */
	new = (old & ~(mask | PCI_EXP_SLTCTL_EIC)) | value;
	pcie->slot_ctrl = new;
	if (new == old)
		return 0;
	if (pcie->slot_cap & PCI_EXP_SLTCAP_NCCS)
		WRITE_ONCE(pcie->busy, false);
	else if (port->broken_cmd_compl && !((old ^ new) & HPS_PCIE_CONTROLS))
		WRITE_ONCE(pcie->busy, false);
	else
		WRITE_ONCE(pcie->busy, true);
	smp_mb();	/* the interrupt handler looks at both */
	pcie_capability_write_word(port, PCI_EXP_SLTCTL, new);
	pcie->started = jiffies;
	return 0;
}

/*
 * Was the port reset by something above it, and is not restored yet? Then it does
 * not know its buses. One that does not respond is not blank.
 */
bool hps_pcie_is_blank(struct hps_pcie *pcie)
{
	u8 bus;

	return !pci_read_config_byte(pcie->slot.port, PCI_SECONDARY_BUS, &bus) && !bus;
}

/*
 * May a command be given? Not while Slot Control is that of a reset: what it has
 * there is not what we want. The caller holds the command mutex.
 */
static int hps_pcie_ready(struct hps_pcie *pcie)
{
	if (READ_ONCE(pcie->slot.going))
		return -ENODEV;
	if (READ_ONCE(pcie->restoring) || hps_pcie_is_blank(pcie))
		return -EBUSY;
	return 0;
}

/* One command from start to completion. */
static int hps_pcie_command(struct hps_pcie *pcie, u16 value, u16 mask)
{
	int error;

	mutex_lock(&pcie->command);
	error = hps_pcie_ready(pcie);
	if (!error)
		error = hps_pcie_write_command(pcie, value, mask);
	if (!error)
		hps_pcie_wait_command(pcie);
	mutex_unlock(&pcie->command);
	return error;
}

static bool hps_pcie_level(struct hps_slot *slot, struct hps_level *level)
{
	struct hps_pcie *pcie = to_hps_pcie(slot);
	u16 status, control, link = 0;

	if (hps_pcie_read(pcie, PCI_EXP_SLTSTA, &status) ||
	    hps_pcie_read(pcie, PCI_EXP_SLTCTL, &control))
		return false;
	if (pcie->link_reporting && hps_pcie_read(pcie, PCI_EXP_LNKSTA, &link))
		return false;

	if (link & PCI_EXP_LNKSTA_DLLLA)
		level->status |= HPSHIM_STATUS_LINK;
	/* Some ports have presence tied to zero; a link means a card. */
	if (status & PCI_EXP_SLTSTA_PDS || link & PCI_EXP_LNKSTA_DLLLA)
		level->status |= HPSHIM_STATUS_PRESENT;
	if (!(pcie->slot_cap & PCI_EXP_SLTCAP_PCP) || !(control & PCI_EXP_SLTCTL_PCC))
		level->status |= HPSHIM_STATUS_POWER;
	if (pcie->slot_cap & PCI_EXP_SLTCAP_MRLSP && status & PCI_EXP_SLTSTA_MRLSS)
		level->status |= HPSHIM_STATUS_LATCH_OPEN;
	if (READ_ONCE(pcie->fault))
		level->status |= HPSHIM_STATUS_POWER_FAULT;
	if (pcie->slot_cap & PCI_EXP_SLTCAP_EIP && status & PCI_EXP_SLTSTA_EIS)
		level->status |= HPSHIM_STATUS_INTERLOCK;
	if (pcie->slot_cap & PCI_EXP_SLTCAP_PIP)
		level->power_indicator = FIELD_GET(PCI_EXP_SLTCTL_PIC, control);
	if (pcie->slot_cap & PCI_EXP_SLTCAP_AIP)
		level->attention_indicator = FIELD_GET(PCI_EXP_SLTCTL_AIC, control);
	return true;
}

static int hps_pcie_switch_on(struct hps_pcie *pcie)
{
	struct pci_dev *port = pcie->slot.port;
	int error;

	mutex_lock(&pcie->command);
	error = hps_pcie_ready(pcie);
	if (error)
		goto unlock;
	pcie_capability_write_word(port, PCI_EXP_SLTSTA, PCI_EXP_SLTSTA_PFD);
	WRITE_ONCE(pcie->fault, false);
	if (pcie->slot_cap & PCI_EXP_SLTCAP_PCP) {
		error = hps_pcie_write_command(pcie, PCI_EXP_SLTCTL_PWR_ON, PCI_EXP_SLTCTL_PCC);
		if (error)
			goto unlock;
		hps_pcie_wait_command(pcie);
	}
	pcie_capability_clear_word(port, PCI_EXP_LNKCTL, PCI_EXP_LNKCTL_LD);
unlock:
	mutex_unlock(&pcie->command);
	return error;
}

/* Polls @reg until one of @bits is set, @ms at most. Returns 1 if one is. */
static int hps_pcie_poll(struct hps_pcie *pcie, int reg, u16 bits, unsigned int ms)
{
	unsigned long deadline = jiffies + msecs_to_jiffies(ms);
	bool last;
	u16 value;
	int error;

	for (;;) {
		last = time_after(jiffies, deadline);
		error = hps_pcie_read(pcie, reg, &value);
		if (error)
			return error;
		if (value & bits)
			return 1;
		if (last)
			return 0;
		if (!hps_slot_sleep(&pcie->slot, 10))
			return -ECANCELED;
	}
}

/* Does function 0 below the port answer? 1: yes. */
static int hps_pcie_answers(struct hps_pcie *pcie)
{
	struct pci_dev *port = pcie->slot.port;
	int answers = -ENODEV;
	u32 id = 0;

	/* While the slot is not dead, its port still has its bus. */
	mutex_lock(&pcie->command);
	if (!READ_ONCE(pcie->slot.going) && port->subordinate)
		answers = pci_bus_read_dev_vendor_id(port->subordinate, PCI_DEVFN(0, 0), &id, 0);
	mutex_unlock(&pcie->command);
	return answers;
}

static int hps_pcie_wait_answer(struct hps_pcie *pcie)
{
	unsigned long deadline = jiffies + msecs_to_jiffies(HPS_VENDOR_MS);
	bool last;
	int answers;

	for (;;) {
		last = time_after(jiffies, deadline);
		answers = hps_pcie_answers(pcie);
		if (answers || last)
			return answers;
		if (!hps_slot_sleep(&pcie->slot, 20))
			return -ECANCELED;
	}
}

static int hps_pcie_wait_link(struct hps_pcie *pcie, const char **report)
{
	int rc;

	if (!pcie->link_reporting) {
		/* Nothing to look at: take the time that a link may need. */
		if (!hps_slot_sleep(&pcie->slot, HPS_LINK_MS + HPS_LINK_SETTLE_MS))
			return -ECANCELED;
		return 0;
	}
	if (!hps_slot_sleep(&pcie->slot, HPS_POWER_SETTLE_MS))
		return -ECANCELED;
	rc = hps_pcie_poll(pcie, PCI_EXP_LNKSTA, PCI_EXP_LNKSTA_DLLLA, HPS_LINK_MS);
	if (rc < 0)
		return rc;
	if (!rc) {
		*report = "link did not come up";
		return -ETIMEDOUT;
	}
	return hps_slot_sleep(&pcie->slot, HPS_LINK_SETTLE_MS) ? 0 : -ECANCELED;
}

static int hps_pcie_bring_up(struct hps_pcie *pcie, const char **report)
{
	struct hps_level level;
	u16 link, status;
	int rc;

	rc = hps_pcie_wait_link(pcie, report);
	if (rc)
		return rc;
	if (pcie->inband_disabled) {
		rc = hps_pcie_poll(pcie, PCI_EXP_SLTSTA, PCI_EXP_SLTSTA_PDS, HPS_PRESENCE_MS);
		if (rc < 0)
			return rc;
	}
	rc = hps_pcie_wait_answer(pcie);
	if (rc < 0)
		return rc;
	if (hps_pcie_read(pcie, PCI_EXP_LNKSTA, &link) ||
	    hps_pcie_read(pcie, PCI_EXP_SLTSTA, &status))
		return -ENODEV;
	if (link & PCI_EXP_LNKSTA_LT || !(link & PCI_EXP_LNKSTA_NLW)) {
		*report = "link does not train";
		return -ENOLINK;
	}
	if (!rc) {
		*report = "link is up, but no device answers";
		return -ETIMEDOUT;
	}
	if (status & PCI_EXP_SLTSTA_PFD)
		WRITE_ONCE(pcie->fault, true);
	hps_slot_status(&pcie->slot, &level);
	if (level.status & HPSHIM_STATUS_POWER_FAULT) {
		*report = "power fault";
		return -EIO;
	}
	return 0;
}

static int hps_pcie_power_on(struct hps_slot *slot, const char **report)
{
	struct hps_pcie *pcie = to_hps_pcie(slot);
	struct hps_level level;
	int error;

	hps_slot_status(slot, &level);
	if (!(level.status & HPSHIM_STATUS_PRESENT)) {
		*report = "no card in the slot";
		return -ENODEV;
	}
	if (level.status & HPSHIM_STATUS_LATCH_OPEN) {
		*report = "latch is open";
		return -EPERM;
	}
	error = hps_pcie_switch_on(pcie);
	if (error)
		return error;
	error = hps_pcie_bring_up(pcie, report);
	if (error == -ECANCELED && READ_ONCE(slot->dead))
		return -ENODEV;
	if (error == -ETIMEDOUT || error == -ENOLINK) {
		/* Say so when there is nothing left to link with. */
		hps_slot_status(slot, &level);
		if (!(level.status & HPSHIM_STATUS_PRESENT)) {
			*report = "card was taken out";
			return -ENODEV;
		}
		if (level.status & HPSHIM_STATUS_POWER_FAULT) {
			*report = "power fault";
			return -EIO;
		}
	}
	return error;
}

static int hps_pcie_power_off(struct hps_slot *slot, const char **report)
{
	struct hps_pcie *pcie = to_hps_pcie(slot);

	if (!(pcie->slot_cap & PCI_EXP_SLTCAP_PCP)) {
		*report = "slot has no power controller";
		return 0;
	}
	return hps_pcie_command(pcie, PCI_EXP_SLTCTL_PWR_OFF, PCI_EXP_SLTCTL_PCC);
}

static int hps_pcie_indicators(struct hps_slot *slot, u8 power, u8 attention)
{
	struct hps_pcie *pcie = to_hps_pcie(slot);
	u16 value = 0, mask = 0;

	if (power != HPSHIM_INDICATOR_UNKNOWN && slot->caps & HPSHIM_CAP_POWER_INDICATOR) {
		value |= FIELD_PREP(PCI_EXP_SLTCTL_PIC, power);
		mask |= PCI_EXP_SLTCTL_PIC;
	}
	if (attention != HPSHIM_INDICATOR_UNKNOWN && slot->caps & HPSHIM_CAP_ATTENTION_INDICATOR) {
		value |= FIELD_PREP(PCI_EXP_SLTCTL_AIC, attention);
		mask |= PCI_EXP_SLTCTL_AIC;
	}
	return mask ? hps_pcie_command(pcie, value, mask) : 0;
}

/* Both indicators as they are in Slot Control, for who knows what his enclosure makes of it. */
static int hps_pcie_raw_indicators(struct hps_slot *slot, bool set, u8 *value)
{
	const u16 mask = PCI_EXP_SLTCTL_AIC | PCI_EXP_SLTCTL_PIC;
	struct hps_pcie *pcie = to_hps_pcie(slot);
	u16 control;
	int error;

	if (set)
		return hps_pcie_command(pcie, *value << 6 & mask, mask);
	error = hps_pcie_read(pcie, PCI_EXP_SLTCTL, &control);
	if (!error)
		*value = (control & mask) >> 6;
	return error;
}

/* Is the interlock engaged (1) or not (0)? */
static int hps_pcie_engaged(struct hps_pcie *pcie)
{
	u16 status;
	int error;

	error = hps_pcie_read(pcie, PCI_EXP_SLTSTA, &status);
	if (error)
		return error;
	return !!(status & PCI_EXP_SLTSTA_EIS);
}

/* Engages or disengages; that takes time, and its end is seen in the status only. */
static int hps_pcie_interlock(struct hps_slot *slot, bool engage)
{
	unsigned long deadline = jiffies + msecs_to_jiffies(HPS_INTERLOCK_MS);
	struct hps_pcie *pcie = to_hps_pcie(slot);
	int engaged, error;

	mutex_lock(&pcie->command);
	error = hps_pcie_ready(pcie);
	engaged = error ?: hps_pcie_engaged(pcie);
	if (engaged >= 0 && engaged != engage) {
		error = hps_pcie_write_command(pcie, PCI_EXP_SLTCTL_EIC, 0);
		if (!error)
			hps_pcie_wait_command(pcie);
	}
	mutex_unlock(&pcie->command);
	while (!error) {
		engaged = hps_pcie_engaged(pcie);
		if (engaged < 0 || engaged == engage)
			return min(engaged, 0);
		if (time_after(jiffies, deadline))
			return -ETIMEDOUT;
		if (!hps_slot_pause(slot, 10))
			return -ENODEV;
	}
	return error;
}

/*
 * Secondary bus reset, of which the controller hears nothing. The command mutex
 * is not held over the reset, which takes long and may want pci_bus_sem: a
 * removal must not wait for it.
 */
static int hps_pcie_reset_held(struct hps_slot *slot)
{
	struct hps_pcie *pcie = to_hps_pcie(slot);
	const u16 enables = pcie->notify & (PCI_EXP_SLTCTL_PDCE | PCI_EXP_SLTCTL_DLLSCE);
	struct hps_level level;
	int error, reset_error;
	u32 saw = 0;

	if (hps_op_power_busy(slot))
		return -EBUSY;

	mutex_lock(&pcie->command);
	error = pcie->resetting ? -EBUSY : hps_pcie_ready(pcie);
	if (!error)
		error = hps_pcie_write_command(pcie, 0, enables);
	if (!error) {
		WRITE_ONCE(pcie->resetting, true);
		hps_pcie_wait_command(pcie);
	}
	mutex_unlock(&pcie->command);
	if (error)
		return error;

	reset_error = pci_bridge_secondary_bus_reset(slot->port);

	mutex_lock(&pcie->command);
	if (!slot->dead) {
		pcie_capability_write_word(slot->port, PCI_EXP_SLTSTA, HPS_PCIE_FLAPS);
		WRITE_ONCE(pcie->resetting, false);
		hps_pcie_write_command(pcie, enables, enables);
	}
	mutex_unlock(&pcie->command);

	/* Who takes the card out or changes it meanwhile is not to be overlooked. */
	if (!hps_slot_status(slot, &level))
		return reset_error;
	if (pcie->link_reporting && !(level.status & HPSHIM_STATUS_LINK))
		saw |= BIT(HPSHIM_EVENT_LINK);
	if (!(level.status & HPSHIM_STATUS_PRESENT) ||
	    (!saw && !reset_error && hps_card_check(slot, false)))
		saw |= BIT(HPSHIM_EVENT_PRESENCE);
	hps_slot_saw(slot, saw);
	return reset_error;
}

static int hps_pcie_reset(struct hps_slot *slot)
{
	int error = -EBUSY;

	if (hps_slot_hold(slot)) {
		error = hps_pcie_reset_held(slot);
		hps_slot_unhold(slot);
	}
	return error;
}

static void hps_pcie_free(struct hps_slot *slot)
{
	struct hps_pcie *pcie = to_hps_pcie(slot);

	kfree_rcu(pcie, slot.rcu);
}

const struct hps_slot_ops hps_pcie_ops = {
	.level = hps_pcie_level,
	.power_on = hps_pcie_power_on,
	.power_off = hps_pcie_power_off,
	.indicators = hps_pcie_indicators,
	.raw_indicators = hps_pcie_raw_indicators,
	.interlock = hps_pcie_interlock,
	.reset = hps_pcie_reset,
	.recovered = hps_pcie_recovered,
	.settled = hps_pcie_settled,
	.free = hps_pcie_free,
};
