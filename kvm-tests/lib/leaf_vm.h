/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VM whose vCPUs do nothing but to execute the CPUIDs that they are asked to, in
 * any mode of the CPU, by the CPU or by KVM's instruction emulator.
 *
 * There is no program in it, only a loop over requests in its memory.  Hence there is
 * no exit that nobody asked for, but for the first access to each page, the OUT that
 * ends a run, and interrupts of the host's.
 */
#ifndef LEAF_VM_H
#define LEAF_VM_H

#include "compat.h"

#include "case.h"
#include "leaf_model.h"

enum cpu_mode { REAL_MODE, PROTECTED_MODE, LONG_MODE, NR_CPU_MODES };

static const char * const cpu_mode_names[NR_CPU_MODES] = {
	"real mode", "protected mode", "long mode",
};

struct request {
	uint32_t leaf, index;
	/* How many WBINVDs, each an exit, to execute before the CPUID, and how long to spin */
	uint32_t wbinvds, spins;
	struct leaf_regs r;
};

/* As many as fit in a segment of real mode, with their number */
#define NR_REQUESTS (0x10000 / sizeof(struct request) - 1)
#define NR_LEAF_VCPUS 4

struct leaf_vm {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu[NR_LEAF_VCPUS];
	struct request *requests[NR_LEAF_VCPUS];
	/* CPUIDs executed so far */
	uint64_t executed[NR_LEAF_VCPUS];
	/* TSC at creation */
	uint64_t since;
};

/*
 * EBP points to the number of requests, which follow it.  Registers hold stale values
 * before each CPUID.  The instructions mean the same in all modes.
 */
#define LEAF_CODE(name, bits, insn)				\
	asm(".pushsection .rodata\n"				\
	    #name ":\n"						\
	    ".code" #bits "\n"					\
	    "1:	mov %ebp, %esi\n"				\
	    "	mov (%esi), %edi\n"				\
	    "2:	add $32, %esi\n"				\
	    "	mov 8(%esi), %ebx\n"				\
	    "3:	dec %ebx\n"					\
	    "	js 4f\n"					\
	    "	wbinvd\n"					\
	    "	jmp 3b\n"					\
	    "4:	mov 12(%esi), %ebx\n"				\
	    "5:	dec %ebx\n"					\
	    "	jns 5b\n"					\
	    "	mov (%esi), %eax\n"				\
	    "	mov 4(%esi), %ecx\n"				\
	    "	mov $0x5a5a5a5a, %ebx\n"			\
	    "	mov $0xa5a5a5a5, %edx\n"			\
	    insn "\n"						\
	    "	mov %eax, 16(%esi)\n"				\
	    "	mov %ebx, 20(%esi)\n"				\
	    "	mov %ecx, 24(%esi)\n"				\
	    "	mov %edx, 28(%esi)\n"				\
	    "	dec %edi\n"					\
	    "	jnz 2b\n"					\
	    "	out %al, $0x80\n"				\
	    "	jmp 1b\n"					\
	    #name "_end:\n"					\
	    ".code64\n"						\
	    ".popsection");					\
	extern const char name[], name##_end[]

#define EMULATED(insn) "ud2; .ascii \"kvm\"; " insn

LEAF_CODE(leaf_code16, 16, "cpuid");
LEAF_CODE(leaf_code32, 32, "cpuid");
LEAF_CODE(leaf_code64, 64, "cpuid");
LEAF_CODE(leaf_code16_emulated, 16, EMULATED("cpuid"));
LEAF_CODE(leaf_code32_emulated, 32, EMULATED("cpuid"));
LEAF_CODE(leaf_code64_emulated, 64, EMULATED("cpuid"));

static const struct {
	const char *begin, *end;
} leaf_codes[NR_CPU_MODES][2] = {
	[REAL_MODE] = { { leaf_code16, leaf_code16_end },
			{ leaf_code16_emulated, leaf_code16_emulated_end } },
	[PROTECTED_MODE] = { { leaf_code32, leaf_code32_end },
			     { leaf_code32_emulated, leaf_code32_emulated_end } },
	[LONG_MODE] = { { leaf_code64, leaf_code64_end },
			{ leaf_code64_emulated, leaf_code64_emulated_end } },
};

/* The layout of the VM's megabyte.  Each vCPU has 64 KiB of requests. */
#define LEAF_VM_SIZE 0x100000
#define LEAF_VM_CODE 0x1000
#define LEAF_VM_TABLES 0x2000
#define LEAF_VM_REQUESTS(vcpu) (0x10000u * ((vcpu) + 1))

/* Identity-map one page of 2 MiB. */
static inline void leaf_vm_page_tables(struct kvm_vm *vm)
{
	uint64_t (*table)[512] = addr_gpa2hva(vm, LEAF_VM_TABLES);

	table[0][0] = (LEAF_VM_TABLES + 0x1000) | 3;
	table[1][0] = (LEAF_VM_TABLES + 0x2000) | 3;
	table[2][0] = 0x83;
}

static inline void leaf_vcpu_setup(struct kvm_vcpu *vcpu, enum cpu_mode mode, uint32_t requests)
{
	uint32_t base = mode == REAL_MODE ? requests : 0;
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	vcpu_sregs_get(vcpu, &sregs);
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	sregs.ds.base = base;
	sregs.ds.selector = base >> 4;
	if (mode != REAL_MODE) {
		sregs.cr0 = X86_CR0_PE | X86_CR0_NE | X86_CR0_ET;
		sregs.cs = (struct kvm_segment){ .selector = 8, .limit = ~0u, .type = 0xb,
						 .present = 1, .s = 1, .g = 1,
						 .db = mode == PROTECTED_MODE,
						 .l = mode == LONG_MODE };
		sregs.ds = (struct kvm_segment){ .selector = 16, .limit = ~0u, .type = 3,
						 .present = 1, .s = 1, .g = 1, .db = 1 };
		sregs.es = sregs.fs = sregs.gs = sregs.ss = sregs.ds;
	}
	if (mode == LONG_MODE) {
		sregs.cr0 |= X86_CR0_PG;
		sregs.cr3 = LEAF_VM_TABLES;
		sregs.cr4 = X86_CR4_PAE;
		sregs.efer = EFER_LME | EFER_LMA;
	}
	vcpu_sregs_set(vcpu, &sregs);

	vcpu_regs_get(vcpu, &regs);
	regs.rip = LEAF_VM_CODE;
	regs.rbp = requests - base;
	regs.rflags = 2;
	vcpu_regs_set(vcpu, &regs);
}

/* What a VMM may do besides; zeros are what most tests want. */
struct leaf_vmm {
	/* What the vCPUs get, NULL for all that KVM supports */
	const struct kvm_cpuid2 *cpuid;
	/* Their CPUID says that there is no hypervisor. */
	bool hides_hypervisor;
	/* It asks for the scope that its guest is served at most. */
	bool asks;
	uint32_t scope;
};

static inline struct leaf_vm leaf_vm_create_by(struct leaf_vmm vmm, enum cpu_mode mode,
					       bool emulated, int nr_vcpus)
{
	const char *code = leaf_codes[mode][emulated].begin;
	struct leaf_vm v = { .since = rdtsc(), .vm = vm_create_barebones() };

	vm_userspace_mem_region_add(v.vm, VM_MEM_SRC_ANONYMOUS, 0, 0,
				    LEAF_VM_SIZE / getpagesize(), 0);
	memcpy(addr_gpa2hva(v.vm, LEAF_VM_CODE), code, leaf_codes[mode][emulated].end - code);
	leaf_vm_page_tables(v.vm);
	if (vmm.asks)
		vm_enable_cap(v.vm, KVM_CAP_X86_EXIT_STATS, vmm.scope);
	for (int i = 0; i < nr_vcpus; i++) {
		v.vcpu[i] = __vm_vcpu_add(v.vm, i);
		v.requests[i] = (struct request *)addr_gpa2hva(v.vm, LEAF_VM_REQUESTS(i)) + 1;
		vcpu_init_cpuid(v.vcpu[i], vmm.cpuid ?: kvm_get_supported_cpuid());
		/* Not every kernel's KVM_GET_SUPPORTED_CPUID says that there is a hypervisor. */
		vcpu_set_or_clear_cpuid_feature(v.vcpu[i], X86_FEATURE_HYPERVISOR,
						!vmm.hides_hypervisor);
		leaf_vcpu_setup(v.vcpu[i], mode, LEAF_VM_REQUESTS(i));
	}
	return v;
}

static inline struct leaf_vm leaf_vm_create(enum cpu_mode mode, bool emulated, int nr_vcpus,
					    const struct kvm_cpuid2 *cpuid)
{
	return leaf_vm_create_by((struct leaf_vmm){ .cpuid = cpuid }, mode, emulated, nr_vcpus);
}

/* Let a vCPU execute its first N requests. */
static inline void leaf_vm_run(struct leaf_vm *v, int i, uint32_t n)
{
	struct kvm_run *run = v->vcpu[i]->run;

	TEST_ASSERT(n && n <= NR_REQUESTS, "%u requests", n);
	*(uint32_t *)(v->requests[i] - 1) = n;
	vcpu_run(v->vcpu[i]);
	TEST_ASSERT(run->exit_reason == KVM_EXIT_IO && run->io.port == 0x80, "exit reason %u",
		    run->exit_reason);
	v->executed[i] += n;
}

/* Let a vCPU execute one CPUID. */
static inline struct leaf_regs leaf_vm_cpuid(struct leaf_vm *v, uint32_t leaf, uint32_t index)
{
	v->requests[0][0] = (struct request){ .leaf = leaf, .index = index };
	leaf_vm_run(v, 0, 1);
	return v->requests[0][0].r;
}

static inline uint32_t max_basic_leaf(void)
{
	return get_cpuid_entry(kvm_get_supported_cpuid(), 0, 0)->eax;
}

/* Let a vCPU execute one CPUID, to learn what leaves answer that are out of range. */
static inline struct leaf_regs leaf_vm_out_of_range(struct leaf_vm *v, uint32_t index)
{
	return leaf_out_of_range(oracle_isa(), leaf_vm_cpuid(v, max_basic_leaf(), index));
}

/* For each index, the highest basic leaf is read first. */
#define NR_SWEEP_REQUESTS (1 + NR_LEAVES_ASKED)
#define NR_SWEEP_INDICES (NR_REQUESTS / NR_SWEEP_REQUESTS)

/* Read the leaves for some of the hostile indices, and check the answers. */
static inline void leaf_vm_sweep(struct leaf_vm *v, int i, struct leaf_model *m, const uint32_t *n,
				 uint32_t nr)
{
	uint32_t max_basic = max_basic_leaf();
	struct request *r = v->requests[i];

	for (uint32_t k = 0; k < nr; k++) {
		uint32_t index = hostile_index(n[k]);

		*r++ = (struct request){ .leaf = max_basic, .index = index };
		for (unsigned int leaf = 0; leaf < NR_LEAVES_ASKED; leaf++)
			*r++ = (struct request){ .leaf = hostile_leaf(n[k], leaf), .index = index };
	}
	leaf_vm_run(v, i, nr * NR_SWEEP_REQUESTS);

	/* Figures can't exceed the cycles that all CPUs together had. */
	m->limit = sysconf(_SC_NPROCESSORS_CONF) *
		   (rdtsc() - (m->scope == KVM_EXIT_STATS_SCOPE_HOST ? 0 : v->since));
	r = v->requests[i];
	for (uint32_t k = 0; k < nr; k++) {
		struct leaf_regs out_of_range = leaf_out_of_range(m->isa, r->r);

		m->executed++;
		r++;
		for (unsigned int leaf = 0; leaf < NR_LEAVES_ASKED; leaf++, r++) {
			m->executed++;
			leaf_check(m, r->leaf, r->index, r->r, out_of_range);
		}
	}
}

#endif /* LEAF_VM_H */
