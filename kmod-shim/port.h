/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * port.h - ports and bridges: who drives them, and who asks us to
 */
#ifndef _HPSHIM_PORT_H
#define _HPSHIM_PORT_H

#include <linux/pci.h>
#include "uapi/hpshim.h"

struct hps_slot;
struct netlink_ext_ack;

/* port.c */
int hps_port_queue(const char *address, u8 cmd, u64 cookie, bool has_cookie,
		   struct netlink_ext_ack *extack);
void hps_port_release_all(bool all);
void hps_port_give_back(struct pci_dev *pdev);
bool hps_port_claim_new(struct pci_dev *pdev, struct device *dev);
void hps_port_declined(struct pci_dev *pdev);
bool hps_port_claimed(struct pci_dev *pdev);
bool hps_port_was_native(struct pci_dev *pdev);
void hps_port_lost(struct pci_dev *pdev);
void hps_port_slot_name(struct pci_dev *pdev, u8 device, char *name);
void hps_port_exit(void);

/* port-slots.c */
void hps_port_leave(struct pci_dev *pdev);
void hps_port_normalise(struct pci_dev *pdev);
bool hps_port_stays_off(struct pci_dev *pdev);

/* port-device.c */
struct pci_bus *hps_port_bus(struct pci_dev *pdev);
struct device *hps_port_device(struct pci_dev *pdev);
struct pci_dev *hps_port_parse(const char *address);

/* pcie.c */
int hps_pcie_register(struct device *service);
void hps_pcie_unregister(void);
struct device *hps_pcie_service(struct pci_dev *pdev);
int hps_pcie_attach(struct device *service);
bool hps_pcie_owns(struct device *service);
void hps_pcie_quiet_native(struct device *service);
void hps_pcie_forget_native(struct device *service);

/* shpc.c */
int hps_shpc_register(void);
void hps_shpc_unregister(void);
bool hps_shpc_capable(struct pci_dev *pdev);
int hps_shpc_attach(struct pci_dev *bridge);
bool hps_shpc_owns(struct pci_dev *bridge);
void hps_shpc_unreserve(struct pci_dev *bridge);

/* controller.c */
int hps_controller_init(void);
void hps_controller_exit(void);
int hps_controller_set(u32 portid, u32 grace_ms, struct netlink_ext_ack *extack);
void hps_controller_clear(void);
void hps_controller_close(void);
void hps_controller_heartbeat(void);
bool hps_controller_is(u32 portid);
bool hps_controller_alive(void);
bool hps_controller_expected(void);
bool hps_controller_is_current(void);

/* genl.c */
int hps_genl_init(void);
void hps_genl_exit(void);
struct hps_event;
void hps_genl_multicast(const struct hps_event *event);

#endif /* _HPSHIM_PORT_H */
