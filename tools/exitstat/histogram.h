/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long exits took: how many of them are in each bucket of exitstat_histogram.
 */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include "machine.h"

struct histogram {
	/* It has been read, in this sample or an earlier one. */
	bool known;
	uint64_t buckets[KVM_EXIT_STATS_NR_BUCKETS];
};

/* Read that of all vCPUs.  Returns false if it is off.  Adds to *reads how many CPUIDs it takes. */
bool histogram_read(struct histogram *histogram, uint32_t reason, unsigned int *reads);

/*
 * Of the buckets, the host tells 32 bits: this adds the others, by those before and how many exits
 * there were since.  A bucket that is less, as exits have moved to a later one, stays as it was
 * until it has made up for that.  So do all while the host has them off: it goes on where it was.
 */
void histogram_hold(struct histogram *now, const struct histogram *before, uint64_t exits);

struct histogram histogram_minus(const struct histogram *a, const struct histogram *b);

uint64_t histogram_sum(const struct histogram *histogram);

/* The first bucket with an exit, and the one after the last; equal if there is none */
void histogram_range(const struct histogram *histogram, unsigned int *from, unsigned int *to);

/* The quantiles that are told */
enum quantile { P50, P99, P99_9, NR_QUANTILES };

/*
 * In which bucket is the exit that is as long as this share of all, or longer?  There must be
 * exits.
 */
unsigned int histogram_quantile(const struct histogram *histogram, enum quantile quantile);

/* The most ticks that an exit in the bucket took.  There is no limit to the last one. */
static inline bool bucket_limited(unsigned int bucket)
{
	return bucket < KVM_EXIT_STATS_NR_BUCKETS - 1;
}

static inline uint64_t bucket_limit(unsigned int bucket)
{
	return (UINT64_C(2) << bucket) - 1;
}

#endif /* HISTOGRAM_H */
