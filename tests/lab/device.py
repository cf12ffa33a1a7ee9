# SPDX-License-Identifier: LGPL-2.1-or-later
"""The cards that tests plug, as QMP device_add arguments, with the backends they need."""

import itertools

counter = itertools.count(1)

# kind -> (device type, backend, driver in the guest)
KINDS = {
    "nvme": ("nvme", "block", "nvme"),
    "nvme-sriov": ("nvme", None, "nvme"),       # in a guest with NVME_SUBSYSTEM
    "virtio-blk": ("virtio-blk-pci", "block", "virtio-pci"),
    "edu": ("edu", None, "hpstuck"),    # tests/lab/modules
    "e1000e": ("e1000e", "net", "e1000e"),
    "testdev": ("pci-testdev", None, None),     # no driver; membar=BYTES is its memory
    "virtio-net": ("virtio-net-pci", "net", "virtio-pci"),
}

# What a controller with two virtual functions, and no disk, needs as an argument of QEMU.
NVME_SUBSYSTEM = ("-device", "nvme-subsys,id=subsystem,nqn=subsystem")
PROPERTIES = {
    "nvme-sriov": {"subsys": "subsystem", "sriov_max_vfs": 2, "sriov_vq_flexible": 4,
                   "sriov_vi_flexible": 2, "max_ioqpairs": 6, "msix_qsize": 5,
                   "serial": "sriov"},
}


def driver(kind):
    return KINDS[kind][2]


def describe(kind, id, slot, size, **properties):
    """Return (backend or None, device): arguments of blockdev-add and device_add.

    `file` in the properties puts a disk on a raw file, which keeps what is
    written; without it, it is on null-co, which does not.
    """
    type, backend, _ = KINDS[kind]
    device = {"driver": type, "id": id, "bus": slot.bus, "addr": slot.addr}
    node = None
    if backend == "block":
        name = f"node{next(counter)}"
        file = properties.pop("file", None)
        if file:
            node = {"driver": "raw", "node-name": name,
                    "file": {"driver": "file", "filename": str(file)}}
        else:
            node = {"driver": "null-co", "node-name": name, "size": size, "read-zeroes": True}
        device["drive"] = name
        device["serial"] = id
    device.update(PROPERTIES.get(kind, {}))
    device.update(properties)
    return node, device
