// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes a file under another name in the same directory, and renames it when it is on
 * the disk.  So readers see the whole old file or the whole new one, even after a crash.
 */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool complain(const struct sink *sink)
{
	fprintf(stderr, "exitstat: %s: %s\n", sink->path ? sink->path : "output", strerror(errno));
	return false;
}

static void discard(struct sink *sink)
{
	if (sink->stream)
		fclose(sink->stream);
	unlink(sink->part);
	free(sink->part);
	sink->part = NULL;
	sink->stream = NULL;
}

/*
 * The mode is the old file's, or the one that open() would have set: mkostemp() lets nobody else
 * read.  Some file systems, such as CIFS' and FAT, have modes of their own, and refuse.
 */
static void set_mode(int fd, const char *path)
{
	mode_t mask = umask(0);
	struct stat st;

	umask(mask);
	if (fchmod(fd, lstat(path, &st) ? 0666 & ~mask : st.st_mode & 07777))
		return;
}

/* Its name does not depend on the file's, so that it can't be too long if that is not. */
static bool open_part(struct sink *sink)
{
	const char *name = strrchr(sink->path, '/');
	int len = name ? (int)(name + 1 - sink->path) : 0;
	int fd;

	if (asprintf(&sink->part, "%.*s.exitstat-XXXXXX", len, sink->path) < 0) {
		sink->part = NULL;
		return complain(sink);
	}
	fd = mkostemp(sink->part, O_CLOEXEC);
	if (fd < 0) {
		complain(sink);
		free(sink->part);
		sink->part = NULL;
		return false;
	}
	set_mode(fd, sink->path);
	sink->stream = fdopen(fd, "w");
	if (!sink->stream) {
		complain(sink);
		close(fd);
		discard(sink);
		return false;
	}
	return true;
}

/* Not all file systems can. */
static bool sync_file(int fd)
{
	return !fsync(fd) || errno == EINVAL || errno == ENOSYS;
}

static bool close_part(struct sink *sink)
{
	FILE *stream = sink->stream;
	bool ok = !fflush(stream) && !ferror(stream) && sync_file(fileno(stream));

	if (!ok)
		complain(sink);
	sink->stream = NULL;
	if (fclose(stream) && ok)
		ok = complain(sink);
	if (ok && rename(sink->part, sink->path))
		ok = complain(sink);
	if (!ok) {
		discard(sink);
		return false;
	}
	free(sink->part);
	sink->part = NULL;
	return true;
}

bool sink_open(struct sink *sink, const struct options *options, FILE *stream)
{
	static void (*const writers[])(FILE *, const struct report *, const struct options *,
				       bool) = {
		[FORMAT_TABLE] = table_write,
		[FORMAT_JSON] = json_write,
		[FORMAT_CSV] = csv_write,
		[FORMAT_PROMETHEUS] = prometheus_write,
		[FORMAT_OPENMETRICS] = openmetrics_write,
	};
	struct stat st;

	*sink = (struct sink){
		.stream = options->to_stdout ? stdout : stream,
		.path = options->file,
		.each_replaces = format_is_metrics(options->format),
		.first = true,
		.write = writers[options->format],
	};
	if (!sink->path)
		return true;
	sink->stream = NULL;
	/* Don't rename over /dev/null and the like. */
	if (!lstat(sink->path, &st) && !S_ISREG(st.st_mode)) {
		fprintf(stderr,
			"exitstat: %s: not a regular file, which is all that can be replaced\n",
			sink->path);
		return false;
	}
	return open_part(sink);
}

bool sink_report(struct sink *sink, const struct report *report, const struct options *options)
{
	if (sink->path && !sink->part && !open_part(sink))
		return false;
	sink->write(sink->stream, report, options, sink->first);
	sink->first = false;
	if (sink->path)
		return !sink->each_replaces || close_part(sink);
	return (!fflush(sink->stream) && !ferror(sink->stream)) || complain(sink);
}

bool sink_close(struct sink *sink)
{
	if (!sink->part)
		return true;
	if (!sink->first)
		return close_part(sink);
	/* There was no report. */
	discard(sink);
	return true;
}
