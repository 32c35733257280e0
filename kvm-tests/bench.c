// SPDX-License-Identifier: GPL-2.0-only
/*
 * What VM exits cost the guest, in TSC ticks per round trip.
 *
 * usage: bench [NAME...]
 *
 * Runs in the machine whose KVM is measured, which may lack exit accounting.
 * Prints one line for each kind of exit:
 *
 *	bench NAME TICKS
 *
 *	cpuid		CPUID leaf 1
 *	vmcall, vmmcall	a hypercall that does nothing, on VMX and SVM
 *	io		IN from a port that KVM serves
 *	msr_read	RDMSR that KVM serves
 *	msr_write	WRMSR that KVM serves
 *	msr_write_fast	WRMSR after which the fast path re-enters the guest, on VMX: the SVM
 *			that QEMU emulates does not say where the next instruction is
 *	ept_misconfig,	MMIO write that is an ioeventfd, on VMX and SVM
 *	npf
 *	user_space	OUT to a port of which user space is told, and KVM_RUN again
 *	hlt_wakeup	HLT that an interrupt ends, four exits: WRMSR to send the
 *			interrupt, HLT, the interrupt window, WRMSR to end the
 *			interrupt; and the guest's handler
 *	preempted	the same MMIO write, which wakes a more important thread on this CPU:
 *			it takes the CPU from the vCPU, and sleeps again
 *	total_N		CPUID leaf of the total, in a VM with N vCPUs
 *	reason_N	CPUID leaf of one reason, likewise
 *	pair_N		of exits and cycles for one reason
 *	which_N		of which reasons have occurred
 *	state_N		of a state of the ledger
 *	vmm_N		of user space's time for one reason
 *
 * Those with an N run only if the guest finds the leaves, in the scope that the host has
 * set.  CPUID is as the selftests' library sets it: all that KVM supports.
 *
 * A batch is a loop that runs the instruction TRIPS times between two RDTSC.  A guest
 * runs BATCHES of these, and as many without the instruction.  The figure is the
 * difference between the fastest of either, per trip.  The machine's timer interrupts
 * some batches, but they are short enough that it doesn't interrupt all.  Where a tick is
 * an emulated instruction, the fastest batches have no noise, and are the same each time.
 * The cost of a halt varies from trip to trip, so there a batch is one trip.  In one
 * process in five it differs by 39 instructions, so the figure is the median of several.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/kvm_para.h>

#include "compat.h"
#include "apic.h"

#include "isa.h"

#define TRIPS 100
#define BATCHES 100
#define PROCESSES 15

#define VECTOR 0x31
/* The PIC's mask register */
#define PORT 0x21
#define USER_PORT 0x80
/* Where a trip takes longer, there are fewer in a batch. */
#define LONG_TRIPS 10
#define DOORBELL_GPA 0xf0000000ULL
#define LVT_TIMER 0x320
#define LVT_TIMER_TSCDEADLINE (2 << 17)
/* KVM answers it with 0. */
#define HC_NOTHING KVM_HC_VAPIC_POLL_IRQ

struct kind {
	const char *name;
	/* Runs the loop with or without the exit, returns its ticks */
	uint32_t (*batch)(bool exits);
	/* Trips in a batch, if not TRIPS */
	uint64_t trips;
	/* The cost varies: PROCESSES run batches of one trip */
	bool varies;
	void (*prepare)(void);
	void (*setup)(struct kvm_vcpu *vcpu);
	unsigned int nr_vcpus;
	/* If not for each */
	enum isa isa;
	/* Needs the leaves */
	bool leaf;
};

/* Guest memory: trips of a batch, batches, and the ticks of the fastest ones */
static uint64_t nr_trips, nr_batches;
static uint32_t fastest[2];
static uint32_t cpuid_reason;

/* ---- guest code ---- */

static void guest_main(uint32_t (*batch)(bool exits), void (*prepare)(void))
{
	if (prepare)
		prepare();
	for (int exits = 0; exits < 2; exits++) {
		fastest[exits] = ~0u;
		for (int i = 0; i < nr_batches; i++) {
			uint32_t ticks = batch(exits);

			if (ticks < fastest[exits])
				fastest[exits] = ticks;
		}
	}
	GUEST_DONE();
}

#define LOOP(body, inputs...)						\
({									\
	uint64_t trips = nr_trips;					\
	uint32_t ticks;							\
	asm volatile("rdtsc\n\t" "mov %%eax, %%r8d\n"			\
		     "1:\n\t" body "\n\t" "dec %[trips]\n\tjnz 1b\n\t"	\
		     "rdtsc\n\t" "sub %%r8d, %%eax"			\
		     : "=&a"(ticks), [trips]"+r"(trips) : inputs	\
		     : "rbx", "rcx", "rdx", "r8", "memory", "cc");	\
	ticks;								\
})

/* Both loops load the registers, only one has the instruction. */
#define BATCH(name, load, insn, inputs...)				\
static uint32_t name(bool exits)					\
{									\
	return exits ? LOOP(load "\n\t" insn, inputs) : LOOP(load, inputs); \
}

#define NOTHING [nothing]"i"(0)
#define TO_MSR(nr, value)						\
	[msr]"i"(nr), [low]"r"((uint32_t)(value)), [high]"r"((uint32_t)((value) >> 32))
#define LOAD_MSR "mov %[msr], %%ecx\n\tmov %[low], %%eax\n\tmov %[high], %%edx"
#define SELF_IPI (uint64_t)(APIC_DEST_SELF | APIC_DM_FIXED | VECTOR)

static uint64_t pat, deadline;

BATCH(cpuid_1, "mov $1, %%eax\n\txor %%ecx, %%ecx", "cpuid", NOTHING)
BATCH(vmx_call, "mov %[nr], %%eax", "vmcall", [nr]"i"(HC_NOTHING))
BATCH(svm_call, "mov %[nr], %%eax", "vmmcall", [nr]"i"(HC_NOTHING))
BATCH(port_in, "mov %[port], %%edx", "inb %%dx, %%al", [port]"i"(PORT))
BATCH(msr_read, "mov %[msr], %%ecx", "rdmsr", [msr]"i"(MSR_IA32_APICBASE))
BATCH(msr_write, LOAD_MSR, "wrmsr", TO_MSR(MSR_IA32_CR_PAT, pat))
BATCH(tsc_deadline, LOAD_MSR, "wrmsr", TO_MSR(MSR_IA32_TSC_DEADLINE, deadline))
BATCH(doorbell, "", "movl %%eax, (%[gpa])", [gpa]"r"(DOORBELL_GPA))
BATCH(user_out, "mov %[port], %%edx", "outb %%al, %%dx", [port]"i"(USER_PORT))
BATCH(halt, "", "cli\n\t" LOAD_MSR "\n\twrmsr\n\tsti\n\thlt",
      TO_MSR(APIC_BASE_MSR + (APIC_ICR >> 4), SELF_IPI))

#define LEAF_BATCH(name, leaf, index)					\
	BATCH(name, "mov %[nr], %%eax\n\tmov %[ecx], %%ecx", "cpuid",	\
	      [nr]"i"(KVM_EXIT_STATS_LEAF_##leaf), [ecx]"r"(index))

LEAF_BATCH(total, EXITS, 0)
LEAF_BATCH(reason, REASON_EXITS, cpuid_reason)
LEAF_BATCH(pair, PAIR, cpuid_reason)
LEAF_BATCH(which, WHICH, 0)
LEAF_BATCH(state, LEDGER, KVM_EXIT_STATS_STATE_GUEST)
LEAF_BATCH(vmm, VMM, cpuid_reason)

static void take_interrupt(struct ex_regs *regs)
{
	x2apic_write_reg(APIC_EOI, 0);
}

static void prepare_pat(void) { pat = rdmsr(MSR_IA32_CR_PAT); }

static void prepare_timer(void)
{
	x2apic_enable();
	x2apic_write_reg(LVT_TIMER, LVT_TIMER_TSCDEADLINE | VECTOR);
	/* after the end of the test */
	deadline = rdtsc() + (1ull << 40);
}

static void guest_has_leaves(void)
{
	uint32_t a, b, c, d;

	__cpuid(KVM_EXIT_STATS_LEAF_SIGNATURE, 0, &a, &b, &c, &d);
	GUEST_SYNC(b == KVM_EXIT_STATS_SIGNATURE_EBX && c == KVM_EXIT_STATS_SIGNATURE_ECX &&
		   d == KVM_EXIT_STATS_SIGNATURE_EDX);
}

/* ---- the host's side ---- */

static void setup_interrupts(struct kvm_vcpu *vcpu)
{
	vcpu_set_cpuid_feature(vcpu, X86_FEATURE_TSC_DEADLINE_TIMER);
	compat_init_exceptions(vcpu);
	vm_install_exception_handler(vcpu->vm, VECTOR, take_interrupt);
}

static void ring_by(struct kvm_vcpu *vcpu, int fd)
{
	struct kvm_ioeventfd doorbell = { .addr = DOORBELL_GPA, .fd = fd };

	TEST_ASSERT(doorbell.fd >= 0, "no eventfd");
	vm_ioctl(vcpu->vm, KVM_IOEVENTFD, &doorbell);
	virt_pg_map(vcpu->vm, DOORBELL_GPA, DOORBELL_GPA);
}

static void setup_doorbell(struct kvm_vcpu *vcpu)
{
	ring_by(vcpu, eventfd(0, 0));
}

static void *is_woken(void *fd)
{
	uint64_t rings;

	while (read((intptr_t)fd, &rings, sizeof(rings)) == sizeof(rings))
		;
	return NULL;
}

static void setup_preemption(struct kvm_vcpu *vcpu)
{
	const struct sched_param first = { .sched_priority = 1 };
	intptr_t fd = eventfd(0, 0);
	pthread_attr_t attr;
	pthread_t thread;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &first);
	/* It gets the CPU at once, and waits. */
	TEST_ASSERT(!sched_setaffinity(0, sizeof(set), &set) &&
		    !pthread_create(&thread, &attr, is_woken, (void *)fd), "no thread on CPU 0");
	ring_by(vcpu, fd);
}

#define LEAF_OF(n, what)							\
	{ #what "_" #n, what, .trips = LONG_TRIPS, .leaf = true, .nr_vcpus = n }
#define LEAF(what) LEAF_OF(1, what), LEAF_OF(2, what), LEAF_OF(4, what)

static const struct kind kinds[] = {
	{ "cpuid", cpuid_1 },
	{ "vmcall", vmx_call, .isa = VMX },
	{ "vmmcall", svm_call, .isa = SVM },
	{ "io", port_in },
	{ "msr_read", msr_read },
	{ "msr_write", msr_write, .prepare = prepare_pat },
	{ "msr_write_fast", tsc_deadline, .isa = VMX, .prepare = prepare_timer,
	  .setup = setup_interrupts },
	{ "ept_misconfig", doorbell, .isa = VMX, .setup = setup_doorbell },
	{ "npf", doorbell, .isa = SVM, .setup = setup_doorbell },
	{ "user_space", user_out, .trips = LONG_TRIPS },
	{ "hlt_wakeup", halt, .varies = true, .prepare = x2apic_enable, .setup = setup_interrupts },
	{ "preempted", doorbell, .trips = LONG_TRIPS, .setup = setup_preemption },
	LEAF(total),
	LEAF(reason),
	LEAF(pair),
	LEAF(which),
	LEAF(state),
	LEAF(vmm),
};

static bool has_leaves(void)
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm = vm_create_with_one_vcpu(&vcpu, guest_has_leaves);
	struct ucall uc;

	vcpu_set_cpuid_feature(vcpu, X86_FEATURE_HYPERVISOR);
	vcpu_run(vcpu);
	TEST_ASSERT(get_ucall(vcpu, &uc) == UCALL_SYNC,
		    "the guest that looks for the leaves failed");
	kvm_vm_free(vm);
	return uc.args[1];
}

static double run_once(const struct kind *kind)
{
	struct kvm_vcpu *vcpus[4];
	struct kvm_vm *vm = vm_create_with_vcpus(kind->nr_vcpus ?: 1, guest_main, vcpus);
	struct ucall uc;

	vcpu_set_cpuid_feature(vcpus[0], X86_FEATURE_HYPERVISOR);
	if (kind->setup)
		kind->setup(vcpus[0]);
	nr_trips = kind->varies ? 1 : kind->trips ?: TRIPS;
	nr_batches = kind->varies ? 3 * BATCHES : BATCHES;
	sync_global_to_guest(vm, nr_trips);
	sync_global_to_guest(vm, nr_batches);
	sync_global_to_guest(vm, cpuid_reason);
	vcpu_args_set(vcpus[0], 2, kind->batch, kind->prepare);
	do
		vcpu_run(vcpus[0]);
	while (vcpus[0]->run->exit_reason == KVM_EXIT_IO && vcpus[0]->run->io.port == USER_PORT);
	TEST_ASSERT(get_ucall(vcpus[0], &uc) == UCALL_DONE, "%s: exit reason %u (%s)", kind->name,
		    vcpus[0]->run->exit_reason, exit_reason_str(vcpus[0]->run->exit_reason));
	sync_global_from_guest(vm, fastest);
	kvm_vm_free(vm);
	return (double)(fastest[1] - fastest[0]) / nr_trips;
}

static int compare(const void *a, const void *b)
{
	return *(const double *)a < *(const double *)b ? -1 :
	       *(const double *)a > *(const double *)b;
}

static double median(const struct kind *kind)
{
	double *figures = mmap(NULL, PROCESSES * sizeof(*figures), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;

	TEST_ASSERT(figures != MAP_FAILED, "no memory to share");
	for (int i = 0; i < PROCESSES; i++) {
		if (!fork()) {
			figures[i] = run_once(kind);
			_exit(0);
		}
		TEST_ASSERT(wait(&status) > 0 && !status, "%s: a process failed", kind->name);
	}
	qsort(figures, PROCESSES, sizeof(*figures), compare);
	return figures[PROCESSES / 2];
}

static void run(const struct kind *kind)
{
	printf("bench %s %.2f\n", kind->name, kind->varies ? median(kind) : run_once(kind));
}

static bool wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], name))
			return true;
	}
	return argc == 1;
}

int main(int argc, char **argv)
{
	enum isa isa = this_cpu_has(X86_FEATURE_SVM) ? SVM : VMX;
	bool leaves = has_leaves();

	cpuid_reason = reasons_of(isa)->cpuid;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if ((!kinds[i].isa || kinds[i].isa == isa) &&
		    (leaves || !kinds[i].leaf) && wanted(kinds[i].name, argc, argv))
			run(&kinds[i]);
	}
	return 0;
}
