/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reports, which are made of samples.
 */
#ifndef REPORT_H
#define REPORT_H

#include "sample.h"

enum report_kind {
	REPORT_SINCE_BOOT,
	REPORT_INTERVAL,
	REPORT_COMMAND,
	/* The host serves no statistics.  Only metrics have such a report. */
	REPORT_ABSENT,
};

struct row {
	/* False if it stands for several reasons; otherwise, i is where samples have it. */
	bool numbered;
	size_t i;
	uint32_t reason;
	char name[REASON_NAME_MAX];
	struct exitstat stat;
	/* False if the host does not tell what the VMM did */
	bool vmm_known;
	struct exitstat_vmm vmm;
	/* Cycles of the longest exit, if they are read, and the host tells */
	bool max_known;
	uint64_t max;
};

/* Figures of one vCPU: derived ones are NAN if there is none. */
struct vcpu_row {
	unsigned int cpu;
	/* False if it was not reached the time before */
	bool known;
	struct exitstat stat;
	bool max_known;
	uint64_t max;
	double exits_per_second, time_percent;
	struct ledger ledger;
};

struct report {
	enum report_kind kind;
	/* The counters have started over, so there are no figures. */
	bool restarted;
	/* There are more cycles than time: what time the figures are about is not known. */
	bool untimed;
	/* What the host serves, and what it did at first, by which CSV has its columns */
	struct exitstat_info info, at_first;
	double time;
	/* vCPUs, seconds and TSC ticks that the figures cover; 0: unknown */
	unsigned int vcpus;
	double elapsed;
	uint64_t ticks;
	/* How many of the CPUID exits are exitstat's own reads */
	unsigned int own;
	struct ledger ledger;
	struct row total;
	size_t nr_rows;
	/* One more row for the other reasons */
	struct row rows[REASONS_MAX + 1];
	/* Is there a part about reasons, and one about vCPUs? */
	bool by_reason, by_vcpu;
	/* Are the longest exits shown? */
	bool has_max;
	/* Is it shown how long exits took? */
	bool has_histogram;
	/* Is there a ledger, of all vCPUs or of any? */
	bool has_states;
	/* The samples that it is made of; base is NULL since boot. */
	const struct sample *base, *now;
};

/* Report what happened between base and now, or all until now if base is NULL. */
void report_make(struct report *report, const struct watch *watch, const struct options *options,
		 enum report_kind kind, const struct sample *base, const struct sample *now);

/* How long its exits took, all zero if that is not known */
struct histogram report_histogram(const struct report *report, const struct row *row);

/* How many vCPUs there are, of which report_vcpu() has the i-th one, if it was reached */
size_t report_nr_vcpus(const struct report *report);
bool report_vcpu(const struct report *report, size_t i, struct vcpu_row *row);

/* Derived figures of a row or of the total, NAN if there is none. */
#if defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__
#error "What is not known is NAN, which -ffast-math and -ffinite-math-only break: leave them out"
#endif
double row_exits_percent(const struct report *report, const struct row *row);
double row_cycles_percent(const struct report *report, const struct row *row);
double row_exits_per_second(const struct report *report, const struct row *row);
double row_cycles_per_exit(const struct row *row);
/* Percent of the time of all vCPUs, 100 at most */
double row_time_percent(const struct report *report, const struct row *row);
/* The same of what the VMM took, by the ledger */
double row_vmm_percent(const struct report *report, const struct row *row);

const char *scope_name(const struct exitstat_info *info);
const char *isa_name(const struct exitstat_info *info);

#endif /* REPORT_H */
