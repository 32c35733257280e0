/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the leaves from 0x4fffffe0 to 0x4fffffff may answer, given what they have
 * answered before, and the indices that a hostile guest asks for.
 *
 * Shared by the guest tests and by the tests that run guests of their own, so it
 * knows nothing of how CPUID got executed.
 */
#ifndef LEAF_MODEL_H
#define LEAF_MODEL_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "isa.h"
#include "ktap.h"
#include "kvm_exit_stats.h"

/* 5 leaves that are out of range, and 11 of this vCPU; then the same, of the VM or the host */
#define LEAF_LOWEST 0x4fffffe0
#define LEAF_HIGHEST 0x4fffffff
#define NR_SERVED 11
#define NR_OUT_OF_RANGE (2 * (16 - NR_SERVED))
/* How many leaves are read for an index */
#define NR_LEAVES_ASKED (2 + NR_SERVED + 1)

/* Of a test, on all vCPUs and VMs: a week each of 1000 */
#define LEAF_NS_LIMIT (1000 * 7 * 86400 * 1000000000ull)

/* All 16-bit values; powers of two and their neighbours; reasons with extra bits. */
#define NR_SHORT_INDICES 0x10000
#define NR_POWERS (32 * 3)
#define NR_FLAGGED (4 * 128)
#define NR_RANDOM 19000
#define NR_INDICES (NR_SHORT_INDICES + NR_POWERS + NR_FLAGGED + NR_RANDOM)

struct leaf_regs {
	uint32_t eax, ebx, ecx, edx;
};

enum leaf_kind {
	LEAF_OUT_OF_RANGE,
	LEAF_SIGNATURE,
	LEAF_TOTAL_EXITS,
	LEAF_TOTAL_CYCLES,
	LEAF_DEFINED,
	LEAF_UNDEFINED,
	LEAF_WHICH,
	LEAF_LEDGER,
	LEAF_VMM,
	LEAF_LONGEST,
	LEAF_HISTOGRAM,
	/* Only if the guest knows all its CPUIDs */
	LEAF_OWN,
	NR_LEAF_KINDS,
};

static const char * const leaf_kind_names[NR_LEAF_KINDS] = {
	[LEAF_OUT_OF_RANGE] = "leaves out of range answer as without statistics",
	[LEAF_SIGNATURE] = "signature is constant",
	[LEAF_TOTAL_EXITS] = "total exits grow with each CPUID",
	[LEAF_TOTAL_CYCLES] = "total cycles grow with each CPUID",
	[LEAF_DEFINED] = "defined reasons never decrease, and zero the rest",
	[LEAF_UNDEFINED] = "undefined reasons say so, and nothing else",
	[LEAF_WHICH] = "those reasons have occurred that have figures, and no undefined ones",
	[LEAF_LEDGER] = "states have a time, and what is none says so",
	[LEAF_VMM] = "a reason's time in the VMM goes with returns to it",
	[LEAF_LONGEST] = "the longest exit gets no shorter, and no recent one is longer",
	[LEAF_HISTOGRAM] = "buckets have no more exits than there are, or say that there are none",
	[LEAF_OWN] = "CPUIDs executed are counted to the exit",
};

/* What was last read, and when */
struct leaf_figures {
	uint64_t total_exits, total_exits_at, total_cycles;
	uint64_t exits[NR_REASONS];
	uint64_t cycles[NR_REASONS];
	uint64_t elapsed_ns;
	uint64_t returns[NR_REASONS];
	uint64_t longest[NR_REASONS];
};

struct leaf_model {
	enum isa isa;
	/* KVM_EXIT_STATS_SCOPE_* */
	uint32_t scope;
	/* The exit reason of this guest's CPUIDs, and whether only CPUIDs cause it */
	uint32_t own_reason;
	bool own_exact;
	/* CPUIDs executed so far, including the one that is checked */
	uint64_t executed;
	/* Exits are counted in buckets, too. */
	bool histogram;
	/* No figure can be higher. */
	uint64_t limit;

	uint64_t checked[NR_LEAF_KINDS];
	uint64_t wrong[NR_LEAF_KINDS];

	/* Of the VM or the host, and of the one vCPU that executes CPUID */
	struct leaf_figures all, own;
	/* Exits of own_reason before the first of these CPUIDs */
	uint64_t own_base;
	bool own_base_known;
};

static inline bool leaf_regs_equal(struct leaf_regs a, struct leaf_regs b)
{
	return !memcmp(&a, &b, sizeof(a));
}

static inline uint64_t exits_in(struct leaf_regs r)
{
	return (uint64_t)r.ebx << 32 | r.eax;
}

static inline uint64_t cycles_in(struct leaf_regs r)
{
	return (uint64_t)r.ebx << 32 | r.ecx;
}

/* The N-th of NR_INDICES, the same in each run */
static inline uint32_t hostile_index(uint32_t n)
{
	static const uint32_t flags[] = { 0x80000000, 0x10000, 0xffff0000, 0x100 };
	uint32_t mixed;

	if (n < NR_SHORT_INDICES)
		return n;
	n -= NR_SHORT_INDICES;
	if (n < NR_POWERS)
		return (1u << n / 3) + n % 3 - 1;
	n -= NR_POWERS;
	if (n < NR_FLAGGED)
		return flags[n / 128] | n % 128;

	mixed = n * 0x9e3779b9;
	mixed = (mixed ^ mixed >> 16) * 0x85ebca6b;
	mixed ^= mixed >> 13;
	/* Make half of them small, as only small ones are reasons. */
	return mixed & 1 ? mixed : mixed >> 25;
}

/*
 * By how much to divide the number of indices, as the job says: not every kernel needs
 * all of those that test nothing new.
 */
static inline uint32_t fewer(void)
{
	const char *by = getenv("fewer");

	return by && atoi(by) > 0 ? atoi(by) : 1;
}

/* Does the N-th index test something new?  Low ones, powers and flagged reasons do. */
static inline bool hostile_index_is_special(uint32_t n)
{
	return n < 256 || (n >= NR_SHORT_INDICES && n < NR_INDICES - NR_RANDOM);
}

/* The K-th of NR_LEAVES_ASKED: two that are out of range, all that are not, and one of this vCPU */
static inline uint32_t hostile_leaf(uint32_t n, unsigned int k)
{
	uint32_t i = (n + 5 * k) % NR_OUT_OF_RANGE;

	if (k < 2)
		return LEAF_LOWEST + i + (i < NR_OUT_OF_RANGE / 2 ? 0 : NR_SERVED);
	if (k < 2 + NR_SERVED)
		return KVM_EXIT_STATS_LEAF_HISTOGRAM + k - 2;
	return KVM_EXIT_STATS_LEAF_HISTOGRAM - KVM_EXIT_STATS_VCPU_OFFSET + n % NR_SERVED;
}

static inline bool leaf_is_growing(uint64_t value, uint64_t least, uint64_t limit, uint64_t *last)
{
	bool ok = value >= least && value <= limit;

	*last = value;
	return ok;
}

/*
 * What any leaf answers that is out of range: zeros if the guest's CPU is AMD's, else what the
 * highest basic leaf answers for the same index.
 */
static inline struct leaf_regs leaf_out_of_range(enum isa isa, struct leaf_regs highest)
{
	return isa == SVM ? (struct leaf_regs){} : highest;
}

/* Bit I of the answers of WHICH */
static inline bool leaf_bit(struct leaf_regs r, uint32_t i)
{
	return (i < 32 ? r.eax : i < 64 ? r.ebx : r.ecx) >> i % 32 & 1;
}

/*
 * Has a bit for each reason of 96 that is known to have figures, none for those that can't, and
 * leads no further than to the next one that has.
 */
static inline bool leaf_which_fits(const struct leaf_model *m, const struct leaf_figures *f,
				   uint32_t index, struct leaf_regs r)
{
	const uint32_t first = index - index % KVM_EXIT_STATS_WHICH_REASONS;
	uint32_t defined = 0, bits = __builtin_popcount(r.eax) + __builtin_popcount(r.ebx) +
				     __builtin_popcount(r.ecx);

	if (r.edx != KVM_EXIT_STATS_UNDEFINED &&
	    (r.edx <= first || r.edx % KVM_EXIT_STATS_WHICH_REASONS))
		return false;
	for (uint32_t n = 0; n < NR_REASONS; n++) {
		uint32_t reason = nth_reason(n), i = reason - first;
		bool has = f->exits[n] || f->cycles[n];

		if (!isa_defines(m->isa, reason) || reason < first)
			continue;
		if (i >= KVM_EXIT_STATS_WHICH_REASONS) {
			if (has && r.edx > reason)
				return false;
			continue;
		}
		if (has ? !leaf_bit(r, i) : kvm_never_enables(m->isa, reason) && leaf_bit(r, i))
			return false;
		defined += leaf_bit(r, i);
	}
	return defined == bits;
}

/*
 * The VM's time goes on, and no state has more.  The host's is less when a VM is gone.  A state
 * may give some to another one when it ends.
 */
static inline bool leaf_ledger_fits(struct leaf_model *m, bool own, uint32_t state,
				    struct leaf_regs r)
{
	struct leaf_figures *f = own ? &m->own : &m->all;
	uint64_t ns = exits_in(r);

	if (r.ecx || r.edx)
		return false;
	if (state != KVM_EXIT_STATS_STATE_ELAPSED)
		return ns <= LEAF_NS_LIMIT;
	if (!own && m->scope == KVM_EXIT_STATS_SCOPE_HOST)
		return ns > 0 && ns <= LEAF_NS_LIMIT;
	return leaf_is_growing(ns, f->elapsed_ns + 1, LEAF_NS_LIMIT, &f->elapsed_ns);
}

static inline bool leaf_vmm_fits(struct leaf_model *m, bool own, uint32_t reason,
				 struct leaf_regs r)
{
	struct leaf_figures *f = own ? &m->own : &m->all;
	uint64_t returns = exits_in(r), ns = (uint64_t)r.edx << 32 | r.ecx;

	if ((!returns || kvm_never_enables(m->isa, reason)) && (returns || ns))
		return false;
	if (ns > LEAF_NS_LIMIT)
		return false;
	if (!own && m->scope == KVM_EXIT_STATS_SCOPE_HOST)
		return returns <= m->limit;
	return leaf_is_growing(returns, f->returns[reason_slot(reason)], m->limit,
			       &f->returns[reason_slot(reason)]);
}

static inline bool leaf_longest_fits(struct leaf_model *m, bool own, uint32_t reason,
				     struct leaf_regs r)
{
	struct leaf_figures *f = own ? &m->own : &m->all;
	uint64_t longest = exits_in(r), recent = (uint64_t)r.edx << 32 | r.ecx;

	if (recent > longest)
		return false;
	if (kvm_never_enables(m->isa, reason))
		return !longest;
	return leaf_is_growing(longest, f->longest[reason_slot(reason)], m->limit,
			       &f->longest[reason_slot(reason)]);
}

/* Four of a reason's 32 buckets, if it and the group are known */
static inline bool leaf_buckets_fit(const struct leaf_model *m, bool own, uint32_t index,
				    struct leaf_regs r)
{
	static const struct leaf_regs undefined = { .edx = KVM_EXIT_STATS_UNDEFINED };
	uint32_t reason = (uint16_t)index == 0xffff ? ~0u : (uint16_t)index;
	uint64_t sum = (uint64_t)r.eax + r.ebx + r.ecx + r.edx;

	if (!m->histogram || index >> 27 || index & 0xff0000 || !isa_defines(m->isa, reason) ||
	    (!own && m->scope == KVM_EXIT_STATS_SCOPE_HOST))
		return leaf_regs_equal(r, undefined);
	return sum <= (kvm_never_enables(m->isa, reason) ? 0 : m->limit) &&
	       !leaf_regs_equal(r, undefined);
}

static inline bool leaf_fits(struct leaf_model *m, enum leaf_kind *kind, uint32_t leaf,
			     uint32_t index, struct leaf_regs r, struct leaf_regs out_of_range)
{
	static const struct leaf_regs undefined = { .edx = KVM_EXIT_STATS_UNDEFINED };
	const struct leaf_regs signature = {
		.eax = 1 | m->isa << 8 | m->scope << 16 | 0x86000000,
		.ebx = 0x454d564b, .ecx = 0x53746978, .edx = 0x73746174,
	};
	struct leaf_figures *f = leaf & 0x10 ? &m->all : &m->own;
	uint64_t exits = exits_in(r), cycles = cycles_in(r), since;
	uint32_t slot;

	switch (leaf | 0x10) {
	case 0x4ffffffb:
		*kind = LEAF_SIGNATURE;
		return leaf_regs_equal(r, signature);
	case 0x4ffffffc:
		*kind = LEAF_TOTAL_EXITS;
		since = m->executed - f->total_exits_at;
		f->total_exits_at = m->executed;
		return leaf_is_growing(exits, f->total_exits + since, m->limit, &f->total_exits) &&
		       !r.ecx && !r.edx;
	case 0x4ffffffd:
		*kind = LEAF_TOTAL_CYCLES;
		return leaf_is_growing(cycles, f->total_cycles + 1, m->limit, &f->total_cycles) &&
		       !r.eax && !r.edx;
	case 0x4ffffff8:
		*kind = LEAF_LEDGER;
		return index < 7 ? leaf_ledger_fits(m, !(leaf & 0x10), index, r) :
				   leaf_regs_equal(r, undefined);
	case 0x4ffffff7:
		*kind = LEAF_VMM;
		return isa_defines(m->isa, index) ?
		       leaf_vmm_fits(m, !(leaf & 0x10), index, r) :
		       leaf_regs_equal(r, undefined);
	case 0x4ffffff5:
		*kind = LEAF_HISTOGRAM;
		return leaf_buckets_fit(m, !(leaf & 0x10), index, r);
	case 0x4ffffff6:
		*kind = LEAF_LONGEST;
		/* The host has none. */
		return isa_defines(m->isa, index) &&
			       (!(leaf & 0x10) || m->scope == KVM_EXIT_STATS_SCOPE_VM) ?
		       leaf_longest_fits(m, !(leaf & 0x10), index, r) :
		       leaf_regs_equal(r, undefined);
	case 0x4ffffff9:
		*kind = LEAF_WHICH;
		return leaf_which_fits(m, f, index, r);
	case 0x4ffffffa:
		cycles = (uint64_t)r.edx << 32 | r.ecx;
		/* fall through */
	case 0x4ffffffe:
	case 0x4fffffff:
		if (!isa_defines(m->isa, index)) {
			*kind = LEAF_UNDEFINED;
			return leaf_regs_equal(r, undefined);
		}
		*kind = LEAF_DEFINED;
		slot = reason_slot(index);
		if (kvm_never_enables(m->isa, index) && (exits || cycles || r.edx))
			return false;
		if ((leaf | 0x10) == 0x4fffffff)
			return leaf_is_growing(cycles, f->cycles[slot], m->limit,
					       &f->cycles[slot]) && !r.eax && !r.edx;
		if ((leaf | 0x10) == 0x4ffffffa &&
		    !leaf_is_growing(cycles, f->cycles[slot], m->limit, &f->cycles[slot]))
			return false;
		return leaf_is_growing(exits, f->exits[slot], m->limit, &f->exits[slot]) &&
		       ((leaf | 0x10) == 0x4ffffffa || (!r.ecx && !r.edx));
	default:
		*kind = LEAF_OUT_OF_RANGE;
		return leaf_regs_equal(r, out_of_range);
	}
}

/* Check an answer.  OUT_OF_RANGE is that of any leaf that is out of range. */
static inline bool leaf_check(struct leaf_model *m, uint32_t leaf, uint32_t index,
			      struct leaf_regs r, struct leaf_regs out_of_range)
{
	enum leaf_kind kind;
	bool ok = leaf_fits(m, &kind, leaf, index, r, out_of_range);

	if (ok && m->own_exact && leaf == 0x4ffffffe && index == m->own_reason) {
		if (!m->own_base_known) {
			m->own_base_known = true;
			m->own_base = m->all.exits[reason_slot(index)] - m->executed;
		}
		m->checked[kind]++;
		kind = LEAF_OWN;
		ok = m->all.exits[reason_slot(index)] == m->own_base + m->executed;
	}
	m->checked[kind]++;
	/* Print all in one call, as there may be other threads. */
	if (!ok && m->wrong[kind]++ < 3)
		printf("# %s: leaf 0x%08x index 0x%08x after %" PRIu64 " CPUIDs: "
		       "eax=%08x ebx=%08x ecx=%08x edx=%08x\n", leaf_kind_names[kind],
		       leaf, index, m->executed, r.eax, r.ebx, r.ecx, r.edx);
	return ok;
}

/* The number of results: one for each kind of answer */
static inline unsigned int leaf_nr_results(const struct leaf_model *m)
{
	return m->own_exact ? NR_LEAF_KINDS : LEAF_OWN;
}

static inline void leaf_report(const struct leaf_model *m, const char *what)
{
	for (unsigned int kind = 0; kind < leaf_nr_results(m); kind++) {
		ksft_print_msg("%s: %" PRIu64 " checked, %" PRIu64 " wrong\n",
			       leaf_kind_names[kind], m->checked[kind], m->wrong[kind]);
		ksft_test_result(m->checked[kind] && !m->wrong[kind], "%s: %s\n", what,
				 leaf_kind_names[kind]);
	}
}

#endif /* LEAF_MODEL_H */
