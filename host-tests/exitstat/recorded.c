// SPDX-License-Identifier: GPL-2.0-only
/*
 * What exitstat reads from the machine, from a recording instead: this is linked in
 * place of tools/exitstat/machine.c, into builds for tests only.
 *
 * The file that EXITSTAT_RECORDING names is what "cpuid -1 -r -l LEAF -s INDEX"
 * prints, and lines that say when:
 *
 *	# sample tsc=<ticks> uptime=<seconds> time=<seconds> vcpus=<n> [present=<n>]
 *		begins what the second and each further moment finds changed
 *	# lasts <n>
 *		the next sample begins after so many CPUIDs, at the latest
 *	# otherwise eax=<n> ebx=<n> ecx=<n> edx=<n>
 *		what CPUIDs say that are not recorded
 *	# counting <reason>
 *		from here on, CPUIDs count as exits for this reason, as real ones do
 *
 * The last sample stays.
 */
#include "machine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ANSWERS 1024

static struct answer {
	uint32_t leaf, index;
	struct exitstat_regs regs;
} answers[MAX_ANSWERS];
static size_t nr_answers;
static struct exitstat_regs otherwise;
static struct moment moment, next;
static bool more;
static int64_t counting = -1, lasts;
static FILE *recording;

static struct exitstat_regs *find(uint32_t leaf, uint32_t index)
{
	for (size_t i = 0; i < nr_answers; i++)
		if (answers[i].leaf == leaf && answers[i].index == index)
			return &answers[i].regs;
	return NULL;
}

static void record(uint32_t leaf, uint32_t index, struct exitstat_regs regs)
{
	struct exitstat_regs *r = find(leaf, index);

	if (r) {
		*r = regs;
		return;
	}
	if (nr_answers == MAX_ANSWERS)
		abort();
	answers[nr_answers++] = (struct answer){ leaf, index, regs };
}

/* Begins the next sample: reads what is recorded up to the one after it. */
static void play(void)
{
	struct exitstat_regs r;
	struct moment m;
	uint32_t leaf, index;
	char line[200];

	moment = next;
	more = false;
	lasts = 0;
	while (!more && fgets(line, sizeof(line), recording)) {
		int n = sscanf(line,
			       "# sample tsc=%" SCNu64 " uptime=%lf time=%lf vcpus=%u present=%u",
			       &m.tsc, &m.uptime, &m.time, &m.online, &m.present);

		if (n >= 4) {
			if (n == 4)
				m.present = m.online;
			next = m;
			more = true;
		} else if (sscanf(line, " 0x%x 0x%x: eax=0x%x ebx=0x%x ecx=0x%x edx=0x%x", &leaf,
				  &index, &r.eax, &r.ebx, &r.ecx, &r.edx) == 6) {
			record(leaf, index, r);
		} else if (sscanf(line, "# otherwise eax=0x%x ebx=0x%x ecx=0x%x edx=0x%x", &r.eax,
				  &r.ebx, &r.ecx, &r.edx) == 4) {
			otherwise = r;
		} else if (sscanf(line, "# counting %" SCNd64, &counting) != 1 &&
			   sscanf(line, "# lasts %" SCNd64, &lasts) != 1 && line[0] != '#' &&
			   strcmp(line, "CPU:\n")) {
			fprintf(stderr, "recording: %s", line);
			abort();
		}
	}
}

static void close_recording(void)
{
	fclose(recording);
}

static void open_recording(void)
{
	const char *path = getenv("EXITSTAT_RECORDING");

	recording = fopen(path ? path : "", "re");
	if (!recording) {
		fputs("EXITSTAT_RECORDING names no file\n", stderr);
		abort();
	}
	atexit(close_recording);
	/* Up to the first sample there is nothing, then what the machine begins with. */
	play();
	play();
}

static void count_exit(struct exitstat_regs *r)
{
	if (r && !++r->eax)
		r->ebx++;
}

struct exitstat_regs machine_cpuid(uint32_t leaf, uint32_t index)
{
	struct exitstat_regs *r;

	if (!recording)
		open_recording();
	if (lasts && !--lasts && more)
		play();
	if (counting >= 0) {
		count_exit(find(KVM_EXIT_STATS_LEAF_EXITS, 0));
		count_exit(find(KVM_EXIT_STATS_LEAF_REASON_EXITS, (uint32_t)counting));
	}
	r = find(leaf, index);
	return r ? *r : otherwise;
}

uint64_t machine_tsc(void)
{
	return moment.tsc;
}

struct moment machine_now(void)
{
	static bool begun;

	if (begun && more)
		play();
	begun = true;
	return moment;
}
