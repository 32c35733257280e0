/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The command line.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How often -r may be given; each may name many reasons. */
#define OPTION_LISTS_MAX 64

enum exit_status {
	STATUS_OK = 0,
	STATUS_ERROR = 1,
	STATUS_USAGE = 2,
	STATUS_ABSENT = 3,
	STATUS_CANNOT_EXECUTE = 126,
	STATUS_NOT_FOUND = 127,
	/* Plus the number of the signal that ended COMMAND */
	STATUS_SIGNAL = 128,
};

enum format {
	FORMAT_TABLE,
	FORMAT_JSON,
	FORMAT_CSV,
	FORMAT_PROMETHEUS,
	FORMAT_OPENMETRICS,
};

/* Metrics are counters, not differences, of which only the last ones count. */
static inline bool format_is_metrics(enum format format)
{
	return format == FORMAT_PROMETHEUS || format == FORMAT_OPENMETRICS;
}

enum sort_key {
	SORT_EXITS,
	SORT_CYCLES,
	SORT_COST,
	SORT_VMM,
	SORT_REASON,
	SORT_NAME,
	NR_SORT_KEYS,
};

struct options {
	enum format format;
	/* What -s was given, if it was */
	enum sort_key sort;
	bool sorted;
	bool all, raw, no_header, live;
	/* The longest exits, too */
	bool max;
	/* How long exits took, not the table */
	bool histogram;
	/* Each vCPU, not each reason */
	bool per_vcpu;
	/* Leave out the report since boot */
	bool skip_first;
	/* Show at most so many reasons; 0: all of them */
	uint64_t top;
	/* Seconds between reports (0: one report), and how many (0: no end) */
	double interval;
	uint64_t count;
	/* What -r was given: names and numbers, separated by commas */
	const char *lists[OPTION_LISTS_MAX];
	size_t nr_lists;
	/* What -o was given: a file, or "-" for stdout */
	const char *file;
	bool to_stdout;
	/* NULL-terminated, or NULL */
	char **command;
};

/*
 * Returns whether there is something to do.  If not, the message has been printed, and
 * *status is the exit status.
 */
bool options_parse(struct options *options, int argc, char **argv, int *status);

const char *sort_key_name(enum sort_key key);

/* Print what is wrong with the arguments.  Returns STATUS_USAGE. */
__attribute__((format(printf, 1, 2)))
int usage_error(const char *format, ...);

#endif /* OPTIONS_H */
