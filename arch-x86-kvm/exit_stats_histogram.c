// SPDX-License-Identifier: GPL-2.0
/*
 * Histograms: how many exits of a reason took how long
 *
 * A vCPU that has one on accounts all its exits out of line: then no reason is
 * below its "nr_direct".  So without one, what is accounted inline takes no
 * instruction more.
 */
#include <linux/kvm_host.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "exit_stats.h"

static DEFINE_MUTEX(histogram_lock);
static bool exit_stats_histogram __read_mostly;

static bool histogram_is_wanted(const struct kvm *kvm)
{
	return READ_ONCE(exit_stats_histogram) || kvm->arch.exit_stats.histogram;
}

/* Once a vCPU has memory for it, it keeps that, and what was counted there. */
static void histogram_set(struct kvm_vcpu *vcpu,
			  struct kvm_exit_stats_histogram *histogram)
{
	/* Pairs with kvm_exit_stats_add_buckets(). */
	smp_store_release(&vcpu->arch.exit_stats.histogram, histogram);
}

static void histogram_switch(struct kvm_vcpu *vcpu, bool on)
{
	struct kvm_vcpu_exit_stats *es = &vcpu->arch.exit_stats;
	u32 nr_direct = on ? 0 : kvm_exit_stats_isa->nr_direct;

	/* Every exit uses its line. */
	if (es->nr_direct != nr_direct) {
		/* Pairs with kvm_exit_stats_has_histogram(). */
		smp_store_release(&es->nr_direct, nr_direct);
	}
}

/* Memory to spare: the first word is the next one, or zero, as all is then. */
static bool histogram_push(void **spares)
{
	struct kvm_exit_stats_histogram *new = kvzalloc(sizeof(*new), GFP_KERNEL);

	if (!new)
		return false;

	*(void **)new = *spares;
	*spares = new;
	return true;
}

static void *histogram_pop(void **spares)
{
	void **first = *spares;

	if (first) {
		*spares = *first;
		*first = NULL;
	}

	return first;
}

/* Return how many vCPUs lack the memory that the parameter asks for. */
static unsigned long histogram_switch_all(void **spares)
{
	struct kvm_exit_stats_histogram *histogram;
	struct kvm_vcpu_exit_stats *es;
	unsigned long i, lacking = 0;
	struct kvm_vcpu *vcpu;
	struct kvm *kvm;
	bool on;

	mutex_lock(&kvm_lock);
	list_for_each_entry(kvm, &vm_list, vm_list) {
		kvm_for_each_vcpu(i, vcpu, kvm) {
			es = &vcpu->arch.exit_stats;
			if (!es->histogram && exit_stats_histogram) {
				histogram = histogram_pop(spares);
				if (histogram)
					histogram_set(vcpu, histogram);
				else
					lacking++;
			}
			on = es->histogram && histogram_is_wanted(kvm);
			histogram_switch(vcpu, on);
		}
	}
	mutex_unlock(&kvm_lock);

	return lacking;
}

/* Nothing is allocated under kvm_lock, which reclaim takes on some kernels. */
static int histogram_update(void)
{
	unsigned long lacking;
	void *spares = NULL;
	int r = 0;

	lockdep_assert_held(&histogram_lock);

	while (!r && (lacking = histogram_switch_all(&spares))) {
		while (!r && lacking--) {
			if (!histogram_push(&spares))
				r = -ENOMEM;
			cond_resched();
		}
	}

	while (spares)
		kvfree(histogram_pop(&spares));

	return r;
}

/* If there is no memory, all is as it was. */
static int histogram_param_set(const char *val, const struct kernel_param *kp)
{
	bool old;
	int r;

	mutex_lock(&histogram_lock);
	old = exit_stats_histogram;
	r = param_set_bool(val, kp);
	if (!r)
		r = histogram_update();
	if (r && exit_stats_histogram != old) {
		WRITE_ONCE(exit_stats_histogram, old);
		histogram_update();
	}
	mutex_unlock(&histogram_lock);

	return r;
}

static const struct kernel_param_ops histogram_param_ops = {
	.flags = KERNEL_PARAM_OPS_FL_NOARG,
	.set = histogram_param_set,
	.get = param_get_bool,
};

module_param_cb(exit_stats_histogram, &histogram_param_ops,
		&exit_stats_histogram, 0644);
MODULE_PARM_DESC(exit_stats_histogram,
		 "Also count VM exits by how many cycles they take (default: N)");

/*
 * The vCPU is online, so if the parameter is set from here on, it is found.  If
 * there is no memory, readers find that it is off.
 */
void kvm_exit_stats_vcpu_create_histogram(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_exit_stats *es = &vcpu->arch.exit_stats;
	struct kvm_exit_stats_histogram *histogram = NULL;

	/* Others wait for the lock, so don't wait for this VM's memory under it. */
	if (histogram_is_wanted(vcpu->kvm))
		histogram = kvzalloc(sizeof(*histogram), GFP_KERNEL_ACCOUNT);

	mutex_lock(&histogram_lock);
	if (histogram && !es->histogram) {
		histogram_set(vcpu, histogram);
		histogram = NULL;
	}
	histogram_switch(vcpu, es->histogram && histogram_is_wanted(vcpu->kvm));
	mutex_unlock(&histogram_lock);

	kvfree(histogram);
}

void kvm_exit_stats_vcpu_destroy(struct kvm_vcpu *vcpu)
{
	kvfree(vcpu->arch.exit_stats.histogram);
}

/* Add @nr buckets, from @first on, also if they are off by now. */
void kvm_exit_stats_add_buckets(const struct kvm_vcpu_exit_stats *es, u32 slot,
				u32 first, u32 nr, u64 *sum)
{
	const struct kvm_exit_stats_histogram *histogram;
	u32 i;

	/* Pairs with histogram_set(). */
	histogram = smp_load_acquire(&es->histogram);
	if (!histogram)
		return;

	for (i = 0; i < nr; i++)
		sum[i] += READ_ONCE(histogram->buckets[slot][first + i]);
}

/*
 * Add those of the vCPU, or of all of its VM's.  Return false if they are off, be
 * it for one of these.
 */
bool kvm_exit_stats_sum_buckets(struct kvm_vcpu *vcpu, int scope, u32 slot,
				u32 first, u32 nr, u64 *sum)
{
	struct kvm_vcpu_exit_stats *es = &vcpu->arch.exit_stats;
	struct llist_node *node;

	if (!kvm_exit_stats_has_histogram(es))
		return false;

	if (scope == KVM_EXIT_STATS_SCOPE_VCPU) {
		kvm_exit_stats_add_buckets(es, slot, first, nr, sum);
		return true;
	}

	node = READ_ONCE(vcpu->kvm->arch.exit_stats.vcpus.first);
	llist_for_each_entry(es, node, node) {
		if (!kvm_exit_stats_has_histogram(es))
			return false;
		kvm_exit_stats_add_buckets(es, slot, first, nr, sum);
		cond_resched();
	}

	return true;
}
