// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reports for programs; exitstat(1) documents them.  Unknown values are null in JSON and
 * empty in CSV.  No name has a character that needs to be escaped.
 */
#include "output.h"

#include <inttypes.h>
#include <math.h>

static const char *kind_name(enum report_kind kind)
{
	return kind == REPORT_SINCE_BOOT ? "boot" :
	       kind == REPORT_INTERVAL ? "interval" : "command";
}

static void json_number(FILE *f, const char *key, int digits, double value)
{
	if (isnan(value))
		fprintf(f, ",\"%s\":null", key);
	else
		fprintf(f, ",\"%s\":%.*f", key, digits, value);
}

/* It has 64 bits, of which a double keeps 53. */
static void json_count(FILE *f, const char *key, bool known, uint64_t value)
{
	if (known)
		fprintf(f, ",\"%s\":%" PRIu64, key, value);
	else
		fprintf(f, ",\"%s\":null", key);
}

static void json_ledger(FILE *f, const struct ledger *ledger)
{
	fputs(",\"ledger\":", f);
	if (!ledger->known) {
		fputs("null", f);
		return;
	}
	for (unsigned int i = 0; i < KVM_EXIT_STATS_NR_STATES; i++)
		fprintf(f, "%s\"%s_ns\":%" PRIu64, i ? "," : "{", state_name(i), ledger->ns[i]);
	fputc('}', f);
}

/* Without the braces */
static void json_figures(FILE *f, const struct report *report, const struct row *row)
{
	fprintf(f, "\"exits\":%" PRIu64, row->stat.exits);
	json_number(f, "exits_percent", 4, row_exits_percent(report, row));
	json_number(f, "exits_per_second", 3, row_exits_per_second(report, row));
	fprintf(f, ",\"cycles\":%" PRIu64, row->stat.cycles);
	json_number(f, "cycles_percent", 4, row_cycles_percent(report, row));
	json_number(f, "cycles_per_exit", 2, row_cycles_per_exit(row));
	json_number(f, "time_percent", 4, row_time_percent(report, row));
	if (report->has_max)
		json_count(f, "max_cycles", row->max_known, row->max);
	if (!vmm_served(&report->info) || !report->by_reason)
		return;
	json_count(f, "vmm_returns", row->vmm_known, row->vmm.returns);
	json_count(f, "vmm_ns", row->vmm_known, row->vmm.ns);
	json_number(f, "vmm_percent", 4, row_vmm_percent(report, row));
}

static void json_quantile(FILE *f, const char *key, const struct histogram *histogram,
			  enum quantile quantile)
{
	bool known = histogram_sum(histogram);
	unsigned int bucket = known ? histogram_quantile(histogram, quantile) : 0;

	json_count(f, key, known && bucket_limited(bucket), bucket_limit(bucket));
}

static void json_histogram(FILE *f, const struct report *report, const struct row *row)
{
	struct histogram histogram = report_histogram(report, row);

	json_quantile(f, "p50_cycles", &histogram, P50);
	json_quantile(f, "p99_cycles", &histogram, P99);
	json_quantile(f, "p999_cycles", &histogram, P99_9);
	if (!row->numbered) {
		fputs(",\"histogram\":null", f);
		return;
	}
	for (unsigned int i = 0; i < KVM_EXIT_STATS_NR_BUCKETS; i++)
		fprintf(f, "%s%" PRIu64, i ? "," : ",\"histogram\":[", histogram.buckets[i]);
	fputc(']', f);
}

static void json_reasons(FILE *f, const struct report *report)
{
	fputs(",\"reasons\":[", f);
	for (size_t i = 0; i < report->nr_rows; i++) {
		const struct row *row = &report->rows[i];

		fputs(i ? ",{" : "{", f);
		if (row->numbered)
			fprintf(f, "\"reason\":%" PRIu32, row->reason);
		else
			fputs("\"reason\":null", f);
		fprintf(f, ",\"name\":\"%s\",", row->name);
		json_figures(f, report, row);
		if (report->has_histogram)
			json_histogram(f, report, row);
		fputc('}', f);
	}
	fputc(']', f);
}

static void json_vcpu(FILE *f, const struct report *report, const struct vcpu_row *row)
{
	fprintf(f, "{\"cpu\":%u", row->cpu);
	json_count(f, "exits", row->known, row->stat.exits);
	json_number(f, "exits_per_second", 3, row->exits_per_second);
	json_count(f, "cycles", row->known, row->stat.cycles);
	json_number(f, "time_percent", 4, row->time_percent);
	if (report->has_max)
		json_count(f, "max_cycles", row->max_known, row->max);
	if (ledger_served(&report->info, EXITSTAT_OF_THIS_VCPU))
		json_ledger(f, &row->ledger);
	fputc('}', f);
}

static void json_vcpus(FILE *f, const struct report *report)
{
	size_t nr = report->restarted ? 0 : report_nr_vcpus(report);
	const char *comma = "";
	struct vcpu_row row;

	fputs(",\"per_vcpu\":[", f);
	for (size_t i = 0; i < nr; i++) {
		if (!report_vcpu(report, i, &row))
			continue;
		fputs(comma, f);
		json_vcpu(f, report, &row);
		comma = ",";
	}
	fputs("],\"unreached\":[", f);
	comma = "";
	for (size_t i = 0; i < nr; i++) {
		if (report_vcpu(report, i, &row))
			continue;
		fprintf(f, "%s%u", comma, row.cpu);
		comma = ",";
	}
	fputc(']', f);
}

void json_write(FILE *f, const struct report *report, const struct options *options, bool first)
{
	(void)options;
	(void)first;

	fprintf(f, "{\"version\":%u,\"kind\":\"%s\",\"time\":%.3f,"
		"\"scope\":\"%s\",\"isa\":\"%s\"",
		report->info.version, kind_name(report->kind), report->time,
		scope_name(&report->info), isa_name(&report->info));
	json_number(f, "vcpus", 0, report->vcpus ? (double)report->vcpus : NAN);
	json_number(f, "elapsed", 6, report->elapsed > 0 ? report->elapsed : NAN);
	fprintf(f, ",\"restarted\":%s,\"untimed\":%s", report->restarted ? "true" : "false",
		report->untimed ? "true" : "false");
	if (report->restarted) {
		fputs(",\"own_cpuids\":null,\"total\":null", f);
	} else {
		fprintf(f, ",\"own_cpuids\":%u,\"total\":{", report->own);
		json_figures(f, report, &report->total);
		fputc('}', f);
	}
	if (ledger_served(&report->info, EXITSTAT_OF_ALL_VCPUS))
		json_ledger(f, &report->ledger);
	if (report->by_vcpu)
		json_vcpus(f, report);
	else
		json_reasons(f, report);
	fputs("}\n", f);
}

static void csv_number(FILE *f, int digits, double value)
{
	if (isnan(value))
		fputc(',', f);
	else
		fprintf(f, ",%.*f", digits, value);
}

/* A column only with -m */
static void csv_max(FILE *f, const struct report *report, bool known, uint64_t max)
{
	if (!report->has_max)
		return;
	fputc(',', f);
	if (known)
		fprintf(f, "%" PRIu64, max);
}

/* The first columns, the same in all rows of a report */
static void csv_begin(FILE *f, const struct report *report)
{
	fprintf(f, "%.3f,%s", report->time, kind_name(report->kind));
	csv_number(f, 6, report->elapsed > 0 ? report->elapsed : NAN);
	fprintf(f, ",%s", scope_name(&report->info));
}

static void csv_figures(FILE *f, const struct report *report, const struct row *row)
{
	fprintf(f, ",%" PRIu64, row->stat.exits);
	csv_number(f, 4, row_exits_percent(report, row));
	csv_number(f, 3, row_exits_per_second(report, row));
	fprintf(f, ",%" PRIu64, row->stat.cycles);
	csv_number(f, 4, row_cycles_percent(report, row));
	csv_number(f, 2, row_cycles_per_exit(row));
	csv_number(f, 4, row_time_percent(report, row));
	csv_max(f, report, row->max_known, row->max);
}

/* What not all hosts tell comes last, and it is there if this host did at first. */
static void csv_vmm(FILE *f, const struct report *report, const struct row *row)
{
	if (!vmm_served(&report->at_first))
		return;
	if (row && row->vmm_known)
		fprintf(f, ",%" PRIu64 ",%" PRIu64, row->vmm.returns, row->vmm.ns);
	else
		fputs(",,", f);
	csv_number(f, 4, row ? row_vmm_percent(report, row) : NAN);
}

static bool csv_has_ledger(const struct report *report)
{
	const enum exitstat_whose whose = report->by_vcpu ? EXITSTAT_OF_THIS_VCPU :
							    EXITSTAT_OF_ALL_VCPUS;

	return ledger_served(&report->at_first, whose);
}

static void csv_ledger(FILE *f, const struct report *report, const struct ledger *ledger)
{
	for (unsigned int i = 0; csv_has_ledger(report) && i < KVM_EXIT_STATS_NR_STATES; i++)
		if (ledger && ledger->known)
			fprintf(f, ",%" PRIu64, ledger->ns[i]);
		else
			fputc(',', f);
	fputc('\n', f);
}

static void csv_titles(FILE *f, const struct report *report)
{
	fputs("time,kind,elapsed,scope,", f);
	if (report->by_vcpu)
		fputs("cpu,exits,exits_per_second,cycles,time_percent", f);
	else
		fputs("reason,name,exits,exits_percent,exits_per_second,"
		      "cycles,cycles_percent,cycles_per_exit,time_percent", f);
	if (report->has_max)
		fputs(",max_cycles", f);
	if (report->by_reason && vmm_served(&report->at_first))
		fputs(",vmm_returns,vmm_ns,vmm_percent", f);
	for (unsigned int i = 0; csv_has_ledger(report) && i < KVM_EXIT_STATS_NR_STATES; i++)
		fprintf(f, ",ledger_%s_ns", state_name(i));
	fputc('\n', f);
}

static void csv_vcpu(FILE *f, const struct report *report, size_t i)
{
	struct vcpu_row row;
	bool known = report_vcpu(report, i, &row) && row.known;

	csv_begin(f, report);
	fprintf(f, ",%u", row.cpu);
	if (!known) {
		fputs(",,,,", f);
	} else {
		fprintf(f, ",%" PRIu64, row.stat.exits);
		csv_number(f, 3, row.exits_per_second);
		fprintf(f, ",%" PRIu64, row.stat.cycles);
		csv_number(f, 4, row.time_percent);
	}
	csv_max(f, report, row.max_known, row.max);
	csv_ledger(f, report, &row.ledger);
}

static void csv_vcpus(FILE *f, const struct report *report)
{
	const struct row *total = &report->total;

	for (size_t i = 0; !report->restarted && i < report_nr_vcpus(report); i++)
		csv_vcpu(f, report, i);
	csv_begin(f, report);
	if (report->restarted) {
		fputs(",restarted,,,,", f);
		csv_max(f, report, false, 0);
		csv_ledger(f, report, NULL);
		return;
	}
	fprintf(f, ",all,%" PRIu64, total->stat.exits);
	csv_number(f, 3, row_exits_per_second(report, total));
	fprintf(f, ",%" PRIu64, total->stat.cycles);
	csv_number(f, 4, row_time_percent(report, total));
	csv_max(f, report, total->max_known, total->max);
	csv_ledger(f, report, &report->ledger);
}

static void csv_reasons(FILE *f, const struct report *report)
{
	for (size_t i = 0; !report->restarted && i < report->nr_rows; i++) {
		const struct row *row = &report->rows[i];

		csv_begin(f, report);
		if (row->numbered)
			fprintf(f, ",%" PRIu32, row->reason);
		else
			fputc(',', f);
		fprintf(f, ",%s", row->name);
		csv_figures(f, report, row);
		csv_vmm(f, report, row);
		csv_ledger(f, report, NULL);
	}
	csv_begin(f, report);
	if (report->restarted) {
		fputs(",,restarted,,,,,,,", f);
		csv_max(f, report, false, 0);
		csv_vmm(f, report, NULL);
		csv_ledger(f, report, NULL);
		return;
	}
	fputs(",,total", f);
	csv_figures(f, report, &report->total);
	csv_vmm(f, report, &report->total);
	csv_ledger(f, report, &report->ledger);
}

void csv_write(FILE *f, const struct report *report, const struct options *options, bool first)
{
	if (first && !options->no_header)
		csv_titles(f, report);
	if (report->by_vcpu)
		csv_vcpus(f, report);
	else
		csv_reasons(f, report);
}

/* The two formats of metrics; they differ in little. */
struct dialect {
	/* The name of a counter ahead of its values ends in _total, too. */
	const char *counter_suffix;
	/* The type of a metric of labels, and the end of its name */
	const char *info_type, *info_suffix;
	const char *end;
};

static const struct dialect prometheus = { "_total", "gauge", "_info", "" };
static const struct dialect openmetrics = { "", "info", "", "# EOF\n" };

static void family(FILE *f, const char *name, const char *suffix, const char *type,
		   const char *help)
{
	fprintf(f, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, suffix, help, name, suffix, type);
}

/* The beginning of a value: a name and its labels, but for the last ones */
static void value_of(FILE *f, const struct report *report, const char *name)
{
	fprintf(f, "%s_total{scope=\"%s\"", name, scope_name(&report->info));
}

static void write_seconds(FILE *f, uint64_t ns)
{
	fprintf(f, "%" PRIu64 ".%09u\n", ns / 1000000000, (unsigned int)(ns % 1000000000));
}

static void counter(FILE *f, const struct report *report, const struct dialect *dialect,
		    const char *name, const char *help, uint64_t (*value)(const struct row *row))
{
	family(f, name, dialect->counter_suffix, "counter", help);
	for (size_t i = 0; i < report->nr_rows; i++) {
		value_of(f, report, name);
		fprintf(f, ",reason=\"%s\"} %" PRIu64 "\n", report->rows[i].name,
			value(&report->rows[i]));
	}
}

static uint64_t exits(const struct row *row)
{
	return row->stat.exits;
}

static uint64_t cycles(const struct row *row)
{
	return row->stat.cycles;
}

static void vmm_counters(FILE *f, const struct report *report, const struct dialect *dialect)
{
	const char *returns = "kvm_guest_vmm_returns", *seconds = "kvm_guest_vmm_seconds";

	family(f, returns, dialect->counter_suffix, "counter",
	       "How often VM exits of this guest made KVM ask the VMM.");
	for (size_t i = 0; i < report->nr_rows; i++) {
		const struct row *row = &report->rows[i];

		if (!row->vmm_known)
			continue;
		value_of(f, report, returns);
		fprintf(f, ",reason=\"%s\"} %" PRIu64 "\n", row->name, row->vmm.returns);
	}
	family(f, seconds, dialect->counter_suffix, "counter",
	       "How long the VMM took for these, in seconds.");
	for (size_t i = 0; i < report->nr_rows; i++) {
		const struct row *row = &report->rows[i];

		if (!row->vmm_known)
			continue;
		value_of(f, report, seconds);
		fprintf(f, ",reason=\"%s\"} ", row->name);
		write_seconds(f, row->vmm.ns);
	}
}

/* What is not a sum is a gauge. */
static void max_gauge(FILE *f, const struct report *report)
{
	const char *name = "kvm_guest_exit_max_cycles";

	family(f, name, "", "gauge",
	       "TSC cycles of the longest VM exit of this guest since it was started.");
	for (size_t i = 0; i < report->nr_rows; i++)
		if (report->rows[i].max_known)
			fprintf(f, "%s{scope=\"%s\",reason=\"%s\"} %" PRIu64 "\n", name,
				scope_name(&report->info), report->rows[i].name,
				report->rows[i].max);
}

/* One of the host's ticks, the other of the guest's, which are the same if those are not scaled */
static void duration_histogram(FILE *f, const struct report *report)
{
	const char *name = "kvm_guest_exit_duration_cycles";
	char labels[REASON_NAME_MAX + 40];

	family(f, name, "", "histogram", "How many TSC cycles VM exits of this guest took.");
	for (size_t i = 0; i < report->nr_rows; i++) {
		const struct row *row = &report->rows[i];
		struct histogram histogram = report_histogram(report, row);
		uint64_t sum = 0;

		if (!row->numbered)
			continue;
		snprintf(labels, sizeof(labels), "scope=\"%s\",reason=\"%s\"",
			 scope_name(&report->info), row->name);
		for (unsigned int k = 0; bucket_limited(k); k++) {
			sum += histogram.buckets[k];
			fprintf(f, "%s_bucket{%s,le=\"%" PRIu64 ".0\"} %" PRIu64 "\n", name, labels,
				bucket_limit(k), sum);
		}
		sum = histogram_sum(&histogram);
		fprintf(f, "%s_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n", name, labels, sum);
		fprintf(f, "%s_sum{%s} %" PRIu64 "\n", name, labels, row->stat.cycles);
		fprintf(f, "%s_count{%s} %" PRIu64 "\n", name, labels, sum);
	}
}

static void vcpu_max_gauge(FILE *f, const struct report *report)
{
	const char *name = "kvm_guest_vcpu_exit_max_cycles";
	struct vcpu_row row;

	family(f, name, "", "gauge",
	       "TSC cycles of the longest VM exit of each vCPU since it was started.");
	for (size_t i = 0; i < report_nr_vcpus(report); i++)
		if (report_vcpu(report, i, &row) && row.max_known)
			fprintf(f, "%s{scope=\"%s\",cpu=\"%u\"} %" PRIu64 "\n", name,
				scope_name(&report->info), row.cpu, row.max);
}

/* Elapsed time is their sum.  cpu is a label, or nothing. */
static void state_counters(FILE *f, const struct report *report, const char *name, const char *cpu,
			   const struct ledger *ledger)
{
	for (unsigned int i = 1; ledger->known && i < KVM_EXIT_STATS_NR_STATES; i++) {
		value_of(f, report, name);
		fprintf(f, "%s,state=\"%s\"} ", cpu, state_name(i));
		write_seconds(f, ledger->ns[i]);
	}
}

static void vcpu_counter(FILE *f, const struct report *report, const struct dialect *dialect,
			 const char *name, const char *help,
			 uint64_t (*value)(const struct vcpu_row *row))
{
	struct vcpu_row row;

	family(f, name, dialect->counter_suffix, "counter", help);
	for (size_t i = 0; i < report_nr_vcpus(report); i++) {
		if (!report_vcpu(report, i, &row))
			continue;
		value_of(f, report, name);
		fprintf(f, ",cpu=\"%u\"} %" PRIu64 "\n", row.cpu, value(&row));
	}
}

static uint64_t vcpu_exits(const struct vcpu_row *row)
{
	return row->stat.exits;
}

static uint64_t vcpu_cycles(const struct vcpu_row *row)
{
	return row->stat.cycles;
}

static void ledger_counters(FILE *f, const struct report *report, const struct dialect *dialect)
{
	const char *name = "kvm_guest_vcpu_seconds";
	struct vcpu_row row;
	char label[32];

	family(f, name, dialect->counter_suffix, "counter",
	       "Where the time of this guest's vCPUs went, in seconds.");
	if (!report->by_vcpu) {
		state_counters(f, report, name, "", &report->ledger);
		return;
	}
	for (size_t i = 0; i < report_nr_vcpus(report); i++) {
		if (!report_vcpu(report, i, &row))
			continue;
		snprintf(label, sizeof(label), ",cpu=\"%u\"", row.cpu);
		state_counters(f, report, name, label, &row.ledger);
	}
}

/* The scope is a label, so that a change of it begins new series. */
static void metrics_write(FILE *f, const struct report *report, const struct dialect *dialect)
{
	bool up = report->kind != REPORT_ABSENT;

	if (up) {
		counter(f, report, dialect, "kvm_guest_exits", "VM exits of this guest.", exits);
		counter(f, report, dialect, "kvm_guest_exit_cycles",
			"TSC cycles that KVM spent on VM exits of this guest.", cycles);
		if (report->has_max && longest_served(&report->info, EXITSTAT_OF_ALL_VCPUS))
			max_gauge(f, report);
		if (report->has_histogram)
			duration_histogram(f, report);
		if (vmm_served(&report->info))
			vmm_counters(f, report, dialect);
		if (report->has_states)
			ledger_counters(f, report, dialect);
		if (report->by_vcpu) {
			vcpu_counter(f, report, dialect, "kvm_guest_vcpu_exits",
				     "VM exits of each vCPU.", vcpu_exits);
			vcpu_counter(f, report, dialect, "kvm_guest_vcpu_exit_cycles",
				     "TSC cycles that KVM spent on VM exits of each vCPU.",
				     vcpu_cycles);
			if (report->has_max)
				vcpu_max_gauge(f, report);
		}
		family(f, "kvm_guest_exit_stats", dialect->info_suffix, dialect->info_type,
		       "What the host serves.");
		fprintf(f, "kvm_guest_exit_stats_info{version=\"%u\",isa=\"%s\",scope=\"%s\"} 1\n",
			report->info.version, isa_name(&report->info), scope_name(&report->info));
	}
	family(f, "kvm_guest_exit_stats_up", "", "gauge",
	       "Whether the host serves the statistics.");
	fprintf(f, "kvm_guest_exit_stats_up %d\n%s", up, dialect->end);
}

void prometheus_write(FILE *f, const struct report *report, const struct options *options,
		      bool first)
{
	(void)options;
	(void)first;

	metrics_write(f, report, &prometheus);
}

void openmetrics_write(FILE *f, const struct report *report, const struct options *options,
		       bool first)
{
	(void)options;
	(void)first;

	metrics_write(f, report, &openmetrics);
}
