// SPDX-License-Identifier: GPL-2.0-only
/*
 * What exitstat reads from the machine, from a recording instead: this is linked in
 * place of tools/exitstat/machine.c, into builds for tests only.
 *
 * The file that EXITSTAT_RECORDING names is what "cpuid -1 -r -l LEAF -s INDEX"
 * prints, and lines that say when:
 *
 *	# sample tsc=<ticks> uptime=<seconds> time=<seconds> vcpus=<n> [present=<n>]
 *		begins what the second and each further moment finds changed
 *	# lasts <n>
 *		the next sample begins after so many CPUIDs, at the latest
 *	# otherwise eax=<n> ebx=<n> ecx=<n> edx=<n>
 *		what CPUIDs say that are not recorded
 *	# counting <reason>
 *		from here on, CPUIDs count as exits for this reason, as real ones do
 *	# vcpu <n>
 *		from here to the next moment, the leaves of this vCPU are those of vCPU n
 *	# may use <n>...
 *		the vCPUs that the process may use, in place of all that are present
 *	# goes <n>
 *		this vCPU is taken offline after the first CPUID of whoever goes to it
 *	# gone <n>
 *		or before it
 *	# stuck <n>
 *		or this vCPU does not run, nor does who goes to it
 *	# late <n> <seconds>
 *		this vCPU is reached so much later than the moment
 *
 * If the recorded signature has them, the leaves PAIR and WHICH are made of those for a reason.
 * Who reads LONGEST takes the recent one away; one that nobody has read stays if it is greater than
 * what is recorded next.  A group of HISTOGRAM that is not recorded is empty, if the reason's first
 * one is recorded.
 * Who goes from vCPU to vCPU must be another thread than the first.
 *
 * The last sample stays.
 */
#include "machine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define MAX_ANSWERS 1024
/* For leaves of all vCPUs */
#define ALL UINT32_MAX

static struct answer {
	uint32_t vcpu, leaf, index;
	struct exitstat_regs regs;
} answers[MAX_ANSWERS];
static size_t nr_answers;
static struct exitstat_regs otherwise;
static struct moment moment, next;
static bool more;
static int64_t counting = -1, lasts;
/* Where the one thread is that goes from vCPU to vCPU, and where it may */
static unsigned int here, goes = ALL, gone = ALL, stuck = ALL, late = ALL;
static double late_by;
/* CPUIDs since it went there */
static unsigned int cpuids;
static struct cpus may_use;
static bool restricted;
static FILE *recording;

static struct exitstat_regs *find_of(uint32_t vcpu, uint32_t leaf, uint32_t index)
{
	for (size_t i = 0; i < nr_answers; i++)
		if (answers[i].vcpu == vcpu && answers[i].leaf == leaf && answers[i].index == index)
			return &answers[i].regs;
	return NULL;
}

static struct exitstat_regs *find(uint32_t leaf, uint32_t index)
{
	return find_of(ALL, leaf, index);
}

static bool is_longest(uint32_t leaf)
{
	return (leaf | KVM_EXIT_STATS_VCPU_OFFSET) == KVM_EXIT_STATS_LEAF_LONGEST;
}

static uint64_t recent(const struct exitstat_regs *r)
{
	return (uint64_t)r->edx << 32 | r->ecx;
}

/* What is recorded of a group of buckets, or zeros, if the reason's first one is recorded */
static struct exitstat_regs *find_buckets(uint32_t index)
{
	static struct exitstat_regs none;
	struct exitstat_regs *r = find(KVM_EXIT_STATS_LEAF_HISTOGRAM, index);

	return r || !find(KVM_EXIT_STATS_LEAF_HISTOGRAM, index & KVM_EXIT_STATS_REASON_MASK) ?
	       r : &none;
}

static void record(uint32_t vcpu, uint32_t leaf, uint32_t index, struct exitstat_regs regs)
{
	struct exitstat_regs *r = find_of(vcpu, leaf, index);

	if (r) {
		if (is_longest(leaf) && recent(r) > recent(&regs)) {
			regs.ecx = r->ecx;
			regs.edx = r->edx;
		}
		*r = regs;
		return;
	}
	if (nr_answers == MAX_ANSWERS)
		abort();
	answers[nr_answers++] = (struct answer){ vcpu, leaf, index, regs };
}

static void read_may_use(char *list)
{
	may_use = (struct cpus){};
	restricted = true;
	for (char *cpu = strtok(list, " \n"); cpu; cpu = strtok(NULL, " \n"))
		may_use.in[atoi(cpu)] = true;
}

/* Begins the next sample: reads what is recorded up to the one after it. */
static void play(void)
{
	struct exitstat_regs r;
	struct moment m;
	uint32_t vcpu = ALL, leaf, index;
	char line[1000];

	moment = next;
	more = false;
	lasts = 0;
	while (!more && fgets(line, sizeof(line), recording)) {
		int n = sscanf(line,
			       "# sample tsc=%" SCNu64 " uptime=%lf time=%lf vcpus=%u present=%u",
			       &m.tsc, &m.uptime, &m.time, &m.online, &m.present);

		if (n >= 4) {
			if (n == 4)
				m.present = m.online;
			next = m;
			more = true;
		} else if (sscanf(line, " 0x%x 0x%x: eax=0x%x ebx=0x%x ecx=0x%x edx=0x%x", &leaf,
				  &index, &r.eax, &r.ebx, &r.ecx, &r.edx) == 6) {
			record(vcpu, leaf, index, r);
		} else if (sscanf(line, "# otherwise eax=0x%x ebx=0x%x ecx=0x%x edx=0x%x", &r.eax,
				  &r.ebx, &r.ecx, &r.edx) == 4) {
			otherwise = r;
		} else if (!strncmp(line, "# may use ", 10)) {
			read_may_use(line + 10);
		} else if (sscanf(line, "# vcpu %u", &vcpu) != 1 &&
			   sscanf(line, "# goes %u", &goes) != 1 &&
			   sscanf(line, "# gone %u", &gone) != 1 &&
			   sscanf(line, "# stuck %u", &stuck) != 1 &&
			   sscanf(line, "# late %u %lf", &late, &late_by) != 2 &&
			   sscanf(line, "# counting %" SCNd64, &counting) != 1 &&
			   sscanf(line, "# lasts %" SCNd64, &lasts) != 1 && line[0] != '#' &&
			   strcmp(line, "CPU:\n")) {
			fprintf(stderr, "recording: %s", line);
			abort();
		}
	}
}

static void close_recording(void)
{
	fclose(recording);
}

static void open_recording(void)
{
	const char *path = getenv("EXITSTAT_RECORDING");

	recording = fopen(path ? path : "", "re");
	if (!recording) {
		fputs("EXITSTAT_RECORDING names no file\n", stderr);
		abort();
	}
	atexit(close_recording);
	/* Up to the first sample there is nothing, then what the machine begins with. */
	play();
	play();
}

static void count_exit(struct exitstat_regs *r)
{
	if (r && !++r->eax)
		r->ebx++;
}

static struct exitstat_regs take(struct exitstat_regs *r, uint32_t leaf)
{
	struct exitstat_regs regs = r ? *r : otherwise;

	if (r && is_longest(leaf))
		r->ecx = r->edx = 0;
	return regs;
}

static struct exitstat_regs pair(uint32_t reason)
{
	const struct exitstat_regs *exits = find(KVM_EXIT_STATS_LEAF_REASON_EXITS, reason);
	const struct exitstat_regs *cycles = find(KVM_EXIT_STATS_LEAF_REASON_CYCLES, reason);

	if (!exits || exits->edx)
		return (struct exitstat_regs){ .edx = KVM_EXIT_STATS_UNDEFINED };
	return (struct exitstat_regs){ exits->eax, exits->ebx, cycles ? cycles->ecx : 0,
				       cycles ? cycles->ebx : 0 };
}

static struct exitstat_regs which(uint32_t reason)
{
	const uint32_t first = reason - reason % KVM_EXIT_STATS_WHICH_REASONS;
	struct exitstat_regs r = { .edx = KVM_EXIT_STATS_UNDEFINED };

	for (size_t i = 0; i < nr_answers; i++) {
		const struct answer *a = &answers[i];
		uint32_t bit = a->index - first;
		uint32_t *bits = bit < 32 ? &r.eax : bit < 64 ? &r.ebx : &r.ecx;

		if (a->vcpu != ALL || a->leaf != KVM_EXIT_STATS_LEAF_REASON_EXITS ||
		    a->index < first || !(a->regs.eax | a->regs.ebx))
			continue;
		if (bit < KVM_EXIT_STATS_WHICH_REASONS)
			*bits |= 1u << bit % 32;
		else if (a->index - a->index % KVM_EXIT_STATS_WHICH_REASONS < r.edx)
			r.edx = a->index - a->index % KVM_EXIT_STATS_WHICH_REASONS;
	}
	return r;
}

struct exitstat_regs machine_cpuid(uint32_t leaf, uint32_t index)
{
	struct exitstat_regs *r;

	if (!recording)
		open_recording();
	cpuids++;
	if (lasts && !--lasts && more)
		play();
	if (counting >= 0) {
		count_exit(find(KVM_EXIT_STATS_LEAF_EXITS, 0));
		count_exit(find(KVM_EXIT_STATS_LEAF_REASON_EXITS, (uint32_t)counting));
	}
	if (leaf <= KVM_EXIT_STATS_LEAF_REASON_CYCLES - KVM_EXIT_STATS_VCPU_OFFSET)
		return take(find_of(here, leaf, index), leaf);
	r = find(KVM_EXIT_STATS_LEAF_SIGNATURE, 0);
	if (r && r->eax & KVM_EXIT_STATS_FURTHER_MASK) {
		if (leaf == KVM_EXIT_STATS_LEAF_PAIR)
			return pair(index);
		if (leaf == KVM_EXIT_STATS_LEAF_WHICH)
			return which(index);
	}
	r = leaf == KVM_EXIT_STATS_LEAF_HISTOGRAM ? find_buckets(index) : find(leaf, index);
	return take(r, leaf);
}

uint64_t machine_tsc(void)
{
	return moment.tsc;
}

double machine_uptime(void)
{
	return moment.uptime + (here == late ? late_by : 0);
}

struct moment machine_now(void)
{
	static bool begun;

	if (begun && more)
		play();
	begun = true;
	return moment;
}

void machine_cpus(struct cpus *present)
{
	*present = (struct cpus){};
	memset(present->in, true, moment.present);
}

static void expect_other_thread(void)
{
	if (gettid() == getpid())
		abort();
}

void machine_may_use(struct cpus *cpus)
{
	expect_other_thread();
	if (restricted)
		*cpus = may_use;
	else
		machine_cpus(cpus);
}

bool machine_move_to(unsigned int cpu)
{
	expect_other_thread();
	here = cpu;
	cpuids = 0;
	while (here == stuck)
		pause();
	return true;
}

unsigned int machine_cpu(void)
{
	return here == gone || (here == goes && cpuids) ? here + 1 : here;
}
