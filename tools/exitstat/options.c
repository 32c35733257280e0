// SPDX-License-Identifier: GPL-2.0-only
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kvm_exit_stats.h"
#include "reasons.h"

/* Below the minimum, reading would distort the figures.  Above the maximum is a mistake. */
#define INTERVAL_MIN 0.001
#define INTERVAL_MAX 1e6

#define SYNOPSIS \
	"usage: exitstat [OPTION...] [INTERVAL [COUNT]]\n" \
	"       exitstat [OPTION...] -- COMMAND [ARGUMENT...]\n"

static const char help[] = SYNOPSIS
	"This guest's VM exits: since boot, each INTERVAL seconds, or while COMMAND ran.\n"
	"\n"
	"  -a, --all          also reasons without exits\n"
	"  -s, --sort KEY     by exits (default), cycles, cost, vmm, reason or name\n"
	"  -n, --top N        the first N reasons only\n"
	"  -r, --reason LIST  these reasons only, by name or number: HLT,48\n"
	"  -m, --max          the longest exit, too, in place of CYC%\n"
	"      --histogram    how long exits took, for each reason; =LIST as with -r\n"
	"  -P, --per-vcpu     each vCPU, instead of each reason\n"
	"  -H, --no-header    without header lines\n"
	"      --raw          exact numbers instead of k, M, G\n"
	"  -t, --live         full screen, every INTERVAL seconds (default: 1)\n"
	"  -y, --skip-first   without the report since boot\n"
	"      --json         a JSON object per report, one a line\n"
	"      --csv          comma-separated values\n"
	"      --prometheus   counters for node_exporter's textfile collector\n"
	"      --openmetrics  the same in OpenMetrics 1.0\n"
	"  -o, --output FILE  write FILE, which appears or is replaced as a whole\n"
	"  -h, --help         this text\n"
	"  -V, --version      the version\n"
	"\n"
	"Exit status: COMMAND's; 1 on errors; 2 for bad arguments; 3 without statistics.\n";

enum {
	OPTION_HISTOGRAM = 256, OPTION_RAW, OPTION_JSON, OPTION_CSV, OPTION_PROMETHEUS,
	OPTION_OPENMETRICS
};

/* "-" makes getopt return arguments that are no options, in order, as option 1. */
static const char short_options[] = "-as:n:r:mPHtyo:hV";
static const struct option long_options[] = {
	{ "all",		no_argument,		NULL, 'a' },
	{ "sort",		required_argument,	NULL, 's' },
	{ "top",		required_argument,	NULL, 'n' },
	{ "reason",		required_argument,	NULL, 'r' },
	{ "max",		no_argument,		NULL, 'm' },
	{ "histogram",		optional_argument,	NULL, OPTION_HISTOGRAM },
	{ "per-vcpu",		no_argument,		NULL, 'P' },
	{ "no-header",		no_argument,		NULL, 'H' },
	{ "raw",		no_argument,		NULL, OPTION_RAW },
	{ "live",		no_argument,		NULL, 't' },
	{ "skip-first",		no_argument,		NULL, 'y' },
	{ "json",		no_argument,		NULL, OPTION_JSON },
	{ "csv",		no_argument,		NULL, OPTION_CSV },
	{ "prometheus",		no_argument,		NULL, OPTION_PROMETHEUS },
	{ "openmetrics",	no_argument,		NULL, OPTION_OPENMETRICS },
	{ "output",		required_argument,	NULL, 'o' },
	{ "help",		no_argument,		NULL, 'h' },
	{ "version",		no_argument,		NULL, 'V' },
	{}
};

static const char *const sort_keys[NR_SORT_KEYS] = {
	[SORT_EXITS] = "exits",
	[SORT_CYCLES] = "cycles",
	[SORT_COST] = "cost",
	[SORT_VMM] = "vmm",
	[SORT_REASON] = "reason",
	[SORT_NAME] = "name",
};

const char *sort_key_name(enum sort_key key)
{
	return sort_keys[key];
}

int usage_error(const char *format, ...)
{
	va_list args;

	fputs("exitstat: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs("\n" SYNOPSIS "exitstat --help says more.\n", stderr);
	return STATUS_USAGE;
}

static bool parse_sort_key(const char *text, enum sort_key *key)
{
	for (unsigned int i = 0; i < NR_SORT_KEYS; i++) {
		if (!strcmp(text, sort_keys[i])) {
			*key = i;
			return true;
		}
	}
	return false;
}

/* A whole number from 1.  The standard function also accepts "-1", " 1" and "1x". */
static bool parse_count(const char *text, uint64_t *count)
{
	const size_t max_digits = 18;
	size_t digits = strspn(text, "0123456789");

	if (!digits || digits > max_digits || text[digits])
		return false;
	*count = strtoull(text, NULL, 10);
	return *count;
}

/* Decimal seconds.  strtod() also accepts hexadecimal, "nan" and "1e3". */
static bool parse_interval(const char *text, double *interval)
{
	char *end;

	if (!*text || text[strspn(text, "0123456789.")])
		return false;
	*interval = strtod(text, &end);
	return !*end && *interval >= INTERVAL_MIN && *interval <= INTERVAL_MAX;
}

/* Is each a reason of VMX or SVM?  Which of the two the host has is not known yet. */
static bool plausible_reasons(const char *list)
{
	uint32_t reason;

	for (;;) {
		size_t len = strcspn(list, ",");

		if (!reason_find(KVM_EXIT_STATS_ISA_VMX, list, len, &reason) &&
		    !reason_find(KVM_EXIT_STATS_ISA_SVM, list, len, &reason))
			return false;
		if (!list[len])
			return true;
		list += len + 1;
	}
}

static bool set_format(struct options *options, int option)
{
	enum format format = option == OPTION_JSON ? FORMAT_JSON :
			     option == OPTION_CSV ? FORMAT_CSV :
			     option == OPTION_PROMETHEUS ? FORMAT_PROMETHEUS : FORMAT_OPENMETRICS;
	bool first = options->format == FORMAT_TABLE || options->format == format;

	options->format = format;
	return first;
}

/* What was printed may still be in a buffer. */
static int status_of_stdout(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return STATUS_OK;
	fprintf(stderr, "exitstat: output: %s\n", strerror(errno));
	return STATUS_ERROR;
}

/* What is wrong with the combination of options, or NULL */
static const char *contradiction(const struct options *o)
{
	if (o->command && o->interval != 0)
		return "there is an INTERVAL and a COMMAND, which exclude each other";
	if (o->command && format_is_metrics(o->format))
		return "metrics are counters since the start, not those of a COMMAND";
	if (o->interval != 0 && format_is_metrics(o->format) && !o->file)
		return "metrics every INTERVAL replace each other, so they need -o FILE";
	if (o->skip_first && format_is_metrics(o->format))
		return "-y leaves out what metrics are about, the time since boot";
	if (o->skip_first && o->command)
		return "-y leaves out the report since boot, and with a COMMAND there is none";
	if (o->skip_first && o->interval == 0 && !o->live)
		return "-y leaves out the only report there is without an INTERVAL";
	if (o->per_vcpu && !o->live && !format_is_metrics(o->format) &&
	    (o->all || o->sorted || o->top || o->nr_lists || o->histogram))
		return "-P shows no reasons, which -a, -s, -n, -r and --histogram are about";
	if (o->histogram && o->format == FORMAT_CSV)
		return "--histogram has no CSV; --json has all buckets";
	if (o->live && o->command)
		return "-t shows no COMMAND";
	if (o->live && (o->format != FORMAT_TABLE || o->file || o->to_stdout))
		return "-t writes no format but the screen's";
	return NULL;
}

bool options_parse(struct options *options, int argc, char **argv, int *status)
{
	const char *problem, *argument = NULL;
	int c;

	*options = (struct options){};
	*status = STATUS_USAGE;

	while ((c = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
		argument = optarg;
		switch (c) {
		case 'a':
			options->all = true;
			break;
		case 's':
			options->sorted = true;
			if (parse_sort_key(optarg, &options->sort))
				break;
			usage_error("'%s' is no sort key", optarg);
			return false;
		case 'n':
			if (parse_count(optarg, &options->top))
				break;
			usage_error("-n takes a whole number from 1, not '%s'", optarg);
			return false;
		case OPTION_HISTOGRAM:
			options->histogram = true;
			if (!optarg)
				break;
			/* Fall through - these reasons only */
		case 'r':
			if (!plausible_reasons(optarg)) {
				usage_error("'%s' is no list of exit reasons", optarg);
				return false;
			}
			if (options->nr_lists == OPTION_LISTS_MAX) {
				usage_error("more than %d times -r; separate reasons by commas",
					    OPTION_LISTS_MAX);
				return false;
			}
			options->lists[options->nr_lists++] = optarg;
			break;
		case 'm':
			options->max = true;
			break;
		case 'P':
			options->per_vcpu = true;
			break;
		case 'H':
			options->no_header = true;
			break;
		case OPTION_RAW:
			options->raw = true;
			break;
		case 't':
			options->live = true;
			break;
		case 'y':
			options->skip_first = true;
			break;
		case OPTION_JSON:
		case OPTION_CSV:
		case OPTION_PROMETHEUS:
		case OPTION_OPENMETRICS:
			if (set_format(options, c))
				break;
			usage_error("there are two formats, which exclude each other");
			return false;
		case 'o':
			if (*optarg) {
				options->to_stdout = !strcmp(optarg, "-");
				options->file = options->to_stdout ? NULL : optarg;
				break;
			}
			usage_error("-o takes the name of a file");
			return false;
		case 'h':
			fputs(help, stdout);
			*status = status_of_stdout();
			return false;
		case 'V':
			printf("exitstat %s, interface version %d\n", EXITSTAT_VERSION,
			       KVM_EXIT_STATS_VERSION);
			*status = status_of_stdout();
			return false;
		case 1:
			if (options->interval == 0) {
				if (parse_interval(optarg, &options->interval))
					break;
				usage_error("'%s' is no INTERVAL from %g to %.0f seconds; "
					    "a COMMAND comes after --",
					    optarg, INTERVAL_MIN, INTERVAL_MAX);
				return false;
			}
			if (options->count) {
				usage_error("'%s' is one argument too many", optarg);
				return false;
			}
			if (parse_count(optarg, &options->count))
				break;
			usage_error("COUNT is a whole number from 1, not '%s'", optarg);
			return false;
		default:
			/* getopt_long() has printed what is wrong. */
			fputs(SYNOPSIS "exitstat --help says more.\n", stderr);
			return false;
		}
	}

	if (optind < argc) {
		options->command = argv + optind;
	} else if (optind > 1 && !strcmp(argv[optind - 1], "--") && argv[optind - 1] != argument) {
		usage_error("there is no COMMAND after --");
		return false;
	}

	problem = contradiction(options);
	if (problem) {
		usage_error("%s", problem);
		return false;
	}
	return true;
}
