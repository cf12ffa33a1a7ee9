/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * event.h - what a message to the controller carries
 *
 * One structure serves notifications, the replay ring and the answers to
 * HPSHIM_CMD_SLOT_GET. It owns nothing: strings are copied, the report is a
 * literal.
 */
#ifndef _HPSHIM_EVENT_H
#define _HPSHIM_EVENT_H

#include <linux/types.h>
#include "uapi/hpshim.h"

struct hps_slot;

/* Which of the optional members are set. */
#define HPS_CARRIES_SLOT	BIT(0)	/* slot ... name */
#define HPS_CARRIES_COOKIE	BIT(1)
#define HPS_CARRIES_ERRNO	BIT(2)
#define HPS_CARRIES_VALUE	BIT(3)
#define HPS_CARRIES_REQUEST	BIT(4)
#define HPS_CARRIES_OVERRUN	BIT(5)

/**
 * struct hps_event - one message
 * @seq: sequence number; in answers: of the last event before
 * @time_ns: CLOCK_MONOTONIC when it was seen; 0: hps_event_send() stamps it
 * @event: enum hpshim_event; 0 in answers
 * @carries: HPS_CARRIES_* bits
 * @report: literal sentence or NULL
 * @port: address of the port; empty: none
 */
struct hps_event {
	u64 seq;
	u64 time_ns;
	u64 presses;
	u64 cookie;
	u64 request;
	u32 event;
	u32 carries;
	u32 value;
	int error;
	u32 slot;
	u32 generation;
	u32 kind;
	u32 caps;
	u32 status;
	u8 power_indicator;
	u8 attention_indicator;
	const char *report;
	char port[HPSHIM_ADDRESS_MAX];
	char address[HPSHIM_ADDRESS_MAX];
	char name[HPSHIM_NAME_MAX];
};

int hps_event_init(void);
void hps_event_exit(void);
void hps_event_mute(void);

void hps_event_send(struct hps_slot *slot, struct hps_event *event);
void hps_event_send_presses(struct hps_slot *slot, u64 time_ns);
void hps_event_simple(struct hps_slot *slot, u32 event);
u64 hps_event_seq(void);
bool hps_event_replay(u64 *after, struct hps_event *event);

#endif /* _HPSHIM_EVENT_H */
