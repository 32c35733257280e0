// SPDX-License-Identifier: GPL-2.0-only
/*
 * exitstat: the VM exits of this guest by reason, and what they cost.
 */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "command.h"
#include "live.h"
#include "output.h"

/*
 * If there is a file to complete, wait for the signals that usually end a program.
 * Don't wait for those that are ignored, e.g. because of nohup.
 */
static void block_ending_signals(sigset_t *signals)
{
	static const int ending[] = { SIGINT, SIGTERM, SIGHUP };

	for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++) {
		struct sigaction action;

		if (!sigaction(ending[i], NULL, &action) && action.sa_handler != SIG_IGN)
			sigaddset(signals, ending[i]);
	}
	sigprocmask(SIG_BLOCK, signals, NULL);
}

static void end_by(int signal, const sigset_t *signals)
{
	raise(signal);
	sigprocmask(SIG_UNBLOCK, signals, NULL);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Returns the signal that ended the wait, or was pending already, or 0. */
static int wait_until(double time, const sigset_t *signals)
{
	for (;;) {
		double left = fmax(time - now(), 0);
		struct timespec t = {
			.tv_sec = (time_t)left,
			.tv_nsec = (long)((left - floor(left)) * 1e9),
		};
		int signal = sigtimedwait(signals, NULL, &t);

		if (signal > 0)
			return signal;
		if (left <= 0)
			return 0;
	}
}

/* The first report is since boot, the others are differences, as with vmstat. */
static int report_intervals(struct watch *watch, const struct options *options)
{
	struct sample samples[2];
	double next = now();
	struct report report;
	struct sink sink;
	sigset_t signals;
	int signal = 0, status = STATUS_OK;

	sigemptyset(&signals);
	if (options->file)
		block_ending_signals(&signals);
	if (!sink_open(&sink, options, stdout))
		return STATUS_ERROR;

	for (uint64_t i = 0; status == STATUS_OK; i++) {
		struct sample *sample = &samples[i % 2], *base = i ? &samples[(i + 1) % 2] : NULL;
		/* Prometheus computes differences itself. */
		bool since_boot = !base || options->format == FORMAT_OPENMETRICS;

		if (!sample_read(sample, watch, base)) {
			status = complain_absent();
			break;
		}
		report_make(&report, watch, options,
			    since_boot ? REPORT_SINCE_BOOT : REPORT_INTERVAL,
			    since_boot ? NULL : base, sample);
		if (!sink_report(&sink, &report, options))
			return STATUS_ERROR;
		if (options->interval == 0 || i + 1 == options->count)
			break;

		/* Don't drift, but skip reports that were missed, e.g. while stopped. */
		next += options->interval;
		if (next < now())
			next = now();
		signal = wait_until(next, &signals);
		if (signal)
			break;
	}

	if (!sink_close(&sink))
		status = STATUS_ERROR;
	if (signal)
		end_by(signal, &signals);
	return status;
}

/*
 * As with perf stat, the report goes to stderr, as stdout is the command's.  The status
 * is the command's, even if the report fails, unless the command could not be started.
 */
static int report_command(struct watch *watch, const struct options *options)
{
	struct sample before, after;
	struct report report;
	struct sink sink;
	int status;

	if (!sink_open(&sink, options, stderr))
		return STATUS_ERROR;
	if (!sample_read(&before, watch, NULL)) {
		sink_close(&sink);
		return complain_absent();
	}
	if (command_run(options->command, &status)) {
		if (sample_read(&after, watch, &before)) {
			report_make(&report, watch, options, REPORT_COMMAND, &before, &after);
			if (!sink_report(&sink, &report, options))
				return status;
		} else {
			complain_absent();
		}
	}
	sink_close(&sink);
	return status;
}

int main(int argc, char **argv)
{
	struct options options;
	struct watch watch;
	int status;

	if (!options_parse(&options, argc, argv, &status))
		return status;
	status = watch_init(&watch, &options);
	if (status != STATUS_OK)
		return status;

	if (options.live)
		return live_run(&watch, &options);
	if (options.command)
		return report_command(&watch, &options);
	return report_intervals(&watch, &options);
}
