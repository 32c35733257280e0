// SPDX-License-Identifier: GPL-2.0-only
/*
 * The full-screen view: the table of the last interval, redrawn.
 */
#include "live.h"

#include <curses.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <term.h>
#include <time.h>
#include <unistd.h>

#include "output.h"
#include "signals.h"

/* No key */
#define ENDED (KEY_MAX + 1)
#define CTRL_L ('L' - '@')

/* The status line, and the line of keys */
#define LINES_BESIDE_TABLE 2

struct view {
	struct watch *watch;
	/* The user's options, as changed by keys */
	struct options options;
	bool paused;
	/* Readable when a signal has come that would end this program */
	int signals;
	/* What is blocked while waiting */
	sigset_t waiting_mask;
	/* Two in turn: each is the base of the next.  Another view begins anew. */
	struct sample samples[2];
	unsigned int nr_samples;
	/* How many reports there have been in all */
	uint64_t nr_reports;
	/* How many CPUIDs the samples of this view took */
	unsigned int reads;
	double next;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* As if nothing had been read so far */
static void begin_anew(struct view *view)
{
	view->watch->reads += view->reads;
	view->reads = 0;
	view->nr_samples = 0;
}

/* To reasons, or to vCPUs */
static void switch_view(struct view *view)
{
	struct watch *watch = view->watch;

	watch->by_vcpu = !watch->by_vcpu;
	watch->by_reason = !watch->by_vcpu;
	begin_anew(view);
}

static bool read_next(struct view *view)
{
	struct sample *sample = &view->samples[view->nr_samples % 2];
	struct sample *base = view->nr_samples ? &view->samples[(view->nr_samples + 1) % 2] : NULL;
	bool ok = sample_read(sample, view->watch, base);

	view->nr_samples += ok;
	view->reads += sample->reads;
	return ok;
}

static bool take_sample(struct view *view)
{
	bool ok;

	view->next = now() + view->options.interval;
	ok = read_next(view);
	/* Without leaves of each vCPU, there still are those of all. */
	if (!ok && watch_lacks_vcpus(view->watch)) {
		switch_view(view);
		ok = read_next(view);
	}
	/* Nor need there be the longest exits, or histograms. */
	if (!ok && watch_lacks_max(view->watch)) {
		view->watch->max = false;
		ok = read_next(view);
	}
	if (!ok && watch_lacks_histogram(view->watch)) {
		view->watch->histogram = false;
		ok = read_next(view);
	}
	view->nr_reports += ok;
	return ok;
}

static char *make_table(const struct view *view, const struct options *options)
{
	bool first = view->nr_samples == 1;
	const struct sample *sample = &view->samples[(view->nr_samples - 1) % 2];
	const struct sample *base = first ? NULL : &view->samples[view->nr_samples % 2];
	struct report report;
	char *text = NULL;
	size_t size;
	FILE *f;

	report_make(&report, view->watch, options, first ? REPORT_SINCE_BOOT : REPORT_INTERVAL,
		    base, sample);
	f = open_memstream(&text, &size);
	if (!f)
		return NULL;
	table_write(f, &report, options, true);
	fclose(f);
	return text;
}

static int count_lines(const char *text)
{
	int n = 0;

	for (; text && *text; text++)
		n += *text == '\n';
	return n;
}

static void draw_table(const struct view *view)
{
	const uint64_t top = view->watch->by_vcpu ? 0 : view->options.top;
	struct options options = view->options;
	char *text, *line, *rest;
	int room;

	/* How many lines are beside the rows depends on what is known: see what one row takes. */
	options.no_header = false;
	options.top = 1;
	text = make_table(view, &options);
	room = LINES - LINES_BESIDE_TABLE - (count_lines(text) - 1);
	options.top = room > 1 ? (uint64_t)room : 1;
	if (top && top < options.top)
		options.top = top;
	free(text);
	text = make_table(view, &options);
	rest = text;
	for (int y = 1; y < LINES - 1 && rest && (line = strsep(&rest, "\n")); y++)
		mvaddnstr(y, 0, line, COLS);
	free(text);
}

/* As far as the host has what they show; 79 columns at most */
static const char *keys(const struct watch *watch)
{
	if (watch->by_vcpu)
		return watch_offers_max(watch) ?
		       "P reasons   m max   p pause   SPACE now   q quit" :
		       "P reasons   p pause   SPACE now   q quit";
	if (watch_offers_histogram(watch) && watch->info.this_vcpu)
		return "e c o v r n sort   a all  m max  h histogram  P CPU  p pause  SPACE now  "
		       "q quit";
	if (watch_offers_max(watch) && watch->info.this_vcpu)
		return "e exit c cyc o cost v VMM r num n name a all m max P CPU p pause SPC now "
		       "q quit";
	if (vmm_served(&watch->info) && watch->info.this_vcpu)
		return "e exits c cyc o cost v VMM r reason n name a all P vCPUs p pause SPC now "
		       "q quit";
	if (watch->info.this_vcpu)
		return "e exits c cycles o cost r reason n name a all P vCPUs p pause SPACE now "
		       "q quit";
	return "e exits c cycles o cost r reason n name   a all   p pause   SPACE now   q quit";
}

static void draw(const struct view *view)
{
	char title[80];

	snprintf(title, sizeof(title), "exitstat: every %g s, by %s%s", view->options.interval,
		 view->watch->by_vcpu ? "vCPU" : sort_key_name(view->options.sort),
		 view->paused ? ", paused" : "");
	erase();
	attron(A_BOLD);
	mvaddnstr(0, 0, title, COLS);
	attroff(A_BOLD);
	if (view->nr_samples > view->options.skip_first)
		draw_table(view);
	mvaddnstr(LINES - 1, 0, keys(view->watch), COLS - 1);
	refresh();
}

/* Returns false if the user quits. */
static bool press(struct view *view, int key, bool *sample_now)
{
	switch (key) {
	case 'q':
	case 'Q':
		return false;
	case 'e':
		view->options.sort = SORT_EXITS;
		break;
	case 'c':
		view->options.sort = SORT_CYCLES;
		break;
	case 'o':
		view->options.sort = SORT_COST;
		break;
	case 'v':
		if (vmm_served(&view->watch->info))
			view->options.sort = SORT_VMM;
		break;
	case 'm':
		if (!watch_offers_max(view->watch))
			break;
		view->watch->max = !view->watch->max;
		begin_anew(view);
		*sample_now = true;
		break;
	case 'h':
		if (view->watch->by_vcpu || !watch_offers_histogram(view->watch))
			break;
		view->watch->histogram = !view->watch->histogram;
		begin_anew(view);
		*sample_now = true;
		break;
	case 'P':
		if (!view->watch->info.this_vcpu)
			break;
		switch_view(view);
		*sample_now = true;
		break;
	case 'r':
		view->options.sort = SORT_REASON;
		break;
	case 'n':
		view->options.sort = SORT_NAME;
		break;
	case 'a':
		view->options.all = !view->options.all;
		break;
	case 'p':
		view->paused = !view->paused;
		break;
	case ' ':
		*sample_now = true;
		break;
	case CTRL_L:
	case KEY_RESIZE:
		/* The terminal may have rearranged its contents. */
		clear();
		break;
	}
	return true;
}

/* How long to wait for a key, in milliseconds.  If paused, wait forever. */
static int patience(const struct view *view)
{
	double left = ceil((view->next - now()) * 1000);

	return view->paused ? -1 : left > 0 ? (int)fmin(left, INT_MAX) : 0;
}

/*
 * The next key, ERR if it is time for a sample, or ENDED if a signal, which is put into *signal, or
 * the end of the terminal ends the view.  A change of the window's size, of which a signal tells
 * that is blocked but here, is a key.
 */
static int wait_for_key(const struct view *view, int *signal)
{
	struct pollfd fds[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = view->signals, .events = POLLIN },
	};
	struct signalfd_siginfo info;
	int key = getch(), ms = key == ERR ? patience(view) : 0;
	const struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	ppoll(fds, 2, ms < 0 ? NULL : &t, &view->waiting_mask);
	if (fds[1].revents && read(view->signals, &info, sizeof(info)) == sizeof(info)) {
		*signal = (int)info.ssi_signo;
		return ENDED;
	}
	if (key == ERR)
		key = getch();
	return key == ERR && (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL)) ? ENDED : key;
}

/* Returns false if the statistics have gone, true if the user or *signal has ended the view. */
static bool watch_screen(struct view *view, int *signal)
{
	uint64_t count = view->options.count + view->options.skip_first;
	bool sample_now = true;
	int key;

	for (;;) {
		if (sample_now && !take_sample(view))
			return false;
		draw(view);

		key = wait_for_key(view, signal);
		if (key == ENDED)
			return true;
		sample_now = key == ERR && !view->paused && now() >= view->next;
		/* As with vmstat, stop after COUNT reports, the last one after its interval. */
		if (sample_now && view->options.count && view->nr_reports >= count)
			return true;
		if (key != ERR && !press(view, key, &sample_now))
			return true;
	}
}

/* Can the screen be drawn anew, without scrolling? */
static bool terminal_suffices(void)
{
	int error;

	return setupterm(NULL, STDOUT_FILENO, &error) == OK && tigetstr("cup") &&
	       tigetstr("cup") != (char *)-1;
}

int live_run(struct watch *watch, const struct options *options)
{
	struct view view = { .watch = watch, .options = *options };
	sigset_t signals, mask, resize;
	SCREEN *screen;
	int signal = 0;
	bool served;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		fputs("exitstat: -t needs a terminal\n", stderr);
		return STATUS_ERROR;
	}
	if (view.options.interval == 0)
		view.options.interval = 1;

	/* Whatever ends the view, the terminal is put in order first. */
	signals_block(&signals, &mask);
	view.signals = signalfd(-1, &signals, SFD_CLOEXEC);
	screen = terminal_suffices() ? newterm(NULL, stdout, stdin) : NULL;
	if (!screen) {
		fprintf(stderr, "exitstat: -t needs a terminal on which the cursor can be moved, "
			"and TERM=%s names none; set TERM, or leave out -t\n",
			getenv("TERM") ? getenv("TERM") : "");
		return STATUS_ERROR;
	}
	sigprocmask(SIG_BLOCK, NULL, &view.waiting_mask);
	sigemptyset(&resize);
	sigaddset(&resize, SIGWINCH);
	sigprocmask(SIG_BLOCK, &resize, NULL);
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	curs_set(0);
	served = watch_screen(&view, &signal);
	sample_free(&view.samples[0]);
	sample_free(&view.samples[1]);
	endwin();
	delscreen(screen);
	close(view.signals);
	if (signal)
		signals_end_by(signal);
	signals_restore(&mask);
	return signal ? STATUS_SIGNAL + signal : served ? STATUS_OK : complain_unread(watch);
}
