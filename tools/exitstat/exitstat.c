// SPDX-License-Identifier: GPL-2.0
/*
 * exitstat: the VM exits of this guest since it was started, by reason.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <asm/vmx.h>

#include "libexitstat.h"

#define NR_REASONS (KVM_EXIT_STATS_REASON_MAX + 1)

enum { EXIT_NO_FEATURE = 3 };

struct row {
	uint32_t reason;
	const char *name;
	struct exitstat stat;
};

static const struct {
	uint32_t reason;
	const char *name;
} vmx_names[] = { VMX_EXIT_REASONS };

static const char *reason_name(uint32_t reason)
{
	for (size_t i = 0; i < sizeof(vmx_names) / sizeof(vmx_names[0]); i++)
		if (vmx_names[i].reason == reason)
			return vmx_names[i].name;
	return "(unnamed)";
}

/* The rows that have exits; returns how many. */
static size_t read_rows(struct row rows[static NR_REASONS])
{
	size_t n = 0;

	for (uint32_t reason = 0; reason < NR_REASONS; reason++) {
		struct row row = { .reason = reason, .name = reason_name(reason) };

		if (exitstat_reason(reason, &row.stat) && row.stat.exits)
			rows[n++] = row;
	}
	return n;
}

static int more_exits_first(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->stat.exits != y->stat.exits)
		return x->stat.exits < y->stat.exits ? 1 : -1;
	return x->reason < y->reason ? -1 : 1;
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void print_row(const char *number, const char *name, struct exitstat stat,
		      struct exitstat total)
{
	printf("%6s  %-20s %10" PRIu64 " %6.2f%% %14" PRIu64 " %6.2f%% %8" PRIu64 "\n",
	       number, name, stat.exits, percent(stat.exits, total.exits), stat.cycles,
	       percent(stat.cycles, total.cycles),
	       stat.exits ? stat.cycles / stat.exits : 0);
}

static void print_table(const struct row *rows, size_t n)
{
	struct exitstat total = {};
	char number[12];

	for (size_t i = 0; i < n; i++) {
		total.exits += rows[i].stat.exits;
		total.cycles += rows[i].stat.cycles;
	}

	printf("%6s  %-20s %10s %7s %14s %7s %8s\n", "REASON", "NAME", "EXITS", "SHARE",
	       "CYCLES", "SHARE", "CYC/EXIT");
	for (size_t i = 0; i < n; i++) {
		snprintf(number, sizeof(number), "%" PRIu32, rows[i].reason);
		print_row(number, rows[i].name, rows[i].stat, total);
	}
	/* Of the rows, not of the leaves: those have moved on while reading. */
	print_row("", "total", total, total);
}

int main(int argc, char **argv)
{
	struct row rows[NR_REASONS];
	struct exitstat_info info;
	size_t n;

	if (argc > 1) {
		bool help = !strcmp(argv[1], "--help");

		fprintf(help ? stdout : stderr,
			"usage: exitstat\n"
			"Print the VM exits of this guest since it was started, by reason.\n"
			"Exit status: 3 if the host does not serve the statistics.\n");
		return help ? 0 : 2;
	}

	if (!exitstat_detect(&info)) {
		fprintf(stderr, "exitstat: this host does not serve VM-exit statistics: its KVM lacks them, or exit_stats=off; ask whoever runs it\n");
		return EXIT_NO_FEATURE;
	}
	if (info.version != KVM_EXIT_STATS_VERSION || info.isa != KVM_EXIT_STATS_ISA_VMX) {
		fprintf(stderr, "exitstat: this host serves VM-exit statistics of version %u, exit reasons %u, which this exitstat does not know; get a newer one\n",
			info.version, info.isa);
		return EXIT_NO_FEATURE;
	}

	n = read_rows(rows);
	qsort(rows, n, sizeof(rows[0]), more_exits_first);
	print_table(rows, n);
	return 0;
}
