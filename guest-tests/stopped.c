// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads all figures of its vCPU, and has the VMM stop it at once, so that they can be compared.
 *
 * usage: stopped TIMES
 *
 * QEMU's pvpanic device stops the guest by one exit.  When it goes on, this prints what the VMM
 * should have found meanwhile, a line for each reason that has exits:
 *
 *	REASON EXITS CYCLES RETURNS NANOSECONDS
 *
 * ">" before a figure: it has grown since it was read.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>

#include "isa.h"
#include "libexitstat.h"

#define PVPANIC_PORT 0x505
#define PVPANIC_PANICKED 1

struct figures {
	struct exitstat pair[NR_REASONS];
	struct exitstat_vmm vmm[NR_REASONS];
};

/*
 * At the end what goes on by itself: the host's interrupts, and CPUID, which counts this exit, too.
 * After it there is only the OUT.
 */
static void read_all(const struct reasons *reasons, struct figures *f)
{
	for (uint32_t n = 0; n < NR_REASONS; n++) {
		if (!exitstat_vmm_of(EXITSTAT_OF_THIS_VCPU, nth_reason(n), &f->vmm[n]) ||
		    !exitstat_pair_of(EXITSTAT_OF_THIS_VCPU, nth_reason(n), &f->pair[n])) {
			f->vmm[n] = (struct exitstat_vmm){};
			f->pair[n] = (struct exitstat){};
		}
	}
	exitstat_pair_of(EXITSTAT_OF_THIS_VCPU, reasons->interrupt,
			 &f->pair[reason_slot(reasons->interrupt)]);
	exitstat_pair_of(EXITSTAT_OF_THIS_VCPU, reasons->cpuid,
			 &f->pair[reason_slot(reasons->cpuid)]);
}

/* Has the guest's kernel not caused exits meanwhile? */
static bool only_these_grew(const struct reasons *reasons, const struct figures *a,
			    const struct figures *b)
{
	for (uint32_t n = 0; n < NR_REASONS; n++) {
		if (a->pair[n].exits != b->pair[n].exits &&
		    n != reason_slot(reasons->cpuid) && n != reason_slot(reasons->interrupt))
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	static struct figures before, now;
	const struct reasons *reasons;
	struct exitstat_info info;

	if (argc != 2 || !exitstat_detect(&info) || ioperm(PVPANIC_PORT, 1, 1)) {
		fputs("usage: stopped TIMES, as root, in a guest that is served statistics\n",
		      stderr);
		return 2;
	}
	reasons = reasons_of((enum isa)info.isa);

	for (int i = 0; i < atoi(argv[1]); i++) {
		read_all(reasons, &now);
		do {
			before = now;
			read_all(reasons, &now);
		} while (!only_these_grew(reasons, &before, &now));
		outb(PVPANIC_PANICKED, PVPANIC_PORT);

		for (uint32_t n = 0; n < NR_REASONS; n++) {
			bool io = nth_reason(n) == reasons->io;
			bool grew = io || nth_reason(n) == reasons->cpuid;

			if (!now.pair[n].exits)
				continue;
			printf("stopped %u %" PRIu64 " %s%" PRIu64 " %" PRIu64 " %s%" PRIu64 "\n",
			       nth_reason(n), now.pair[n].exits + io, grew ? ">" : "",
			       now.pair[n].cycles, now.vmm[n].returns + io, io ? ">" : "",
			       now.vmm[n].ns);
		}
		puts("stopped");
		fflush(stdout);
	}
	return 0;
}
