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

/* Without the braces */
static void json_figures(FILE *f, const struct report *report, const struct exitstat *stat)
{
	fprintf(f, "\"exits\":%" PRIu64, stat->exits);
	json_number(f, "exits_percent", 4, row_exits_percent(report, stat));
	json_number(f, "exits_per_second", 3, row_exits_per_second(report, stat));
	fprintf(f, ",\"cycles\":%" PRIu64, stat->cycles);
	json_number(f, "cycles_percent", 4, row_cycles_percent(report, stat));
	json_number(f, "cycles_per_exit", 2, row_cycles_per_exit(stat));
	json_number(f, "time_percent", 4, row_time_percent(report, stat));
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
		fputs(",\"own_cpuids\":null,\"total\":null,\"reasons\":[]}\n", f);
		return;
	}

	fprintf(f, ",\"own_cpuids\":%u,\"total\":{", report->own);
	json_figures(f, report, &report->total);
	fputs("},\"reasons\":[", f);
	for (size_t i = 0; i < report->nr_rows; i++) {
		const struct row *row = &report->rows[i];

		fputs(i ? ",{" : "{", f);
		if (row->numbered)
			fprintf(f, "\"reason\":%" PRIu32, row->reason);
		else
			fputs("\"reason\":null", f);
		fprintf(f, ",\"name\":\"%s\",", row->name);
		json_figures(f, report, &row->stat);
		fputc('}', f);
	}
	fputs("]}\n", f);
}

static void csv_number(FILE *f, int digits, double value)
{
	if (isnan(value))
		fputc(',', f);
	else
		fprintf(f, ",%.*f", digits, value);
}

/* The first columns, the same in all rows of a report */
static void csv_begin(FILE *f, const struct report *report)
{
	fprintf(f, "%.3f,%s", report->time, kind_name(report->kind));
	csv_number(f, 6, report->elapsed > 0 ? report->elapsed : NAN);
	fprintf(f, ",%s", scope_name(&report->info));
}

static void csv_figures(FILE *f, const struct report *report, const struct exitstat *stat)
{
	fprintf(f, ",%" PRIu64, stat->exits);
	csv_number(f, 4, row_exits_percent(report, stat));
	csv_number(f, 3, row_exits_per_second(report, stat));
	fprintf(f, ",%" PRIu64, stat->cycles);
	csv_number(f, 4, row_cycles_percent(report, stat));
	csv_number(f, 2, row_cycles_per_exit(stat));
	csv_number(f, 4, row_time_percent(report, stat));
	fputc('\n', f);
}

void csv_write(FILE *f, const struct report *report, const struct options *options, bool first)
{
	if (first && !options->no_header)
		fputs("time,kind,elapsed,scope,reason,name,exits,exits_percent,exits_per_second,"
		      "cycles,cycles_percent,cycles_per_exit,time_percent\n", f);
	if (report->restarted) {
		csv_begin(f, report);
		fputs(",,restarted,,,,,,,\n", f);
		return;
	}
	for (size_t i = 0; i < report->nr_rows; i++) {
		const struct row *row = &report->rows[i];

		csv_begin(f, report);
		if (row->numbered)
			fprintf(f, ",%" PRIu32, row->reason);
		else
			fputc(',', f);
		fprintf(f, ",%s", row->name);
		csv_figures(f, report, &row->stat);
	}
	csv_begin(f, report);
	fputs(",,total", f);
	csv_figures(f, report, &report->total);
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

static void counter(FILE *f, const struct report *report, const struct dialect *dialect,
		    const char *name, const char *help,
		    uint64_t (*value)(const struct exitstat *stat))
{
	family(f, name, dialect->counter_suffix, "counter", help);
	for (size_t i = 0; i < report->nr_rows; i++)
		fprintf(f, "%s_total{scope=\"%s\",reason=\"%s\"} %" PRIu64 "\n", name,
			scope_name(&report->info), report->rows[i].name,
			value(&report->rows[i].stat));
}

static uint64_t exits(const struct exitstat *stat)
{
	return stat->exits;
}

static uint64_t cycles(const struct exitstat *stat)
{
	return stat->cycles;
}

/* The scope is a label, so that a change of it begins new series. */
static void metrics_write(FILE *f, const struct report *report, const struct dialect *dialect)
{
	bool up = report->kind != REPORT_ABSENT;

	if (up) {
		counter(f, report, dialect, "kvm_guest_exits", "VM exits of this guest.", exits);
		counter(f, report, dialect, "kvm_guest_exit_cycles",
			"TSC cycles that KVM spent on VM exits of this guest.", cycles);
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
