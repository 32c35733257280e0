// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test that a guest can read the statistics of its VM exits through CPUID, and
 * that it sees only those that it is supposed to see.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <asm/kvm_exit_stats.h>
#include <asm/svm.h>
#include <asm/vmx.h>

#include "kselftest.h"
#include "kvm_util.h"
#include "processor.h"
#include "test_util.h"

#define PARAM "/sys/module/kvm/parameters/exit_stats"
#define PARAM_FOLD PARAM "_fold"
#define PARAM_HISTOGRAM PARAM "_histogram"

#define NR_EXITS 1000
#define NR_SUMS 100
#define SLEEP_US 20000

#define FIRST_LEAF	KVM_EXIT_STATS_LEAF_HISTOGRAM
#define LAST_LEAF	KVM_EXIT_STATS_LEAF_REASON_CYCLES
#define NR_LEAVES	(LAST_LEAF - FIRST_LEAF + 1)
#define NR_FURTHER	(KVM_EXIT_STATS_LEAF_SIGNATURE - FIRST_LEAF)

/* All reasons up to 255, and those above that may be defined */
#define NR_REASONS	261

#define NR_BUCKETS	KVM_EXIT_STATS_NR_BUCKETS
#define NR_GROUPS	(NR_BUCKETS / KVM_EXIT_STATS_BUCKETS_PER_GROUP)

struct regs {
	u32 eax, ebx, ecx, edx;
};

/* The CPUID that the guest executes, how often, and the last answer */
static struct {
	u32 function;
	u32 index;
	u32 count;
	struct regs answer;
} query;

/* The exit reasons that the test causes, one that it doesn't, and an undefined one */
static const struct isa {
	u32 id, cpuid, io, unused, undefined;
} vmx = {
	KVM_EXIT_STATS_ISA_VMX, EXIT_REASON_CPUID, EXIT_REASON_IO_INSTRUCTION,
	EXIT_REASON_INVD, 35,
}, svm = {
	KVM_EXIT_STATS_ISA_SVM, SVM_EXIT_CPUID, SVM_EXIT_IOIO,
	SVM_EXIT_INVD, 0xa8,
}, *isa = &vmx;

/* What the host's parameter says, and the scope that VMs have at most */
static char policy[16];
static u32 max_scope;
/* The host folds reasons into the total, or counts in buckets in any case. */
static bool fold, always_histogram;

static void guest_code(void)
{
	u32 i;

	for (;;) {
		for (i = 0; i < query.count; i++)
			__cpuid(query.function, query.index,
				&query.answer.eax, &query.answer.ebx,
				&query.answer.ecx, &query.answer.edx);
		GUEST_SYNC(0);
	}
}

/* What guest_io() has read since its last ucall: of itself, and of all */
static struct {
	struct regs pair, longest, again, all, buckets[NR_GROUPS];
} last_io;

static void read_leaf(u32 function, u32 index, struct regs *regs)
{
	__cpuid(function, index, &regs->eax, &regs->ebx, &regs->ecx, &regs->edx);
}

static void guest_io(void)
{
	u32 group;

	for (;;) {
		GUEST_SYNC(0);
		read_leaf(KVM_EXIT_STATS_LEAF_PAIR - KVM_EXIT_STATS_VCPU_OFFSET,
			  query.index, &last_io.pair);
		read_leaf(KVM_EXIT_STATS_LEAF_LONGEST - KVM_EXIT_STATS_VCPU_OFFSET,
			  query.index, &last_io.longest);
		read_leaf(KVM_EXIT_STATS_LEAF_LONGEST - KVM_EXIT_STATS_VCPU_OFFSET,
			  query.index, &last_io.again);
		read_leaf(KVM_EXIT_STATS_LEAF_LONGEST, query.index, &last_io.all);
		for (group = 0; group < NR_GROUPS; group++)
			read_leaf(KVM_EXIT_STATS_LEAF_HISTOGRAM -
				  KVM_EXIT_STATS_VCPU_OFFSET,
				  group << KVM_EXIT_STATS_GROUP_SHIFT | query.index,
				  &last_io.buckets[group]);
	}
}

/* Take @us before KVM is asked to complete the exit, as get_ucall() does. */
static struct regs ask_slowly(struct kvm_vcpu *vcpu, u32 function, u32 index,
			      u32 count, u32 us)
{
	struct ucall uc;
	int r;

	query.function = function;
	query.index = index;
	query.count = count;
	sync_global_to_guest(vcpu->vm, query);

	r = __vcpu_run(vcpu);
	TEST_ASSERT(!r, KVM_IOCTL_ERROR(KVM_RUN, r));
	if (us)
		usleep(us);
	get_ucall(vcpu, &uc);
	TEST_ASSERT(uc.cmd == UCALL_SYNC, "Unexpected ucall %lu, exit reason %s",
		    uc.cmd, exit_reason_str(vcpu->run->exit_reason));

	sync_global_from_guest(vcpu->vm, query);
	return query.answer;
}

static struct regs ask_repeatedly(struct kvm_vcpu *vcpu, u32 function,
				  u32 index, u32 count)
{
	return ask_slowly(vcpu, function, index, count, 0);
}

static struct regs ask(struct kvm_vcpu *vcpu, u32 function, u32 index)
{
	return ask_repeatedly(vcpu, function, index, 1);
}

static void assert_regs(struct regs regs, u32 eax, u32 ebx, u32 ecx, u32 edx,
			const char *what, u32 index)
{
	TEST_ASSERT(regs.eax == eax && regs.ebx == ebx &&
		    regs.ecx == ecx && regs.edx == edx,
		    "%s of %#x: wanted %x %x %x %x, got %x %x %x %x",
		    what, index, eax, ebx, ecx, edx,
		    regs.eax, regs.ebx, regs.ecx, regs.edx);
}

static u64 exits_value(struct regs regs)
{
	TEST_ASSERT(!regs.ecx && !regs.edx, "Exits are in EBX:EAX alone");
	return (u64)regs.ebx << 32 | regs.eax;
}

static u64 cycles_value(struct regs regs)
{
	TEST_ASSERT(!regs.eax && !regs.edx, "Cycles are in EBX:ECX alone");
	return (u64)regs.ebx << 32 | regs.ecx;
}

static u64 low_pair(struct regs regs)
{
	return (u64)regs.ebx << 32 | regs.eax;
}

static u64 high_pair(struct regs regs)
{
	return (u64)regs.edx << 32 | regs.ecx;
}

static u64 reason_exits(struct kvm_vcpu *vcpu, u32 reason)
{
	return exits_value(ask(vcpu, KVM_EXIT_STATS_LEAF_REASON_EXITS, reason));
}

static u64 reason_cycles(struct kvm_vcpu *vcpu, u32 reason)
{
	return cycles_value(ask(vcpu, KVM_EXIT_STATS_LEAF_REASON_CYCLES, reason));
}

/* Totals ignore the index, so pass garbage. */
static u64 total_exits(struct kvm_vcpu *vcpu)
{
	return exits_value(ask(vcpu, KVM_EXIT_STATS_LEAF_EXITS, 0xdeadbeef));
}

static u64 total_cycles(struct kvm_vcpu *vcpu)
{
	return cycles_value(ask(vcpu, KVM_EXIT_STATS_LEAF_CYCLES, 0xdeadbeef));
}

static bool is_undefined_by_vmx(u32 reason)
{
	switch (reason) {
	case EXIT_REASON_EXCEPTION_NMI:
	case EXIT_REASON_EXTERNAL_INTERRUPT:
	case EXIT_REASON_INIT_SIGNAL:
	case 5:
	case 6:
	case EXIT_REASON_MCE_DURING_VMENTRY:
	case EXIT_REASON_PML_FULL:
		return fold;
	case 35:
	case 38:
	case 42:
	case 71:
	case 82:
	case 83:
		return true;
	default:
		return reason > 85;
	}
}

static bool is_undefined_by_svm(u32 reason)
{
	switch (reason) {
	case SVM_EXIT_EXCP_BASE + MC_VECTOR:
	case SVM_EXIT_INTR:
	case SVM_EXIT_NMI:
	case SVM_EXIT_SMI:
	case SVM_EXIT_INIT:
		return fold;
	case SVM_EXIT_NPF ... SVM_EXIT_VMGEXIT:
	case (u32)SVM_EXIT_ERR:
		return false;
	default:
		return reason > 0xa7;
	}
}

/* If the host folds reasons, those that it may cause are not told, either. */
static bool is_undefined(u32 reason)
{
	return isa->id == KVM_EXIT_STATS_ISA_SVM ? is_undefined_by_svm(reason) :
						   is_undefined_by_vmx(reason);
}

static u32 nth_reason(u32 n)
{
	if (n < 256)
		return n;
	if (n < 260)
		return SVM_EXIT_NPF + n - 256;
	return (u32)SVM_EXIT_ERR;
}

static void read_parameter(const char *path, char *value, size_t size)
{
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY);
	TEST_ASSERT(fd >= 0, "Failed to open %s", path);
	n = read(fd, value, size - 1);
	TEST_ASSERT(n > 0 && value[n - 1] == '\n', "Failed to read %s", path);
	value[n - 1] = '\0';
	close(fd);
}

static void read_parameters(void)
{
	char value[4];

	read_parameter(PARAM_FOLD, value, sizeof(value));
	fold = value[0] == 'Y';
	read_parameter(PARAM_HISTOGRAM, value, sizeof(value));
	always_histogram = value[0] == 'Y';
	read_parameter(PARAM, policy, sizeof(policy));
	max_scope = !strcmp(policy, "off") ? KVM_EXIT_STATS_SCOPE_OFF :
		    !strcmp(policy, "host") ? KVM_EXIT_STATS_SCOPE_HOST :
					      KVM_EXIT_STATS_SCOPE_VM;
}

static struct kvm_vcpu *add_vcpu(struct kvm_vm *vm, u32 id, void *code)
{
	struct kvm_vcpu *vcpu = vm_vcpu_add(vm, id, code);

	/* Older kernels leave it to user space to say that. */
	vcpu_set_cpuid_feature(vcpu, X86_FEATURE_HYPERVISOR);
	return vcpu;
}

/* A VM whose guest runs @code, and is served @scope */
static struct kvm_vm *create_vm_of(struct kvm_vcpu **vcpu, u32 scope, void *code)
{
	struct kvm_vm *vm = vm_create(1);

	vm_enable_cap(vm, KVM_CAP_X86_EXIT_STATS, scope);
	*vcpu = add_vcpu(vm, 0, code);
	return vm;
}

static struct kvm_vm *create_vm(struct kvm_vcpu **vcpu, u32 scope)
{
	return create_vm_of(vcpu, scope, guest_code);
}

static void assert_signature(struct kvm_vcpu *vcpu, u32 scope)
{
	u32 index;

	for (index = 0; index < 2; index++)
		assert_regs(ask(vcpu, KVM_EXIT_STATS_LEAF_SIGNATURE - index *
				      KVM_EXIT_STATS_VCPU_OFFSET, index),
			    KVM_EXIT_STATS_VERSION |
			    isa->id << KVM_EXIT_STATS_ISA_SHIFT |
			    scope << KVM_EXIT_STATS_SCOPE_SHIFT |
			    NR_FURTHER << KVM_EXIT_STATS_FURTHER_SHIFT |
			    KVM_EXIT_STATS_THIS_VCPU,
			    KVM_EXIT_STATS_SIGNATURE_EBX,
			    KVM_EXIT_STATS_SIGNATURE_ECX,
			    KVM_EXIT_STATS_SIGNATURE_EDX, "Signature", index);
}

static void test_signature(u32 scope)
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	vm = create_vm(&vcpu, scope);
	assert_signature(vcpu, scope);
	kvm_vm_free(vm);
}

static void test_reason(struct kvm_vcpu *vcpu, u32 reason)
{
	struct regs exits = ask(vcpu, KVM_EXIT_STATS_LEAF_REASON_EXITS, reason);
	struct regs cycles = ask(vcpu, KVM_EXIT_STATS_LEAF_REASON_CYCLES, reason);

	if (is_undefined(reason)) {
		assert_regs(exits, 0, 0, 0, KVM_EXIT_STATS_UNDEFINED, "Exits", reason);
		assert_regs(cycles, 0, 0, 0, KVM_EXIT_STATS_UNDEFINED, "Cycles", reason);
	} else {
		exits_value(exits);
		cycles_value(cycles);
	}
}

/* KVM must compare all 32 bits, although an exit reason has fewer. */
static void test_undefined_reasons(u32 scope)
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	u32 reason;
	int bit;

	vm = create_vm(&vcpu, scope);
	for (reason = 0; reason < NR_REASONS; reason++)
		test_reason(vcpu, nth_reason(reason));
	for (bit = 8; bit < 32; bit++) {
		test_reason(vcpu, BIT(bit));
		test_reason(vcpu, BIT(bit) | isa->cpuid);
		test_reason(vcpu, -BIT(bit));
	}

	/* A reason that is defined, but has not occurred, reads as zeros. */
	if (scope == KVM_EXIT_STATS_SCOPE_VM) {
		assert_regs(ask(vcpu, KVM_EXIT_STATS_LEAF_REASON_EXITS,
				isa->unused), 0, 0, 0, 0, "Exits",
			    isa->unused);
		assert_regs(ask(vcpu, KVM_EXIT_STATS_LEAF_REASON_CYCLES,
				isa->unused), 0, 0, 0, 0, "Cycles",
			    isa->unused);
	}
	kvm_vm_free(vm);
}

/* SVM's codes from 0x400 on have counters of their own. */
static void test_high_reasons(void)
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	char npt[4];
	u64 npfs;

	read_parameter("/sys/module/kvm_amd/parameters/npt", npt, sizeof(npt));

	vm = create_vm(&vcpu, KVM_EXIT_STATS_SCOPE_VM);
	npfs = reason_exits(vcpu, SVM_EXIT_NPF);
	TEST_ASSERT(!npfs == (npt[0] == 'N'), "%lu NPFs, npt=%s", npfs, npt);
	assert_regs(ask(vcpu, KVM_EXIT_STATS_LEAF_REASON_EXITS,
			SVM_EXIT_VMGEXIT), 0, 0, 0, 0, "Exits",
		    SVM_EXIT_VMGEXIT);
	kvm_vm_free(vm);
}

/* PAIR tells what the leaves for exits and for cycles tell, and reads between. */
static void test_pairs(u32 scope)
{
	u64 exits, cycles, exits_after, cycles_after;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	struct regs pair;
	u32 n, reason;

	vm = create_vm(&vcpu, scope);
	for (n = 0; n < NR_REASONS; n++) {
		reason = nth_reason(n);
		if (is_undefined(reason)) {
			assert_regs(ask(vcpu, KVM_EXIT_STATS_LEAF_PAIR, reason),
				    0, 0, 0, KVM_EXIT_STATS_UNDEFINED, "Pair", reason);
			continue;
		}

		exits = reason_exits(vcpu, reason);
		cycles = reason_cycles(vcpu, reason);
		pair = ask(vcpu, KVM_EXIT_STATS_LEAF_PAIR, reason);
		exits_after = reason_exits(vcpu, reason);
		cycles_after = reason_cycles(vcpu, reason);

		TEST_ASSERT(exits <= ((u64)pair.ebx << 32 | pair.eax) &&
			    exits_after >= ((u64)pair.ebx << 32 | pair.eax),
			    "Exits for %#x: %lu, pair %x:%x, %lu", reason, exits,
			    pair.ebx, pair.eax, exits_after);
		TEST_ASSERT(cycles <= ((u64)pair.edx << 32 | pair.ecx) &&
			    cycles_after >= ((u64)pair.edx << 32 | pair.ecx),
			    "Cycles for %#x: %lu, pair %x:%x, %lu", reason, cycles,
			    pair.edx, pair.ecx, cycles_after);
	}
	kvm_vm_free(vm);
}

static bool has_occurred(struct kvm_vcpu *vcpu, u32 reason, u32 *next)
{
	struct regs which = ask(vcpu, KVM_EXIT_STATS_LEAF_WHICH, reason);
	u32 bits[] = { which.eax, which.ebx, which.ecx };
	u32 i = reason % KVM_EXIT_STATS_WHICH_REASONS;

	*next = which.edx;
	return bits[i / 32] & BIT(i % 32);
}

/* WHICH has the reasons that have exits, and leads from one to the next. */
static void test_which(u32 scope)
{
	u32 n, reason, group, next, last = 0;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	bool before;

	vm = create_vm(&vcpu, scope);
	reason_exits(vcpu, isa->cpuid);
	for (n = 0; n < NR_REASONS; n++) {
		reason = nth_reason(n);
		group = reason - reason % KVM_EXIT_STATS_WHICH_REASONS;
		before = has_occurred(vcpu, reason, &next);
		TEST_ASSERT(next == KVM_EXIT_STATS_UNDEFINED ||
			    (next > group && !(next % KVM_EXIT_STATS_WHICH_REASONS)),
			    "After %#x comes %#x", reason, next);
		if (is_undefined(reason)) {
			TEST_ASSERT(!before, "Reason %#x has occurred", reason);
			continue;
		}

		TEST_ASSERT(!before || reason_exits(vcpu, reason),
			    "Reason %#x has occurred, without exits", reason);
		TEST_ASSERT(!reason_exits(vcpu, reason) ||
			    has_occurred(vcpu, reason, &next),
			    "Reason %#x has exits, and has not occurred", reason);
	}

	/* CPUID and I/O have occurred, so the chain leads to their groups. */
	group = isa->io - isa->io % KVM_EXIT_STATS_WHICH_REASONS;
	for (next = 0; next < group; last = next)
		has_occurred(vcpu, last, &next);
	TEST_ASSERT(next == group, "%#x is not led to, but %#x", group, next);
	kvm_vm_free(vm);
}

/* The leaves of this vCPU have its exits alone, in each scope. */
static void test_this_vcpu(u32 scope)
{
	struct kvm_vcpu *vcpu, *sibling;
	u64 own, sum;
	struct kvm_vm *vm;

	vm = create_vm(&vcpu, scope);
	sibling = vm_vcpu_add(vm, 1, guest_code);

	ask_repeatedly(sibling, 0, 0, NR_EXITS);
	own = exits_value(ask(vcpu, KVM_EXIT_STATS_LEAF_REASON_EXITS -
				    KVM_EXIT_STATS_VCPU_OFFSET, isa->cpuid));
	sum = reason_exits(vcpu, isa->cpuid);
	TEST_ASSERT(own == 1, "%lu exits, after 1 of this vCPU", own);
	TEST_ASSERT(sum >= NR_EXITS + 2, "%lu exits of all vCPUs", sum);

	ask_repeatedly(vcpu, 0, 0, NR_EXITS);
	own = exits_value(ask(vcpu, KVM_EXIT_STATS_LEAF_REASON_EXITS -
				    KVM_EXIT_STATS_VCPU_OFFSET, isa->cpuid));
	TEST_ASSERT(own == NR_EXITS + 3, "%lu exits, after %u of this vCPU",
		    own, NR_EXITS + 3);
	kvm_vm_free(vm);
}

static u64 state_ns(struct kvm_vcpu *vcpu, u32 state)
{
	return exits_value(ask(vcpu, KVM_EXIT_STATS_LEAF_LEDGER -
				     KVM_EXIT_STATS_VCPU_OFFSET, state));
}

/* The states add up, and what user space takes is in its state, no other ioctl. */
static void test_ledger(u32 scope)
{
	u64 begin, sum, end, vmm, others;
	struct kvm_vcpu *vcpu;
	struct kvm_regs regs;
	struct kvm_vm *vm;
	u32 state, n;

	vm = create_vm(&vcpu, scope);
	for (n = 0; n < NR_SUMS; n++) {
		begin = state_ns(vcpu, KVM_EXIT_STATS_STATE_ELAPSED);
		sum = 0;
		for (state = 1; state < KVM_EXIT_STATS_NR_STATES; state++)
			sum += state_ns(vcpu, state);
		end = state_ns(vcpu, KVM_EXIT_STATS_STATE_ELAPSED);
		TEST_ASSERT(begin <= sum && sum <= end,
			    "%lu ns elapsed before, %lu in states, %lu after",
			    begin, sum, end);
	}

	for (state = KVM_EXIT_STATS_NR_STATES; state; state <<= 1)
		assert_regs(ask(vcpu, KVM_EXIT_STATS_LEAF_LEDGER, state), 0, 0, 0,
			    KVM_EXIT_STATS_UNDEFINED, "Ledger", state);

	others = state_ns(vcpu, KVM_EXIT_STATS_STATE_HALTED) +
		 state_ns(vcpu, KVM_EXIT_STATS_STATE_ASLEEP);
	vmm = state_ns(vcpu, KVM_EXIT_STATS_STATE_VMM);
	usleep(SLEEP_US);
	for (n = 0; n < NR_EXITS; n++)
		vcpu_regs_get(vcpu, &regs);
	vmm = state_ns(vcpu, KVM_EXIT_STATS_STATE_VMM) - vmm;
	TEST_ASSERT(vmm >= SLEEP_US * 1000, "%lu ns in user space", vmm);
	others = state_ns(vcpu, KVM_EXIT_STATS_STATE_HALTED) +
		 state_ns(vcpu, KVM_EXIT_STATS_STATE_ASLEEP) - others;
	/* What KVM_RUN needs may be slept for now and then. */
	TEST_ASSERT(others < SLEEP_US * 1000, "%lu ns halted or asleep", others);
	kvm_vm_free(vm);
}

/* The OUT that ends each run is an exit that asks user space. */
static void test_vmm(u32 scope)
{
	struct regs before, after;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	u32 n, reason;
	u64 ns;

	vm = create_vm(&vcpu, scope);
	ask(vcpu, 0, 0);
	before = ask(vcpu, KVM_EXIT_STATS_LEAF_VMM - KVM_EXIT_STATS_VCPU_OFFSET,
		     isa->io);
	ask_slowly(vcpu, 0, 0, 1, SLEEP_US);
	after = ask(vcpu, KVM_EXIT_STATS_LEAF_VMM - KVM_EXIT_STATS_VCPU_OFFSET,
		    isa->io);
	TEST_ASSERT(before.eax == 1 && after.eax == 3 && !after.ebx,
		    "%u returns, then %u", before.eax, after.eax);
	ns = ((u64)after.edx << 32 | after.ecx) -
	     ((u64)before.edx << 32 | before.ecx);
	TEST_ASSERT(ns >= SLEEP_US * 1000, "%lu ns in user space", ns);

	for (n = 0; n < NR_REASONS; n++) {
		reason = nth_reason(n);
		if (reason == isa->io)
			continue;
		assert_regs(ask(vcpu, KVM_EXIT_STATS_LEAF_VMM -
				      KVM_EXIT_STATS_VCPU_OFFSET, reason), 0, 0, 0,
			    is_undefined(reason) ? KVM_EXIT_STATS_UNDEFINED : 0,
			    "VMM", reason);
	}
	kvm_vm_free(vm);
}

/* Make the guest read of all ucalls so far, then do another one. */
static void run_io(struct kvm_vcpu *vcpu, u32 us)
{
	vcpu_run(vcpu);
	usleep(us);
	TEST_ASSERT(get_ucall(vcpu, NULL) == UCALL_SYNC, "Unexpected exit reason %s",
		    exit_reason_str(vcpu->run->exit_reason));
	sync_global_from_guest(vcpu->vm, last_io);
}

/*
 * Between two reads there is a single ucall, so its cycles are what the sum has more, and
 * the recent maximum, as long as the guest's TSC is not scaled.
 */
static void test_longest(u32 scope)
{
	u64 cycles = 0, longest = 0, recent;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	u32 n, reason;

	vm = create_vm_of(&vcpu, scope, guest_io);
	query.index = isa->io;
	sync_global_to_guest(vm, query);
	run_io(vcpu, SLEEP_US);
	for (n = 1; n <= NR_SUMS; n++) {
		run_io(vcpu, n % 10 ? 0 : SLEEP_US);
		recent = high_pair(last_io.pair) - cycles;
		cycles = high_pair(last_io.pair);
		longest = max(longest, recent);
		TEST_ASSERT(low_pair(last_io.pair) == n, "%lu exits after %u",
			    low_pair(last_io.pair), n);
		TEST_ASSERT(recent && high_pair(last_io.longest) == recent,
			    "Exit %u took %lu cycles, the longest since the last read %lu",
			    n, recent, high_pair(last_io.longest));
		TEST_ASSERT(low_pair(last_io.longest) == longest,
			    "Exit %u took %lu cycles, the longest so far %lu, expected %lu",
			    n, recent, low_pair(last_io.longest), longest);
		assert_regs(last_io.again, longest, longest >> 32, 0, 0, "Again", isa->io);
		if (scope == KVM_EXIT_STATS_SCOPE_VM)
			assert_regs(last_io.all, longest, longest >> 32, 0, 0, "The VM's",
				    isa->io);
		else
			assert_regs(last_io.all, 0, 0, 0, KVM_EXIT_STATS_UNDEFINED,
				    "The host's", isa->io);
	}
	kvm_vm_free(vm);

	vm = create_vm(&vcpu, scope);
	for (n = 0; n < NR_REASONS; n++) {
		reason = nth_reason(n);
		if (is_undefined(reason))
			assert_regs(ask(vcpu, KVM_EXIT_STATS_LEAF_LONGEST, reason),
				    0, 0, 0, KVM_EXIT_STATS_UNDEFINED, "Longest",
				    reason);
	}
	kvm_vm_free(vm);
}

static u32 bucket_of(u64 cycles)
{
	u32 i = 63 - __builtin_clzll(cycles | 1);

	return min(i, NR_BUCKETS - 1u);
}

/* Each ucall is in the bucket of its cycles, to which it may have moved when it was completed. */
static void test_buckets(u32 scope)
{
	u32 expected[NR_BUCKETS] = {}, found[NR_BUCKETS];
	struct kvm_vcpu *vcpu;
	u64 cycles = 0;
	struct kvm_vm *vm;
	u32 n, i;

	vm = create_vm_of(&vcpu, scope | KVM_EXIT_STATS_CAP_HISTOGRAM, guest_io);
	query.index = isa->io;
	sync_global_to_guest(vm, query);
	run_io(vcpu, SLEEP_US);
	for (n = 1; n <= NR_SUMS; n++) {
		run_io(vcpu, n % 10 ? 0 : SLEEP_US);
		expected[bucket_of(high_pair(last_io.pair) - cycles)]++;
		cycles = high_pair(last_io.pair);
		memcpy(found, last_io.buckets, sizeof(found));
		for (i = 0; i < NR_BUCKETS; i++)
			TEST_ASSERT(found[i] == expected[i],
				    "After exit %u, %u are in bucket %u, expected %u",
				    n, found[i], i, expected[i]);
	}
	kvm_vm_free(vm);
}

static u64 sum_of_buckets(struct kvm_vcpu *vcpu, u32 reason)
{
	u64 sum = 0;
	u32 group;

	for (group = 0; group < NR_GROUPS; group++) {
		struct regs r = ask(vcpu, KVM_EXIT_STATS_LEAF_HISTOGRAM,
				    group << KVM_EXIT_STATS_GROUP_SHIFT | reason);

		sum += (u64)r.eax + r.ebx + r.ecx + r.edx;
	}

	return sum;
}

static void assert_no_buckets(struct kvm_vcpu *vcpu, u32 index)
{
	assert_regs(ask(vcpu, KVM_EXIT_STATS_LEAF_HISTOGRAM, index), 0, 0, 0,
		    KVM_EXIT_STATS_UNDEFINED, "Buckets", index);
}

/* All exits of all vCPUs are in the VM's buckets, and those of no other VM. */
static void test_histogram(void)
{
	struct kvm_vcpu *vcpu, *sibling;
	u32 n, reason, group;
	struct kvm_vm *vm;
	u64 exits, sum;

	vm = create_vm(&vcpu, KVM_EXIT_STATS_SCOPE_VM | KVM_EXIT_STATS_CAP_HISTOGRAM);
	sibling = add_vcpu(vm, 1, guest_code);
	ask_repeatedly(vcpu, 0, 0, NR_EXITS);
	ask_repeatedly(sibling, 0, 0, NR_EXITS);

	/* The last two ucalls were I/O; the one before the last read is completed in it. */
	exits = reason_exits(vcpu, isa->cpuid);
	sum = sum_of_buckets(sibling, isa->cpuid);
	TEST_ASSERT(sum >= exits && sum <= exits + NR_GROUPS,
		    "%lu exits are in buckets, of %lu", sum, exits);

	for (n = 0; n < NR_REASONS; n++) {
		reason = nth_reason(n) & KVM_EXIT_STATS_REASON_MASK;
		for (group = 0; group < NR_GROUPS; group++) {
			if (is_undefined(nth_reason(n)))
				assert_no_buckets(vcpu, group << KVM_EXIT_STATS_GROUP_SHIFT |
							reason);
		}
		if (is_undefined(nth_reason(n)) || nth_reason(n) == isa->cpuid ||
		    nth_reason(n) == isa->io)
			continue;
		exits = reason_exits(vcpu, nth_reason(n));
		sum = sum_of_buckets(vcpu, reason);
		TEST_ASSERT(sum >= exits && reason_exits(vcpu, nth_reason(n)) >= sum,
			    "%lu exits for %#x are in buckets, of %lu", sum, reason, exits);
	}
	for (group = NR_GROUPS; group < 256; group++)
		assert_no_buckets(vcpu, group << KVM_EXIT_STATS_GROUP_SHIFT | isa->cpuid);
	for (n = 1 << 16; n < 1 << 24; n <<= 1)
		assert_no_buckets(vcpu, n | isa->cpuid);
	kvm_vm_free(vm);

	if (always_histogram)
		return;
	vm = create_vm(&vcpu, KVM_EXIT_STATS_SCOPE_VM);
	for (group = 0; group < NR_GROUPS; group++)
		assert_no_buckets(vcpu, group << KVM_EXIT_STATS_GROUP_SHIFT | isa->cpuid);
	kvm_vm_free(vm);
}

/* The VM's longest exit is the longest one of its vCPUs. */
static void test_longest_of_vcpus(void)
{
	struct kvm_vcpu *vcpu, *sibling;
	u64 longest, recent;
	struct kvm_vm *vm;
	struct regs all;

	vm = create_vm(&vcpu, KVM_EXIT_STATS_SCOPE_VM);
	sibling = add_vcpu(vm, 1, guest_code);
	ask_repeatedly(vcpu, 0, 0, NR_EXITS);
	ask_repeatedly(sibling, 0, 0, NR_EXITS);

	/* This one's is taken, and to read it is an exit that is not counted yet. */
	longest = low_pair(ask(vcpu, KVM_EXIT_STATS_LEAF_LONGEST -
				     KVM_EXIT_STATS_VCPU_OFFSET, isa->cpuid));
	all = ask(sibling, KVM_EXIT_STATS_LEAF_LONGEST, isa->cpuid);
	recent = high_pair(all);
	TEST_ASSERT(low_pair(all) >= max(longest, recent) && recent,
		    "The longest took %lu cycles, a vCPU's %lu, the others since %lu",
		    low_pair(all), longest, recent);
	longest = low_pair(all);
	all = ask(vcpu, KVM_EXIT_STATS_LEAF_LONGEST - KVM_EXIT_STATS_VCPU_OFFSET,
		  isa->cpuid);
	TEST_ASSERT(low_pair(all) <= max(longest, high_pair(all)),
		    "A vCPU's longest took %lu cycles, the VM's %lu",
		    low_pair(all), longest);
	kvm_vm_free(vm);
}

/* A read by the guest exits twice: for CPUID, and for the ucall's I/O. */
static s64 reading_exits(struct kvm_vcpu *vcpu)
{
	return reason_exits(vcpu, isa->cpuid) +
	       reason_exits(vcpu, isa->io);
}

static s64 reading_cycles(struct kvm_vcpu *vcpu)
{
	return reason_cycles(vcpu, isa->cpuid) +
	       reason_cycles(vcpu, isa->io);
}

/*
 * Leave out the reasons that reading causes.  The sum over the others must be
 * at least the total before, and at most the total afterwards.
 */
static void test_reasons_add_up(u32 scope)
{
	s64 exits, cycles, min_exits, max_exits, min_cycles, max_cycles;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	u32 n, reason;

	vm = create_vm(&vcpu, scope);
	min_exits = total_exits(vcpu);
	min_cycles = total_cycles(vcpu);
	min_exits -= reading_exits(vcpu);
	min_cycles -= reading_cycles(vcpu);

	exits = 0;
	cycles = 0;
	for (n = 0; n < NR_REASONS; n++) {
		reason = nth_reason(n);
		if (is_undefined(reason) || reason == isa->cpuid ||
		    reason == isa->io)
			continue;
		exits += reason_exits(vcpu, reason);
		cycles += reason_cycles(vcpu, reason);
	}

	max_exits = -reading_exits(vcpu);
	max_cycles = -reading_cycles(vcpu);
	max_exits += total_exits(vcpu);
	max_cycles += total_cycles(vcpu);

	TEST_ASSERT(exits <= max_exits, "%ld exits, at most %ld", exits, max_exits);
	TEST_ASSERT(cycles <= max_cycles, "%ld cycles, at most %ld", cycles, max_cycles);
	/* Totals include reasons without a leaf, which other VMs may cause. */
	if (scope == KVM_EXIT_STATS_SCOPE_VM && !fold) {
		TEST_ASSERT(exits >= min_exits, "%ld exits, at least %ld",
			    exits, min_exits);
		TEST_ASSERT(cycles >= min_cycles, "%ld cycles, at least %ld",
			    cycles, min_cycles);
	}
	kvm_vm_free(vm);
}

/* A read counts itself.  Its cycles are accounted before the next one. */
static void test_exits_are_counted(u32 scope)
{
	u64 exits, cycles, total, tsc;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	vm = create_vm(&vcpu, scope);
	tsc = rdtsc();
	total = total_exits(vcpu);
	cycles = reason_cycles(vcpu, isa->cpuid);
	exits = reason_exits(vcpu, isa->cpuid);
	if (scope == KVM_EXIT_STATS_SCOPE_VM)
		TEST_ASSERT(exits == 3, "%lu exits after 3", exits);

	ask_repeatedly(vcpu, 0, 0, NR_EXITS);
	exits = reason_exits(vcpu, isa->cpuid) - exits;
	cycles = reason_cycles(vcpu, isa->cpuid) - cycles;
	total = total_exits(vcpu) - total;
	tsc = rdtsc() - tsc;
	TEST_ASSERT(scope == KVM_EXIT_STATS_SCOPE_VM ? exits == NR_EXITS + 1 : exits > NR_EXITS,
		    "%lu exits for %u CPUIDs and a read", exits, NR_EXITS);
	/* One vCPU can't use more cycles than have elapsed. */
	TEST_ASSERT(cycles > NR_EXITS && (scope != KVM_EXIT_STATS_SCOPE_VM || cycles < tsc),
		    "%lu cycles for %lu exits, %lu elapsed", cycles, exits, tsc);
	TEST_ASSERT(total > exits, "%lu exits in all, %lu CPUIDs", total, exits);
	kvm_vm_free(vm);
}

/* A VM sees the exits of all its vCPUs, and other VMs' only in scope host. */
static void test_scope(u32 scope)
{
	struct kvm_vcpu *vcpu, *sibling, *neighbor;
	struct kvm_vm *vm, *other;
	u64 exits;

	vm = create_vm(&vcpu, scope);
	sibling = vm_vcpu_add(vm, 1, guest_code);
	other = create_vm(&neighbor, scope);

	exits = reason_exits(vcpu, isa->cpuid);
	ask_repeatedly(sibling, 0, 0, NR_EXITS);
	ask_repeatedly(neighbor, 0, 0, NR_EXITS);
	kvm_vm_free(other);
	exits = reason_exits(vcpu, isa->cpuid) - exits;
	if (scope == KVM_EXIT_STATS_SCOPE_VM)
		TEST_ASSERT(exits == NR_EXITS + 1,
			    "%lu exits for a sibling's %u and a read",
			    exits, NR_EXITS);
	else
		TEST_ASSERT(exits > 2 * NR_EXITS,
			    "%lu exits for %u of two vCPUs each and a read",
			    exits, NR_EXITS);
	kvm_vm_free(vm);
}

/* Call this before the vCPU runs. */
static void add_cpuid_entries(struct kvm_vcpu *vcpu,
			      const struct kvm_cpuid_entry2 *entries, u32 n)
{
	u32 nent = vcpu->cpuid->nent;
	struct kvm_cpuid2 *cpuid;

	cpuid = allocate_kvm_cpuid2(nent + n);
	memcpy(cpuid->entries, vcpu->cpuid->entries, nent * sizeof(*entries));
	memcpy(&cpuid->entries[nent], entries, n * sizeof(*entries));
	vcpu_init_cpuid(vcpu, cpuid);
	free(cpuid);
}

/* An entry of user space wins, for all reasons or for one. */
static void test_cpuid_entry_wins(void)
{
	const struct kvm_cpuid_entry2 entries[] = {
		{
			.function = KVM_EXIT_STATS_LEAF_EXITS,
			.edx = 0x1234,
		},
		{
			.function = KVM_EXIT_STATS_LEAF_REASON_EXITS,
			.index = isa->cpuid,
			.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
			.ebx = 0x5678,
		},
		{
			.function = KVM_EXIT_STATS_LEAF_REASON_CYCLES,
			.edx = 0x9abc,
		},
	};
	const u32 reasons[] = { isa->cpuid, isa->undefined, -1 };
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	int i;

	vm = create_vm(&vcpu, KVM_EXIT_STATS_SCOPE_VM);
	add_cpuid_entries(vcpu, entries, ARRAY_SIZE(entries));

	assert_regs(ask(vcpu, KVM_EXIT_STATS_LEAF_EXITS, 7), 0, 0, 0, 0x1234,
		    "User space's entry", 7);
	assert_regs(ask(vcpu, KVM_EXIT_STATS_LEAF_REASON_EXITS,
			isa->cpuid), 0, 0x5678, 0, 0,
		    "User space's entry", isa->cpuid);
	for (i = 0; i < ARRAY_SIZE(reasons); i++)
		assert_regs(ask(vcpu, KVM_EXIT_STATS_LEAF_REASON_CYCLES,
				reasons[i]), 0, 0, 0, 0x9abc,
			    "User space's entry", reasons[i]);

	/* KVM serves leaves and reasons without an entry. */
	assert_regs(ask(vcpu, KVM_EXIT_STATS_LEAF_REASON_EXITS,
			isa->undefined), 0, 0, 0, KVM_EXIT_STATS_UNDEFINED,
		    "Exits", isa->undefined);
	TEST_ASSERT(total_cycles(vcpu), "Cycles are not served");

	kvm_vm_free(vm);
}

/* Entries of zeros for all leaves hide all.  One entry hides only its leaf. */
static void test_hiding(void)
{
	struct kvm_cpuid_entry2 entries[2 * NR_LEAVES] = {};
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	struct regs regs;
	u32 i, k;

	for (i = 0; i < NR_LEAVES; i++) {
		entries[i].function = FIRST_LEAF + i;
		entries[NR_LEAVES + i].function = FIRST_LEAF + i -
						  KVM_EXIT_STATS_VCPU_OFFSET;
	}

	vm = create_vm(&vcpu, KVM_EXIT_STATS_SCOPE_VM);
	add_cpuid_entries(vcpu, entries, 2 * NR_LEAVES);
	for (i = 0; i < 2 * NR_LEAVES; i++)
		assert_regs(ask(vcpu, entries[i].function, isa->cpuid), 0, 0, 0, 0,
			    "Hidden leaf", entries[i].function);
	kvm_vm_free(vm);

	/* What is undefined says so, and what has occurred is there, in any case. */
	for (i = 0; i < 2 * NR_LEAVES; i++) {
		vm = create_vm(&vcpu, KVM_EXIT_STATS_SCOPE_VM);
		add_cpuid_entries(vcpu, &entries[i], 1);
		for (k = 0; k < 2 * NR_LEAVES; k++) {
			regs = ask(vcpu, entries[k].function, isa->undefined);
			if (k == i)
				assert_regs(regs, 0, 0, 0, 0, "Hidden leaf",
					    entries[k].function);
			else
				TEST_ASSERT(regs.eax | regs.ebx | regs.ecx | regs.edx,
					    "Leaf %#x is hidden by an entry for %#x",
					    entries[k].function, entries[i].function);
		}
		kvm_vm_free(vm);
	}
}

/* User space isn't supposed to set the values. */
static void test_not_advertised(void)
{
	const struct kvm_cpuid2 *cpuid = kvm_get_supported_cpuid();
	u32 i;

	for (i = 0; i < cpuid->nent; i++)
		TEST_ASSERT(cpuid->entries[i].function < FIRST_LEAF ||
			    cpuid->entries[i].function > LAST_LEAF,
			    "Leaf %#x is advertised", cpuid->entries[i].function);
}

/* All leaves answer like one that does not exist. */
static void assert_not_served(struct kvm_vcpu *vcpu)
{
	struct regs other;
	u32 leaf;

	for (leaf = FIRST_LEAF - KVM_EXIT_STATS_VCPU_OFFSET; leaf <= LAST_LEAF; leaf++) {
		other = ask(vcpu, 0x4f000000, 1);
		assert_regs(ask(vcpu, leaf, 1), other.eax, other.ebx,
			    other.ecx, other.edx, "Withheld leaf", leaf);
	}
}

static void test_withheld(void)
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	vm = create_vm(&vcpu, KVM_EXIT_STATS_SCOPE_OFF);
	assert_not_served(vcpu);
	kvm_vm_free(vm);
}

/* A guest that is told there is no hypervisor is not told otherwise. */
static void test_no_hypervisor(void)
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	vm = create_vm(&vcpu, KVM_EXIT_STATS_SCOPE_VM);
	vcpu_clear_cpuid_feature(vcpu, X86_FEATURE_HYPERVISOR);
	assert_not_served(vcpu);
	kvm_vm_free(vm);
}

/* If user space asks for nothing, it depends on the host. */
static void test_default(void)
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	vm = vm_create_with_one_vcpu(&vcpu, guest_code);
	vcpu_set_cpuid_feature(vcpu, X86_FEATURE_HYPERVISOR);
	if (!strcmp(policy, "ask"))
		assert_not_served(vcpu);
	else
		assert_signature(vcpu, max_scope);
	kvm_vm_free(vm);
}

static void assert_refused(struct kvm_vm *vm, u32 flags, u64 scope)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_X86_EXIT_STATS,
		.flags = flags,
		.args = { scope },
	};

	TEST_ASSERT(__vm_ioctl(vm, KVM_ENABLE_CAP, &cap) == -1 && errno == EINVAL,
		    "Scope %#lx, flags %#x: errno %d", scope, flags, errno);
}

static void test_bad_requests(void)
{
	u64 scope, last = KVM_EXIT_STATS_SCOPE_HOST;
	struct kvm_vm *vm;
	int bit;

	vm = vm_create(1);
	TEST_ASSERT(vm_check_cap(vm, KVM_CAP_X86_EXIT_STATS) ==
		    (BIT(last + 1) - 1 + KVM_EXIT_STATS_CAP_HISTOGRAM),
		    "The capability is %#x",
		    vm_check_cap(vm, KVM_CAP_X86_EXIT_STATS));
	for (scope = last + 1; scope < 70; scope++)
		assert_refused(vm, 0, scope);
	for (bit = 7; bit < 64; bit++) {
		if (1ul << bit != KVM_EXIT_STATS_CAP_HISTOGRAM)
			assert_refused(vm, 0, 1ul << bit | KVM_EXIT_STATS_SCOPE_VM);
	}
	for (bit = 0; bit < 32; bit++)
		assert_refused(vm, 1u << bit, KVM_EXIT_STATS_SCOPE_VM);

	/* Too late */
	vm_vcpu_add(vm, 0, guest_code);
	for (scope = 0; scope <= last; scope++)
		assert_refused(vm, 0, scope);
	kvm_vm_free(vm);
}

/* The scope of the host's parameter is the widest one. */
static void test_wider_request(void)
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	vm = create_vm(&vcpu, KVM_EXIT_STATS_SCOPE_HOST);
	assert_signature(vcpu, max_scope);
	kvm_vm_free(vm);
}

int main(int argc, char *argv[])
{
	cpu_set_t cpus;
	u32 scope;

	if (this_cpu_has(X86_FEATURE_SVM))
		isa = &svm;
	else
		TEST_REQUIRE(this_cpu_has(X86_FEATURE_VMX));
	close(open_kvm_dev_path_or_exit());
	__TEST_REQUIRE(!access(PARAM, R_OK), "CONFIG_KVM_EXIT_STATS is required");
	read_parameters();
	__TEST_REQUIRE(max_scope, PARAM " is off");

	/* The test compares TSCs, so stay on one CPU. */
	CPU_ZERO(&cpus);
	CPU_SET(sched_getcpu(), &cpus);
	TEST_ASSERT(!sched_setaffinity(0, sizeof(cpus), &cpus),
		    "Failed to pin the test to a CPU");

	ksft_print_header();
	ksft_set_plan(12 * max_scope + 10 + (isa == &svm));

	for (scope = KVM_EXIT_STATS_SCOPE_VM; scope <= max_scope; scope++) {
		const char *name = scope == KVM_EXIT_STATS_SCOPE_VM ? "vm" : "host";

		test_signature(scope);
		ksft_test_result_pass("scope %s: the signature names it\n", name);
		test_undefined_reasons(scope);
		ksft_test_result_pass("scope %s: undefined reasons are not unused ones\n",
				      name);
		test_reasons_add_up(scope);
		ksft_test_result_pass("scope %s: the total has all reasons\n", name);
		test_exits_are_counted(scope);
		ksft_test_result_pass("scope %s: exits are counted, reads included\n", name);
		test_scope(scope);
		ksft_test_result_pass("scope %s: a VM sees the exits that it covers\n", name);
		test_pairs(scope);
		ksft_test_result_pass("scope %s: a pair is both figures\n", name);
		test_which(scope);
		ksft_test_result_pass("scope %s: which reasons have occurred\n", name);
		test_this_vcpu(scope);
		ksft_test_result_pass("scope %s: this vCPU's own exits\n", name);
		test_ledger(scope);
		ksft_test_result_pass("scope %s: a vCPU's time is in its states\n", name);
		test_vmm(scope);
		ksft_test_result_pass("scope %s: user space's time is that of its exit\n", name);
		test_longest(scope);
		ksft_test_result_pass("scope %s: the longest exit, ever and recent\n", name);
		test_buckets(scope);
		ksft_test_result_pass("scope %s: an exit is in the bucket of its cycles\n", name);
	}

	if (isa->id == KVM_EXIT_STATS_ISA_SVM) {
		test_high_reasons();
		ksft_test_result_pass("reasons far above the others are told apart\n");
	}
	test_longest_of_vcpus();
	ksft_test_result_pass("a VM's longest exit is that of all its vCPUs\n");
	test_histogram();
	ksft_test_result_pass("the buckets have all exits, if they are on\n");
	test_cpuid_entry_wins();
	ksft_test_result_pass("an entry that user space sets wins\n");
	test_hiding();
	ksft_test_result_pass("an entry hides its leaf, one for each hide all\n");
	test_not_advertised();
	ksft_test_result_pass("the leaves are not advertised to user space\n");
	test_withheld();
	ksft_test_result_pass("user space withholds the leaves\n");
	test_no_hypervisor();
	ksft_test_result_pass("there are no leaves without a hypervisor\n");
	test_default();
	ksft_test_result_pass("if user space does not ask, the parameter decides\n");
	test_bad_requests();
	ksft_test_result_pass("requests are refused that are unknown or late\n");
	test_wider_request();
	ksft_test_result_pass("a request does not widen the host's scope\n");

	ksft_finished();
}
