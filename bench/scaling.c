// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs the accounting code on all CPUs of this machine at once, and for comparison,
 * atomic counters that all CPUs share.  Also measures reading other CPUs' counters.
 *
 * usage: scaling
 *
 * Prints JSON: for 1, 2, ... threads, each on a CPU of its own, nanoseconds per exit; and
 * nanoseconds to read the counters of a CPU that another CPU has just written
 * ("read_reason", "read_total").  An exit is one RDTSC, which KVM executes without
 * accounting, too ("unpatched"); with the accounting, which takes its place ("per_cpu"); or
 * with atomic counters beside it ("shared").  Takes the fastest of ROUNDS rounds, as others
 * may use this machine.  Compare only figures of the same run.
 */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "exit_stats.h"

#define ROUNDS 15
#define EXITS 1000000
/* CPUs to read: their counters are more than a first-level cache holds. */
#define READ_CPUS 640

/* Like a per-CPU symbol of the kernel, only its offset is used. */
struct kvm_exit_stats kvm_cpu_exit_stats ____cacheline_aligned;

static struct {
	atomic_ullong total_exits, total_cycles, exits[KVM_EXIT_STATS_NR_SLOTS],
		cycles[KVM_EXIT_STATS_NR_SLOTS];
} shared;

static struct kvm_exit_stats area[READ_CPUS] ____cacheline_aligned;
static volatile u64 sink;

/* Frequent reasons: EPT violations, CPUID, I/O, interrupts */
static const u32 reasons[] = { 48, 10, 30, 1 };

/* Called only if an interval was not open, which doesn't happen here. */
void __kvm_exit_stats_stop(struct kvm_vcpu *vcpu) { abort(); }
void __kvm_exit_stats_stop_indirect(struct kvm_vcpu *vcpu, s64 neg_cycles) { abort(); }
void __kvm_exit_stats_stop_in_bucket(struct kvm_vcpu *vcpu, s64 neg_cycles) { abort(); }

static void account_per_cpu(struct kvm_vcpu *vcpu, u32 *reason)
{
	u64 sum = 0;

	for (int i = 0; i < EXITS; i++) {
		*reason = reasons[i % 4];
		kvm_exit_stats_start(vcpu);
		sum += kvm_exit_stats_exit_tsc(vcpu);
		kvm_exit_stats_stop(vcpu);
	}
	sink = sum;
}

static void account_nothing(struct kvm_vcpu *vcpu, u32 *reason)
{
	u64 sum = 0;

	for (int i = 0; i < EXITS; i++) {
		*reason = reasons[i % 4];
		sum += rdtsc();
	}
	sink = sum;
}

static void account_shared(struct kvm_vcpu *vcpu, u32 *reason)
{
	u64 sum = 0;

	for (int i = 0; i < EXITS; i++) {
		u64 start, cycles;

		*reason = reasons[i % 4];
		start = rdtsc();
		sum += rdtsc();
		atomic_fetch_add_explicit(&shared.total_exits, 1, memory_order_relaxed);
		atomic_fetch_add_explicit(&shared.exits[*reason], 1, memory_order_relaxed);
		cycles = rdtsc() - start;
		atomic_fetch_add_explicit(&shared.total_cycles, cycles, memory_order_relaxed);
		atomic_fetch_add_explicit(&shared.cycles[*reason], cycles, memory_order_relaxed);
	}
	sink = sum;
}

struct thread {
	pthread_t id;
	int cpu;
	void (*account)(struct kvm_vcpu *vcpu, u32 *reason);
	double ns;
};

static pthread_barrier_t barrier;

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("scaling: cannot run on a CPU that sched_getaffinity() named");
		exit(1);
	}
}

/* This thread's CPU time, as others run here, too */
static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void *run(void *arg)
{
	struct thread *t = arg;
	struct kvm_vcpu *vcpu = aligned_alloc(64, sizeof(*vcpu));
	u32 reason = 0;
	u64 exits = 0;
	double start;

	pin(t->cpu);
	memset(vcpu, 0, sizeof(*vcpu));
	vcpu->arch.exit_stats.start = KVM_EXIT_STATS_CLOSED;
	vcpu->arch.exit_stats.reason = &reason;
	vcpu->arch.exit_stats.nr_direct = KVM_EXIT_STATS_NR_SLOTS;
	syscall(SYS_arch_prctl, ARCH_SET_GS,
		(char *)&area[t->cpu % READ_CPUS] - (char *)&kvm_cpu_exit_stats);

	pthread_barrier_wait(&barrier);
	start = now();
	t->account(vcpu, &reason);
	t->ns = (now() - start) / EXITS;

	/* Prove that it counted. */
	for (int slot = 0; slot < KVM_EXIT_STATS_NR_SLOTS; slot++)
		exits += vcpu->arch.exit_stats.stats.reasons[slot].exits;
	if (t->account == account_per_cpu && exits != EXITS)
		abort();
	free(vcpu);
	return NULL;
}

/* The mean of the threads, in the fastest round. */
static double measure(const int *cpus, int n, void (*account)(struct kvm_vcpu *, u32 *))
{
	struct thread *threads = calloc(n, sizeof(*threads));
	double best = 0;

	for (int round = 0; round < ROUNDS; round++) {
		double sum = 0;

		pthread_barrier_init(&barrier, NULL, n);
		for (int i = 0; i < n; i++) {
			threads[i].cpu = cpus[i];
			threads[i].account = account;
			pthread_create(&threads[i].id, NULL, run, &threads[i]);
		}
		for (int i = 0; i < n; i++) {
			pthread_join(threads[i].id, NULL);
			sum += threads[i].ns / n;
		}
		pthread_barrier_destroy(&barrier);
		if (!round || sum < best)
			best = sum;
	}
	free(threads);
	return best;
}

static void *dirty(void *arg)
{
	pin(*(int *)arg);
	for (int cpu = 0; cpu < READ_CPUS; cpu++) {
		for (int i = 0; i < KVM_EXIT_STATS_NR_SLOTS; i++) {
			area[cpu].reasons[i].exits++;
			area[cpu].reasons[i].neg_cycles--;
		}
	}
	return NULL;
}

/* Nanoseconds per CPU to read one counter, or all exits, that writer has just written. */
static double read_others(int reader, int writer, bool total)
{
	double best = 0;

	pin(reader);
	for (int round = 0; round < ROUNDS; round++) {
		pthread_t id;
		double start, ns;
		u64 sum = 0;

		pthread_create(&id, NULL, dirty, &writer);
		pthread_join(id, NULL);
		start = now();
		for (int cpu = 0; cpu < READ_CPUS; cpu++) {
			if (!total) {
				sum += area[cpu].reasons[48].exits;
				continue;
			}
			for (int slot = 0; slot < KVM_EXIT_STATS_NR_SLOTS; slot++)
				sum += area[cpu].reasons[slot].exits;
		}
		ns = (now() - start) / READ_CPUS;
		sink = sum;
		if (!round || ns < best)
			best = ns;
	}
	return best;
}

int main(void)
{
	cpu_set_t set;
	int *cpus, n = 0;

	sched_getaffinity(0, sizeof(set), &set);
	cpus = calloc(CPU_COUNT(&set), sizeof(*cpus));
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &set))
			cpus[n++] = cpu;
	}

	printf("{\n  \"threads\": [");
	for (int i = 1; i <= n; i++) {
		printf("%s\n    { \"threads\": %d, ", i > 1 ? "," : "", i);
		printf("\"unpatched\": %.2f, ", measure(cpus, i, account_nothing));
		printf("\"per_cpu\": %.2f, ", measure(cpus, i, account_per_cpu));
		printf("\"shared\": %.2f }", measure(cpus, i, account_shared));
		fflush(stdout);
	}
	printf("\n  ],\n  \"read_reason\": %.2f,\n", read_others(cpus[0], cpus[n - 1], false));
	printf("  \"read_total\": %.2f\n}\n", read_others(cpus[0], cpus[n - 1], true));
	return 0;
}
