// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * hpstuck.c - a driver for QEMU's "edu" card that does not let go of it
 *
 * Its remove() sleeps in the kernel, not killably, for @seconds, or with -1 until
 * the parameter "release" is written; then @removals counts it. With @doomed its
 * probe() sleeps until the same, a minute at most, and then fails.
 */
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/wait.h>

static int seconds;
module_param(seconds, int, 0644);
MODULE_PARM_DESC(seconds, "How long remove() sleeps; -1: until release is written");

static unsigned int removals;
module_param(removals, uint, 0444);
MODULE_PARM_DESC(removals, "How often remove() has come back");

static bool doomed;
module_param(doomed, bool, 0644);
MODULE_PARM_DESC(doomed, "probe() waits for release, and fails");

static DECLARE_WAIT_QUEUE_HEAD(hpstuck_wait);
static bool hpstuck_released;

static int hpstuck_release(const char *value, const struct kernel_param *param)
{
	WRITE_ONCE(hpstuck_released, true);
	wake_up_all(&hpstuck_wait);
	return 0;
}

static const struct kernel_param_ops hpstuck_release_ops = {
	.set = hpstuck_release,
};
module_param_cb(release, &hpstuck_release_ops, NULL, 0200);
MODULE_PARM_DESC(release, "Write anything: remove() comes back");

static int hpstuck_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	if (READ_ONCE(doomed)) {
		wait_event_timeout(hpstuck_wait, READ_ONCE(hpstuck_released), 60 * HZ);
		return -EIO;
	}
	return pcim_enable_device(pdev);
}

static void hpstuck_remove(struct pci_dev *pdev)
{
	int wanted = READ_ONCE(seconds);

	WRITE_ONCE(hpstuck_released, false);
	if (wanted < 0)
		wait_event(hpstuck_wait, READ_ONCE(hpstuck_released));
	else if (wanted > 0)
		wait_event_timeout(hpstuck_wait, READ_ONCE(hpstuck_released), wanted * HZ);
	removals++;
}

static const struct pci_device_id hpstuck_ids[] = {
	{ PCI_DEVICE(0x1234, 0x11e8) },
	{ }
};
MODULE_DEVICE_TABLE(pci, hpstuck_ids);

static struct pci_driver hpstuck_driver = {
	.name = "hpstuck",
	.id_table = hpstuck_ids,
	.probe = hpstuck_probe,
	.remove = hpstuck_remove,
};
module_pci_driver(hpstuck_driver);

MODULE_DESCRIPTION("Test driver whose remove() takes as long as it is told");
MODULE_LICENSE("GPL");
