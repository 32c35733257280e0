/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The exits of SVM, for stimuli.c, which has the guest code that both ISAs share.  What KVM
 * lets its guests do, or gives them back as it came, it still intercepts in a guest of the
 * guest, if that guest's hypervisor asks for it.
 */
#ifndef STIMULI_SVM_H
#define STIMULI_SVM_H

/* Descriptors of a guest that nests: of a segment that is not there, and of 32-bit code */
#define NOT_PRESENT 0x100
#define CODE32 0x108

/* ---- guest code ---- */

static void guest_read_cr0(void) { REPEAT(get_cr0()) }
static void guest_read_cr3(void) { REPEAT(get_cr3()) }
static void guest_read_cr4(void) { REPEAT(get_cr4()) }
static void guest_write_cr4(void) { uint64_t cr4 = get_cr4(); REPEAT(set_cr4(cr4)) }
static void guest_vmmcall(void) { REPEAT(long a = 99; asm volatile("vmmcall" : "+a"(a))) }
static void guest_msr(void) { REPEAT(rdmsr(MSR_IA32_APICBASE)) }
static void guest_vmrun(void) { REPEAT_FAULT("vmrun %%rax", "a"(0)) }
static void guest_vmload(void) { REPEAT_FAULT("vmload %%rax", "a"(0)) }
static void guest_vmsave(void) { REPEAT_FAULT("vmsave %%rax", "a"(0)) }
static void guest_skinit(void) { REPEAT_FAULT("skinit %%eax", "a"(0)) }
static void guest_invlpga(void) { REPEAT_FAULT("invlpga %%rax, %%ecx", "a"(0), "c"(0)) }
static void guest_rsm(void) { REPEAT_FAULT("rsm") }

/* While CR0 isn't what KVM gives the CPU, KVM sees to each access. */
static void prepare_cr0(void)
{
	asm volatile("mov %0, %%cr0" :: "r"(get_cr0() | X86_CR0_CD));
}

/* Where KVM shadows page tables, that includes WP. */
static void prepare_cr0_wp(void)
{
	asm volatile("mov %0, %%cr0" :: "r"(get_cr0() | X86_CR0_WP));
}

/* At the first access, KVM lets the guest have the registers until the next exit. */
#define GUEST_DR(n)							\
	static void guest_read_dr##n(void)				\
	{								\
		uint32_t a, b, c, d;					\
		uint64_t dr;						\
									\
		REPEAT({						\
			asm volatile("mov %%dr" #n ", %0" : "=r"(dr));	\
			__cpuid(1, 0, &a, &b, &c, &d);			\
		})							\
	}								\
	static void guest_write_dr##n(void)				\
	{								\
		uint32_t a, b, c, d;					\
									\
		REPEAT({						\
			asm volatile("mov %0, %%dr" #n :: "r"(0ul));	\
			__cpuid(1, 0, &a, &b, &c, &d);			\
		})							\
	}
GUEST_DR(0)
GUEST_DR(1)
GUEST_DR(2)
GUEST_DR(3)
/* These are DR6 and DR7 by another name. */
GUEST_DR(4)
GUEST_DR(5)
GUEST_DR(6)
GUEST_DR(7)

/* The instruction after the one that sets TF is stepped over.  Leave the red zone alone. */
static void guest_single_step(void)
{
	REPEAT(asm volatile("lea -128(%%rsp), %%rsp\n\t"
			    "pushf\n\t"
			    "orl $0x100, (%%rsp)\n\t"
			    "popf\n\t"
			    "lea 128(%%rsp), %%rsp" ::: "memory", "cc"))
	GUEST_ASSERT(interrupts == N);
}

static void take_single_step(struct ex_regs *regs)
{
	interrupts++;
	regs->rflags &= ~0x100ul;
}

static void take_one_nmi(struct ex_regs *regs)
{
	interrupts++;
}

/* KVM waits for the end of each NMI, whether or not another one does. */
static void guest_nmi(void)
{
	REPEAT(send_to_self(APIC_DEST_SELF | APIC_DM_NMI))
	GUEST_ASSERT(interrupts == N);
}

/* The guest of the guest starts anew each time, with registers that it may change. */
L2_INSN(read_cr2, "mov %%cr2, %%rax")
L2_INSN(read_cr3, "mov %%cr3, %%rax")
L2_INSN(read_cr8, "mov %%cr8, %%rax")
L2_INSN(write_cr0, "mov $0x80000031, %%eax; mov %%rax, %%cr0")
L2_INSN(write_cr2, "mov %%rax, %%cr2")
L2_INSN(write_cr3, "mov %%rax, %%cr3")
L2_INSN(de, "xor %%ecx, %%ecx; div %%ecx")
L2_INSN(nm, "mov %%cr0, %%rax; or $8, %%eax; mov %%rax, %%cr0; fnop")
L2_INSN(np, "mov $0x100, %%eax; mov %%eax, %%fs")
L2_INSN(ss, "mov $0x100, %%eax; mov %%eax, %%ss")
L2_INSN(gp, "mov $0xfff8, %%eax; mov %%eax, %%fs")
L2_INSN(pf, "movb 0x10, %%al")
L2_INSN(mf, "fninit; pushq $0; fldcw (%%rsp); fldz; fldz; fdivp; fwait")
#define IN_CODE32(insn)							\
	"pushq $0x108; lea 1f(%%rip), %%rax; push %%rax; lretq\n"	\
	".code32\n"							\
	"1: " insn "\n"							\
	".code64"
L2_INSN(br, IN_CODE32("pushl $0; pushl $0; mov $1, %%eax; bound %%eax, (%%esp)"))
L2_INSN(sidt, "sidt -16(%%rsp)")
L2_INSN(sgdt, "sgdt -16(%%rsp)")
L2_INSN(sldt, "sldt %%eax")
L2_INSN(str, "str %%eax")
L2_INSN(lidt, "lidt -16(%%rsp)")
L2_INSN(lgdt, "lgdt -16(%%rsp)")
L2_INSN(lldt, "lldt %%ax")
L2_INSN(ltr, "ltr %%ax")
L2_INSN(pushf, "pushf; pop %%rax")
L2_INSN(popf, "push $2; popf")
L2_INSN(iret, "iretq")
L2_INSN(swint, "int $0x80")
L2_INSN(stgi, "stgi")
L2_INSN(clgi, "clgi")
L2_INSN(rdmsr, "mov $0x1b, %%ecx; rdmsr")

/* Run L2 from its beginning until it exits. */
static void svm_enter_l2(struct svm_test_data *svm, const struct vmcb_save_area *start)
{
	struct vmcb *vmcb = svm->vmcb;

	vmcb->save.cs = start->cs;
	vmcb->save.rip = start->rip;
	vmcb->save.rsp = start->rsp;
	run_guest(vmcb, svm->vmcb_gpa);
	GUEST_ASSERT((uint32_t)vmcb->control.exit_code == nested.reason);
}

/* Set up and run L2, which exits N times. */
static void svm_nested_guest(struct svm_test_data *svm)
{
	static struct vmcb_save_area start;
	static uint64_t l2_stack[512];
	uint64_t *gdt = (uint64_t *)get_gdt().address, *bitmap = svm->msr;
	struct vmcb *vmcb = svm->vmcb;
	/* With these it begins; where each is says the number of its exit. */
	uint8_t *intercepts = (void *)vmcb;

	compat_prepare_vmcb(svm, nested.l2, &l2_stack[480]);
	gdt[NOT_PRESENT / 8] = descriptor(0, 0xfffff, 0xc013);
	gdt[CODE32 / 8] = descriptor(0, 0xfffff, 0xc09b);
	for (size_t i = 0; i < PAGE_SIZE / sizeof(*bitmap); i++)
		bitmap[i] = -1ul;
	vmcb->control.iopm_base_pa = svm->msr_gpa;
	if (nested.reason == (uint32_t)SVM_EXIT_ERR)
		/* KVM lets guests have segment limits in long mode, which this CPU lacks. */
		vmcb->save.efer |= EFER_LMSLE;
	else
		intercepts[nested.reason / 8] |= 1u << nested.reason % 8;
	/* With CR0 as it is not, KVM sees to each access, also those that the guest asks for. */
	if (nested.reason == SVM_EXIT_CR0_SEL_WRITE)
		vmcb->save.cr0 |= X86_CR0_CD;
	start.cs = vmcb->save.cs;
	start.rip = vmcb->save.rip;
	start.rsp = (uint64_t)&l2_stack[480];

	/* The first time, KVM also shadows the page tables, by page faults. */
	svm_enter_l2(svm, &start);
	GUEST_SYNC(STAGE_BEGIN);
	for (int i = 0; i < N; i++)
		svm_enter_l2(svm, &start);
	GUEST_SYNC(STAGE_END);
	guest_reports();
}

/* ---- the host's side of a stimulus ---- */

static void setup_single_step(struct kvm_vcpu *vcpu)
{
	vm_install_exception_handler(vcpu->vm, DB_VECTOR, take_single_step);
}

/* Code can't be of 32 and of 64 bits. */
static void host_svm_invalid_state(struct kvm_vcpu *vcpu)
{
	struct kvm_sregs sregs;

	vcpu_sregs_get(vcpu, &sregs);
	sregs.cs.db = 1;
	fails_to_enter(vcpu, &sregs);
}

/* On the only CPU, a timer interrupts the guest; sometimes KVM, too, so twice as often. */
static volatile bool *timer_guest_done;

static void count_timer(int signal)
{
	static unsigned int signals;

	*timer_guest_done = ++signals >= 2 * N;
}

static void setup_timer(struct kvm_vcpu *vcpu)
{
	struct sigaction action = { .sa_handler = count_timer };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec every_ms = { { .tv_nsec = 1000000 }, { .tv_nsec = 1000000 } };
	timer_t timer;

	timer_guest_done = addr_gva2hva(vcpu->vm, (uint64_t)&done);
	TEST_ASSERT(!sigaction(SIGUSR1, &action, NULL) &&
		    !timer_create(CLOCK_MONOTONIC, &event, &timer) &&
		    !timer_settime(timer, 0, &every_ms, NULL), "no timer");
}

static void setup_nmi(struct kvm_vcpu *vcpu)
{
	vm_install_exception_handler(vcpu->vm, NMI_VECTOR, take_one_nmi);
}

/* ---- what this machine can't do ---- */

static const char *needs_npt(void)
{
	return parameter("npt") ? NULL : "KVM runs with npt=0";
}

static const char *needs_no_npt(void)
{
	return parameter("npt") ? "KVM runs with npt=1, where it lets the guest do this" : NULL;
}

static const char *needs_invd(void)
{
	return parameter("nrips") ? NULL : "the emulator without NRIPS takes it for WBINVD";
}

static const char *needs_invpcid(void)
{
	return kvm_cpu_has(X86_FEATURE_INVPCID) ? NULL : "the CPU has no INVPCID";
}

#define SVM_REASON(_reason) .reason = (uint32_t)SVM_EXIT_##_reason
#define SVM_GUEST(_reason, _guest) .name = #_reason, SVM_REASON(_reason), .guest = _guest
#define SVM_EXCP(_vector) .name = #_vector "_EXCP", \
	.reason = SVM_EXIT_EXCP_BASE + _vector##_VECTOR
#define SVM_NESTED(_reason, _l2) .name = #_reason ", nested", SVM_REASON(_reason), .l2 = _l2
/* An interrupt of the host's between the access and the CPUID has KVM intercept it once more. */
#define SVM_DR(n)							\
	{ SVM_GUEST(READ_DR##n, guest_read_dr##n), .at_least = true },	\
	{ SVM_GUEST(WRITE_DR##n, guest_write_dr##n), .at_least = true }

static const struct stimulus svm_stimuli[] = {
	{ SVM_GUEST(READ_CR0, guest_read_cr0), .prepare = prepare_cr0 },
	{ SVM_GUEST(WRITE_CR0, guest_cr0), .prepare = prepare_cr0 },
	{ SVM_GUEST(CR0_SEL_WRITE, guest_cr0), .prepare = prepare_cr0_wp },
	{ SVM_GUEST(READ_CR3, guest_read_cr3), .why_not = needs_no_npt },
	{ SVM_GUEST(WRITE_CR3, guest_cr3), .prepare = prepare_cr3, .why_not = needs_no_npt },
	{ SVM_GUEST(READ_CR4, guest_read_cr4) },
	{ SVM_GUEST(WRITE_CR4, guest_write_cr4) },
	{ SVM_GUEST(WRITE_CR8, guest_tpr), .prepare = x2apic_enable, .setup = setup_interrupts },
	SVM_DR(0), SVM_DR(1), SVM_DR(2), SVM_DR(3), SVM_DR(4), SVM_DR(5), SVM_DR(6), SVM_DR(7),
	{ SVM_EXCP(DB), .guest = guest_single_step, .setup = setup_single_step },
	{ SVM_EXCP(UD), .guest = guest_ud2 },
	{ SVM_GUEST(INTR, guest_spin), .setup = setup_timer, .at_least = true },
	{ SVM_GUEST(VINTR, guest_interrupt_window), .prepare = x2apic_enable,
	  .setup = setup_interrupts },
	{ SVM_GUEST(RDPMC, guest_rdpmc) },
	{ SVM_GUEST(CPUID, guest_cpuid) },
	{ SVM_GUEST(RSM, guest_rsm) },
	{ SVM_GUEST(IRET, guest_nmi), .prepare = x2apic_enable, .setup = setup_nmi },
	{ SVM_GUEST(HLT, guest_hlt), .prepare = x2apic_enable, .setup = setup_interrupts },
	{ SVM_GUEST(INVLPG, guest_invlpg), .why_not = needs_no_npt },
	{ SVM_GUEST(INVLPGA, guest_invlpga) },
	{ SVM_GUEST(IOIO, guest_in), .name = "IOIO, in" },
	{ SVM_GUEST(IOIO, guest_out), .name = "IOIO, out" },
	{ SVM_GUEST(IOIO, guest_string_out), .name = "IOIO, string" },
	{ SVM_GUEST(MSR, guest_msr), .name = "MSR, read" },
	{ SVM_GUEST(MSR, guest_wrmsr), .name = "MSR, write", .prepare = prepare_pat },
	{ SVM_GUEST(MSR, guest_deadline), .name = "MSR, TSC deadline", .prepare = prepare_timer,
	  .setup = setup_interrupts },
	{ SVM_GUEST(MSR, guest_icr), .name = "MSR, x2APIC ICR", .prepare = x2apic_enable,
	  .setup = setup_interrupts },
	{ SVM_GUEST(SHUTDOWN, guest_int3), .host = host_triple_fault },
	{ SVM_GUEST(VMRUN, guest_vmrun) },
	{ SVM_GUEST(VMMCALL, guest_vmmcall) },
	{ SVM_GUEST(VMLOAD, guest_vmload) },
	{ SVM_GUEST(VMSAVE, guest_vmsave) },
	{ SVM_GUEST(SKINIT, guest_skinit) },
	{ SVM_GUEST(INVD, guest_invd), .why_not = needs_invd },
	{ SVM_GUEST(WBINVD, guest_wbinvd) },
	{ SVM_GUEST(MONITOR, guest_monitor) },
	{ SVM_GUEST(MWAIT, guest_mwait) },
	{ SVM_GUEST(NPF, guest_touch), .prepare = guest_touch, .setup = setup_fresh_pages,
	  .why_not = needs_npt },
	{ SVM_GUEST(NPF, guest_mmio), .name = "NPF, MMIO", .prepare = prepare_mmio,
	  .setup = setup_mmio, .why_not = needs_npt },
	{ SVM_GUEST(ERR, NULL), .name = "INVALID", .host = host_svm_invalid_state },
	{ SVM_NESTED(READ_CR2, l2_read_cr2) },
	{ SVM_NESTED(READ_CR3, l2_read_cr3) },
	{ SVM_NESTED(READ_CR8, l2_read_cr8) },
	{ SVM_NESTED(WRITE_CR0, l2_write_cr0), .l1_reason = SVM_EXIT_CR0_SEL_WRITE },
	{ SVM_NESTED(WRITE_CR2, l2_write_cr2) },
	{ SVM_NESTED(WRITE_CR3, l2_write_cr3) },
	{ SVM_EXCP(DE), .l2 = l2_de },
	{ SVM_EXCP(BR), .l2 = l2_br },
	{ SVM_EXCP(NM), .l2 = l2_nm },
	{ SVM_EXCP(NP), .l2 = l2_np },
	{ SVM_EXCP(SS), .l2 = l2_ss },
	{ SVM_EXCP(GP), .l2 = l2_gp },
	{ SVM_EXCP(PF), .l2 = l2_pf },
	{ SVM_EXCP(MF), .l2 = l2_mf },
	{ SVM_NESTED(IDTR_READ, l2_sidt) },
	{ SVM_NESTED(GDTR_READ, l2_sgdt) },
	{ SVM_NESTED(LDTR_READ, l2_sldt) },
	{ SVM_NESTED(TR_READ, l2_str) },
	{ SVM_NESTED(IDTR_WRITE, l2_lidt) },
	{ SVM_NESTED(GDTR_WRITE, l2_lgdt) },
	{ SVM_NESTED(LDTR_WRITE, l2_lldt) },
	{ SVM_NESTED(TR_WRITE, l2_ltr) },
	{ SVM_NESTED(RDTSC, l2_rdtsc) },
	{ SVM_NESTED(PUSHF, l2_pushf) },
	{ SVM_NESTED(POPF, l2_popf) },
	{ SVM_NESTED(CPUID, l2_cpuid) },
	{ SVM_NESTED(IRET, l2_iret) },
	{ SVM_NESTED(SWINT, l2_swint) },
	{ SVM_NESTED(PAUSE, l2_pause) },
	{ SVM_NESTED(HLT, l2_hlt) },
	{ SVM_NESTED(INVLPG, l2_invlpg) },
	{ SVM_NESTED(IOIO, l2_io) },
	{ SVM_NESTED(MSR, l2_rdmsr) },
	{ SVM_NESTED(STGI, l2_stgi) },
	{ SVM_NESTED(CLGI, l2_clgi) },
	{ SVM_NESTED(INVPCID, l2_invpcid), .why_not = needs_invpcid },
	{ SVM_NESTED(ERR, l2_nop), .name = "INVALID, nested" },
};

static const struct unreachable svm_out_of_reach[] = {
	{ SVM_EXIT_EXCP_BASE + BP_VECTOR, "the emulator takes INT3 for INT n, a SWINT" },
	{ SVM_EXIT_EXCP_BASE + OF_VECTOR, "the emulator takes INTO for INT n, a SWINT" },
	{ SVM_EXIT_EXCP_BASE + DF_VECTOR, "the emulator does not look at its intercept" },
	{ SVM_EXIT_EXCP_BASE + TS_VECTOR,
	  "only protected mode raises it, at a change of task or stack that KVM never looks at" },
	{ SVM_EXIT_EXCP_BASE + AC_VECTOR, "the emulator does not check alignment" },
	{ SVM_EXIT_EXCP_BASE + MC_VECTOR, "needs a machine check" },
	{ SVM_EXIT_EXCP_BASE + XM_VECTOR, "the emulator does not raise it" },
	{ SVM_EXIT_NMI, "the machine has nothing that sends an NMI" },
	{ SVM_EXIT_SMI, "only firmware makes use of a physical SMI" },
	{ SVM_EXIT_INIT, "only firmware or another CPU's kernel sends a physical INIT" },
	{ SVM_EXIT_TASK_SWITCH, "the emulator does not look at its intercept" },
	{ SVM_EXIT_FERR_FREEZE, "KVM never asks for this exit, and the emulator has no FERR" },
	{ SVM_EXIT_RDTSCP, "the emulator takes it for RDTSC" },
	{ SVM_EXIT_ICEBP, "the emulator lacks the instruction" },
	{ SVM_EXIT_XSETBV, "the emulator does not look at its intercept" },
	{ SVM_EXIT_EFER_WRITE_TRAP, "only guests with SEV-ES exit for it, the CPU has no SEV" },
	{ SVM_EXIT_CR0_WRITE_TRAP, "only guests with SEV-ES exit for it, the CPU has no SEV" },
	{ SVM_EXIT_CR4_WRITE_TRAP, "only guests with SEV-ES exit for it, the CPU has no SEV" },
	{ SVM_EXIT_CR8_WRITE_TRAP, "only guests with SEV-ES exit for it, the CPU has no SEV" },
	{ SVM_EXIT_AVIC_INCOMPLETE_IPI, "the CPU has no AVIC" },
	{ SVM_EXIT_AVIC_UNACCELERATED_ACCESS, "the CPU has no AVIC" },
	{ SVM_EXIT_VMGEXIT, "only guests with SEV-ES exit for it, the CPU has no SEV" },
/* Only newer kernels know these. */
#ifdef SVM_EXIT_BUS_LOCK
	{ SVM_EXIT_BUS_LOCK, "the CPU has no bus-lock detection" },
#endif
#ifdef SVM_EXIT_IDLE_HLT
	{ SVM_EXIT_IDLE_HLT, "the CPU has no idle HLT intercept" },
#endif
};

#endif /* STIMULI_SVM_H */
