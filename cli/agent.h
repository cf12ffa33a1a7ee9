/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The polkit agent that asks for a password on this terminal.
 */
#ifndef HPCTL_AGENT_H
#define HPCTL_AGENT_H

#include "hpctl.h"

/* Starts pkttyagent if a password may have to be asked for: not root, on a
 * terminal, not forbidden, and installed. Without it polkit uses the agent of
 * the session, if there is one; so a failure is no error. */
void agent_start(const struct options *o);
void agent_stop(void);

#endif
