// SPDX-License-Identifier: GPL-2.0-only
/*
 * Throws command lines at the parser, made of what it knows, bent, and of noise.  To
 * be built with sanitizers; besides, what the parser accepts must be what it promises.
 *
 * usage: fuzz SEED ROUNDS
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options.h"

#define MAX_ARGS 12
#define ARG_SIZE 300

static const char *const words[] = {
	"-a", "--all", "-s", "--sort", "exits", "cycles", "cost", "reason", "name", "-n", "--top",
	"-r", "--reason", "HLT", "hlt,48", "0x30,REASON_75", "PF excp", "48,,", "-H", "--raw", "-t",
	"--live", "--json", "--csv", "--prometheus", "--openmetrics", "-y", "--skip-first", "-o",
	"-P", "--per-vcpu", "vmm", "-m", "--max", "--histogram", "--histogram=HLT",
	"--output", "-o-", "--output=", "-h", "-V", "--", "-", "", "0", "1", "5", "0.5", ".",
	"0x1", "1e3", "nan", "-1", " 1", "1000001", "99999999999999999999",
	"18446744073709551616", "4294967296", "REASON_", "true", "--r", "-aHtr",
};

/* xorshift64*: the same everywhere */
static unsigned int draw(unsigned long long *state, unsigned int n)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (unsigned int)((*state * 0x2545f4914f6cdd1dull >> 33) % n);
}

static void make_argument(unsigned long long *state, char argument[static ARG_SIZE])
{
	size_t len;

	snprintf(argument, ARG_SIZE, "%s", words[draw(state, sizeof(words) / sizeof(words[0]))]);
	while (!draw(state, 4)) {
		len = strlen(argument);
		switch (draw(state, 4)) {
		case 0:
			argument[draw(state, (unsigned int)len + 1)] = '\0';
			break;
		case 1:
			if (len)
				argument[draw(state, (unsigned int)len)] =
					(char)(1 + draw(state, 255));
			break;
		case 2:
			snprintf(argument + len, ARG_SIZE - len, "%s%s", draw(state, 2) ? "," : "",
				 words[draw(state, sizeof(words) / sizeof(words[0]))]);
			break;
		case 3:
			len = draw(state, ARG_SIZE);
			memset(argument, 1 + (int)draw(state, 255), len);
			argument[len] = '\0';
			break;
		}
	}
}

/* What holds of all options that are accepted, and of all that are not */
static bool sane(const struct options *o, bool accepted, int status)
{
	if (!accepted)
		return status == STATUS_USAGE || status == STATUS_OK;
	return (o->interval == 0 || (o->interval >= 0.001 && o->interval <= 1e6)) &&
	       (!o->count || o->interval != 0) && (unsigned int)o->sort < NR_SORT_KEYS &&
	       o->nr_lists <= OPTION_LISTS_MAX && (!o->file || *o->file) &&
	       (!o->to_stdout || !o->file) &&
	       (!o->command || (*o->command && o->interval == 0 && !o->live && !o->skip_first &&
				!format_is_metrics(o->format))) &&
	       (!format_is_metrics(o->format) || ((o->interval == 0 || o->file) &&
						  !o->skip_first)) &&
	       (!o->per_vcpu || o->live || format_is_metrics(o->format) ||
		(!o->all && !o->sorted && !o->top && !o->nr_lists && !o->histogram)) &&
	       (!o->histogram || o->format != FORMAT_CSV) &&
	       (!o->live || (o->format == FORMAT_TABLE && !o->file && !o->to_stdout));
}

int main(int argc, char **argv)
{
	unsigned long long state = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	unsigned long rounds = argc > 2 ? strtoul(argv[2], NULL, 0) : 1000, accepted = 0;
	FILE *out = fdopen(dup(STDOUT_FILENO), "w");

	/* What the parser says is not of interest. */
	if (!state || !out || !freopen("/dev/null", "w", stdout) ||
	    !freopen("/dev/null", "w", stderr))
		return 2;

	for (unsigned long i = 0; i < rounds; i++) {
		char text[MAX_ARGS][ARG_SIZE], *args[MAX_ARGS + 2] = { "exitstat" };
		int n = (int)draw(&state, MAX_ARGS + 1), status = -1;
		struct options options;
		bool ok;

		for (int k = 0; k < n; k++) {
			make_argument(&state, text[k]);
			args[k + 1] = text[k];
		}
		optind = 0; /* begin anew */
		ok = options_parse(&options, n + 1, args, &status);
		accepted += ok;
		if (!sane(&options, ok, status)) {
			fprintf(out, "round %lu: accepted %d, status %d:", i, ok, status);
			for (int k = 1; k <= n; k++)
				fprintf(out, " '%s'", args[k]);
			fputc('\n', out);
			return 1;
		}
	}
	fprintf(out, "%lu command lines, %lu accepted\n", rounds, accepted);
	return accepted ? 0 : 1;
}
