/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Plays the kernel to shim-link.c: no module, no netlink. What the link sends
 * is kept, what it receives is put in here. Works by libnl's own hooks for
 * sending and receiving, and by -Wl,--wrap for what would open a socket
 * (meson.build).
 */
#ifndef FAKE_SHIM_H
#define FAKE_SHIM_H

#include <stdbool.h>
#include <stdint.h>

#include "shim-link.h"

void fake_reset(void);

/* Whether the module is loaded; fake_notify() tells the link that it changed. */
void fake_load(bool loaded);
void fake_notify(void);

/* What the link sent last, and how often it sent anything. */
struct fake_sent {
	uint8_t cmd;
	uint32_t nl_seq; /* netlink's number of the message */
	uint64_t after;  /* HPSHIM_A_SEQ */
	uint64_t cookie;
	uint32_t value;
};
struct fake_sent fake_sent(void);
unsigned int fake_sent_count(void);

/* The answer to a dump or replay that the link sent: its parts, its end. */
void fake_answer_slot(uint32_t nl_seq, uint32_t slot, uint64_t seq, uint64_t presses);
void fake_answer_event(uint32_t nl_seq, uint32_t type, uint32_t slot, uint64_t seq, uint64_t presses);
void fake_answer_overrun(uint32_t nl_seq, uint32_t type, uint32_t slot, uint64_t seq, uint64_t presses);
void fake_answer_end(uint32_t nl_seq);

/* An acknowledgement: 0 or a negative errno, with a text or NULL. */
void fake_ack(uint32_t nl_seq, int error, const char *text);

/* A live event; ENOBUFS; a message that makes no sense. */
void fake_event(uint32_t type, uint32_t slot, uint64_t seq, uint64_t presses);
void fake_lose(void);
/* ENOBUFS of the socket on which modules come and go. */
void fake_lose_notice(void);
void fake_garbage(void);

#endif
