// SPDX-License-Identifier: GPL-2.0-only
#include "sample.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "occurred.h"

/* How often to start a sample over because the host has changed the scope */
#define ATTEMPTS 10

static int complain_absent(void)
{
	fputs("exitstat: this host does not serve VM-exit statistics: "
	      "its KVM lacks them, or exit_stats=off; ask whoever runs it\n", stderr);
	return STATUS_ABSENT;
}

static int complain_no_vcpus(void)
{
	fputs("exitstat: this host does not tell a vCPU its own figures, which -P shows; "
	      "ask whoever runs it for a newer KVM\n", stderr);
	return STATUS_ABSENT;
}

/* Older hosts have no such leaf, and in scope host it is each vCPU's alone. */
static int complain_no_max(const struct watch *watch)
{
	fputs(longest_served(&watch->info, EXITSTAT_OF_THIS_VCPU) ?
	      "exitstat: in scope host, the longest exits, which -m shows, are told of each vCPU "
	      "alone; add -P\n" :
	      "exitstat: this host does not tell the longest exits, which -m shows; "
	      "ask whoever runs it for a newer KVM\n", stderr);
	return STATUS_ABSENT;
}

static int complain_no_histogram(const struct watch *watch)
{
	fputs(watch->info.further < 6 ?
	      "exitstat: this host does not tell how long exits took, which --histogram shows; "
	      "ask whoever runs it for a newer KVM\n" :
	      histogram_served(&watch->info) ?
	      "exitstat: this host does not count how long exits took, which --histogram shows; "
	      "ask whoever runs it to set kvm's parameter exit_stats_histogram=Y\n" :
	      "exitstat: in scope host, how long exits took, which --histogram shows, is told of "
	      "each vCPU alone; ask whoever runs it for scope vm\n", stderr);
	return STATUS_ABSENT;
}

bool watch_lacks_vcpus(const struct watch *watch)
{
	return watch->by_vcpu && !watch->info.this_vcpu;
}

bool watch_offers_max(const struct watch *watch)
{
	return longest_served(&watch->info, watch->by_vcpu ? EXITSTAT_OF_THIS_VCPU :
							     EXITSTAT_OF_ALL_VCPUS);
}

bool watch_lacks_max(const struct watch *watch)
{
	return watch->max && !watch->optional && !watch_offers_max(watch);
}

bool watch_offers_histogram(const struct watch *watch)
{
	return histogram_served(&watch->info) && !watch->histogram_off;
}

bool watch_lacks_histogram(const struct watch *watch)
{
	return watch->histogram && watch->by_reason && !watch->optional &&
	       !watch_offers_histogram(watch);
}

static bool lacks(const struct watch *watch)
{
	return watch_lacks_vcpus(watch) || watch_lacks_max(watch) || watch_lacks_histogram(watch);
}

/* What is watched, and the host does not serve */
static int complain_lacking(const struct watch *watch)
{
	return watch_lacks_vcpus(watch) ? complain_no_vcpus() :
	       watch_lacks_max(watch) ? complain_no_max(watch) :
	       watch_lacks_histogram(watch) ? complain_no_histogram(watch) : complain_absent();
}

int complain_unread(const struct watch *watch)
{
	if (!watch->error)
		return complain_lacking(watch);
	fprintf(stderr, "exitstat: cannot %s: %s\n",
		watch->by_vcpu ? "go to each vCPU" : "read histograms", strerror(watch->error));
	return STATUS_ERROR;
}

/* Like exitstat_reason(), but also counts the CPUIDs, and takes one where that is enough. */
static bool read_reason(const struct exitstat_info *info, uint32_t reason, struct exitstat *stat,
			unsigned int *reads)
{
	*stat = (struct exitstat){};
	if (info->further >= 1) {
		*reads += 1;
		return exitstat_pair(reason, stat);
	}
	if (!exitstat_reason(reason, stat)) {
		*reads += 1;
		return false;
	}
	*reads += stat->exits ? 2 : 1;
	return true;
}

static int watch_listed(struct watch *watch, const char *list, bool at_first)
{
	for (;;) {
		size_t len = strcspn(list, ",");
		struct exitstat unused;
		uint32_t reason;
		bool twice = false;

		if (!reason_find(watch->info.isa, list, len, &reason) ||
		    !read_reason(&watch->info, reason, &unused, &watch->reads))
			return at_first ? usage_error("this host has no exit reason '%.*s'",
						      (int)len, list) : STATUS_USAGE;

		for (size_t i = 0; i < watch->nr_reasons; i++)
			twice |= watch->reasons[i] == reason;
		if (!twice && watch->nr_reasons < REASONS_MAX)
			watch->reasons[watch->nr_reasons++] = reason;

		if (!list[len])
			return STATUS_OK;
		list += len + 1;
	}
}

static bool known(const struct exitstat_info *info)
{
	return info->version == KVM_EXIT_STATS_VERSION && reasons_known(info->isa);
}

bool watch_possible(void)
{
	struct exitstat_info info;

	return exitstat_detect(&info) && known(&info);
}

/* That of CPUID is there, or none is. */
static void find_histograms(struct watch *watch, unsigned int *reads)
{
	if (watch->histogram && histogram_served(&watch->info))
		watch->histogram_off = !histogram_read(&(struct histogram){},
						       reason_of_cpuid(watch->info.isa), reads);
}

int watch_init(struct watch *watch, const struct options *options, bool at_first)
{
	bool metrics = format_is_metrics(options->format);
	int status = STATUS_OK;

	/* The live view can be told to show all. */
	*watch = (struct watch){
		.reads = 1,
		.all = options->all || options->live,
		.max = options->max,
		.histogram = options->histogram,
		/* Hosts of a fleet differ, and the same is asked of all. */
		.optional = metrics,
		.by_vcpu = options->per_vcpu,
		/* A file of metrics has all there is. */
		.by_reason = !options->per_vcpu || metrics,
	};
	if (!exitstat_detect(&watch->info))
		return complain_absent();
	if (!known(&watch->info)) {
		fprintf(stderr, "exitstat: this host serves VM-exit statistics of version %u, "
			"exit reasons %u, which this exitstat does not know; get a newer one\n",
			watch->info.version, watch->info.isa);
		return STATUS_ABSENT;
	}
	watch->at_first = watch->info;
	find_histograms(watch, &watch->reads);
	if (lacks(watch))
		return at_first ? complain_lacking(watch) : STATUS_ABSENT;

	for (size_t i = 0; i < options->nr_lists && status == STATUS_OK; i++)
		status = watch_listed(watch, options->lists[i], at_first);
	if (!options->nr_lists) {
		watch->complete = true;
		watch->nr_reasons = reasons_list(watch->info.isa, watch->reasons);
	}
	return status;
}

static bool less(struct exitstat a, struct exitstat b)
{
	return a.exits < b.exits || a.cycles < b.cycles;
}

static struct exitstat plus(struct exitstat a, struct exitstat b)
{
	return (struct exitstat){ a.exits + b.exits, a.cycles + b.cycles };
}

struct exitstat exitstat_minus(struct exitstat a, struct exitstat b)
{
	return (struct exitstat){ a.exits - b.exits, a.cycles - b.cycles };
}

static uint64_t max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

struct exitstat exitstat_greater(struct exitstat a, struct exitstat b)
{
	return (struct exitstat){ max(a.exits, b.exits), max(a.cycles, b.cycles) };
}

/* How many of the reasons are read */
static size_t nr_read(const struct watch *watch)
{
	return watch->by_reason ? watch->nr_reasons : 0;
}

/* Counters only grow, unless they start over or the scope changes. */
bool sample_restarted(const struct watch *watch, const struct sample *base,
		      const struct sample *now)
{
	if (now->scope != base->scope || less(now->total, base->total) ||
	    ledger_restarted(&now->ledger, &base->ledger))
		return true;
	for (size_t i = 0; i < nr_read(watch); i++)
		if (less(now->stats[i], base->stats[i]) ||
		    (now->vmm_known && base->vmm_known &&
		     now->vmm[i].returns < base->vmm[i].returns))
			return true;
	return false;
}

struct exitstat sample_sum(const struct watch *watch, const struct sample *sample)
{
	struct exitstat sum = {};

	for (size_t i = 0; i < nr_read(watch); i++)
		sum = plus(sum, sample->stats[i]);
	return sum;
}

/*
 * The total is read first.  As counters only grow, if it exceeds the sum of the reasons
 * that are read later, the rest has no reason with a leaf.
 */
static void add_up(struct sample *sample, const struct watch *watch)
{
	struct exitstat sum = sample_sum(watch, sample);

	sample->other = (struct exitstat){};
	if (!watch->complete || !watch->by_reason)
		return;
	sample->total = exitstat_greater(sample->total, sum);
	sample->other = exitstat_minus(sample->total, sum);
}

/*
 * What seems to be less than before, and is no restart, stays as it was until it has made up for
 * that.  Not all of the rest without a leaf shows in each sample.  ledger_hold() says why times
 * go back.
 */
static void hold(struct sample *sample, const struct watch *watch, const struct sample *previous)
{
	if (watch->complete && watch->by_reason) {
		sample->other = exitstat_greater(sample->other, previous->other);
		sample->total = plus(sample_sum(watch, sample), sample->other);
	}
	ledger_hold(&sample->ledger, &previous->ledger);
	vcpus_hold(sample->vcpus, previous->vcpus);
	for (size_t i = 0; i < nr_read(watch) && sample->vmm_known && previous->vmm_known; i++)
		sample->vmm[i].ns = max(sample->vmm[i].ns, previous->vmm[i].ns);
	for (size_t i = 0; i < nr_read(watch) && sample->histograms && previous->histograms; i++)
		histogram_hold(&sample->histograms[i], &previous->histograms[i],
			       sample->stats[i].exits - previous->stats[i].exits);
}

/*
 * A reason that had no exits since the sample before has had no returns either, but for those whose
 * exits were read before they returned; and if it ever had one, that may last until now.
 */
static bool may_have_returned(const struct sample *sample, const struct sample *previous, size_t i)
{
	return sample->stats[i].exits &&
	       (!previous || !previous->vmm_known || sample->moved[i] || previous->moved[i] ||
		previous->vmm[i].returns);
}

static void read_vmm(struct sample *sample, const struct sample *previous, size_t i,
		     uint32_t reason)
{
	sample->moved[i] = !previous || sample->stats[i].exits != previous->stats[i].exits;
	sample->vmm[i] = (struct exitstat_vmm){};
	if (!sample->vmm_known || !may_have_returned(sample, previous, i))
		return;
	sample->reads++;
	exitstat_vmm(reason, &sample->vmm[i]);
}

/*
 * How long exits took is another story only if cycles were counted.  Those are read before, so that
 * an exit that comes in between is not lost: it leads to the next read.  If the host did not tell
 * it to the sample before, it is read unless there never was an exit.
 */
static bool is_as_before(const struct sample *sample, const struct sample *previous, size_t i)
{
	const struct exitstat *before = previous ? &previous->stats[i] : &(struct exitstat){};
	const struct exitstat *now = &sample->stats[i];

	return now->exits == before->exits && now->cycles == before->cycles;
}

static void read_longest(struct sample *sample, const struct sample *previous, size_t i,
			 uint32_t reason)
{
	sample->longest[i] = (struct exitstat_longest){};
	if (!sample->longest_known)
		return;
	if (previous && !previous->longest_known)
		previous = NULL;
	if (is_as_before(sample, previous, i)) {
		sample->longest[i].ever = previous ? previous->longest[i].ever : 0;
		return;
	}
	sample->reads++;
	exitstat_longest(reason, &sample->longest[i]);
}

static void read_histogram(struct sample *sample, const struct sample *previous, size_t i,
			   uint32_t reason)
{
	if (!sample->histograms_known)
		return;
	if (previous && !previous->histograms_known)
		previous = NULL;
	if (!is_as_before(sample, previous, i))
		sample->histograms_known = histogram_read(&sample->histograms[i], reason,
							  &sample->reads);
	else if (previous)
		sample->histograms[i] = previous->histograms[i];
}

/* Returns false if there is no memory. */
static bool make_histograms(struct sample *sample, struct watch *watch)
{
	sample->histograms_known = false;
	if (!watch->histogram || !watch->by_reason)
		return true;
	if (watch->histogram_off)
		find_histograms(watch, &sample->reads);
	sample->histograms_known = watch_offers_histogram(watch);
	sample->histograms = calloc(watch->nr_reasons, sizeof(sample->histograms[0]));
	if (!sample->histograms)
		watch->error = errno;
	return sample->histograms;
}

/*
 * The first sample finds out which reasons are defined, and drops the others, unless that makes
 * no difference.
 */
static void read_reasons(struct sample *sample, struct watch *watch, const struct sample *previous)
{
	uint32_t cpuid = reason_of_cpuid(watch->info.isa);
	bool find_out = !watch->settled && watch->all;
	struct occurred occurred = { .n = 0 };
	size_t n = 0;

	/* Those of -r are few. */
	if (watch->complete)
		occurred_read(&occurred, EXITSTAT_OF_ALL_VCPUS, &watch->info, &sample->reads);
	for (size_t i = 0; i < watch->nr_reasons; i++) {
		unsigned int reads = sample->reads;

		if (!find_out && !may_have_occurred(&occurred, watch->reasons[i]))
			sample->stats[n] = (struct exitstat){};
		else if (!read_reason(&watch->info, watch->reasons[i], &sample->stats[n],
				      &sample->reads) && !watch->settled)
			continue;
		if (watch->reasons[i] == cpuid)
			sample->reads_before = reads + 1;
		read_vmm(sample, previous, n, watch->reasons[i]);
		read_longest(sample, previous, n, watch->reasons[i]);
		read_histogram(sample, previous, n, watch->reasons[i]);
		watch->reasons[n++] = watch->reasons[i];
	}
	watch->nr_reasons = n;
}

/* Returns false on errors. */
static bool read_counters(struct sample *sample, struct watch *watch, const struct sample *previous)
{
	sample->vmm_known = vmm_served(&watch->info);
	sample->longest_known = watch->max && longest_served(&watch->info, EXITSTAT_OF_ALL_VCPUS);
	sample->at = machine_now();
	sample->reads++;
	sample->reads_before = sample->reads;
	sample->total = exitstat_total();
	sample->reads++;
	if (!make_histograms(sample, watch))
		return false;
	if (watch->by_reason)
		read_reasons(sample, watch, previous);
	/* Exits are compared to the TSC, so they come first. */
	sample->tsc_after = machine_tsc();
	ledger_read(&sample->ledger, EXITSTAT_OF_ALL_VCPUS, &watch->info, &sample->reads);
	if (!watch->by_vcpu)
		return true;
	sample->vcpus = vcpus_read(&watch->info, watch->max && watch_offers_max(watch),
				   &sample->reads);
	if (!sample->vcpus)
		watch->error = errno;
	return sample->vcpus;
}

static bool same(const struct exitstat_info *a, const struct exitstat_info *b)
{
	return a->version == b->version && a->isa == b->isa && a->scope == b->scope &&
	       a->further == b->further && a->this_vcpu == b->this_vcpu;
}

/*
 * Read a sample between two equal signatures.  If they differ, the host has changed the
 * scope, or switched accounting off, while the leaves were read.  The signature that was read
 * after the sample before would not do for the one before this: the host may have switched
 * there and back, and only the way back be in this sample.
 */
bool sample_read(struct sample *sample, struct watch *watch, const struct sample *previous)
{
	sample->reads = 0;
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		struct exitstat_info before = {}, after = {};
		bool served;

		sample_free(sample);
		sample->reads++;
		served = exitstat_detect(&before) && before.version == watch->info.version &&
			 before.isa == watch->info.isa;
		if (!served)
			break;
		watch->info = before;
		if (lacks(watch) || !read_counters(sample, watch, previous))
			break;
		sample->reads++;
		if (!exitstat_detect(&after))
			break;
		if (!same(&before, &after))
			continue;
		watch->histogram_off |= sample->histograms && !sample->histograms_known;
		if (watch_lacks_histogram(watch))
			break;

		watch->settled |= watch->by_reason;
		sample->scope = after.scope;
		add_up(sample, watch);
		if (previous && !sample_restarted(watch, previous, sample))
			hold(sample, watch, previous);
		return true;
	}
	return false;
}

void sample_free(struct sample *sample)
{
	free(sample->vcpus);
	sample->vcpus = NULL;
	free(sample->histograms);
	sample->histograms = NULL;
}
