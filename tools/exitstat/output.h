/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reports in their formats, and the file they go to.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdio.h>

#include "report.h"

void table_write(FILE *f, const struct report *report, const struct options *options, bool first);
void json_write(FILE *f, const struct report *report, const struct options *options, bool first);
void csv_write(FILE *f, const struct report *report, const struct options *options, bool first);
/* Metrics: version 0.0.4 of Prometheus' text format, and OpenMetrics 1.0 */
void prometheus_write(FILE *f, const struct report *report, const struct options *options,
		      bool first);
void openmetrics_write(FILE *f, const struct report *report, const struct options *options,
		       bool first);

/*
 * Where reports go: a stream, or a file that others see only when it is complete.  It
 * has all reports, or only one, if each replaces the one before.
 */
struct sink {
	FILE *stream;
	const char *path;
	bool each_replaces;
	bool first;
	/* The name of the file while it is being written */
	char *part;
	void (*write)(FILE *f, const struct report *report, const struct options *options,
		      bool first);
};

/* On errors, these print a message and return false. */
bool sink_open(struct sink *sink, const struct options *options, FILE *stream);
bool sink_report(struct sink *sink, const struct report *report, const struct options *options);
/* Now others see the file. */
bool sink_close(struct sink *sink);

#endif /* OUTPUT_H */
