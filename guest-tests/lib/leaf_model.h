/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the leaves from 0x4ffffff0 to 0x4fffffff may answer, given what they have
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

#define LEAF_LOWEST 0x4ffffff0
#define LEAF_HIGHEST 0x4fffffff
#define NR_OUT_OF_RANGE (KVM_EXIT_STATS_LEAF_SIGNATURE - LEAF_LOWEST)
/* How many leaves are read for an index */
#define NR_LEAVES_ASKED 7

/* All 16-bit values; powers of two and their neighbours; reasons with extra bits. */
#define NR_SHORT_INDICES 0x10000
#define NR_POWERS (32 * 3)
#define NR_FLAGGED (4 * 128)
#define NR_RANDOM 80000
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
	[LEAF_OWN] = "CPUIDs executed are counted to the exit",
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
	/* No figure can be higher. */
	uint64_t limit;

	uint64_t checked[NR_LEAF_KINDS];
	uint64_t wrong[NR_LEAF_KINDS];

	/* What was last read, and when */
	uint64_t total_exits, total_exits_at, total_cycles;
	uint64_t exits[NR_REASONS];
	uint64_t cycles[NR_REASONS];
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

/* The K-th of NR_LEAVES_ASKED: two that are out of range and vary, then the five. */
static inline uint32_t hostile_leaf(uint32_t n, unsigned int k)
{
	return k < 2 ? LEAF_LOWEST + (n + 5 * k) % NR_OUT_OF_RANGE :
		       KVM_EXIT_STATS_LEAF_SIGNATURE + k - 2;
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

static inline bool leaf_fits(struct leaf_model *m, enum leaf_kind *kind, uint32_t leaf,
			     uint32_t index, struct leaf_regs r, struct leaf_regs out_of_range)
{
	static const struct leaf_regs undefined = { .edx = KVM_EXIT_STATS_UNDEFINED };
	const struct leaf_regs signature = {
		.eax = 1 | m->isa << 8 | m->scope << 16,
		.ebx = 0x454d564b, .ecx = 0x53746978, .edx = 0x73746174,
	};
	uint64_t exits = exits_in(r), cycles = cycles_in(r), since;

	switch (leaf) {
	case 0x4ffffffb:
		*kind = LEAF_SIGNATURE;
		return leaf_regs_equal(r, signature);
	case 0x4ffffffc:
		*kind = LEAF_TOTAL_EXITS;
		since = m->executed - m->total_exits_at;
		m->total_exits_at = m->executed;
		return leaf_is_growing(exits, m->total_exits + since, m->limit, &m->total_exits) &&
		       !r.ecx && !r.edx;
	case 0x4ffffffd:
		*kind = LEAF_TOTAL_CYCLES;
		return leaf_is_growing(cycles, m->total_cycles + 1, m->limit, &m->total_cycles) &&
		       !r.eax && !r.edx;
	case 0x4ffffffe:
	case 0x4fffffff:
		if (!isa_defines(m->isa, index)) {
			*kind = LEAF_UNDEFINED;
			return leaf_regs_equal(r, undefined);
		}
		*kind = LEAF_DEFINED;
		if (r.edx || (kvm_never_enables(m->isa, index) && (exits || cycles)))
			return false;
		if (leaf == 0x4fffffff)
			return leaf_is_growing(cycles, m->cycles[reason_slot(index)], m->limit,
					       &m->cycles[reason_slot(index)]) && !r.eax;
		return leaf_is_growing(exits, m->exits[reason_slot(index)], m->limit,
				       &m->exits[reason_slot(index)]) && !r.ecx;
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
			m->own_base = m->exits[reason_slot(index)] - m->executed;
		}
		m->checked[kind]++;
		kind = LEAF_OWN;
		ok = m->exits[reason_slot(index)] == m->own_base + m->executed;
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
