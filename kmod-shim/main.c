// SPDX-License-Identifier: GPL-2.0-only
/*
 * main.c - hpshim, a hot-plug controller driver that is driven from user space
 *
 * hpshim takes hot-plug slots from pciehp and shpchp, turns what their hardware
 * says into netlink events, and does what the controller process asks for. It
 * has no policy, and outside of the commit attributes it takes no global lock,
 * so that no event can wait for somebody who waits for the event.
 *
 *	pcie.c, -power.c, -pm.c	PCIe ports: driver and interrupts, commands, sleep
 *	shpc.c, -power.c, -pm.c	the same for bridges with an SHPC
 *	slot.c, op.c		slots, and operations on them
 *	event.c, genl.c		what the controller hears and says
 *	card.c			whether a card is still the one whose devices are there
 *	controller.c, port.c	who the controller is, which ports are ours
 *	commit.c		removal and rescan of a slot's devices
 *	assign.c		addresses for those that came
 *	legacy.c		/sys/bus/pci/slots
 */
#include <linux/module.h>
#include "event.h"
#include "port.h"
#include "slot.h"

struct workqueue_struct *hps_event_wq;
struct workqueue_struct *hps_wq;

static int __init hps_init(void)
{
	int error;

	error = hps_slot_module_init();
	if (error)
		return error;
	error = hps_event_init();
	if (error)
		return error;
	error = -ENOMEM;
	hps_event_wq = alloc_workqueue("hpshim_event", WQ_UNBOUND | WQ_HIGHPRI | WQ_FREEZABLE, 0);
	if (!hps_event_wq)
		goto err_event;
	/* One slot's wait must not hold up another's. */
	hps_wq = alloc_workqueue("hpshim", WQ_UNBOUND | WQ_FREEZABLE, WQ_MAX_ACTIVE);
	if (!hps_wq)
		goto err_event_wq;
	error = hps_shpc_register();
	if (error)
		goto err_wq;
	error = hps_controller_init();
	if (error)
		goto err_shpc;
	error = hps_genl_init();
	if (error)
		goto err_controller;
	return 0;

err_controller:
	hps_controller_exit();
err_shpc:
	hps_shpc_unregister();
err_wq:
	destroy_workqueue(hps_wq);
err_event_wq:
	destroy_workqueue(hps_event_wq);
err_event:
	hps_event_exit();
	return error;
}

/*
 * Holds no lock: commits and removals may be waited for here. The slots go back
 * while there still is a family to tell it by; a command that was let in before
 * the door was closed may have added one, hence the second round.
 */
static void __exit hps_exit(void)
{
	hps_controller_close();
	flush_workqueue(hps_wq);
	flush_workqueue(hps_event_wq);
	hps_event_mute();
	hps_genl_exit();
	hps_controller_exit();
	hps_port_release_all(true);
	flush_workqueue(hps_wq);
	hps_shpc_unregister();
	hps_pcie_unregister();
	destroy_workqueue(hps_wq);
	destroy_workqueue(hps_event_wq);
	hps_port_exit();
	hps_legacy_exit();
	hps_slot_module_exit();
	hps_event_exit();
}

module_init(hps_init);
module_exit(hps_exit);

MODULE_DESCRIPTION("PCI hot-plug slots driven from user space");
MODULE_AUTHOR("hotplugd authors");
MODULE_VERSION("0.1");
MODULE_LICENSE("GPL");
