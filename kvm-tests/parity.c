// SPDX-License-Identifier: GPL-2.0-only
/*
 * Compares the counters of all VMs with the kvm_exit tracepoint, whose histogram trigger
 * (TRACED_KEYS) has to be set before the first VM starts.
 *
 * usage: parity NAME=PID...
 *
 * PIDs are those of the VMMs, which must be stopped.  Prints KTAP: for each VM, each of
 * its vCPUs and the host, every reason is counted as often as it was traced, and the parts
 * add up to the whole, in exits and in cycles.
 */
#include <dirent.h>
#include <unistd.h>

#include "ktap.h"
#include "oracle.h"

struct vm {
	const char *name;
	unsigned int pid;
	char path[64];
	unsigned int nr_vcpus;
};

static struct traced traced[NR_TRACED_MAX];
static size_t nr_traced;

static void vm_find(struct vm *vm)
{
	char prefix[24];
	struct dirent *entry;
	DIR *dir = opendir(KVM_DEBUGFS);

	snprintf(prefix, sizeof(prefix), "%u-", vm->pid);
	while (dir && (entry = readdir(dir))) {
		if (!strncmp(entry->d_name, prefix, strlen(prefix)))
			snprintf(vm->path, sizeof(vm->path), KVM_DEBUGFS "/%.24s", entry->d_name);
	}
	if (!vm->path[0])
		ksft_exit_fail_msg("process %u, %s, has no VM\n", vm->pid, vm->name);
	closedir(dir);

	for (;; vm->nr_vcpus++) {
		char vcpu[96];

		snprintf(vcpu, sizeof(vcpu), "%s/vcpu%u", vm->path, vm->nr_vcpus);
		if (access(vcpu, F_OK))
			break;
	}
}

/* Does the traced thread belong to this VM's process? */
static bool thread_is_of(unsigned int tid, const struct vm *vm)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/task/%u", vm->pid, tid);
	return !access(path, F_OK);
}

/* vm NULL means all VMs, vcpu -1 all vCPUs. */
static void traced_sum(struct figures *sum, const struct vm *vm, int vcpu)
{
	memset(sum, 0, sizeof(*sum));
	for (size_t i = 0; i < nr_traced; i++) {
		if (vm && !thread_is_of(traced[i].tid, vm))
			continue;
		if (vcpu >= 0 && traced[i].vcpu_id != (unsigned int)vcpu)
			continue;
		sum->exits[traced_slot(&traced[i])] += traced[i].exits;
		sum->total_exits += traced[i].exits;
	}
}

/* Prints a line for each reason, and for the total. */
static bool equal(const char *what, const struct figures *t, const struct figures *c)
{
	bool ok = t->total_exits && t->total_exits == c->total_exits;

	for (uint32_t r = 0; r < NR_FIGURES; r++) {
		if (!t->exits[r] && !c->exits[r])
			continue;
		printf("# %-12s %-20s traced %8" PRIu64 " counted %8" PRIu64
		       " difference %" PRId64 "\n",
		       what, oracle_name(r), t->exits[r], c->exits[r],
		       (int64_t)(c->exits[r] - t->exits[r]));
		ok &= t->exits[r] == c->exits[r];
	}
	printf("# %-12s %-20s traced %8" PRIu64 " counted %8" PRIu64 " difference %" PRId64 "\n",
	       what, "total", t->total_exits, c->total_exits,
	       (int64_t)(c->total_exits - t->total_exits));
	return ok;
}

static void read_or_bail(const char *path, struct figures *f, struct host_figures *host)
{
	if (!figures_read(path, f, host))
		ksft_exit_fail_msg("cannot read %s: %s\n", path, strerror(errno));
}

static void check_vm(struct vm *vm, struct figures *all)
{
	struct figures vcpus = {}, f, t;
	char path[128], what[64];
	bool adds_up = true;

	for (unsigned int i = 0; i < vm->nr_vcpus; i++) {
		snprintf(path, sizeof(path), "%s/vcpu%u/exit_stats", vm->path, i);
		snprintf(what, sizeof(what), "%s vcpu%u", vm->name, i);
		read_or_bail(path, &f, NULL);
		traced_sum(&t, vm, i);
		ksft_test_result(equal(what, &t, &f),
				 "%s: every reason is counted as often as traced\n", what);
		adds_up &= figures_add_up(what, &f);
		figures_add(&vcpus, &f);
	}

	snprintf(path, sizeof(path), "%s/exit_stats", vm->path);
	read_or_bail(path, &f, NULL);
	traced_sum(&t, vm, -1);
	ksft_test_result(equal(vm->name, &t, &f),
			 "%s: every reason is counted as often as traced\n", vm->name);
	adds_up &= figures_add_up(vm->name, &f);
	ksft_test_result(adds_up && figures_equal(&vcpus, &f),
			 "%s: reasons and vCPUs add up, exits and cycles\n", vm->name);
	figures_add(all, &f);
}

int main(int argc, char **argv)
{
	static struct host_figures host;
	struct figures vms = {}, cpus = {}, t;
	struct vm vm[8] = {};
	unsigned int plan = 3;
	bool adds_up;

	setvbuf(stdout, NULL, _IOLBF, 0);
	ksft_print_header();
	if (argc < 2 || argc - 1 > (int)(sizeof(vm) / sizeof(vm[0])))
		ksft_exit_fail_msg("usage: parity NAME=PID...\n");
	for (int i = 0; i < argc - 1; i++) {
		char *pid = strchr(argv[i + 1], '=');

		if (!pid)
			ksft_exit_fail_msg("usage: parity NAME=PID...\n");
		*pid++ = 0;
		vm[i].name = argv[i + 1];
		vm[i].pid = strtoul(pid, NULL, 10);
		vm_find(&vm[i]);
		plan += vm[i].nr_vcpus + 2;
	}
	ksft_set_plan(plan);

	nr_traced = traced_read(traced);
	figures_host(&host);
	for (int i = 0; i < argc - 1; i++)
		check_vm(&vm[i], &vms);

	traced_sum(&t, NULL, -1);
	ksft_test_result(equal("host", &t, &host.sum),
			 "host: every reason is counted as often as traced\n");
	for (int cpu = 0; cpu < NR_CPUS_MAX; cpu++)
		figures_add(&cpus, &host.cpu[cpu]);
	adds_up = figures_add_up("host", &host.sum);
	ksft_test_result(adds_up && figures_equal(&cpus, &host.sum),
			 "host: reasons and CPUs add up, exits and cycles\n");
	ksft_test_result(figures_equal(&vms, &host.sum),
			 "host: what all VMs took is what all CPUs took, exits and cycles\n");
	ksft_finished();
}
