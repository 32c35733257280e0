// SPDX-License-Identifier: GPL-2.0-only
#include "vcpus.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "occurred.h"

struct visit {
	const struct exitstat_info *info;
	bool max;
	struct vcpus *vcpus;
	unsigned int reads;
};

/* The reasons that have occurred are few. */
static void read_longest(struct exitstat_longest *longest, struct visit *visit)
{
	struct occurred occurred;

	occurred_read(&occurred, EXITSTAT_OF_THIS_VCPU, visit->info, &visit->reads);
	for (size_t i = 0; i < occurred.n * KVM_EXIT_STATS_WHICH_REASONS; i++) {
		const struct exitstat_which *group =
			&occurred.groups[i / KVM_EXIT_STATS_WHICH_REASONS];
		uint32_t reason = group->first + i % KVM_EXIT_STATS_WHICH_REASONS;
		struct exitstat_longest one = {};

		if (!exitstat_has_occurred(group, reason))
			continue;
		visit->reads++;
		exitstat_longest_of(EXITSTAT_OF_THIS_VCPU, reason, &one);
		if (one.ever > longest->ever)
			longest->ever = one.ever;
		if (one.recent > longest->recent)
			longest->recent = one.recent;
	}
}

/*
 * If a vCPU is taken offline, Linux moves this thread, maybe before the first read.  The signature
 * is not read again: a guest's vCPUs are served alike, unless its VMM gives them unlike CPUIDs.
 */
static void read_here(struct vcpu *vcpu, struct visit *visit)
{
	struct vcpu here = { .cpu = vcpu->cpu };

	if (machine_cpu() != here.cpu)
		return;
	here.uptime = machine_uptime();
	here.tsc = machine_tsc();
	here.total = exitstat_total_of(EXITSTAT_OF_THIS_VCPU);
	visit->reads += 2;
	here.tsc_after = machine_tsc();
	ledger_read(&here.ledger, EXITSTAT_OF_THIS_VCPU, visit->info, &visit->reads);
	if (visit->max)
		read_longest(&here.longest, visit);
	here.reached = machine_cpu() == here.cpu;
	if (here.reached)
		*vcpu = here;
}

static void *visit_all(void *argument)
{
	struct visit *visit = argument;
	struct cpus may_use;

	machine_may_use(&may_use);
	for (size_t i = 0; i < visit->vcpus->n; i++) {
		struct vcpu *vcpu = &visit->vcpus->vcpu[i];

		if (may_use.in[vcpu->cpu] && machine_move_to(vcpu->cpu))
			read_here(vcpu, visit);
	}
	return NULL;
}

/*
 * An affinity can't be restored exactly: what a process reads of its own lacks the vCPUs that are
 * offline.  So it is another thread that moves, which has no other life than this.  Signals are
 * for the first thread, also while the other one is on a vCPU that does not run.  Returns an errno,
 * or 0.
 */
static int visit_in_thread(struct visit *visit)
{
	sigset_t all, before;
	pthread_t thread;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&thread, NULL, visit_all, visit);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error ? error : pthread_join(thread, NULL);
}

struct vcpus *vcpus_read(const struct exitstat_info *info, bool max, unsigned int *reads)
{
	struct visit visit = { .info = info, .max = max };
	struct cpus present;
	size_t n = 0;
	int error;

	machine_cpus(&present);
	for (unsigned int cpu = 0; cpu < CPUS_MAX; cpu++)
		n += present.in[cpu];
	visit.vcpus = calloc(1, sizeof(*visit.vcpus) + n * sizeof(visit.vcpus->vcpu[0]));
	if (!visit.vcpus)
		return NULL;
	for (unsigned int cpu = 0; cpu < CPUS_MAX; cpu++)
		if (present.in[cpu])
			visit.vcpus->vcpu[visit.vcpus->n++].cpu = cpu;
	error = visit_in_thread(&visit);
	if (error) {
		free(visit.vcpus);
		errno = error;
		return NULL;
	}
	*reads += visit.reads;
	return visit.vcpus;
}

/* Whether or not it was reached */
static const struct vcpu *find(const struct vcpus *vcpus, unsigned int cpu)
{
	for (size_t i = 0; vcpus && i < vcpus->n; i++)
		if (vcpus->vcpu[i].cpu == cpu)
			return &vcpus->vcpu[i];
	return NULL;
}

const struct vcpu *vcpus_find(const struct vcpus *vcpus, unsigned int cpu)
{
	const struct vcpu *vcpu = find(vcpus, cpu);

	return vcpu && vcpu->reached ? vcpu : NULL;
}

bool vcpu_restarted(const struct vcpu *now, const struct vcpu *before)
{
	return now->total.exits < before->total.exits || now->total.cycles < before->total.cycles ||
	       ledger_restarted(&now->ledger, &before->ledger);
}

void vcpus_hold(struct vcpus *now, const struct vcpus *before)
{
	for (size_t i = 0; now && i < now->n; i++) {
		struct vcpu *vcpu = &now->vcpu[i];
		const struct vcpu *b = find(before, vcpu->cpu);

		if (b && !vcpu->reached) {
			*vcpu = *b;
			vcpu->reached = false;
		} else if (b && !vcpu_restarted(vcpu, b)) {
			ledger_hold(&vcpu->ledger, &b->ledger);
		}
	}
}
