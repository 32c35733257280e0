// SPDX-License-Identifier: GPL-2.0-only
/*
 * A quiet VM next to a noisy one.  In scope vm, the quiet one reads the same figures, bit
 * for bit, as when it is alone.  In scope host, it reads the sum of both.
 *
 * usage: isolation
 *
 * Has to run alone on the machine.  With one CPU, the quiet VM interrupts the noisy one
 * in the middle of its exits; with two, the noisy VM has a CPU of its own.
 *
 * Figures can only be the same if the work is.  So the quiet VM runs in steps, each of
 * which begins right after a tick of the host's timer and ends well before the next.  If
 * an interrupt hits a step nevertheless, the VM starts over.
 */
#define _GNU_SOURCE
#include <pthread.h>

#include "leaf_vm.h"

/*
 * Linux takes the emulated APIC's timer for slower than it is, and programs it several
 * times until a tick is due.  So the time without an interrupt is shorter than a tick.
 */
#define NR_STEPS 10
#define NR_STEP_REQUESTS 30
#define NR_REASONS_AT_ONCE 31
#define NOISE_PER_STEP 1000
#define ATTEMPTS 20
/* A longer gap means an interrupt. */
#define INTERRUPT_CYCLES 1500

static bool two_cpus;
static const struct reasons *reasons;

struct noise {
	pthread_t thread;
	struct leaf_vm v;
	volatile bool stop;
};

static void *make_noise(void *arg)
{
	struct noise *noise = arg;

	pin(two_cpus);
	for (int i = 0; i < 100; i++)
		noise->v.requests[0][i] = (struct request){ .leaf = 1, .wbinvds = 5 };
	while (!noise->stop)
		leaf_vm_run(&noise->v, 0, 100);
	return NULL;
}

/* Return right after an interrupt of the host's timer. */
static void wait_for_tick(void)
{
	uint64_t last = rdtsc(), now;

	while ((now = rdtsc()) - last < INTERRUPT_CYCLES)
		last = now;
}

static uint64_t interrupts(void)
{
	static char buf[4096];
	static int fd = -1;
	const char *line;
	ssize_t len;

	/* Open it only once: there is little time until the next tick. */
	if (fd < 0)
		fd = open("/proc/stat", O_RDONLY);
	len = pread(fd, buf, sizeof(buf) - 1, 0);
	TEST_ASSERT(len > 0, "cannot read /proc/stat");
	buf[len] = '\0';
	line = strstr(buf, "\nintr ");
	TEST_ASSERT(line, "/proc/stat does not count interrupts");
	return strtoull(line + strlen("\nintr "), NULL, 10);
}

/* Return whether the VM ran without any interrupt. */
static bool quiet_runs(struct leaf_vm *v, uint32_t n)
{
	uint64_t before;

	wait_for_tick();
	before = interrupts();
	leaf_vm_run(v, 0, n);
	return interrupts() == before;
}

/* Whatever reading changes comes first: each run ends with an OUT. */
static uint32_t list_reasons(uint32_t list[NR_REASONS])
{
	uint32_t n = 0;

	list[n++] = reasons->io;
	list[n++] = reasons->cpuid;
	for (uint32_t slot = 0; slot < NR_REASONS; slot++) {
		uint32_t reason = nth_reason(slot);

		if (isa_defines(oracle_isa(), reason) && reason != list[0] && reason != list[1])
			list[n++] = reason;
	}
	return n;
}

/* The guest reads all figures, the total last. */
static bool quiet_reads(struct leaf_vm *v, struct figures *f)
{
	uint32_t list[NR_REASONS], nr_reasons = list_reasons(list);
	struct request *r = v->requests[0];

	memset(f, 0, sizeof(*f));
	for (uint32_t first = 0; first < nr_reasons; first += NR_REASONS_AT_ONCE) {
		uint32_t n = 0, nr = nr_reasons - first;

		if (nr > NR_REASONS_AT_ONCE)
			nr = NR_REASONS_AT_ONCE;
		for (uint32_t i = 0; i < nr; i++) {
			r[n++] = (struct request){ .leaf = KVM_EXIT_STATS_LEAF_REASON_EXITS,
						   .index = list[first + i] };
			r[n++] = (struct request){ .leaf = KVM_EXIT_STATS_LEAF_REASON_CYCLES,
						   .index = list[first + i] };
		}
		r[n++] = (struct request){ .leaf = KVM_EXIT_STATS_LEAF_CYCLES };
		r[n++] = (struct request){ .leaf = KVM_EXIT_STATS_LEAF_EXITS };
		if (!quiet_runs(v, n))
			return false;

		for (uint32_t i = 0; i < nr; i++) {
			uint32_t slot = reason_slot(list[first + i]);

			f->exits[slot] = exits_in(r[2 * i].r);
			f->cycles[slot] = cycles_in(r[2 * i + 1].r);
		}
		f->total_cycles = cycles_in(r[n - 2].r);
		f->total_exits = exits_in(r[n - 1].r);
	}
	return true;
}

static struct leaf_vm quiet_create(void)
{
	struct sched_param first = { .sched_priority = 1 };

	pin(0);
	TEST_ASSERT(!sched_setscheduler(0, SCHED_FIFO, &first), "cannot be more important");
	return leaf_vm_create(LONG_MODE, false, 1, NULL);
}

static bool quiet_step(struct leaf_vm *v, struct noise *noise, int step)
{
	uint64_t before = noise ? noise->v.executed[0] : 0;

	/* If there is only one CPU, let the noisy VM have it. */
	while (noise && noise->v.executed[0] - before < NOISE_PER_STEP)
		usleep(1000);
	for (int i = 0; i < NR_STEP_REQUESTS; i++)
		v->requests[0][i] = (struct request){ .leaf = i, .wbinvds = step % 3 };
	return quiet_runs(v, NR_STEP_REQUESTS);
}

/* The figures of VMs that an interrupt hit, and that were given up */
static struct figures given_up;

/* Do known work of several kinds, and read the figures before and after. */
static struct leaf_vm quiet_works(struct noise *noise, struct figures *begin, struct figures *end)
{
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		struct leaf_vm v = quiet_create();
		struct figures f;
		/* Read twice: the first time, the guest accesses its memory for the first time. */
		bool quiet = quiet_reads(&v, begin) && quiet_reads(&v, begin);

		for (int step = 0; quiet && step < NR_STEPS; step++)
			quiet = quiet_step(&v, noise, step);
		if (quiet && quiet_reads(&v, end))
			return v;
		vm_stats(v.vm, &f);
		figures_add(&given_up, &f);
		kvm_vm_free(v.vm);
	}
	TEST_FAIL("interrupts, %d times", ATTEMPTS);
	exit(1);
}

static void noise_begins(struct noise *noise)
{
	pthread_attr_t attr;

	noise->stop = false;
	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	noise->v = leaf_vm_create(PROTECTED_MODE, false, 1, NULL);
	TEST_ASSERT(!pthread_create(&noise->thread, &attr, make_noise, noise), "no thread");
}

static void noise_ends(struct noise *noise)
{
	noise->stop = true;
	pthread_join(noise->thread, NULL);
}

static bool differ(const char *what, const uint64_t *a, const uint64_t *b)
{
	bool differ = false;

	for (uint32_t r = 0; r < NR_REASONS; r++) {
		if (a[r] == b[r])
			continue;
		differ = true;
		ksft_print_msg("%s of %s: %" PRIu64 " and %" PRIu64 "\n",
			       what, oracle_name(r), a[r], b[r]);
	}
	return differ;
}

/* Each run has a process of its own, so that its VM is the first one both times. */
static struct seen {
	struct figures alone_begin, alone, beside_begin, beside, noise;
} *seen;

static bool quiet_is_alone(void)
{
	quiet_works(NULL, &seen->alone_begin, &seen->alone);
	ksft_print_msg("alone: %" PRIu64 " exits, %" PRIu64 " cycles\n", seen->alone.total_exits,
		       seen->alone.total_cycles);
	return seen->alone.exits[reasons->cpuid] > NR_STEPS * NR_STEP_REQUESTS &&
	       seen->alone.exits[reasons->wbinvd] == 9 * NR_STEP_REQUESTS;
}

static bool quiet_is_beside_the_noisy_one(void)
{
	struct noise noise;

	noise_begins(&noise);
	quiet_works(&noise, &seen->beside_begin, &seen->beside);
	noise_ends(&noise);
	vm_stats(noise.v.vm, &seen->noise);
	ksft_print_msg("beside: %" PRIu64 " exits, %" PRIu64 " cycles; "
		       "the noisy one: %" PRIu64 " exits, %" PRIu64 " cycles\n",
		       seen->beside.total_exits, seen->beside.total_cycles,
		       seen->noise.total_exits, seen->noise.total_cycles);
	return seen->noise.total_exits > 5 * NR_STEPS * NOISE_PER_STEP;
}

static bool exits_are_the_same_bit_for_bit(void)
{
	return !differ("exits", seen->alone.exits, seen->beside.exits) && seen->alone.total_exits &&
	       seen->alone.total_exits == seen->beside.total_exits;
}

/*
 * Compare only from the first reading on.  Before that, the guest accesses its memory for
 * the first time, and the cycles depend on how the host allocates page tables.
 */
static bool cycles_are_the_same_bit_for_bit(void)
{
	figures_subtract(&seen->alone, &seen->alone_begin);
	figures_subtract(&seen->beside, &seen->beside_begin);
	return !differ("cycles", seen->alone.cycles, seen->beside.cycles) &&
	       seen->alone.total_cycles && seen->alone.total_cycles == seen->beside.total_cycles;
}

/* Get a VM's figures from debugfs, what its guest reads, and debugfs again. */
static bool quiet_reads_all(struct leaf_vm *v, struct figures *before, struct figures *read,
			    struct figures *after)
{
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		bool quiet;

		vm_stats(v->vm, before);
		set_scope("host");
		quiet = quiet_reads(v, read);
		set_scope("vm");
		vm_stats(v->vm, after);
		if (quiet)
			return true;
	}
	return false;
}

/* The sum is of all VMs before, these two, and those that were given up. */
static bool host_is_the_sum(void)
{
	struct figures before, after, read, noisy, ignored;
	struct host_figures others;
	struct noise noise;
	struct leaf_vm v;
	bool ok;

	figures_host(&others);
	noise_begins(&noise);
	v = quiet_works(&noise, &ignored, &ignored);
	noise_ends(&noise);
	ok = quiet_reads_all(&v, &before, &read, &after);

	vm_stats(noise.v.vm, &noisy);
	ok &= noisy.total_exits > 5 * NR_STEPS * NOISE_PER_STEP;
	figures_add(&noisy, &others.sum);
	figures_add(&noisy, &given_up);
	figures_add(&before, &noisy);
	figures_add(&after, &noisy);
	ksft_print_msg("read %" PRIu64 " exits, %" PRIu64 " cycles; "
		       "the sum was %" PRIu64 " and %" PRIu64 " before, "
		       "%" PRIu64 " and %" PRIu64 " after\n",
		       read.total_exits, read.total_cycles, before.total_exits, before.total_cycles,
		       after.total_exits, after.total_cycles);

	/* Reads count themselves.  CPUID's own is the third. */
	before.exits[reasons->cpuid] += 3;
	ok &= !differ("exits", before.exits, read.exits);
	/*
	 * Reading changes only the cycles of CPUID.  But it begins with the completion of an OUT.
	 */
	ok &= read.cycles[reasons->cpuid] > before.cycles[reasons->cpuid] &&
	      read.cycles[reasons->cpuid] < after.cycles[reasons->cpuid];
	before.cycles[reasons->cpuid] = read.cycles[reasons->cpuid];
	ok &= read.cycles[reasons->io] >= before.cycles[reasons->io] &&
	      read.cycles[reasons->io] < after.cycles[reasons->io];
	before.cycles[reasons->io] = read.cycles[reasons->io];
	ok &= !differ("cycles", before.cycles, read.cycles);
	/* The OUT comes after the last read. */
	return ok && read.total_exits + 1 == after.total_exits &&
	       read.total_cycles > before.total_cycles && read.total_cycles < after.total_cycles;
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	two_cpus = sysconf(_SC_NPROCESSORS_ONLN) > 1;
	reasons = reasons_of(oracle_isa());
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ksft_print_header();
	ksft_set_plan(5);
	RUN(quiet_is_alone);
	RUN(quiet_is_beside_the_noisy_one);
	RUN(exits_are_the_same_bit_for_bit);
	if (two_cpus)
		skip("cycles_are_the_same_bit_for_bit",
		     "the TSC of an emulated machine of two CPUs advances in steps");
	else
		RUN(cycles_are_the_same_bit_for_bit);
	RUN(host_is_the_sum);
	ksft_finished();
}
