// SPDX-License-Identifier: GPL-2.0-only
/*
 * Causes each VM exit that this CPU and KVM can produce, one kind per VM, a known number
 * of times.  Compares the counters of vCPU, VM and host with the kvm_exit tracepoint, and
 * what the guest reads by CPUID with the host's view.
 *
 * usage: stimuli [NAME...]
 *
 * Has to run alone in the machine whose KVM is under test.  It causes every exit reason
 * that the uapi names, or skips it and prints why.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/membarrier.h>

#include "compat.h"
#include "apic.h"

#include "kvm_exit_stats.h"
#include "case.h"

/* How often a guest causes its exit. */
#define N 100
/* A port that KVM leaves to user space */
#define USER_PORT 0x80
/* The PIC's mask register, which KVM emulates itself */
#define KERNEL_PORT 0x21
#define TIMER_VECTOR 0x40
#define IPI_VECTOR 0x31
/* Memory that nobody has touched, and addresses without memory */
#define FRESH_GPA 0x10000000ULL
#define MMIO_GPA 0xf0000000ULL
#define LVT_TIMER_TSCDEADLINE (2 << 17)
#define LVT_TIMER 0x320

enum stage { STAGE_BEGIN, STAGE_END, STAGE_REPORT };

struct stimulus {
	const char *name;
	uint32_t reason;
	/* Guest code, called once between two GUEST_SYNCs */
	void (*guest)(void);
	/* What the guest does before, maybe with the same exit */
	void (*prepare)(void);
	/* If there is no guest code: the host's part, which runs the vCPU */
	void (*host)(struct kvm_vcpu *vcpu);
	/* Prepares the VM before it runs */
	void (*setup)(struct kvm_vcpu *vcpu);
	/* Why this machine can't, NULL if it can */
	const char *(*why_not)(void);
	/* The code of a guest that the guest runs, see nested_guest() */
	void (*l2)(void);
	/* VMX: the controls that make it exit; on SVM, that is the bit of its reason */
	uint32_t l2_primary, l2_secondary;
	/* SVM: for what the guest asks and is told instead, if KVM finds out for it */
	uint32_t l1_reason;
	/* The host's interrupts may cause more such exits. */
	bool at_least;
};

/* What cannot be caused, and why */
struct unreachable {
	uint32_t reason;
	const char *why;
};

/* Guest memory: whose reasons, what nested_guest() has to do, and what the leaves said */
static enum isa isa;
static struct {
	void *l2;
	uint32_t primary, secondary;
	uint32_t reason;
} nested;
static struct figures seen;
static volatile bool done;
static volatile unsigned int interrupts;
static uint64_t fresh_pages = FRESH_GPA;

/* ---- guest code ---- */

static void guest_reads_reason(uint32_t reason)
{
	uint32_t a, b, c, d;

	__cpuid(KVM_EXIT_STATS_LEAF_REASON_CYCLES, reason, &a, &b, &c, &d);
	seen.cycles[reason_slot(reason)] = d ? 0 : (uint64_t)b << 32 | c;
	__cpuid(KVM_EXIT_STATS_LEAF_REASON_EXITS, reason, &a, &b, &c, &d);
	seen.exits[reason_slot(reason)] = d ? 0 : (uint64_t)b << 32 | a;
}

static void guest_reads_leaves(void)
{
	const struct reasons *reasons = reasons_of(isa);

	for (uint32_t slot = 0; slot < NR_REASONS; slot++) {
		uint32_t r = nth_reason(slot);

		if (isa_defines(isa, r) && r != reasons->interrupt && r != reasons->cpuid)
			guest_reads_reason(r);
	}
	/* Last, what may change meanwhile, and what reading itself changes */
	guest_reads_reason(reasons->interrupt);
	guest_reads_reason(reasons->cpuid);
}

/* When all has been caused: for as long as the host asks, say what the leaves say. */
static void guest_reports(void)
{
	for (;;) {
		guest_reads_leaves();
		GUEST_SYNC(STAGE_REPORT);
	}
}

/* It begins a page, or its first access to the next one might be among the code's exits. */
static void __attribute__((aligned(PAGE_SIZE)))
guest_main(void (*code)(void), void (*prepare)(void))
{
	if (prepare)
		prepare();
	GUEST_SYNC(STAGE_BEGIN);
	code();
	GUEST_SYNC(STAGE_END);
	guest_reports();
}

#define REPEAT(...)				\
	for (int i = 0; i < N; i++) {		\
		__VA_ARGS__;			\
	}

#define REPEAT_INSN(insn) REPEAT(asm volatile(insn ::: "memory"))
/* The instruction exits, then faults in the guest; the library's fixup handles that. */
#define REPEAT_FAULT(insn, inputs...) REPEAT(kvm_asm_safe(insn, inputs))

static void guest_ud2(void) { REPEAT_FAULT("ud2") }
static void guest_cpuid(void) { uint32_t a, b, c, d; REPEAT(__cpuid(1, 0, &a, &b, &c, &d)) }
static void guest_invd(void) { REPEAT_INSN("invd") }
static void guest_wbinvd(void) { REPEAT_INSN("wbinvd") }
static void guest_vmcall(void) { REPEAT(kvm_hypercall(99, 0, 0, 0, 0)) }
static void guest_monitor(void) { REPEAT(asm volatile("monitor" :: "a"(&seen), "c"(0), "d"(0))) }
static void guest_mwait(void) { REPEAT(asm volatile("mwait" :: "a"(0), "c"(0))) }
static void guest_in(void) { REPEAT(asm volatile("inb %%dx, %%al" :: "d"(KERNEL_PORT) : "rax")) }
static void guest_out(void) { REPEAT(asm volatile("outb %%al, %%dx" :: "d"(USER_PORT), "a"(0))) }
static void guest_rdmsr(void) { REPEAT(rdmsr(MSR_IA32_APICBASE)) }
static void guest_rdrand(void) { REPEAT_FAULT("rdrand %%rax", "a"(0)) }
static void guest_sgdt(void) { set_cr4(get_cr4() | X86_CR4_UMIP); REPEAT(get_gdt()) }
static void guest_str(void) { set_cr4(get_cr4() | X86_CR4_UMIP); REPEAT(get_tr()) }

static uint64_t operand[2];

static void guest_vmclear(void) { REPEAT_FAULT("vmclear %[m]", [m]"m"(operand)) }
static void guest_vmlaunch(void) { REPEAT_FAULT("vmlaunch") }
static void guest_vmptrld(void) { REPEAT_FAULT("vmptrld %[m]", [m]"m"(operand)) }
static void guest_vmptrst(void) { REPEAT_FAULT("vmptrst %[m]", [m]"m"(operand)) }
static void guest_vmread(void) { REPEAT_FAULT("vmread %%rax, %%rcx", "a"(0), "c"(0)) }
static void guest_vmresume(void) { REPEAT_FAULT("vmresume") }
static void guest_vmwrite(void) { REPEAT_FAULT("vmwrite %%rcx, %%rax", "a"(0), "c"(0)) }
static void guest_vmxoff(void) { REPEAT_FAULT("vmxoff") }
static void guest_vmxon(void) { REPEAT_FAULT("vmxon %[m]", [m]"m"(operand)) }
static void guest_invept(void) { REPEAT_FAULT("invept %[m], %%rax", [m]"m"(operand), "a"(1)) }
static void guest_invvpid(void) { REPEAT_FAULT("invvpid %[m], %%rax", [m]"m"(operand), "a"(1)) }

/* It faults, or KVM answers. */
static void guest_rdpmc(void)
{
	REPEAT({
		kvm_asm_safe("rdpmc", "c"(0));
		asm volatile("" ::: "rax", "rdx");
	})
}

static uint64_t pat;
static void prepare_pat(void) { pat = rdmsr(MSR_IA32_CR_PAT); }
static void guest_wrmsr(void) { REPEAT(wrmsr(MSR_IA32_CR_PAT, pat)) }

static void guest_string_out(void)
{
	const void *from = &seen;

	REPEAT(asm volatile("outsb" : "+S"(from) : "d"(USER_PORT)))
}

/* The host owns CR0.AM, so that each write exits. */
static void guest_cr0(void)
{
	uint64_t cr0 = get_cr0();

	REPEAT(asm volatile("mov %0, %%cr0" :: "r"(cr0 ^= X86_CR0_AM)))
}

/* At the first access, KVM lets the guest have the registers until the next exit. */
static void guest_dr(void)
{
	uint32_t a, b, c, d;
	uint64_t dr;

	REPEAT({
		asm volatile("mov %%dr7, %0" : "=r"(dr));
		__cpuid(1, 0, &a, &b, &c, &d);
	})
}

static void guest_xsetbv(void)
{
	set_cr4(get_cr4() | X86_CR4_OSXSAVE);
	REPEAT(asm volatile("xsetbv" :: "a"(1), "d"(0), "c"(0)))
}

static void take_interrupt(struct ex_regs *regs)
{
	interrupts++;
	x2apic_write_reg(APIC_EOI, 0);
}

static void send_to_self(uint32_t what)
{
	x2apic_write_reg(APIC_ICR, what);
}

static void guest_hlt(void)
{
	REPEAT({
		asm volatile("cli");
		send_to_self(APIC_DEST_SELF | APIC_DM_FIXED | IPI_VECTOR);
		asm volatile("sti; hlt");
	})
}

static void guest_interrupt_window(void)
{
	REPEAT({
		asm volatile("cli");
		send_to_self(APIC_DEST_SELF | APIC_DM_FIXED | IPI_VECTOR);
		asm volatile("sti; nop; nop");
	})
	GUEST_ASSERT(interrupts == N);
}

static void take_nmi(struct ex_regs *regs)
{
	/* The second one waits until the first has ended. */
	if (++interrupts & 1)
		send_to_self(APIC_DEST_SELF | APIC_DM_NMI);
}

static void guest_nmi_window(void)
{
	REPEAT(send_to_self(APIC_DEST_SELF | APIC_DM_NMI))
	GUEST_ASSERT(interrupts == 2 * N);
}

static void guest_tpr(void)
{
	asm volatile("sti");
	REPEAT({
		asm volatile("mov %0, %%cr8" :: "r"(15ul));
		send_to_self(APIC_DEST_SELF | APIC_DM_FIXED | IPI_VECTOR);
		asm volatile("mov %0, %%cr8; nop" :: "r"(0ul));
	})
	GUEST_ASSERT(interrupts == N);
}


/* The fast path sends these before KVM's exit handler runs. */
static void guest_icr(void)
{
	asm volatile("cli");
	REPEAT(send_to_self(APIC_DEST_PHYSICAL | APIC_DM_FIXED | IPI_VECTOR))
}

static void prepare_timer(void)
{
	x2apic_enable();
	x2apic_write_reg(LVT_TIMER, LVT_TIMER_TSCDEADLINE | TIMER_VECTOR);
}

/* The fast path sets these and re-enters the guest. */
static void guest_deadline(void)
{
	REPEAT(wrmsr(MSR_IA32_TSC_DEADLINE, rdtsc() + (1ul << 36)))
}

static void guest_timer(void)
{
	asm volatile("sti");
	REPEAT({
		unsigned int before = interrupts;

		wrmsr(MSR_IA32_TSC_DEADLINE, rdtsc() + 200000);
		while (interrupts == before)
			;
	})
}

/* Spin until the host has sent all interrupts. */
static void guest_spin(void)
{
	asm volatile("sti");
	while (!done)
		;
}

/* Walking the page tables and running the code also causes exits, once. */
static void guest_touch(void)
{
	REPEAT(*(volatile char *)fresh_pages = 1; fresh_pages += PAGE_SIZE)
}

/* The first access is an EPT violation, by which KVM learns that this is MMIO. */
static void prepare_mmio(void) { *(volatile uint32_t *)MMIO_GPA; }
static void guest_mmio(void) { REPEAT(*(volatile uint32_t *)MMIO_GPA) }

static void guest_invlpg(void) { REPEAT(asm volatile("invlpg %0" :: "m"(seen))) }

/* Save CR3 here, as reading it exits, too. */
static uint64_t cr3;
static void prepare_cr3(void) { cr3 = get_cr3(); }
static void guest_cr3(void) { REPEAT(asm volatile("mov %0, %%cr3" :: "r"(cr3))) }

#define L2_INSN(name, insn)						\
	static void l2_##name(void) { for (;;) asm volatile(insn ::: "rax", "rcx", "rdx"); }
L2_INSN(rdtsc, "rdtsc")
L2_INSN(rdtscp, "rdtscp")
L2_INSN(pause, "pause")
L2_INSN(nop, "nop")
L2_INSN(invlpg, "invlpg (%%rsp)")
L2_INSN(invpcid, "mov $2, %%eax; invpcid -16(%%rsp), %%rax")
L2_INSN(vmfunc, "xor %%eax, %%eax; xor %%ecx, %%ecx; vmfunc")
L2_INSN(hlt, "hlt")
L2_INSN(cpuid, "push %%rbx; cpuid; pop %%rbx")
L2_INSN(io, "inb $0x80, %%al")

/* Set up and run L2, which exits N times. */
static void nested_guest(struct vmx_pages *vmx)
{
	static uint64_t l2_stack[512];
	bool single_step = nested.reason == EXIT_REASON_MONITOR_TRAP_FLAG;

	GUEST_ASSERT(prepare_for_vmx_operation(vmx));
	GUEST_ASSERT(load_vmcs(vmx));
	compat_prepare_vmcs(vmx, nested.l2, &l2_stack[500]);
	GUEST_ASSERT(!vmwrite(CPU_BASED_VM_EXEC_CONTROL,
			      vmreadz(CPU_BASED_VM_EXEC_CONTROL) | nested.primary));
	GUEST_ASSERT(!vmwrite(SECONDARY_VM_EXEC_CONTROL, nested.secondary));

	GUEST_SYNC(STAGE_BEGIN);
	for (int i = 0; i < N; i++) {
		if (nested.reason == EXIT_REASON_INVALID_STATE) {
			/* Bit 1 of RFLAGS must be set.  The CPU checks that, KVM does not. */
			vmwrite(GUEST_RFLAGS, 0);
			GUEST_ASSERT(!vmlaunch());
			GUEST_ASSERT(vmreadz(VM_EXIT_REASON) ==
				     (EXIT_REASON_FAILED_VMENTRY | EXIT_REASON_INVALID_STATE));
			continue;
		}
		if (i)
			GUEST_ASSERT(!vmresume());
		else
			GUEST_ASSERT(!vmlaunch());
		GUEST_ASSERT(vmreadz(VM_EXIT_REASON) == nested.reason);
		if (!single_step)
			vmwrite(GUEST_RIP, vmreadz(GUEST_RIP) + vmreadz(VM_EXIT_INSTRUCTION_LEN));
	}
	GUEST_SYNC(STAGE_END);
	guest_reports();
}

/* ---- the host's side of a stimulus ---- */

static void setup_interrupts(struct kvm_vcpu *vcpu)
{
	vcpu_set_cpuid_feature(vcpu, X86_FEATURE_TSC_DEADLINE_TIMER);
	vm_install_exception_handler(vcpu->vm, IPI_VECTOR, take_interrupt);
	vm_install_exception_handler(vcpu->vm, TIMER_VECTOR, take_interrupt);
	vm_install_exception_handler(vcpu->vm, NMI_VECTOR, take_nmi);
}

static void setup_mmio(struct kvm_vcpu *vcpu)
{
	virt_pg_map(vcpu->vm, MMIO_GPA, MMIO_GPA);
}

static void setup_fresh_pages(struct kvm_vcpu *vcpu)
{
	vm_userspace_mem_region_add(vcpu->vm, VM_MEM_SRC_ANONYMOUS, FRESH_GPA, 1, 2 * N, 0);
	virt_map(vcpu->vm, FRESH_GPA, FRESH_GPA, 2 * N);
}

static void setup_no_rdrand(struct kvm_vcpu *vcpu)
{
	vcpu_clear_cpuid_feature(vcpu, X86_FEATURE_RDRAND);
}

/* membarrier() interrupts the CPU that runs the other thread of this process. */
static void *send_interrupts(void *arg)
{
	struct kvm_vcpu *vcpu = arg;
	volatile bool *guest_done = addr_gva2hva(vcpu->vm, (uint64_t)&done);

	pin(1);
	for (int i = 0; i < N; i++) {
		syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
		/* Wait until the guest runs again before the next interrupt. */
		for (uint64_t until = rdtsc() + 100000; rdtsc() < until;)
			;
	}
	*guest_done = true;
	return NULL;
}

static void setup_interrupter(struct kvm_vcpu *vcpu)
{
	pthread_t thread;

	syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
	TEST_ASSERT(!pthread_create(&thread, NULL, send_interrupts, vcpu), "no thread");
}

/* The CPU checks these, KVM does not. */
static void fails_to_enter(struct kvm_vcpu *vcpu, struct kvm_sregs *sregs)
{
	vcpu_sregs_set(vcpu, sregs);
	REPEAT({
		vcpu_run(vcpu);
		TEST_ASSERT(vcpu->run->exit_reason == KVM_EXIT_FAIL_ENTRY,
			    "exit reason %u", vcpu->run->exit_reason);
	})
}

/* TR must be usable. */
static void host_invalid_state(struct kvm_vcpu *vcpu)
{
	struct kvm_sregs sregs;

	vcpu_sregs_get(vcpu, &sregs);
	sregs.tr.unusable = 1;
	fails_to_enter(vcpu, &sregs);
}

/* Without an IDT, an exception ends in a triple fault. */
static void host_triple_fault(struct kvm_vcpu *vcpu)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs, again;

	vcpu_sregs_get(vcpu, &sregs);
	sregs.idt.limit = 0;
	vcpu_sregs_set(vcpu, &sregs);
	vcpu_regs_get(vcpu, &regs);
	REPEAT({
		again = regs;
		/* On SVM, it has reset the vCPU. */
		vcpu_sregs_set(vcpu, &sregs);
		vcpu_regs_set(vcpu, &again);
		vcpu_run(vcpu);
		TEST_ASSERT(vcpu->run->exit_reason == KVM_EXIT_SHUTDOWN,
			    "exit reason %u", vcpu->run->exit_reason);
	})
}

static void guest_int3(void) { for (;;) asm volatile("int3"); }

/* Two tasks in 32-bit protected mode that jump to each other */
struct task_memory {
	uint64_t gdt[8];
	uint32_t tss[2][32];
	uint8_t code[64];
	uint32_t stack[64];
};

static uint64_t descriptor(uint32_t base, uint32_t limit, uint16_t flags)
{
	return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 |
	       (uint64_t)(flags & 0xff) << 40 | (uint64_t)(limit >> 16 & 0xf) << 48 |
	       (uint64_t)(flags >> 12) << 52 | (uint64_t)(base >> 24) << 56;
}

static void host_task_switch(struct kvm_vcpu *vcpu)
{
	enum { CODE = 0x08, DATA = 0x10, TSS0 = 0x18, TSS1 = 0x20 };
	enum { EIP = 8, EFLAGS = 9, ESP = 14, ES = 18, CS, SS, DS, FS, GS, IO_MAP = 25 };
	static const uint8_t code[] = {
		0xea, 0, 0, 0, 0, TSS1, 0,	/* 0:  ljmp TSS1 */
		0x49,				/* 7:  dec %ecx */
		0x75, 0xf6,			/* 8:  jnz 0 */
		0xe6, USER_PORT,		/* 10: out %al, USER_PORT */
		0xea, 0, 0, 0, 0, TSS0, 0,	/* 12: ljmp TSS0 */
		0xeb, 0xf7,			/* 19: jmp 12 */
	};
	struct kvm_vm *vm = vcpu->vm;
	uint64_t gpa = vm_phy_page_alloc(vm, 0x10000, 0);
	struct task_memory *m = addr_gpa2hva(vm, gpa);
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	memset(m, 0, sizeof(*m));
	memcpy(m->code, code, sizeof(code));
	m->gdt[CODE / 8] = descriptor(0, 0xfffff, 0xc09b);
	m->gdt[DATA / 8] = descriptor(0, 0xfffff, 0xc093);
	for (int i = 0; i < 2; i++) {
		uint32_t base = gpa + offsetof(struct task_memory, tss[i]);

		m->gdt[(i ? TSS1 : TSS0) / 8] = descriptor(base, 0x67, i ? 0x89 : 0x8b);
		m->tss[i][EIP] = gpa + offsetof(struct task_memory, code) + (i ? 12 : 0);
		m->tss[i][EFLAGS] = 2;
		m->tss[i][ESP] = gpa + offsetof(struct task_memory, stack[32 * i + 32]);
		for (int seg = ES; seg <= GS; seg++)
			m->tss[i][seg] = seg == CS ? CODE : DATA;
		m->tss[i][IO_MAP] = 0x68 << 16;
	}

	vcpu_sregs_get(vcpu, &sregs);
	sregs.cr0 = X86_CR0_PE | X86_CR0_NE | X86_CR0_ET;
	sregs.cr3 = sregs.cr4 = sregs.efer = 0;
	sregs.gdt.base = gpa;
	sregs.gdt.limit = sizeof(m->gdt) - 1;
	sregs.cs = (struct kvm_segment){ .selector = CODE, .limit = ~0u, .type = 0xb, .present = 1,
					 .db = 1, .s = 1, .g = 1 };
	sregs.ds = (struct kvm_segment){ .selector = DATA, .limit = ~0u, .type = 3, .present = 1,
					 .db = 1, .s = 1, .g = 1 };
	sregs.es = sregs.ss = sregs.fs = sregs.gs = sregs.ds;
	sregs.tr = (struct kvm_segment){ .selector = TSS0, .limit = 0x67, .type = 0xb, .present = 1,
					 .base = gpa + offsetof(struct task_memory, tss[0]) };
	vcpu_sregs_set(vcpu, &sregs);
	vcpu_regs_get(vcpu, &regs);
	regs.rip = m->tss[0][EIP];
	regs.rsp = m->tss[0][ESP];
	regs.rcx = N / 2;
	regs.rflags = 2;
	vcpu_regs_set(vcpu, &regs);

	vcpu_run(vcpu);
	TEST_ASSERT(vcpu->run->exit_reason == KVM_EXIT_IO && vcpu->run->io.port == USER_PORT,
		    "exit reason %u", vcpu->run->exit_reason);
}

/* ---- what this machine can't do ---- */

static bool parameter(const char *name)
{
	char path[128], value = 'N';
	FILE *f;

	snprintf(path, sizeof(path), "/sys/module/%s/parameters/%s",
		 isa == SVM ? "kvm_amd" : "kvm_intel", name);
	f = fopen(path, "r");
	if (f) {
		value = fgetc(f);
		fclose(f);
	}
	return value == 'Y' || value == '1';
}

/* Does KVM offer these controls for L2?  It does so only if the CPU has them. */
static bool nested_offers(uint32_t primary, uint32_t secondary)
{
	uint64_t offered1 = kvm_get_feature_msr(MSR_IA32_VMX_TRUE_PROCBASED_CTLS) >> 32;
	uint64_t offered2 = kvm_get_feature_msr(MSR_IA32_VMX_PROCBASED_CTLS2) >> 32;

	return !(primary & ~offered1) && !(secondary & ~offered2);
}

static const char *needs_ept(void)
{
	return parameter("ept") ? NULL : "KVM runs with ept=0";
}

static const char *needs_no_ept(void)
{
	return parameter("ept") ? "KVM runs with ept=1, where it lets the guest do this" : NULL;
}

static const char *needs_unrestricted(void)
{
	return parameter("unrestricted_guest") ? NULL :
	       "KVM emulates what it cannot run where unrestricted_guest=0";
}

static const char *needs_preemption_timer(void)
{
	return parameter("preemption_timer") ? NULL : "KVM runs with preemption_timer=0";
}

static const char *needs_two_cpus(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN) > 1 ? NULL : "nobody can interrupt the only CPU";
}

static const char *needs_xsave(void)
{
	return kvm_cpu_has(X86_FEATURE_XSAVE) ? NULL : "Linux does not use XSAVE on this CPU";
}

static const char *needs_umip(void)
{
	return kvm_cpu_has(X86_FEATURE_UMIP) ? NULL : "KVM cannot emulate UMIP on this CPU";
}

static const char *needs_rdrand(void)
{
	return kvm_cpu_has(X86_FEATURE_RDRAND) ? NULL : "the CPU has no RDRAND";
}

/* A nested stimulus: L2 exits for REASON with these controls. */
#define NESTED(_name, _reason, _l2, _primary, _secondary)		\
	.name = _name, .reason = EXIT_REASON_##_reason, .l2 = _l2,	\
	.l2_primary = _primary, .l2_secondary = _secondary

#define GUEST(_reason, _guest) .name = #_reason, .reason = EXIT_REASON_##_reason, .guest = _guest

static const struct stimulus vmx_stimuli[] = {
	/* Without EPT, KVM also sees the page faults that the first run causes. */
	{ GUEST(EXCEPTION_NMI, guest_ud2), .prepare = guest_ud2 },
	{ GUEST(EXTERNAL_INTERRUPT, guest_spin), .setup = setup_interrupter, .at_least = true,
	  .why_not = needs_two_cpus },
	{ GUEST(TRIPLE_FAULT, guest_int3), .host = host_triple_fault },
	{ GUEST(INTERRUPT_WINDOW, guest_interrupt_window), .prepare = x2apic_enable,
	  .setup = setup_interrupts },
	{ GUEST(NMI_WINDOW, guest_nmi_window), .prepare = x2apic_enable,
	  .setup = setup_interrupts },
	{ GUEST(TASK_SWITCH, NULL), .host = host_task_switch },
	{ GUEST(CPUID, guest_cpuid) },
	{ GUEST(HLT, guest_hlt), .prepare = x2apic_enable, .setup = setup_interrupts },
	{ GUEST(INVD, guest_invd) },
	{ GUEST(INVLPG, guest_invlpg), .why_not = needs_no_ept },
	{ GUEST(RDPMC, guest_rdpmc) },
	{ GUEST(VMCALL, guest_vmcall) },
	{ GUEST(VMCLEAR, guest_vmclear) },
	{ GUEST(VMLAUNCH, guest_vmlaunch) },
	{ GUEST(VMPTRLD, guest_vmptrld) },
	{ GUEST(VMPTRST, guest_vmptrst) },
	{ GUEST(VMREAD, guest_vmread) },
	{ GUEST(VMRESUME, guest_vmresume) },
	{ GUEST(VMWRITE, guest_vmwrite) },
	{ GUEST(VMOFF, guest_vmxoff) },
	{ GUEST(VMON, guest_vmxon) },
	{ GUEST(CR_ACCESS, guest_cr0) },
	{ GUEST(CR_ACCESS, guest_cr3), .name = "CR_ACCESS, CR3", .prepare = prepare_cr3,
	  .why_not = needs_no_ept },
	{ GUEST(DR_ACCESS, guest_dr) },
	{ GUEST(IO_INSTRUCTION, guest_in), .name = "IO_INSTRUCTION, in" },
	{ GUEST(IO_INSTRUCTION, guest_out), .name = "IO_INSTRUCTION, out" },
	{ GUEST(IO_INSTRUCTION, guest_string_out), .name = "IO_INSTRUCTION, string" },
	{ GUEST(MSR_READ, guest_rdmsr) },
	{ GUEST(MSR_WRITE, guest_wrmsr), .prepare = prepare_pat },
	{ GUEST(MSR_WRITE, guest_deadline), .name = "MSR_WRITE, TSC deadline",
	  .prepare = prepare_timer, .setup = setup_interrupts },
	{ GUEST(MSR_WRITE, guest_icr), .name = "MSR_WRITE, x2APIC ICR",
	  .prepare = x2apic_enable, .setup = setup_interrupts },
	{ GUEST(INVALID_STATE, NULL), .host = host_invalid_state, .why_not = needs_unrestricted },
	{ GUEST(MWAIT_INSTRUCTION, guest_mwait) },
	{ GUEST(MONITOR_INSTRUCTION, guest_monitor) },
	{ GUEST(TPR_BELOW_THRESHOLD, guest_tpr), .prepare = x2apic_enable,
	  .setup = setup_interrupts },
	{ GUEST(GDTR_IDTR, guest_sgdt), .why_not = needs_umip },
	{ GUEST(LDTR_TR, guest_str), .why_not = needs_umip },
	{ GUEST(EPT_VIOLATION, guest_touch), .prepare = guest_touch, .setup = setup_fresh_pages,
	  .why_not = needs_ept },
	{ GUEST(EPT_MISCONFIG, guest_mmio), .prepare = prepare_mmio, .setup = setup_mmio,
	  .why_not = needs_ept },
	{ GUEST(INVEPT, guest_invept) },
	{ GUEST(PREEMPTION_TIMER, guest_timer), .prepare = prepare_timer,
	  .setup = setup_interrupts, .why_not = needs_preemption_timer },
	{ GUEST(INVVPID, guest_invvpid) },
	{ GUEST(WBINVD, guest_wbinvd) },
	{ GUEST(XSETBV, guest_xsetbv), .why_not = needs_xsave },
	{ GUEST(RDRAND, guest_rdrand), .setup = setup_no_rdrand, .why_not = needs_rdrand },
	{ NESTED("INVLPG, nested", INVLPG, l2_invlpg, CPU_BASED_INVLPG_EXITING, 0) },
	{ NESTED("RDTSC", RDTSC, l2_rdtsc, CPU_BASED_RDTSC_EXITING, 0) },
	{ NESTED("MONITOR_TRAP_FLAG", MONITOR_TRAP_FLAG, l2_nop, CPU_BASED_MONITOR_TRAP, 0) },
	{ NESTED("PAUSE_INSTRUCTION", PAUSE_INSTRUCTION, l2_pause, CPU_BASED_PAUSE_EXITING, 0) },
	{ NESTED("RDTSCP", RDTSCP, l2_rdtscp, CPU_BASED_RDTSC_EXITING,
		 SECONDARY_EXEC_ENABLE_RDTSCP) },
	{ NESTED("INVPCID", INVPCID, l2_invpcid, CPU_BASED_INVLPG_EXITING,
		 SECONDARY_EXEC_ENABLE_INVPCID) },
	{ NESTED("VMFUNC", VMFUNC, l2_vmfunc, 0, SECONDARY_EXEC_ENABLE_VMFUNC) },
	{ NESTED("INVALID_STATE, nested", INVALID_STATE, l2_nop, 0, 0) },
	{ NESTED("CPUID, nested", CPUID, l2_cpuid, 0, 0) },
	{ NESTED("HLT, nested", HLT, l2_hlt, CPU_BASED_HLT_EXITING, 0) },
	{ NESTED("IO_INSTRUCTION, nested", IO_INSTRUCTION, l2_io, CPU_BASED_UNCOND_IO_EXITING, 0) },
};

/* The reasons that can't be caused here, and why */
static const struct unreachable vmx_out_of_reach[] = {
	{ EXIT_REASON_INIT_SIGNAL, "only firmware or another CPU's kernel sends a physical INIT" },
	{ EXIT_REASON_SIPI_SIGNAL,
	  "KVM runs no guest in the wait-for-SIPI state, it emulates that" },
	{ EXIT_REASON_MSR_LOAD_FAIL,
	  "KVM itself loads the MSRs of a nested entry and gives the CPU only valid ones" },
	{ EXIT_REASON_MCE_DURING_VMENTRY, "needs a machine check in the middle of a VM entry" },
	{ EXIT_REASON_APIC_ACCESS,
	  "without enable_apicv, KVM emulates the accesses at EPT violations" },
	{ EXIT_REASON_EOI_INDUCED,
	  "KVM uses it only with enable_apicv, which needs posted interrupts" },
	{ EXIT_REASON_APIC_WRITE,
	  "KVM uses it only with enable_apicv, which needs posted interrupts" },
	{ EXIT_REASON_ENCLS, "the CPU has no SGX" },
	{ EXIT_REASON_RDSEED, "the CPU has no RDSEED exiting" },
	{ EXIT_REASON_PML_FULL, "the CPU has no page-modification logging" },
	{ EXIT_REASON_XSAVES, "the CPU has no XSAVES, and KVM never asks for this exit" },
	{ EXIT_REASON_XRSTORS, "the CPU has no XRSTORS, and KVM never asks for this exit" },
	{ EXIT_REASON_UMWAIT, "the CPU has no UMWAIT" },
	{ EXIT_REASON_TPAUSE, "the CPU has no TPAUSE" },
	{ EXIT_REASON_BUS_LOCK, "the CPU has no bus-lock detection" },
	{ EXIT_REASON_NOTIFY, "the CPU has no notify VM exits" },
/* Only newer kernels know these. */
#ifdef EXIT_REASON_TDCALL
	{ EXIT_REASON_TDCALL, "only a TDX guest exits for it, the CPU has no TDX" },
#endif
#ifdef EXIT_REASON_MSR_READ_IMM
	{ EXIT_REASON_MSR_READ_IMM, "the CPU has no RDMSR with an immediate operand" },
	{ EXIT_REASON_MSR_WRITE_IMM, "the CPU has no WRMSR with an immediate operand" },
#endif
};

#include "stimuli_svm.h"

/* What there is for each ISA */
static const struct suite {
	const struct stimulus *stimuli;
	size_t nr_stimuli;
	const struct unreachable *out_of_reach;
	size_t nr_out_of_reach;
} suites[] = {
	[VMX] = { vmx_stimuli, ARRAY_SIZE(vmx_stimuli),
		  vmx_out_of_reach, ARRAY_SIZE(vmx_out_of_reach) },
	[SVM] = { svm_stimuli, ARRAY_SIZE(svm_stimuli),
		  svm_out_of_reach, ARRAY_SIZE(svm_out_of_reach) },
};

static const struct suite *suite;

/* ---- running a stimulus ---- */

static void vcpu_stats(struct kvm_vcpu *vcpu, struct figures *f)
{
	char path[128];

	snprintf(path, sizeof(path), KVM_DEBUGFS "/%d-%d/vcpu%u/exit_stats", getpid(),
		 vcpu->vm->fd, vcpu->id);
	TEST_ASSERT(figures_read(path, f, NULL), "cannot read %s", path);
}

/* Run until the guest reports this stage. */
static void run_until(struct kvm_vcpu *vcpu, enum stage stage)
{
	struct ucall uc;

	for (;;) {
		vcpu_run(vcpu);
		switch (get_ucall(vcpu, &uc)) {
		case UCALL_SYNC:
			TEST_ASSERT(uc.args[1] == stage, "stage %lu, expected %d",
				    uc.args[1], stage);
			return;
		case UCALL_ABORT:
			TEST_FAIL("guest: %s at line %lu", (const char *)uc.args[0], uc.args[2]);
			break;
		case UCALL_UNHANDLED:
			TEST_FAIL("guest: unexpected exception %lu", uc.args[0]);
			break;
		default:
			/* This exit is the stimulus. */
			TEST_ASSERT(vcpu->run->exit_reason == KVM_EXIT_IO ||
				    vcpu->run->exit_reason == KVM_EXIT_MMIO,
				    "exit reason %u (%s)", vcpu->run->exit_reason,
				    exit_reason_str(vcpu->run->exit_reason));
		}
	}
}

/* Check that every reason is counted as often as it was traced. */
static bool parity(const char *name, const char *level, const struct traced *traced, size_t n,
		   const struct figures *counted)
{
	uint64_t sum[NR_FIGURES] = {}, total = 0;
	bool equal = true;

	for (size_t i = 0; i < n; i++) {
		sum[traced_slot(&traced[i])] += traced[i].exits;
		total += traced[i].exits;
	}
	for (uint32_t r = 0; r < NR_FIGURES; r++) {
		if (sum[r] == counted->exits[r])
			continue;
		printf("# %s, %s: %u %s traced %" PRIu64 " counted %" PRIu64 "\n", name, level, r,
		       oracle_name(r), sum[r], counted->exits[r]);
		equal = false;
	}
	if (total != counted->total_exits) {
		printf("# %s, %s: total traced %" PRIu64 " counted %" PRIu64 "\n", name, level,
		       total, counted->total_exits);
		equal = false;
	}
	return figures_add_up(level, counted) && equal;
}

/* Check that the guest reads what the host sees, plus what reading adds. */
static bool guest_view(struct kvm_vcpu *vcpu, const char *name)
{
	const uint32_t io = reasons_of(isa)->io;
	struct figures host;

	for (int attempt = 0; attempt < 20; attempt++) {
		bool equal = true;

		run_until(vcpu, STAGE_REPORT);
		sync_global_from_guest(vcpu->vm, seen);
		vm_stats(vcpu->vm, &host);
		/* Leave out the exit by which the guest reports. */
		host.exits[io]--;
		for (uint32_t r = 0; r < NR_REASONS && equal; r++) {
			equal = seen.exits[r] == host.exits[r] &&
				(r == reasons_of(isa)->cpuid || r == io ||
				 seen.cycles[r] == host.cycles[r]);
			if (!equal && attempt == 19)
				printf("# %s: %u %s the guest read %" PRIu64 " %" PRIu64
				       ", the host %" PRIu64 " %" PRIu64 "\n",
				       name, r, oracle_name(r), seen.exits[r], seen.cycles[r],
				       host.exits[r], host.cycles[r]);
		}
		if (equal)
			return true;
	}
	return false;
}

static uint64_t events_of(uint32_t slot, const struct traced *traced, size_t n)
{
	uint64_t events = 0;

	for (size_t i = 0; i < n; i++) {
		if (traced_slot(&traced[i]) == slot)
			events += traced[i].exits;
	}
	return events;
}

/* Runs in a process of its own and ends it, with the result as its status. */
static void run(const struct stimulus *s)
{
	/* Static, they would be in the guest's memory, too, and are too large for that. */
	struct traced *traced = calloc(NR_TRACED_MAX, sizeof(*traced));
	struct host_figures *host_before = malloc(sizeof(*host_before));
	struct host_figures *host = malloc(sizeof(*host));
	const uint32_t slot = reason_slot(s->reason);
	uint64_t expected = N, events, events_before = 0, count;
	struct figures before = {}, vcpu_f, vm_f;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	bool ok = true;
	void *code;
	size_t n;

	TEST_ASSERT(traced && host_before && host, "no memory");
	pin(0);
	traced_clear();
	figures_host(host_before);

	if (s->l2)
		code = isa == SVM ? (void *)svm_nested_guest : (void *)nested_guest;
	else
		code = s->host ? (void *)s->guest : (void *)guest_main;
	vm = vm_create_with_one_vcpu(&vcpu, code);
	sync_global_to_guest(vm, isa);
	vcpu_set_cpuid_feature(vcpu, X86_FEATURE_HYPERVISOR);
	compat_init_exceptions(vcpu);
	if (s->setup)
		s->setup(vcpu);
	if (s->l2) {
		uint64_t data;

		if (isa == SVM)
			vcpu_alloc_svm(vm, &data);
		else
			vcpu_alloc_vmx(vm, &data);
		nested.l2 = s->l2;
		nested.primary = s->l2_primary;
		nested.secondary = s->l2_secondary;
		nested.reason = s->l1_reason ? s->l1_reason : s->reason;
		sync_global_to_guest(vm, nested);
		vcpu_args_set(vcpu, 1, data);
	} else if (!s->host) {
		vcpu_args_set(vcpu, 2, s->guest, s->prepare);
	}

	if (s->host) {
		s->host(vcpu);
	} else {
		run_until(vcpu, STAGE_BEGIN);
		vcpu_stats(vcpu, &before);
		events_before = events_of(slot, traced, traced_read(traced));
		run_until(vcpu, STAGE_END);
		/* The guest reports a stage by an IN. */
		if (s->reason == reasons_of(isa)->io)
			expected++;
	}

	vcpu_stats(vcpu, &vcpu_f);
	vm_stats(vm, &vm_f);
	figures_host(host);
	n = traced_read(traced);
	figures_subtract(&host->sum, &host_before->sum);

	ok &= parity(s->name, "vCPU", traced, n, &vcpu_f);
	ok &= parity(s->name, "VM", traced, n, &vm_f);
	ok &= parity(s->name, "host", traced, n, &host->sum);

	count = vcpu_f.exits[slot] - before.exits[slot];
	events = events_of(slot, traced, n) - events_before;
	ok &= s->at_least ? count >= expected : count == expected;
	printf("# %-24s triggered %s%4" PRIu64 " traced %4" PRIu64 " counted %4" PRIu64
	       " difference %" PRId64 "\n", s->name, s->at_least ? ">=" : "  ",
	       expected, events, count, (int64_t)(count - events));
	if (!s->host)
		ok &= guest_view(vcpu, s->name);
	fflush(stdout);
	_exit(ok ? KSFT_PASS : KSFT_FAIL);
}

static void report(int status, const char *name)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == KSFT_PASS)
		ksft_test_result_pass("%s\n", name);
	else
		ksft_test_result_fail("%s\n", name);
}

static bool wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], name))
			return true;
	}
	return argc == 1;
}

static const char *why_not(const struct stimulus *s)
{
	if (s->l2 && isa == VMX && !nested_offers(s->l2_primary, s->l2_secondary))
		return "the CPU lacks the VM-execution control "
		       "that makes a nested guest exit for it";
	return s->why_not ? s->why_not() : NULL;
}

/* Is there a stimulus for this reason, or an explanation? */
static bool covered(uint32_t reason)
{
	for (size_t i = 0; i < suite->nr_stimuli; i++) {
		if (suite->stimuli[i].reason == reason)
			return true;
	}
	for (size_t i = 0; i < suite->nr_out_of_reach; i++) {
		if (suite->out_of_reach[i].reason == reason)
			return true;
	}
	return false;
}

static bool is_stimulus(const char *name)
{
	for (size_t i = 0; i < suite->nr_stimuli; i++) {
		if (!strcmp(suite->stimuli[i].name, name))
			return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	unsigned int plan = 0;
	bool all = argc == 1;

	setvbuf(stdout, NULL, _IOLBF, 0);
	isa = oracle_isa();
	suite = &suites[isa];
	for (size_t i = 0; i < suite->nr_stimuli; i++)
		plan += wanted(suite->stimuli[i].name, argc, argv);
	if (all)
		plan += suite->nr_out_of_reach + 1;
	ksft_print_header();
	for (int i = 1; i < argc; i++) {
		if (!is_stimulus(argv[i]))
			ksft_exit_fail_msg("there is no stimulus '%s'\n", argv[i]);
	}
	ksft_set_plan(plan);
	traced_start();

	for (size_t i = 0; i < suite->nr_stimuli; i++) {
		const struct stimulus *s = &suite->stimuli[i];
		const char *why = why_not(s);
		int status;
		pid_t pid;

		if (!wanted(s->name, argc, argv))
			continue;
		if (why) {
			skip(s->name, why);
			continue;
		}
		fflush(stdout);
		pid = fork();
		if (!pid) {
			/* If a guest never ends, go on with the others. */
			alarm(getenv("slower") ? atoi(getenv("slower")) : 1);
			run(s);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			ksft_exit_fail_msg("cannot run %s: %s\n", s->name, strerror(errno));
		report(status, s->name);
	}

	traced_stop();
	if (all) {
		bool complete = true;
		size_t n;
		const struct oracle_name *names = oracle_names_here(&n);

		for (size_t i = 0; i < suite->nr_out_of_reach; i++) {
			const struct unreachable *u = &suite->out_of_reach[i];

			skip(oracle_name(reason_slot(u->reason)), u->why);
		}
		for (size_t i = 0; i < n; i++) {
			/* SVM's uapi also names what a GHCB says, and no EXITCODE. */
			if (covered(names[i].reason) ||
			    (isa == SVM && !isa_defines(SVM, names[i].reason)))
				continue;
			complete = false;
			printf("# %s is neither caused nor known to be out of reach\n",
			       names[i].name);
		}
		ksft_test_result(complete,
				 "every reason that the uapi names is caused or skipped by name\n");
	}
	ksft_finished();
}
