// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reports for people.  With human units, a table fits 80 columns: so MAX takes the place of CYC%,
 * which TIME% says, too.
 */
#include "output.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

struct column {
	const char *title;
	int width;
	bool left;
};

enum {
	NUMBER, NAME, EXITS, EXITS_PERCENT, RATE, CYCLES, CYCLES_PERCENT, COST, MAX, TIME, VMM,
	NR_COLUMNS
};

static const struct column reason_columns[NR_COLUMNS] = {
	[NUMBER] = { "", 4, false },
	[NAME] = { "REASON", 20, true },
	[EXITS] = { "EXITS", 6, false },
	[EXITS_PERCENT] = { "EXIT%", 5, false },
	[RATE] = { "EXITS/s", 7, false },
	[CYCLES] = { "CYCLES", 6, false },
	[CYCLES_PERCENT] = { "CYC%", 5, false },
	[COST] = { "CYC/EXIT", 8, false },
	[MAX] = { "MAX", 5, false },
	[TIME] = { "TIME%", 5, false },
	/* Only if the host tells */
	[VMM] = { "VMM%", 5, false },
};

/* Of a vCPU.  The states are last, in the order of their numbers. */
enum { V_CPU, V_EXITS, V_RATE, V_MAX, V_STATE };
#define NR_VCPU_COLUMNS (V_STATE + KVM_EXIT_STATS_NR_STATES - 1)

static const struct column vcpu_columns[NR_VCPU_COLUMNS] = {
	[V_CPU] = { "CPU", 4, false },
	[V_EXITS] = { "EXITS", 6, false },
	[V_RATE] = { "EXITS/s", 7, false },
	[V_MAX] = { "MAX", 6, false },
	{ "guest", 7, false },
	{ "exits", 7, false },
	{ "VMM", 7, false },
	{ "halted", 7, false },
	{ "waiting", 7, false },
	{ "asleep", 7, false },
};

/* Without states, there is what else says how long exits took. */
enum { V_TIME = V_STATE, NR_STATELESS_COLUMNS };

static const struct column stateless_columns[NR_STATELESS_COLUMNS] = {
	[V_CPU] = { "CPU", 4, false },
	[V_EXITS] = { "EXITS", 6, false },
	[V_RATE] = { "EXITS/s", 7, false },
	[V_MAX] = { "MAX", 6, false },
	[V_TIME] = { "TIME%", 6, false },
};

/* Of any table */
#define MAX_COLUMNS 11
_Static_assert(NR_COLUMNS <= MAX_COLUMNS && NR_VCPU_COLUMNS <= MAX_COLUMNS, "MAX_COLUMNS");

struct line {
	char cell[MAX_COLUMNS][REASON_NAME_MAX];
};

/* Columns that are as wide as what is in them */
struct table {
	const struct column *columns;
	int nr_columns;
	/* Not shown */
	bool hidden[MAX_COLUMNS];
	int width[MAX_COLUMNS];
};

#define CELL(line, column) (line)->cell[column], sizeof((line)->cell[column])

/* Three significant digits and a unit; whole numbers below 100000 are exact. */
static void human(char *text, size_t size, double value)
{
	const char *unit = " kMGTPE";

	if (value < 99999.5 && (value == floor(value) || value >= 999.5)) {
		snprintf(text, size, "%.0f", value);
		return;
	}
	/* From 999.5 on, it would be rounded up to 1000. */
	for (; value >= 999.5 && unit[1]; unit++)
		value /= 1000;
	snprintf(text, size, "%.*f%.*s", value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value,
		 *unit != ' ', unit);
}

static void whole(char *text, size_t size, uint64_t value, bool raw)
{
	if (raw)
		snprintf(text, size, "%" PRIu64, value);
	else
		human(text, size, (double)value);
}

static void whole_if(bool known, char *text, size_t size, uint64_t value, bool raw)
{
	if (known)
		whole(text, size, value, raw);
	else
		snprintf(text, size, "-");
}

static void fraction(char *text, size_t size, double value, bool raw)
{
	if (isnan(value))
		snprintf(text, size, "-");
	else if (raw)
		snprintf(text, size, "%.2f", value);
	else
		human(text, size, value);
}

static void percent(char *text, size_t size, double value)
{
	if (isnan(value))
		snprintf(text, size, "-");
	else
		snprintf(text, size, "%.*f", value < 99.995 ? 2 : value < 9999.5 ? 1 : 0, value);
}

static struct line figures(const struct report *report, const struct row *row, bool raw)
{
	double cost = row_cycles_per_exit(row);
	struct line line = {};

	memcpy(line.cell[NAME], row->name, sizeof(row->name));
	whole(CELL(&line, EXITS), row->stat.exits, raw);
	percent(CELL(&line, EXITS_PERCENT), row_exits_percent(report, row));
	fraction(CELL(&line, RATE), row_exits_per_second(report, row), raw);
	whole(CELL(&line, CYCLES), row->stat.cycles, raw);
	percent(CELL(&line, CYCLES_PERCENT), row_cycles_percent(report, row));
	/* Fractions of a cycle mean nothing. */
	fraction(CELL(&line, COST), raw ? cost : round(cost), raw);
	whole_if(row->max_known, CELL(&line, MAX), row->max, raw);
	percent(CELL(&line, TIME), row_time_percent(report, row));
	percent(CELL(&line, VMM), row_vmm_percent(report, row));
	return line;
}

/* A few of SVM's names are longer than their column, for which there is no room beside VMM%. */
static struct line row_line(const struct report *report, size_t i, bool raw)
{
	const struct row *row = &report->rows[i];
	const int width = reason_columns[NAME].width;
	struct line line = figures(report, row, raw);

	/* SVM has a reason -1. */
	if (row->numbered)
		snprintf(CELL(&line, NUMBER), "%" PRId32, (int32_t)row->reason);
	if (vmm_served(&report->info) && !raw && (int)strlen(row->name) > width)
		strcpy(&line.cell[NAME][width - 1], "~");
	return line;
}

static struct line vcpu_line(const struct report *report, const struct vcpu_row *row, bool raw)
{
	struct line line = {};

	snprintf(CELL(&line, V_CPU), "%u", row->cpu);
	whole_if(row->known, CELL(&line, V_EXITS), row->stat.exits, raw);
	fraction(CELL(&line, V_RATE), row->exits_per_second, raw);
	whole_if(row->max_known, CELL(&line, V_MAX), row->max, raw);
	if (!report->has_states)
		percent(CELL(&line, V_TIME), row->time_percent);
	for (unsigned int i = 1; report->has_states && i < KVM_EXIT_STATS_NR_STATES; i++)
		percent(CELL(&line, V_STATE + i - 1), ledger_percent(&row->ledger, i));
	return line;
}

static struct line all_vcpus_line(const struct report *report, bool raw)
{
	const struct row *total = &report->total;
	struct vcpu_row all = {
		.known = true,
		.stat = total->stat,
		.max_known = total->max_known,
		.max = total->max,
		.exits_per_second = row_exits_per_second(report, total),
		.time_percent = row_time_percent(report, total),
		.ledger = report->ledger,
	};
	struct line line = vcpu_line(report, &all, raw);

	strcpy(line.cell[V_CPU], "all");
	return line;
}

static struct table table_of(const struct column *columns, int nr_columns)
{
	struct table table = { .columns = columns, .nr_columns = nr_columns };

	for (int c = 0; c < nr_columns; c++)
		table.width[c] = columns[c].width;
	return table;
}

static void widen(struct table *table, struct line line)
{
	for (int c = 0; c < table->nr_columns; c++)
		if ((int)strlen(line.cell[c]) > table->width[c])
			table->width[c] = (int)strlen(line.cell[c]);
}

static void write_line(FILE *f, const struct table *table, struct line line)
{
	for (int c = 0; c < table->nr_columns; c++)
		if (!table->hidden[c])
			fprintf(f, "%s%*s", c ? " " : "",
				table->columns[c].left ? -table->width[c] : table->width[c],
				line.cell[c]);
	fputc('\n', f);
}

static void write_titles(FILE *f, const struct table *table)
{
	struct line line = {};

	for (int c = 0; c < table->nr_columns; c++)
		snprintf(CELL(&line, c), "%s", table->columns[c].title);
	write_line(f, table, line);
}

static void format_ledger(FILE *f, const struct report *report, int digits)
{
	if (!report->vcpus)
		fputs("all vCPUs:", f);
	else
		fprintf(f, "%u vCPU%s:", report->vcpus, report->vcpus == 1 ? "" : "s");
	for (unsigned int i = 1; i < KVM_EXIT_STATS_NR_STATES; i++) {
		double share = ledger_percent(&report->ledger, i);

		fprintf(f, "%s %s ", i == 1 ? "" : ",", vcpu_columns[V_STATE + i - 1].title);
		if (isnan(share))
			fputc('-', f);
		else
			fprintf(f, "%.*f%s", digits, share, i == 1 ? " %" : "");
	}
}

/* If it would not fit 80 columns, it does in whole numbers. */
static void write_ledger(FILE *f, const struct report *report)
{
	char text[200] = "";
	FILE *line;

	if (!report->ledger.known)
		return;
	for (int digits = 1; digits >= 0; digits--) {
		line = fmemopen(text, sizeof(text), "w");
		if (!line)
			return;
		format_ledger(line, report, digits);
		fclose(line);
		if (strlen(text) <= 80)
			break;
	}
	fprintf(f, "%s\n", text);
}

static void write_header(FILE *f, const struct report *report)
{
	fprintf(f, "scope %s, ", scope_name(&report->info));
	if (report->vcpus)
		fprintf(f, "%u vCPU%s, ", report->vcpus, report->vcpus == 1 ? "" : "s");
	if (report->untimed)
		fputs("more cycles than time", f);
	else if (report->kind == REPORT_COMMAND)
		fprintf(f, "while the command ran: %.3f s", report->elapsed);
	else if (report->kind == REPORT_INTERVAL)
		fprintf(f, "%.3f s", report->elapsed);
	else if (report->elapsed > 0)
		fprintf(f, "since boot: %.3f s", report->elapsed);
	else
		fputs("since the host began to count", f);
	if (!report->restarted)
		fprintf(f, "; %u CPUIDs are exitstat's own", report->own);
	fputc('\n', f);
}

static void write_reasons(FILE *f, const struct report *report, const struct options *options)
{
	struct line total = figures(report, &report->total, options->raw);
	struct table table = table_of(reason_columns, NR_COLUMNS);

	table.hidden[report->has_max ? CYCLES_PERCENT : MAX] = true;
	table.hidden[VMM] = !vmm_served(&report->info);
	widen(&table, total);
	for (size_t i = 0; i < report->nr_rows; i++)
		widen(&table, row_line(report, i, options->raw));

	if (!options->no_header)
		write_titles(f, &table);
	for (size_t i = 0; i < report->nr_rows; i++)
		write_line(f, &table, row_line(report, i, options->raw));
	write_line(f, &table, total);
}

/* A power of two, of cycles */
static void power(char *text, size_t size, unsigned int exponent)
{
	snprintf(text, size, "%u%.1s", 1u << exponent % 10, &"\0KMG"[exponent / 10]);
}

/* As bpftrace does: a line of 79 columns */
static void write_bucket(FILE *f, const struct histogram *histogram, unsigned int i, bool raw)
{
	static const char bar[] = "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@";
	const int width = sizeof(bar) - 1;
	char from[8] = "0", to[8] = "...", range[20], count[24];
	uint64_t most = 0;

	for (unsigned int k = 0; k < KVM_EXIT_STATS_NR_BUCKETS; k++)
		if (histogram->buckets[k] > most)
			most = histogram->buckets[k];
	if (i)
		power(from, sizeof(from), i);
	if (bucket_limited(i))
		power(to, sizeof(to), i + 1);
	snprintf(range, sizeof(range), "[%s, %s)", from, to);
	whole(count, sizeof(count), histogram->buckets[i], raw);
	fprintf(f, "%-16s %8s |%-*.*s|\n", range, count, width,
		(int)(width * (double)histogram->buckets[i] / (double)most), bar);
}

static void write_quantile(FILE *f, const char *title, const struct histogram *histogram,
			   enum quantile quantile)
{
	unsigned int bucket = histogram_quantile(histogram, quantile);
	char text[8];

	power(text, sizeof(text), bucket_limited(bucket) ? bucket + 1 : bucket);
	fprintf(f, "%s %s %s", title, bucket_limited(bucket) ? "<" : ">=", text);
}

static void write_histogram(FILE *f, const struct row *row, const struct histogram *histogram,
			    bool raw)
{
	uint64_t exits = histogram_sum(histogram);
	unsigned int i, to;
	char text[24];

	whole(text, sizeof(text), exits, raw);
	fprintf(f, "%" PRId32 " %s: %s exit%s\ncycles:", (int32_t)row->reason, row->name, text,
		exits == 1 ? "" : "s");
	write_quantile(f, " p50", histogram, P50);
	write_quantile(f, ", p99", histogram, P99);
	write_quantile(f, ", p99.9", histogram, P99_9);
	if (row->max_known) {
		whole(text, sizeof(text), row->max, raw);
		fprintf(f, ", max %s", text);
	}
	fputc('\n', f);
	for (histogram_range(histogram, &i, &to); i < to; i++)
		write_bucket(f, histogram, i, raw);
}

static void write_histograms(FILE *f, const struct report *report, const struct options *options)
{
	const char *before = options->no_header ? "" : "\n";

	for (size_t i = 0; i < report->nr_rows; i++) {
		struct histogram histogram = report_histogram(report, &report->rows[i]);

		if (!histogram_sum(&histogram))
			continue;
		fputs(before, f);
		before = "\n";
		write_histogram(f, &report->rows[i], &histogram, options->raw);
	}
}

/* The vCPUs without a row, a line that is folded before column 80 */
static void write_unreached(FILE *f, const struct report *report)
{
	const size_t nr = report_nr_vcpus(report);
	const char *before = "not reached (offline, or outside exitstat's affinity): CPU ";
	struct vcpu_row row, other;
	int column = 0;

	for (size_t i = 0, last; i < nr; i = last + 1) {
		char range[REASON_NAME_MAX];
		int len;

		last = i;
		if (report_vcpu(report, i, &row))
			continue;
		while (last + 1 < nr && !report_vcpu(report, last + 1, &other) &&
		       other.cpu == row.cpu + (last + 1 - i))
			last++;
		len = snprintf(range, sizeof(range), last == i ? "%u" : "%u-%u", row.cpu,
			       row.cpu + (unsigned int)(last - i));
		if (column && column + len > 77) {
			before = ",\n  ";
			column = 0;
		}
		column += fprintf(f, "%s%s", before, range);
		before = ", ";
	}
	if (column)
		fputc('\n', f);
}

static void write_vcpus(FILE *f, const struct report *report, const struct options *options)
{
	struct table table = report->has_states ?
			     table_of(vcpu_columns, NR_VCPU_COLUMNS) :
			     table_of(stateless_columns, NR_STATELESS_COLUMNS);
	struct line all = all_vcpus_line(report, options->raw);
	uint64_t reached = 0, shown = 0, most;
	struct vcpu_row row;

	table.hidden[V_MAX] = !report->has_max;
	widen(&table, all);
	for (size_t i = 0; i < report_nr_vcpus(report); i++) {
		if (!report_vcpu(report, i, &row))
			continue;
		widen(&table, vcpu_line(report, &row, options->raw));
		reached++;
	}
	/* On a screen, there may not be a line for each; that which says so has room for one. */
	most = options->top && reached > options->top + 1 ? options->top : reached;

	if (!options->no_header) {
		write_unreached(f, report);
		write_titles(f, &table);
	}
	for (size_t i = 0; i < report_nr_vcpus(report); i++) {
		if (!report_vcpu(report, i, &row) || shown == most)
			continue;
		write_line(f, &table, vcpu_line(report, &row, options->raw));
		shown++;
	}
	if (shown < reached)
		fprintf(f, "not shown: %" PRIu64 " vCPUs\n", reached - shown);
	write_line(f, &table, all);
}

void table_write(FILE *f, const struct report *report, const struct options *options, bool first)
{
	if (!first)
		fputc('\n', f);
	if (!options->no_header) {
		write_ledger(f, report);
		write_header(f, report);
	}
	if (report->restarted)
		fputs("restarted: the counters began anew, no figures for this report\n", f);
	else if (report->by_vcpu)
		write_vcpus(f, report, options);
	else if (report->has_histogram)
		write_histograms(f, report, options);
	else
		write_reasons(f, report, options);
}
