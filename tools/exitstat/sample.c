// SPDX-License-Identifier: GPL-2.0-only
#include "sample.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* How often to start a sample over because the host has changed the scope */
#define ATTEMPTS 10

int complain_absent(void)
{
	fputs("exitstat: this host does not serve VM-exit statistics: "
	      "its KVM lacks them, or exit_stats=off; ask whoever runs it\n", stderr);
	return STATUS_ABSENT;
}

/* Like exitstat_reason(), but also counts the CPUIDs. */
static bool read_reason(uint32_t reason, struct exitstat *stat, unsigned int *reads)
{
	*stat = (struct exitstat){};
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
		    !read_reason(reason, &unused, &watch->reads))
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

int watch_init(struct watch *watch, const struct options *options, bool at_first)
{
	int status = STATUS_OK;

	*watch = (struct watch){ .reads = 1 };
	if (!exitstat_detect(&watch->info))
		return complain_absent();
	if (!known(&watch->info)) {
		fprintf(stderr, "exitstat: this host serves VM-exit statistics of version %u, "
			"exit reasons %u, which this exitstat does not know; get a newer one\n",
			watch->info.version, watch->info.isa);
		return STATUS_ABSENT;
	}

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

static struct exitstat minus(struct exitstat a, struct exitstat b)
{
	return (struct exitstat){ a.exits - b.exits, a.cycles - b.cycles };
}

static uint64_t max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static struct exitstat greater(struct exitstat a, struct exitstat b)
{
	return (struct exitstat){ max(a.exits, b.exits), max(a.cycles, b.cycles) };
}

/* Counters only grow, unless they start over or the scope changes. */
static bool restarted(const struct watch *watch, const struct sample *base,
		      const struct sample *now)
{
	if (now->scope != base->scope || less(now->total, base->total))
		return true;
	for (size_t i = 0; i < watch->nr_reasons; i++)
		if (less(now->stats[i], base->stats[i]))
			return true;
	return false;
}

static struct exitstat sum_of_reasons(const struct watch *watch, const struct sample *sample)
{
	struct exitstat sum = {};

	for (size_t i = 0; i < watch->nr_reasons; i++)
		sum = plus(sum, sample->stats[i]);
	return sum;
}

/*
 * The total is read first.  As counters only grow, if it exceeds the sum of the reasons
 * that are read later, the rest has no reason with a leaf.  Not all of that rest shows in
 * each sample, so keep the greatest.
 */
static void add_up(struct sample *sample, const struct watch *watch, const struct sample *previous)
{
	struct exitstat sum = sum_of_reasons(watch, sample);

	sample->other = (struct exitstat){};
	if (!watch->complete)
		return;
	sample->other = minus(greater(sample->total, sum), sum);
	sample->total = plus(sum, sample->other);
	if (previous && !restarted(watch, previous, sample)) {
		sample->other = greater(sample->other, previous->other);
		sample->total = plus(sum, sample->other);
	}
}

/* The first sample finds out which reasons are defined, and drops the others. */
static void read_counters(struct sample *sample, struct watch *watch, bool first)
{
	uint32_t cpuid = reason_of_cpuid(watch->info.isa);
	size_t n = 0;

	sample->at = machine_now();
	sample->reads++;
	sample->reads_before = sample->reads;
	sample->total = exitstat_total();
	sample->reads++;
	for (size_t i = 0; i < watch->nr_reasons; i++) {
		unsigned int reads = sample->reads;

		if (!read_reason(watch->reasons[i], &sample->stats[n], &sample->reads) && first)
			continue;
		if (watch->reasons[i] == cpuid)
			sample->reads_before = reads + 1;
		watch->reasons[n++] = watch->reasons[i];
	}
	watch->nr_reasons = n;
}

/*
 * Read a sample between two equal signatures.  If they differ, the host has changed the
 * scope, or switched accounting off, while the leaves were read.
 */
bool sample_read(struct sample *sample, struct watch *watch, const struct sample *previous)
{
	sample->reads = 0;
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		struct exitstat_info before = {}, after = {};
		bool served;

		sample->reads++;
		served = exitstat_detect(&before);
		if (served) {
			read_counters(sample, watch, !previous);
			sample->tsc_after = machine_tsc();
			sample->reads++;
			served = exitstat_detect(&after);
		}
		if (!served || before.version != watch->info.version ||
		    before.isa != watch->info.isa)
			break;
		if (memcmp(&before, &after, sizeof(before)))
			continue;

		watch->info = after;
		sample->scope = after.scope;
		add_up(sample, watch, previous);
		return true;
	}
	return false;
}

static int by_number(const struct row *a, const struct row *b)
{
	if (a->numbered != b->numbered)
		return a->numbered ? -1 : 1;
	return a->reason < b->reason ? -1 : a->reason > b->reason;
}

static int by_name(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int order = strcasecmp(x->name, y->name);

	return order ? order : by_number(x, y);
}

static int by_reason(const void *a, const void *b)
{
	return by_number(a, b);
}

static int by_exits(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->stat.exits != y->stat.exits)
		return x->stat.exits < y->stat.exits ? 1 : -1;
	return by_number(x, y);
}

static int by_cycles(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->stat.cycles != y->stat.cycles)
		return x->stat.cycles < y->stat.cycles ? 1 : -1;
	return by_exits(x, y);
}

static int by_cost(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	double p = x->stat.exits ? row_cycles_per_exit(&x->stat) : 0;
	double q = y->stat.exits ? row_cycles_per_exit(&y->stat) : 0;

	if (p != q)
		return p < q ? 1 : -1;
	return by_exits(x, y);
}

static int (*const orders[NR_SORT_KEYS])(const void *, const void *) = {
	[SORT_EXITS] = by_exits,
	[SORT_CYCLES] = by_cycles,
	[SORT_COST] = by_cost,
	[SORT_REASON] = by_reason,
	[SORT_NAME] = by_name,
};

static void make_rows(struct report *report, const struct watch *watch,
		      const struct options *options, const struct sample *base,
		      const struct sample *now)
{
	struct row *row = report->rows;

	for (size_t i = 0; i < watch->nr_reasons; i++) {
		*row = (struct row){
			.numbered = true,
			.reason = watch->reasons[i],
			.stat = minus(now->stats[i], base->stats[i]),
		};
		reason_name(watch->info.isa, row->reason, row->name);
		if (options->all || row->stat.exits || row->stat.cycles)
			row++;
	}
	*row = (struct row){ .name = "OTHER", .stat = minus(now->other, base->other) };
	if (row->stat.exits || row->stat.cycles)
		row++;

	report->nr_rows = (size_t)(row - report->rows);
	qsort(report->rows, report->nr_rows, sizeof(report->rows[0]), orders[options->sort]);
	if (options->top && report->nr_rows > options->top)
		report->nr_rows = options->top;
}

/*
 * How much time the figures are about.  In scope host, it is not known how many CPUs the host
 * has, nor how long it has been counting.
 */
static void set_time(struct report *report, const struct sample *base, const struct sample *now)
{
	const struct moment *from = base ? &base->at : &(struct moment){};
	bool scope_vm = report->info.scope == KVM_EXIT_STATS_SCOPE_VM;
	double cycles = (double)report->total.cycles, most;

	/* How many vCPUs have been online since boot is not known, so count those there are. */
	report->vcpus = !base ? now->at.present :
			base->at.online > now->at.online ? base->at.online : now->at.online;
	if (base && (!base->at.online || !now->at.online))
		report->vcpus = 0;
	report->elapsed = scope_vm || base ? now->at.uptime - from->uptime : 0;
	report->ticks = 0;
	report->untimed = false;
	/* TSCs of vCPUs may differ, and migration may set them back. */
	if (!scope_vm || now->at.tsc <= from->tsc)
		return;

	report->ticks = now->at.tsc - from->tsc;
	/*
	 * vCPUs may have been online only meanwhile.  But if there are more cycles than all of
	 * them had time for, the guest's clocks may have been set back, e.g. by a return to a
	 * snapshot, and not its counters.
	 */
	most = (double)(max(now->tsc_after, now->at.tsc) - from->tsc);
	if (report->vcpus && cycles > most * report->vcpus)
		report->ticks = 0;
	report->untimed = now->at.present && cycles > most * max(now->at.present, from->present);
	if (report->untimed)
		report->elapsed = 0;
}

void report_make(struct report *report, const struct watch *watch, const struct options *options,
		 enum report_kind kind, const struct sample *base, const struct sample *now)
{
	static const struct sample zero;
	const struct sample *from = base ? base : &zero;

	*report = (struct report){
		.kind = kind,
		.restarted = base && restarted(watch, base, now),
		.info = watch->info,
		.time = now->at.time,
		.own = now->reads_before + (base ? base->reads - base->reads_before : watch->reads),
	};
	if (!report->restarted) {
		report->total = minus(now->total, from->total);
		/* With -r, the total is not the sum of the rows, but read a little before them. */
		report->total = greater(report->total, minus(sum_of_reasons(watch, now),
							     sum_of_reasons(watch, from)));
		make_rows(report, watch, options, from, now);
	}
	set_time(report, base, now);
}

static double ratio(double part, double whole)
{
	return whole > 0 ? part / whole : NAN;
}

double row_exits_percent(const struct report *report, const struct exitstat *stat)
{
	return 100 * ratio((double)stat->exits, (double)report->total.exits);
}

double row_cycles_percent(const struct report *report, const struct exitstat *stat)
{
	return 100 * ratio((double)stat->cycles, (double)report->total.cycles);
}

double row_exits_per_second(const struct report *report, const struct exitstat *stat)
{
	return ratio((double)stat->exits, report->elapsed);
}

double row_cycles_per_exit(const struct exitstat *stat)
{
	return ratio((double)stat->cycles, (double)stat->exits);
}

double row_time_percent(const struct report *report, const struct exitstat *stat)
{
	double percent = 100 * ratio((double)stat->cycles, (double)report->ticks * report->vcpus);

	/* The counters are read a little after the time. */
	return percent > 100 ? 100 : percent;
}

const char *scope_name(const struct exitstat_info *info)
{
	return info->scope == KVM_EXIT_STATS_SCOPE_VM ? "vm" :
	       info->scope == KVM_EXIT_STATS_SCOPE_HOST ? "host" : "unknown";
}

const char *isa_name(const struct exitstat_info *info)
{
	return info->isa == KVM_EXIT_STATS_ISA_VMX ? "vmx" : "svm";
}
