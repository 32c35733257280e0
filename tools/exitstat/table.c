// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reports for people.  With human units, a table fits 80 columns.
 */
#include "output.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { NUMBER, NAME, EXITS, EXITS_PERCENT, RATE, CYCLES, CYCLES_PERCENT, COST, TIME, NR_COLUMNS };

static const struct column {
	const char *title;
	int width;
} columns[NR_COLUMNS] = {
	[NUMBER] = { "", 4 },
	[NAME] = { "REASON", 20 },
	[EXITS] = { "EXITS", 6 },
	[EXITS_PERCENT] = { "EXIT%", 5 },
	[RATE] = { "EXITS/s", 7 },
	[CYCLES] = { "CYCLES", 6 },
	[CYCLES_PERCENT] = { "CYC%", 5 },
	[COST] = { "CYC/EXIT", 8 },
	[TIME] = { "TIME%", 5 },
};

struct line {
	char cell[NR_COLUMNS][REASON_NAME_MAX];
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

static struct line figures(const struct report *report, const struct exitstat *stat, bool raw)
{
	double cost = row_cycles_per_exit(stat);
	struct line line = {};

	whole(CELL(&line, EXITS), stat->exits, raw);
	percent(CELL(&line, EXITS_PERCENT), row_exits_percent(report, stat));
	fraction(CELL(&line, RATE), row_exits_per_second(report, stat), raw);
	whole(CELL(&line, CYCLES), stat->cycles, raw);
	percent(CELL(&line, CYCLES_PERCENT), row_cycles_percent(report, stat));
	/* Fractions of a cycle mean nothing. */
	fraction(CELL(&line, COST), raw ? cost : round(cost), raw);
	percent(CELL(&line, TIME), row_time_percent(report, stat));
	return line;
}

static struct line row_line(const struct report *report, size_t i, bool raw)
{
	const struct row *row = &report->rows[i];
	struct line line = figures(report, &row->stat, raw);

	/* SVM has a reason -1. */
	if (row->numbered)
		snprintf(CELL(&line, NUMBER), "%" PRId32, (int32_t)row->reason);
	memcpy(line.cell[NAME], row->name, sizeof(row->name));
	return line;
}

static struct line total_line(const struct report *report, bool raw)
{
	struct line line = figures(report, &report->total, raw);

	strcpy(line.cell[NAME], "total");
	return line;
}

static struct line title_line(void)
{
	struct line line = {};

	for (int c = 0; c < NR_COLUMNS; c++)
		snprintf(CELL(&line, c), "%s", columns[c].title);
	return line;
}

static void widen(int width[static NR_COLUMNS], const struct line *line)
{
	for (int c = 0; c < NR_COLUMNS; c++)
		if ((int)strlen(line->cell[c]) > width[c])
			width[c] = (int)strlen(line->cell[c]);
}

static void write_line(FILE *f, const int width[static NR_COLUMNS], const struct line *line)
{
	for (int c = 0; c < NR_COLUMNS; c++)
		fprintf(f, "%*s%c", c == NAME ? -width[c] : width[c], line->cell[c],
			c == NR_COLUMNS - 1 ? '\n' : ' ');
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

void table_write(FILE *f, const struct report *report, const struct options *options, bool first)
{
	struct line title = title_line(), total = total_line(report, options->raw), line;
	int width[NR_COLUMNS];

	if (!first)
		fputc('\n', f);
	if (!options->no_header)
		write_header(f, report);
	if (report->restarted) {
		fputs("restarted: the counters began anew, no figures for this report\n", f);
		return;
	}

	for (int c = 0; c < NR_COLUMNS; c++)
		width[c] = columns[c].width;
	widen(width, &total);
	for (size_t i = 0; i < report->nr_rows; i++) {
		line = row_line(report, i, options->raw);
		widen(width, &line);
	}

	if (!options->no_header)
		write_line(f, width, &title);
	for (size_t i = 0; i < report->nr_rows; i++) {
		line = row_line(report, i, options->raw);
		write_line(f, width, &line);
	}
	write_line(f, width, &total);
}
