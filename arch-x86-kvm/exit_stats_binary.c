// SPDX-License-Identifier: GPL-2.0
/*
 * VM-exit statistics in KVM's binary statistics, for the user space of a VM
 *
 * The files that KVM_GET_STATS_FD returns have them behind KVM's own.  The
 * counters are laid out for VM exits, and which there are depends on the vendor
 * module, so descriptors and values are put together when they are read.
 */
#include <linux/bug.h>
#include <linux/ctype.h>
#include <linux/kernel.h>
#include <linux/kvm.h>
#include <linux/kvm_host.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "exit_stats.h"

#define DESC_SIZE	sizeof(kvm_vcpu_stats_desc[0])

/* What there is to tell of each reason */
enum {
	KIND_EXITS,
	KIND_CYCLES,
	KIND_VMM_RETURNS,
	KIND_VMM_NS,
	/* Kinds up to here are added up. */
	KIND_MAX_CYCLES,
	NR_KINDS
};

/*
 * A time is "instant" because it may go back: what turns out to have been spent
 * in exits, or waiting for a CPU, is taken out of others' time afterwards.
 */
#define FLAGS_COUNT	(KVM_STATS_TYPE_CUMULATIVE | KVM_STATS_UNIT_NONE)
#define FLAGS_CYCLES	(KVM_STATS_TYPE_CUMULATIVE | KVM_STATS_UNIT_CYCLES)
#define FLAGS_PEAK	(KVM_STATS_TYPE_PEAK | KVM_STATS_UNIT_CYCLES)
#define FLAGS_HISTOGRAM	(KVM_STATS_TYPE_LOG_HIST | KVM_STATS_UNIT_CYCLES)
#define FLAGS_TIME	(KVM_STATS_TYPE_INSTANT | KVM_STATS_UNIT_SECONDS)
#define FLAGS_ELAPSED	(KVM_STATS_TYPE_CUMULATIVE | KVM_STATS_UNIT_SECONDS)

static const struct {
	const char *name;
	u32 flags;
} binary_kinds[NR_KINDS] = {
	[KIND_EXITS]		= { "exits", FLAGS_COUNT },
	[KIND_CYCLES]		= { "cycles", FLAGS_CYCLES },
	[KIND_VMM_RETURNS]	= { "vmm_returns", FLAGS_COUNT },
	[KIND_VMM_NS]		= { "vmm_ns", FLAGS_TIME },
	[KIND_MAX_CYCLES]	= { "max_cycles", FLAGS_PEAK },
};

/*
 * All reasons' histograms together, as KVM has such: in the first bucket are zeros,
 * and in the next one ones, where ours has both.
 */
#define HISTOGRAM_SIZE	(KVM_EXIT_STATS_NR_BUCKETS + 1)

/* The names of slots; NULL if the reason has none in the uapi. */
static const char *binary_reasons[KVM_EXIT_STATS_NR_SLOTS];
static u32 binary_nr_descs, binary_nr_values;

/* Each reason that has a name, all others together, the states, and the histogram */
void kvm_exit_stats_init_binary(void)
{
	const struct kvm_exit_stats_isa *isa = kvm_exit_stats_isa;
	u32 slot, nr_reasons = 0;

	memset(binary_reasons, 0, sizeof(binary_reasons));
	for (slot = 0; slot < isa->other; slot++) {
		u32 reason = kvm_exit_stats_reason_of(isa, slot);

		binary_reasons[slot] = kvm_exit_stats_name_of(isa, reason);
		nr_reasons += !!binary_reasons[slot];
	}

	binary_nr_descs = NR_KINDS * (nr_reasons + 1) +
			  KVM_EXIT_STATS_NR_STATES + 1;
	binary_nr_values = binary_nr_descs - 1 + HISTOGRAM_SIZE;
}

/* Values are in the order of their descriptors. */
static __printf(5, 6) void binary_describe(void **next, u32 *offset, u32 flags,
					   u16 size, const char *name, ...)
{
	struct kvm_stats_desc *desc = *next;
	va_list args;
	char *c;
	int len;

	desc->flags = flags | KVM_STATS_BASE_POW10;
	if ((flags & KVM_STATS_UNIT_MASK) == KVM_STATS_UNIT_SECONDS)
		desc->exponent = -9;
	desc->size = size;
	desc->offset = *offset;

	va_start(args, name);
	len = vsnprintf(desc->name, KVM_STATS_NAME_SIZE, name, args);
	va_end(args);
	WARN_ON_ONCE(len >= KVM_STATS_NAME_SIZE);

	/* VMX's names are in capitals, and some of SVM's are two words. */
	for (c = desc->name; *c; c++)
		*c = isalnum(*c) ? tolower(*c) : '_';

	*next += DESC_SIZE;
	*offset += size * sizeof(u64);
}

static void binary_describe_reason(void **next, u32 *offset,
				   const char *prefix, const char *reason)
{
	int kind;

	for (kind = 0; kind < NR_KINDS; kind++)
		binary_describe(next, offset, binary_kinds[kind].flags, 1,
				"%s%s_%s_%s", prefix, kvm_exit_stats_isa->name,
				reason, binary_kinds[kind].name);
}

/* Fill zeroed descriptors of the values at @offset. */
static void binary_describe_all(void *desc, u32 offset, const char *prefix)
{
	u32 slot, state;

	for (slot = 0; slot <= kvm_exit_stats_isa->other; slot++) {
		if (binary_reasons[slot])
			binary_describe_reason(&desc, &offset, prefix,
					       binary_reasons[slot]);
	}
	binary_describe_reason(&desc, &offset, prefix, "unnamed");

	for (state = 0; state < KVM_EXIT_STATS_NR_STATES; state++)
		binary_describe(&desc, &offset,
				state == KVM_EXIT_STATS_STATE_ELAPSED ?
				FLAGS_ELAPSED : FLAGS_TIME, 1, "%stime_%s_ns",
				prefix, kvm_exit_stats_state_names[state]);

	binary_describe(&desc, &offset, FLAGS_HISTOGRAM, HISTOGRAM_SIZE,
			"%sexit_cycles_hist", prefix);
}

/* What vCPUs have together */
struct binary_sum {
	u64 slots[KVM_EXIT_STATS_NR_SLOTS][NR_KINDS];
	u64 ns[KVM_EXIT_STATS_NR_STATES];
	u64 histogram[HISTOGRAM_SIZE];
};

static void binary_add_vcpu(struct binary_sum *sum,
			    const struct kvm_vcpu_exit_stats *es)
{
	u64 ns[KVM_EXIT_STATS_NR_STATES];
	u32 slot, state;

	for (slot = 0; slot <= kvm_exit_stats_isa->other; slot++) {
		const struct kvm_exit_stat *stat = &es->reasons[slot].stat;
		struct kvm_exit_stats_vmm vmm = {};
		u64 *kinds = sum->slots[slot];

		kvm_exit_stats_add_vmm(es, slot, &vmm);
		kinds[KIND_EXITS] += READ_ONCE(stat->exits);
		kinds[KIND_CYCLES] -= READ_ONCE(stat->neg_cycles);
		kinds[KIND_VMM_RETURNS] += vmm.returns;
		kinds[KIND_VMM_NS] += vmm.ns;
		kinds[KIND_MAX_CYCLES] = max(kinds[KIND_MAX_CYCLES],
					     kvm_exit_stats_longest(es, slot));

		kvm_exit_stats_add_buckets(es, slot, 0,
					   KVM_EXIT_STATS_NR_BUCKETS,
					   &sum->histogram[1]);
	}

	kvm_exit_stats_read_ledger(es, ns);
	for (state = 0; state < KVM_EXIT_STATS_NR_STATES; state++)
		sum->ns[state] += ns[state];
}

/* Write zeroed values, in the order of their descriptors. */
static void binary_put_values(const struct binary_sum *sum, u64 *values)
{
	u64 unnamed[NR_KINDS] = {};
	u32 slot, kind;

	for (slot = 0; slot <= kvm_exit_stats_isa->other; slot++) {
		if (binary_reasons[slot]) {
			memcpy(values, sum->slots[slot], sizeof(unnamed));
			values += NR_KINDS;
			continue;
		}
		for (kind = 0; kind < KIND_MAX_CYCLES; kind++)
			unnamed[kind] += sum->slots[slot][kind];
		unnamed[KIND_MAX_CYCLES] = max(unnamed[KIND_MAX_CYCLES],
					       sum->slots[slot][KIND_MAX_CYCLES]);
	}

	memcpy(values, unnamed, sizeof(unnamed));
	values += NR_KINDS;
	memcpy(values, sum->ns, sizeof(sum->ns));
	values += KVM_EXIT_STATS_NR_STATES;
	memcpy(values, sum->histogram, sizeof(sum->histogram));
}

static int binary_fill_values(struct kvm *kvm, struct kvm_vcpu *vcpu, u64 *values)
{
	struct binary_sum *sum;
	unsigned long i;

	sum = kzalloc_obj(*sum);
	if (!sum)
		return -ENOMEM;

	if (vcpu) {
		binary_add_vcpu(sum, &vcpu->arch.exit_stats);
	} else {
		kvm_for_each_vcpu(i, vcpu, kvm) {
			binary_add_vcpu(sum, &vcpu->arch.exit_stats);
			cond_resched();
		}
	}

	binary_put_values(sum, values);
	kfree(sum);
	return 0;
}

/* A file: that of @vcpu, or if it is NULL, the VM's.  KVM's own is in it first. */
struct binary_file {
	struct kvm *kvm;
	struct kvm_vcpu *vcpu;
	char *id;
	const struct kvm_stats_header *header;
	const void *descs;
	const void *stats;
	size_t size_stats;
	/* Some user space has all names, of VMs and of vCPUs, in one table. */
	const char *prefix;
};

/* Each read puts together anew what it reaches: descriptors, values or both. */
static ssize_t binary_read(const struct binary_file *file, char __user *buffer,
			   size_t size, loff_t *offset)
{
	size_t size_descs = file->header->num_desc * DESC_SIZE;
	struct kvm_stats_header header = *file->header;
	void *descs = NULL, *stats = NULL;
	ssize_t r = -ENOMEM;
	size_t size_stats;
	u64 pos = *offset;

	header.num_desc += binary_nr_descs;
	header.data_offset += binary_nr_descs * DESC_SIZE;
	size_stats = file->size_stats + binary_nr_values * sizeof(u64);
	if (pos >= header.data_offset + size_stats)
		return 0;

	if (pos < header.data_offset && pos + size > header.desc_offset) {
		descs = kvzalloc(header.num_desc * DESC_SIZE, GFP_KERNEL);
		if (!descs)
			goto out;
		memcpy(descs, file->descs, size_descs);
		binary_describe_all(descs + size_descs, file->size_stats,
				    file->prefix);
	}

	if (pos + size > header.data_offset) {
		stats = kvzalloc(size_stats, GFP_KERNEL);
		if (!stats)
			goto out;
		memcpy(stats, file->stats, file->size_stats);
		r = binary_fill_values(file->kvm, file->vcpu,
				       stats + file->size_stats);
		if (r)
			goto out;
	}

	r = kvm_stats_read(file->id, &header, descs, stats, size_stats, buffer,
			   size, offset);
out:
	kvfree(stats);
	kvfree(descs);
	return r;
}

ssize_t kvm_arch_vm_stats_read(struct kvm *kvm, char __user *buffer, size_t size,
			       loff_t *offset)
{
	const struct binary_file file = {
		.kvm		= kvm,
		.id		= kvm->stats_id,
		.header		= &kvm_vm_stats_header,
		.descs		= kvm_vm_stats_desc,
		.stats		= &kvm->stat,
		.size_stats	= sizeof(kvm->stat),
		.prefix		= "vm_",
	};

	return binary_read(&file, buffer, size, offset);
}

ssize_t kvm_arch_vcpu_stats_read(struct kvm_vcpu *vcpu, char __user *buffer,
				 size_t size, loff_t *offset)
{
	const struct binary_file file = {
		.vcpu		= vcpu,
		.id		= vcpu->stats_id,
		.header		= &kvm_vcpu_stats_header,
		.descs		= kvm_vcpu_stats_desc,
		.stats		= &vcpu->stat,
		.size_stats	= sizeof(vcpu->stat),
		.prefix		= "",
	};

	return binary_read(&file, buffer, size, offset);
}
