/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Just enough of the kernel to compile arch-x86-kvm/exit_stats.c unchanged and run it on
 * this machine.  There are two CPUs, one of them current, each with a TSC that the test
 * sets.
 */
#ifndef SHIM_H
#define SHIM_H

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define CONFIG_KVM_EXIT_STATS 1
#define PAGE_SIZE 4096

typedef unsigned long long u64;
typedef long long s64;
typedef uint32_t u32;
typedef uint16_t u16;
typedef int16_t s16;
typedef uint8_t u8;

#undef __always_inline
#define __always_inline inline __attribute__((__always_inline__))
#define noinline __attribute__((__noinline__))
#define __read_mostly
#define __user
#define __percpu
#define BUILD_BUG_ON(x) _Static_assert(!(x), #x)
#define OPTIMIZER_HIDE_VAR(x) ((void)0)
#define data_race(x) (x)
#define WARN_ON_ONCE(x) assert(!(x))
#define __printf(string, first) __attribute__((__format__(__printf__, string, first)))
#define EXPORT_SYMBOL_FOR_KVM_INTERNAL(sym) extern int shim_export_##sym
#define __aligned(n) __attribute__((aligned(n)))
#define ____cacheline_aligned __aligned(64)
#define likely(x) (x)
#define unlikely(x) (x)
#define BIT(n) (1UL << (n))
#define BIT_ULL(n) (1ULL << (n))
#define GENMASK(high, low) ((u32)(BIT_ULL((high) + 1) - BIT_ULL(low)))
#define __fls(n) (63 - __builtin_clzll(n))
/* Only what the code uses: subtract, and return whether it borrowed. */
#define GEN_BINARY_RMWcc(op, var, cc, constraint, value) \
	(assert(!strcmp(op, "subq") && !strcmp(#cc, "c")), \
	 __builtin_sub_overflow((var), (u64)(value), &(var)))
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max_t(type, a, b) ({ type a_ = (a), b_ = (b); a_ > b_ ? a_ : b_; })
#define max(a, b) ({ __typeof__(a) a_ = (a); __typeof__(b) b_ = (b); a_ > b_ ? a_ : b_; })
#define smp_load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define xchg(p, v) __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)
#define clamp_t(type, n, low, high) min_t(type, max_t(type, n, low), high)
#define min_t(type, a, b) ((type)(a) < (type)(b) ? (type)(a) : (type)(b))
#define lower_32_bits(n) ((u32)(n))
#define upper_32_bits(n) ((u32)((u64)(n) >> 32))
/* How many times array_index_nospec() was called */
extern int shim_masked;
#define array_index_nospec(index, size) (shim_masked++, (index) < (size) ? (index) : 0)

#define BITS_PER_LONG 64
#define DECLARE_BITMAP(name, n) unsigned long name[((n) + BITS_PER_LONG - 1) / BITS_PER_LONG]
#define __set_bit(n, map) ((map)[(n) / BITS_PER_LONG] |= BIT((n) % BITS_PER_LONG))
#define test_bit(n, map) ((map)[(n) / BITS_PER_LONG] >> (n) % BITS_PER_LONG & 1)
#define for_each_set_bit(n, map, size) \
	for ((n) = 0; (n) < (size); (n)++) \
		if (test_bit(n, map))

/* CPUs */
#define SHIM_CPUS 2
extern int shim_cpu;
extern u64 shim_tsc[SHIM_CPUS];
extern int shim_preempt_count;

#define DECLARE_PER_CPU_ALIGNED(type, name) extern type shim_percpu_##name[SHIM_CPUS]
#define DEFINE_PER_CPU_ALIGNED(type, name) type shim_percpu_##name[SHIM_CPUS]
#define per_cpu(name, cpu) (shim_percpu_##name[cpu])
/* Without per_cpu(), i.e. as an argument of this_cpu operations: the current CPU's. */
#define kvm_cpu_exit_stats shim_percpu_kvm_cpu_exit_stats[shim_cpu]
#define this_cpu_add(var, n) ((var) += (n))
#define this_cpu_inc(var) ((var)++)
#define nr_cpu_ids SHIM_CPUS
#define for_each_possible_cpu(cpu) for ((cpu) = 0; (cpu) < SHIM_CPUS; (cpu)++)

/* Nanoseconds, which every CPU has its own clock for, too */
extern u64 shim_clock[SHIM_CPUS];
extern u32 tsc_khz;
#define NSEC_PER_MSEC 1000000
#define local_clock() (shim_clock[shim_cpu])
#define mul_u64_u32_div(a, mul, div) ((u64)((unsigned __int128)(a) * (mul) / (div)))

/* Threads, of which the test chooses one, and how long each has waited for a CPU */
struct task_struct {
	struct {
		u64 run_delay;
	} sched_info;
};

extern struct task_struct *shim_thread;
#define current shim_thread

static inline u64 rdtsc(void)
{
	return shim_tsc[shim_cpu];
}

static inline void preempt_disable(void)
{
	shim_preempt_count++;
}

static inline void preempt_enable(void)
{
	assert(shim_preempt_count-- > 0);
}

#define lockdep_assert_preemption_disabled() assert(shim_preempt_count > 0)

/* A writer must not be preempted.  A reader finds that one was there meanwhile. */
typedef struct {
	unsigned int n;
} seqcount_t;

extern void (*shim_meanwhile)(void);
#define seqcount_init(s) ((s)->n = 0)
#define read_seqcount_begin(s) (assert(!((s)->n % 2)), (s)->n)

static inline void raw_write_seqcount_begin(seqcount_t *s)
{
	assert(shim_preempt_count > 0 && !(s->n % 2));
	s->n++;
}

static inline void raw_write_seqcount_end(seqcount_t *s)
{
	s->n++;
}

static inline bool read_seqcount_retry(const seqcount_t *s, unsigned int n)
{
	void (*meanwhile)(void) = shim_meanwhile;

	shim_meanwhile = NULL;
	if (meanwhile)
		meanwhile();
	return s->n != n;
}

/* A log of what the code under test did to the static keys, in order */
extern char shim_trace[200];

static inline void shim_log(const char *what, const char *name)
{
	size_t n = strlen(shim_trace);

	snprintf(shim_trace + n, sizeof(shim_trace) - n, "%s%s ", what, name);
}

struct static_key {
	bool on;
	const char *name;
};

#define DECLARE_STATIC_KEY_FALSE(key) extern struct static_key key
#define DEFINE_STATIC_KEY_FALSE(key) struct static_key key = { .name = #key }
#define static_branch_likely(key) ((key)->on)
#define static_branch_unlikely(key) ((key)->on)
#define static_key_enabled(key) ((key)->on)

static inline void static_branch_enable(struct static_key *key)
{
	key->on = true;
	shim_log("+", key->name);
}

static inline void static_branch_disable(struct static_key *key)
{
	key->on = false;
	shim_log("-", key->name);
}

static inline void synchronize_rcu(void)
{
	shim_log("sync", "");
}

/* Readers that sleep: how many there are */
struct srcu_struct {
	int readers;
};

#define DEFINE_STATIC_SRCU(name) static struct srcu_struct name
#define srcu_read_lock_held(srcu) ((srcu)->readers > 0)

static inline int srcu_read_lock(struct srcu_struct *srcu)
{
	return srcu->readers++;
}

static inline void srcu_read_unlock(struct srcu_struct *srcu, int idx)
{
	srcu->readers--;
	assert(srcu->readers == idx);
}

static inline void synchronize_srcu(struct srcu_struct *srcu)
{
	assert(!srcu->readers);
	shim_log("drain", "");
}

struct mutex {
	bool held;
};

#define DEFINE_MUTEX(name) struct mutex name
#define lockdep_assert_held(lock) assert((lock)->held)

static inline void mutex_lock(struct mutex *lock)
{
	assert(!lock->held);
	lock->held = true;
}

static inline void mutex_unlock(struct mutex *lock)
{
	assert(lock->held);
	lock->held = false;
}

/* Lists that only grow: there is no removal. */
struct llist_node {
	struct llist_node *next;
};

struct llist_head {
	struct llist_node *first;
};

static inline void llist_add(struct llist_node *node, struct llist_head *head)
{
	node->next = head->first;
	head->first = node;
}

#define shim_llist_entry(pos, node, member) \
	((node) ? (__typeof__(pos))((char *)(node) - offsetof(__typeof__(*(pos)), member)) : NULL)
#define llist_for_each_entry(pos, node, member) \
	for ((pos) = shim_llist_entry(pos, node, member); (pos); \
	     (pos) = shim_llist_entry(pos, (pos)->member.next, member))

struct hlist_node {
	struct hlist_node *next, **pprev;
};

struct hlist_head {
	struct hlist_node *first;
};

#define HLIST_HEAD(name) struct hlist_head name
#define hlist_unhashed(node) (!(node)->pprev)

static inline void hlist_add_head_rcu(struct hlist_node *node, struct hlist_head *head)
{
	node->next = head->first;
	if (node->next)
		node->next->pprev = &node->next;
	node->pprev = &head->first;
	head->first = node;
}

static inline void hlist_del_rcu(struct hlist_node *node)
{
	*node->pprev = node->next;
	if (node->next)
		node->next->pprev = node->pprev;
}

#define hlist_for_each_entry_srcu(pos, head, member, cond) \
	for ((pos) = shim_llist_entry(pos, (head)->first, member); assert(cond), (pos); \
	     (pos) = shim_llist_entry(pos, (pos)->member.next, member))

/* What asm/svm.h needs of asm/kvm.h */
#define DE_VECTOR 0
#define DB_VECTOR 1
#define BP_VECTOR 3
#define OF_VECTOR 4
#define BR_VECTOR 5
#define UD_VECTOR 6
#define NM_VECTOR 7
#define DF_VECTOR 8
#define TS_VECTOR 10
#define NP_VECTOR 11
#define SS_VECTOR 12
#define GP_VECTOR 13
#define PF_VECTOR 14
#define MF_VECTOR 16
#define AC_VECTOR 17
#define MC_VECTOR 18
#define XM_VECTOR 19

/* VMs are in a list, each has an array of vCPUs. */
struct kvm_cpuid_entry2 {
	u32 function, index, flags, eax, ebx, ecx, edx;
};


#include <asm/kvm_exit_stats.h>

struct kvm;

struct kvm_vcpu_stat {
	u64 own;
};

struct kvm_vcpu {
	struct kvm *kvm;
	char stats_id[48];
	struct kvm_vcpu_stat stat;
	/* The vendor module has it somewhere. */
	u32 exit_reason;
	bool preempted;
	struct {
		struct {
			bool halted;
		} apf;
		int (*complete_userspace_io)(struct kvm_vcpu *vcpu);
		int cpuid_nent;
		struct kvm_cpuid_entry2 *cpuid_entries;
		struct kvm_vcpu_exit_stats exit_stats;
		u64 last_host_tsc;
		u64 l1_tsc_scaling_ratio;
	} arch;
};

/* Whose thread it is, NULL if it is no vCPU's */
extern struct kvm_vcpu *shim_running;
#define kvm_get_running_vcpu() (shim_running)

static inline struct kvm_cpuid_entry2 *
kvm_find_cpuid_entry_index(struct kvm_vcpu *vcpu, u32 function, u32 index)
{
	for (int i = 0; i < vcpu->arch.cpuid_nent; i++) {
		struct kvm_cpuid_entry2 *e = &vcpu->arch.cpuid_entries[i];

		if (e->function == function && (!e->flags || e->index == index))
			return e;
	}
	return NULL;
}

#define X86_FEATURE_HYPERVISOR 31

static inline struct kvm_cpuid_entry2 *kvm_find_cpuid_entry(struct kvm_vcpu *vcpu, u32 function)
{
	return kvm_find_cpuid_entry_index(vcpu, function, 0);
}

/* Of leaf 1, ECX */
static inline bool cpuid_entry_has(struct kvm_cpuid_entry2 *entry, unsigned int feature)
{
	return entry->ecx & BIT(feature);
}

/* With VMX's 48 bits of fraction */
static inline u64 kvm_scale_tsc(u64 tsc, u64 ratio)
{
	return (unsigned __int128)tsc * ratio >> 48;
}

struct kvm_vm_stat {
	u64 own;
};

#define SHIM_VCPUS 3
struct kvm {
	struct kvm *vm_list;
	char stats_id[48];
	struct kvm_vm_stat stat;
	struct dentry *debugfs_dentry;
	struct mutex lock;
	int created_vcpus;
	struct {
		struct kvm_vm_exit_stats exit_stats;
	} arch;
	struct kvm_vcpu vcpu[SHIM_VCPUS];
};

extern struct mutex kvm_lock;
extern struct kvm *vm_list;

#define kvm_for_each_vcpu(i, v, kvm) \
	for ((i) = 0; (i) < SHIM_VCPUS && ((v) = &(kvm)->vcpu[i]); (i)++)
#define list_for_each_entry(pos, head, member) \
	for ((pos) = *(head); pos; (pos) = (pos)->member)

#define kzalloc_obj(obj) calloc(1, sizeof(obj))
#define kfree(p) free(p)

/* The module parameter */
struct kernel_param {
	void *arg;
};

#define KERNEL_PARAM_OPS_FL_NOARG 1

struct kernel_param_ops {
	unsigned int flags;
	int (*set)(const char *val, const struct kernel_param *kp);
	int (*get)(char *buffer, const struct kernel_param *kp);
};

#define module_param_cb(name, ops, arg, perm) extern int shim_param_##name
#define MODULE_PARM_DESC(name, text) extern int shim_desc_##name
static inline int param_set_bool(const char *val, const struct kernel_param *kp)
{
	/* Without a value, it is true. */
	bool on = !val || *val == 'Y';

	if (!on && *val != 'N')
		return -EINVAL;
	*(bool *)kp->arg = on;
	return 0;
}

static inline int param_get_bool(char *buffer, const struct kernel_param *kp)
{
	return snprintf(buffer, PAGE_SIZE, "%c\n", *(bool *)kp->arg ? 'Y' : 'N');
}

#define sysfs_emit(buf, ...) snprintf(buf, PAGE_SIZE, __VA_ARGS__)

/* Like the kernel's, ignore one newline at the end. */
#define sysfs_match_string(array, s) shim_match(array, sizeof(array) / sizeof(*(array)), s)
static inline int shim_match(const char *const *array, size_t n, const char *s)
{
	size_t len = strcspn(s, "\n");

	for (size_t i = 0; i < n && !(s[len] && s[len + 1]); i++)
		if (strlen(array[i]) == len && !strncmp(array[i], s, len))
			return i;
	return -EINVAL;
}

/* debugfs: a file is a function that prints to a stream. */
struct dentry;
struct inode;

struct seq_file {
	void *private;
	FILE *out;
};

struct seq_operations {
	void *(*start)(struct seq_file *m, loff_t *pos);
	void *(*next)(struct seq_file *m, void *v, loff_t *pos);
	void (*stop)(struct seq_file *m, void *v);
	int (*show)(struct seq_file *m, void *v);
};

struct file_operations {
	int (*show)(struct seq_file *m, void *v);
	const struct seq_operations *sops;
};

struct trace_print_flags {
	unsigned long mask;
	const char *name;
};

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define kvm_debugfs_dir NULL
#define cond_resched() ((void)0)
#define SEQ_START_TOKEN ((void *)1)
/* All CPUs are possible.  In the kernel, n is signed, too. */
#define cpumask_next(n, mask) ((unsigned int)((int)(n) + 1))
#define seq_printf(m, ...) fprintf((m)->out, __VA_ARGS__)
#define seq_putc(m, c) fputc(c, (m)->out)
#define DEFINE_SHOW_ATTRIBUTE(name) \
	static const struct file_operations name##_fops = { .show = name##_show }
#define DEFINE_SEQ_ATTRIBUTE(name) \
	static const struct file_operations name##_fops = { .sops = &name##_sops }

static inline struct dentry *debugfs_create_dir(const char *name, struct dentry *parent)
{
	return parent;
}

static inline void debugfs_create_file(const char *name, mode_t mode, struct dentry *parent,
				       void *data, const struct file_operations *fops)
{
	assert(!strncmp(name, "exit_stats", strlen("exit_stats")) && mode == 0400 &&
	       (fops->show || fops->sops));
}

/*
 * Binary statistics.  KVM's own are one each here.  A file is a header, an id,
 * descriptors and values.
 */
#define GFP_KERNEL 0
#define GFP_KERNEL_ACCOUNT 0
#define KVM_STATS_NAME_SIZE 48
#define KVM_STATS_TYPE_CUMULATIVE 0x00
#define KVM_STATS_TYPE_INSTANT 0x01
#define KVM_STATS_TYPE_PEAK 0x02
#define KVM_STATS_TYPE_LOG_HIST 0x04
#define KVM_STATS_UNIT_MASK 0xf0
#define KVM_STATS_UNIT_NONE 0x00
#define KVM_STATS_UNIT_SECONDS 0x20
#define KVM_STATS_UNIT_CYCLES 0x30
#define KVM_STATS_BASE_POW10 0x000

extern const struct kvm_stats_header {
	u32 flags, name_size, num_desc, id_offset, desc_offset, data_offset;
} kvm_vm_stats_header, kvm_vcpu_stats_header;

extern const struct kvm_stats_desc {
	u32 flags;
	s16 exponent;
	u16 size;
	u32 offset;
	u32 bucket_size;
	char name[KVM_STATS_NAME_SIZE];
} kvm_vm_stats_desc[1], kvm_vcpu_stats_desc[1];

/* How many more there are, or no end of them */
extern int shim_allocations;
#define kvzalloc(size, flags) (shim_allocations-- ? calloc(1, size) : NULL)
#define kvfree(p) free(p)

/* Like the kernel's, but that all of it is in one piece */
static inline ssize_t kvm_stats_read(char *id, const struct kvm_stats_header *header,
				     const struct kvm_stats_desc *desc, void *stats,
				     size_t size_stats, char *buffer, size_t size, loff_t *offset)
{
	size_t end = header->data_offset + size_stats, n;
	char *file = calloc(1, end);

	memcpy(file, header, sizeof(*header));
	memcpy(file + header->id_offset, id, KVM_STATS_NAME_SIZE);
	/* Who doesn't read these need not have them. */
	if (desc)
		memcpy(file + header->desc_offset, desc, header->num_desc * sizeof(*desc));
	if (stats)
		memcpy(file + header->data_offset, stats, size_stats);
	n = (size_t)*offset > end ? 0 : min(size, end - *offset);
	assert(desc || *offset >= header->data_offset || *offset + n <= header->desc_offset);
	assert(stats || *offset + n <= header->data_offset);
	memcpy(buffer, file + *offset, n);
	*offset += n;
	free(file);
	return n;
}

#endif /* SHIM_H */
