// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cycles are those that KVM spent on the exit, on a CPU, and no others.
 *
 * usage: cycles
 *
 * Has to run alone on a machine whose kernel preempts (preempt=full), so that a vCPU's thread
 * is scheduled out inside its exit handler.  If there are two CPUs, sets CPU 1's TSC ahead, so
 * that a difference of two CPUs' TSCs is noticed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat.h"
#include "apic.h"

#include "case.h"

#define USER_PORT 0x80
#define TIMER_VECTOR 0x40
#define LVT_TIMER 0x320
#define LVT_TIMER_TSCDEADLINE (2 << 17)

#define NR_CPUID 20000
#define NR_HLT 20
#define HLT_CYCLES 2000000
#define NR_OUT 100
#define OUT_CYCLES 1000000
#define NR_IN 100
/* Bytes of a string instruction, each of which takes KVM so many instructions, at least */
#define IN_BYTES 16
#define BYTE_CYCLES 20
#define NR_STORE 100
#define MMIO_GVA 0xc0000000
#define NR_MOVES 200
#define NR_BUSY 3
/* How far CPU 1's TSC is ahead: longer than any exit takes */
#define TSC_AHEAD (1ull << 44)
/* More cycles than the exits of these guests take on average, including interrupts */
#define EXIT_CYCLES_MAX 20000
/* and than a single one does, and fewer than any time off the CPU or in user space */
#define LONGEST_CYCLES_MAX (OUT_CYCLES / 2)
/* Bytes of one string instruction among many, no more than KVM asks for at once */
#define LONG_BYTES 200

static volatile bool stop;
/* What the host calls them; all are below 256, and so the places of their figures. */
static const struct reasons *reasons;
static int nr_cpus;

/* ---- guests ---- */

static void guest_cpuid(void)
{
	uint32_t a, b, c, d;

	for (int i = 0; i < NR_CPUID; i++)
		__cpuid(1, 0, &a, &b, &c, &d);
	GUEST_DONE();
}

static void end_of_interrupt(struct ex_regs *regs)
{
	x2apic_write_reg(APIC_EOI, 0);
}

static void guest_hlt(void)
{
	x2apic_enable();
	x2apic_write_reg(LVT_TIMER, LVT_TIMER_TSCDEADLINE | TIMER_VECTOR);
	for (int i = 0; i < NR_HLT; i++) {
		asm volatile("cli");
		wrmsr(MSR_IA32_TSC_DEADLINE, rdtsc() + HLT_CYCLES);
		asm volatile("sti; hlt; cli");
	}
	GUEST_DONE();
}

static void guest_out(void)
{
	for (int i = 0; i < NR_OUT; i++)
		asm volatile("outb %%al, %%dx" :: "d"(USER_PORT), "a"(0));
	GUEST_DONE();
}

static uint64_t in_bytes, long_bytes;

/*
 * User space is asked for all bytes at once, and KVM then writes one after the other, as
 * they go downwards.
 */
static void guest_in(void)
{
	static uint8_t buffer[4096] __aligned(4096);

	for (int i = 0; i < NR_IN; i++) {
		uint8_t *to = &buffer[sizeof(buffer) - 1];
		uint64_t n = i == NR_IN / 2 && long_bytes ? long_bytes : in_bytes;

		asm volatile("std; rep insb; cld" : "+D"(to), "+c"(n) : "d"(USER_PORT) : "memory");
	}
	GUEST_DONE();
}

/* User space is told of the first half, and in the completion of that, of the second. */
static void guest_store(void)
{
	for (int i = 0; i < NR_STORE; i++)
		asm volatile("movups %%xmm0, (%0)" :: "r"(MMIO_GVA) : "memory");
	GUEST_DONE();
}

static void guest_until_stopped(void)
{
	uint32_t a, b, c, d;

	while (!stop) {
		__cpuid(1, 0, &a, &b, &c, &d);
		rdmsr(MSR_IA32_APICBASE);
	}
	GUEST_DONE();
}

/* ---- measuring ---- */

struct run {
	struct kvm_vcpu *vcpu;
	/* The vCPU's figures, the host's while it ran, how long it ran, and returns for MMIO */
	struct figures f;
	uint64_t longest[NR_FIGURES];
	struct host_figures host;
	uint64_t elapsed, mmio;
};

static struct run create(void *code)
{
	struct run run = {};
	struct kvm_vm *vm = vm_create_with_one_vcpu(&run.vcpu, code);

	compat_init_exceptions(run.vcpu);
	vcpu_set_cpuid_feature(run.vcpu, X86_FEATURE_TSC_DEADLINE_TIMER);
	vm_install_exception_handler(vm, TIMER_VECTOR, end_of_interrupt);
	return run;
}

static void measure(struct run *run, uint64_t user_cycles)
{
	struct host_figures before;
	char path[128];
	struct ucall uc;

	figures_host(&before);
	run->elapsed = rdtsc();
	for (;;) {
		vcpu_run(run->vcpu);
		if (get_ucall(run->vcpu, &uc) == UCALL_DONE)
			break;
		run->mmio += run->vcpu->run->exit_reason == KVM_EXIT_MMIO;
		TEST_ASSERT(!uc.cmd && (run->vcpu->run->exit_reason == KVM_EXIT_IO ||
					run->vcpu->run->exit_reason == KVM_EXIT_MMIO),
			    "guest: command %lu, exit reason %u", uc.cmd,
			    run->vcpu->run->exit_reason);
		for (uint64_t until = rdtsc() + user_cycles; rdtsc() < until;)
			;
	}
	run->elapsed = rdtsc() - run->elapsed;

	snprintf(path, sizeof(path), KVM_DEBUGFS "/%d-%d/vcpu0/exit_stats",
		 getpid(), run->vcpu->vm->fd);
	TEST_ASSERT(figures_read(path, &run->f, NULL), "cannot read %s", path);
	strcat(path, "_longest");
	TEST_ASSERT(figures_read_longest(path, run->longest), "cannot read %s", path);
	figures_host(&run->host);
	figures_subtract(&run->host.sum, &before.sum);
	for (int cpu = 0; cpu < NR_CPUS_MAX; cpu++)
		figures_subtract(&run->host.cpu[cpu], &before.cpu[cpu]);
}

static uint64_t mean(const struct figures *f, uint32_t reason)
{
	return f->exits[reason] ? f->cycles[reason] / f->exits[reason] : 0;
}

/* This holds for any run, on any CPU. */
static bool sane(const char *what, const struct run *run)
{
	struct figures cpus = {};
	bool ok = figures_add_up(what, &run->f);

	for (int cpu = 0; cpu < NR_CPUS_MAX; cpu++)
		figures_add(&cpus, &run->host.cpu[cpu]);
	if (!figures_equal(&cpus, &run->f) || !figures_equal(&run->host.sum, &run->f)) {
		ksft_print_msg("%s: the vCPU has %" PRIu64 " exits and %" PRIu64 " cycles, "
			       "the CPUs %" PRIu64 " and %" PRIu64 "\n",
			       what, run->f.total_exits, run->f.total_cycles,
			       cpus.total_exits, cpus.total_cycles);
		ok = false;
	}
	for (uint32_t r = 0; r < NR_FIGURES; r++) {
		if (!run->f.exits[r])
			continue;
		ksft_print_msg("%s: %-20s %6" PRIu64 " exits, mean %" PRIu64 " cycles, longest %"
			       PRIu64 "\n", what, oracle_name(r), run->f.exits[r],
			       mean(&run->f, r), run->longest[r]);
		ok &= mean(&run->f, r) < EXIT_CYCLES_MAX;
		ok &= run->longest[r] >= mean(&run->f, r) && run->longest[r] < LONGEST_CYCLES_MAX;
		ok &= run->longest[r] <= run->f.cycles[r];
		ok &= run->f.exits[r] > 1 || run->longest[r] == run->f.cycles[r];
	}
	return ok;
}

static bool fits(const char *what, const struct run *run)
{
	ksft_print_msg("%s: %" PRIu64 " of %" PRIu64 " cycles\n",
		       what, run->f.total_cycles, run->elapsed);
	return run->f.total_cycles < run->elapsed;
}

/* ---- the cases ---- */

static bool blocking_in_hlt_is_not_in(void)
{
	uint64_t blocked;
	struct run run;

	pin(0);
	run = create(guest_hlt);
	measure(&run, 0);
	blocked = (run.elapsed - run.f.total_cycles) / NR_HLT;
	ksft_print_msg("blocked for %" PRIu64 " cycles each time\n", blocked);
	return sane("HLT", &run) && fits("HLT", &run) &&
	       run.f.exits[reasons->hlt] >= NR_HLT / 2 &&
	       blocked > 20 * mean(&run.f, reasons->hlt);
}

static bool user_space_is_not_in(void)
{
	struct run run;

	pin(0);
	run = create(guest_out);
	measure(&run, OUT_CYCLES);
	return sane("OUT", &run) && fits("OUT", &run) &&
	       run.f.exits[reasons->io] == NR_OUT + 1 &&
	       run.elapsed > (uint64_t)NR_OUT * OUT_CYCLES &&
	       mean(&run.f, reasons->io) < OUT_CYCLES / 100;
}

static struct run in(const char *what, uint64_t bytes)
{
	struct run run = create(guest_in);

	in_bytes = bytes;
	sync_global_to_guest(run.vcpu->vm, in_bytes);
	measure(&run, OUT_CYCLES);
	ksft_print_msg("%s: %" PRIu64 " exits\n", what,
		       run.f.exits[reasons->io]);
	return run;
}

/* What KVM does with the answer of user space belongs to the exit, which is counted once. */
static bool completion_is_in(void)
{
	struct run one, many;
	int64_t more;

	pin(0);
	one = in("one byte", 1);
	many = in("many bytes", IN_BYTES);
	more = mean(&many.f, reasons->io) - mean(&one.f, reasons->io);
	ksft_print_msg("%d bytes more cost %" PRId64 " cycles\n", IN_BYTES - 1, more);
	/* With the data, KVM enters the guest once more, which exits to see that it is done. */
	return sane("one", &one) && sane("many", &many) && fits("many", &many) &&
	       one.f.exits[reasons->io] == 2 * NR_IN + 1 &&
	       many.f.exits[reasons->io] == 2 * NR_IN + 1 &&
	       2 * more > (IN_BYTES - 1) * BYTE_CYCLES;
}

/*
 * One exit among many takes long, in its completion.  Without it, the others take what they
 * take in a run of none but short ones.
 */
static bool the_longest_is_one_exit(void)
{
	uint64_t others, longest;
	struct run one, run;

	pin(0);
	one = in("short ones", 1);
	long_bytes = LONG_BYTES;
	run = create(guest_in);
	sync_global_to_guest(run.vcpu->vm, in_bytes);
	sync_global_to_guest(run.vcpu->vm, long_bytes);
	long_bytes = 0;
	measure(&run, OUT_CYCLES);
	longest = run.longest[reasons->io];
	others = (run.f.cycles[reasons->io] - longest) / (run.f.exits[reasons->io] - 1);
	ksft_print_msg("the longest of %" PRIu64 " took %" PRIu64 " cycles, the others %" PRIu64
		       " each, without it %" PRIu64 ", the longest of these %" PRIu64 "\n",
		       run.f.exits[reasons->io], longest, others, mean(&one.f, reasons->io),
		       one.longest[reasons->io]);
	return sane("short", &one) && sane("one is long", &run) &&
	       longest > one.longest[reasons->io] + (LONG_BYTES - IN_BYTES) * BYTE_CYCLES &&
	       others * 100 < mean(&one.f, reasons->io) * 105 &&
	       others * 105 > mean(&one.f, reasons->io) * 100;
}

static bool completion_that_asks_again_is_in(void)
{
	struct run run;
	uint64_t exits;

	pin(0);
	run = create(guest_store);
	virt_map(run.vcpu->vm, MMIO_GVA, MMIO_GVA, 1);
	measure(&run, OUT_CYCLES);
	exits = oracle_isa() == SVM ? run.f.exits[figures_slot(SVM_EXIT_NPF)] :
		run.f.exits[EXIT_REASON_EPT_MISCONFIG] + run.f.exits[EXIT_REASON_EPT_VIOLATION];
	ksft_print_msg("%d stores: %" PRIu64 " exits, %" PRIu64 " times user space was told\n",
		       NR_STORE, exits, run.mmio);
	return sane("store", &run) && fits("store", &run) && run.mmio == 2 * NR_STORE &&
	       exits >= NR_STORE && exits < 2 * NR_STORE;
}

/* Neighbours on the same CPU slow down the guest, but don't add to its cycles. */
static bool busy_neighbours_are_not_in(void)
{
	pid_t busy[NR_BUSY];
	uint64_t alone_mean, mean_cycles;
	struct run alone, run;
	bool ok;

	pin(nr_cpus - 1);
	alone = create(guest_cpuid);
	measure(&alone, 0);
	alone_mean = mean(&alone.f, reasons->cpuid);

	for (int i = 0; i < NR_BUSY; i++) {
		busy[i] = fork();
		if (!busy[i])
			for (;;)
				asm volatile("");
	}
	run = create(guest_cpuid);
	measure(&run, 0);
	for (int i = 0; i < NR_BUSY; i++) {
		kill(busy[i], SIGKILL);
		waitpid(busy[i], NULL, 0);
	}
	mean_cycles = mean(&run.f, reasons->cpuid);
	ok = sane("alone", &alone) & sane("busy", &run) &
	     fits("alone", &alone) & fits("busy", &run);
	ksft_print_msg("CPUID costs %" PRIu64 " cycles alone, %" PRIu64 " with %d busy neighbours; "
		       "%" PRIu64 " cycles became %" PRIu64 "\n",
		       alone_mean, mean_cycles, NR_BUSY, alone.elapsed, run.elapsed);
	/* If the guest wasn't slowed down, the test proves nothing. */
	return ok && run.elapsed > 2 * alone.elapsed &&
	       mean_cycles * 100 < alone_mean * 105 && mean_cycles * 105 > alone_mean * 100;
}

static void *move_about(void *arg)
{
	struct kvm_vcpu *vcpu = arg;
	volatile bool *guest_stop = addr_gva2hva(vcpu->vm, (uint64_t)&stop);
	pid_t thread = getpid();

	for (int i = 0; i < NR_MOVES; i++) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET(i & 1, &set);
		sched_setaffinity(thread, sizeof(set), &set);
		usleep(1000);
	}
	*guest_stop = true;
	return NULL;
}

static bool moving_between_cpus_is_exact(void)
{
	pthread_t thread;
	struct run run;
	bool ok;

	pin(0);
	run = create(guest_until_stopped);
	TEST_ASSERT(!pthread_create(&thread, NULL, move_about, run.vcpu), "no thread");
	measure(&run, 0);
	pthread_join(thread, NULL);
	ok = sane("moved", &run);
	ksft_print_msg("CPU 0 had %" PRIu64 " exits, CPU 1 %" PRIu64 "\n",
		       run.host.cpu[0].total_exits, run.host.cpu[1].total_exits);
	return ok && run.host.cpu[0].total_exits > NR_MOVES &&
	       run.host.cpu[1].total_exits > NR_MOVES;
}

/* ---- the machine ---- */

static uint64_t tsc_of(int cpu)
{
	pin(cpu);
	return rdtsc();
}

static bool tscs_differ(void)
{
	uint64_t ahead = TSC_AHEAD, t0, t1;
	int msr = open("/dev/cpu/1/msr", O_WRONLY);

	if (msr < 0 || pwrite(msr, &ahead, sizeof(ahead), MSR_IA32_TSC_ADJUST) != sizeof(ahead))
		ksft_print_msg("cannot set CPU 1's TSC: %s\n", strerror(errno));
	if (msr >= 0)
		close(msr);
	t0 = tsc_of(0);
	t1 = tsc_of(1);
	ksft_print_msg("TSCs %" PRIu64 " and %" PRIu64 "\n", t0, t1);
	return t1 > t0 && t1 - t0 > TSC_AHEAD / 2;
}

int main(void)
{
	static const char one_cpu[] = "the machine has one CPU";

	setvbuf(stdout, NULL, _IOLBF, 0);
	reasons = reasons_of(oracle_isa());
	nr_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	ksft_print_header();
	ksft_set_plan(8);
	RUN(blocking_in_hlt_is_not_in);
	RUN(user_space_is_not_in);
	RUN(completion_is_in);
	RUN(the_longest_is_one_exit);
	RUN(completion_that_asks_again_is_in);
	RUN(busy_neighbours_are_not_in);
	if (nr_cpus > 1) {
		RUN(tscs_differ);
		RUN(moving_between_cpus_is_exact);
	} else {
		skip("tscs_differ", one_cpu);
		skip("moving_between_cpus_is_exact", one_cpu);
	}
	ksft_finished();
}
