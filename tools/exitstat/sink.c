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
 * Owner, group and mode are the old file's, as far as they can be, or what open() would have set:
 * mkostemp() lets nobody else read.  The old group's rights are not for another group.  Some file
 * systems, such as CIFS' and FAT, have modes of their own, and refuse.
 */
static void set_mode(int fd, const char *path)
{
	mode_t mask = umask(0), mode = 0666 & ~mask;
	struct stat st;

	umask(mask);
	if (!lstat(path, &st)) {
		mode = st.st_mode & 0777;
		if (fchown(fd, st.st_uid, st.st_gid) && fchown(fd, (uid_t)-1, st.st_gid))
			mode &= ~(mode_t)S_IRWXG;
	}
	(void)fchmod(fd, mode);
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
	if (lstat(sink->path, &st)) {
		if (errno != ENOENT)
			return complain(sink);
	} else if (!S_ISREG(st.st_mode)) {
		/* Don't rename over /dev/null and the like. */
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
	if (sink->path && sink->each_replaces)
		return close_part(sink);
	if (!fflush(sink->stream) && !ferror(sink->stream))
		return true;
	complain(sink);
	if (sink->path)
		discard(sink);
	return false;
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
