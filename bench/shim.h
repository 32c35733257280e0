/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What exit_stats.h needs of the kernel, with the instructions the kernel has: per-CPU
 * data is reached through GS, whose base each thread sets to an area of its own.
 * Accounting is on.
 */
#ifndef BENCH_SHIM_H
#define BENCH_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/cdefs.h>
#include <x86intrin.h>

#define CONFIG_KVM_EXIT_STATS

typedef uint64_t u64;
typedef int64_t s64;
typedef uint32_t u32;
typedef uint8_t u8;

#define BIT_ULL(n) (1ULL << (n))
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#define ____cacheline_aligned __attribute__((aligned(64)))
#define __aligned(n) __attribute__((aligned(n)))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define asm_inline asm __inline
/* The C library's; newer kernels have one of their own. */
#undef __CONCAT
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
#define CC_SET(c) "\n\t/* output condition code " #c "*/\n"
#define CC_OUT(c) "=@cc" #c

#define DECLARE_STATIC_KEY_FALSE(name) struct shim_key
#define static_branch_unlikely(key) true
#define static_branch_likely(key) true

#define DECLARE_PER_CPU_ALIGNED(type, name) extern type name ____cacheline_aligned
#define this_cpu_add(var, value) \
	asm volatile("addq %1, %%gs:%0" : "+m"(var) : "re"((u64)(value)))
#define this_cpu_inc(var) asm volatile("incq %%gs:%0" : "+m"(var))

#define rdtsc() __rdtsc()

struct llist_node {
	struct llist_node *next;
};

struct llist_head {
	struct llist_node *first;
};

struct kvm_cpuid_entry2 {
	u32 function, index, flags, eax, ebx, ecx, edx, padding[3];
};

#include <asm/kvm_exit_stats.h>

struct dentry;
struct kvm;

struct kvm_vcpu {
	struct {
		struct kvm_vcpu_exit_stats exit_stats ____cacheline_aligned;
	} arch;
};

#endif /* BENCH_SHIM_H */
