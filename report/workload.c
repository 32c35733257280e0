// SPDX-License-Identifier: GPL-2.0-only
/*
 * workload KIND COUNT: something that a guest does, COUNT times, for the boot report.
 * What each kind is stands at its function.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define SECTOR 512
#define PAGE 4096

static void fail(const char *what)
{
	fprintf(stderr, "workload: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Adds and multiplies in registers. */
static void cpu(unsigned long count)
{
	uint64_t x = 1;

	for (unsigned long i = 0; i < count; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		asm volatile("" : "+r"(x));
	}
}

/*
 * Reads one sector from an IDE disk at the usual ports, as a driver without DMA and
 * without interrupts does.  The guest's kernel needs no block layer for it.
 */
static void disk(unsigned long count)
{
	enum { DATA = 0x1f0, SECTORS = 0x1f2, LBA = 0x1f3, DRIVE = 0x1f6, COMMAND = 0x1f7 };
	enum { BUSY = 0x80, DATA_REQUEST = 0x08, ERROR = 0x01 };
	enum { READ_SECTORS = 0x20, LBA_MODE = 0xe0 };
	static uint16_t sector[SECTOR / 2];
	unsigned char status;

	if (ioperm(DATA, 8, 1))
		fail("ioperm");
	memset(sector, 0xff, sizeof(sector));
	for (unsigned long i = 0; i < count; i++) {
		outb(LBA_MODE, DRIVE);
		outb(1, SECTORS);
		outb(i & 0xff, LBA);
		outb(i >> 8 & 0xff, LBA + 1);
		outb(i >> 16 & 0xff, LBA + 2);
		outb(READ_SECTORS, COMMAND);
		do
			status = inb(COMMAND);
		while (status & BUSY);
		if (!(status & DATA_REQUEST) || status & ERROR) {
			errno = EIO;
			fail("reading a sector");
		}
		insw(DATA, sector, SECTOR / 2);
		/* glibc's insw() does not say that it writes there. */
		asm volatile("" ::: "memory");
	}
	if (sector[0] != 0) {
		errno = EILSEQ;
		fail("the disk of zeros");
	}
}

/* Writes a byte to the second serial port, by the kernel's driver. */
static void serial(unsigned long count)
{
	int fd = open("/dev/ttyS1", O_WRONLY | O_NOCTTY);
	static const char byte[64];
	struct termios raw;

	if (fd < 0 || tcgetattr(fd, &raw))
		fail("/dev/ttyS1");
	cfmakeraw(&raw);
	cfsetspeed(&raw, B115200);
	if (tcsetattr(fd, TCSANOW, &raw))
		fail("tcsetattr");
	while (count) {
		ssize_t n = write(fd, byte, count < sizeof(byte) ? count : sizeof(byte));

		if (n < 0)
			fail("write");
		count -= (unsigned long)n;
	}
	if (tcdrain(fd))
		fail("tcdrain");
}

/* Sleeps for a millisecond. */
static void timers(unsigned long count)
{
	const struct timespec t = { .tv_nsec = 1000000 };

	for (unsigned long i = 0; i < count; i++)
		clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
}

/* Gets a page from the kernel, which zeroes it at the first access. */
static void faults(unsigned long count)
{
	char *pages = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED)
		fail("mmap");
	for (unsigned long i = 0; i < count; i++)
		((volatile char *)pages)[i * PAGE] = 1;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(unsigned long count);
	} kinds[] = {
		{ "cpu", cpu }, { "disk", disk }, { "serial", serial },
		{ "timers", timers }, { "faults", faults },
	};

	for (size_t i = 0; argc == 3 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!strcmp(argv[1], kinds[i].name)) {
			kinds[i].run(strtoul(argv[2], NULL, 10));
			return 0;
		}
	}
	fputs("usage: workload cpu|disk|serial|timers|faults COUNT\n", stderr);
	return 2;
}
