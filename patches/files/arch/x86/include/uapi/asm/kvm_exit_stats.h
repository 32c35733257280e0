/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * CPUID leaves by which a guest reads what its VM exits cost.  Check the
 * signature before using the other leaves.
 *
 * Leaf		ECX in	EAX		EBX		ECX		EDX
 * SIGNATURE	-	version, ISA,	"KVME"		"xitS"		"tats"
 *			scope
 * EXITS	-	exits, low	exits, high	0		0
 * CYCLES	-	0		cycles, high	cycles, low	0
 * REASON_*	reason	like EXITS or CYCLES, for one exit reason.  A reason
 *			that the ISA does not define, or that the host does
 *			not know or tell, yields EDX = UNDEFINED and zeros
 *			elsewhere.
 *
 * A reason is VMX's basic exit reason, or the low 32 bits of SVM's EXITCODE.
 *
 * Further leaves, if SIGNATURE has at least that many:
 *
 * 1 PAIR	reason	exits, low	exits, high	cycles, low	cycles, high
 *			Undefined reasons as above.
 * 2 WHICH	reason	Bit i of the 96 bits EAX, EBX, ECX: reason r + i has
 *			occurred, where r is the reason in ECX, rounded down to
 *			a multiple of WHICH_REASONS.  EDX: the next multiple
 *			with a bit set, or UNDEFINED.
 * 3 LEDGER	state	ns, low		ns, high	0		0
 *			How long the vCPUs were in that STATE_*, together.
 *			An unknown one yields EDX = UNDEFINED and zeros.
 * 4 VMM	reason	returns, low	returns, high	ns, low		ns, high
 *			How often an exit for that reason made KVM_RUN return,
 *			and how long user space then took to call it again,
 *			without what it waited for a CPU.  Undefined reasons as
 *			above.
 * 5 LONGEST	reason	cycles, low	cycles, high	recent, low	recent, high
 *			Of the exit for that reason that took the most cycles,
 *			and of those since anybody in the VM has read this for
 *			the reason.  Undefined reasons as above; in scope HOST,
 *			all of them are, but of the vCPU alone.
 * 6 HISTOGRAM	reason,	bucket 4g	bucket 4g + 1	bucket 4g + 2	bucket 4g + 3
 *		group g	The low 32 bits of how many exits for that reason are in
 *			each of four buckets.  Bucket i has exits of 2^i to
 *			2^(i + 1) - 1 ticks of the host's TSC; bucket 0 also
 *			those of none, and the last one all that are longer.
 *			ECX is the reason's low 16 bits, 0xffff for SVM's
 *			VMEXIT_INVALID, and the group, 0 to 7, in bits 31:24.
 *			Undefined reasons, and any other ECX, as above, and all
 *			of them if histograms are off.  An exit may move to a
 *			later bucket, so read groups upwards, and compare sums.
 *
 * If SIGNATURE has THIS_VCPU, each leaf less VCPU_OFFSET answers likewise, of the
 * vCPU alone that executes CPUID.
 *
 * Cycles are ticks of the guest's TSC, or of the host's if the CPU can't scale
 * it.  Counters are 64 bits wide.  They start at zero with the VM (scope VM) or
 * with the host's kvm module (scope HOST; the ledger's are sums over the VMs that
 * exist), and change with migration to another host and with the scope: treat a
 * decrease as a restart, but for that of a recent maximum, and of a bucket.
 *
 * There are no such leaves if CPUID.1:ECX bit 31 says that there is no
 * hypervisor.
 */
#ifndef _UAPI_ASM_X86_KVM_EXIT_STATS_H
#define _UAPI_ASM_X86_KVM_EXIT_STATS_H

#define KVM_EXIT_STATS_LEAF_HISTOGRAM		0x4ffffff5
#define KVM_EXIT_STATS_LEAF_LONGEST		0x4ffffff6
#define KVM_EXIT_STATS_LEAF_VMM			0x4ffffff7
#define KVM_EXIT_STATS_LEAF_LEDGER		0x4ffffff8
#define KVM_EXIT_STATS_LEAF_WHICH		0x4ffffff9
#define KVM_EXIT_STATS_LEAF_PAIR		0x4ffffffa
#define KVM_EXIT_STATS_LEAF_SIGNATURE		0x4ffffffb
#define KVM_EXIT_STATS_LEAF_EXITS		0x4ffffffc
#define KVM_EXIT_STATS_LEAF_CYCLES		0x4ffffffd
#define KVM_EXIT_STATS_LEAF_REASON_EXITS	0x4ffffffe
#define KVM_EXIT_STATS_LEAF_REASON_CYCLES	0x4fffffff
#define KVM_EXIT_STATS_VCPU_OFFSET		0x10

/* SIGNATURE, EAX */
#define KVM_EXIT_STATS_VERSION			1
#define KVM_EXIT_STATS_VERSION_MASK		0x000000ff
/* ISA: whose exit reasons these are, values as in the kvm_exit tracepoint. */
#define KVM_EXIT_STATS_ISA_SHIFT		8
#define KVM_EXIT_STATS_ISA_MASK			0x0000ff00
#define KVM_EXIT_STATS_ISA_VMX			1
#define KVM_EXIT_STATS_ISA_SVM			2
#define KVM_EXIT_STATS_SCOPE_SHIFT		16
#define KVM_EXIT_STATS_SCOPE_MASK		0x00ff0000
#define KVM_EXIT_STATS_SCOPE_OFF		0	/* of the capability alone */
#define KVM_EXIT_STATS_SCOPE_VM			1
#define KVM_EXIT_STATS_SCOPE_HOST		2
/* How many further leaves there are, from PAIR down */
#define KVM_EXIT_STATS_FURTHER_SHIFT		24
#define KVM_EXIT_STATS_FURTHER_MASK		0x7f000000
#define KVM_EXIT_STATS_THIS_VCPU		0x80000000

/* SIGNATURE, EBX, ECX, EDX: "KVMExitStats" */
#define KVM_EXIT_STATS_SIGNATURE_EBX		0x454d564b
#define KVM_EXIT_STATS_SIGNATURE_ECX		0x53746978
#define KVM_EXIT_STATS_SIGNATURE_EDX		0x73746174

/* EDX: ECX is not an exit reason, or state, that is defined, known and told. */
#define KVM_EXIT_STATS_UNDEFINED		0xffffffff

/* WHICH: how many reasons an answer is about */
#define KVM_EXIT_STATS_WHICH_REASONS		96

/* HISTOGRAM: how many buckets a reason has, and ECX */
#define KVM_EXIT_STATS_NR_BUCKETS		32
#define KVM_EXIT_STATS_BUCKETS_PER_GROUP	4
#define KVM_EXIT_STATS_REASON_MASK		0x0000ffff
#define KVM_EXIT_STATS_GROUP_SHIFT		24

/*
 * LEDGER: the states of a vCPU.  From the first KVM_RUN on, it is in one of them
 * at any time; ELAPSED is their sum.  An exit is in EXITS once KVM has handled
 * it, and what a thread has waited for a CPU is in WAITING once it has got one:
 * then they take that from GUEST, or from the state that it has waited in.
 */
#define KVM_EXIT_STATS_STATE_ELAPSED		0
#define KVM_EXIT_STATS_STATE_GUEST		1	/* and to enter and leave it */
#define KVM_EXIT_STATS_STATE_EXITS		2	/* KVM handles an exit */
#define KVM_EXIT_STATS_STATE_VMM		3	/* not in KVM_RUN */
#define KVM_EXIT_STATS_STATE_HALTED		4	/* blocked, or polls before */
#define KVM_EXIT_STATS_STATE_WAITING		5	/* another task has the CPU */
#define KVM_EXIT_STATS_STATE_ASLEEP		6	/* e.g. for a page */
#define KVM_EXIT_STATS_NR_STATES		7

/*
 * The highest basic exit reason of VMX that is defined so far.  Hosts may know
 * higher ones, in the same version.  There are gaps: above a reason that is
 * UNDEFINED, others may be defined.
 */
#define KVM_EXIT_STATS_VMX_REASON_MAX		85

/*
 * A VM capability by which user space asks, before it creates vCPUs, that its
 * guest is served no more than the scope in args[0].  The host's parameter
 * exit_stats may narrow that, too.  With CAP_HISTOGRAM in args[0], vCPUs also have
 * histograms.  KVM_CHECK_EXTENSION returns a mask of scopes, BIT(scope), of which
 * there are less than eight, and CAP_HISTOGRAM.
 * The number is far above those that KVM gives out.
 */
#define KVM_CAP_X86_EXIT_STATS			0x4ffffffb
#define KVM_EXIT_STATS_CAP_HISTOGRAM		0x100

#endif /* _UAPI_ASM_X86_KVM_EXIT_STATS_H */
