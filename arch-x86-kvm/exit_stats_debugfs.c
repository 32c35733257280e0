// SPDX-License-Identifier: GPL-2.0
/*
 * VM-exit statistics in debugfs, for the host's administrator
 */
#include <linux/cpumask.h>
#include <linux/debugfs.h>
#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/kvm_host.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "exit_stats.h"

static void kvm_exit_stats_add(struct kvm_exit_stat *sum,
			       const struct kvm_exit_stat *stat)
{
	sum->exits += READ_ONCE(stat->exits);
	sum->neg_cycles += READ_ONCE(stat->neg_cycles);
}

static void kvm_exit_stats_add_cpu(struct kvm_exit_stats *sum, int cpu)
{
	const struct kvm_exit_stats *stats = &per_cpu(kvm_cpu_exit_stats, cpu);
	u32 slot;

	for (slot = 0; slot < KVM_EXIT_STATS_NR_SLOTS; slot++)
		kvm_exit_stats_add(&sum->reasons[slot], &stats->reasons[slot]);
}

static void kvm_exit_stats_add_vcpu(struct kvm_exit_stats *sum,
				    const struct kvm_vcpu *vcpu)
{
	const struct kvm_vcpu_exit_stats *es = &vcpu->arch.exit_stats;
	u32 slot;

	for (slot = 0; slot < KVM_EXIT_STATS_NR_SLOTS; slot++)
		kvm_exit_stats_add(&sum->reasons[slot], &es->reasons[slot].stat);
}

/* Begin a line: @whose, e.g. "cpu0 ", reason and name. */
static void kvm_exit_stats_print_reason(struct seq_file *m, const char *whose,
					u32 slot)
{
	const struct kvm_exit_stats_isa *isa = kvm_exit_stats_isa;
	const char *name;
	u32 reason;

	if (slot == isa->other) {
		seq_printf(m, "%s- ", whose);
		name = "other";
	} else {
		reason = kvm_exit_stats_reason_of(isa, slot);
		seq_printf(m, "%s%u ", whose, reason);
		name = kvm_exit_stats_name_of(isa, reason) ?: "unnamed";
	}

	/* SVM's names have blanks, which would make them two words. */
	for (; *name; name++)
		seq_putc(m, *name == ' ' ? '_' : *name);
}

/* A line is reason, name, exits and cycles, after @whose, e.g. "cpu0 ". */
static void kvm_exit_stats_print(struct seq_file *m, const char *whose,
				 const struct kvm_exit_stats *stats)
{
	const struct kvm_exit_stats_isa *isa = kvm_exit_stats_isa;
	u64 exits = 0, neg_cycles = 0;
	u32 slot;

	for (slot = 0; slot <= isa->other; slot++) {
		exits += stats->reasons[slot].exits;
		neg_cycles += stats->reasons[slot].neg_cycles;
	}

	/* Always show a file's own total, but leave out idle CPUs. */
	if (exits || neg_cycles || !*whose)
		seq_printf(m, "%s- total %llu %llu\n", whose, exits,
			   -neg_cycles);

	for (slot = 0; slot <= isa->other; slot++) {
		const struct kvm_exit_stat *stat = &stats->reasons[slot];

		/* A CPU may have cycles of an exit that another CPU counted. */
		if (!stat->exits && !stat->neg_cycles)
			continue;

		kvm_exit_stats_print_reason(m, whose, slot);
		seq_printf(m, " %llu %llu\n", stat->exits, -stat->neg_cycles);
	}
}

/* Position 0 is the sum over all CPUs, position n + 1 is CPU n. */
static void *kvm_exit_stats_host_start(struct seq_file *m, loff_t *pos)
{
	unsigned int cpu;

	if (!*pos)
		return SEQ_START_TOKEN;

	cpu = cpumask_next(*pos - 2, cpu_possible_mask);
	if (cpu >= nr_cpu_ids)
		return NULL;

	*pos = cpu + 1;
	return pos;
}

static void *kvm_exit_stats_host_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return kvm_exit_stats_host_start(m, pos);
}

static void kvm_exit_stats_host_stop(struct seq_file *m, void *v)
{
}

static int kvm_exit_stats_host_show(struct seq_file *m, void *v)
{
	struct kvm_exit_stats *sum;
	char whose[16] = "";
	int cpu;

	sum = kzalloc_obj(*sum);
	if (!sum)
		return -ENOMEM;

	if (v == SEQ_START_TOKEN) {
		for_each_possible_cpu(cpu) {
			kvm_exit_stats_add_cpu(sum, cpu);
			cond_resched();
		}
	} else {
		cpu = *(loff_t *)v - 1;
		snprintf(whose, sizeof(whose), "cpu%d ", cpu);
		kvm_exit_stats_add_cpu(sum, cpu);
	}

	kvm_exit_stats_print(m, whose, sum);
	kfree(sum);
	return 0;
}

static const struct seq_operations kvm_exit_stats_host_sops = {
	.start	= kvm_exit_stats_host_start,
	.next	= kvm_exit_stats_host_next,
	.stop	= kvm_exit_stats_host_stop,
	.show	= kvm_exit_stats_host_show,
};
DEFINE_SEQ_ATTRIBUTE(kvm_exit_stats_host);

static int kvm_exit_stats_vm_show(struct seq_file *m, void *v)
{
	struct kvm *kvm = m->private;
	struct kvm_exit_stats *sum;
	struct kvm_vcpu *vcpu;
	unsigned long i;

	sum = kzalloc_obj(*sum);
	if (!sum)
		return -ENOMEM;

	kvm_for_each_vcpu(i, vcpu, kvm) {
		kvm_exit_stats_add_vcpu(sum, vcpu);
		cond_resched();
	}

	kvm_exit_stats_print(m, "", sum);
	kfree(sum);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(kvm_exit_stats_vm);

static int kvm_exit_stats_vcpu_show(struct seq_file *m, void *v)
{
	struct kvm_vcpu *vcpu = m->private;
	struct kvm_exit_stats *stats;

	/* Copy the counters, so that the total is the sum of the lines. */
	stats = kzalloc_obj(*stats);
	if (!stats)
		return -ENOMEM;

	kvm_exit_stats_add_vcpu(stats, vcpu);
	kvm_exit_stats_print(m, "", stats);
	kfree(stats);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(kvm_exit_stats_vcpu);

/* A line is a state and nanoseconds. */
static void kvm_exit_stats_print_ledger(struct seq_file *m, const u64 *ns)
{
	u32 state;

	for (state = 0; state < KVM_EXIT_STATS_NR_STATES; state++)
		seq_printf(m, "%s %llu\n", kvm_exit_stats_state_names[state],
			   ns[state]);
}

static int kvm_exit_stats_vm_ledger_show(struct seq_file *m, void *v)
{
	u64 ns[KVM_EXIT_STATS_NR_STATES], sum[KVM_EXIT_STATS_NR_STATES] = {};
	struct kvm *kvm = m->private;
	struct kvm_vcpu *vcpu;
	unsigned long i;
	u32 state;

	kvm_for_each_vcpu(i, vcpu, kvm) {
		kvm_exit_stats_read_ledger(&vcpu->arch.exit_stats, ns);
		for (state = 0; state < KVM_EXIT_STATS_NR_STATES; state++)
			sum[state] += ns[state];
		cond_resched();
	}

	kvm_exit_stats_print_ledger(m, sum);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(kvm_exit_stats_vm_ledger);

static int kvm_exit_stats_vcpu_ledger_show(struct seq_file *m, void *v)
{
	u64 ns[KVM_EXIT_STATS_NR_STATES];
	struct kvm_vcpu *vcpu = m->private;

	kvm_exit_stats_read_ledger(&vcpu->arch.exit_stats, ns);
	kvm_exit_stats_print_ledger(m, ns);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(kvm_exit_stats_vcpu_ledger);

/* A line is reason, name, returns to user space and nanoseconds. */
static void kvm_exit_stats_print_vmm(struct seq_file *m, u32 slot,
				     const struct kvm_exit_stats_vmm *vmm)
{
	if (!vmm->returns)
		return;

	kvm_exit_stats_print_reason(m, "", slot);
	seq_printf(m, " %llu %llu\n", vmm->returns, vmm->ns);
}

static int kvm_exit_stats_vm_vmm_show(struct seq_file *m, void *v)
{
	struct kvm *kvm = m->private;
	struct kvm_vcpu *vcpu;
	unsigned long i;
	u32 slot;

	for (slot = 0; slot <= kvm_exit_stats_isa->other; slot++) {
		struct kvm_exit_stats_vmm sum = {};

		kvm_for_each_vcpu(i, vcpu, kvm)
			kvm_exit_stats_add_vmm(&vcpu->arch.exit_stats, slot, &sum);
		cond_resched();
		kvm_exit_stats_print_vmm(m, slot, &sum);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(kvm_exit_stats_vm_vmm);

static int kvm_exit_stats_vcpu_vmm_show(struct seq_file *m, void *v)
{
	struct kvm_vcpu *vcpu = m->private;
	u32 slot;

	for (slot = 0; slot <= kvm_exit_stats_isa->other; slot++) {
		struct kvm_exit_stats_vmm vmm = {};

		kvm_exit_stats_add_vmm(&vcpu->arch.exit_stats, slot, &vmm);
		kvm_exit_stats_print_vmm(m, slot, &vmm);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(kvm_exit_stats_vcpu_vmm);

/* A line is reason, name and the cycles of the longest exit. */
static void kvm_exit_stats_print_longest(struct seq_file *m, u32 slot, u64 cycles)
{
	if (!cycles)
		return;

	kvm_exit_stats_print_reason(m, "", slot);
	seq_printf(m, " %llu\n", cycles);
}

static int kvm_exit_stats_vm_longest_show(struct seq_file *m, void *v)
{
	const struct kvm_vcpu_exit_stats *es;
	struct kvm *kvm = m->private;
	struct kvm_vcpu *vcpu;
	unsigned long i;
	u32 slot;

	for (slot = 0; slot <= kvm_exit_stats_isa->other; slot++) {
		u64 cycles = 0;

		kvm_for_each_vcpu(i, vcpu, kvm) {
			es = &vcpu->arch.exit_stats;
			cycles = max(cycles, kvm_exit_stats_longest(es, slot));
		}
		cond_resched();
		kvm_exit_stats_print_longest(m, slot, cycles);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(kvm_exit_stats_vm_longest);

static int kvm_exit_stats_vcpu_longest_show(struct seq_file *m, void *v)
{
	struct kvm_vcpu *vcpu = m->private;
	u64 cycles;
	u32 slot;

	for (slot = 0; slot <= kvm_exit_stats_isa->other; slot++) {
		cycles = kvm_exit_stats_longest(&vcpu->arch.exit_stats, slot);
		kvm_exit_stats_print_longest(m, slot, cycles);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(kvm_exit_stats_vcpu_longest);

/* A line is reason, name, bucket and exits. */
static void kvm_exit_stats_print_buckets(struct seq_file *m, u32 slot,
					 const u64 *buckets)
{
	u32 i;

	for (i = 0; i < KVM_EXIT_STATS_NR_BUCKETS; i++) {
		if (!buckets[i])
			continue;

		kvm_exit_stats_print_reason(m, "", slot);
		seq_printf(m, " %u %llu\n", i, buckets[i]);
	}
}

static int kvm_exit_stats_vm_histogram_show(struct seq_file *m, void *v)
{
	struct kvm *kvm = m->private;
	struct kvm_vcpu *vcpu;
	unsigned long i;
	u32 slot;

	for (slot = 0; slot <= kvm_exit_stats_isa->other; slot++) {
		u64 sum[KVM_EXIT_STATS_NR_BUCKETS] = {};

		kvm_for_each_vcpu(i, vcpu, kvm)
			kvm_exit_stats_add_buckets(&vcpu->arch.exit_stats, slot,
						   0, ARRAY_SIZE(sum), sum);
		cond_resched();
		kvm_exit_stats_print_buckets(m, slot, sum);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(kvm_exit_stats_vm_histogram);

static int kvm_exit_stats_vcpu_histogram_show(struct seq_file *m, void *v)
{
	struct kvm_vcpu *vcpu = m->private;
	u32 slot;

	for (slot = 0; slot <= kvm_exit_stats_isa->other; slot++) {
		u64 buckets[KVM_EXIT_STATS_NR_BUCKETS] = {};

		kvm_exit_stats_add_buckets(&vcpu->arch.exit_stats, slot, 0,
					   ARRAY_SIZE(buckets), buckets);
		kvm_exit_stats_print_buckets(m, slot, buckets);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(kvm_exit_stats_vcpu_histogram);

void kvm_exit_stats_create_host_debugfs(void)
{
	debugfs_create_file("exit_stats", 0400,
			    debugfs_create_dir("host", kvm_debugfs_dir), NULL,
			    &kvm_exit_stats_host_fops);
}
EXPORT_SYMBOL_FOR_KVM_INTERNAL(kvm_exit_stats_create_host_debugfs);

void kvm_exit_stats_create_vm_debugfs(struct kvm *kvm)
{
	debugfs_create_file("exit_stats", 0400, kvm->debugfs_dentry, kvm,
			    &kvm_exit_stats_vm_fops);
	debugfs_create_file("exit_stats_ledger", 0400, kvm->debugfs_dentry, kvm,
			    &kvm_exit_stats_vm_ledger_fops);
	debugfs_create_file("exit_stats_vmm", 0400, kvm->debugfs_dentry, kvm,
			    &kvm_exit_stats_vm_vmm_fops);
	debugfs_create_file("exit_stats_longest", 0400, kvm->debugfs_dentry, kvm,
			    &kvm_exit_stats_vm_longest_fops);
	debugfs_create_file("exit_stats_histogram", 0400, kvm->debugfs_dentry, kvm,
			    &kvm_exit_stats_vm_histogram_fops);
}

void kvm_exit_stats_create_vcpu_debugfs(struct kvm_vcpu *vcpu,
					struct dentry *dentry)
{
	debugfs_create_file("exit_stats", 0400, dentry, vcpu,
			    &kvm_exit_stats_vcpu_fops);
	debugfs_create_file("exit_stats_ledger", 0400, dentry, vcpu,
			    &kvm_exit_stats_vcpu_ledger_fops);
	debugfs_create_file("exit_stats_vmm", 0400, dentry, vcpu,
			    &kvm_exit_stats_vcpu_vmm_fops);
	debugfs_create_file("exit_stats_longest", 0400, dentry, vcpu,
			    &kvm_exit_stats_vcpu_longest_fops);
	debugfs_create_file("exit_stats_histogram", 0400, dentry, vcpu,
			    &kvm_exit_stats_vcpu_histogram_fops);
}
