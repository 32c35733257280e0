/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Samples of the counters
 */
#ifndef SAMPLE_H
#define SAMPLE_H

#include "histogram.h"
#include "ledger.h"
#include "options.h"
#include "reasons.h"
#include "vcpus.h"

/* Which figures to read.  The first sample settles that. */
struct watch {
	/* What the host serves, now and when the first sample was read */
	struct exitstat_info info, at_first;
	/* CPUIDs executed before the first sample */
	unsigned int reads;
	/* Read reasons, vCPUs, or both */
	bool by_reason, by_vcpu;
	/* All reasons are read, not only those of -r. */
	bool complete;
	/* The longest exits are read, too. */
	bool max;
	/* So are histograms, which may be found to be off. */
	bool histogram, histogram_off;
	/* While the host does not serve these, samples lack them.  Otherwise, there are none. */
	bool optional;
	/* Reasons that have not occurred are shown, too, so it matters which are defined. */
	bool all;
	/* It has been found out which are. */
	bool settled;
	/* Why something could not be read: an errno, or 0 */
	int error;
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
	/* Those that had exits since the sample before */
	bool moved[REASONS_MAX];
	/* What the VMM did on account of each, if the host tells */
	struct exitstat_vmm vmm[REASONS_MAX];
	bool vmm_known;
	/* The longest exit of each, if watched, and the host tells; recent: since previous */
	struct exitstat_longest longest[REASONS_MAX];
	bool longest_known;
	/* Likewise; sample_free() frees them.  If the host does not tell now, they are old. */
	struct histogram *histograms;
	bool histograms_known;
	struct ledger ledger;
	/* If they are watched: sample_free() frees them. */
	struct vcpus *vcpus;
	struct exitstat total;
	/* Exits that are only in the total.  There may be more, as counters move on. */
	struct exitstat other;
	/*
	 * CPUIDs executed for this sample, and those before the exits of CPUID were
	 * read, or before the total was, if CPUID is not watched.
	 */
	unsigned int reads, reads_before;
};

/* Does the host serve statistics that this program knows?  One CPUID. */
bool watch_possible(void);

/*
 * Finds out what to watch.  If nothing, prints why and returns a status.  Reasons that this host
 * lacks are the user's mistake at first, of which the usage tells; later on, they are the host's.
 */
int watch_init(struct watch *watch, const struct options *options, bool at_first);

/*
 * Reads all that is watched into a sample that is {}, or of an earlier time.  previous is the
 * sample before, NULL for the first one.  Returns false if the host no longer serves what is
 * watched, or on an error.
 */
bool sample_read(struct sample *sample, struct watch *watch, const struct sample *previous);

void sample_free(struct sample *sample);

/* Counters are lower than at the sample before, or those of another scope. */
bool sample_restarted(const struct watch *watch, const struct sample *base,
		      const struct sample *now);

/* Counters of the reasons that are watched, and what lies between two readings of them */
struct exitstat sample_sum(const struct watch *watch, const struct sample *sample);
struct exitstat exitstat_minus(struct exitstat a, struct exitstat b);
struct exitstat exitstat_greater(struct exitstat a, struct exitstat b);

/* Is it only the leaves of each vCPU that the host no longer serves? */
bool watch_lacks_vcpus(const struct watch *watch);

/* Does it serve the longest exits, for what is watched?  If not, are there no samples? */
bool watch_offers_max(const struct watch *watch);
bool watch_lacks_max(const struct watch *watch);

/* Likewise of histograms, as far as is known: they may be off. */
bool watch_offers_histogram(const struct watch *watch);
bool watch_lacks_histogram(const struct watch *watch);

/* Prints why there is no sample.  Returns a status. */
int complain_unread(const struct watch *watch);

#endif /* SAMPLE_H */
