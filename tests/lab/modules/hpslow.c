// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * hpslow.c - a kernel in which removing a PCI device takes long
 *
 * While a device is taken out of its bus, its driver gone, hpslow sleeps for @ms
 * milliseconds: what happens during a commit happens then.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/pci.h>

static unsigned int ms;
module_param(ms, uint, 0644);
MODULE_PARM_DESC(ms, "How long the removal of each PCI device takes longer, in milliseconds");

static int hpslow_notify(struct notifier_block *nb, unsigned long event, void *device)
{
	if (event == BUS_NOTIFY_DEL_DEVICE)
		msleep(READ_ONCE(ms));
	return NOTIFY_DONE;
}

static struct notifier_block hpslow_notifier = {
	.notifier_call = hpslow_notify,
};

static int __init hpslow_init(void)
{
	return bus_register_notifier(&pci_bus_type, &hpslow_notifier);
}
module_init(hpslow_init);

static void __exit hpslow_exit(void)
{
	bus_unregister_notifier(&pci_bus_type, &hpslow_notifier);
}
module_exit(hpslow_exit);

MODULE_DESCRIPTION("Makes the removal of PCI devices take longer, for tests");
MODULE_LICENSE("GPL");
