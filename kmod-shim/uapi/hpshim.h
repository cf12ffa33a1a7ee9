/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * hpshim - generic netlink protocol between the PCI hot-plug shim and its
 * controller in user space.
 *
 * The protocol's source is kmod-shim/hpshim.yaml; a test holds this header,
 * the kernel's policy tables and the YAML together.
 *
 * Rules of the protocol
 *  - A command is checked, accepted and queued; it never waits for hardware.
 *    Completion is an %HPSHIM_EVENT_OP_DONE event with the caller's cookie.
 *  - State is level, events are hints: each event carries the slot's level
 *    state as it was read when the event was sent. A receiver that sees a gap
 *    in the sequence numbers replays, or dumps the slots.
 *  - A slot identifier is never used twice while the module is loaded, and a
 *    generation changes each time a slot is adopted. A command with an old
 *    generation fails with ESTALE.
 *  - Every command needs CAP_NET_ADMIN in the initial user namespace, and so
 *    does joining the group.
 */
#ifndef _UAPI_HPSHIM_H
#define _UAPI_HPSHIM_H

#define HPSHIM_GENL_NAME	"hpshim"
#define HPSHIM_GENL_VERSION	1
#define HPSHIM_MCGRP_EVENTS	"events"

/* "0000:00:06.0" and a nul; domains above ffff are longer (VMD). */
#define HPSHIM_ADDRESS_MAX	20
/* A hotplug slot name as in /sys/bus/pci/slots, and a nul. */
#define HPSHIM_NAME_MAX		32

/**
 * enum hpshim_cmd - commands and the one notification
 * @HPSHIM_CMD_SLOT_GET: do: level state of one slot; dump: of all slots.
 * @HPSHIM_CMD_CONTROLLER_SET: the sender becomes the controller; EBUSY when
 *	another living socket is. %HPSHIM_A_GRACE_MS says how long the shim
 *	keeps its slots after the controller is gone.
 * @HPSHIM_CMD_CONTROLLER_CLEAR: the controller resigns; all slots go back to
 *	their native drivers at once.
 * @HPSHIM_CMD_HEARTBEAT: the controller is alive.
 * @HPSHIM_CMD_PORT_ADOPT: take the slots of %HPSHIM_A_PORT from its native
 *	driver. Completes with OP_DONE, after the SLOT_ADD events.
 * @HPSHIM_CMD_PORT_RELEASE: give them back. Completes with OP_DONE, after the
 *	SLOT_GONE events.
 * @HPSHIM_CMD_SET_POWER: %HPSHIM_A_VALUE 1: power the slot, bring the link up
 *	and wait until the device answers; 0: switch the power off, or EBUSY if
 *	there are devices that can be spoken to: remove them first. The caller
 *	keeps the second that a slot needs after it was switched off (PCIe r6.0,
 *	sec 6.7.1.8).
 * @HPSHIM_CMD_SET_POWER_INDICATOR: %HPSHIM_A_VALUE is an enum hpshim_indicator.
 * @HPSHIM_CMD_SET_ATTENTION_INDICATOR: likewise.
 * @HPSHIM_CMD_SET_INTERLOCK: %HPSHIM_A_VALUE 1: engage, 0: disengage.
 * @HPSHIM_CMD_REQUEST_ANSWER: result (%HPSHIM_A_ERRNO) of the legacy write
 *	%HPSHIM_A_REQUEST.
 * @HPSHIM_CMD_EVENT_REPLAY: dump of the kept events after %HPSHIM_A_SEQ.
 * @HPSHIM_CMD_INJECT: test builds only; EOPNOTSUPP otherwise.
 * @HPSHIM_CMD_EVENT: notification, to the group and in replies to a replay.
 */
enum hpshim_cmd {
	HPSHIM_CMD_UNSPEC,
	HPSHIM_CMD_SLOT_GET,
	HPSHIM_CMD_CONTROLLER_SET,
	HPSHIM_CMD_CONTROLLER_CLEAR,
	HPSHIM_CMD_HEARTBEAT,
	HPSHIM_CMD_PORT_ADOPT,
	HPSHIM_CMD_PORT_RELEASE,
	HPSHIM_CMD_SET_POWER,
	HPSHIM_CMD_SET_POWER_INDICATOR,
	HPSHIM_CMD_SET_ATTENTION_INDICATOR,
	HPSHIM_CMD_SET_INTERLOCK,
	HPSHIM_CMD_REQUEST_ANSWER,
	HPSHIM_CMD_EVENT_REPLAY,
	HPSHIM_CMD_INJECT,
	HPSHIM_CMD_EVENT,

	__HPSHIM_CMD_MAX,
	HPSHIM_CMD_MAX = __HPSHIM_CMD_MAX - 1
};

/**
 * enum hpshim_attr - attributes, one flat space for all messages
 * @HPSHIM_A_SLOT: u32, the slot's identifier.
 * @HPSHIM_A_GENERATION: u32, changes with each adoption.
 * @HPSHIM_A_PORT: string, address of the port or bridge, "0000:00:06.0".
 * @HPSHIM_A_ADDRESS: string, the slot's address as the commit attributes take
 *	it: PCIe: the port's; SHPC: that of the slot's function 0.
 * @HPSHIM_A_NAME: string, name in /sys/bus/pci/slots.
 * @HPSHIM_A_KIND: u32, enum hpshim_kind.
 * @HPSHIM_A_CAPS: u32, HPSHIM_CAP_* bits.
 * @HPSHIM_A_STATUS: u32, HPSHIM_STATUS_* bits, the level state.
 * @HPSHIM_A_POWER_INDICATOR: u32, enum hpshim_indicator.
 * @HPSHIM_A_ATTENTION_INDICATOR: u32, enum hpshim_indicator.
 * @HPSHIM_A_PRESSES: u64, attention button presses since adoption.
 * @HPSHIM_A_SEQ: u64, sequence number of an event; in slots: of the last
 *	event sent before the state was read.
 * @HPSHIM_A_TIME_NS: u64, CLOCK_MONOTONIC nanoseconds when the event was seen.
 * @HPSHIM_A_EVENT: u32, enum hpshim_event.
 * @HPSHIM_A_COOKIE: u64, chosen by the caller, returned by OP_DONE.
 * @HPSHIM_A_ERRNO: s32, 0 or a negative errno of user space, -133 to 0.
 * @HPSHIM_A_VALUE: u32, see the commands.
 * @HPSHIM_A_GRACE_MS: u32, milliseconds, 0 to 600000.
 * @HPSHIM_A_REQUEST: u64, identifier of a waiting legacy write.
 * @HPSHIM_A_REPORT: string, a sentence for the log, where an errno says too
 *	little.
 * @HPSHIM_A_OVERRUN: flag, in a replay: events after the wanted one were
 *	dropped from the ring; dump the slots.
 * @HPSHIM_A_INJECT: u32, enum hpshim_inject.
 * @HPSHIM_A_COUNT: u32, how many to inject.
 * @HPSHIM_A_INTERVAL_US: u32, microseconds between injected events.
 */
enum hpshim_attr {
	HPSHIM_A_UNSPEC,
	HPSHIM_A_PAD,
	HPSHIM_A_SLOT,
	HPSHIM_A_GENERATION,
	HPSHIM_A_PORT,
	HPSHIM_A_ADDRESS,
	HPSHIM_A_NAME,
	HPSHIM_A_KIND,
	HPSHIM_A_CAPS,
	HPSHIM_A_STATUS,
	HPSHIM_A_POWER_INDICATOR,
	HPSHIM_A_ATTENTION_INDICATOR,
	HPSHIM_A_PRESSES,
	HPSHIM_A_SEQ,
	HPSHIM_A_TIME_NS,
	HPSHIM_A_EVENT,
	HPSHIM_A_COOKIE,
	HPSHIM_A_ERRNO,
	HPSHIM_A_VALUE,
	HPSHIM_A_GRACE_MS,
	HPSHIM_A_REQUEST,
	HPSHIM_A_REPORT,
	HPSHIM_A_OVERRUN,
	HPSHIM_A_INJECT,
	HPSHIM_A_COUNT,
	HPSHIM_A_INTERVAL_US,

	__HPSHIM_A_MAX,
	HPSHIM_A_MAX = __HPSHIM_A_MAX - 1
};

/* What drives the slot. */
enum hpshim_kind {
	HPSHIM_KIND_PCIE = 1,	/* Slot Capabilities of a PCIe port */
	HPSHIM_KIND_SHPC = 2,	/* Standard Hot-Plug Controller of a bridge */
};

/* What the slot has. */
#define HPSHIM_CAP_BUTTON		(1U << 0)	/* attention button */
#define HPSHIM_CAP_POWER		(1U << 1)	/* power controller */
#define HPSHIM_CAP_LATCH		(1U << 2)	/* MRL sensor */
#define HPSHIM_CAP_ATTENTION_INDICATOR	(1U << 3)
#define HPSHIM_CAP_POWER_INDICATOR	(1U << 4)
#define HPSHIM_CAP_SURPRISE		(1U << 5)	/* hot-plug surprise */
#define HPSHIM_CAP_INTERLOCK		(1U << 6)	/* electromechanical */
#define HPSHIM_CAP_LINK			(1U << 7)	/* link active reporting */

/* How the slot is. */
#define HPSHIM_STATUS_PRESENT		(1U << 0)	/* card in the slot */
#define HPSHIM_STATUS_POWER		(1U << 1)	/* slot is powered */
#define HPSHIM_STATUS_LINK		(1U << 2)	/* data link layer active */
#define HPSHIM_STATUS_LATCH_OPEN	(1U << 3)	/* MRL is open */
#define HPSHIM_STATUS_POWER_FAULT	(1U << 4)	/* kept until next power-on */
#define HPSHIM_STATUS_INTERLOCK		(1U << 5)	/* interlock engaged */
#define HPSHIM_STATUS_OCCUPIED		(1U << 6)	/* devices enumerated below */
#define HPSHIM_STATUS_BUSY		(1U << 7)	/* a control is under way */

/* Indicator values, as in Slot Control (PCIe r6.0, sec 7.5.3.10). */
enum hpshim_indicator {
	HPSHIM_INDICATOR_UNKNOWN = 0,
	HPSHIM_INDICATOR_ON = 1,
	HPSHIM_INDICATOR_BLINK = 2,
	HPSHIM_INDICATOR_OFF = 3,
};

/**
 * enum hpshim_event - what happened
 * @HPSHIM_EVENT_BUTTON: attention button pressed.
 * @HPSHIM_EVENT_PRESENCE: presence detect changed.
 * @HPSHIM_EVENT_LINK: data link layer state changed.
 * @HPSHIM_EVENT_LATCH: MRL sensor changed.
 * @HPSHIM_EVENT_POWER_FAULT: power fault detected.
 * @HPSHIM_EVENT_OP_DONE: a command finished: COOKIE, ERRNO.
 * @HPSHIM_EVENT_SLOT_ADD: slot adopted, with all that SLOT_GET tells.
 * @HPSHIM_EVENT_SLOT_GONE: slot released or its port removed. The last event
 *	of this SLOT and GENERATION but for OP_DONE with -ENODEV.
 * @HPSHIM_EVENT_REQUEST: somebody writes VALUE to the slot's power file and
 *	waits for REQUEST_ANSWER.
 * @HPSHIM_EVENT_REQUEST_CANCEL: and waits no more.
 * @HPSHIM_EVENT_COMMAND_TIMEOUT: the controller did not report completion.
 * @HPSHIM_EVENT_COMMIT: a remove (VALUE 0) or rescan (VALUE 1) by the commit
 *	attributes ended with ERRNO.
 * @HPSHIM_EVENT_RESUME: the slot's port came back from sleep or reset; a card
 *	may have been changed (VALUE 1: it was; then it is told as not PRESENT
 *	until its devices are removed, and the new one with PRESENCE after that).
 * @HPSHIM_EVENT_RECOVERY: a link change that error recovery (DPC) explains.
 */
enum hpshim_event {
	HPSHIM_EVENT_UNSPEC,
	HPSHIM_EVENT_BUTTON,
	HPSHIM_EVENT_PRESENCE,
	HPSHIM_EVENT_LINK,
	HPSHIM_EVENT_LATCH,
	HPSHIM_EVENT_POWER_FAULT,
	HPSHIM_EVENT_OP_DONE,
	HPSHIM_EVENT_SLOT_ADD,
	HPSHIM_EVENT_SLOT_GONE,
	HPSHIM_EVENT_REQUEST,
	HPSHIM_EVENT_REQUEST_CANCEL,
	HPSHIM_EVENT_COMMAND_TIMEOUT,
	HPSHIM_EVENT_COMMIT,
	HPSHIM_EVENT_RESUME,
	HPSHIM_EVENT_RECOVERY,
};

/* Test builds: what HPSHIM_CMD_INJECT pretends the hardware said. */
enum hpshim_inject {
	HPSHIM_INJECT_BUTTON = 1,
	HPSHIM_INJECT_LATCH_OPEN = 2,
	HPSHIM_INJECT_LATCH_CLOSED = 3,
	HPSHIM_INJECT_POWER_FAULT = 4,
	HPSHIM_INJECT_COMMAND_TIMEOUT = 5,
	HPSHIM_INJECT_PRESENCE_LOST = 6,
	HPSHIM_INJECT_PRESENCE_FOUND = 7,
	HPSHIM_INJECT_LINK_DOWN = 8,
	HPSHIM_INJECT_LINK_UP = 9,
	HPSHIM_INJECT_CARD_CHANGED = 10,	/* seen when it is looked at next */
};

#endif /* _UAPI_HPSHIM_H */
