/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the vCPUs' time goes: how long they were in each KVM_EXIT_STATS_STATE_*.
 */
#ifndef LEDGER_H
#define LEDGER_H

#include "machine.h"

struct ledger {
	/* False if the host does not tell */
	bool known;
	uint64_t ns[KVM_EXIT_STATS_NR_STATES];
};

/*
 * Does the host tell?  In scope host, the sums are over the VMs that exist, and less when one has
 * gone, so they can't be compared.  A vCPU's own ledger can.
 */
bool ledger_served(const struct exitstat_info *info, enum exitstat_whose whose);
bool vmm_served(const struct exitstat_info *info);
bool longest_served(const struct exitstat_info *info, enum exitstat_whose whose);
bool histogram_served(const struct exitstat_info *info);

/* In small letters, as in kvm_exit_stats.h */
const char *state_name(unsigned int state);

/* Adds to *reads how many CPUIDs it takes. */
void ledger_read(struct ledger *ledger, enum exitstat_whose whose,
		 const struct exitstat_info *info, unsigned int *reads);

/* Elapsed time, unlike that in a state, only grows. */
bool ledger_restarted(const struct ledger *now, const struct ledger *before);

/*
 * How long a vCPU has waited is known only afterwards, so time may move from one state to another,
 * and a state be less than before.  Then it stays what it was until it has made up for that.
 */
void ledger_hold(struct ledger *now, const struct ledger *before);

/* From one moment to another one, or since the beginning if base is NULL */
struct ledger ledger_since(const struct ledger *base, const struct ledger *now);

/* The sum of all states.  It is more than what has elapsed while one of them is held. */
uint64_t ledger_sum(const struct ledger *ledger);

/* A state's share of that, NAN if not known */
double ledger_percent(const struct ledger *ledger, unsigned int state);

#endif /* LEDGER_H */
