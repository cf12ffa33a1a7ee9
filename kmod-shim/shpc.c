// SPDX-License-Identifier: GPL-2.0-only
/*
 * shpc.c - the PCI driver of bridges with a Standard Hot-Plug Controller
 *
 * hpshim takes shpchp's place as the driver of such a bridge. It binds only to
 * bridges that port.c has claimed. Callbacks of the driver core run under
 * device_lock(bridge), and remove() under the rescan lock as well: see the lock
 * contract in slot.h. The driver's directory carries the commit attributes.
 */
#include <linux/bitfield.h>
#include <linux/interrupt.h>
#include <linux/pci.h>
#include <linux/pci_hotplug.h>
#include <linux/slab.h>
#include "compat.h"
#include "event.h"
#include "port.h"
#include "shpc.h"

#define HPS_POLL_FIRST	(10 * HZ)
#define HPS_POLL_NEXT	(2 * HZ)

/* In the capability: select a dword of the working register set, and its data. */
#define SHPC_CAP_SELECT	2
#define SHPC_CAP_DATA	4

/* The working register set of this one starts its BAR, without a capability. */
static bool hps_shpc_is_golam(const struct pci_dev *bridge)
{
	return bridge->vendor == PCI_VENDOR_ID_AMD &&
	       bridge->device == PCI_DEVICE_ID_AMD_GOLAM_7450;
}

static u32 hps_shpc_indirect(struct pci_dev *bridge, u8 capability, u8 dword)
{
	u32 value = 0;

	pci_write_config_byte(bridge, capability + SHPC_CAP_SELECT, dword);
	pci_read_config_dword(bridge, capability + SHPC_CAP_DATA, &value);
	return value;
}

/* Is there a controller? */
bool hps_shpc_capable(struct pci_dev *pdev)
{
	return pdev->hdr_type == PCI_HEADER_TYPE_BRIDGE &&
	       (hps_shpc_is_golam(pdev) || pci_find_capability(pdev, PCI_CAP_ID_SHPC));
}

/*
 * Which slots the controller of @bridge has, read without mapping it: the native
 * driver may have that. Returns the slot configuration, 0 if it cannot be told.
 */
static u32 hps_shpc_slot_config(struct pci_dev *bridge)
{
	u8 capability = pci_find_capability(bridge, PCI_CAP_ID_SHPC);
	u32 config;

	if (!capability)
		return 0;
	config = hps_shpc_indirect(bridge, capability, SHPC_SLOT_CONFIG / 4);
	return PCI_POSSIBLE_ERROR(config) ? 0 : config;
}

/* Number of the slot with @index, on its label and in its name. */
static int hps_shpc_slot_number(u32 config, int index)
{
	int number = FIELD_GET(SHPC_CONFIG_NUMBER, config);

	return config & SHPC_CONFIG_UP ? number + index : number - index;
}

static void hps_shpc_free_controller(struct kref *ref)
{
	kfree(container_of(ref, struct hps_shpc, ref));
}

void hps_shpc_put(struct hps_shpc *shpc)
{
	kref_put(&shpc->ref, hps_shpc_free_controller);
}

/* The caller holds shpc->lock or is alone. */
static void hps_shpc_write_serr_int(struct hps_shpc *shpc, u32 clear, u32 set)
{
	u32 value = readl(shpc->regs + SHPC_SERR_INT);

	value &= ~(clear | SHPC_SERR_INT_RESERVED | SHPC_DETECTED);
	writel(value | set, shpc->regs + SHPC_SERR_INT);
}

static void hps_shpc_write_slot(struct hps_shpc *shpc, int index, u32 clear, u32 set)
{
	u32 value = readl(shpc->regs + SHPC_SLOT(index));

	value &= ~(clear | SHPC_SLOT_RESERVED | SHPC_SLOT_SAW);
	writel(value | set, shpc->regs + SHPC_SLOT(index));
}

/* Reads, clears and tells what a slot shows. The caller holds shpc->lock. */
void hps_shpc_look_at_slot(struct hps_shpc *shpc, int index)
{
	struct hps_shpc_slot *slot = shpc->slot[index];
	u32 value = readl(shpc->regs + SHPC_SLOT(index));
	u32 saw = 0;

	if (PCI_POSSIBLE_ERROR(value))
		return;
	writel(value & ~SHPC_SLOT_RESERVED, shpc->regs + SHPC_SLOT(index));

	if (value & SHPC_SLOT_SAW_LATCH)
		saw |= BIT(HPSHIM_EVENT_LATCH);
	if (value & SHPC_SLOT_SAW_BUTTON)
		saw |= BIT(HPSHIM_EVENT_BUTTON);
	if (value & SHPC_SLOT_SAW_PRESENCE)
		saw |= BIT(HPSHIM_EVENT_PRESENCE);
	if (value & (SHPC_SLOT_SAW_FAULT | SHPC_SLOT_SAW_ISO_FAULT) &&
	    !(value & SHPC_SLOT_NO_FAULT)) {
		WRITE_ONCE(slot->fault, true);
		saw |= BIT(HPSHIM_EVENT_POWER_FAULT);
	}
	hps_slot_saw(&slot->slot, saw);
}

static irqreturn_t hps_shpc_irq(int irq, void *data)
{
	struct hps_shpc *shpc = data;
	irqreturn_t result = IRQ_NONE;
	unsigned long flags;
	u32 interrupts;
	int i;

	spin_lock_irqsave(&shpc->lock, flags);
	if (shpc->dead)
		goto unlock;
	interrupts = readl(shpc->regs + SHPC_INTERRUPTS);
	if (!interrupts || PCI_POSSIBLE_ERROR(interrupts))
		goto unlock;
	result = IRQ_HANDLED;

	/*
	 * Masked while we look, so that what comes meanwhile makes an edge when
	 * the mask goes (SHPC specification, implementation note at 4.7).
	 */
	if (shpc->irq >= 0)
		hps_shpc_write_serr_int(shpc, 0, SHPC_MASK_INTERRUPTS);
	if (interrupts & SHPC_INTERRUPT_COMMAND) {
		hps_shpc_write_serr_int(shpc, 0, SHPC_DETECTED);
		wake_up(&shpc->queue);
	}
	for (i = 0; i < shpc->slots; i++)
		if (interrupts & SHPC_INTERRUPT_SLOT(i))
			hps_shpc_look_at_slot(shpc, i);
	if (shpc->irq >= 0)
		hps_shpc_write_serr_int(shpc, SHPC_MASK_INTERRUPTS, 0);
unlock:
	spin_unlock_irqrestore(&shpc->lock, flags);
	return result;
}

static void hps_shpc_poll(struct work_struct *work)
{
	struct hps_shpc *shpc = container_of(work, struct hps_shpc, poll_work.work);

	hps_shpc_irq(shpc->irq, shpc);
	queue_delayed_work(hps_event_wq, &shpc->poll_work, HPS_POLL_NEXT);
}

/* Masks everything and forgets what was seen. The caller holds shpc->lock or is alone. */
void hps_shpc_mask(struct hps_shpc *shpc)
{
	const u32 all = SHPC_MASK_INTERRUPTS | SHPC_MASK_SERR | SHPC_MASK_COMMAND |
			SHPC_MASK_ARBITER;
	int i;

	hps_shpc_write_serr_int(shpc, 0, all | SHPC_DETECTED);
	for (i = 0; i < shpc->slots; i++)
		hps_shpc_write_slot(shpc, i, 0, SHPC_SLOT_MASKS | SHPC_SLOT_SERR_MASKS |
						SHPC_SLOT_SAW);
}

void hps_shpc_unmask(struct hps_shpc *shpc)
{
	int i;

	spin_lock_irq(&shpc->lock);
	for (i = 0; i < shpc->slots; i++)
		hps_shpc_write_slot(shpc, i, SHPC_SLOT_MASKS, 0);
	if (shpc->irq >= 0)
		hps_shpc_write_serr_int(shpc, SHPC_MASK_INTERRUPTS | SHPC_MASK_COMMAND, 0);
	spin_unlock_irq(&shpc->lock);
}

static int hps_shpc_map(struct hps_shpc *shpc)
{
	struct pci_dev *bridge = shpc->bridge;
	u8 capability;
	u32 config;
	int error;

	if (!pci_is_enabled(bridge)) {
		error = pci_enable_device(bridge);
		if (error)
			return error;
	}
	shpc->base = pci_resource_start(bridge, 0);
	if (!shpc->base)
		return -ENODEV;
	if (hps_shpc_is_golam(bridge)) {
		shpc->size = pci_resource_len(bridge, 0);
	} else {
		capability = pci_find_capability(bridge, PCI_CAP_ID_SHPC);
		config = hps_shpc_slot_config(bridge);
		shpc->base += hps_shpc_indirect(bridge, capability, SHPC_BASE_OFFSET / 4);
		shpc->size = SHPC_SLOT(FIELD_GET(SHPC_CONFIG_SLOTS, config));
	}
	if (!request_mem_region(shpc->base, shpc->size, "hpshim"))
		return -EBUSY;
	shpc->regs = ioremap(shpc->base, shpc->size);
	if (!shpc->regs) {
		release_mem_region(shpc->base, shpc->size);
		return -ENOMEM;
	}
	return 0;
}

static void hps_shpc_unmap(struct hps_shpc *shpc)
{
	iounmap(shpc->regs);
	release_mem_region(shpc->base, shpc->size);
}

static int hps_shpc_add_slot(struct hps_shpc *shpc, int index, u32 config)
{
	struct hps_shpc_slot *slot = kzalloc(sizeof(*slot), GFP_KERNEL);
	struct pci_bus *bus = shpc->bridge->subordinate;
	u8 device = shpc->first + index;
	int error;

	if (!slot)
		return -ENOMEM;
	hps_slot_init(&slot->slot, &hps_shpc_ops, shpc->bridge, device);
	slot->shpc = shpc;
	kref_get(&shpc->ref);
	slot->index = index;
	slot->slot.kind = HPSHIM_KIND_SHPC;
	slot->slot.caps = HPSHIM_CAP_POWER | HPSHIM_CAP_ATTENTION_INDICATOR |
			  HPSHIM_CAP_POWER_INDICATOR;
	if (config & SHPC_CONFIG_BUTTON)
		slot->slot.caps |= HPSHIM_CAP_BUTTON;
	if (config & SHPC_CONFIG_LATCH)
		slot->slot.caps |= HPSHIM_CAP_LATCH;

	snprintf(slot->slot.name, sizeof(slot->slot.name), "%d",
		 hps_shpc_slot_number(config, index));
	hps_port_slot_name(shpc->bridge, device, slot->slot.name);
	error = hps_legacy_init_slot(&slot->slot, bus, slot->slot.name);
	if (error) {
		hps_slot_put(&slot->slot);
		return error;
	}
	shpc->slot[index] = slot;
	return 0;
}

/*
 * From here on nobody touches the registers. Waits for the command that is under
 * way and for nothing else.
 */
static void hps_shpc_quiet(struct hps_shpc *shpc)
{
	int i;

	WRITE_ONCE(shpc->going, true);
	mutex_lock(&shpc->command);
	spin_lock_irq(&shpc->lock);
	hps_shpc_mask(shpc);
	shpc->dead = true;
	spin_unlock_irq(&shpc->lock);
	for (i = 0; i < shpc->slots; i++)
		if (shpc->slot[i])
			hps_slot_kill(&shpc->slot[i]->slot);
	mutex_unlock(&shpc->command);
}

/* The end of it. Undoes as much as was done. */
static void hps_shpc_stop(struct hps_shpc *shpc)
{
	int i;

	hps_shpc_quiet(shpc);
	if (shpc->irq >= 0) {
		free_irq(shpc->irq, shpc);
		pci_free_irq_vectors(shpc->bridge);
	} else {
		cancel_delayed_work_sync(&shpc->poll_work);
	}
	hps_shpc_unmap(shpc);
	for (i = 0; i < shpc->slots; i++) {
		struct hps_shpc_slot *slot = shpc->slot[i];

		if (!slot)
			continue;
		hps_event_send_presses(&slot->slot, 0);
		if (slot->published)
			hps_legacy_unpublish(&slot->slot);
		hps_legacy_destroy(&slot->slot);
		hps_slot_del(&slot->slot);
	}
	hps_shpc_put(shpc);
}

/* An interrupt, or -1 to poll. */
static int hps_shpc_request_irq(struct hps_shpc *shpc)
{
	struct pci_dev *bridge = shpc->bridge;
	int irq;

	if (pci_alloc_irq_vectors(bridge, 1, 1, PCI_IRQ_MSI | PCI_IRQ_INTX) < 0)
		return -1;
	if (pci_dev_msi_enabled(bridge))
		pci_set_master(bridge);
	irq = pci_irq_vector(bridge, 0);
	if (request_irq(irq, hps_shpc_irq, IRQF_SHARED, "hpshim", shpc)) {
		pci_free_irq_vectors(bridge);
		return -1;
	}
	return irq;
}

static int hps_shpc_start(struct pci_dev *bridge)
{
	struct hps_shpc *shpc;
	int error, i;
	u32 config;

	if (!hps_shpc_capable(bridge) || !bridge->subordinate)
		return -ENODEV;
	if (acpi_get_hp_hw_control_from_firmware(bridge))
		return -ENODEV;

	shpc = kzalloc(sizeof(*shpc), GFP_KERNEL);
	if (!shpc)
		return -ENOMEM;
	kref_init(&shpc->ref);
	shpc->bridge = bridge;
	spin_lock_init(&shpc->lock);
	mutex_init(&shpc->command);
	mutex_init(&shpc->speed);
	init_waitqueue_head(&shpc->queue);
	INIT_DELAYED_WORK(&shpc->poll_work, hps_shpc_poll);

	error = hps_shpc_map(shpc);
	if (error) {
		hps_shpc_put(shpc);
		return error;
	}
	config = readl(shpc->regs + SHPC_SLOT_CONFIG);
	shpc->slots = min_t(u8, FIELD_GET(SHPC_CONFIG_SLOTS, config), HPS_SHPC_SLOTS);
	shpc->first = FIELD_GET(SHPC_CONFIG_FIRST, config);
	shpc->interface = readb(shpc->regs + SHPC_INTERFACE);
	hps_shpc_mask(shpc);
	hps_shpc_learn_speeds(shpc);
	shpc->irq = -1;

	for (i = 0; i < shpc->slots; i++) {
		error = hps_shpc_add_slot(shpc, i, config);
		if (error)
			goto err_stop;
	}
	shpc->irq = hps_shpc_request_irq(shpc);
	if (shpc->irq < 0)
		queue_delayed_work(hps_event_wq, &shpc->poll_work, HPS_POLL_FIRST);
	for (i = 0; i < shpc->slots; i++) {
		hps_slot_add(&shpc->slot[i]->slot);
		hps_card_learn(&shpc->slot[i]->slot);
		error = hps_legacy_publish(&shpc->slot[i]->slot);
		if (error)
			goto err_stop;
		shpc->slot[i]->published = true;
	}
	hps_shpc_unmask(shpc);
	pci_set_drvdata(bridge, shpc);
	bridge->shpc_managed = 1;	/* keeps acpiphp away */
	pci_info(bridge, "%u slots are ours\n", shpc->slots);
	return 0;

err_stop:
	hps_shpc_stop(shpc);
	return error;
}

static struct pci_driver hps_shpc_driver;

static int hps_shpc_probe(struct pci_dev *bridge, const struct pci_device_id *id)
{
	int error;

	if (!hps_port_claimed(bridge))
		return -ENODEV;
	/* From here on the native driver may be bound by hand, or by us. */
	hps_override_clear(bridge, &hps_shpc_driver.driver);
	error = hps_shpc_start(bridge);
	if (error)
		hps_port_declined(bridge);
	return error;
}

/* Called when the bridge goes away, when we release it, and when it is unbound by hand. */
static void hps_shpc_remove(struct pci_dev *bridge)
{
	bridge->shpc_managed = 0;
	hps_shpc_stop(pci_get_drvdata(bridge));
	hps_port_lost(bridge);
	pci_info(bridge, "slots are no longer ours\n");
}

/* The machine goes down, or another kernel is started: no interrupt may reach that. */
static void hps_shpc_shutdown(struct pci_dev *bridge)
{
	hps_shpc_quiet(pci_get_drvdata(bridge));
}

static const struct pci_device_id hps_shpc_ids[] = {
	{ PCI_DEVICE_CLASS(PCI_CLASS_BRIDGE_PCI_NORMAL, ~0) },
	{ }
};

/* No module alias: it binds to nothing that was not claimed. */
static struct pci_driver hps_shpc_driver = {
	.name = "hpshim",
	.id_table = hps_shpc_ids,
	.probe = hps_shpc_probe,
	.remove = hps_shpc_remove,
	.shutdown = hps_shpc_shutdown,
	.groups = hps_commit_groups,
	.driver_managed_dma = true,
	.driver.pm = &hps_shpc_pm_ops,
};

/* Binds our driver to a claimed bridge that has none. */
int hps_shpc_attach(struct pci_dev *bridge)
{
	return device_driver_attach(&hps_shpc_driver.driver, &bridge->dev);
}

bool hps_shpc_owns(struct pci_dev *bridge)
{
	return READ_ONCE(bridge->dev.driver) == &hps_shpc_driver.driver;
}

/* The native driver may have @bridge, which was kept for us and is without a driver. */
void hps_shpc_unreserve(struct pci_dev *bridge)
{
	device_lock(&bridge->dev);
	hps_override_clear(bridge, &hps_shpc_driver.driver);
	device_unlock(&bridge->dev);
}

static void hps_shpc_appeared(struct pci_dev *bridge)
{
	if (!hps_shpc_capable(bridge) || !hps_port_claim_new(bridge, &bridge->dev))
		return;
	if (hps_override_set(bridge))
		hps_port_lost(bridge);
	else if (!hps_port_claimed(bridge))
		hps_shpc_unreserve(bridge);	/* was given back before it was reserved */
}

/* Devices that come and go, with the rescan lock held; no driver has seen a new one. */
static int hps_shpc_notify(struct notifier_block *nb, unsigned long action, void *data)
{
	struct pci_dev *bridge = to_pci_dev(data);

	if (action == BUS_NOTIFY_ADD_DEVICE) {
		hps_card_appeared(bridge);
		hps_shpc_appeared(bridge);
	} else if (action == BUS_NOTIFY_REMOVED_DEVICE) {
		hps_port_lost(bridge);
	}
	return NOTIFY_DONE;
}

static struct notifier_block hps_shpc_notifier = {
	.notifier_call = hps_shpc_notify,
};

int hps_shpc_register(void)
{
	int error = pci_register_driver(&hps_shpc_driver);

	if (error)
		return error;
	error = bus_register_notifier(&pci_bus_type, &hps_shpc_notifier);
	if (error)
		pci_unregister_driver(&hps_shpc_driver);
	return error;
}

void hps_shpc_unregister(void)
{
	bus_unregister_notifier(&pci_bus_type, &hps_shpc_notifier);
	pci_unregister_driver(&hps_shpc_driver);
}
