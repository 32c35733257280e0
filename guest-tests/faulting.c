// SPDX-License-Identifier: GPL-2.0-only
/*
 * With CPUID faulting on, the leaves raise #GP in a process, and leak nothing.  Its children
 * inherit that, but not programs that they execute.  That is up to Linux, which has processes only
 * of Intel's CPUs fault; so elsewhere, all of the CPU's do.
 *
 * usage: faulting [emulated]
 *        faulting reads
 *
 * "emulated" is that of hostile.  "reads" succeeds if the leaves can be read.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <asm/prctl.h>

#include "guest_test.h"

#define GENERAL_PROTECTION 13
#define MSR_MISC_FEATURES_ENABLES 0x140

static bool emulated;
static uint64_t faults, trap;

/* KVM offers CPUID faulting to guests of any vendor's CPU. */
static bool set_cpuid_faulting(enum isa isa, uint64_t on)
{
	int msrs;
	bool ok;

	if (isa == VMX)
		return !syscall(SYS_arch_prctl, ARCH_SET_CPUID, !on);
	msrs = open("/dev/cpu/0/msr", O_WRONLY);
	ok = msrs >= 0 && pwrite(msrs, &on, sizeof(on), MSR_MISC_FEATURES_ENABLES) == sizeof(on);
	close(msrs);
	return ok;
}

/* Note the fault, and skip the CPUID. */
static void on_fault(int sig, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)sig, (void)info;

	faults++;
	trap = regs[REG_TRAPNO] | (uint64_t)regs[REG_ERR] << 32;
	/* The emulator has skipped its prefix: RIP points to the CPUID. */
	regs[REG_RIP] += 2;
}

/* The registers must keep their values, in all 64 bits. */
static bool faults_and_leaks_nothing(uint32_t leaf, uint32_t index)
{
	const uint64_t a0 = leaf | 0x1111111100000000, b0 = 0x2222222233333333;
	const uint64_t c0 = index | 0x4444444400000000, d0 = 0x5555555566666666;
	uint64_t a = a0, b = b0, c = c0, d = d0, before = faults;

	if (emulated)
		asm volatile("ud2; .ascii \"kvm\"; cpuid"
			     : "+a"(a), "+b"(b), "+c"(c), "+d"(d) :: "memory");
	else
		asm volatile("cpuid" : "+a"(a), "+b"(b), "+c"(c), "+d"(d) :: "memory");
	if (faults == before + 1 && trap == GENERAL_PROTECTION &&
	    a == a0 && b == b0 && c == c0 && d == d0)
		return true;
	ksft_print_msg("leaf 0x%08x index 0x%08x: %" PRIu64 " faults, trap 0x%" PRIx64
		       ", rax=%" PRIx64 " rbx=%" PRIx64 " rcx=%" PRIx64 " rdx=%" PRIx64 "\n",
		       leaf, index, faults - before, trap, a, b, c, d);
	return false;
}

static bool all_indices(uint32_t leaf)
{
	bool ok = true;

	for (uint32_t n = 0; n < NR_POWERS + NR_FLAGGED && ok; n++)
		ok = faults_and_leaks_nothing(leaf, hostile_index(NR_SHORT_INDICES + n));
	return ok;
}

static bool child_faults(void)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(!faults_and_leaks_nothing(KVM_EXIT_STATS_LEAF_EXITS, 0));
	return pid > 0 && waitpid(pid, &status, 0) == pid && !status;
}

static bool executed_program_reads(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		execl("/proc/self/exe", "faulting", "reads", NULL);
		_exit(1);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && !status;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "executed";
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	struct exitstat_info info;
	struct exitstat before, after;
	const char *linuxs = "Linux lets processes fault only where the CPU is Intel's";
	char inherits[64], does_not[64];
	uint32_t reason;
	enum isa isa;

	if (!strcmp(what, "reads"))
		return !exitstat_detect(&info);
	emulated = argc > 1;
	isa = isa_here();
	reason = emulated ? reasons_of(isa)->emulated : reasons_of(isa)->cpuid;
	ksft_print_header();
	ksft_set_plan(10);

	sigaction(SIGSEGV, &action, NULL);
	if (!exitstat_reason(reason, &before))
		ksft_exit_fail_msg("the host does not know exit reason %u\n", reason);
	if (!set_cpuid_faulting(isa, true))
		ksft_exit_fail_msg("cannot have CPUID fault: %s\n", strerror(errno));
	for (uint32_t leaf = KVM_EXIT_STATS_LEAF_SIGNATURE;
	     leaf <= KVM_EXIT_STATS_LEAF_REASON_CYCLES; leaf++)
		ksft_test_result(all_indices(leaf), "%s: leaf 0x%08x faults and leaks nothing\n",
				 what, leaf);
	ksft_test_result(all_indices(0), "%s: leaf 0 does so, too\n", what);
	if (!set_cpuid_faulting(isa, false))
		ksft_exit_fail_msg("cannot have CPUID work again: %s\n", strerror(errno));
	ksft_test_result(exitstat_detect(&info) && info.scope == KVM_EXIT_STATS_SCOPE_VM,
			 "%s: the leaves are back without it\n", what);

	/* The CPUIDs that faulted are exits, too. */
	if (!exitstat_reason(reason, &after))
		ksft_exit_fail_msg("the host does not know exit reason %u any more\n", reason);
	ksft_print_msg("%" PRIu64 " faults, %" PRIu64 " exits\n", faults,
		       after.exits - before.exits);
	ksft_test_result(faults == 6 * (NR_POWERS + NR_FLAGGED) &&
			 after.exits - before.exits >= faults &&
			 after.exits - before.exits <= faults + 4,
			 "%s: what faults is counted\n", what);

	snprintf(inherits, sizeof(inherits), "%s: a child inherits that", what);
	snprintf(does_not, sizeof(does_not), "%s: a program that it executes does not", what);
	if (isa != VMX) {
		skip(inherits, linuxs);
		skip(does_not, linuxs);
		ksft_finished();
	}
	if (!set_cpuid_faulting(isa, true))
		ksft_exit_fail_msg("cannot have CPUID fault again: %s\n", strerror(errno));
	ksft_test_result(child_faults(), "%s\n", inherits);
	ksft_test_result(executed_program_reads(), "%s\n", does_not);
	ksft_finished();
}
