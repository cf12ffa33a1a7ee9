// SPDX-License-Identifier: GPL-2.0-only
/*
 * shpc-pm.c - an SHPC across sleep
 *
 * shpchp does nothing about sleep. But the controller's registers may be lost in
 * it, and with them the masks, so that no button would work any more, and the
 * indicators. So what they said is read on the way to sleep and asked for again
 * on the way back. The callbacks run under device_lock(bridge). A bridge that we
 * own is never runtime suspended: probe() keeps the reference that the PCI core
 * has taken for it.
 */
#include <linux/bitfield.h>
#include <linux/delay.h>
#include <linux/pm.h>
#include "event.h"
#include "shpc.h"

static int hps_shpc_suspend(struct device *dev)
{
	struct hps_shpc *shpc = dev_get_drvdata(dev);
	int i;

	for (i = 0; i < shpc->slots; i++)
		hps_card_asleep(&shpc->slot[i]->slot);
	mutex_lock(&shpc->command);
	spin_lock_irq(&shpc->lock);
	for (i = 0; i < shpc->slots; i++)
		shpc->slot[i]->saved = readl(shpc->regs + SHPC_SLOT(i));
	shpc->saved_bus = readw(shpc->regs + SHPC_BUS_CONFIG);
	spin_unlock_irq(&shpc->lock);
	shpc->asleep = true;
	mutex_unlock(&shpc->command);
	return 0;
}

/*
 * Makes a slot what it was. Its power comes back before its devices resume. Returns
 * whether it did just now, so that the card has to be given time.
 */
static bool hps_shpc_restore_slot(struct hps_shpc_slot *slot)
{
	struct hps_shpc *shpc = slot->shpc;
	u32 now = readl(shpc->regs + SHPC_SLOT(slot->index));
	const char *ignored;
	bool enables;
	u8 code = 0;

	if (PCI_POSSIBLE_ERROR(now))
		return false;
	if (FIELD_GET(SHPC_SLOT_STATE, now) != FIELD_GET(SHPC_SLOT_STATE, slot->saved))
		code |= FIELD_GET(SHPC_SLOT_STATE, slot->saved);
	if (FIELD_GET(SHPC_SLOT_PIC, now) != FIELD_GET(SHPC_SLOT_PIC, slot->saved))
		code |= FIELD_PREP(SHPC_CMD_PIC, FIELD_GET(SHPC_SLOT_PIC, slot->saved));
	if (FIELD_GET(SHPC_SLOT_AIC, now) != FIELD_GET(SHPC_SLOT_AIC, slot->saved))
		code |= FIELD_PREP(SHPC_CMD_AIC, FIELD_GET(SHPC_SLOT_AIC, slot->saved));
	if (!code)
		return false;
	/* A slot is powered before it is connected (SHPC specification, 3.5.1.1). */
	enables = (code & SHPC_SLOT_STATE) == SHPC_CMD_ENABLE;
	if (enables)
		hps_shpc_command(slot, slot->index + 1, SHPC_CMD_POWER_ONLY, &ignored);
	if (hps_shpc_command(slot, slot->index + 1, code, &ignored))
		pci_warn(shpc->bridge, "Slot(%s): not as it was before sleep\n", slot->slot.name);
	return enables;
}

static int hps_shpc_resume_noirq(struct device *dev)
{
	struct hps_shpc *shpc = dev_get_drvdata(dev);
	bool enabled = false;
	int i;

	spin_lock_irq(&shpc->lock);
	/* What was pressed during sleep is seen here or never: the masking forgets it. */
	for (i = 0; i < shpc->slots; i++)
		hps_shpc_look_at_slot(shpc, i);
	hps_shpc_mask(shpc);
	spin_unlock_irq(&shpc->lock);
	hps_shpc_restore_speed(shpc, shpc->saved_bus);
	for (i = 0; i < shpc->slots; i++)
		enabled |= hps_shpc_restore_slot(shpc->slot[i]);
	if (enabled)
		msleep(HPS_SHPC_SETTLE_MS);
	for (i = 0; i < shpc->slots; i++)
		hps_card_check(&shpc->slot[i]->slot, true);
	return 0;
}

static int hps_shpc_resume(struct device *dev)
{
	struct hps_shpc *shpc = dev_get_drvdata(dev);
	int i;

	mutex_lock(&shpc->command);
	shpc->asleep = false;
	mutex_unlock(&shpc->command);
	hps_shpc_unmask(shpc);
	for (i = 0; i < shpc->slots; i++)
		hps_card_awake(&shpc->slot[i]->slot);
	return 0;
}

const struct dev_pm_ops hps_shpc_pm_ops = {
	.suspend = pm_sleep_ptr(hps_shpc_suspend),
	.resume_noirq = pm_sleep_ptr(hps_shpc_resume_noirq),
	.resume = pm_sleep_ptr(hps_shpc_resume),
	.freeze = pm_sleep_ptr(hps_shpc_suspend),
	.thaw = pm_sleep_ptr(hps_shpc_resume),
	.poweroff = pm_sleep_ptr(hps_shpc_suspend),
	.restore_noirq = pm_sleep_ptr(hps_shpc_resume_noirq),
	.restore = pm_sleep_ptr(hps_shpc_resume),
};
