/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The full-screen view.
 */
#ifndef LIVE_H
#define LIVE_H

#include "sample.h"

/* Runs until the user quits; returns an exit status. */
int live_run(struct watch *watch, const struct options *options);

#endif /* LIVE_H */
