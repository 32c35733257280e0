// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit tests of exit_stats*.c, compiled unchanged.
 */
#include "exit_stats.c"
#include "exit_stats_isa.c"
#include "exit_stats_debugfs.c"
#include "exit_stats_ledger.c"
#include "exit_stats_binary.c"
#include "exit_stats_histogram.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

int shim_cpu;
u64 shim_tsc[SHIM_CPUS];
u64 shim_clock[SHIM_CPUS];
u32 tsc_khz = 1000000;
static struct task_struct threads[SHIM_VCPUS];
struct task_struct *shim_thread;
void (*shim_meanwhile)(void);
struct kvm_vcpu *shim_running;
int shim_preempt_count;
int shim_masked;
char shim_trace[200];
struct mutex kvm_lock;
struct kvm *vm_list;
int shim_allocations;

#define OWN_DATA (sizeof(struct kvm_stats_header) + KVM_STATS_NAME_SIZE + \
		  sizeof(struct kvm_stats_desc))
#define OWN_HEADER \
	{ 0, KVM_STATS_NAME_SIZE, 1, sizeof(struct kvm_stats_header), \
	  sizeof(struct kvm_stats_header) + KVM_STATS_NAME_SIZE, OWN_DATA }
const struct kvm_stats_header kvm_vm_stats_header = OWN_HEADER;
const struct kvm_stats_header kvm_vcpu_stats_header = OWN_HEADER;
const struct kvm_stats_desc kvm_vm_stats_desc[] = { { .size = 1, .name = "own" } };
const struct kvm_stats_desc kvm_vcpu_stats_desc[] = { { .size = 1, .name = "own" } };

static struct kvm vm[2];

struct regs {
	u32 eax, ebx, ecx, edx;
};

static void assert_regs(struct regs r, u32 eax, u32 ebx, u32 ecx, u32 edx)
{
	assert_int_equal(r.eax, eax);
	assert_int_equal(r.ebx, ebx);
	assert_int_equal(r.ecx, ecx);
	assert_int_equal(r.edx, edx);
}

/* Like kvm_cpuid().  Return false if the leaf is not one of the statistics. */
static bool cpuid(struct kvm_vcpu *vcpu, struct regs *r)
{
	struct kvm_cpuid_entry2 *entry = kvm_exit_stats_cpuid_entry(vcpu, r->eax, r->ecx);

	if (entry)
		*r = (struct regs){ entry->eax, entry->ebx, entry->ecx, entry->edx };
	return entry;
}

static struct regs read_leaf(struct kvm_vcpu *vcpu, u32 leaf, u32 index)
{
	struct regs r = { leaf, 0xdeadbeef, index, 0xdeadbeef };

	assert_true(cpuid(vcpu, &r));
	return r;
}

static u64 exits(struct kvm_vcpu *vcpu, u32 reason)
{
	struct regs r = read_leaf(vcpu, KVM_EXIT_STATS_LEAF_REASON_EXITS, reason);

	return (u64)r.ebx << 32 | r.eax;
}

static u64 cycles(struct kvm_vcpu *vcpu, u32 reason)
{
	struct regs r = read_leaf(vcpu, KVM_EXIT_STATS_LEAF_REASON_CYCLES, reason);

	return (u64)r.ebx << 32 | r.ecx;
}

static u64 total_exits(struct kvm_vcpu *vcpu)
{
	struct regs r = read_leaf(vcpu, KVM_EXIT_STATS_LEAF_EXITS, 0);

	return (u64)r.ebx << 32 | r.eax;
}

static u64 total_cycles(struct kvm_vcpu *vcpu)
{
	struct regs r = read_leaf(vcpu, KVM_EXIT_STATS_LEAF_CYCLES, 0);

	return (u64)r.ebx << 32 | r.ecx;
}

static void elapse(u64 ticks)
{
	shim_tsc[shim_cpu] += ticks;
	shim_clock[0] += ticks;
	shim_clock[1] += ticks;
}

static void set_scope(const char *scope)
{
	assert_int_equal(exit_stats_param_set(scope, NULL), 0);
}

static void fold(const char *value)
{
	struct kernel_param param = { .arg = &exit_stats_fold };

	assert_int_equal(exit_stats_fold_param_ops.set(value, &param), 0);
}

static int histograms(const char *value)
{
	struct kernel_param param = { .arg = &exit_stats_histogram };

	return histogram_param_ops.set(value, &param);
}

static bool is_defined(u32 reason)
{
	return reason <= 85 && reason != 35 && reason != 38 && reason != 42 &&
	       reason != 71 && reason != 82 && reason != 83;
}

static struct kvm_cpuid_entry2 hypervisor[] = { { .function = 1, .ecx = 1U << 31 } };

static void set_cpuid(struct kvm_vcpu *vcpu, struct kvm_cpuid_entry2 *entries, int nent)
{
	vcpu->arch.cpuid_entries = entries;
	vcpu->arch.cpuid_nent = nent;
	kvm_exit_stats_vcpu_after_set_cpuid(vcpu);
}

/* VMs pin the vendor module, so there are none without it. */
static void no_vendor(void)
{
	struct kvm *vms = vm_list;

	vm_list = NULL;
	kvm_exit_stats_set_isa(0);
	vm_list = vms;
}

/* Two VMs in scope vm, all counters at zero.  The CPUs' TSCs are far apart. */
static int setup(void **state)
{
	memset(vm, 0, sizeof(vm));
	vm_list = &vm[0];
	vm[0].vm_list = &vm[1];
	shim_cpu = 0;
	shim_tsc[0] = 1ULL << 40;
	shim_tsc[1] = 5;
	shim_clock[0] = shim_clock[1] = 1ULL << 33;
	memset(threads, 0, sizeof(threads));
	shim_thread = &threads[0];
	ledger_vms.first = NULL;
	shim_running = NULL;
	memset(shim_percpu_kvm_cpu_exit_stats, 0, sizeof(shim_percpu_kvm_cpu_exit_stats));
	kvm_exit_stats_set_isa(KVM_EXIT_STATS_ISA_VMX);
	set_scope("vm");
	fold("N");
	shim_allocations = -1;
	for (int i = 0; i < 2; i++) {
		for (int j = 0; j < SHIM_VCPUS; j++) {
			vm[i].vcpu[j].kvm = &vm[i];
			vm[i].vcpu[j].arch.l1_tsc_scaling_ratio = 1ULL << 48;
			set_cpuid(&vm[i].vcpu[j], hypervisor, 1);
			kvm_exit_stats_vcpu_init(&vm[i].vcpu[j]);
			kvm_exit_stats_set_reason(&vm[i].vcpu[j], &vm[i].vcpu[j].exit_reason);
			kvm_exit_stats_vcpu_publish(&vm[i].vcpu[j]);
		}
	}
	shim_trace[0] = 0;
	return 0;
}

static int teardown(void **state)
{
	shim_allocations = -1;
	assert_int_equal(histograms("N"), 0);
	for (int i = 0; i < 2 * SHIM_VCPUS; i++)
		kvm_exit_stats_vcpu_destroy(&vm[i / SHIM_VCPUS].vcpu[i % SHIM_VCPUS]);
	no_vendor();
	return 0;
}

/* A VM exit.  The vendor's reason also has bits that are not the basic reason. */
/* Every other exit is a failed entry, which is accounted out of line. */
static void begin(struct kvm_vcpu *vcpu, u16 reason)
{
	static u32 failed;

	kvm_exit_stats_start(vcpu);
	failed ^= 0x80000000;
	vcpu->exit_reason = failed | reason;
}

/* A VM exit that takes @ticks. */
static void exit_of(struct kvm_vcpu *vcpu, u16 reason, u64 ticks)
{
	begin(vcpu, reason);
	elapse(ticks);
	kvm_exit_stats_stop(vcpu);
}

/* An exit that leaves its code as a snapshot */
static void exit_with_code(struct kvm_vcpu *vcpu, u32 code)
{
	assert_true(kvm_exit_stats_start(vcpu));
	kvm_exit_stats_snapshot(vcpu, code);
	elapse(10);
	kvm_exit_stats_stop(vcpu);
}

/* What KVM does when it schedules a vCPU out, and in again */
static void put(struct kvm_vcpu *vcpu)
{
	preempt_disable();
	kvm_exit_stats_vcpu_put(vcpu);
	vcpu->arch.last_host_tsc = rdtsc();
	preempt_enable();
}

/* The TSC is unstable: the vCPU finds another one at each load. */
static void load(struct kvm_vcpu *vcpu)
{
	preempt_disable();
	kvm_exit_stats_new_tsc(vcpu);
	kvm_exit_stats_vcpu_load(vcpu);
	preempt_enable();
}

#define LONGEST		0x4ffffff6
#define OF_VCPU		0x10

/* What a read of the longest exits tells.  The next one has nothing recent. */
static void assert_longest(struct kvm_vcpu *vcpu, u32 leaf, u32 reason, u64 longest, u64 recent)
{
	assert_regs(read_leaf(vcpu, leaf, reason), (u32)longest, longest >> 32, (u32)recent,
		    recent >> 32);
	assert_regs(read_leaf(vcpu, leaf, reason), (u32)longest, longest >> 32, 0, 0);
}

static void encodes_over_the_32_bit_boundary(void **state)
{
	static const u64 values[] = {
		0, 1, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 0x100000000,
		0x100000001, 0x123456789abcdef0, 1ULL << 63, UINT64_MAX,
	};
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		u32 low = (u32)values[i], high = (u32)(values[i] >> 32);
		struct kvm_vcpu_exit_stats *es = &vcpu->arch.exit_stats;

		es->reasons[12].stat = (struct kvm_exit_stat){ values[i], -~values[i] };
		assert_regs(read_leaf(vcpu, 0x4ffffffc, 7), low, high, 0, 0);
		assert_regs(read_leaf(vcpu, 0x4ffffffd, 7), 0, ~high, ~low, 0);
		assert_regs(read_leaf(vcpu, 0x4ffffffe, 12), low, high, 0, 0);
		assert_regs(read_leaf(vcpu, 0x4fffffff, 12), 0, ~high, ~low, 0);
		assert_regs(read_leaf(vcpu, 0x4ffffffa, 12), low, high, ~low, ~high);
		es->reasons[12].neg_longest = -values[i];
		es->reasons[12].neg_recent = -values[i];
		assert_regs(read_leaf(vcpu, 0x4ffffff6, 12), low, high, low, high);
	}
}

static void signature_names_version_isa_and_scope(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];

	assert_regs(read_leaf(vcpu, 0x4ffffffb, 1), 0x86010101, 0x454d564b, 0x53746978, 0x73746174);
	set_scope("host");
	assert_regs(read_leaf(vcpu, 0x4ffffffb, 1), 0x86020101, 0x454d564b, 0x53746978, 0x73746174);
}

static void other_leaves_are_not_served(void **state)
{
	static const u32 leaves[] = {
		0, 1, 0x40000000, 0x4fffffe0, 0x4fffffe4, 0x4ffffff0, 0x4ffffff4, 0x50000000,
		0xffffffff
	};

	for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
		struct regs r = { leaves[i], 1, 2, 3 };

		assert_false(cpuid(&vm[0].vcpu[0], &r));
		assert_regs(r, leaves[i], 1, 2, 3);
	}
}

static void undefined_reasons_say_so(void **state)
{
	static const u32 far[] = { 0x100, 0xffff, 0x10000, 0x1000a, 0x80000000, 0xffffffff };

	for (u32 i = 0; i < 256 + sizeof(far) / sizeof(far[0]); i++) {
		u32 reason = i < 256 ? i : far[i - 256];
		u32 edx = is_defined(reason) ? 0 : 0xffffffff;

		assert_regs(read_leaf(&vm[0].vcpu[0], 0x4ffffffe, reason), 0, 0, 0, edx);
		assert_regs(read_leaf(&vm[0].vcpu[0], 0x4fffffff, reason), 0, 0, 0, edx);
		assert_regs(read_leaf(&vm[0].vcpu[0], 0x4ffffffa, reason), 0, 0, 0, edx);
		assert_regs(read_leaf(&vm[0].vcpu[0], 0x4fffffea, reason), 0, 0, 0, edx);
		assert_regs(read_leaf(&vm[0].vcpu[0], 0x4ffffff6, reason), 0, 0, 0, edx);
	}
}

/* Otherwise a guest could make the CPU speculate beyond the counters. */
static void an_index_of_the_guests_is_masked(void **state)
{
	static const u32 leaves[] = {
		0x4fffffe6, 0x4fffffea, 0x4fffffee, 0x4fffffef, 0x4ffffff6, 0x4ffffffa,
		0x4ffffffe, 0x4fffffff
	};

	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++) {
		shim_masked = 0;
		read_leaf(&vm[0].vcpu[0], leaves[i], 85);
		assert_int_equal(shim_masked, 1);
	}
}

/* Bits of 96 reasons, rounded down, and where those are that come next */
static void which_reasons_have_occurred(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];

	assert_regs(read_leaf(vcpu, 0x4ffffff9, 0), 0, 0, 0, 0xffffffff);
	for (u32 reason = 0; reason <= 85; reason++) {
		struct regs want = { 0, 0, 0, 0xffffffff };
		u32 *bits = reason < 32 ? &want.eax : reason < 64 ? &want.ebx : &want.ecx;

		setup(NULL);
		exit_of(&vm[0].vcpu[1], reason, 5);
		if (is_defined(reason))
			*bits = 1u << reason % 32;
		for (u32 index = 0; index < 97; index += 19)
			assert_regs(read_leaf(vcpu, 0x4ffffff9, index), want.eax, want.ebx,
				    want.ecx, want.edx);
		/* It is another vCPU's, and lies below. */
		assert_regs(read_leaf(vcpu, 0x4fffffe9, 0), 0, 0, 0, 0xffffffff);
		assert_regs(read_leaf(vcpu, 0x4ffffff9, 96), 0, 0, 0, 0xffffffff);
		assert_regs(read_leaf(vcpu, 0x4ffffff9, 0xffffffff), 0, 0, 0, 0xffffffff);
		fold("Y");
		if (kvm_exit_stats_is_of_host(kvm_exit_stats_isa, reason))
			*bits = 0;
		assert_regs(read_leaf(vcpu, 0x4ffffff9, 0), want.eax, want.ebx, want.ecx, want.edx);
	}
	/* The exit that reads has occurred, too. */
	setup(NULL);
	begin(vcpu, 10);
	assert_regs(read_leaf(vcpu, 0x4ffffff9, 0), 1 << 10, 0, 0, 0xffffffff);
	assert_regs(read_leaf(vcpu, 0x4fffffe9, 0), 1 << 10, 0, 0, 0xffffffff);
	assert_regs(read_leaf(&vm[0].vcpu[1], 0x4ffffff9, 0), 0, 0, 0, 0xffffffff);
	kvm_exit_stats_stop(vcpu);
}

static void svms_reasons_lead_to_each_other(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];

	no_vendor();
	kvm_exit_stats_set_isa(KVM_EXIT_STATS_ISA_SVM);
	kvm_exit_stats_vcpu_init(vcpu);
	exit_with_code(vcpu, 0x5f);
	assert_regs(read_leaf(vcpu, 0x4ffffff9, 0), 0, 0, 1u << 31, 0xffffffff);
	exit_with_code(vcpu, 0xffffffff);
	exit_with_code(vcpu, 0x403);
	exit_with_code(vcpu, 0x60);
	assert_regs(read_leaf(vcpu, 0x4ffffff9, 0x5f), 0, 0, 1u << 31, 0x60);
	assert_regs(read_leaf(vcpu, 0x4ffffff9, 0x60), 1, 0, 0, 0x3c0);
	assert_regs(read_leaf(vcpu, 0x4ffffff9, 0xc0), 0, 0, 0, 0x3c0);
	assert_regs(read_leaf(vcpu, 0x4ffffff9, 0x3c0), 0, 0, 1u << 3, 0xffffffc0);
	assert_regs(read_leaf(vcpu, 0x4ffffff9, 0xfffffff0), 0, 1u << 31, 0, 0xffffffff);
	/* The codes that are not known have no bit. */
	exit_with_code(vcpu, 0x404);
	assert_regs(read_leaf(vcpu, 0x4ffffff9, 0x3c0), 0, 0, 1u << 3, 0xffffffc0);
}

/* The leaves less 0x10 have this vCPU's exits, in each scope. */
static void a_vcpu_reads_its_own(void **state)
{
	static const char *const scopes[] = { "vm", "host" };

	exit_of(&vm[0].vcpu[0], 10, 5);
	exit_of(&vm[0].vcpu[1], 10, 7);
	exit_of(&vm[0].vcpu[1], 12, 9);
	for (size_t i = 0; i < ARRAY_SIZE(scopes); i++) {
		set_scope(scopes[i]);
		assert_regs(read_leaf(&vm[0].vcpu[1], 0x4fffffeb, 3),
			    0x86000101 | (u32)(i + 1) << 16, 0x454d564b, 0x53746978, 0x73746174);
		assert_regs(read_leaf(&vm[0].vcpu[0], 0x4fffffec, 3), 1, 0, 0, 0);
		assert_regs(read_leaf(&vm[0].vcpu[1], 0x4fffffec, 3), 2, 0, 0, 0);
		assert_regs(read_leaf(&vm[0].vcpu[1], 0x4fffffed, 3), 0, 0, 16, 0);
		assert_regs(read_leaf(&vm[0].vcpu[0], 0x4fffffee, 12), 0, 0, 0, 0);
		assert_regs(read_leaf(&vm[0].vcpu[1], 0x4fffffee, 12), 1, 0, 0, 0);
		assert_regs(read_leaf(&vm[0].vcpu[1], 0x4fffffef, 12), 0, 0, 9, 0);
		assert_regs(read_leaf(&vm[0].vcpu[1], 0x4fffffea, 10), 1, 0, 7, 0);
		assert_regs(read_leaf(&vm[0].vcpu[1], 0x4fffffe9, 0), 1 << 10 | 1 << 12, 0, 0,
			    0xffffffff);
		assert_regs(read_leaf(&vm[0].vcpu[1], 0x4ffffffa, 10), 2, 0, 12, 0);
	}
}

static void every_reason_has_its_own_counter(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];
	u64 all = 0;

	for (u16 reason = 0; reason <= 85; reason++, all += reason)
		for (u16 n = 0; n <= reason; n++)
			exit_of(vcpu, reason, 1000 + reason);
	for (u16 reason = 0; reason <= 85; reason++) {
		if (!is_defined(reason))
			continue;
		assert_int_equal(exits(vcpu, reason), reason + 1);
		assert_int_equal(cycles(vcpu, reason), (reason + 1) * (1000 + reason));
	}
	assert_int_equal(total_exits(vcpu), all);
}

static void unknown_reasons_are_in_the_total(void **state)
{
	static const u16 unknown[] = { 71, 86, 87, 88, 0x100, 0xdead, 0xffff };
	const size_t n = sizeof(unknown) / sizeof(unknown[0]);
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];

	for (size_t i = 0; i < n; i++)
		exit_of(vcpu, unknown[i], 10);
	assert_int_equal(total_exits(vcpu), n);
	assert_int_equal(total_cycles(vcpu), 10 * n);
	for (u32 reason = 0; reason <= 85; reason++)
		if (is_defined(reason))
			assert_int_equal(exits(vcpu, reason), 0);
}

static void scope_selects_what_is_summed(void **state)
{
	exit_of(&vm[0].vcpu[0], 10, 100);
	exit_of(&vm[0].vcpu[2], 10, 200);
	shim_cpu = 1;
	exit_of(&vm[0].vcpu[1], 10, 400);
	exit_of(&vm[1].vcpu[0], 10, 800);
	exit_of(&vm[1].vcpu[0], 12, 1600);

	assert_int_equal(exits(&vm[0].vcpu[0], 10), 3);
	assert_int_equal(cycles(&vm[0].vcpu[1], 10), 700);
	assert_int_equal(exits(&vm[0].vcpu[0], 12), 0);
	assert_int_equal(total_exits(&vm[1].vcpu[1]), 2);
	assert_int_equal(total_cycles(&vm[1].vcpu[1]), 2400);
	set_scope("host");
	assert_int_equal(exits(&vm[0].vcpu[0], 10), 4);
	assert_int_equal(cycles(&vm[1].vcpu[0], 10), 1500);
	assert_int_equal(total_exits(&vm[0].vcpu[0]), 5);
	assert_int_equal(total_cycles(&vm[0].vcpu[0]), 3100);
}

/* Up to the last slot, which reasons without a leaf share. */
static void the_hosts_total_is_of_all_slots(void **state)
{
	u64 all = 0;

	for (u16 reason = 0; reason <= 86; reason++, all += reason) {
		shim_cpu = reason % SHIM_CPUS;
		for (u16 n = 0; n <= reason; n++)
			exit_of(&vm[reason % 2].vcpu[reason % SHIM_VCPUS], reason, 1000);
	}
	set_scope("host");
	assert_int_equal(total_exits(&vm[0].vcpu[0]), all);
	assert_int_equal(total_cycles(&vm[0].vcpu[0]), all * 1000);
}

static void off_serves_and_counts_nothing(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];
	struct regs r = { 0x4ffffffc, 1, 2, 3 };

	exit_of(vcpu, 10, 100);
	set_scope("off");
	assert_false(cpuid(vcpu, &r));
	assert_regs(r, 0x4ffffffc, 1, 2, 3);
	exit_of(vcpu, 10, 100);
	set_scope("vm");
	assert_int_equal(exits(vcpu, 10), 1);
	assert_int_equal(cycles(vcpu, 10), 100);
}

static void an_exit_is_counted_before_its_cycles_are(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];

	begin(vcpu, 10);
	elapse(30);
	assert_int_equal(exits(vcpu, 10), 1);
	assert_int_equal(cycles(vcpu, 10), 0);
	kvm_exit_stats_stop(vcpu);
	assert_int_equal(cycles(vcpu, 10), 30);
}

static void only_on_cpu_time_is_accounted(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];

	begin(vcpu, 48);
	elapse(10);
	put(vcpu);
	elapse(1000000);
	load(vcpu);
	elapse(20);
	put(vcpu);
	shim_cpu = 1;
	load(vcpu);
	elapse(40);
	kvm_exit_stats_stop(vcpu);

	assert_int_equal(cycles(vcpu, 48), 70);
	assert_int_equal(total_cycles(vcpu), 70);
	assert_int_equal(-shim_percpu_kvm_cpu_exit_stats[0].reasons[48].neg_cycles, 30);
	assert_int_equal(-shim_percpu_kvm_cpu_exit_stats[1].reasons[48].neg_cycles, 40);
	assert_int_equal(shim_preempt_count, 0);
}

static void nothing_is_accounted_without_an_exit(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];

	/* ioctls load and put the vCPU, stop() comes twice, VM entry fails. */
	load(vcpu);
	elapse(10);
	put(vcpu);
	exit_of(vcpu, 12, 5);
	elapse(1000);
	kvm_exit_stats_stop(vcpu);
	put(vcpu);
	load(vcpu);
	kvm_exit_stats_start(vcpu);
	kvm_exit_stats_cancel(vcpu);
	elapse(1000);
	kvm_exit_stats_stop(vcpu);

	assert_int_equal(total_cycles(vcpu), 5);
	assert_int_equal(total_exits(vcpu), 1);
}

static void keys_are_flipped_in_a_safe_order(void **state)
{
	set_scope("host");
	assert_string_equal(shim_trace, "drain ");
	shim_trace[0] = 0;
	set_scope("off");
	assert_string_equal(shim_trace, "-kvm_exit_stats_starting sync sync sync "
					"-kvm_exit_stats_enabled sync drain ");
	shim_trace[0] = 0;
	set_scope("off");
	assert_string_equal(shim_trace, "drain ");
	shim_trace[0] = 0;
	set_scope("vm\n");
	assert_string_equal(shim_trace, "sync +kvm_exit_stats_enabled "
					"+kvm_exit_stats_starting drain ");
}

static void an_exit_in_flight_is_dropped_when_counting_stops(void **state)
{
	struct kvm_vcpu *vcpu = &vm[1].vcpu[2];

	begin(vcpu, 30);
	set_scope("off");
	put(vcpu);
	shim_cpu = 1;
	load(vcpu);
	set_scope("vm");
	kvm_exit_stats_stop(vcpu);
	assert_int_equal(exits(vcpu, 30), 0);
	assert_int_equal(cycles(vcpu, 30), 0);
}

/* drop_intervals() misses a vCPU that is not online yet or is in stop(). */
static void what_was_missed_is_dropped_before_it_could_end(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[1];

	begin(vcpu, 30);
	set_scope("off");
	vcpu->arch.exit_stats.start = rdtsc();
	elapse(1000);
	set_scope("vm");
	kvm_exit_stats_stop(vcpu);
	assert_int_equal(total_exits(vcpu), 0);
	assert_int_equal(total_cycles(vcpu), 0);
}

/* While counting is off, the vCPU is loaded on a CPU whose TSC is behind. */
static void a_load_before_switching_on_hides_no_start(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[1];

	load(vcpu);
	put(vcpu);
	set_scope("off");
	shim_cpu = 1;
	load(vcpu);
	set_scope("vm");
	begin(vcpu, 30);
	elapse(10);
	put(vcpu);
	assert_int_equal(exits(vcpu, 30), 1);
	assert_int_equal(cycles(vcpu, 30), 10);
}

/* Counting is being switched off: the load is a NOP already, the put is not yet. */
static void a_put_without_a_load_bills_nothing(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[1];

	begin(vcpu, 30);
	put(vcpu);
	load(vcpu);
	set_scope("off");
	vcpu->arch.exit_stats.start = KVM_EXIT_STATS_RESUMED;
	elapse(1000);
	__kvm_exit_stats_vcpu_put(vcpu);
	set_scope("vm");
	assert_int_equal(exits(vcpu, 30), 1);
	assert_int_equal(cycles(vcpu, 30), 0);
}

static void bad_parameters_change_nothing(void **state)
{
	static const char * const bad[] = { "", "\n", "VM", "vmm", "v", "host ", "off\nvm", "1" };
	char value[PAGE_SIZE];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(exit_stats_param_set(bad[i], NULL), -EINVAL);
		exit_stats_param_get(value, NULL);
		assert_string_equal(value, "vm\n");
	}
	assert_string_equal(shim_trace, "");
}

static void without_a_vendor_nothing_is_counted(void **state)
{
	no_vendor();
	assert_false(kvm_exit_stats_enabled.on || kvm_exit_stats_starting.on);
	shim_trace[0] = 0;
	set_scope("host");
	fold("Y");
	/* Its SRCU may be gone, and there is nobody to wait for. */
	assert_string_equal(shim_trace, "");
	kvm_exit_stats_set_isa(KVM_EXIT_STATS_ISA_VMX);
}

/* The vCPU is put between stop()'s RDTSC and its end. */
static void being_put_while_closing_loses_nothing(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];
	u64 stale;

	begin(vcpu, 48);
	elapse(10);
	stale = rdtsc();
	elapse(1);
	put(vcpu);
	elapse(1000000);
	load(vcpu);
	assert_true(vcpu->arch.exit_stats.start >= stale);
	vcpu->arch.exit_stats.start -= stale;
	elapse(20);
	put(vcpu);
	shim_cpu = 1;
	load(vcpu);
	elapse(40);
	assert_int_equal(exits(vcpu, 48), 1);
	__kvm_exit_stats_stop(vcpu);
	elapse(100);
	put(vcpu);
	load(vcpu);
	kvm_exit_stats_stop(vcpu);

	assert_int_equal(exits(vcpu, 48), 1);
	assert_int_equal(cycles(vcpu, 48), 71);
	assert_int_equal(total_cycles(vcpu), 71);
	assert_int_equal(-shim_percpu_kvm_cpu_exit_stats[1].reasons[48].neg_cycles, 40);
}

/* The TSC stands still, also if the vCPU is put before stop() ends. */
static void an_exit_without_duration_is_counted(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];

	exit_of(vcpu, 1, 0);
	begin(vcpu, 1);
	vcpu->arch.exit_stats.start -= rdtsc();
	elapse(10);
	put(vcpu);
	load(vcpu);
	__kvm_exit_stats_stop(vcpu);
	assert_int_equal(exits(vcpu, 1), 2);
	assert_int_equal(cycles(vcpu, 1), 0);
}

/* The TSC goes back in an interval that is stopped, or put and resumed. */
static void a_tsc_that_is_set_back_bills_nothing(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];

	begin(vcpu, 1);
	shim_tsc[shim_cpu] -= 100;
	kvm_exit_stats_stop(vcpu);

	begin(vcpu, 1);
	shim_tsc[shim_cpu] -= 100;
	put(vcpu);
	load(vcpu);
	shim_tsc[shim_cpu] -= 100;
	put(vcpu);
	load(vcpu);
	shim_tsc[shim_cpu] -= 100;
	kvm_exit_stats_stop(vcpu);

	/* The vCPU is put between stop()'s subtraction and its preempt_disable(). */
	begin(vcpu, 1);
	shim_tsc[shim_cpu] -= 100;
	vcpu->arch.exit_stats.start -= rdtsc();
	put(vcpu);
	load(vcpu);
	__kvm_exit_stats_stop(vcpu);

	assert_int_equal(exits(vcpu, 1), 3);
	assert_int_equal(cycles(vcpu, 1), 0);
}

/* KVM takes the TSC of the VM exit for the guest's last one, if it was read. */
static void the_exits_tsc_is_read_once(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];
	u64 start;

	begin(vcpu, 10);
	start = rdtsc();
	elapse(100);
	assert_int_equal(kvm_exit_stats_exit_tsc(vcpu), start);
	kvm_exit_stats_stop(vcpu);

	/* VM entry failed, or the exit is not clocked. */
	begin(vcpu, 10);
	kvm_exit_stats_cancel(vcpu);
	elapse(100);
	assert_int_equal(kvm_exit_stats_exit_tsc(vcpu), rdtsc());
	set_scope("off");
	begin(vcpu, 10);
	elapse(100);
	assert_int_equal(kvm_exit_stats_exit_tsc(vcpu), rdtsc());
}

/* User space is asked twice, and the vCPU is scheduled out while KVM completes the exit. */
static void completion_belongs_to_the_exit(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];

	exit_of(vcpu, 30, 10);
	put(vcpu);
	elapse(1000);
	load(vcpu);
	elapse(1000);
	kvm_exit_stats_reopen(vcpu);
	elapse(20);
	kvm_exit_stats_complete(vcpu);
	elapse(1000);
	kvm_exit_stats_reopen(vcpu);
	elapse(40);
	put(vcpu);
	elapse(1000);
	shim_cpu = 1;
	load(vcpu);
	elapse(80);
	kvm_exit_stats_complete(vcpu);
	elapse(1000);
	put(vcpu);

	assert_int_equal(exits(vcpu, 30), 1);
	assert_int_equal(cycles(vcpu, 30), 150);
	assert_int_equal(total_cycles(vcpu), 150);
	assert_int_equal(-shim_percpu_kvm_cpu_exit_stats[1].reasons[30].neg_cycles, 80);
}

/* VMX may emulate a guest without entering it, and user space may be asked for something. */
static void completion_without_an_exit_is_not_accounted(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];

	exit_of(vcpu, 30, 10);
	vcpu->exit_reason = 33;
	for (int i = 0; i < 2; i++) {
		elapse(10);
		kvm_exit_stats_stop(vcpu);
		kvm_exit_stats_reopen(vcpu);
		elapse(10);
		kvm_exit_stats_complete(vcpu);
	}
	assert_int_equal(total_cycles(vcpu), 10);
	assert_int_equal(total_exits(vcpu), 1);
}

static void completion_is_not_accounted_while_off(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];

	exit_of(vcpu, 30, 10);
	set_scope("off");
	kvm_exit_stats_reopen(vcpu);
	elapse(20);
	set_scope("vm");
	elapse(20);
	kvm_exit_stats_complete(vcpu);

	kvm_exit_stats_reopen(vcpu);
	elapse(20);
	set_scope("off");
	set_scope("vm");
	elapse(20);
	kvm_exit_stats_complete(vcpu);
	assert_int_equal(cycles(vcpu, 30), 10);
}

static void a_cancelled_exit_is_none(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];

	kvm_exit_stats_start(vcpu);
	vcpu->exit_reason = 0xdead;
	kvm_exit_stats_cancel(vcpu);
	elapse(10);
	kvm_exit_stats_stop(vcpu);
	assert_int_equal(total_exits(vcpu), 0);
	assert_int_equal(total_cycles(vcpu), 0);
}

static void an_entry_of_user_space_wins(void **state)
{
	struct kvm_cpuid_entry2 entries[] = {
		{ .function = 1, .ecx = 1U << 31 },
		{ .function = 0x4ffffffe, .index = 10, .flags = 1,
		  .eax = 1, .ebx = 2, .ecx = 3, .edx = 4 },
		{ .function = 0x4ffffffb },
	};
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];

	exit_of(vcpu, 10, 5);
	set_cpuid(vcpu, entries, 1);
	assert_int_equal(exits(vcpu, 10), 1);
	set_cpuid(vcpu, entries, 3);
	assert_regs(read_leaf(vcpu, 0x4ffffffe, 10), 1, 2, 3, 4);
	assert_regs(read_leaf(vcpu, 0x4ffffffb, 7), 0, 0, 0, 0);
	assert_regs(read_leaf(vcpu, 0x4fffffff, 10), 0, 0, 5, 0);
	assert_int_equal(exits(vcpu, 12), 0);
	assert_int_equal(total_exits(vcpu), 1);
}

/* Neither before user space has set the guest's CPUID, nor if that denies a hypervisor */
static void without_a_hypervisor_nothing_is_served(void **state)
{
	struct kvm_cpuid_entry2 entries[] = {
		{ .function = 1, .ecx = ~(1U << 31) },
		{ .function = 0x4ffffffc, .eax = 7 },
	};
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];

	for (int nent = 0; nent <= 2; nent++) {
		set_cpuid(vcpu, entries, nent);
		for (u32 leaf = 0x4ffffffb; leaf; leaf = leaf == 0x4fffffff ? 0 : leaf + 1) {
			struct regs r = { leaf, 1, 2, 3 };

			assert_false(cpuid(vcpu, &r));
			assert_regs(r, leaf, 1, 2, 3);
		}
	}
	set_cpuid(vcpu, hypervisor, 1);
	exit_of(vcpu, 10, 5);
	assert_int_equal(exits(vcpu, 10), 1);
}

/* Enable the capability for a VM that has no vCPUs yet. */
static int ask_for(struct kvm *kvm, u64 scope)
{
	kvm->created_vcpus = 0;
	return kvm_exit_stats_enable_cap(kvm, scope);
}

/* The scope that a guest reads, 0 if it is not served */
static u32 served_scope(struct kvm *kvm)
{
	struct regs r = { .eax = 0x4ffffffb };

	return cpuid(&kvm->vcpu[0], &r) ? r.eax >> 16 & 0xff : 0;
}

/* By the host's parameter, and by what the VMM asked for, if anything */
static void the_narrower_scope_is_served(void **state)
{
	static const struct {
		const char *policy;
		u32 nothing, off, vm, host;
	} rows[] = {
		{ "off",  0, 0, 0, 0 },
		{ "vm",   1, 0, 1, 1 },
		{ "host", 2, 0, 1, 2 },
		{ "ask",  0, 0, 1, 1 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set_scope(rows[i].policy);
		assert_int_equal(served_scope(&vm[1]), rows[i].nothing);
	}
	for (u32 scope = 0; scope <= 2; scope++) {
		set_scope("host");
		assert_int_equal(ask_for(&vm[0], scope), 0);
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			set_scope(rows[i].policy);
			assert_int_equal(served_scope(&vm[0]), scope == 0 ? rows[i].off :
					 scope == 1 ? rows[i].vm : rows[i].host);
			/* The other VM's VMM did not ask. */
			assert_int_equal(served_scope(&vm[1]), rows[i].nothing);
		}
	}
}

static void what_is_not_served_is_counted(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];

	set_scope("ask");
	exit_of(vcpu, 10, 5);
	assert_int_equal(served_scope(&vm[0]), 0);
	set_scope("vm");
	assert_int_equal(exits(vcpu, 10), 1);
}

static void a_vmm_asks_for_what_is_known_and_in_time(void **state)
{
	static const u64 unknown[] = { 3, 4, 31, 32, 64, 0x103, 0x201, 1ULL << 32, UINT64_MAX };

	set_scope("off");
	assert_int_equal(kvm_exit_stats_check_cap(), 0x107);
	set_scope("host");
	assert_int_equal(kvm_exit_stats_check_cap(), 0x107);
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		assert_int_equal(ask_for(&vm[0], unknown[i]), -EINVAL);
	/* Nothing was asked for so far. */
	assert_int_equal(served_scope(&vm[0]), 2);

	assert_int_equal(ask_for(&vm[0], 1), 0);
	vm[0].created_vcpus = 1;
	for (u64 scope = 0; scope <= 2; scope++)
		assert_int_equal(kvm_exit_stats_enable_cap(&vm[0], scope), -EINVAL);
	assert_int_equal(served_scope(&vm[0]), 1);
}

/* What the host causes is in the total, but no leaf tells it. */
static void folded_reasons_are_in_the_total_alone(void **state)
{
	static const u16 folded[] = { 0, 1, 3, 5, 6, 41, 62 };
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];

	for (u16 reason = 0; reason <= 85; reason++)
		exit_of(vcpu, reason, 10);
	fold(NULL);
	for (u32 reason = 0, next = 0; reason <= 85; reason++) {
		bool told = is_defined(reason);

		if (next < sizeof(folded) / sizeof(folded[0]) && reason == folded[next]) {
			next++;
			told = false;
		}
		if (told) {
			assert_int_equal(exits(vcpu, reason), 1);
			assert_int_equal(cycles(vcpu, reason), 10);
		} else {
			assert_regs(read_leaf(vcpu, 0x4ffffffe, reason), 0, 0, 0, 0xffffffff);
			assert_regs(read_leaf(vcpu, 0x4fffffff, reason), 0, 0, 0, 0xffffffff);
		}
	}
	assert_int_equal(total_exits(vcpu), 86);
	assert_int_equal(total_cycles(vcpu), 860);
	fold("N");
	assert_int_equal(exits(vcpu, 1), 1);
	assert_string_equal(shim_trace, "drain drain ");
}

/* The guest's TSC is one and a half times as fast as the host's. */
static void cycles_are_the_guests(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];

	exit_of(vcpu, 10, 1000);
	vcpu->arch.l1_tsc_scaling_ratio = 3ULL << 47;
	assert_int_equal(cycles(vcpu, 10), 1500);
	assert_int_equal(total_cycles(vcpu), 1500);
	assert_int_equal(exits(vcpu, 10), 1);
	set_scope("host");
	assert_int_equal(cycles(vcpu, 10), 1500);
}

/* The tables that vendor-neutral code goes by */
static void an_isas_reasons_and_slots_are_one_to_one(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(kvm_exit_stats_isas); i++) {
		const struct kvm_exit_stats_isa *isa = &kvm_exit_stats_isas[i];
		bool used[KVM_EXIT_STATS_NR_SLOTS] = {};

		assert_ptr_equal(kvm_exit_stats_find_isa(isa->id), isa);
		for (unsigned int r = 0; r < isa->nr_defined; r++) {
			const struct kvm_exit_stats_range *range = &isa->defined[r];

			for (u64 reason = range->first; reason <= range->last; reason++) {
				u32 slot = kvm_exit_stats_slot_of(isa, reason);

				assert_true(slot < isa->other && !used[slot]);
				used[slot] = true;
				assert_int_equal(kvm_exit_stats_reason_of(isa, slot), reason);
				/* The hot path does without the table. */
				if (reason < isa->nr_direct)
					assert_int_equal(slot, reason);
			}
		}
		assert_true(isa->nr_direct <= isa->other);
		assert_true(isa->other < KVM_EXIT_STATS_NR_SLOTS);
		for (unsigned int r = 0; r < isa->nr_of_host; r++)
			assert_int_not_equal(kvm_exit_stats_slot_of(isa, isa->of_host[r]),
					     isa->other);
		for (unsigned int r = 0; r < isa->nr_names; r++)
			assert_string_equal(kvm_exit_stats_name_of(isa, isa->names[r].mask),
					    isa->names[r].name);
	}
	assert_null(kvm_exit_stats_find_isa(0));
}

static void assert_shows(const struct file_operations *fops, void *private, const char *text)
{
	struct seq_file m = { .private = private };
	size_t size;
	char *buf;

	m.out = open_memstream(&buf, &size);
	assert_non_null(m.out);
	if (fops->show) {
		assert_int_equal(fops->show(&m, NULL), 0);
	} else {
		loff_t pos = 0;

		for (void *v = fops->sops->start(&m, &pos); v; v = fops->sops->next(&m, v, &pos))
			assert_int_equal(fops->sops->show(&m, v), 0);
		fops->sops->stop(&m, NULL);
	}
	fclose(m.out);
	assert_string_equal(buf, text);
	free(buf);
}

/* SVM's reasons are all 32 bits of EXITCODE. */
static void svms_reasons_are_its_exit_codes(void **state)
{
	static const u32 codes[] = { 0, 0x72, 0xa7, 0x400, 0x403, 0xffffffff };
	static const u32 unknown[] = { 0xa8, 0x3ff, 0x404, 0xffff, 0x10072, 0xf0000000,
				       0xfffffffe };
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];

	no_vendor();
	kvm_exit_stats_set_isa(KVM_EXIT_STATS_ISA_SVM);
	kvm_exit_stats_vcpu_init(vcpu);
	assert_regs(read_leaf(vcpu, 0x4ffffffb, 1), 0x86010201, 0x454d564b, 0x53746978, 0x73746174);
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		for (size_t n = 0; n <= i; n++)
			exit_with_code(vcpu, codes[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		assert_int_equal(exits(vcpu, codes[i]), i + 1);
		assert_int_equal(cycles(vcpu, codes[i]), 10 * (i + 1));
	}
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		exit_with_code(vcpu, unknown[i]);
		assert_regs(read_leaf(vcpu, 0x4ffffffe, unknown[i]), 0, 0, 0, 0xffffffff);
		assert_regs(read_leaf(vcpu, 0x4fffffff, unknown[i]), 0, 0, 0, 0xffffffff);
	}
	exit_with_code(vcpu, 0x46);
	assert_shows(&kvm_exit_stats_vcpu_fops, vcpu,
		     "- total 29 290\n0 read_cr0 1 10\n70 UD_excp 1 10\n114 cpuid 2 20\n"
		     "167 unnamed 3 30\n1024 npf 4 40\n1027 vmgexit 5 50\n"
		     "4294967295 invalid_guest_state 6 60\n- other 7 70\n");
	assert_int_equal(total_exits(vcpu), 22 + ARRAY_SIZE(unknown));
	assert_int_equal(total_cycles(vcpu), 10 * (22 + ARRAY_SIZE(unknown)));
	fold("Y");
	assert_regs(read_leaf(vcpu, 0x4ffffffe, 0x60), 0, 0, 0, 0xffffffff);
	assert_regs(read_leaf(vcpu, 0x4ffffffe, 0x52), 0, 0, 0, 0xffffffff);
	assert_int_equal(exits(vcpu, 0x400), 4);
}

static void debugfs_shows_host_vm_and_vcpu(void **state)
{
	/* The total is shown even if there was no exit. */
	assert_shows(&kvm_exit_stats_vcpu_fops, &vm[0].vcpu[0], "- total 0 0\n");
	assert_shows(&kvm_exit_stats_vm_fops, &vm[0], "- total 0 0\n");
	assert_shows(&kvm_exit_stats_host_fops, NULL, "- total 0 0\n");

	exit_of(&vm[0].vcpu[0], 0, 100);
	exit_of(&vm[0].vcpu[1], 5, 200);
	shim_cpu = 1;
	exit_of(&vm[0].vcpu[1], 10, 1ULL << 40);
	exit_of(&vm[1].vcpu[2], 86, 400);

	assert_shows(&kvm_exit_stats_vcpu_fops, &vm[0].vcpu[0],
		     "- total 1 100\n0 EXCEPTION_NMI 1 100\n");
	assert_shows(&kvm_exit_stats_vm_fops, &vm[0],
		     "- total 3 1099511628076\n"
		     "0 EXCEPTION_NMI 1 100\n"
		     "5 unnamed 1 200\n"
		     "10 CPUID 1 1099511627776\n");
	assert_shows(&kvm_exit_stats_vm_fops, &vm[1], "- total 1 400\n- other 1 400\n");
	assert_shows(&kvm_exit_stats_host_fops, NULL,
		     "- total 4 1099511628476\n"
		     "0 EXCEPTION_NMI 1 100\n"
		     "5 unnamed 1 200\n"
		     "10 CPUID 1 1099511627776\n"
		     "- other 1 400\n"
		     "cpu0 - total 2 300\n"
		     "cpu0 0 EXCEPTION_NMI 1 100\n"
		     "cpu0 5 unnamed 1 200\n"
		     "cpu1 - total 2 1099511628176\n"
		     "cpu1 10 CPUID 1 1099511627776\n"
		     "cpu1 - other 1 400\n");
}

/* Each CPU shows the cycles spent on it, even if another one counted the exit. */
static void debugfs_shows_cycles_of_a_migrated_exit(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];

	begin(vcpu, 12);
	elapse(10);
	put(vcpu);
	shim_cpu = 1;
	load(vcpu);
	elapse(20);
	kvm_exit_stats_stop(vcpu);
	assert_shows(&kvm_exit_stats_host_fops, NULL,
		     "- total 1 30\n12 HLT 1 30\ncpu0 - total 1 10\ncpu0 12 HLT 1 10\n"
		     "cpu1 - total 0 20\ncpu1 12 HLT 0 20\n");
}

/* A random sequence: all time on a CPU is accounted, once, to that CPU. */
static void sums_agree_after_any_sequence(void **state)
{
	struct { u64 exits, cycles; } sum = {};
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];
	u64 expected = 0, n = 0, this = 0, longest[90] = {};
	bool open = false, counted = false;
	u32 reason = 0;

	srand(1);
	for (int i = 0; i < 200000; i++) {
		/* Exits of one or two cycles are taken for states. */
		u64 ticks = 3 + rand() % 1000;

		elapse(ticks);
		if (open) {
			expected += ticks;
			this += ticks;
			longest[reason] = max_t(u64, longest[reason], this);
		}
		switch (rand() % 5) {
		case 0:
			kvm_exit_stats_stop(vcpu);
			counted = open;
			open = false;
			break;
		case 2:
			/* What is closed is completed, if there was an exit. */
			if (open || !counted)
				break;
			kvm_exit_stats_reopen(vcpu);
			open = true;
			break;
		case 1:
			put(vcpu);
			shim_tsc[0] += rand();
			shim_tsc[1] += rand();
			shim_cpu = rand() % SHIM_CPUS;
			load(vcpu);
			break;
		default:
			if (open)
				break;
			reason = rand() % 90;
			begin(vcpu, reason);
			open = true;
			this = 0;
			n++;
		}
	}
	kvm_exit_stats_stop(vcpu);
	for (reason = 0; reason < ARRAY_SIZE(longest); reason++) {
		if (is_defined(reason))
			assert_longest(vcpu, LONGEST, reason, longest[reason], longest[reason]);
	}

	assert_int_equal(total_cycles(vcpu), expected);
	assert_int_equal(total_exits(vcpu), n);
	for (u32 slot = 0; slot < KVM_EXIT_STATS_NR_SLOTS; slot++) {
		struct kvm_exit_stat *stat = &vcpu->arch.exit_stats.reasons[slot].stat;
		u64 cpu_exits = 0, cpu_cycles = 0;

		for (int cpu = 0; cpu < SHIM_CPUS; cpu++) {
			struct kvm_exit_stats *stats = &shim_percpu_kvm_cpu_exit_stats[cpu];

			cpu_exits += stats->reasons[slot].exits;
			cpu_cycles -= stats->reasons[slot].neg_cycles;
		}
		assert_int_equal(cpu_exits, stat->exits);
		assert_int_equal(cpu_cycles, -stat->neg_cycles);
		sum.exits += cpu_exits;
		sum.cycles += cpu_cycles;
	}
	assert_int_equal(sum.exits, n);
	assert_int_equal(sum.cycles, expected);
}

static void the_longest_exit_of_each_reason_is_kept(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0], *other = &vm[0].vcpu[1];

	exit_of(vcpu, 10, 20);
	exit_of(vcpu, 10, 1ull << 33);
	exit_of(vcpu, 10, 30);
	exit_of(vcpu, 12, 7);
	assert_longest(vcpu, LONGEST, 10, 1ull << 33, 1ull << 33);
	assert_longest(vcpu, LONGEST, 12, 7, 7);
	assert_longest(vcpu, LONGEST, 30, 0, 0);
	exit_of(vcpu, 10, 25);
	exit_of(vcpu, 10, 24);
	assert_longest(vcpu, LONGEST, 10, 1ull << 33, 25);

	/* The VM has the longest of all vCPUs.  What one takes from itself, the VM lacks. */
	exit_of(vcpu, 12, 5);
	exit_of(other, 12, 6);
	assert_longest(vcpu, LONGEST - OF_VCPU, 12, 7, 5);
	assert_longest(vcpu, LONGEST, 12, 7, 6);
	exit_of(vcpu, 12, 4);
	exit_of(other, 12, 9);
	assert_longest(vcpu, LONGEST, 12, 9, 9);
	assert_longest(vcpu, LONGEST - OF_VCPU, 12, 7, 0);
	assert_longest(&vm[1].vcpu[0], LONGEST, 12, 0, 0);

	/* CPUs have none, so the host has none. */
	exit_of(vcpu, 12, 100);
	set_scope("host");
	assert_regs(read_leaf(vcpu, LONGEST, 12), 0, 0, 0, 0xffffffff);
	assert_longest(vcpu, LONGEST - OF_VCPU, 12, 100, 100);
}

/* Off the CPU and in user space, it takes none of its cycles. */
static void the_parts_of_an_exit_are_one_exit(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];

	begin(vcpu, 30);
	elapse(10);
	put(vcpu);
	elapse(1000);
	load(vcpu);
	elapse(20);
	put(vcpu);
	elapse(1000);
	load(vcpu);
	elapse(5);
	kvm_exit_stats_stop(vcpu);
	assert_longest(vcpu, LONGEST, 30, 35, 35);
	elapse(1000);
	kvm_exit_stats_reopen(vcpu);
	elapse(7);
	kvm_exit_stats_complete(vcpu);
	assert_longest(vcpu, LONGEST, 30, 42, 42);

	/* The same, if it was first handled in one go */
	exit_of(vcpu, 30, 50);
	elapse(1000);
	kvm_exit_stats_reopen(vcpu);
	elapse(1);
	put(vcpu);
	elapse(1000);
	load(vcpu);
	elapse(2);
	kvm_exit_stats_complete(vcpu);
	assert_longest(vcpu, LONGEST, 30, 53, 53);

	/* A later one has nothing of it. */
	begin(vcpu, 30);
	elapse(3);
	put(vcpu);
	load(vcpu);
	elapse(1);
	kvm_exit_stats_stop(vcpu);
	assert_longest(vcpu, LONGEST, 30, 53, 4);
}

static void debugfs_shows_the_longest(void **state)
{
	exit_of(&vm[0].vcpu[0], 10, 5);
	exit_of(&vm[0].vcpu[0], 10, 4);
	exit_of(&vm[0].vcpu[0], 99, 8);
	exit_of(&vm[0].vcpu[1], 10, 6);
	exit_of(&vm[1].vcpu[1], 10, 70);
	assert_shows(&kvm_exit_stats_vcpu_longest_fops, &vm[0].vcpu[0],
		     "10 CPUID 5\n- other 8\n");
	assert_shows(&kvm_exit_stats_vm_longest_fops, &vm[0], "10 CPUID 6\n- other 8\n");
}

/* The ledger: all times are in nanoseconds, as the TSC runs at 1 GHz. */
enum { ELAPSED, GUEST, EXITS, VMM, HALTED, WAITING, ASLEEP, NR_STATES };

#define LEDGER		0x4ffffff8
#define VMM_LEAF	0x4ffffff7

static u64 state_ns(struct kvm_vcpu *vcpu, u32 leaf, u32 state)
{
	struct regs r = read_leaf(vcpu, leaf, state);

	assert_int_equal(r.ecx, 0);
	assert_int_equal(r.edx, 0);
	return (u64)r.ebx << 32 | r.eax;
}

/* What each state has, and their sum */
static void assert_ledger(struct kvm_vcpu *vcpu, u32 leaf, const u64 *want)
{
	u64 elapsed = 0;

	for (u32 state = GUEST; state < NR_STATES; state++) {
		assert_int_equal(state_ns(vcpu, leaf, state), want[state]);
		elapsed += want[state];
	}
	assert_int_equal(state_ns(vcpu, leaf, ELAPSED), elapsed);
}

static void assert_vmm(struct kvm_vcpu *vcpu, u32 reason, u64 returns, u64 ns)
{
	assert_regs(read_leaf(vcpu, VMM_LEAF - OF_VCPU, reason), (u32)returns, returns >> 32,
		    (u32)ns, ns >> 32);
}

/* KVM_RUN: from here on, the vCPU is on a CPU, and its states are known. */
static void run(struct kvm_vcpu *vcpu)
{
	load(vcpu);
	kvm_exit_stats_run_begin(vcpu);
}

static void return_from_run(struct kvm_vcpu *vcpu)
{
	kvm_exit_stats_run_end(vcpu);
	put(vcpu);
}

/* An exit that takes @ticks, then makes KVM_RUN return */
static void exit_to_user(struct kvm_vcpu *vcpu, u16 reason, u64 ticks)
{
	exit_of(vcpu, reason, ticks);
	kvm_exit_stats_exit_to_user(vcpu);
	return_from_run(vcpu);
}

static void sched_out(struct kvm_vcpu *vcpu, bool preempted)
{
	vcpu->preempted = preempted;
	put(vcpu);
}

static void sched_in(struct kvm_vcpu *vcpu, u64 waited)
{
	shim_thread->sched_info.run_delay += waited;
	load(vcpu);
	vcpu->preempted = false;
}

static void each_state_has_its_time(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];
	u64 want[NR_STATES] = {};

	/* Before the first KVM_RUN, other ioctls load and put it, too. */
	load(vcpu);
	elapse(7);
	put(vcpu);
	assert_ledger(vcpu, LEDGER - OF_VCPU, want);

	run(vcpu);
	elapse(want[GUEST] = 1000);
	exit_of(vcpu, 30, want[EXITS] = 200);
	assert_ledger(vcpu, LEDGER - OF_VCPU, want);

	kvm_exit_stats_halt_begin(vcpu);
	elapse(40);
	sched_out(vcpu, false);
	elapse(1 << 20);
	sched_in(vcpu, 0);
	elapse(2);
	kvm_exit_stats_halt_end(vcpu);
	want[HALTED] = 42 + (1 << 20);
	assert_ledger(vcpu, LEDGER - OF_VCPU, want);

	sched_out(vcpu, true);
	elapse(want[WAITING] = 5000);
	sched_in(vcpu, 4999);
	assert_ledger(vcpu, LEDGER - OF_VCPU, want);

	sched_out(vcpu, false);
	elapse(want[ASLEEP] = 600);
	assert_ledger(vcpu, LEDGER - OF_VCPU, want);
	sched_in(vcpu, 0);
	elapse(1);
	want[GUEST]++;

	exit_to_user(vcpu, 30, 3);
	want[EXITS] += 3;
	elapse(want[VMM] = 1ULL << 33);
	assert_ledger(vcpu, LEDGER - OF_VCPU, want);
	assert_ledger(vcpu, LEDGER, want);

	/* Of the VM, and of all VMs */
	run(&vm[0].vcpu[2]);
	run(&vm[1].vcpu[1]);
	elapse(10);
	want[VMM] += 10;
	want[GUEST] += 10;
	assert_ledger(vcpu, LEDGER, want);
	set_scope("host");
	want[GUEST] += 10;
	assert_ledger(vcpu, LEDGER, want);
	want[GUEST] -= 20;
	assert_ledger(vcpu, LEDGER - OF_VCPU, want);
	/* A VM that goes takes its time with it. */
	kvm_exit_stats_pre_destroy_vm(&vm[1]);
	want[GUEST] += 10;
	assert_ledger(vcpu, LEDGER, want);
}

/* What KVM has spent on the exit that reads is no guest's time. */
static void the_exit_that_reads_is_an_exits_time(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];
	u64 want[NR_STATES] = {};

	run(vcpu);
	elapse(want[GUEST] = 100);
	begin(vcpu, 10);
	elapse(want[EXITS] = 30);
	shim_running = vcpu;
	assert_ledger(vcpu, LEDGER - OF_VCPU, want);
	sched_out(vcpu, true);
	elapse(want[WAITING] = 1000);
	sched_in(vcpu, 1000);
	elapse(5);
	want[EXITS] += 5;
	assert_ledger(vcpu, LEDGER - OF_VCPU, want);
	/* Others learn of that later. */
	shim_running = &vm[0].vcpu[1];
	want[GUEST] += 5;
	want[EXITS] -= 5;
	assert_ledger(&vm[0].vcpu[1], LEDGER, want);
	kvm_exit_stats_stop(vcpu);
	want[GUEST] -= 5;
	want[EXITS] += 5;
	assert_ledger(&vm[0].vcpu[1], LEDGER, want);
}

static void undefined_states_say_so(void **state)
{
	static const u32 states[] = { 7, 8, 0x10000, 0x80000000, 0xffffffff };

	run(&vm[0].vcpu[0]);
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		assert_regs(read_leaf(&vm[0].vcpu[0], LEDGER, states[i]), 0, 0, 0, 0xffffffff);
		assert_regs(read_leaf(&vm[0].vcpu[0], LEDGER - OF_VCPU, states[i]), 0, 0, 0,
			    0xffffffff);
	}
	shim_masked = 0;
	read_leaf(&vm[0].vcpu[0], LEDGER, 6);
	assert_int_equal(shim_masked, 1);
}

/* What the thread has waited for a CPU, it was in no other state. */
static void waiting_is_taken_out_of_other_states(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];
	u64 want[NR_STATES] = {};

	run(vcpu);
	kvm_exit_stats_halt_begin(vcpu);
	sched_out(vcpu, false);
	elapse(1000);
	sched_in(vcpu, 300);
	kvm_exit_stats_halt_end(vcpu);
	sched_out(vcpu, false);
	elapse(100);
	sched_in(vcpu, 20);
	exit_to_user(vcpu, 30, 0);
	elapse(50);
	shim_thread->sched_info.run_delay += 30;
	run(vcpu);
	want[HALTED] = 700;
	want[ASLEEP] = 80;
	want[VMM] = 20;
	want[WAITING] = 350;
	assert_ledger(vcpu, LEDGER - OF_VCPU, want);
	assert_vmm(vcpu, 30, 1, 20);

	/* Not more than there was, as the scheduler has another clock */
	kvm_exit_stats_halt_begin(vcpu);
	elapse(10);
	shim_thread->sched_info.run_delay += 11;
	kvm_exit_stats_halt_end(vcpu);
	want[WAITING] += 10;
	assert_ledger(vcpu, LEDGER - OF_VCPU, want);

	/* Nor what another thread, which calls KVM_RUN next, has waited */
	return_from_run(vcpu);
	elapse(100);
	shim_thread = &threads[1];
	shim_thread->sched_info.run_delay = 1000;
	run(vcpu);
	want[VMM] += 100;
	assert_ledger(vcpu, LEDGER - OF_VCPU, want);
}

static void other_ioctls_move_nothing(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];
	u64 want[NR_STATES] = {};

	run(vcpu);
	exit_to_user(vcpu, 30, 5);
	want[EXITS] = 5;
	for (int i = 0; i < 100; i++) {
		load(vcpu);
		elapse(3);
		sched_out(vcpu, i % 2);
		elapse(4);
		sched_in(vcpu, 0);
		put(vcpu);
		want[VMM] += 7;
		assert_ledger(vcpu, LEDGER - OF_VCPU, want);
	}
	assert_vmm(vcpu, 30, 1, 700);
}

/* Time while accounting is off is in no state, nor is what follows until the state is known. */
static void off_ends_the_open_state(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];
	u64 want[NR_STATES] = {};

	run(vcpu);
	elapse(10);
	sched_out(vcpu, false);
	want[GUEST] = 10;
	elapse(want[ASLEEP] = 20);
	set_scope("off");
	elapse(1000);
	assert_shows(&kvm_exit_stats_vcpu_ledger_fops, vcpu,
		     "elapsed 30\nguest 10\nexits 0\nvmm 0\nhalted 0\nwaiting 0\nasleep 20\n");
	set_scope("vm");
	elapse(100);
	assert_ledger(vcpu, LEDGER - OF_VCPU, want);
	/* An exit then is in no state, either, however often accounting goes off and on. */
	exit_of(vcpu, 30, 500);
	assert_ledger(vcpu, LEDGER - OF_VCPU, want);
	set_scope("off");
	set_scope("vm");
	exit_of(vcpu, 30, 70);
	assert_ledger(vcpu, LEDGER - OF_VCPU, want);
	/* It has returned from KVM_RUN meanwhile; another ioctl loads it. */
	load(vcpu);
	elapse(5);
	put(vcpu);
	assert_ledger(vcpu, LEDGER - OF_VCPU, want);
	run(vcpu);
	elapse(1);
	want[GUEST]++;
	assert_ledger(vcpu, LEDGER - OF_VCPU, want);
	exit_of(vcpu, 30, want[EXITS] = 5);
	assert_ledger(vcpu, LEDGER - OF_VCPU, want);

	/* The same for what user space takes */
	exit_to_user(vcpu, 30, 5);
	want[EXITS] += 5;
	elapse(want[VMM] = 8);
	set_scope("off");
	elapse(1000);
	set_scope("vm");
	assert_vmm(vcpu, 30, 1, 8);
	run(vcpu);
	assert_ledger(vcpu, LEDGER - OF_VCPU, want);
	assert_vmm(vcpu, 30, 1, 8);
	/* A hook that accounting goes off under writes nothing. */
	set_scope("off");
	__kvm_exit_stats_halt_begin(vcpu);
	set_scope("vm");
	elapse(5);
	assert_ledger(vcpu, LEDGER - OF_VCPU, want);
}

/* The exit asked for a page, which is late; the guest has not halted. */
static void a_late_page_is_slept_for(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];
	u64 want[NR_STATES] = {};

	run(vcpu);
	vcpu->arch.apf.halted = true;
	kvm_exit_stats_halt_begin(vcpu);
	elapse(want[ASLEEP] = 100);
	kvm_exit_stats_halt_end(vcpu);
	assert_ledger(vcpu, LEDGER - OF_VCPU, want);
}

/* The clocks of CPUs differ a little: no time is negative. */
static void clocks_that_differ_add_nothing(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];
	u64 want[NR_STATES] = {};

	run(vcpu);
	shim_cpu = 1;
	shim_clock[1] -= 500;
	assert_ledger(vcpu, LEDGER - OF_VCPU, want);
	exit_to_user(vcpu, 30, 0);
	shim_cpu = 0;
	want[VMM] = 500;
	assert_ledger(vcpu, LEDGER - OF_VCPU, want);
	shim_cpu = 1;
	run(vcpu);
	want[VMM] = 0;
	assert_ledger(vcpu, LEDGER - OF_VCPU, want);
	assert_vmm(vcpu, 30, 1, 0);
}

/* Exits may take more cycles than there was time, if the TSC is unstable. */
static void exits_are_part_of_the_time_on_the_cpu(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];
	u64 want[NR_STATES] = {};

	run(vcpu);
	elapse(100);
	begin(vcpu, 30);
	shim_tsc[shim_cpu] += 1000;
	kvm_exit_stats_stop(vcpu);
	want[EXITS] = 100;
	assert_ledger(vcpu, LEDGER - OF_VCPU, want);
	/* There is no such TSC, but nothing divides by it. */
	tsc_khz = 0;
	assert_ledger(vcpu, LEDGER - OF_VCPU, want);
	tsc_khz = 20000000;
	want[GUEST] = 50;
	want[EXITS] = 50;
	assert_ledger(vcpu, LEDGER - OF_VCPU, want);
	tsc_khz = 1000000;
}

static void the_vmm_is_billed_to_the_exit_that_asked(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];

	/* A signal: KVM_RUN returns, but on account of no exit */
	run(vcpu);
	exit_of(vcpu, 30, 5);
	return_from_run(vcpu);
	elapse(1000);
	/* What asked while accounting was off, does not when it is on again. */
	run(vcpu);
	exit_of(vcpu, 30, 5);
	set_scope("off");
	kvm_exit_stats_exit_to_user(vcpu);
	return_from_run(vcpu);
	run(vcpu);
	set_scope("vm");
	exit_of(vcpu, 30, 5);
	return_from_run(vcpu);
	/* An exit asks */
	run(vcpu);
	assert_vmm(vcpu, 30, 0, 0);
	exit_to_user(vcpu, 30, 5);
	elapse(100);
	assert_vmm(vcpu, 30, 1, 100);
	/* To complete it, KVM asks once more; the next exit is handled in KVM. */
	run(vcpu);
	kvm_exit_stats_reopen(vcpu);
	elapse(1);
	kvm_exit_stats_complete(vcpu);
	kvm_exit_stats_exit_to_user(vcpu);
	return_from_run(vcpu);
	elapse(10);
	run(vcpu);
	kvm_exit_stats_reopen(vcpu);
	kvm_exit_stats_complete(vcpu);
	exit_of(vcpu, 12, 1);
	/* A request asks, before the guest is entered */
	kvm_exit_stats_no_exit(vcpu, 0);
	kvm_exit_stats_exit_to_user(vcpu);
	return_from_run(vcpu);
	elapse(10000);
	/* The vCPU halts, and what makes it return is not the exit any more. */
	run(vcpu);
	exit_of(vcpu, 12, 1);
	kvm_exit_stats_halt_begin(vcpu);
	kvm_exit_stats_halt_end(vcpu);
	kvm_exit_stats_cancel(vcpu);
	kvm_exit_stats_exit_to_user(vcpu);
	return_from_run(vcpu);
	elapse(10000);
	/* A failed VM entry is an exit, with reason 33. */
	run(vcpu);
	exit_to_user(vcpu, 33, 5);
	elapse(7);

	assert_vmm(vcpu, 30, 2, 110);
	assert_vmm(vcpu, 12, 0, 0);
	assert_vmm(vcpu, 33, 1, 7);
	assert_int_equal(state_ns(vcpu, LEDGER - OF_VCPU, VMM), 21117);
	assert_regs(read_leaf(vcpu, VMM_LEAF, 35), 0, 0, 0, 0xffffffff);
	assert_regs(read_leaf(vcpu, VMM_LEAF, 86), 0, 0, 0, 0xffffffff);
	/* Nobody else's, but in the VM's sum */
	assert_vmm(&vm[0].vcpu[1], 30, 0, 0);
	assert_regs(read_leaf(&vm[0].vcpu[1], VMM_LEAF, 30), 2, 0, 110, 0);
	assert_regs(read_leaf(&vm[1].vcpu[1], VMM_LEAF, 30), 0, 0, 0, 0);
	set_scope("host");
	assert_regs(read_leaf(&vm[1].vcpu[1], VMM_LEAF, 30), 2, 0, 110, 0);
	/* The host may have caused it. */
	run(vcpu);
	exit_to_user(vcpu, 1, 5);
	assert_vmm(vcpu, 1, 1, 0);
	fold("Y");
	assert_regs(read_leaf(vcpu, VMM_LEAF, 1), 0, 0, 0, 0xffffffff);
}

/* Xen's poll halts in an exit, which KVM goes on with afterwards. */
static void halting_in_an_exit_takes_no_cycles(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];
	u64 want[NR_STATES] = {};

	run(vcpu);
	begin(vcpu, 18);
	elapse(10);
	/* If it was resumed before, nothing is added twice. */
	sched_out(vcpu, true);
	elapse(want[WAITING] = 300);
	sched_in(vcpu, 300);
	elapse(4);
	kvm_exit_stats_halt_begin(vcpu);
	elapse(1000);
	sched_out(vcpu, false);
	elapse(10000);
	sched_in(vcpu, 0);
	/* It polls once more. */
	elapse(70);
	sched_out(vcpu, false);
	sched_in(vcpu, 0);
	elapse(30);
	kvm_exit_stats_halt_end(vcpu);
	elapse(5);
	kvm_exit_stats_stop(vcpu);
	assert_int_equal(cycles(vcpu, 18), 19);
	assert_int_equal(exits(vcpu, 18), 1);
	want[EXITS] = 19;
	want[HALTED] = 11100;
	assert_ledger(vcpu, LEDGER - OF_VCPU, want);
}

static void return_meanwhile(void)
{
	exit_to_user(&vm[0].vcpu[0], 30, 0);
	elapse(70);
}

/* A reader that finds a writer reads again, instead of mixing old and new. */
static void a_reader_starts_again(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];

	run(vcpu);
	elapse(30);
	shim_meanwhile = return_meanwhile;
	assert_int_equal(state_ns(vcpu, LEDGER - OF_VCPU, ELAPSED), 100);
	run(vcpu);
	shim_meanwhile = return_meanwhile;
	assert_vmm(vcpu, 30, 2, 140);
}

static void debugfs_shows_the_ledger(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];

	run(vcpu);
	run(&vm[0].vcpu[1]);
	elapse(100);
	exit_to_user(vcpu, 30, 5);
	elapse(1000);
	assert_shows(&kvm_exit_stats_vcpu_ledger_fops, vcpu,
		     "elapsed 1105\nguest 100\nexits 5\nvmm 1000\n"
		     "halted 0\nwaiting 0\nasleep 0\n");
	assert_shows(&kvm_exit_stats_vm_ledger_fops, &vm[0],
		     "elapsed 2210\nguest 1205\nexits 5\nvmm 1000\n"
		     "halted 0\nwaiting 0\nasleep 0\n");
	/* Codes that are not known, too */
	run(vcpu);
	exit_to_user(vcpu, 86, 0);
	exit_to_user(&vm[0].vcpu[1], 30, 0);
	elapse(3);
	assert_shows(&kvm_exit_stats_vcpu_vmm_fops, vcpu,
		     "30 IO_INSTRUCTION 1 1000\n- other 1 3\n");
	assert_shows(&kvm_exit_stats_vm_vmm_fops, &vm[0],
		     "30 IO_INSTRUCTION 2 1003\n- other 1 3\n");
}

/*
 * Whatever a vCPU does, in any order: each state has exactly its time, and user space's
 * is that of the reasons, and of none.
 */
/* What a file of binary statistics holds */
static struct {
	struct kvm_stats_header header;
	char id[KVM_STATS_NAME_SIZE];
	struct kvm_stats_desc desc[600];
	u64 values[600];
} file;

static ssize_t read_stats(struct kvm_vcpu *vcpu, void *to, size_t size, loff_t offset)
{
	loff_t end = offset;
	ssize_t n = vcpu ? kvm_arch_vcpu_stats_read(vcpu, to, size, &end) :
			   kvm_arch_vm_stats_read(&vm[0], to, size, &end);

	assert_int_equal(end, offset + n);
	return n;
}

/* Read the file of the vCPU, or else of the first VM, as user space does. */
static void read_file(struct kvm_vcpu *vcpu)
{
	const struct kvm_stats_header *h = &file.header;
	size_t size_descs, size_values;

	memset(&file, 0xff, sizeof(file));
	assert_int_equal(read_stats(vcpu, &file.header, sizeof(file.header), 0), sizeof(*h));
	assert_true(h->num_desc <= ARRAY_SIZE(file.desc));
	size_descs = h->num_desc * sizeof(file.desc[0]);
	size_values = (h->num_desc - 1 + 33) * sizeof(u64);
	assert_int_equal(h->data_offset, h->desc_offset + size_descs);
	assert_int_equal(read_stats(vcpu, file.id, sizeof(file.id), h->id_offset),
			 sizeof(file.id));
	assert_int_equal(read_stats(vcpu, file.desc, size_descs, h->desc_offset), size_descs);
	/* There is no more of it. */
	assert_int_equal(read_stats(vcpu, file.values, sizeof(file.values), h->data_offset),
			 size_values);
	assert_int_equal(read_stats(vcpu, file.values, 1, h->data_offset + size_values), 0);
	for (u32 i = 0; i < h->num_desc; i++) {
		assert_int_equal(file.desc[i].offset, i * sizeof(u64));
		assert_int_equal(file.desc[i].size, i < h->num_desc - 1 ? 1 : 33);
		assert_int_equal(file.desc[i].bucket_size, 0);
	}
}

static u64 file_value(const char *name)
{
	for (u32 i = 0; i < file.header.num_desc; i++) {
		const struct kvm_stats_desc *desc = &file.desc[i];
		bool ns = strstr(name, "_ns"), cycles = strstr(name, "_cycles");
		bool back = ns && !strstr(name, "time_elapsed_ns");

		if (strcmp(desc->name, name))
			continue;
		assert_int_equal(desc->flags,
				 (back ? KVM_STATS_TYPE_INSTANT :
				  strstr(name, "_max_cycles") ? KVM_STATS_TYPE_PEAK :
								KVM_STATS_TYPE_CUMULATIVE) |
				 (ns ? KVM_STATS_UNIT_SECONDS : cycles ? KVM_STATS_UNIT_CYCLES :
								KVM_STATS_UNIT_NONE));
		assert_int_equal(desc->exponent, ns ? -9 : 0);
		return file.values[i];
	}
	fail_msg("There is no %s", name);
	return 0;
}

#define HISTOGRAM	0x4ffffff5

/* Where an exit of so many cycles is: in EAX to EDX of that group */
static u32 in_bucket(struct kvm_vcpu *vcpu, u32 leaf, u32 reason, u32 bucket)
{
	struct regs r = read_leaf(vcpu, leaf, bucket / 4 << 24 | (reason & 0xffff));

	return bucket % 4 == 0 ? r.eax : bucket % 4 == 1 ? r.ebx : bucket % 4 == 2 ? r.ecx : r.edx;
}

static u64 in_buckets(struct kvm_vcpu *vcpu, u32 leaf, u32 reason)
{
	u64 sum = 0;

	for (u32 bucket = 0; bucket < 32; bucket++)
		sum += in_bucket(vcpu, leaf, reason, bucket);
	return sum;
}

static void assert_no_buckets(struct kvm_vcpu *vcpu, u32 leaf, u32 index)
{
	assert_regs(read_leaf(vcpu, leaf, index), 0, 0, 0, 0xffffffff);
}

static void an_exit_is_in_the_bucket_of_its_cycles(void **state)
{
	static const struct { u64 ticks; u32 bucket; } exits[] = {
		{ 0, 0 }, { 1, 0 }, { 2, 1 }, { 3, 1 }, { 4, 2 }, { 1023, 9 }, { 1024, 10 },
		{ (1ull << 31) - 1, 30 }, { 1ull << 31, 31 }, { 1ull << 40, 31 },
	};
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];
	u32 want[32] = {};

	assert_int_equal(histograms("Y"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(exits); i++) {
		exit_of(vcpu, 12, exits[i].ticks);
		want[exits[i].bucket]++;
		for (u32 bucket = 0; bucket < 32; bucket++) {
			assert_int_equal(in_bucket(vcpu, HISTOGRAM, 12, bucket), want[bucket]);
			assert_int_equal(in_bucket(vcpu, HISTOGRAM - OF_VCPU, 12, bucket),
					 want[bucket]);
		}
	}
	assert_int_equal(in_buckets(&vm[0].vcpu[1], HISTOGRAM, 12), ARRAY_SIZE(exits));
	assert_int_equal(in_buckets(&vm[0].vcpu[1], HISTOGRAM - OF_VCPU, 12), 0);
	assert_int_equal(in_buckets(&vm[1].vcpu[0], HISTOGRAM, 12), 0);

	/* The host has none. */
	set_scope("host");
	assert_no_buckets(vcpu, HISTOGRAM, 12);
	assert_int_equal(in_buckets(vcpu, HISTOGRAM - OF_VCPU, 12), ARRAY_SIZE(exits));
}

static void buckets_say_if_they_are_none(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];
	u64 *buckets;

	assert_no_buckets(vcpu, HISTOGRAM, 12);
	assert_no_buckets(vcpu, HISTOGRAM - OF_VCPU, 12);
	assert_int_equal(histograms("Y"), 0);
	for (u32 reason = 0; reason < 256; reason++) {
		for (u32 group = 0; group < 8 && is_defined(reason); group++)
			assert_regs(read_leaf(vcpu, HISTOGRAM, group << 24 | reason), 0, 0, 0, 0);
		if (!is_defined(reason))
			assert_no_buckets(vcpu, HISTOGRAM, reason);
	}
	assert_no_buckets(vcpu, HISTOGRAM, 0xffff);
	for (u32 bit = 8; bit < 32; bit++) {
		if (bit < 24 || bit > 26)
			assert_no_buckets(vcpu, HISTOGRAM, 1u << bit | 12);
	}

	/* Nor do they look like none. */
	buckets = vcpu->arch.exit_stats.histogram->buckets[12];
	buckets[3] = 0xffffffff;
	assert_regs(read_leaf(vcpu, HISTOGRAM, 12), 0, 0, 0, 0xfffffffe);
	buckets[0] = 1;
	assert_regs(read_leaf(vcpu, HISTOGRAM, 12), 1, 0, 0, 0xffffffff);

	fold("Y");
	assert_no_buckets(vcpu, HISTOGRAM, 1);
	fold("N");
	shim_masked = 0;
	read_leaf(vcpu, HISTOGRAM, 7 << 24 | 12);
	assert_int_equal(shim_masked, 2);
}

/* When it is done with, it is in the bucket of all of its parts, in no other. */
static void an_exit_moves_to_its_bucket(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];

	assert_int_equal(histograms("Y"), 0);
	begin(vcpu, 30);
	elapse(3);
	put(vcpu);
	assert_int_equal(in_bucket(vcpu, HISTOGRAM, 30, 1), 1);
	load(vcpu);
	elapse(100);
	kvm_exit_stats_stop(vcpu);
	assert_int_equal(in_bucket(vcpu, HISTOGRAM, 30, 6), 1);
	kvm_exit_stats_reopen(vcpu);
	elapse(1000);
	kvm_exit_stats_complete(vcpu);
	assert_int_equal(in_bucket(vcpu, HISTOGRAM, 30, 10), 1);
	assert_int_equal(in_buckets(vcpu, HISTOGRAM, 30), 1);

	exit_of(vcpu, 30, 3);
	assert_int_equal(in_bucket(vcpu, HISTOGRAM, 30, 1), 1);
	kvm_exit_stats_reopen(vcpu);
	elapse(5);
	kvm_exit_stats_complete(vcpu);
	assert_int_equal(in_bucket(vcpu, HISTOGRAM, 30, 3), 1);
	assert_int_equal(in_buckets(vcpu, HISTOGRAM, 30), 2);
}

/* Counted while they are off, it goes on when they are, or not, or is put. */
static void an_exit_that_is_in_no_bucket_moves_none_that_is(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];

	assert_int_equal(histograms("Y"), 0);
	for (u32 way = 0; way < 3; way++) {
		exit_of(vcpu, 30, 8);
		assert_int_equal(histograms("N"), 0);
		begin(vcpu, 30);
		/* On again, one of as many cycles could not be told apart. */
		elapse(way == 0 ? 16 : 8);
		if (way == 2) {
			put(vcpu);
			load(vcpu);
			elapse(100);
		}
		kvm_exit_stats_stop(vcpu);
		if (way == 0)
			assert_int_equal(histograms("Y"), 0);
		if (way < 2) {
			kvm_exit_stats_reopen(vcpu);
			elapse(100);
			kvm_exit_stats_complete(vcpu);
		}
		assert_int_equal(histograms("Y"), 0);
		assert_int_equal(in_bucket(vcpu, HISTOGRAM, 30, 3), way + 1);
		assert_int_equal(in_buckets(vcpu, HISTOGRAM, 30), way + 1);
	}
}

/* Switched at any time, what is counted while it is on is in a bucket, and nothing else. */
static void buckets_grow_with_exits_while_they_are_on(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];
	u64 off = 0, counted = 0;
	bool open = false, on = false;

	srand(1);
	for (int i = 0; i < 100000; i++) {
		elapse(3 + rand() % 1000);
		switch (rand() % 6) {
		case 0:
			if (open)
				break;
			begin(vcpu, 30);
			open = true;
			counted = 0;
			break;
		case 1:
			kvm_exit_stats_stop(vcpu);
			if (open && !counted)
				off += !on;
			counted = 1;
			open = false;
			break;
		case 2:
			if (open || !exits(vcpu, 30))
				break;
			kvm_exit_stats_reopen(vcpu);
			elapse(rand() % 10000);
			kvm_exit_stats_complete(vcpu);
			break;
		case 3:
			put(vcpu);
			if (open && !counted)
				off += !on;
			if (open)
				counted = 1;
			load(vcpu);
			break;
		case 4:
			if (rand() % 10)
				break;
			on = !on;
			assert_int_equal(histograms(on ? "Y" : "N"), 0);
		}
		if (on)
			assert_int_equal(in_buckets(vcpu, HISTOGRAM, 30) + off +
					 (open && !counted), exits(vcpu, 30));
	}
}

static void a_vmm_asks_for_histograms(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];

	vm[0].created_vcpus = 0;
	assert_int_equal(kvm_exit_stats_enable_cap(&vm[0], SCOPE_VM | 0x100), 0);
	kvm_exit_stats_vcpu_create_histogram(vcpu);
	assert_no_buckets(vcpu, HISTOGRAM, 12);
	for (int i = 1; i < SHIM_VCPUS; i++)
		kvm_exit_stats_vcpu_create_histogram(&vm[0].vcpu[i]);
	exit_of(vcpu, 12, 7);
	assert_int_equal(in_bucket(vcpu, HISTOGRAM, 12, 2), 1);
	assert_no_buckets(&vm[1].vcpu[0], HISTOGRAM, 12);

	/* The host may have them on for all, but not off for those who asked. */
	assert_int_equal(histograms("Y"), 0);
	assert_int_equal(in_buckets(&vm[1].vcpu[0], HISTOGRAM, 12), 0);
	assert_int_equal(histograms("N"), 0);
	assert_no_buckets(&vm[1].vcpu[0], HISTOGRAM, 12);
	assert_int_equal(in_buckets(vcpu, HISTOGRAM, 12), 1);
}

static void without_memory_there_are_no_histograms(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];

	shim_allocations = 1;
	assert_int_equal(histograms("Y"), -ENOMEM);
	assert_false(exit_stats_histogram);
	exit_of(vcpu, 12, 7);
	assert_int_equal(exits(vcpu, 12), 1);
	assert_no_buckets(vcpu, HISTOGRAM - OF_VCPU, 12);
	assert_int_equal(histograms("maybe"), -EINVAL);

	shim_allocations = 0;
	vm[1].arch.exit_stats.histogram = true;
	kvm_exit_stats_vcpu_create_histogram(&vm[1].vcpu[0]);
	exit_of(&vm[1].vcpu[0], 12, 7);
	assert_no_buckets(&vm[1].vcpu[0], HISTOGRAM - OF_VCPU, 12);
}

static void debugfs_shows_buckets(void **state)
{
	assert_int_equal(histograms("Y"), 0);
	exit_of(&vm[0].vcpu[0], 10, 5);
	exit_of(&vm[0].vcpu[0], 10, 4);
	exit_of(&vm[0].vcpu[0], 99, 8);
	exit_of(&vm[0].vcpu[1], 10, 1000);
	exit_of(&vm[1].vcpu[1], 10, 70);
	assert_int_equal(histograms("N"), 0);
	exit_of(&vm[0].vcpu[0], 10, 5);
	assert_shows(&kvm_exit_stats_vcpu_histogram_fops, &vm[0].vcpu[0],
		     "10 CPUID 2 2\n- other 3 1\n");
	assert_shows(&kvm_exit_stats_vm_histogram_fops, &vm[0],
		     "10 CPUID 2 2\n10 CPUID 9 1\n- other 3 1\n");
}

static void a_file_has_a_histogram(void **state)
{
	const u64 *buckets;

	assert_int_equal(histograms("Y"), 0);
	exit_of(&vm[0].vcpu[0], 10, 0);
	exit_of(&vm[0].vcpu[0], 10, 5);
	exit_of(&vm[0].vcpu[0], 12, 7);
	exit_of(&vm[0].vcpu[1], 99, 1ull << 60);
	read_file(NULL);
	assert_string_equal(file.desc[file.header.num_desc - 1].name, "vm_exit_cycles_hist");
	assert_int_equal(file.desc[file.header.num_desc - 1].flags,
			 KVM_STATS_TYPE_LOG_HIST | KVM_STATS_UNIT_CYCLES);
	buckets = &file.values[file.header.num_desc - 1];
	for (u32 i = 0; i < 33; i++)
		assert_int_equal(buckets[i], i == 1 ? 1 : i == 3 ? 2 : i == 32 ? 1 : 0);
}

static void a_file_has_reasons_and_states(void **state)
{
	static const char *const names[] = { "elapsed", "guest", "exits", "vmm", "halted",
					     "waiting", "asleep" };
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];
	u64 ns[KVM_EXIT_STATS_NR_STATES];

	strcpy(vcpu->stats_id, "kvm-1/vcpu-0");
	strcpy(vm[0].stats_id, "kvm-1");
	vcpu->stat.own = 7;
	vm[0].stat.own = 9;
	run(vcpu);
	exit_of(vcpu, EXIT_REASON_EXCEPTION_NMI, 3);
	exit_of(vcpu, EXIT_REASON_XSETBV, 20);
	exit_of(vcpu, EXIT_REASON_XSETBV, 20);
	/* Without a name, not defined, and beyond those that are */
	exit_of(vcpu, 5, 5);
	exit_of(vcpu, 35, 6);
	exit_of(vcpu, 0x7fff, 4);
	exit_to_user(vcpu, EXIT_REASON_IO_INSTRUCTION, 5);
	elapse(100);
	run(&vm[0].vcpu[1]);
	exit_of(&vm[0].vcpu[1], EXIT_REASON_XSETBV, 1);
	exit_of(&vm[1].vcpu[1], EXIT_REASON_XSETBV, 1);

	read_file(vcpu);
	assert_string_equal(file.id, "kvm-1/vcpu-0");
	assert_string_equal(file.desc[0].name, "own");
	assert_int_equal(file.values[0], 7);
	assert_int_equal(file_value("vmx_exception_nmi_exits"), 1);
	assert_int_equal(file_value("vmx_exception_nmi_cycles"), 3);
	assert_int_equal(file_value("vmx_xsetbv_exits"), 2);
	assert_int_equal(file_value("vmx_xsetbv_cycles"), 40);
	assert_int_equal(file_value("vmx_xsetbv_vmm_returns"), 0);
	assert_int_equal(file_value("vmx_xsetbv_max_cycles"), 20);
	assert_int_equal(file_value("vmx_unnamed_max_cycles"), 6);
	assert_int_equal(file_value("vmx_io_instruction_exits"), 1);
	assert_int_equal(file_value("vmx_io_instruction_vmm_returns"), 1);
	assert_int_equal(file_value("vmx_io_instruction_vmm_ns"), 102);
	assert_int_equal(file_value("vmx_unnamed_exits"), 3);
	assert_int_equal(file_value("vmx_unnamed_cycles"), 15);
	assert_int_equal(file_value("vmx_cpuid_exits"), 0);
	kvm_exit_stats_read_ledger(&vcpu->arch.exit_stats, ns);
	assert_int_equal(ns[VMM], 102);
	for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
		char name[48];

		snprintf(name, sizeof(name), "time_%s_ns", names[i]);
		assert_int_equal(file_value(name), ns[i]);
	}

	/* The VM's has its vCPUs', and no other VM's. */
	read_file(NULL);
	assert_string_equal(file.id, "kvm-1");
	assert_int_equal(file.values[0], 9);
	assert_int_equal(file_value("vm_vmx_xsetbv_exits"), 3);
	assert_int_equal(file_value("vm_vmx_xsetbv_cycles"), 41);
	assert_int_equal(file_value("vm_vmx_xsetbv_max_cycles"), 20);
	assert_int_equal(file_value("vm_vmx_io_instruction_vmm_ns"), 102);
	assert_int_equal(file_value("vm_time_elapsed_ns"), 63 + 102 + 2);
}

/* A file keeps the VM, but not the vendor module. */
static void a_file_outlives_the_vendor(void **state)
{
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];

	exit_of(vcpu, EXIT_REASON_XSETBV, 20);
	no_vendor();
	read_file(vcpu);
	assert_int_equal(file_value("vmx_xsetbv_exits"), 1);
	read_file(NULL);
	assert_int_equal(file_value("vm_vmx_xsetbv_cycles"), 20);
}

static void svms_file_has_its_reasons(void **state)
{
	static const u32 codes[] = { 0, 0x72, 0xa6, 0x400, 0x403, 0xffffffff, 0xa7, 0xa8, 0x404,
				     0x80000001 };
	struct kvm_vcpu *vcpu = &vm[0].vcpu[0];

	no_vendor();
	kvm_exit_stats_set_isa(KVM_EXIT_STATS_ISA_SVM);
	kvm_exit_stats_vcpu_init(vcpu);
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		for (size_t n = 0; n <= i; n++)
			exit_with_code(vcpu, codes[i]);
	}
	exit_with_code(vcpu, 0x46);

	read_file(vcpu);
	assert_int_equal(file_value("svm_read_cr0_exits"), 1);
	assert_int_equal(file_value("svm_cpuid_exits"), 2);
	assert_int_equal(file_value("svm_npf_exits"), 4);
	assert_int_equal(file_value("svm_npf_cycles"), 40);
	assert_int_equal(file_value("svm_vmgexit_exits"), 5);
	assert_int_equal(file_value("svm_invalid_guest_state_exits"), 6);
	assert_int_equal(file_value("svm_ud_excp_exits"), 1);
	assert_int_equal(file_value("svm_avic_unaccelerated_access_vmm_returns"), 0);
	/* Newer headers may have a name for the third and the seventh. */
	assert_in_range(file_value("svm_unnamed_exits"), 8 + 9 + 10, 3 + 7 + 8 + 9 + 10);
	for (u32 i = 0; i < file.header.num_desc; i++)
		assert_null(strstr(file.desc[i].name, "mmio_read"));
}

static void states_add_up_after_any_sequence(void **state)
{
	struct { u64 returns, ns; } vmm[SHIM_VCPUS][35] = {};
	struct {
		enum { OUT = 1, IN, HALT } where;
		bool counted, preempted;
		int reason, billed;
		u64 ns[NR_STATES];
	} v[SHIM_VCPUS] = {};

	srand(2);
	for (int i = 0; i < 300000; i++) {
		int n = rand() % SHIM_VCPUS;
		struct kvm_vcpu *vcpu = &vm[0].vcpu[n];
		u64 ns = rand() % 1000, waited = rand() % (ns + 1);

		shim_cpu = rand() % SHIM_CPUS;
		shim_thread = &threads[n];
		switch (v[n].where * 8 + rand() % 8) {
		case IN * 8 ... IN * 8 + 1:
			v[n].reason = rand() % 35;
			v[n].counted = true;
			/* An exit of one cycle looks as if there was none. */
			ns += 2;
			exit_of(vcpu, v[n].reason, ns);
			v[n].ns[EXITS] += ns;
			break;
		case IN * 8 + 2:
			exit_of(vcpu, v[n].reason = rand() % 35, 0);
			v[n].counted = true;
			/* fallthrough */
		case IN * 8 + 3:
			/* A signal, the exit, or one that was to be completed */
			v[n].billed = -1;
			if (rand() % 2) {
				kvm_exit_stats_exit_to_user(vcpu);
				v[n].billed = v[n].counted ? v[n].reason : -1;
			}
			if (v[n].billed >= 0)
				vmm[n][v[n].billed].returns++;
			return_from_run(vcpu);
			v[n].where = OUT;
			ns = 0;
			break;
		case IN * 8 + 4:
			kvm_exit_stats_halt_begin(vcpu);
			v[n].where = HALT;
			ns = 0;
			break;
		case IN * 8 + 5 ... IN * 8 + 6:
			v[n].preempted = rand() % 2;
			sched_out(vcpu, v[n].preempted);
			elapse(ns);
			sched_in(vcpu, v[n].preempted ? ns : waited);
			v[n].ns[WAITING] += v[n].preempted ? ns : waited;
			v[n].ns[ASLEEP] += v[n].preempted ? 0 : ns - waited;
			break;
		case IN * 8 + 7:
			elapse(ns);
			v[n].ns[GUEST] += ns;
			break;
		case HALT * 8 ... HALT * 8 + 3:
			sched_out(vcpu, rand() % 2);
			elapse(ns);
			sched_in(vcpu, 0);
			v[n].ns[HALTED] += ns;
			break;
		case HALT * 8 + 4 ... HALT * 8 + 7:
			elapse(ns);
			shim_thread->sched_info.run_delay += waited;
			kvm_exit_stats_halt_end(vcpu);
			v[n].ns[HALTED] += ns - waited;
			v[n].ns[WAITING] += waited;
			v[n].where = IN;
			break;
		default:
			/* Not in KVM_RUN, or never was: other ioctls, then KVM_RUN. */
			load(vcpu);
			sched_out(vcpu, rand() % 2);
			elapse(ns);
			sched_in(vcpu, 0);
			put(vcpu);
			if (v[n].where == OUT) {
				v[n].ns[VMM] += ns;
				if (v[n].billed >= 0)
					vmm[n][v[n].billed].ns += ns;
			}
			if (rand() % 4)
				break;
			run(vcpu);
			v[n].where = IN;
		}
		/* Meanwhile, the others stay in the states that they are in. */
		for (int j = 0; j < SHIM_VCPUS; j++) {
			static const int states[] = { 0, VMM, GUEST, HALTED };

			if (j == n || !v[j].where)
				continue;
			v[j].ns[states[v[j].where]] += ns;
			if (v[j].where == OUT && v[j].billed >= 0)
				vmm[j][v[j].billed].ns += ns;
		}
		assert_ledger(vcpu, LEDGER - OF_VCPU, v[n].ns);
		if (v[n].where == OUT && v[n].billed >= 0)
			assert_vmm(vcpu, v[n].billed, vmm[n][v[n].billed].returns,
				   vmm[n][v[n].billed].ns);
	}
}

#define test(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(encodes_over_the_32_bit_boundary),
		test(signature_names_version_isa_and_scope),
		test(other_leaves_are_not_served),
		test(undefined_reasons_say_so),
		test(which_reasons_have_occurred),
		test(svms_reasons_lead_to_each_other),
		test(a_vcpu_reads_its_own),
		test(an_index_of_the_guests_is_masked),
		test(every_reason_has_its_own_counter),
		test(unknown_reasons_are_in_the_total),
		test(scope_selects_what_is_summed),
		test(the_hosts_total_is_of_all_slots),
		test(off_serves_and_counts_nothing),
		test(an_exit_is_counted_before_its_cycles_are),
		test(only_on_cpu_time_is_accounted),
		test(nothing_is_accounted_without_an_exit),
		test(keys_are_flipped_in_a_safe_order),
		test(an_exit_in_flight_is_dropped_when_counting_stops),
		test(what_was_missed_is_dropped_before_it_could_end),
		test(a_load_before_switching_on_hides_no_start),
		test(a_put_without_a_load_bills_nothing),
		test(bad_parameters_change_nothing),
		test(without_a_vendor_nothing_is_counted),
		test(being_put_while_closing_loses_nothing),
		test(an_exit_without_duration_is_counted),
		test(a_tsc_that_is_set_back_bills_nothing),
		test(the_exits_tsc_is_read_once),
		test(completion_belongs_to_the_exit),
		test(completion_without_an_exit_is_not_accounted),
		test(completion_is_not_accounted_while_off),
		test(a_cancelled_exit_is_none),
		test(an_entry_of_user_space_wins),
		test(without_a_hypervisor_nothing_is_served),
		test(the_narrower_scope_is_served),
		test(what_is_not_served_is_counted),
		test(a_vmm_asks_for_what_is_known_and_in_time),
		test(folded_reasons_are_in_the_total_alone),
		test(cycles_are_the_guests),
		test(svms_reasons_are_its_exit_codes),
		test(an_isas_reasons_and_slots_are_one_to_one),
		test(debugfs_shows_host_vm_and_vcpu),
		test(debugfs_shows_cycles_of_a_migrated_exit),
		test(sums_agree_after_any_sequence),
		test(the_longest_exit_of_each_reason_is_kept),
		test(the_parts_of_an_exit_are_one_exit),
		test(debugfs_shows_the_longest),
		test(an_exit_is_in_the_bucket_of_its_cycles),
		test(buckets_say_if_they_are_none),
		test(an_exit_moves_to_its_bucket),
		test(an_exit_that_is_in_no_bucket_moves_none_that_is),
		test(buckets_grow_with_exits_while_they_are_on),
		test(a_vmm_asks_for_histograms),
		test(without_memory_there_are_no_histograms),
		test(debugfs_shows_buckets),
		test(a_file_has_a_histogram),
		test(each_state_has_its_time),
		test(the_exit_that_reads_is_an_exits_time),
		test(undefined_states_say_so),
		test(waiting_is_taken_out_of_other_states),
		test(other_ioctls_move_nothing),
		test(off_ends_the_open_state),
		test(a_late_page_is_slept_for),
		test(clocks_that_differ_add_nothing),
		test(exits_are_part_of_the_time_on_the_cpu),
		test(the_vmm_is_billed_to_the_exit_that_asked),
		test(halting_in_an_exit_takes_no_cycles),
		test(a_reader_starts_again),
		test(debugfs_shows_the_ledger),
		test(a_file_has_reasons_and_states),
		test(a_file_outlives_the_vendor),
		test(svms_file_has_its_reasons),
		test(states_add_up_after_any_sequence),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
