// SPDX-License-Identifier: GPL-2.0-only
/*
 * exitstat: the VM exits of this guest by reason, and what they cost.
 */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "live.h"
#include "output.h"
#include "signals.h"

/* Seconds */
#define WAIT_MAX 0.5

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/*
 * Wait for the next report's time.  Don't drift, but skip reports that were missed, e.g. while
 * stopped.  Returns the signal that ended the wait, or was pending already, or 0.
 */
static int wait_interval(double *next, const struct options *options, const sigset_t *signals)
{
	*next = fmax(*next + options->interval, now());
	for (;;) {
		double left = fmax(*next - now(), 0);
		/* If it is interrupted, a C library may wait anew: so not for long. */
		double wait = fmin(left, WAIT_MAX);
		struct timespec t = {
			.tv_sec = (time_t)wait,
			.tv_nsec = (long)((wait - floor(wait)) * 1e9),
		};
		siginfo_t info;

		if (sigtimedwait(signals, &info, &t) > 0 && !signals_is_own_write(&info))
			return info.si_signo;
		if (left <= 0)
			return 0;
	}
}

/* End by the signal, if there is one.  Process 1 may not, so it returns the shell's status. */
static int ended_by(int signal, int status)
{
	if (!signal)
		return status;
	signals_end_by(signal);
	return STATUS_SIGNAL + signal;
}

static void free_samples(struct sample samples[2])
{
	sample_free(&samples[0]);
	sample_free(&samples[1]);
}

/*
 * The first report is since boot, the others are differences, as with vmstat.  If there is a file
 * to complete, signals wait for that.
 */
static int report_intervals(struct watch *watch, const struct options *options,
			    const sigset_t *signals)
{
	uint64_t count = options->count + options->skip_first;
	struct sample samples[2] = {};
	double next = now();
	struct report report;
	struct sink sink;
	int signal = 0, status = STATUS_OK;

	if (!sink_open(&sink, options, stdout))
		return STATUS_ERROR;

	for (uint64_t i = 0; status == STATUS_OK; i++) {
		struct sample *sample = &samples[i % 2], *base = i ? &samples[(i + 1) % 2] : NULL;

		if (!sample_read(sample, watch, base)) {
			status = complain_unread(watch);
			break;
		}
		report_make(&report, watch, options, base ? REPORT_INTERVAL : REPORT_SINCE_BOOT,
			    base, sample);
		if ((base || !options->skip_first) && !sink_report(&sink, &report, options)) {
			status = STATUS_ERROR;
			break;
		}
		if (options->interval == 0 || (options->count && i + 1 == count))
			break;
		signal = wait_interval(&next, options, signals);
		if (signal)
			break;
	}

	free_samples(samples);
	if (!sink_close(&sink))
		status = STATUS_ERROR;
	return ended_by(signal, status);
}

/*
 * Metrics are always since boot: Prometheus takes differences, and knows of restarts.  That the
 * host serves no statistics, or not all those of -r, is a metric, too, and it may do so again.
 */
static int report_metrics(struct watch *watch, const struct options *options,
			  const sigset_t *signals)
{
	int status = watch_init(watch, options, true), signal = 0;
	struct sample samples[2] = {}, *base = NULL;
	double next = now();
	struct report report;
	struct sink sink;

	if (status == STATUS_USAGE)
		return status;
	if (!sink_open(&sink, options, stdout))
		return STATUS_ERROR;

	for (uint64_t i = 1; !signal; i++) {
		struct sample *sample = &samples[i % 2];

		if (status != STATUS_OK && i > 1 && watch_possible())
			status = watch_init(watch, options, false);
		if (status == STATUS_OK && !sample_read(sample, watch, base))
			status = complain_unread(watch);
		/* That says nothing about the host. */
		if (status == STATUS_ERROR)
			break;
		base = status == STATUS_OK ? sample : NULL;
		if (base)
			report_make(&report, watch, options, REPORT_SINCE_BOOT, NULL, sample);
		else
			report = (struct report){ .kind = REPORT_ABSENT };
		if (!sink_report(&sink, &report, options)) {
			free_samples(samples);
			return STATUS_ERROR;
		}
		if (options->interval == 0 || i == options->count)
			break;
		signal = wait_interval(&next, options, signals);
	}

	free_samples(samples);
	if (status == STATUS_USAGE)
		status = STATUS_ABSENT;
	if (!sink_close(&sink))
		status = STATUS_ERROR;
	return ended_by(signal, status);
}

/*
 * As with perf stat, the report goes to stderr, as stdout is the command's.  The status
 * is the command's, even if the report fails, unless the command could not be started.
 */
static int report_command(struct watch *watch, const struct options *options,
			  const sigset_t *signals, const sigset_t *mask)
{
	struct sample samples[2] = {}, *before = &samples[0], *after = &samples[1];
	struct report report;
	struct sink sink;
	int status;

	if (!sink_open(&sink, options, stderr))
		return STATUS_ERROR;
	if (!sample_read(before, watch, NULL)) {
		sink_close(&sink);
		return complain_unread(watch);
	}
	if (command_run(options->command, signals, mask, &status)) {
		if (sample_read(after, watch, before)) {
			report_make(&report, watch, options, REPORT_COMMAND, before, after);
			sink_report(&sink, &report, options);
		} else {
			complain_unread(watch);
		}
	}
	free_samples(samples);
	sink_close(&sink);
	return status;
}

static int report(struct watch *watch, const struct options *options, const sigset_t *signals,
		  const sigset_t *mask)
{
	int status;

	if (format_is_metrics(options->format))
		return report_metrics(watch, options, signals);
	status = watch_init(watch, options, true);
	if (status != STATUS_OK)
		return status;
	return options->command ? report_command(watch, options, signals, mask) :
				  report_intervals(watch, options, signals);
}

/*
 * If one of the standard descriptors is closed, a file that is opened would become it, and get
 * what is meant for it.  A path can be neither read nor written, so errors stay errors.
 */
static void reserve_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	struct options options;
	sigset_t signals, mask;
	struct watch watch;
	int status;

	reserve_standard_descriptors();
	if (!options_parse(&options, argc, argv, &status))
		return status;

	if (options.live) {
		status = watch_init(&watch, &options, true);
		return status == STATUS_OK ? live_run(&watch, &options) : status;
	}

	/*
	 * Signals wait where there is something to put in order, or somebody to pass them to.
	 * They would not end process 1.
	 */
	sigemptyset(&signals);
	if (options.file || options.command || getpid() == 1)
		signals_block(&signals, &mask);
	else
		sigprocmask(SIG_BLOCK, NULL, &mask);
	status = report(&watch, &options, &signals, &mask);
	signals_restore(&mask);
	return status;
}
