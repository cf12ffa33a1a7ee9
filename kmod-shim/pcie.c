// SPDX-License-Identifier: GPL-2.0-only
/*
 * pcie.c - the port service driver: takes slots, hears their interrupts
 *
 * hpshim takes pciehp's place as the hotplug service driver of a port. It binds
 * only to ports that port.c has claimed. Callbacks of the driver core run under
 * device_lock(service), and remove() under the rescan lock as well: see the lock
 * contract in slot.h. The interrupt handler reads and clears the status and
 * saves what it saw; it is a hard handler, because free_irq() of the services
 * that share the line waits for threads of all of them.
 */
#include <linux/bitfield.h>
#include <linux/dmi.h>
#include <linux/interrupt.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>
#include "compat.h"
#include "event.h"
#include "pcie.h"
#include "port.h"

#define HPS_POLL_FIRST	(10 * HZ)
#define HPS_POLL_NEXT	(2 * HZ)

/* These have in-band presence disabled in some slots, and cannot say so. */
static const struct dmi_system_id hps_inband_disabled[] = {
	{ .ident = "Dell System", .matches = { DMI_MATCH(DMI_OEM_STRING, "Dell System") } },
	{ }
};

/* What bits of Slot Status tell, as BIT(enum hpshim_event). */
u32 hps_pcie_told(u16 status)
{
	u32 saw = 0;

	if (status & PCI_EXP_SLTSTA_ABP)
		saw |= BIT(HPSHIM_EVENT_BUTTON);
	if (status & PCI_EXP_SLTSTA_PDC)
		saw |= BIT(HPSHIM_EVENT_PRESENCE);
	if (status & PCI_EXP_SLTSTA_DLLSC)
		saw |= BIT(HPSHIM_EVENT_LINK);
	if (status & PCI_EXP_SLTSTA_MRLSC)
		saw |= BIT(HPSHIM_EVENT_LATCH);
	if (status & PCI_EXP_SLTSTA_PFD)
		saw |= BIT(HPSHIM_EVENT_POWER_FAULT);
	return saw;
}

static irqreturn_t hps_pcie_irq(int irq, void *data)
{
	struct hps_pcie *pcie = data;
	struct pci_dev *port = pcie->slot.port;
	u16 status, events = 0;

	if (port->current_state == PCI_D3cold ||
	    (pcie->irq >= 0 && !(READ_ONCE(pcie->slot_ctrl) & PCI_EXP_SLTCTL_HPIE)))
		return IRQ_NONE;

	/*
	 * With MSI all status bits have to be zero before the next message is
	 * sent (PCIe r6.0, sec 6.7.3.4), so look until nothing is left.
	 */
	do {
		pcie_capability_read_word(port, PCI_EXP_SLTSTA, &status);
		if (PCI_POSSIBLE_ERROR(status))
			break;
		status &= HPS_PCIE_EVENTS;
		/* A lasting fault sets its bit again at once: say it once. */
		if (READ_ONCE(pcie->fault))
			status &= ~PCI_EXP_SLTSTA_PFD;
		if (status & PCI_EXP_SLTSTA_PFD)
			WRITE_ONCE(pcie->fault, true);
		if (!status)
			break;
		events |= status;
		pcie_capability_write_word(port, PCI_EXP_SLTSTA, status);
	} while (pci_dev_msi_enabled(port));

	if (!events)
		return IRQ_NONE;

	if (events & PCI_EXP_SLTSTA_CC) {
		WRITE_ONCE(pcie->busy, false);
		smp_mb();	/* before the waiter looks */
		wake_up(&pcie->queue);
	}
	if (READ_ONCE(pcie->resetting))
		events &= ~HPS_PCIE_FLAPS;
	if (!port->ignore_hotplug)
		hps_slot_saw(&pcie->slot, hps_pcie_told(events));
	return IRQ_HANDLED;
}

static void hps_pcie_poll_status(struct work_struct *work)
{
	struct hps_pcie *pcie = container_of(work, struct hps_pcie, poll_work.work);

	hps_pcie_irq(pcie->irq, pcie);
	queue_delayed_work(hps_event_wq, &pcie->poll_work, HPS_POLL_NEXT);
}

/* Reads what the slot has; no access that changes anything. */
static void hps_pcie_identify(struct hps_pcie *pcie)
{
	struct pci_dev *port = pcie->slot.port;
	struct hps_slot *slot = &pcie->slot;
	u32 slot_cap, slot_cap2, link_cap;

	pcie_capability_read_dword(port, PCI_EXP_SLTCAP, &slot_cap);
	pcie_capability_read_dword(port, PCI_EXP_SLTCAP2, &slot_cap2);
	pcie_capability_read_dword(port, PCI_EXP_LNKCAP, &link_cap);

	/* The indicators of these belong to user space, by setpci or the raw file. */
	slot->user_indicators = port->hotplug_user_indicators || hps_inject_user_indicators();
	if (slot->user_indicators)
		slot_cap &= ~(PCI_EXP_SLTCAP_AIP | PCI_EXP_SLTCAP_PIP);
	/* Some claim to complete commands and do not. */
	if (port->is_thunderbolt)
		slot_cap |= PCI_EXP_SLTCAP_NCCS;
	pcie->slot_cap = slot_cap;
	pcie->link_reporting = link_cap & PCI_EXP_LNKCAP_DLLLARC;
	pcie->inband_control = slot_cap2 & PCI_EXP_SLTCAP2_IBPD;
	pcie->inband_disabled = pcie->inband_control || dmi_first_match(hps_inband_disabled);

	slot->kind = HPSHIM_KIND_PCIE;
	if (slot_cap & PCI_EXP_SLTCAP_ABP)
		slot->caps |= HPSHIM_CAP_BUTTON;
	if (slot_cap & PCI_EXP_SLTCAP_PCP)
		slot->caps |= HPSHIM_CAP_POWER;
	if (slot_cap & PCI_EXP_SLTCAP_MRLSP)
		slot->caps |= HPSHIM_CAP_LATCH;
	if (slot_cap & PCI_EXP_SLTCAP_AIP)
		slot->caps |= HPSHIM_CAP_ATTENTION_INDICATOR;
	if (slot_cap & PCI_EXP_SLTCAP_PIP)
		slot->caps |= HPSHIM_CAP_POWER_INDICATOR;
	if (slot_cap & PCI_EXP_SLTCAP_HPS)
		slot->caps |= HPSHIM_CAP_SURPRISE;
	if (slot_cap & PCI_EXP_SLTCAP_EIP)
		slot->caps |= HPSHIM_CAP_INTERLOCK;
	if (pcie->link_reporting)
		slot->caps |= HPSHIM_CAP_LINK;

	/*
	 * Power faults are read along with other interrupts; theirs is known to
	 * storm. Presence is told even beside a button: what to make of it is
	 * for the controller to decide.
	 */
	pcie->notify = PCI_EXP_SLTCTL_DLLSCE | PCI_EXP_SLTCTL_PDCE;
	if (slot_cap & PCI_EXP_SLTCAP_ABP)
		pcie->notify |= PCI_EXP_SLTCTL_ABPE;
	if (slot_cap & PCI_EXP_SLTCAP_MRLSP)
		pcie->notify |= PCI_EXP_SLTCTL_MRLSCE;
	if (pcie->irq >= 0)
		pcie->notify |= PCI_EXP_SLTCTL_HPIE;
	if (pcie->irq >= 0 && !(slot_cap & PCI_EXP_SLTCAP_NCCS))
		pcie->notify |= PCI_EXP_SLTCTL_CCIE;
}

/*
 * Puts the registers in order before the interrupt is ours. Returns whether the
 * button was pressed after the native driver was quieted: that press is ours.
 * What else happened is level state, which SLOT_ADD tells.
 */
static bool hps_pcie_start(struct hps_pcie *pcie)
{
	struct pci_dev *port = pcie->slot.port;
	u16 status;

	mutex_lock(&pcie->command);
	pcie_capability_read_word(port, PCI_EXP_SLTSTA, &status);
	pcie_capability_write_word(port, PCI_EXP_SLTSTA, HPS_PCIE_EVENTS);
	hps_pcie_write_command(pcie, pcie->inband_control ? PCI_EXP_SLTCTL_IBPD_DISABLE : 0,
			       HPS_PCIE_NOTIFY);
	hps_pcie_wait_command(pcie);
	mutex_unlock(&pcie->command);
	return !PCI_POSSIBLE_ERROR(status) && status & PCI_EXP_SLTSTA_ABP &&
	       hps_port_was_native(port);
}

/* The slot's number, by which it goes in /sys/bus/pci/slots. */
static void hps_pcie_number(struct pci_dev *port, char *name, size_t size)
{
	u32 slot_cap;

	pcie_capability_read_dword(port, PCI_EXP_SLTCAP, &slot_cap);
	snprintf(name, size, "%u", (u32)FIELD_GET(PCI_EXP_SLTCAP_PSN, slot_cap));
}

static int hps_pcie_probe(struct pcie_device *service)
{
	struct pci_dev *port = service->port;
	struct hps_pcie *pcie;
	bool pressed;
	int error;

	/* See hps_pcie_forget_native(); we may be bound by hand, or after pciehp has failed. */
	WRITE_ONCE(service->priv_data, NULL);
	if (service->service != PCIE_PORT_SERVICE_HP || !hps_port_claimed(port))
		return -ENODEV;
	pcie = port->subordinate ? kzalloc(sizeof(*pcie), GFP_KERNEL) : NULL;
	if (!pcie) {
		hps_port_declined(port);
		return port->subordinate ? -ENOMEM : -ENODEV;
	}
	hps_slot_init(&pcie->slot, &hps_pcie_ops, port, HPS_DEVICE_ALL);
	pcie->service = service;
	INIT_WORK(&pcie->restore_work, hps_pcie_restore_work);
	INIT_WORK(&pcie->save_work, hps_pcie_save_work);
	pcie->irq = service->irq;
	mutex_init(&pcie->command);
	init_waitqueue_head(&pcie->queue);
	INIT_DELAYED_WORK(&pcie->poll_work, hps_pcie_poll_status);
	hps_pcie_identify(pcie);

	/*
	 * A port that we own stays awake, and so do those above it: its registers can
	 * be read at any time, and it needs no runtime PM callbacks.
	 */
	pm_runtime_get_sync(&port->dev);

	hps_pcie_number(port, pcie->slot.name, sizeof(pcie->slot.name));
	hps_port_slot_name(port, HPS_DEVICE_ALL, pcie->slot.name);
	error = hps_legacy_init_slot(&pcie->slot, port->subordinate, pcie->slot.name);
	if (error)
		goto err_put;

	pressed = hps_pcie_start(pcie);
	if (pcie->irq >= 0) {
		error = request_irq(pcie->irq, hps_pcie_irq, IRQF_SHARED, "hpshim", pcie);
		if (error) {
			pci_err(port, "cannot get interrupt %d (%d)\n", pcie->irq, error);
			goto err_legacy;
		}
	}
	WRITE_ONCE(service->priv_data, pcie);
	hps_slot_add(&pcie->slot);
	hps_card_learn(&pcie->slot);

	error = hps_legacy_publish(&pcie->slot);
	if (error)
		goto err_del;

	mutex_lock(&pcie->command);
	hps_pcie_write_command(pcie, pcie->notify, HPS_PCIE_NOTIFY);
	mutex_unlock(&pcie->command);
	if (pcie->irq < 0)
		queue_delayed_work(hps_event_wq, &pcie->poll_work, HPS_POLL_FIRST);
	if (pressed)
		hps_slot_saw(&pcie->slot, BIT(HPSHIM_EVENT_BUTTON));

	hps_pcie_settled(&pcie->slot);
	pci_info(port, "Slot(%s) is ours\n", pcie->slot.name);
	return 0;

err_del:
	WRITE_ONCE(service->priv_data, NULL);
	mutex_lock(&pcie->command);
	hps_slot_kill(&pcie->slot);
	mutex_unlock(&pcie->command);
	if (pcie->irq >= 0)
		free_irq(pcie->irq, pcie);
err_legacy:
	hps_legacy_destroy(&pcie->slot);
err_put:
	pm_runtime_put(&port->dev);
	hps_slot_del(&pcie->slot);
	hps_port_declined(port);
	return error;
}

/*
 * Called when the port goes away, when we release it, and when somebody unbinds
 * us by hand. Waits for the command that is under way and for nothing else.
 */
static void hps_pcie_remove(struct pcie_device *service)
{
	struct hps_pcie *pcie = service->priv_data;
	struct pci_dev *port = service->port;

	WRITE_ONCE(pcie->slot.going, true);
	mutex_lock(&pcie->command);
	hps_pcie_write_command(pcie, 0, HPS_PCIE_NOTIFY);
	hps_pcie_wait_command(pcie);
	hps_slot_kill(&pcie->slot);
	mutex_unlock(&pcie->command);

	if (pcie->irq >= 0)
		free_irq(pcie->irq, pcie);
	else
		cancel_delayed_work_sync(&pcie->poll_work);
	WRITE_ONCE(service->priv_data, NULL);
	hps_event_send_presses(&pcie->slot, 0);

	hps_legacy_unpublish(&pcie->slot);
	hps_legacy_destroy(&pcie->slot);
	pm_runtime_put(&port->dev);
	hps_port_lost(port);
	pci_info(port, "Slot(%s) is no longer ours\n", pcie->slot.name);
	hps_slot_del(&pcie->slot);
}

static struct pcie_port_service_driver hps_pcie_driver = {
	.name = "hpshim",
	.port_type = PCIE_ANY_PORT,
	.service = PCIE_PORT_SERVICE_HP,
	.probe = hps_pcie_probe,
	.remove = hps_pcie_remove,
	.suspend = hps_pcie_suspend,
	.resume_noirq = hps_pcie_resume_noirq,
	.resume = hps_pcie_resume,
	.slot_reset = hps_pcie_slot_reset,
	.driver.owner = THIS_MODULE,
};

static int hps_pcie_match_service(struct device *dev, hps_match_data *data)
{
	/* The bus is not exported; its name is ABI. */
	return dev->bus && !strcmp(dev->bus->name, "pci_express") && hps_service_check(dev, data);
}

/*
 * The hotplug service of a port, with a reference, or NULL: firmware kept the
 * slot, or it is none.
 */
struct device *hps_pcie_service(struct pci_dev *pdev)
{
	return device_find_child(&pdev->dev, pdev, hps_pcie_match_service);
}

/* Binds our driver to the service of a claimed port that has none. */
int hps_pcie_attach(struct device *service)
{
	return device_driver_attach(&hps_pcie_driver.driver, service);
}

bool hps_pcie_owns(struct device *service)
{
	return READ_ONCE(service->driver) == &hps_pcie_driver.driver;
}

/*
 * Quiets the native driver of @service before it is released, so that its
 * interrupt thread is not in the middle of something that wants the rescan lock
 * while we hold the device_lock. Its other threads (a write to its power file,
 * a press in its five seconds, which gets lost) remain: hence adopt early.
 *
 * They may be writing Slot Control at this moment under a lock that is not ours,
 * so only its low byte is written: what has to be right at any price, the power
 * control, is in the other one.
 */
void hps_pcie_quiet_native(struct device *service)
{
	const u8 mask = PCI_EXP_SLTCTL_ABPE | PCI_EXP_SLTCTL_PFDE | PCI_EXP_SLTCTL_MRLSCE |
			PCI_EXP_SLTCTL_PDCE | PCI_EXP_SLTCTL_HPIE;
	struct pcie_device *pcie = to_pcie_device(service);
	int where = pci_pcie_cap(pcie->port) + PCI_EXP_SLTCTL;
	u8 control;

	if (!pci_read_config_byte(pcie->port, where, &control) && control & mask &&
	    control != 0xff)
		pci_write_config_byte(pcie->port, where, control & ~mask);
	if (pcie->irq >= 0)
		synchronize_irq(pcie->irq);
}

/*
 * The native driver leaves behind what it has freed, and error recovery, which holds
 * the port's device_lock, would hand that to us from the moment at which we are bound.
 */
void hps_pcie_forget_native(struct device *service)
{
	struct pcie_device *pcie = to_pcie_device(service);

	device_lock(&pcie->port->dev);
	device_lock(service);
	if (!service->driver)
		WRITE_ONCE(pcie->priv_data, NULL);
	device_unlock(service);
	device_unlock(&pcie->port->dev);
}

static void hps_pcie_appeared(struct pci_dev *port, struct device *service)
{
	char name[HPSHIM_NAME_MAX];

	if (!port->subordinate || !hps_port_claim_new(port, service))
		return;
	hps_pcie_number(port, name, sizeof(name));
	if (hps_legacy_reserve(port, name))
		hps_port_lost(port);
	else if (!hps_port_claimed(port))
		hps_legacy_unreserve(port);	/* was given back before it was reserved */
}

/*
 * Services of ports that come and go, with the rescan lock and the port's
 * device_lock held. A new one is seen here before any driver is.
 */
static int hps_pcie_notify(struct notifier_block *nb, unsigned long action, void *data)
{
	struct device *dev = data;
	struct pci_dev *port;

	if (!dev->parent || !dev_is_pci(dev->parent))
		return NOTIFY_DONE;
	port = to_pci_dev(dev->parent);
	if (!hps_service_check(dev, port))
		return NOTIFY_DONE;
	if (action == BUS_NOTIFY_ADD_DEVICE) {
		hps_pcie_appeared(port, dev);
	} else if (action == BUS_NOTIFY_REMOVED_DEVICE) {
		hps_legacy_unreserve(port);
		hps_port_lost(port);
	}
	return NOTIFY_DONE;
}

static struct notifier_block hps_pcie_notifier = {
	.notifier_call = hps_pcie_notify,
};

/* What the bus does in later kernels. */
static int hps_pcie_device_probe(struct device *dev)
{
	return hps_pcie_probe(to_pcie_device(dev));
}

static int hps_pcie_device_remove(struct device *dev)
{
	hps_pcie_remove(to_pcie_device(dev));
	return 0;
}

static DEFINE_MUTEX(hps_pcie_register_mutex);	/* the next one; taken before device_lock */
static bool hps_pcie_registered;

/*
 * Registers our driver on the bus of @service, unless it is. Only a service can
 * tell which bus that is, so it is done when the first port is adopted, before
 * it is claimed: nothing binds on the way. Takes the device_lock of every
 * service that has no driver; the caller holds none.
 */
int hps_pcie_register(struct device *service)
{
	struct device_driver *driver = &hps_pcie_driver.driver;
	int error = 0;

	mutex_lock(&hps_pcie_register_mutex);
	if (hps_pcie_registered)
		goto unlock;
	driver->name = hps_pcie_driver.name;
	driver->bus = service->bus;
	if (!service->bus->probe) {
		driver->probe = hps_pcie_device_probe;
		driver->remove = hps_pcie_device_remove;
	}
	error = driver_register(driver);
	if (error)
		goto unlock;
	error = bus_register_notifier(driver->bus, &hps_pcie_notifier);
	if (error)
		driver_unregister(driver);
	hps_pcie_registered = !error;
unlock:
	mutex_unlock(&hps_pcie_register_mutex);
	return error;
}

/* No port is being adopted. */
void hps_pcie_unregister(void)
{
	if (!hps_pcie_registered)
		return;
	bus_unregister_notifier(hps_pcie_driver.driver.bus, &hps_pcie_notifier);
	driver_unregister(&hps_pcie_driver.driver);
}
