/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a person can do about a job that is stalled.
 */
#ifndef HPCTL_STALL_H
#define HPCTL_STALL_H

#include "model.h"

/* Sentences, by the step that does not end. */
const char *stall_advice(const struct job *j);

#endif
