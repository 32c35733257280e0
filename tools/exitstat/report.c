// SPDX-License-Identifier: GPL-2.0-only
#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <strings.h>

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
	double p = x->stat.exits ? row_cycles_per_exit(x) : 0;
	double q = y->stat.exits ? row_cycles_per_exit(y) : 0;

	if (p != q)
		return p < q ? 1 : -1;
	return by_exits(x, y);
}

static int by_vmm(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->vmm.ns != y->vmm.ns)
		return x->vmm.ns < y->vmm.ns ? 1 : -1;
	return by_exits(x, y);
}

static int (*const orders[NR_SORT_KEYS])(const void *, const void *) = {
	[SORT_EXITS] = by_exits,
	[SORT_CYCLES] = by_cycles,
	[SORT_COST] = by_cost,
	[SORT_VMM] = by_vmm,
	[SORT_REASON] = by_reason,
	[SORT_NAME] = by_name,
};

/* In an interval it is that since its beginning, when it was read, too. */
static uint64_t longest_in(const struct report *report, const struct exitstat_longest *longest)
{
	return report->base ? longest->recent : longest->ever;
}

static void raise_max(struct row *total, uint64_t max)
{
	total->max_known = true;
	if (max > total->max)
		total->max = max;
}

/* The VMM's share and the longest exit are not known of reasons without a leaf. */
static void make_rows(struct report *report, const struct watch *watch,
		      const struct options *options, const struct sample *base,
		      const struct sample *now, bool vmm_known)
{
	struct row *row = report->rows, *total = &report->total;

	total->vmm_known = vmm_known && watch->complete;
	for (size_t i = 0; i < watch->nr_reasons; i++) {
		*row = (struct row){
			.numbered = true,
			.i = i,
			.reason = watch->reasons[i],
			.stat = exitstat_minus(now->stats[i], base->stats[i]),
			.vmm_known = vmm_known,
		};
		reason_name(watch->info.isa, row->reason, row->name);
		if (vmm_known) {
			row->vmm.returns = now->vmm[i].returns - base->vmm[i].returns;
			row->vmm.ns = now->vmm[i].ns - base->vmm[i].ns;
			total->vmm.returns += row->vmm.returns;
			total->vmm.ns += row->vmm.ns;
		}
		if (now->longest_known) {
			row->max_known = true;
			row->max = longest_in(report, &now->longest[i]);
			raise_max(total, row->max);
		}
		if (options->all || row->stat.exits || row->stat.cycles || row->vmm.returns ||
		    row->vmm.ns)
			row++;
	}
	*row = (struct row){ .name = "OTHER", .stat = exitstat_minus(now->other, base->other) };
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
	double cycles = (double)report->total.stat.cycles, most;

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
	most = (double)((now->tsc_after > now->at.tsc ? now->tsc_after : now->at.tsc) -
			from->tsc);
	if (report->vcpus && cycles > most * report->vcpus)
		report->ticks = 0;
	report->untimed = now->at.present && cycles > most * (now->at.present > from->present ?
							     now->at.present : from->present);
	if (report->untimed)
		report->elapsed = 0;
}

static void add_max_of_vcpus(struct report *report)
{
	struct vcpu_row row;

	for (size_t i = 0; i < report_nr_vcpus(report); i++)
		if (report_vcpu(report, i, &row) && row.max_known)
			raise_max(&report->total, row.max);
}

static bool has_states(const struct sample *now)
{
	for (size_t i = 0; now->vcpus && i < now->vcpus->n; i++)
		if (now->vcpus->vcpu[i].reached && now->vcpus->vcpu[i].ledger.known)
			return true;
	return now->ledger.known;
}

void report_make(struct report *report, const struct watch *watch, const struct options *options,
		 enum report_kind kind, const struct sample *base, const struct sample *now)
{
	static const struct sample zero;
	const struct sample *from = base ? base : &zero;

	*report = (struct report){
		.kind = kind,
		.restarted = base && sample_restarted(watch, base, now),
		.info = watch->info,
		.at_first = watch->at_first,
		.time = now->at.time,
		.own = now->reads_before + (base ? base->reads - base->reads_before : watch->reads),
		.total = { .name = "total" },
		.by_reason = watch->by_reason,
		.by_vcpu = watch->by_vcpu,
		.has_max = watch->max && watch_offers_max(watch),
		.has_histogram = now->histograms_known,
		.has_states = has_states(now),
		.base = base,
		.now = now,
	};
	if (!report->restarted) {
		report->ledger = ledger_since(base ? &base->ledger : NULL, &now->ledger);
		report->total.stat = exitstat_minus(now->total, from->total);
		/* With -r, the total is not the sum of the rows, but read a little before them. */
		report->total.stat = exitstat_greater(report->total.stat,
						      exitstat_minus(sample_sum(watch, now),
								     sample_sum(watch, from)));
		if (watch->by_reason)
			make_rows(report, watch, options, from, now,
				  now->vmm_known && (!base || base->vmm_known));
		else
			add_max_of_vcpus(report);
	}
	set_time(report, base, now);
}

static double ratio(double part, double whole)
{
	return whole > 0 ? part / whole : NAN;
}

double row_exits_percent(const struct report *report, const struct row *row)
{
	return 100 * ratio((double)row->stat.exits, (double)report->total.stat.exits);
}

double row_cycles_percent(const struct report *report, const struct row *row)
{
	return 100 * ratio((double)row->stat.cycles, (double)report->total.stat.cycles);
}

double row_exits_per_second(const struct report *report, const struct row *row)
{
	return ratio((double)row->stat.exits, report->elapsed);
}

double row_cycles_per_exit(const struct row *row)
{
	return ratio((double)row->stat.cycles, (double)row->stat.exits);
}

double row_time_percent(const struct report *report, const struct row *row)
{
	double percent = 100 * ratio((double)row->stat.cycles,
				     (double)report->ticks * report->vcpus);

	/* The counters are read a little after the time. */
	return percent > 100 ? 100 : percent;
}

double row_vmm_percent(const struct report *report, const struct row *row)
{
	const struct ledger *ledger = &report->ledger;

	if (!row->vmm_known || !ledger->known)
		return NAN;
	return 100 * ratio((double)row->vmm.ns, (double)ledger_sum(ledger));
}

struct histogram report_histogram(const struct report *report, const struct row *row)
{
	static const struct histogram none;
	const struct sample *now = report->now, *base = report->base;

	if (!row->numbered || !now->histograms)
		return none;
	return histogram_minus(&now->histograms[row->i],
			       base && base->histograms ? &base->histograms[row->i] : &none);
}

size_t report_nr_vcpus(const struct report *report)
{
	return report->now->vcpus ? report->now->vcpus->n : 0;
}

/* Its time is that of its own TSC. */
static void set_vcpu_time(struct vcpu_row *row, const struct vcpu *from, const struct vcpu *now)
{
	double cycles = (double)row->stat.cycles;

	/* What is impossible is due to clocks that were set back. */
	if (now->tsc <= from->tsc || now->tsc_after < now->tsc ||
	    cycles > (double)(now->tsc_after - from->tsc))
		return;
	row->time_percent = fmin(100 * cycles / (double)(now->tsc - from->tsc), 100);
}

bool report_vcpu(const struct report *report, size_t i, struct vcpu_row *row)
{
	const struct vcpu *now = &report->now->vcpus->vcpu[i];
	const struct sample *base = report->base;
	const struct vcpu *from = base ? vcpus_find(base->vcpus, now->cpu) : &(struct vcpu){};

	*row = (struct vcpu_row){
		.cpu = now->cpu,
		.known = from && !(base && vcpu_restarted(now, from)),
		.exits_per_second = NAN,
		.time_percent = NAN,
	};
	if (!now->reached)
		return false;
	if (!row->known)
		return true;

	row->stat = exitstat_minus(now->total, from->total);
	row->ledger = ledger_since(base ? &from->ledger : NULL, &now->ledger);
	row->max_known = report->has_max;
	row->max = longest_in(report, &now->longest);
	if (!report->untimed) {
		row->exits_per_second = ratio((double)row->stat.exits, now->uptime - from->uptime);
		set_vcpu_time(row, from, now);
	}
	return true;
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
