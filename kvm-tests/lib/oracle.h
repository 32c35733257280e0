/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The oracle that the counters are held against: KVM's own tracepoint kvm_exit,
 * counted inside the kernel by a hist trigger, which cannot lose an event, and the
 * reader of what the counters say, the files exit_stats in KVM's debugfs.
 *
 * Counts are in exits, times in cycles.  Whatever cannot be read ends the program:
 * there is no test without its oracle.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/stddef.h>

#include <asm/kvm.h>
#include <asm/svm.h>
#include <asm/vmx.h>

#include "isa.h"

#define KVM_DEBUGFS "/sys/kernel/debug/kvm"
#define HOST_STATS KVM_DEBUGFS "/host/exit_stats"

#define TRACED_EVENT "/sys/kernel/debug/tracing/events/kvm/kvm_exit"
#define TRACED_KEYS "hist:keys=common_pid,vcpu_id,exit_reason:size=4096"

/* One for each reason, at its reason_slot(), and one for the rest */
#define OTHER_FIGURES NR_REASONS
#define NR_FIGURES (NR_REASONS + 1)
#define NR_CPUS_MAX 64
#define NR_TRACED_MAX 4096

struct figures {
	uint64_t exits[NR_FIGURES];
	uint64_t cycles[NR_FIGURES];
	uint64_t total_exits;
	uint64_t total_cycles;
};

struct host_figures {
	struct figures sum;
	struct figures cpu[NR_CPUS_MAX];
};

/* How often a thread exited for a reason */
struct traced {
	unsigned int tid;
	unsigned int vcpu_id;
	/* As hardware reports it: bit 31 is a failed VM entry. */
	uint32_t reason;
	uint64_t exits;
};

struct oracle_name {
	/* The kernel has SVM_EXIT_ERR as -1. */
	int64_t reason;
	const char *name;
};

static const struct oracle_name oracle_names[] = { VMX_EXIT_REASONS };
static const struct oracle_name oracle_svm_names[] = { SVM_EXIT_REASONS };

/* Whose exit reasons KVM reports: what this machine, L1, has */
static inline enum isa oracle_isa(void)
{
	uint32_t a = 0x80000001, b, c = 0, d;

	asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return c & 4 ? SVM : VMX;
}

/* All that the uapi names, which are *n */
static inline const struct oracle_name *oracle_names_here(size_t *n)
{
	bool svm = oracle_isa() == SVM;

	*n = svm ? sizeof(oracle_svm_names) / sizeof(oracle_svm_names[0]) :
		   sizeof(oracle_names) / sizeof(oracle_names[0]);
	return svm ? oracle_svm_names : oracle_names;
}

/* Of what has the figures there */
static inline const char *oracle_name(uint32_t slot)
{
	size_t n;
	const struct oracle_name *names = oracle_names_here(&n);

	if (slot == OTHER_FIGURES)
		return "other";
	for (size_t i = 0; i < n; i++) {
		if ((uint32_t)names[i].reason == nth_reason(slot))
			return names[i].name;
	}
	return "unnamed";
}

/* The SDM's gaps have figures of their own, too. */
static inline uint32_t figures_slot(uint32_t reason)
{
	if (oracle_isa() == VMX)
		return reason <= KVM_EXIT_STATS_VMX_REASON_MAX ? reason : OTHER_FIGURES;
	return isa_defines(SVM, reason) ? reason_slot(reason) : OTHER_FIGURES;
}

static inline FILE *oracle_open(const char *path, const char *mode)
{
	FILE *f = fopen(path, mode);

	if (!f) {
		printf("Bail out! cannot open %s: %s\n", path, strerror(errno));
		exit(1);
	}
	return f;
}

static inline void oracle_write(const char *path, const char *text)
{
	FILE *f = oracle_open(path, "a");

	if (fputs(text, f) < 0 || fclose(f)) {
		printf("Bail out! cannot write '%s' to %s: %s\n", text, path, strerror(errno));
		exit(1);
	}
}

/* Start to count events by thread and reason, even if that is on already. */
static inline void traced_start(void)
{
	FILE *f = oracle_open(TRACED_EVENT "/trigger", "a");

	fputs("!" TRACED_KEYS, f);
	fclose(f);
	oracle_write(TRACED_EVENT "/trigger", TRACED_KEYS);
}

/* A kernel warns if modules go with one of their events' triggers still on. */
static inline void traced_stop(void)
{
	oracle_write(TRACED_EVENT "/trigger", "!" TRACED_KEYS);
}

/* Clear what was counted. */
static inline void traced_clear(void)
{
	oracle_write(TRACED_EVENT "/trigger", TRACED_KEYS ":clear");
}

static inline size_t traced_read(struct traced *traced)
{
	FILE *f = oracle_open(TRACED_EVENT "/hist", "r");
	char line[256];
	size_t n = 0;

	while (fgets(line, sizeof(line), f)) {
		struct traced t;
		uint64_t dropped;

		if (sscanf(line, " Dropped: %" SCNu64, &dropped) == 1 && dropped) {
			printf("Bail out! the hist trigger dropped %" PRIu64 " events\n", dropped);
			exit(1);
		}
		if (sscanf(line, "{ common_pid: %u, vcpu_id: %u, exit_reason: %" SCNu32
			   " } hitcount: %" SCNu64,
			   &t.tid, &t.vcpu_id, &t.reason, &t.exits) == 4 && n < NR_TRACED_MAX)
			traced[n++] = t;
	}
	fclose(f);
	return n;
}

/* VMX's basic reason is in bits 15:0. */
static inline uint32_t traced_slot(const struct traced *t)
{
	return figures_slot(oracle_isa() == VMX ? (uint16_t)t->reason : t->reason);
}

/* The place of what a file has for a reason, which is "-" for all others */
static inline uint32_t figures_slot_of(const char *reason)
{
	char *end;
	unsigned long r = strtoul(reason, &end, 10);

	return *end ? OTHER_FIGURES : figures_slot(r);
}

static inline void figures_take(struct figures *f, const char *reason, uint64_t exits,
				uint64_t cycles, bool total)
{
	if (total) {
		f->total_exits = exits;
		f->total_cycles = cycles;
	} else {
		uint32_t slot = figures_slot_of(reason);

		f->exits[slot] = exits;
		f->cycles[slot] = cycles;
	}
}

/*
 * Read a file exit_stats.  The lines of single CPUs go to *host, unless that is NULL.
 * Returns false if there is no such file.
 */
static inline bool figures_read(const char *path, struct figures *sum, struct host_figures *host)
{
	char line[256], reason[16], name[64];
	unsigned int cpu;
	FILE *f = fopen(path, "r");

	if (!f)
		return false;

	memset(sum, 0, sizeof(*sum));
	while (fgets(line, sizeof(line), f)) {
		struct figures *to = sum;
		const char *rest = line;
		uint64_t exits, cycles;
		int skip = 0;

		if (sscanf(line, "cpu%u %n", &cpu, &skip) == 1 && skip) {
			if (!host || cpu >= NR_CPUS_MAX)
				continue;
			to = &host->cpu[cpu];
			rest += skip;
		}
		if (sscanf(rest, "%15s %63s %" SCNu64 " %" SCNu64,
			   reason, name, &exits, &cycles) != 4) {
			printf("Bail out! %s has a line that is none: %s", path, line);
			exit(1);
		}
		figures_take(to, reason, exits, cycles, !strcmp(name, "total"));
	}
	fclose(f);
	return true;
}

/* Read a file exit_stats_longest: the cycles of each reason's longest exit. */
static inline bool figures_read_longest(const char *path, uint64_t longest[NR_FIGURES])
{
	char reason[16], name[64];
	uint64_t cycles;
	FILE *f = fopen(path, "r");

	if (!f)
		return false;

	memset(longest, 0, NR_FIGURES * sizeof(*longest));
	while (fscanf(f, "%15s %63s %" SCNu64, reason, name, &cycles) == 3)
		longest[figures_slot_of(reason)] = cycles;
	if (!feof(f)) {
		printf("Bail out! %s has a line that is none\n", path);
		exit(1);
	}
	fclose(f);
	return true;
}

/* Read a file exit_stats_histogram: how many exits of each reason are in its buckets. */
static inline bool figures_read_buckets(const char *path, uint64_t exits[NR_FIGURES])
{
	char reason[16], name[64];
	uint32_t bucket, n;
	FILE *f = fopen(path, "r");

	if (!f)
		return false;

	memset(exits, 0, NR_FIGURES * sizeof(*exits));
	while (fscanf(f, "%15s %63s %" SCNu32 " %" SCNu32, reason, name, &bucket, &n) == 4)
		exits[figures_slot_of(reason)] += n;
	if (!feof(f)) {
		printf("Bail out! %s has a line that is none\n", path);
		exit(1);
	}
	fclose(f);
	return true;
}

static inline void figures_host(struct host_figures *host)
{
	memset(host, 0, sizeof(*host));
	if (!figures_read(HOST_STATS, &host->sum, host)) {
		printf("Bail out! cannot read %s: %s\n", HOST_STATS, strerror(errno));
		exit(1);
	}
}

static inline void figures_subtract(struct figures *f, const struct figures *from)
{
	for (int r = 0; r < NR_FIGURES; r++) {
		f->exits[r] -= from->exits[r];
		f->cycles[r] -= from->cycles[r];
	}
	f->total_exits -= from->total_exits;
	f->total_cycles -= from->total_cycles;
}

static inline void figures_add(struct figures *f, const struct figures *more)
{
	for (int r = 0; r < NR_FIGURES; r++) {
		f->exits[r] += more->exits[r];
		f->cycles[r] += more->cycles[r];
	}
	f->total_exits += more->total_exits;
	f->total_cycles += more->total_cycles;
}

static inline bool figures_equal(const struct figures *a, const struct figures *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* Check that reasons add up to the total, in exits and in cycles. */
static inline bool figures_add_up(const char *what, const struct figures *f)
{
	uint64_t exits = 0, cycles = 0;

	for (int r = 0; r < NR_FIGURES; r++) {
		exits += f->exits[r];
		cycles += f->cycles[r];
	}
	if (exits == f->total_exits && cycles == f->total_cycles)
		return true;
	printf("# %s: reasons add up to %" PRIu64 " exits and %" PRIu64 " cycles, "
	       "the total is %" PRIu64 " and %" PRIu64 "\n",
	       what, exits, cycles, f->total_exits, f->total_cycles);
	return false;
}

#endif /* ORACLE_H */
