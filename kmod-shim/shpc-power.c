// SPDX-License-Identifier: GPL-2.0-only
/*
 * shpc-power.c - commands of SHPC slots: power, bus speed, indicators
 *
 * A controller does one command at a time, for whichever slot. The command
 * mutex is held for one command, never for a wait of a slot, so that the other
 * slots wait for no more than that.
 */
#include <linux/bitfield.h>
#include <linux/delay.h>
#include <linux/slab.h>
#include "event.h"
#include "shpc.h"

#define HPS_SHPC_COMMAND_MS	1000

#define HPS_PCI_DEVICE_IOP332	0x0332
#define HPS_PCI_DEVICE_POGO	0x7458

/* Reads a slot's register, unless the controller is dead or does not respond. */
static int hps_shpc_read(struct hps_shpc *shpc, int index, u32 *value)
{
	unsigned long flags;
	int error = -ENODEV;

	spin_lock_irqsave(&shpc->lock, flags);
	if (!shpc->dead) {
		*value = readl(shpc->regs + SHPC_SLOT(index));
		if (!PCI_POSSIBLE_ERROR(*value))
			error = 0;
	}
	spin_unlock_irqrestore(&shpc->lock, flags);
	return error;
}

static int hps_shpc_read_slot(struct hps_shpc_slot *slot, u32 *value)
{
	return hps_shpc_read(slot->shpc, slot->index, value);
}

static bool hps_shpc_level(struct hps_slot *slot, struct hps_level *level)
{
	struct hps_shpc_slot *shpc_slot = to_hps_shpc_slot(slot);
	u32 value, state;

	if (hps_shpc_read_slot(shpc_slot, &value))
		return false;
	state = FIELD_GET(SHPC_SLOT_STATE, value);
	if (state == SHPC_STATE_POWER_ONLY || state == SHPC_STATE_ENABLED)
		level->status |= HPSHIM_STATUS_POWER;
	if (FIELD_GET(SHPC_SLOT_PRSNT, value) != SHPC_PRSNT_EMPTY)
		level->status |= HPSHIM_STATUS_PRESENT;
	if (slot->caps & HPSHIM_CAP_LATCH && value & SHPC_SLOT_LATCH_OPEN)
		level->status |= HPSHIM_STATUS_LATCH_OPEN;
	if (READ_ONCE(shpc_slot->fault))
		level->status |= HPSHIM_STATUS_POWER_FAULT;
	level->power_indicator = FIELD_GET(SHPC_SLOT_PIC, value);
	level->attention_indicator = FIELD_GET(SHPC_SLOT_AIC, value);
	return true;
}

/* A bridge that does not respond is not busy: there is nothing to wait for. */
static bool hps_shpc_busy(struct hps_shpc *shpc)
{
	u16 status = readw(shpc->regs + SHPC_COMMAND_STATUS);

	return status & SHPC_STATUS_BUSY && !PCI_POSSIBLE_ERROR(status);
}

/* Waits for the controller with the command mutex held. Returns whether it is idle. */
static bool hps_shpc_wait_idle(struct hps_shpc *shpc, bool interrupt)
{
	unsigned long deadline = jiffies + msecs_to_jiffies(HPS_SHPC_COMMAND_MS);

	if (interrupt) {
		wait_event_timeout(shpc->queue, !hps_shpc_busy(shpc), deadline - jiffies);
	} else {
		while (hps_shpc_busy(shpc) && time_before(jiffies, deadline))
			usleep_range(10000, 15000);
	}
	return !hps_shpc_busy(shpc);
}

static int hps_shpc_result(struct hps_shpc *shpc, const char **report)
{
	u16 status = readw(shpc->regs + SHPC_COMMAND_STATUS);

	if (PCI_POSSIBLE_ERROR(status))
		return -ENODEV;
	switch (FIELD_GET(SHPC_STATUS_ERROR, status)) {
	case 0:
		return 0;
	case SHPC_ERROR_LATCH:
		*report = "controller refused: latch is open";
		return -EPERM;
	case SHPC_ERROR_COMMAND:
		*report = "controller refused: invalid command";
		return -EINVAL;
	case SHPC_ERROR_SPEED:
		*report = "controller refused: invalid bus speed or mode";
		return -EPROTONOSUPPORT;
	}
	*report = "controller refused for an unknown reason";
	return -EIO;
}

/* One command for @target (n + 1: slot n), from start to completion. */
int hps_shpc_command(struct hps_shpc_slot *slot, u8 target, u8 code, const char **report)
{
	struct hps_shpc *shpc = slot->shpc;
	int error;

	mutex_lock(&shpc->command);
	if (READ_ONCE(shpc->going)) {
		error = -ENODEV;
		goto unlock;
	}
	if (!hps_shpc_wait_idle(shpc, false)) {
		*report = "controller is busy with an earlier command";
		error = -EBUSY;
		goto unlock;
	}
	writew(target << 8 | code, shpc->regs + SHPC_COMMAND);
	if (!hps_shpc_wait_idle(shpc, shpc->irq >= 0 && !shpc->asleep) ||
	    hps_inject_loses_command(&slot->slot)) {
		pci_info(shpc->bridge, "Slot(%s): no completion of command %#04x\n",
			 slot->slot.name, code);
		hps_event_simple(&slot->slot, HPSHIM_EVENT_COMMAND_TIMEOUT);
		*report = "command was not completed";
		error = -ETIMEDOUT;
		goto unlock;
	}
	error = hps_shpc_result(shpc, report);
unlock:
	mutex_unlock(&shpc->command);
	return error;
}

static int hps_shpc_slot_command(struct hps_shpc_slot *slot, u8 code, const char **report)
{
	return hps_shpc_command(slot, slot->index + 1, code, report);
}

/* By the code of Set Bus Segment Speed/Mode A and B, which the registers use as well. */
static const u8 hps_shpc_speeds[] = {
	PCI_SPEED_33MHz, PCI_SPEED_66MHz,
	PCI_SPEED_66MHz_PCIX, PCI_SPEED_100MHz_PCIX, PCI_SPEED_133MHz_PCIX,
	PCI_SPEED_66MHz_PCIX_ECC, PCI_SPEED_100MHz_PCIX_ECC, PCI_SPEED_133MHz_PCIX_ECC,
	PCI_SPEED_66MHz_PCIX_266, PCI_SPEED_100MHz_PCIX_266, PCI_SPEED_133MHz_PCIX_266,
	PCI_SPEED_66MHz_PCIX_533, PCI_SPEED_100MHz_PCIX_533, PCI_SPEED_133MHz_PCIX_533,
};

/* What the bus runs at. The caller holds the command mutex or is probe(). */
static u8 hps_shpc_current_speed(struct hps_shpc *shpc)
{
	u16 mode = readw(shpc->regs + SHPC_BUS_CONFIG) & (shpc->interface == 2 ? 0xf : 0x7);

	if (mode >= ARRAY_SIZE(hps_shpc_speeds) || (shpc->interface == 1 && mode > 4))
		return PCI_SPEED_UNKNOWN;
	return hps_shpc_speeds[mode];
}

/* What the slots can do at best: one field of the registers for each speed. */
static u8 hps_shpc_max_speed(struct hps_shpc *shpc)
{
	static const struct {
		u8 interface;
		u8 reg;
		u32 mask;
		u8 speed;
	} fields[] = {
		{ 2, SHPC_SLOTS_AVAILABLE_2, 0xf0000000, PCI_SPEED_133MHz_PCIX_533 },
		{ 2, SHPC_SLOTS_AVAILABLE_2, 0x0f000000, PCI_SPEED_100MHz_PCIX_533 },
		{ 2, SHPC_SLOTS_AVAILABLE_2, 0x00f00000, PCI_SPEED_66MHz_PCIX_533 },
		{ 2, SHPC_SLOTS_AVAILABLE_2, 0x000f0000, PCI_SPEED_133MHz_PCIX_266 },
		{ 2, SHPC_SLOTS_AVAILABLE_2, 0x0000f000, PCI_SPEED_100MHz_PCIX_266 },
		{ 2, SHPC_SLOTS_AVAILABLE_2, 0x00000f00, PCI_SPEED_66MHz_PCIX_266 },
		{ 1, SHPC_SLOTS_AVAILABLE_1, 0x1f000000, PCI_SPEED_133MHz_PCIX },
		{ 1, SHPC_SLOTS_AVAILABLE_1, 0x001f0000, PCI_SPEED_100MHz_PCIX },
		{ 1, SHPC_SLOTS_AVAILABLE_1, 0x00001f00, PCI_SPEED_66MHz_PCIX },
		{ 1, SHPC_SLOTS_AVAILABLE_2, 0x0000001f, PCI_SPEED_66MHz },
		{ 1, SHPC_SLOTS_AVAILABLE_1, 0x0000001f, PCI_SPEED_33MHz },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(fields); i++)
		if (fields[i].interface <= shpc->interface &&
		    readl(shpc->regs + fields[i].reg) & fields[i].mask)
			return fields[i].speed;
	return PCI_SPEED_UNKNOWN;
}

/* Tells the PCI core. Called by probe(). */
void hps_shpc_learn_speeds(struct hps_shpc *shpc)
{
	shpc->bridge->subordinate->max_bus_speed = hps_shpc_max_speed(shpc);
	shpc->bridge->subordinate->cur_bus_speed = hps_shpc_current_speed(shpc);
}

/* What the card in a powered slot can do. */
static int hps_shpc_card_speed(struct hps_shpc_slot *slot, u8 *speed)
{
	u32 value, pcix;

	if (hps_shpc_read_slot(slot, &value))
		return -ENODEV;
	pcix = slot->shpc->interface == 2 ? FIELD_GET(SHPC_SLOT_PCIX_2, value) :
					    FIELD_GET(SHPC_SLOT_PCIX_1, value);
	switch (pcix) {
	case 0:
		*speed = value & SHPC_SLOT_66MHZ ? PCI_SPEED_66MHz : PCI_SPEED_33MHz;
		return 0;
	case 1:
		*speed = PCI_SPEED_66MHz_PCIX;
		return 0;
	case 3:
		*speed = PCI_SPEED_133MHz_PCIX;
		return 0;
	case 4:
		*speed = PCI_SPEED_133MHz_PCIX_266;
		return 0;
	case 5:
		*speed = PCI_SPEED_133MHz_PCIX_533;
		return 0;
	}
	return -EPROTONOSUPPORT;
}

static int hps_shpc_set_speed(struct hps_shpc_slot *slot, u8 speed, const char **report)
{
	struct hps_shpc *shpc = slot->shpc;
	int mode, error;

	for (mode = 0; mode < ARRAY_SIZE(hps_shpc_speeds); mode++)
		if (hps_shpc_speeds[mode] == speed)
			break;
	if (mode == ARRAY_SIZE(hps_shpc_speeds) || (shpc->interface == 1 && mode > 4)) {
		*report = "controller does not know the card's bus speed";
		return -EPROTONOSUPPORT;
	}
	/* The target means nothing to this command; native drivers say slot 1. */
	error = hps_shpc_command(slot, 1, mode < 5 ? SHPC_CMD_SPEED_A + mode :
						     SHPC_CMD_SPEED_B + mode, report);
	if (error)
		return error;

	mutex_lock(&shpc->command);
	if (!shpc->dead && shpc->bridge->subordinate)
		shpc->bridge->subordinate->cur_bus_speed = hps_shpc_current_speed(shpc);
	mutex_unlock(&shpc->command);
	return 0;
}

/* After sleep, with nothing on the bus yet: the bus at the speed that it had. */
void hps_shpc_restore_speed(struct hps_shpc *shpc, u16 saved)
{
	u16 mask = shpc->interface == 2 ? 0xf : 0x7;
	u16 now = readw(shpc->regs + SHPC_BUS_CONFIG);
	const char *ignored;

	saved &= mask;
	if (!shpc->slots || PCI_POSSIBLE_ERROR(now) || (now & mask) == saved ||
	    saved >= ARRAY_SIZE(hps_shpc_speeds))
		return;
	hps_shpc_set_speed(shpc->slot[0], hps_shpc_speeds[saved], &ignored);
}

static int hps_shpc_match_other(struct device *dev, void *data)
{
	return dev->bus == &pci_bus_type && !hps_slot_holds(data, to_pci_dev(dev));
}

/* Is anything else on the bus? Then its speed has to stay. */
static bool hps_shpc_bus_in_use(struct hps_shpc_slot *slot)
{
	struct hps_shpc *shpc = slot->shpc;
	u32 value;
	int i;

	if (device_for_each_child(&shpc->bridge->dev, &slot->slot, hps_shpc_match_other))
		return true;
	for (i = 0; i < shpc->slots; i++)
		if (i != slot->index && !hps_shpc_read(shpc, i, &value) &&
		    FIELD_GET(SHPC_SLOT_STATE, value) == SHPC_STATE_ENABLED)
			return true;
	return false;
}

/* The card has power; sets the bus to what both can do. */
static int hps_shpc_agree_on_speed(struct hps_shpc_slot *slot, const char **report)
{
	struct hps_shpc *shpc = slot->shpc;
	u8 card, bus = PCI_SPEED_UNKNOWN, max = PCI_SPEED_UNKNOWN, want;
	int error;

	error = hps_shpc_card_speed(slot, &card);
	if (error) {
		if (error != -ENODEV)
			*report = "card tells no bus speed that we know";
		return error;
	}
	mutex_lock(&shpc->command);
	if (!shpc->dead) {
		bus = hps_shpc_current_speed(shpc);
		max = hps_shpc_max_speed(shpc);
	}
	mutex_unlock(&shpc->command);

	if (hps_shpc_bus_in_use(slot)) {
		if (card >= bus)
			return 0;
		*report = "card is too slow for the bus as it runs";
		return -EPROTONOSUPPORT;
	}
	want = min(card, max);
	return want == bus ? 0 : hps_shpc_set_speed(slot, want, report);
}

static bool hps_shpc_is(const struct hps_shpc *shpc, u16 vendor, u16 device)
{
	return shpc->bridge->vendor == vendor && shpc->bridge->device == device;
}

/* AMD 7458 with one slot takes the enabling for a bus error: mask these meanwhile. */
#define HPS_POGO_MISC		0x48
#define HPS_POGO_MISC_ERRORS	GENMASK(22, 18)
#define HPS_POGO_BRIDGE_ERRORS	0x80
#define HPS_POGO_PERR_OBSERVED	BIT(0)
#define HPS_POGO_MEMORY		0x1c
#define HPS_POGO_RSE		BIT(30)

static bool hps_shpc_is_pogo(const struct hps_shpc *shpc)
{
	return shpc->slots == 1 && hps_shpc_is(shpc, PCI_VENDOR_ID_AMD, HPS_PCI_DEVICE_POGO);
}

static void hps_shpc_pogo_before(struct hps_shpc *shpc)
{
	pci_read_config_dword(shpc->bridge, HPS_POGO_MISC, &shpc->errata);
	pci_write_config_dword(shpc->bridge, HPS_POGO_MISC, shpc->errata & ~HPS_POGO_MISC_ERRORS);
}

static void hps_shpc_pogo_after(struct hps_shpc *shpc)
{
	struct pci_dev *bridge = shpc->bridge;
	u32 value;

	pci_read_config_dword(bridge, HPS_POGO_BRIDGE_ERRORS, &value);
	if (value & HPS_POGO_PERR_OBSERVED)
		pci_write_config_dword(bridge, HPS_POGO_BRIDGE_ERRORS, HPS_POGO_PERR_OBSERVED);
	pci_read_config_dword(bridge, HPS_POGO_MEMORY, &value);
	if (value & HPS_POGO_RSE)
		pci_write_config_dword(bridge, HPS_POGO_MEMORY, HPS_POGO_RSE);
	pci_read_config_dword(bridge, HPS_POGO_MISC, &value);
	value &= ~HPS_POGO_MISC_ERRORS;
	value |= shpc->errata & HPS_POGO_MISC_ERRORS;
	pci_write_config_dword(bridge, HPS_POGO_MISC, value);
}

static int hps_shpc_connect(struct hps_shpc_slot *slot, const char **report)
{
	struct hps_shpc *shpc = slot->shpc;
	const char *ignored;
	int error;

	/* Others had the bus for a while. */
	if (hps_slot_aborted(&slot->slot))
		return -ECANCELED;
	error = hps_shpc_slot_command(slot, SHPC_CMD_POWER_ONLY, report);
	if (error)
		return error;
	if (hps_shpc_is(shpc, PCI_VENDOR_ID_INTEL, HPS_PCI_DEVICE_IOP332)) {
		/* Tells no card's speed before the slot is enabled at 33 MHz. */
		error = hps_shpc_set_speed(slot, PCI_SPEED_33MHz, report);
		if (!error)
			error = hps_shpc_slot_command(slot, SHPC_CMD_ENABLE, report);
	}
	if (!error)
		error = hps_shpc_agree_on_speed(slot, report);
	if (!error && hps_slot_aborted(&slot->slot))
		error = -ECANCELED;
	if (!error)
		error = hps_shpc_slot_command(slot, SHPC_CMD_ENABLE, report);
	/* Powered and not on the bus is no state to leave a slot in. */
	if (error)
		hps_shpc_slot_command(slot, SHPC_CMD_DISABLE, &ignored);
	return error;
}

static int hps_shpc_power_on(struct hps_slot *slot, const char **report)
{
	struct hps_shpc_slot *shpc_slot = to_hps_shpc_slot(slot);
	struct hps_shpc *shpc = shpc_slot->shpc;
	struct hps_level level;
	int error;
	u32 value;

	if (hps_shpc_read_slot(shpc_slot, &value))
		return -ENODEV;
	hps_slot_status(slot, &level);
	if (!(level.status & HPSHIM_STATUS_PRESENT)) {
		*report = "no card in the slot";
		return -ENODEV;
	}
	if (level.status & HPSHIM_STATUS_LATCH_OPEN) {
		*report = "latch is open";
		return -EPERM;
	}
	if (FIELD_GET(SHPC_SLOT_STATE, value) == SHPC_STATE_ENABLED)
		return 0;

	WRITE_ONCE(shpc_slot->fault, false);
	if (hps_shpc_is_pogo(shpc))
		hps_shpc_pogo_before(shpc);
	mutex_lock(&shpc->speed);
	error = hps_shpc_connect(shpc_slot, report);
	mutex_unlock(&shpc->speed);
	if (!error && !hps_slot_sleep(slot, HPS_SHPC_SETTLE_MS))
		error = READ_ONCE(slot->dead) ? -ENODEV : -ECANCELED;
	if (hps_shpc_is_pogo(shpc))
		hps_shpc_pogo_after(shpc);
	if (error)
		return error;

	/* As interrupts told; the bit's level means nothing on some controllers. */
	hps_slot_status(slot, &level);
	if (level.status & HPSHIM_STATUS_POWER_FAULT) {
		*report = "power fault";
		return -EIO;
	}
	if (!(level.status & HPSHIM_STATUS_PRESENT)) {
		*report = "card was taken out";
		return -ENODEV;
	}
	return 0;
}

/*
 * The power indicator goes off with the power, in one command: controllers take
 * that for the sign that the card may be taken out.
 */
static int hps_shpc_power_off(struct hps_slot *slot, const char **report)
{
	u8 code = SHPC_CMD_DISABLE | FIELD_PREP(SHPC_CMD_PIC, HPSHIM_INDICATOR_OFF);

	return hps_shpc_slot_command(to_hps_shpc_slot(slot), code, report);
}

static int hps_shpc_indicators(struct hps_slot *slot, u8 power, u8 attention)
{
	u8 code = FIELD_PREP(SHPC_CMD_PIC, power) | FIELD_PREP(SHPC_CMD_AIC, attention);
	const char *ignored;

	return code ? hps_shpc_slot_command(to_hps_shpc_slot(slot), code, &ignored) : 0;
}

static void hps_shpc_free(struct hps_slot *slot)
{
	struct hps_shpc_slot *shpc_slot = to_hps_shpc_slot(slot);

	hps_shpc_put(shpc_slot->shpc);
	kfree_rcu(shpc_slot, slot.rcu);
}

const struct hps_slot_ops hps_shpc_ops = {
	.level = hps_shpc_level,
	.power_on = hps_shpc_power_on,
	.power_off = hps_shpc_power_off,
	.indicators = hps_shpc_indicators,
	.free = hps_shpc_free,
};
