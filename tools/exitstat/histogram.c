// SPDX-License-Identifier: GPL-2.0-only
#include "histogram.h"

bool histogram_read(struct histogram *histogram, uint32_t reason, unsigned int *reads)
{
	struct exitstat_histogram told;

	if (!exitstat_histogram(reason, &told)) {
		*reads += 1;
		return false;
	}
	histogram->known = true;
	*reads += KVM_EXIT_STATS_NR_BUCKETS / KVM_EXIT_STATS_BUCKETS_PER_GROUP;
	for (unsigned int i = 0; i < KVM_EXIT_STATS_NR_BUCKETS; i++)
		histogram->buckets[i] = told.buckets[i];
	return true;
}

void histogram_hold(struct histogram *now, const struct histogram *before, uint64_t exits)
{
	if (!before->known)
		return;
	if (!now->known) {
		*now = *before;
		return;
	}
	for (unsigned int i = 0; i < KVM_EXIT_STATS_NR_BUCKETS; i++) {
		uint32_t more = (uint32_t)(now->buckets[i] - before->buckets[i]);
		/* That many are less by a few, unless there were as many exits. */
		bool less = more > INT32_MAX && more > exits;

		now->buckets[i] = before->buckets[i] + (less ? 0 : more);
	}
}

struct histogram histogram_minus(const struct histogram *a, const struct histogram *b)
{
	struct histogram difference = { .known = a->known };

	for (unsigned int i = 0; i < KVM_EXIT_STATS_NR_BUCKETS; i++)
		difference.buckets[i] = a->buckets[i] - b->buckets[i];
	return difference;
}

uint64_t histogram_sum(const struct histogram *histogram)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < KVM_EXIT_STATS_NR_BUCKETS; i++)
		sum += histogram->buckets[i];
	return sum;
}

void histogram_range(const struct histogram *histogram, unsigned int *from, unsigned int *to)
{
	*from = 0;
	*to = KVM_EXIT_STATS_NR_BUCKETS;
	while (*to && !histogram->buckets[*to - 1])
		--*to;
	while (*from < *to && !histogram->buckets[*from])
		++*from;
}

unsigned int histogram_quantile(const struct histogram *histogram, enum quantile quantile)
{
	static const uint64_t per_mille[NR_QUANTILES] = { 500, 990, 999 };
	/* It is this one, counted from 1. */
	uint64_t exit = (histogram_sum(histogram) * per_mille[quantile] + 999) / 1000, seen = 0;
	unsigned int i = 0;

	while (bucket_limited(i) && (seen += histogram->buckets[i]) < exit)
		i++;
	return i;
}
