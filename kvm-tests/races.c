// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counting and reading while vCPUs, VMs and CPUs come and go, and while the host changes
 * the scope, or switches histograms.
 *
 * usage: races vcpus|vms|scope|cpus
 *
 * Has to run alone on a machine of two CPUs.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/ioctl.h>

#include "leaf_vm.h"

#define NR_SWEEPS (20 / fewer())
#define NR_VMS (200 / fewer())
#define NR_PARENTS 4
#define NR_FLIPS (1000 / fewer())
#define NR_UNPLUGS 5
#define NR_SWITCHES (50 / fewer())
#define NR_WBINVD 7
#define CPU1_ONLINE "/sys/devices/system/cpu/cpu1/online"

static const struct reasons *reasons;

/* ---- threads that run a vCPU ---- */

struct runner {
	pthread_t thread;
	struct leaf_vm *v;
	int vcpu;
	/* The CPU it is pinned to, -1 for any */
	int cpu;
	struct leaf_model m;
	/* Otherwise it ends after NR_SWEEPS rounds. */
	bool until_stopped;
	volatile bool stop;
	volatile uint64_t rounds;
};

static void *sweeps(void *arg)
{
	struct runner *r = arg;
	uint32_t asked[NR_SWEEP_INDICES], n = NR_SHORT_INDICES + 5000 * r->vcpu;
	/* Above these, there are few reasons, or none. */
	uint32_t low = oracle_isa() == SVM ? 0xb0 : 90;

	r->m.isa = oracle_isa();
	if (r->cpu >= 0)
		pin(r->cpu);
	while (r->until_stopped ? !r->stop : r->rounds < NR_SWEEPS) {
		/* First the low indices, which are reasons, then any. */
		for (uint32_t k = 0; k < NR_SWEEP_INDICES; k++)
			asked[k] = k % 2 ? (k / 2 + 17 * r->vcpu) % low : n++ % NR_INDICES;
		leaf_vm_sweep(r->v, r->vcpu, &r->m, asked, NR_SWEEP_INDICES);
		r->rounds++;
	}
	return NULL;
}

static void *noise(void *arg)
{
	struct runner *r = arg;

	if (r->cpu >= 0)
		pin(r->cpu);
	for (int i = 0; i < 10; i++)
		r->v->requests[r->vcpu][i] = (struct request){ .leaf = 1, .wbinvds = NR_WBINVD };
	while (!r->stop) {
		leaf_vm_run(r->v, r->vcpu, 10);
		r->rounds++;
	}
	return NULL;
}

static void start(struct runner *r, void *(*fn)(void *))
{
	TEST_ASSERT(!pthread_create(&r->thread, NULL, fn, r), "no thread");
}

static void finish(struct runner *r)
{
	r->stop = true;
	pthread_join(r->thread, NULL);
}

static bool all_right(const struct leaf_model *m)
{
	bool ok = true;

	for (int kind = 0; kind < LEAF_OWN; kind++)
		ok &= m->checked[kind] && !m->wrong[kind];
	return ok;
}

static void host_delta(const struct host_figures *before, struct figures *delta)
{
	struct host_figures now;

	figures_host(&now);
	*delta = now.sum;
	figures_subtract(delta, &before->sum);
}

/* Check that all answers were right, and that guests, vCPUs and CPUs agree. */
static bool finish_all(struct leaf_vm *v, struct runner *r, int n,
		       const struct host_figures *before)
{
	struct figures vm, host;
	uint64_t executed = 0;
	bool ok = true;

	for (int i = 0; i < n; i++) {
		finish(&r[i]);
		executed += r[i].m.executed;
		ok &= all_right(&r[i].m);
	}
	set_scope("vm");
	vm_stats(v->vm, &vm);
	host_delta(before, &host);
	ksft_print_msg("%" PRIu64 " CPUIDs executed, %" PRIu64 " counted\n", executed,
		       vm.exits[reasons->cpuid]);
	return ok && vm.exits[reasons->cpuid] == executed && figures_equal(&vm, &host) &&
	       figures_add_up("VM", &vm);
}

/* ---- four vCPUs on two CPUs ---- */

static bool four_vcpus(const char *scope_name, uint32_t scope)
{
	struct leaf_vm v = leaf_vm_create(LONG_MODE, false, NR_LEAF_VCPUS, NULL);
	struct runner r[NR_LEAF_VCPUS] = {};
	struct host_figures before;

	set_scope(scope_name);
	figures_host(&before);
	for (int i = 0; i < NR_LEAF_VCPUS; i++) {
		r[i] = (struct runner){ .v = &v, .vcpu = i, .cpu = -1, .m.scope = scope };
		start(&r[i], sweeps);
	}
	return finish_all(&v, r, NR_LEAF_VCPUS, &before);
}

static bool four_vcpus_read_while_they_are_counted(void)
{
	return four_vcpus("vm", KVM_EXIT_STATS_SCOPE_VM);
}

static bool four_vcpus_read_the_hosts(void)
{
	return four_vcpus("host", KVM_EXIT_STATS_SCOPE_HOST);
}

/* ---- VMs that come and go ---- */

/* Create and free several at once: they wait for grace periods together. */
static bool fleeting_vms(void)
{
	bool ok = true;

	for (int i = 0; i < NR_VMS / NR_PARENTS; i++) {
		struct leaf_vm v = leaf_vm_create(i % NR_CPU_MODES, false, 1 + !(i % 10), NULL);

		/* Creating a vCPU has to fail, as its number is taken. */
		ok &= ioctl(v.vm->fd, KVM_CREATE_VCPU, 0) == -1 && errno == EEXIST;
		for (int k = 0; k < 10; k++)
			v.requests[0][k] = (struct request){ .leaf = LEAF_HIGHEST - k,
							     .wbinvds = k % 2 };
		leaf_vm_run(&v, 0, 10);
		kvm_vm_free(v.vm);
	}
	return ok;
}

static bool vms_come_and_go_while_another_reads(void)
{
	struct leaf_vm v = leaf_vm_create(LONG_MODE, false, 1, NULL);
	struct runner reader = {
		.v = &v, .cpu = 0, .until_stopped = true, .m.scope = KVM_EXIT_STATS_SCOPE_HOST,
	};
	struct host_figures before;
	struct figures host;
	pid_t parents[NR_PARENTS];
	int status;
	bool ok = true;

	set_scope("host");
	figures_host(&before);
	for (int i = 0; i < NR_PARENTS; i++) {
		parents[i] = fork();
		if (!parents[i])
			_exit(fleeting_vms() ? 0 : 1);
	}
	start(&reader, sweeps);
	for (int i = 0; i < NR_PARENTS; i++)
		ok &= waitpid(parents[i], &status, 0) == parents[i] && !status;
	finish(&reader);
	set_scope("vm");
	host_delta(&before, &host);
	ksft_print_msg("%" PRIu64 " CPUIDs read, %" PRIu64 " counted; "
		       "%" PRIu64 " WBINVDs counted\n", reader.m.executed,
		       host.exits[reasons->cpuid], host.exits[reasons->wbinvd]);
	return ok && all_right(&reader.m) &&
	       host.exits[reasons->cpuid] == reader.m.executed + 10 * NR_VMS &&
	       host.exits[reasons->wbinvd] == 5 * NR_VMS;
}

/* ---- the scope changes while guests read ---- */

enum scope { OFF, VM, HOST, NR_SCOPES, NO_SCOPE };
static const char * const scope_names[NR_SCOPES] = { "off", "vm", "host" };

/* What a round reads, between two signatures */
enum { FIRST, EXITS, CYCLES, WBINVD_EXITS, WBINVD_CYCLES, UNDEFINED, LAST, NR_ASKED };
static struct request asked[NR_ASKED] = {
	[FIRST] = { .leaf = 0x4ffffffb },
	[EXITS] = { .leaf = 0x4ffffffc },
	[CYCLES] = { .leaf = 0x4ffffffd },
	/* The index is the ISA's. */
	[WBINVD_EXITS] = { .leaf = 0x4ffffffe },
	[WBINVD_CYCLES] = { .leaf = 0x4fffffff },
	[UNDEFINED] = { .leaf = 0x4ffffffe },
	[LAST] = { .leaf = 0x4ffffffb },
};

struct flip_reader {
	struct runner r;
	struct leaf_regs off[NR_ASKED];
	/* The VM's figures are known and stay constant; the host's are higher. */
	uint64_t wbinvd[2], host_wbinvd[2];
	uint64_t last[NR_SCOPES][NR_ASKED];
	uint64_t seen[NR_SCOPES], torn, wrong;
	/* The VM's total at the start */
	uint64_t base;
};

static uint64_t value_of(int what, struct leaf_regs r)
{
	return what == EXITS || what == WBINVD_EXITS ? exits_in(r) : cycles_in(r);
}

static enum scope scope_of(const struct flip_reader *f, int what, struct leaf_regs r)
{
	if (leaf_regs_equal(r, f->off[what]))
		return OFF;
	if (r.ebx != KVM_EXIT_STATS_SIGNATURE_EBX || r.ecx != KVM_EXIT_STATS_SIGNATURE_ECX ||
	    r.edx != KVM_EXIT_STATS_SIGNATURE_EDX)
		return NO_SCOPE;
	r.eax -= 0x86000001 | oracle_isa() << 8;
	return r.eax == 0x10000 ? VM : r.eax == 0x20000 ? HOST : NO_SCOPE;
}

/* Can this be an answer of that scope? */
static bool is_of(struct flip_reader *f, enum scope scope, int what, struct leaf_regs r)
{
	static const struct leaf_regs undefined = { .edx = KVM_EXIT_STATS_UNDEFINED };
	bool exits = what == EXITS || what == WBINVD_EXITS;
	uint64_t value = value_of(what, r);

	if (scope == OFF)
		return leaf_regs_equal(r, f->off[what]);
	if (what == UNDEFINED)
		return leaf_regs_equal(r, undefined);
	if (r.edx || (exits ? r.ecx : r.eax) || value < f->last[scope][what] ||
	    value > (scope == VM ? rdtsc() - f->r.v->since : 2 * rdtsc()))
		return false;
	if (what == EXITS && scope == VM)
		return value - f->base <= 2 * f->r.v->executed[0];
	if (what == EXITS || what == CYCLES)
		return true;
	return scope == VM ? value == f->wbinvd[what - WBINVD_EXITS] :
			     value >= f->host_wbinvd[what - WBINVD_EXITS];
}

static void check_round(struct flip_reader *f, const struct request *got)
{
	enum scope first = scope_of(f, FIRST, got[FIRST].r), last = scope_of(f, LAST, got[LAST].r);
	bool ok = first != NO_SCOPE && last != NO_SCOPE;

	for (int what = EXITS; ok && what < LAST; what++) {
		enum scope scope = is_of(f, first, what, got[what].r) ? first : last;

		ok = is_of(f, scope, what, got[what].r);
		/* A total may fit both scopes. */
		if (ok && first == last)
			f->last[scope][what] = value_of(what, got[what].r);
	}
	if (ok && first == last)
		f->seen[first]++;
	f->torn += first != last;
	if (ok || f->wrong++ > 2)
		return;
	for (int what = 0; what < NR_ASKED; what++)
		ksft_print_msg("leaf %08x index %u: eax=%08x ebx=%08x ecx=%08x edx=%08x, "
			       "before %" PRIu64 " in scope vm, %" PRIu64 " in scope host\n",
			       got[what].leaf, got[what].index, got[what].r.eax, got[what].r.ebx,
			       got[what].r.ecx, got[what].r.edx,
			       f->last[VM][what], f->last[HOST][what]);
}

static void *read_rounds(void *arg)
{
	struct flip_reader *f = arg;

	pin(0);
	while (!f->r.stop) {
		memcpy(f->r.v->requests[0], asked, sizeof(asked));
		leaf_vm_run(f->r.v, 0, NR_ASKED);
		check_round(f, f->r.v->requests[0]);
		f->r.rounds++;
	}
	return NULL;
}

/* Sometimes change the scope in the middle of a round, but only once. */
static void flip(struct flip_reader *f)
{
	enum scope scope = VM;
	uint32_t random = 1;

	for (int i = 0; i < NR_FLIPS; i++) {
		uint64_t round = f->r.rounds, until;

		while (f->r.rounds < round + 2)
			;
		random = random * 1103515245 + 12345;
		for (until = rdtsc() + (random >> 16) % 8192; rdtsc() < until;)
			;
		scope = (scope + 1 + (random >> 30) % 2) % NR_SCOPES;
		set_scope(scope_names[scope]);
	}
}

static bool scope_flips_while_guests_read(void)
{
	struct leaf_vm reader = leaf_vm_create(LONG_MODE, false, 1, NULL);
	struct leaf_vm noisy = leaf_vm_create(LONG_MODE, false, 1, NULL);
	struct flip_reader f = { .r.v = &reader };
	struct runner noise_runner = { .v = &noisy, .cpu = 1 };
	struct host_figures before;
	struct figures host, vms, noisy_f;
	bool ok = true;

	pin(1);
	figures_host(&before);
	start(&noise_runner, noise);
	while (noise_runner.rounds < 100)
		usleep(1000);
	/* All WBINVDs of this VM */
	reader.requests[0][0] = (struct request){ .leaf = 1, .wbinvds = NR_WBINVD };
	leaf_vm_run(&reader, 0, 1);
	vm_stats(reader.vm, &vms);
	f.wbinvd[0] = vms.exits[reasons->wbinvd];
	f.wbinvd[1] = vms.cycles[reasons->wbinvd];
	f.base = vms.total_exits;
	host_delta(&before, &host);
	f.host_wbinvd[0] = before.sum.exits[reasons->wbinvd] + host.exits[reasons->wbinvd];
	f.host_wbinvd[1] = before.sum.cycles[reasons->wbinvd] + host.cycles[reasons->wbinvd];
	ok &= f.wbinvd[0] == NR_WBINVD && f.host_wbinvd[0] > 100 * NR_WBINVD;
	for (int what = 0; what < NR_ASKED; what++)
		f.off[what] = leaf_vm_out_of_range(&reader, asked[what].index);

	TEST_ASSERT(!pthread_create(&f.r.thread, NULL, read_rounds, &f), "no thread");
	flip(&f);
	finish(&f.r);
	finish(&noise_runner);
	set_scope("vm");

	ksft_print_msg("%" PRIu64 " rounds: %" PRIu64 " off, %" PRIu64 " vm, "
		       "%" PRIu64 " host, %" PRIu64 " with a flip in them, %" PRIu64 " wrong\n",
		       f.r.rounds, f.seen[OFF], f.seen[VM], f.seen[HOST], f.torn, f.wrong);
	ok &= f.seen[OFF] > NR_FLIPS / 10 && f.seen[VM] > NR_FLIPS / 10 &&
	      f.seen[HOST] > NR_FLIPS / 10 && f.torn > NR_FLIPS / 20 && !f.wrong;

	/* Nothing was counted twice, and vCPUs and CPUs agree. */
	vm_stats(reader.vm, &vms);
	vm_stats(noisy.vm, &noisy_f);
	ksft_print_msg("%" PRIu64 " of %" PRIu64 " CPUIDs counted\n", vms.exits[reasons->cpuid],
		       reader.executed[0]);
	ok &= vms.exits[reasons->cpuid] < reader.executed[0] &&
	      noisy_f.exits[reasons->cpuid] < noisy.executed[0] &&
	      noisy_f.exits[reasons->wbinvd] < NR_WBINVD * noisy.executed[0] &&
	      figures_add_up("reader", &vms) && figures_add_up("noise", &noisy_f);
	figures_add(&vms, &noisy_f);
	host_delta(&before, &host);
	return ok && figures_equal(&vms, &host);
}

/*
 * A guest reads the host's total over and over, on CPU 0.  Somebody more important takes that CPU
 * away from it, sometimes while it sums.  Meanwhile, the host narrows the scope, and then another
 * VM has NOISE exits on CPU 1.  Whatever the guest is told from then on, these are not in it.
 */
#define NR_NARROWINGS 100
#define NOISE 500
/* In ticks: when the hog surely has the CPU, and how long who waits for the guest has to wait */
#define HOG_HAS_IT 200000
#define HOG_AT_MOST 4000000

struct total_reader {
	struct runner r;
	volatile uint64_t told;
};

static void *reads_the_total(void *arg)
{
	struct total_reader *t = arg;
	uint64_t told;

	pin(0);
	while (!t->r.stop) {
		t->r.v->requests[0][0] = (struct request){ .leaf = 0x4ffffffc };
		leaf_vm_run(t->r.v, 0, 1);
		told = exits_in(t->r.v->requests[0][0].r);
		if (told > t->told)
			t->told = told;
		t->r.rounds++;
	}
	return NULL;
}

struct hog {
	pthread_t thread;
	volatile bool go, release, stop;
};

static void *takes_the_cpu(void *arg)
{
	struct sched_param first = { .sched_priority = 2 };
	struct hog *h = arg;

	pin(0);
	TEST_ASSERT(!sched_setscheduler(0, SCHED_FIFO, &first), "cannot be more important");
	while (!h->stop) {
		if (h->go) {
			for (uint64_t begin = rdtsc();
			     !h->release && rdtsc() - begin < HOG_AT_MOST;)
				;
			h->go = false;
		}
		usleep(100);
	}
	return NULL;
}

static bool a_narrowed_scope_drains(void)
{
	struct leaf_vm reader = leaf_vm_create(LONG_MODE, false, 1, NULL);
	struct leaf_vm noisy = leaf_vm_create(LONG_MODE, false, 1, NULL);
	struct total_reader t = { .r.v = &reader };
	struct hog h = {};
	uint64_t late = 0;

	pin(1);
	TEST_ASSERT(!pthread_create(&t.r.thread, NULL, reads_the_total, &t), "no thread");
	TEST_ASSERT(!pthread_create(&h.thread, NULL, takes_the_cpu, &h), "no thread");
	for (int i = 0; i < NR_NARROWINGS; i++) {
		struct host_figures then;
		uint64_t rounds, begin;

		set_scope("host");
		for (rounds = t.r.rounds; t.r.rounds < rounds + 2;)
			;
		h.release = false;
		h.go = true;
		for (begin = rdtsc(); rdtsc() - begin < HOG_HAS_IT;)
			;
		set_scope("vm");
		figures_host(&then);
		noisy.requests[0][0] = (struct request){ .leaf = 1, .wbinvds = NOISE };
		leaf_vm_run(&noisy, 0, 1);
		t.told = 0;
		rounds = t.r.rounds;
		h.release = true;
		while (h.go || t.r.rounds < rounds + 2)
			;
		late += t.told >= then.sum.total_exits + NOISE;
	}
	h.stop = true;
	pthread_join(h.thread, NULL);
	finish(&t.r);
	ksft_print_msg("after %" PRIu64 " of %d narrowings, the guest was told what happened "
		       "later\n", late, NR_NARROWINGS);
	return !late;
}

static bool nothing_is_counted_while_off(void)
{
	struct leaf_vm v = leaf_vm_create(LONG_MODE, false, 1, NULL);
	struct figures before, off, on;

	leaf_vm_cpuid(&v, 1, 0);
	set_scope("off");
	vm_stats(v.vm, &before);
	for (int i = 0; i < 100; i++)
		leaf_vm_cpuid(&v, LEAF_HIGHEST, i);
	vm_stats(v.vm, &off);
	set_scope("vm");
	for (int i = 0; i < 100; i++)
		leaf_vm_cpuid(&v, LEAF_HIGHEST, i);
	vm_stats(v.vm, &on);
	return figures_equal(&before, &off) &&
	       on.exits[reasons->cpuid] == off.exits[reasons->cpuid] + 100;
}

/* ---- histograms are switched while vCPUs run ---- */

/* What is counted, but in no bucket, of each reason */
static bool not_in_buckets(struct leaf_vm *v, uint64_t without[NR_FIGURES], uint64_t *in)
{
	uint64_t buckets[NR_FIGURES];
	struct figures f;
	bool ok = true;

	vm_stats(v->vm, &f);
	vm_buckets(v->vm, buckets);
	*in = 0;
	for (int slot = 0; slot < NR_FIGURES; slot++) {
		ok &= buckets[slot] <= f.exits[slot];
		without[slot] = f.exits[slot] - buckets[slot];
		*in += buckets[slot];
	}
	return ok;
}

static void run_noise(struct leaf_vm *v, bool switched)
{
	struct runner r[2] = {};
	uint32_t random = 1;

	for (int i = 0; i < 2; i++) {
		r[i] = (struct runner){ .v = v, .vcpu = i, .cpu = -1 };
		start(&r[i], noise);
	}
	for (int i = 0; i < 10; i++) {
		uint64_t rounds = r[0].rounds + r[1].rounds, until;

		while (r[0].rounds + r[1].rounds < rounds + 2)
			;
		random = random * 1103515245 + 12345;
		for (until = rdtsc() + (random >> 16) % 8192; rdtsc() < until;)
			;
		if (switched)
			oracle_write(PARAM_HISTOGRAM, i % 2 ? "Y" : "N");
	}
	for (int i = 0; i < 2; i++)
		finish(&r[i]);
}

/* As long as they are on, each exit that is counted is in a bucket. */
static bool histograms_miss_nothing_while_they_are_on(void)
{
	struct leaf_vm v = leaf_vm_create(LONG_MODE, false, 2, NULL);
	uint64_t before[NR_FIGURES], after[NR_FIGURES], in_before, in_after = 0, missed = 0;
	bool ok = true;

	for (int i = 0; i < NR_SWITCHES; i++) {
		run_noise(&v, true);
		ok &= not_in_buckets(&v, before, &in_before);
		run_noise(&v, false);
		ok &= not_in_buckets(&v, after, &in_after);
		missed += !!memcmp(before, after, sizeof(before));
		ok &= in_after > in_before;
	}
	oracle_write(PARAM_HISTOGRAM, "N");
	ksft_print_msg("%" PRIu64 " exits in buckets, %" PRIu64 " CPUIDs in none; "
		       "%" PRIu64 " of %d times, some were missed\n", in_after,
		       after[reasons->cpuid], missed, NR_SWITCHES);
	return ok && !missed && after[reasons->cpuid] && after[reasons->wbinvd];
}

/* ---- CPUs that come and go ---- */

static void on_cpu1(struct leaf_vm *v)
{
	pin(1);
	for (int i = 0; i < 100; i++)
		v->requests[0][i] = (struct request){ .leaf = 1, .wbinvds = NR_WBINVD };
	leaf_vm_run(v, 0, 100);
	pin(0);
}

/* The guest, on CPU 0, has to read what debugfs shows. */
static bool reads_all(struct leaf_vm *v, const struct host_figures *host)
{
	struct leaf_regs exits = leaf_vm_cpuid(v, 0x4ffffffe, reasons->wbinvd);
	struct leaf_regs cycles = leaf_vm_cpuid(v, 0x4fffffff, reasons->wbinvd);

	return exits.eax == (uint32_t)host->sum.exits[reasons->wbinvd] &&
	       cycles.ecx == (uint32_t)host->sum.cycles[reasons->wbinvd];
}

static bool unplugging_a_cpu_keeps_its_figures(void)
{
	struct leaf_vm v = leaf_vm_create(LONG_MODE, false, 1, NULL);
	struct host_figures before, unplugged, plugged, after;
	bool ok;

	set_scope("host");
	on_cpu1(&v);
	figures_host(&before);
	ok = reads_all(&v, &before);
	oracle_write(CPU1_ONLINE, "0");
	ok &= sysconf(_SC_NPROCESSORS_ONLN) == 1;
	figures_host(&unplugged);
	ok &= reads_all(&v, &before);
	oracle_write(CPU1_ONLINE, "1");
	ok &= sysconf(_SC_NPROCESSORS_ONLN) == 2;
	figures_host(&plugged);
	ok &= reads_all(&v, &before);
	on_cpu1(&v);
	figures_host(&after);
	ok &= reads_all(&v, &after);
	set_scope("vm");

	ksft_print_msg("CPU 1 had %" PRIu64 " exits, %" PRIu64 " unplugged, "
		       "%" PRIu64 " again, then %" PRIu64 "\n",
		       before.cpu[1].total_exits, unplugged.cpu[1].total_exits,
		       plugged.cpu[1].total_exits, after.cpu[1].total_exits);
	return ok && before.cpu[1].exits[reasons->wbinvd] >= 100 * NR_WBINVD &&
	       figures_equal(&before.cpu[1], &unplugged.cpu[1]) &&
	       figures_equal(&before.cpu[1], &plugged.cpu[1]) &&
	       after.cpu[1].exits[reasons->wbinvd] ==
	       before.cpu[1].exits[reasons->wbinvd] + 100 * NR_WBINVD;
}

static bool cpus_come_and_go_under_running_vcpus(void)
{
	struct leaf_vm v = leaf_vm_create(LONG_MODE, false, 2, NULL);
	struct runner r[2] = {};
	struct host_figures before;

	set_scope("host");
	figures_host(&before);
	for (int i = 0; i < 2; i++) {
		r[i] = (struct runner){ .v = &v, .vcpu = i, .cpu = -1, .until_stopped = true,
					.m.scope = KVM_EXIT_STATS_SCOPE_HOST };
		start(&r[i], sweeps);
	}
	for (int i = 0; i < 2 * NR_UNPLUGS; i++) {
		uint64_t rounds = r[0].rounds + r[1].rounds;

		while (r[0].rounds + r[1].rounds < rounds + 4)
			usleep(1000);
		oracle_write(CPU1_ONLINE, i % 2 ? "1" : "0");
	}
	return finish_all(&v, r, 2, &before);
}

#define CASE(what, fn) { what, #fn, fn }

static const struct {
	const char *what, *name;
	bool (*fn)(void);
} cases[] = {
	CASE("vcpus", four_vcpus_read_while_they_are_counted),
	CASE("vcpus", four_vcpus_read_the_hosts),
	CASE("vms", vms_come_and_go_while_another_reads),
	CASE("scope", scope_flips_while_guests_read),
	CASE("scope", a_narrowed_scope_drains),
	CASE("scope", nothing_is_counted_while_off),
	CASE("scope", histograms_miss_nothing_while_they_are_on),
	CASE("cpus", unplugging_a_cpu_keeps_its_figures),
	CASE("cpus", cpus_come_and_go_under_running_vcpus),
};

int main(int argc, char **argv)
{
	unsigned int plan = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	reasons = reasons_of(oracle_isa());
	asked[WBINVD_EXITS].index = asked[WBINVD_CYCLES].index = reasons->wbinvd;
	asked[UNDEFINED].index = oracle_isa() == SVM ? 0xa8 : 35;
	ksft_print_header();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		plan += argc > 1 && !strcmp(cases[i].what, argv[1]);
	if (!plan)
		ksft_exit_fail_msg("usage: races vcpus|vms|scope|cpus\n");
	ksft_set_plan(plan);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (!strcmp(cases[i].what, argv[1]))
			run_case(cases[i].fn, cases[i].name);
	}
	ksft_finished();
}
