/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Samples of the counters, and the reports that are made of them.
 */
#ifndef SAMPLE_H
#define SAMPLE_H

#include "machine.h"
#include "options.h"
#include "reasons.h"

/* Which figures to read.  The first sample settles that. */
struct watch {
	struct exitstat_info info;
	/* CPUIDs executed before the first sample */
	unsigned int reads;
	/* All reasons are read, not only those of -r. */
	bool complete;
	size_t nr_reasons;
	uint32_t reasons[REASONS_MAX];
};

struct sample {
	unsigned int scope;
	/* Before the counters were read, and the TSC afterwards */
	struct moment at;
	uint64_t tsc_after;
	/* In the order of watch.reasons */
	struct exitstat stats[REASONS_MAX];
	struct exitstat total;
	/* Exits that are only in the total.  There may be more, as counters move on. */
	struct exitstat other;
	/*
	 * CPUIDs executed for this sample, and those before the exits of CPUID were
	 * read, or before the total was, if CPUID is not watched.
	 */
	unsigned int reads, reads_before;
};

enum report_kind {
	REPORT_SINCE_BOOT,
	REPORT_INTERVAL,
	REPORT_COMMAND,
	/* The host serves no statistics.  Only metrics have such a report. */
	REPORT_ABSENT,
};

struct row {
	/* False if it stands for several reasons */
	bool numbered;
	uint32_t reason;
	char name[REASON_NAME_MAX];
	struct exitstat stat;
};

struct report {
	enum report_kind kind;
	/* The counters have started over, so there are no figures. */
	bool restarted;
	/* There are more cycles than time: what time the figures are about is not known. */
	bool untimed;
	struct exitstat_info info;
	double time;
	/* vCPUs, seconds and TSC ticks that the figures cover; 0: unknown */
	unsigned int vcpus;
	double elapsed;
	uint64_t ticks;
	/* How many of the CPUID exits are exitstat's own reads */
	unsigned int own;
	struct exitstat total;
	size_t nr_rows;
	/* One more row for the other reasons */
	struct row rows[REASONS_MAX + 1];
};

/* Does the host serve statistics that this program knows?  One CPUID. */
bool watch_possible(void);

/*
 * Finds out what to watch.  If nothing, prints why and returns a status.  Reasons that this host
 * lacks are the user's mistake at first, of which the usage tells; later on, they are the host's.
 */
int watch_init(struct watch *watch, const struct options *options, bool at_first);

/*
 * Reads all that is watched.  previous is the sample before, NULL for the first one.
 * Returns false if the host no longer serves the statistics.
 */
bool sample_read(struct sample *sample, struct watch *watch, const struct sample *previous);

/* Prints that there are no statistics.  Returns STATUS_ABSENT. */
int complain_absent(void);

/* Report what happened between base and now, or all until now if base is NULL. */
void report_make(struct report *report, const struct watch *watch, const struct options *options,
		 enum report_kind kind, const struct sample *base, const struct sample *now);

/* Derived figures of a row or of the total, NAN if there is none. */
#if defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__
#error "What is not known is NAN, which -ffast-math and -ffinite-math-only break: leave them out"
#endif
double row_exits_percent(const struct report *report, const struct exitstat *stat);
double row_cycles_percent(const struct report *report, const struct exitstat *stat);
double row_exits_per_second(const struct report *report, const struct exitstat *stat);
double row_cycles_per_exit(const struct exitstat *stat);
/* Percent of the time of all vCPUs, 100 at most */
double row_time_percent(const struct report *report, const struct exitstat *stat);

const char *scope_name(const struct exitstat_info *info);
const char *isa_name(const struct exitstat_info *info);

#endif /* SAMPLE_H */
