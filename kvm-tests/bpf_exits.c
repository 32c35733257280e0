// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts VM exits by reason with a BPF program at the kvm_exit tracepoint, while a
 * command runs.  Tools like bcc's kvmexit do this, and more for single threads, so they
 * cost at least as much.
 *
 * usage: bpf_exits COMMAND [ARGUMENT...]
 *
 * Exits with the command's status.  Prints to stderr how many exits it counted.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/perf_event.h>

#define EVENT "/sys/kernel/debug/tracing/events/kvm/kvm_exit"
#define NR_REASONS 128
#define NR_CPUS_MAX 64

static void die(const char *what)
{
	fprintf(stderr, "bpf_exits: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

/* The number in the first line of the event's file that matches the format */
static unsigned int event_number(const char *file, const char *format)
{
	char path[128], line[256];
	unsigned int n;
	FILE *f;

	snprintf(path, sizeof(path), EVENT "/%s", file);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, format, &n) == 1) {
			fclose(f);
			return n;
		}
	}
	die(path);
	return 0;
}

/* counts[exit_reason]++, on this CPU */
static int load(int counts, unsigned int offset)
{
	const struct bpf_insn program[] = {
		{ .code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 2, .src_reg = 1, .off = offset },
		{ .code = BPF_ALU64 | BPF_AND | BPF_K, .dst_reg = 2, .imm = NR_REASONS - 1 },
		{ .code = BPF_STX | BPF_MEM | BPF_W, .dst_reg = 10, .src_reg = 2, .off = -4 },
		{ .code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_FD,
		  .imm = counts },
		{},
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 2, .src_reg = 10 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 2, .imm = -4 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_map_lookup_elem },
		{ .code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = 0, .off = 3 },
		{ .code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = 1, .src_reg = 0 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 1, .imm = 1 },
		{ .code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = 0, .src_reg = 1 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_TRACEPOINT,
		.insns = (uintptr_t)program,
		.insn_cnt = sizeof(program) / sizeof(program[0]),
		.license = (uintptr_t)"GPL",
	};

	return bpf(BPF_PROG_LOAD, &attr);
}

static void attach(int program, unsigned int id, long nr_cpus)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.config = id,
	};

	for (long cpu = 0; cpu < nr_cpus; cpu++) {
		int fd = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

		if (fd < 0 || ioctl(fd, PERF_EVENT_IOC_SET_BPF, program) ||
		    ioctl(fd, PERF_EVENT_IOC_ENABLE, 0))
			die("cannot attach to the tracepoint");
	}
}

static uint64_t sum(int counts)
{
	uint64_t total = 0;

	for (uint32_t reason = 0; reason < NR_REASONS; reason++) {
		uint64_t value[NR_CPUS_MAX] = {};
		union bpf_attr attr = {
			.map_fd = counts,
			.key = (uintptr_t)&reason,
			.value = (uintptr_t)value,
		};

		if (bpf(BPF_MAP_LOOKUP_ELEM, &attr))
			die("cannot read the counts");
		for (int cpu = 0; cpu < NR_CPUS_MAX; cpu++)
			total += value[cpu];
	}
	return total;
}

int main(int argc, char **argv)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_PERCPU_ARRAY,
		.key_size = sizeof(uint32_t),
		.value_size = sizeof(uint64_t),
		.max_entries = NR_REASONS,
	};
	int counts, program, status;
	pid_t pid;

	if (argc < 2) {
		fprintf(stderr, "usage: bpf_exits COMMAND [ARGUMENT...]\n");
		return 2;
	}
	counts = bpf(BPF_MAP_CREATE, &attr);
	if (counts < 0)
		die("cannot create the counts");
	program = load(counts,
		       event_number("format", " field:unsigned int exit_reason; offset:%u"));
	if (program < 0)
		die("cannot load the program");
	attach(program, event_number("id", "%u"), sysconf(_SC_NPROCESSORS_CONF));

	pid = fork();
	if (!pid) {
		execvp(argv[1], argv + 1);
		die(argv[1]);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		die(argv[1]);
	fprintf(stderr, "bpf_exits: %" PRIu64 " exits\n", sum(counts));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
