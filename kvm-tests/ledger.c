// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each state of a vCPU has the time that it was in that state, and user space's time is that
 * of the exit that asked for it.
 *
 * usage: ledger
 *
 * Has to run alone on the machine.  With one CPU, vCPUs are preempted, but cannot be moved.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "compat.h"
#include "apic.h"

#include "case.h"
#include "leaf_model.h"

#define USER_PORT 0x80
#define TIMER_VECTOR 0x40
#define LVT_TIMER 0x320
#define LVT_TIMER_TSCDEADLINE (2 << 17)

/* In nanoseconds */
#define MSEC 1000000ull
#define SEC 1000000000ull

#define NR_OUT 20
#define SLEEP_MSEC 10
#define NR_HLT 20
#define HALT_MSEC 20
#define NR_PAGES 10
#define PAGES_GPA 0x40000000ull
#define PAGES_GVA PAGES_GPA
#define SPIN_MSEC 1000
#define NR_IOCTLS 2000
#define NR_READERS 3
/* Each takes eight reads. */
#define NR_SUMS 125000
#define SUMS_PER_FLIP 1000
/* What may happen besides, of a hundred: ticks, and the test itself */
#define BESIDES 10

enum {
	ELAPSED = KVM_EXIT_STATS_STATE_ELAPSED, GUEST = KVM_EXIT_STATS_STATE_GUEST,
	EXITS = KVM_EXIT_STATS_STATE_EXITS, VMM = KVM_EXIT_STATS_STATE_VMM,
	HALTED = KVM_EXIT_STATS_STATE_HALTED, WAITING = KVM_EXIT_STATS_STATE_WAITING,
	ASLEEP = KVM_EXIT_STATS_STATE_ASLEEP, NR_STATES = KVM_EXIT_STATS_NR_STATES,
};

static const char * const state_names[NR_STATES] = {
	"elapsed", "guest", "exits", "vmm", "halted", "waiting", "asleep",
};

/* In nanoseconds */
struct ledger {
	uint64_t ns[NR_STATES];
};

struct vmm {
	uint64_t returns, ns;
};

static const struct reasons *reasons;
/* CPU 0 and this one, which may be the same */
static int other_cpu;

/* ---- what the host says ---- */

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SEC + t.tv_nsec;
}

static FILE *open_in_debugfs(struct kvm_vm *vm, int vcpu, const char *file)
{
	char path[128], dir[16] = "";

	if (vcpu >= 0)
		snprintf(dir, sizeof(dir), "vcpu%d/", vcpu);
	snprintf(path, sizeof(path), KVM_DEBUGFS "/%d-%d/%s%s", getpid(), vm->fd, dir, file);
	return oracle_open(path, "r");
}

/* Of a vCPU, or of all of the VM's if it is -1.  The states add up in each read. */
static struct ledger ledger_of(struct kvm_vm *vm, int vcpu)
{
	FILE *f = open_in_debugfs(vm, vcpu, "exit_stats_ledger");
	struct ledger l;
	uint64_t sum = 0;
	char name[16];

	for (int state = 0; state < NR_STATES; state++) {
		TEST_ASSERT(fscanf(f, "%15s %" SCNu64, name, &l.ns[state]) == 2 &&
			    !strcmp(name, state_names[state]), "no line for %s",
			    state_names[state]);
		sum += state ? l.ns[state] : 0;
	}
	fclose(f);
	TEST_ASSERT(sum == l.ns[ELAPSED], "%" PRIu64 " ns elapsed, %" PRIu64 " in states",
		    l.ns[ELAPSED], sum);
	return l;
}

/* The only reason in the file, as it is the only one that asks for something */
static struct vmm vmm_of(struct kvm_vm *vm, uint32_t reason)
{
	FILE *f = open_in_debugfs(vm, 0, "exit_stats_vmm");
	struct vmm vmm = {}, other;
	char r[16], name[32];

	while (fscanf(f, "%15s %31s %" SCNu64 " %" SCNu64, r, name, &other.returns,
		      &other.ns) == 4) {
		TEST_ASSERT((uint32_t)atoi(r) == reason, "%" PRIu64 " returns for %s",
			    other.returns, name);
		vmm = other;
	}
	fclose(f);
	return vmm;
}

static struct ledger since(struct kvm_vm *vm, int vcpu, const struct ledger *before)
{
	struct ledger l = ledger_of(vm, vcpu);

	for (int state = 0; state < NR_STATES; state++)
		l.ns[state] -= before->ns[state];
	return l;
}

static void print_ledger(const char *what, const struct ledger *l)
{
	ksft_print_msg("%s: of %" PRIu64 " us, guest %" PRIu64 ", exits %" PRIu64 ", vmm %" PRIu64
		       ", halted %" PRIu64 ", waiting %" PRIu64 ", asleep %" PRIu64 "\n", what,
		       l->ns[ELAPSED] / 1000, l->ns[GUEST] / 1000, l->ns[EXITS] / 1000,
		       l->ns[VMM] / 1000, l->ns[HALTED] / 1000, l->ns[WAITING] / 1000,
		       l->ns[ASLEEP] / 1000);
}

/* At least @least of the time, and no other state off the CPU more than a little of it */
static bool mostly(const char *what, const struct ledger *l, int most, uint64_t least)
{
	bool ok = l->ns[most] >= least;

	print_ledger(what, l);
	for (int state = VMM; state < NR_STATES; state++)
		ok &= state == most || l->ns[state] * 100 <= l->ns[ELAPSED] * BESIDES;
	return ok;
}

/* How long this thread has been ready to run without a CPU */
static uint64_t run_delay(pid_t tid)
{
	uint64_t ran, delay;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/schedstat", tid);
	f = oracle_open(path, "r");
	TEST_ASSERT(fscanf(f, "%" SCNu64 " %" SCNu64, &ran, &delay) == 2, "cannot read %s", path);
	fclose(f);
	return delay;
}

/* ---- guests ---- */

static volatile bool stop;

static void guest_out(void)
{
	for (;;)
		asm volatile("outb %%al, %%dx" :: "d"(USER_PORT), "a"(0));
}

/* With interrupts on, as Bochs otherwise has the host's wait until the guest exits by itself. */
static void guest_spins(void)
{
	asm volatile("sti");
	while (!stop)
		;
	GUEST_DONE();
}

static void end_of_interrupt(struct ex_regs *regs)
{
	x2apic_write_reg(APIC_EOI, 0);
}

static uint64_t halt_cycles;

static void halt(void)
{
	asm volatile("cli");
	wrmsr(MSR_IA32_TSC_DEADLINE, rdtsc() + halt_cycles);
	asm volatile("sti; hlt; cli");
}

static void guest_halts(void)
{
	x2apic_enable();
	x2apic_write_reg(LVT_TIMER, LVT_TIMER_TSCDEADLINE | TIMER_VECTOR);
	for (int i = 0; i < NR_HLT; i++)
		halt();
	GUEST_DONE();
}

static void guest_reads_pages(void)
{
	GUEST_SYNC(0);
	for (int i = 0; i < NR_PAGES; i++)
		*(volatile char *)(PAGES_GVA + i * 4096);
	GUEST_DONE();
}

/* What the guest reads of its VM, or in scope host, of all */
static uint64_t told[NR_STATES];

static uint64_t ns_of(uint32_t leaf, uint32_t state)
{
	uint32_t a, b, c, d;

	__cpuid(leaf, state, &a, &b, &c, &d);
	return (uint64_t)b << 32 | a;
}

static void guest_tells(void)
{
	for (;;) {
		for (int state = 0; state < NR_STATES; state++)
			told[state] = ns_of(KVM_EXIT_STATS_LEAF_LEDGER, state);
		asm volatile("outb %%al, %%dx" :: "d"(USER_PORT), "a"(0) : "memory");
	}
}

/* How often accounting was switched, odd while it is off or may be */
static volatile uint64_t flips;
/* What each reader has found so far */
static volatile struct sums {
	uint64_t right, disturbed, wrong;
	/* The last wrong one, between what had elapsed before and after */
	uint64_t before, sum, after;
} sums[NR_READERS];

static uint64_t state_ns(uint32_t state)
{
	return ns_of(KVM_EXIT_STATS_LEAF_LEDGER - KVM_EXIT_STATS_VCPU_OFFSET, state);
}

/* Of what is read one after the other, the sum lies between what has elapsed before and after. */
static void guest_adds_up(int reader)
{
	volatile struct sums *s = &sums[reader];

	x2apic_enable();
	x2apic_write_reg(LVT_TIMER, LVT_TIMER_TSCDEADLINE | TIMER_VECTOR);
	while (!stop) {
		uint64_t flip = flips, before = state_ns(ELAPSED), sum = 0, after;

		for (int state = GUEST; state < NR_STATES; state++)
			sum += state_ns(state);
		after = state_ns(ELAPSED);
		if (flip % 2 || flip != flips) {
			s->disturbed++;
		} else if (before <= sum && sum <= after) {
			s->right++;
		} else {
			s->before = before;
			s->sum = sum;
			s->after = after;
			s->wrong++;
		}
		if (!((s->right + s->disturbed) % 512))
			halt();
	}
	GUEST_DONE();
}

/* ---- VMs ---- */

static struct kvm_vm *create(struct kvm_vcpu **vcpus, uint32_t nr_vcpus, void *code)
{
	struct kvm_vm *vm = vm_create_with_vcpus(nr_vcpus, code, vcpus);

	for (uint32_t i = 0; i < nr_vcpus; i++) {
		compat_init_exceptions(vcpus[i]);
		vcpu_set_cpuid_feature(vcpus[i], X86_FEATURE_HYPERVISOR);
		vcpu_set_cpuid_feature(vcpus[i], X86_FEATURE_TSC_DEADLINE_TIMER);
	}
	vm_install_exception_handler(vm, TIMER_VECTOR, end_of_interrupt);
	return vm;
}

static void tell(struct kvm_vm *vm, volatile bool *what, bool value)
{
	*(volatile bool *)addr_gva2hva(vm, (uint64_t)what) = value;
}

static void run_until_done(struct kvm_vcpu *vcpu)
{
	struct ucall uc;

	vcpu_run(vcpu);
	TEST_ASSERT(get_ucall(vcpu, &uc) == UCALL_DONE, "guest: command %lu, exit reason %u",
		    uc.cmd, vcpu->run->exit_reason);
}

struct runner {
	pthread_t thread;
	struct kvm_vcpu *vcpu;
	/* The CPU it is pinned to, -1 for any */
	int cpu;
	/* How long it has waited for a CPU, between these of the VM's states */
	struct ledger states;
	uint64_t waited;
};

static void *runs(void *arg)
{
	struct runner *r = arg;
	struct ledger before;
	uint64_t waited;

	if (r->cpu >= 0)
		pin(r->cpu);
	before = ledger_of(r->vcpu->vm, r->vcpu->id);
	waited = run_delay(syscall(SYS_gettid));
	run_until_done(r->vcpu);
	r->states = since(r->vcpu->vm, r->vcpu->id, &before);
	r->waited = run_delay(syscall(SYS_gettid)) - waited;
	return NULL;
}

static void start(struct runner *r, struct kvm_vcpu *vcpu, int cpu)
{
	*r = (struct runner){ .vcpu = vcpu, .cpu = cpu };
	TEST_ASSERT(!pthread_create(&r->thread, NULL, runs, r), "no thread");
}

/* ---- the cases ---- */

static bool the_vmm_takes_what_it_sleeps_for_an_exit(void)
{
	const uint64_t slept = NR_OUT * SLEEP_MSEC * MSEC;
	struct ledger before, l;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm = create(&vcpu, 1, guest_out);
	struct vmm vmm, first;

	pin(0);
	vcpu_run(vcpu);
	before = ledger_of(vm, 0);
	first = vmm_of(vm, reasons->io);
	for (int i = 0; i < NR_OUT; i++) {
		usleep(SLEEP_MSEC * 1000);
		vcpu_run(vcpu);
	}
	vmm = vmm_of(vm, reasons->io);
	l = since(vm, 0, &before);
	vmm.ns -= first.ns;
	ksft_print_msg("%" PRIu64 " returns, %" PRIu64 " us in user space, slept %" PRIu64 "\n",
		       vmm.returns, vmm.ns / 1000, slept / 1000);
	return mostly("sleeps", &l, VMM, slept) && !l.ns[HALTED] && !l.ns[ASLEEP] &&
	       first.returns == 1 && vmm.returns == NR_OUT + 1 && vmm.ns >= slept &&
	       vmm.ns <= l.ns[VMM];
}

static void nothing(int sig)
{
}

/* A signal makes KVM_RUN return: that time is no exit's. */
static bool a_signal_is_no_exits(void)
{
	const struct sigaction action = { .sa_handler = nothing };
	struct itimerval once = { .it_value.tv_usec = SLEEP_MSEC * 1000 };
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm = create(&vcpu, 1, guest_spins);
	struct ledger before, l;
	struct vmm vmm;

	pin(0);
	before = ledger_of(vm, 0);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &once, NULL);
	TEST_ASSERT(__vcpu_run(vcpu) == -1 && errno == EINTR, "not interrupted");
	usleep(10 * SLEEP_MSEC * 1000);
	l = since(vm, 0, &before);
	vmm = vmm_of(vm, reasons->io);
	print_ledger("signal", &l);
	return l.ns[VMM] >= 10 * SLEEP_MSEC * MSEC && !vmm.returns && !vmm.ns;
}

static bool an_idle_guest_is_halted(void)
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm = create(&vcpu, 1, guest_halts);
	uint64_t begin = rdtsc(), began = now();
	struct ledger before, l;

	pin(0);
	/* How many ticks that is */
	usleep(HALT_MSEC * 1000);
	halt_cycles = (rdtsc() - begin) * HALT_MSEC * MSEC / (now() - began);
	sync_global_to_guest(vm, halt_cycles);
	before = ledger_of(vm, 0);
	run_until_done(vcpu);
	l = since(vm, 0, &before);
	return mostly("idle", &l, HALTED, (NR_HLT - 1) * HALT_MSEC * MSEC);
}

static bool vcpus_that_share_a_cpu_wait(void)
{
	struct kvm_vcpu *vcpus[2];
	struct kvm_vm *vm = create(vcpus, 2, guest_spins);
	struct runner r[2];
	bool ok = true;

	pin(other_cpu);
	for (int i = 0; i < 2; i++)
		start(&r[i], vcpus[i], 0);
	usleep(SPIN_MSEC * 1000);
	tell(vm, &stop, true);
	for (int i = 0; i < 2; i++) {
		uint64_t waiting;

		pthread_join(r[i].thread, NULL);
		waiting = r[i].states.ns[WAITING];
		print_ledger("shares", &r[i].states);
		ksft_print_msg("has waited for %" PRIu64 " us\n", r[i].waited / 1000);
		ok &= waiting * 100 >= r[i].waited * 95 && waiting * 100 <= r[i].waited * 105 &&
		      r[i].waited >= SPIN_MSEC * MSEC / 4;
	}
	return ok;
}

/* Each page comes late. */
static void *brings_pages(void *arg)
{
	int fd = *(int *)arg;

	pin(other_cpu);
	for (int i = 0; i < NR_PAGES; i++) {
		static char page[4096] __aligned(4096);
		struct uffdio_copy copy = { .src = (uint64_t)page, .len = sizeof(page) };
		struct pollfd p = { .fd = fd, .events = POLLIN };
		struct uffd_msg msg;

		TEST_ASSERT(poll(&p, 1, -1) == 1 && read(fd, &msg, sizeof(msg)) == sizeof(msg),
			    "no fault");
		usleep(SLEEP_MSEC * 1000);
		copy.dst = msg.arg.pagefault.address & ~(sizeof(page) - 1);
		TEST_ASSERT(!ioctl(fd, UFFDIO_COPY, &copy), "cannot bring a page");
	}
	return NULL;
}

static bool a_page_that_is_not_there_is_slept_for(void)
{
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	struct uffdio_api api = { .api = UFFD_API };
	struct ledger before, l;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm = create(&vcpu, 1, guest_reads_pages);
	pthread_t thread;

	pin(0);
	vm_userspace_mem_region_add(vm, VM_MEM_SRC_ANONYMOUS, PAGES_GPA, 1, NR_PAGES, 0);
	virt_map(vm, PAGES_GVA, PAGES_GPA, NR_PAGES);
	range.range.start = (uint64_t)addr_gpa2hva(vm, PAGES_GPA);
	range.range.len = NR_PAGES * 4096;
	TEST_ASSERT(fd >= 0 && !ioctl(fd, UFFDIO_API, &api) &&
		    !ioctl(fd, UFFDIO_REGISTER, &range), "no userfaultfd: %s", strerror(errno));
	TEST_ASSERT(!pthread_create(&thread, NULL, brings_pages, &fd), "no thread");
	vcpu_run(vcpu);
	before = ledger_of(vm, 0);
	run_until_done(vcpu);
	l = since(vm, 0, &before);
	pthread_join(thread, NULL);
	return mostly("pages", &l, ASLEEP, NR_PAGES * SLEEP_MSEC * MSEC) && !l.ns[HALTED];
}

static bool other_ioctls_move_nothing(void)
{
	struct ledger before, l;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm = create(&vcpu, 1, guest_out);
	struct kvm_regs regs;
	bool ok;

	vcpu_run(vcpu);
	before = ledger_of(vm, 0);
	for (int i = 0; i < NR_IOCTLS; i++) {
		pin(i / 16 % 2 ? other_cpu : 0);
		vcpu_regs_get(vcpu, &regs);
	}
	l = since(vm, 0, &before);
	print_ledger("ioctls", &l);
	ok = l.ns[VMM] && l.ns[VMM] == l.ns[ELAPSED];
	/* What it waited for the CPUs that it moved to, it knows now. */
	vcpu_run(vcpu);
	l = since(vm, 0, &before);
	return ok && !l.ns[HALTED] && !l.ns[ASLEEP];
}

/* Run the guest that tells what it reads. */
static struct ledger told_to(struct kvm_vcpu *vcpu)
{
	struct ledger l;

	vcpu_run(vcpu);
	memcpy(&l, addr_gva2hva(vcpu->vm, (uint64_t)&told), sizeof(l));
	return l;
}

/* What another VM does is in no state that a guest reads, unless the host says so. */
static bool vms_have_their_own_time(void)
{
	struct kvm_vcpu *vcpu, *noisy_vcpu;
	struct kvm_vm *vm = create(&vcpu, 1, guest_tells);
	struct kvm_vm *noisy = create(&noisy_vcpu, 1, guest_spins);
	struct ledger first, last, all;
	uint64_t began, took, least, most;
	struct runner r;

	pin(other_cpu);
	first = told_to(vcpu);
	began = now();
	first = told_to(vcpu);
	start(&r, noisy_vcpu, 0);
	usleep(SPIN_MSEC * 1000 / 4);
	last = told_to(vcpu);
	took = now() - began;
	set_scope("host");
	least = ledger_of(vm, -1).ns[ELAPSED] + ledger_of(noisy, -1).ns[ELAPSED];
	all = told_to(vcpu);
	most = ledger_of(vm, -1).ns[ELAPSED] + ledger_of(noisy, -1).ns[ELAPSED];
	set_scope("vm");
	tell(noisy, &stop, true);
	pthread_join(r.thread, NULL);
	print_ledger("in scope host", &all);
	print_ledger("noisy", &r.states);
	for (int state = 0; state < NR_STATES; state++)
		last.ns[state] -= first.ns[state];
	ksft_print_msg("%" PRIu64 " us, elapsed in scope host %" PRIu64 " to %" PRIu64 "\n",
		       took / 1000, least / 1000, most / 1000);
	return mostly("quiet", &last, VMM, SPIN_MSEC * MSEC / 4) && last.ns[ELAPSED] <= took &&
	       (last.ns[GUEST] + last.ns[EXITS]) * 100 <= last.ns[ELAPSED] * BESIDES &&
	       all.ns[ELAPSED] >= least && all.ns[ELAPSED] <= most &&
	       r.states.ns[GUEST] >= SPIN_MSEC * MSEC / 8;
}

static void *takes_cpus(void *arg)
{
	volatile bool *end = arg;

	for (int i = 0; !*end; i++) {
		pin(i % 2 ? other_cpu : 0);
		for (uint64_t until = now() + 3 * MSEC; now() < until;)
			;
		usleep(2000);
	}
	return NULL;
}

static uint64_t sums_done(const volatile struct sums *s)
{
	uint64_t done = 0;

	for (int i = 0; i < NR_READERS; i++)
		done += s[i].right + s[i].wrong;
	return done;
}

static bool states_add_up_while_all_changes(void)
{
	uint64_t nr_sums = NR_SUMS / fewer(), done = 0, nr_flips = 0;
	struct kvm_vcpu *vcpus[NR_READERS];
	struct kvm_vm *vm = create(vcpus, NR_READERS, guest_adds_up);
	struct runner r[NR_READERS];
	volatile uint64_t *host_flips = addr_gva2hva(vm, (uint64_t)&flips);
	volatile struct sums *host_sums = addr_gva2hva(vm, (uint64_t)&sums);
	volatile bool end = false;
	pthread_t hog;
	bool ok = true;

	halt_cycles = 100000;
	sync_global_to_guest(vm, halt_cycles);
	for (int i = 0; i < NR_READERS; i++) {
		vcpu_args_set(vcpus[i], 1, i);
		start(&r[i], vcpus[i], -1);
	}
	TEST_ASSERT(!pthread_create(&hog, NULL, takes_cpus, (void *)&end), "no thread");
	for (; done < nr_sums; done = sums_done(host_sums)) {
		if (done < nr_flips * SUMS_PER_FLIP) {
			usleep(2000);
			continue;
		}
		++*host_flips;
		set_scope("off");
		set_scope("vm");
		++*host_flips;
		nr_flips++;
	}
	tell(vm, &stop, true);
	end = true;
	pthread_join(hog, NULL);
	for (int i = 0; i < NR_READERS; i++) {
		volatile struct sums *s = &host_sums[i];

		pthread_join(r[i].thread, NULL);
		print_ledger("adds up", &r[i].states);
		ksft_print_msg("%" PRIu64 " sums right, %" PRIu64 " disturbed, %" PRIu64 " wrong\n",
			       s->right, s->disturbed, s->wrong);
		if (s->wrong)
			ksft_print_msg("%" PRIu64 " ns elapsed, %" PRIu64 " in states, %" PRIu64
				       " elapsed\n", s->before, s->sum, s->after);
		ok &= !s->wrong && s->right;
	}
	ksft_print_msg("%" PRIu64 " sums, off and on %" PRIu64 " times\n", done, nr_flips);
	return ok && nr_flips;
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	reasons = reasons_of(oracle_isa());
	other_cpu = sysconf(_SC_NPROCESSORS_ONLN) > 1;
	set_scope("vm");
	ksft_print_header();
	ksft_set_plan(8);
	RUN(the_vmm_takes_what_it_sleeps_for_an_exit);
	RUN(a_signal_is_no_exits);
	RUN(an_idle_guest_is_halted);
	RUN(vcpus_that_share_a_cpu_wait);
	RUN(a_page_that_is_not_there_is_slept_for);
	RUN(other_ioctls_move_nothing);
	RUN(vms_have_their_own_time);
	RUN(states_add_up_while_all_changes);
	ksft_finished();
}
