/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of KVM share that run their own guests: cases, CPUs, the counters of
 * a VM.
 */
#ifndef CASE_H
#define CASE_H

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat.h"

#include "ktap.h"
#include "oracle.h"

/* In seconds of the emulated machine, each of which may take much longer */
#define CASE_TIMEOUT 30

static inline void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	TEST_ASSERT(!sched_setaffinity(0, sizeof(set), &set), "cannot pin to CPU %d", cpu);
}

static inline void vm_stats(struct kvm_vm *vm, struct figures *f)
{
	char path[128];

	snprintf(path, sizeof(path), KVM_DEBUGFS "/%d-%d/exit_stats", getpid(), vm->fd);
	TEST_ASSERT(figures_read(path, f, NULL), "cannot read %s", path);
}

#define PARAM_EXIT_STATS "/sys/module/kvm/parameters/exit_stats"
#define PARAM_HISTOGRAM PARAM_EXIT_STATS "_histogram"

static inline void vm_buckets(struct kvm_vm *vm, uint64_t exits[NR_FIGURES])
{
	char path[128];

	snprintf(path, sizeof(path), KVM_DEBUGFS "/%d-%d/exit_stats_histogram", getpid(), vm->fd);
	TEST_ASSERT(figures_read_buckets(path, exits), "cannot read %s", path);
}

static inline void set_scope(const char *scope)
{
	oracle_write(PARAM_EXIT_STATS, scope);
}

/* Run a case in a process of its own: a failed assertion of the library ends it. */
static inline void run_case(bool (*fn)(void), const char *name)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		alarm(CASE_TIMEOUT * slower());
		_exit(fn() ? 0 : 1);
	}
	ksft_test_result(pid > 0 && waitpid(pid, &status, 0) == pid && !status, "%s\n", name);
}

#define RUN(fn) run_case(fn, #fn)

#endif /* CASE_H */
