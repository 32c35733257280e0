// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of KVM as modules: loaded, used and unloaded time and again, with the
 * parameter exit_stats given at load and changed at run time.
 *
 * usage: modules [CYCLES]
 *
 * Runs alone on a machine whose KVM is built as modules, none of which is loaded.
 */
#include <fcntl.h>
#include <glob.h>
#include <linux/perf_event.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kvm_util.h"
#include "processor.h"

#include "ktap.h"
#include "kvm_exit_stats.h"
#include "oracle.h"

#define PARAMETER "/sys/module/kvm/parameters/exit_stats"
#define CYCLES 50
/* After so many cycles, all one-time allocations are done. */
#define WARM_UP 10
/*
 * In bytes and kB, for all cycles after the warm-up.  A leak of one vCPU's counters, or of
 * a page, in each cycle would be more.
 */
#define SLACK_SLAB 32768
#define SLACK_OTHER 64
#define SLACK_FREE 128

/* What a guest reads.  Scope 0 means that there are no leaves. */
struct view {
	uint32_t scope;
	uint32_t isa;
	uint64_t exits;
	uint64_t cycles;
};

static struct view guest_view;

static void guest_code(void)
{
	uint32_t a, b, c, d;

	__cpuid(KVM_EXIT_STATS_LEAF_SIGNATURE, 0, &a, &b, &c, &d);
	if (b == KVM_EXIT_STATS_SIGNATURE_EBX && c == KVM_EXIT_STATS_SIGNATURE_ECX &&
	    d == KVM_EXIT_STATS_SIGNATURE_EDX) {
		guest_view.scope = (a & KVM_EXIT_STATS_SCOPE_MASK) >> KVM_EXIT_STATS_SCOPE_SHIFT;
		guest_view.isa = (a & KVM_EXIT_STATS_ISA_MASK) >> KVM_EXIT_STATS_ISA_SHIFT;
		__cpuid(KVM_EXIT_STATS_LEAF_CYCLES, 0, &a, &b, &c, &d);
		guest_view.cycles = (uint64_t)b << 32 | c;
		__cpuid(KVM_EXIT_STATS_LEAF_EXITS, 0, &a, &b, &c, &d);
		guest_view.exits = (uint64_t)b << 32 | a;
	}
	GUEST_DONE();
}

/*
 * Run the guest in a process of its own.  Then a failed assertion of the library fails
 * only this case, and the VM is surely gone afterwards.
 */
static bool guest(struct view *view)
{
	int status;
	pid_t pid;

	memset(view, 0, sizeof(*view));
	fflush(stdout);
	pid = fork();
	if (!pid) {
		struct kvm_vcpu *vcpu;
		struct kvm_vm *vm = vm_create_with_one_vcpu(&vcpu, guest_code);
		struct ucall uc;

		vcpu_set_cpuid_feature(vcpu, X86_FEATURE_HYPERVISOR);
		vcpu_run(vcpu);
		TEST_ASSERT(get_ucall(vcpu, &uc) == UCALL_DONE, "guest: command %lu", uc.cmd);
		sync_global_from_guest(vm, guest_view);
		*view = guest_view;
		kvm_vm_free(vm);
		_exit(0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && !status;
}

static struct view *shared;

static bool guest_sees(uint32_t scope)
{
	if (!guest(shared))
		return false;
	if (shared->scope == scope && shared->isa == (scope ? oracle_isa() : 0) &&
	    !scope == !shared->exits && !scope == !shared->cycles)
		return true;
	ksft_print_msg("the guest sees scope %u, not %u, ISA %u, %" PRIu64 " exits, "
		       "%" PRIu64 " cycles\n",
		       shared->scope, scope, shared->isa, shared->exits, shared->cycles);
	return false;
}

/* Run busybox's modprobe or rmmod.  Its error messages go to the console. */
static bool __printf(1, 2) run(const char *format, ...)
{
	char command[64];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	fflush(stdout);
	if (!system(command))
		return true;
	ksft_print_msg("failed: %s\n", command);
	return false;
}

/* The vendor module for this machine's CPU, and the one that isn't */
static const char *vendor(void) { return oracle_isa() == SVM ? "kvm_amd" : "kvm_intel"; }
static const char *other_vendor(void) { return oracle_isa() == SVM ? "kvm_intel" : "kvm_amd"; }

/* modprobe also loads kvm, if that isn't there. */
static bool load(void) { return run("modprobe %s", vendor()); }
static bool unload_vendor(void) { return run("rmmod %s", vendor()); }
static bool unload_kvm(void) { return run("rmmod kvm") && access("/sys/module/kvm", F_OK); }
static bool unload(void) { return unload_vendor() && unload_kvm(); }

static bool is_loaded(const char *module)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/module/%s/initstate", module);
	return !access(path, F_OK);
}

/* Load a module, but not those that it needs.  Returns errno. */
static int load_alone(const char *module, const char *parameters)
{
	struct utsname name;
	char path[128];
	int fd, error;

	uname(&name);
	snprintf(path, sizeof(path), "/lib/modules/%s/kernel/arch/x86/kvm/%s.ko", name.release,
		 module);
	/* Their names have dashes in paths. */
	if (strchr(module, '_'))
		strrchr(path, '_')[0] = '-';
	fd = open(path, O_RDONLY);
	TEST_ASSERT(fd >= 0, "cannot open %s", path);
	error = syscall(SYS_finit_module, fd, parameters, 0) ? errno : 0;
	close(fd);
	return error;
}

static bool parameter_is(const char *want)
{
	char value[16] = "";
	FILE *f = fopen(PARAMETER, "r");

	if (f) {
		if (!fgets(value, sizeof(value), f))
			value[0] = 0;
		fclose(f);
	}
	value[strcspn(value, "\n")] = 0;
	if (!strcmp(value, want))
		return true;
	ksft_print_msg("the parameter is '%s', not '%s'\n", value, want);
	return false;
}

static bool set_parameter(const char *value)
{
	int fd = open(PARAMETER, O_WRONLY);
	bool ok = fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value);

	if (fd >= 0)
		close(fd);
	return ok && parameter_is(value);
}

/* ---- the cases, each from nothing loaded to nothing loaded ---- */

static bool default_is_vm(void)
{
	return load() && parameter_is("vm") &&
	       guest_sees(KVM_EXIT_STATS_SCOPE_VM) && unload();
}

static bool loads_with(const char *value, uint32_t scope)
{
	return run("modprobe kvm exit_stats=%s", value) && parameter_is(value) && load() &&
	       guest_sees(scope) && unload();
}

static bool loads_with_host(void) { return loads_with("host", KVM_EXIT_STATS_SCOPE_HOST); }
static bool loads_with_vm(void) { return loads_with("vm", KVM_EXIT_STATS_SCOPE_VM); }
static bool loads_with_off(void) { return loads_with("off", 0); }

/* modprobe loads what kvm.ko needs.  Then loading kvm.ko itself has to fail. */
static bool refuses_to_load_with(const char *parameters)
{
	int error;

	if (!run("modprobe kvm && rmmod kvm"))
		return false;
	error = load_alone("kvm", parameters);
	if (error != EINVAL)
		ksft_print_msg("'%s': %s\n", parameters, strerror(error));
	return error == EINVAL && access("/sys/module/kvm", F_OK);
}

static bool refuses_to_load_with_a_bad_value(void)
{
	return refuses_to_load_with("exit_stats=nonsense") && refuses_to_load_with("exit_stats=") &&
	       refuses_to_load_with("exit_stats") && refuses_to_load_with("exit_stats=VM");
}

static bool changes_at_run_time(void)
{
	return load() &&
	       set_parameter("host") && guest_sees(KVM_EXIT_STATS_SCOPE_HOST) &&
	       set_parameter("off") && guest_sees(0) &&
	       set_parameter("vm") && guest_sees(KVM_EXIT_STATS_SCOPE_VM) &&
	       set_parameter("off") && guest_sees(0) &&
	       set_parameter("host") && guest_sees(KVM_EXIT_STATS_SCOPE_HOST) && unload();
}

static bool changes_without_vendor_module(void)
{
	return run("modprobe kvm") && parameter_is("vm") && set_parameter("off") &&
	       set_parameter("host") && load() &&
	       guest_sees(KVM_EXIT_STATS_SCOPE_HOST) && unload_vendor() &&
	       set_parameter("off") && load() && guest_sees(0) &&
	       unload_vendor() && set_parameter("vm") && load() &&
	       guest_sees(KVM_EXIT_STATS_SCOPE_VM) && unload();
}

/* The host's counters belong to kvm.ko. */
static bool host_counters_survive_the_vendor_module(void)
{
	struct figures before, after;
	uint64_t seen;

	if (!load() || !set_parameter("host") ||
	    !guest_sees(KVM_EXIT_STATS_SCOPE_HOST) || !figures_read(HOST_STATS, &before, NULL))
		return false;
	if (!unload_vendor() || !access(HOST_STATS, F_OK) || !load() ||
	    !figures_read(HOST_STATS, &after, NULL))
		return false;
	ksft_print_msg("%" PRIu64 " exits before, %" PRIu64 " after\n",
		       before.total_exits, after.total_exits);
	if (!before.total_exits || !figures_equal(&before, &after) ||
	    !guest_sees(KVM_EXIT_STATS_SCOPE_HOST))
		return false;
	seen = shared->exits;
	return seen > before.total_exits && unload();
}

static bool host_counters_start_over_with_kvm(void)
{
	struct figures f;

	return load() && guest_sees(KVM_EXIT_STATS_SCOPE_VM) && unload() &&
	       load() && figures_read(HOST_STATS, &f, NULL) &&
	       !f.total_exits && !f.total_cycles && unload();
}

/* Without the hardware, and, if this CPU's module is there, also because of that */
static bool refuses_the_other_vendor(void)
{
	int error = load_alone(other_vendor(), "");

	if ((error == EOPNOTSUPP || error == EEXIST) && !is_loaded(other_vendor()))
		return true;
	ksft_print_msg("loading %s: %s\n", other_vendor(), strerror(error));
	return false;
}

static bool the_other_vendors_module_changes_nothing(void)
{
	struct figures before, after;
	bool ok = run("modprobe kvm exit_stats=host");

	for (int i = 0; i < 2 && ok; i++) {
		ok = refuses_the_other_vendor() && access(HOST_STATS, F_OK) && load() &&
		     guest_sees(KVM_EXIT_STATS_SCOPE_HOST) &&
		     figures_read(HOST_STATS, &before, NULL) && refuses_the_other_vendor() &&
		     figures_read(HOST_STATS, &after, NULL) && figures_equal(&before, &after) &&
		     guest_sees(KVM_EXIT_STATS_SCOPE_HOST) &&
		     shared->exits > before.total_exits && unload_vendor();
	}
	return ok && unload_kvm();
}

static bool nothing_is_left_in_debugfs(void)
{
	return load() && !access(HOST_STATS, F_OK) && unload() &&
	       access(KVM_DEBUGFS, F_OK);
}

static long read_number(const char *directory, const char *name)
{
	char path[256];
	long number = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	f = fopen(path, "r");
	if (f) {
		if (fscanf(f, "%ld", &number) != 1)
			number = 0;
		fclose(f);
	}
	return number;
}

/* ---- unloading while somebody uses what the modules have ---- */

/* Is kvm.ko kept from going? */
static bool is_in_use(void)
{
	if (syscall(SYS_delete_module, "kvm", O_NONBLOCK) == -1 && errno == EWOULDBLOCK)
		return true;
	ksft_print_msg("unloading kvm: %s\n", strerror(errno));
	return false;
}

/* Opens a file and reads the first bytes of it.  Returns -1 if that fails. */
static int read_a_little(const char *path)
{
	int fd = open(path, O_RDONLY);
	char bytes[16];

	if (fd >= 0 && read(fd, bytes, sizeof(bytes)) == sizeof(bytes))
		return fd;
	ksft_print_msg("%s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Either there is more to read, or the file has gone with the vendor module, which is an error. */
static bool reads_on(int fd)
{
	char rest[4096];

	if (read(fd, rest, sizeof(rest)) >= 0 || errno == EIO)
		return true;
	ksft_print_msg("reading on: %s\n", strerror(errno));
	return false;
}

static bool stays_while_its_file_is_read(void)
{
	bool ok;
	int fd;

	if (!load() || !guest_sees(KVM_EXIT_STATS_SCOPE_VM))
		return false;
	fd = read_a_little(HOST_STATS);
	ok = fd >= 0 && unload_vendor() && is_in_use() && reads_on(fd);
	close(fd);
	return unload_kvm() && ok;
}

/* The files of a VM go with it, also if somebody is reading them. */
static bool vm_goes_while_its_file_is_read(void)
{
	int status;
	pid_t pid;

	if (!load())
		return false;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		struct kvm_vcpu *vcpu;
		struct kvm_vm *vm = vm_create_with_one_vcpu(&vcpu, guest_code);
		char path[128];
		int fd;

		vcpu_run(vcpu);
		snprintf(path, sizeof(path), KVM_DEBUGFS "/%d-%d/exit_stats", getpid(), vm->fd);
		fd = read_a_little(path);
		kvm_vm_free(vm);
		_exit(fd < 0 || !access(path, F_OK) || !reads_on(fd));
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && !status && unload();
}

/* As perf stat -e kvm:kvm_exit does */
static bool stays_while_its_tracepoint_counts(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
	};
	uint64_t exits = 0;
	bool ok;
	int fd;

	if (!load())
		return false;
	attr.config = read_number("/sys/kernel/debug/tracing/events/kvm/kvm_exit", "id");
	fd = syscall(SYS_perf_event_open, &attr, -1, 0, -1, 0);
	ok = fd >= 0 && guest_sees(KVM_EXIT_STATS_SCOPE_VM) && unload_vendor() &&
	     is_in_use() && read(fd, &exits, sizeof(exits)) == sizeof(exits);
	ksft_print_msg("the tracepoint counted %" PRIu64 " exits, the guest saw %" PRIu64 "\n",
		       exits, shared->exits);
	close(fd);
	return ok && exits >= shared->exits && unload_kvm();
}

static bool goes_while_its_parameter_is_written(void)
{
	static const char * const values[] = { "host", "vm", "off" };
	bool ok = true;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	for (unsigned int i = 0; !pid; i++) {
		const char *value = values[i % ARRAY_SIZE(values)];
		int fd = open(PARAMETER, O_WRONLY);

		if (fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value))
			shared->exits++;
		close(fd);
	}
	shared->exits = 0;
	for (int i = 0; pid > 0 && i < 10 && ok; i++)
		ok = load() && unload();
	if (pid < 0)
		return false;
	ksft_print_msg("written %" PRIu64 " times\n", shared->exits);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return ok && shared->exits;
}

/* ---- memory ---- */

struct memory {
	/* Bytes in slab objects, kB that meminfo lists by kind, kB free */
	long slab, other, available;
};

/* Skip links, which are other names of caches.  Shrink caches, so that none keeps free slabs. */
static long slab_bytes(void)
{
	long bytes = 0;
	glob_t caches;

	if (glob("/sys/kernel/slab/*", 0, NULL, &caches))
		ksft_exit_fail_msg("there is no /sys/kernel/slab\n");
	for (size_t i = 0; i < caches.gl_pathc; i++) {
		const char *cache = caches.gl_pathv[i];
		struct stat st;
		char path[256];

		if (lstat(cache, &st) || S_ISLNK(st.st_mode))
			continue;
		snprintf(path, sizeof(path), "%s/shrink", cache);
		oracle_write(path, "1");
		bytes += read_number(cache, "objects") * read_number(cache, "object_size");
	}
	globfree(&caches);
	return bytes;
}

/* kB free, including the CPUs' lists of free pages */
static long free_pages(void)
{
	FILE *f = oracle_open("/proc/zoneinfo", "r");
	long pages = 0, n;
	char line[128];

	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, " pages free %ld", &n) == 1 ||
		    sscanf(line, " count: %ld", &n) == 1)
			pages += n;
	}
	fclose(f);
	return pages * getpagesize() / 1024;
}

static struct memory memory_now(void)
{
	static const char * const kinds[] = {
		"KernelStack:", "PageTables:", "VmallocUsed:", "Percpu:"
	};
	struct memory memory = {};
	char line[128], name[64];
	FILE *f;
	long kb;

	memory.slab = slab_bytes();
	memory.available = free_pages();
	f = oracle_open("/proc/meminfo", "r");
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %ld", name, &kb) != 2)
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
			if (!strcmp(name, kinds[i]))
				memory.other += kb;
		}
	}
	fclose(f);
	return memory;
}

/*
 * Wait until the kernel is at rest, i.e. take the least of several attempts: RCU frees
 * debugfs' inodes a few at a time.  Drop the page cache, which is no leak.
 */
static struct memory memory(void)
{
	struct memory least = {}, now;

	for (int i = 0; i < 8; i++) {
		oracle_write("/proc/sys/vm/drop_caches", "3");
		usleep(20000);
		now = memory_now();
		if (!i || now.slab < least.slab)
			least.slab = now.slab;
		if (!i || now.other < least.other)
			least.other = now.other;
		if (now.available > least.available)
			least.available = now.available;
	}
	return least;
}

static bool memory_is_back_after(int cycles)
{
	struct memory before = {}, after = {};

	for (int i = 1; i <= cycles; i++) {
		if (!load() ||
		    !guest_sees(KVM_EXIT_STATS_SCOPE_VM) || !unload()) {
			ksft_print_msg("in cycle %d\n", i);
			return false;
		}
		if (i % WARM_UP && i != cycles)
			continue;
		after = memory();
		ksft_print_msg("after %2d cycles: %ld bytes in slab caches, "
			       "%ld kB in stacks, page tables, vmalloc and per CPU, %ld kB free\n",
			       i, after.slab, after.other, after.available);
		if (i == WARM_UP)
			before = after;
	}
	return before.slab && before.other && before.available &&
	       after.slab - before.slab <= SLACK_SLAB &&
	       after.other - before.other <= SLACK_OTHER &&
	       before.available - after.available <= SLACK_FREE;
}

int main(int argc, char **argv)
{
	int cycles = argc > 1 ? atoi(argv[1]) : CYCLES;

	setvbuf(stdout, NULL, _IOLBF, 0);
	ksft_print_header();
	ksft_set_plan(16);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		ksft_exit_fail_msg("no shared memory: %s\n", strerror(errno));
	/* Newer kernels' selftest library needs KVM when a program starts. */
	if (is_loaded("kvm") && !unload())
		ksft_exit_fail_msg("kvm is loaded, and can't be unloaded\n");

#define RUN(fn) ksft_test_result(fn(), "%s\n", #fn)
	RUN(default_is_vm);
	RUN(loads_with_host);
	RUN(loads_with_vm);
	RUN(loads_with_off);
	RUN(refuses_to_load_with_a_bad_value);
	RUN(changes_at_run_time);
	RUN(changes_without_vendor_module);
	RUN(host_counters_survive_the_vendor_module);
	RUN(host_counters_start_over_with_kvm);
	RUN(the_other_vendors_module_changes_nothing);
	RUN(nothing_is_left_in_debugfs);
	RUN(stays_while_its_file_is_read);
	RUN(vm_goes_while_its_file_is_read);
	RUN(stays_while_its_tracepoint_counts);
	RUN(goes_while_its_parameter_is_written);
	ksft_test_result(memory_is_back_after(cycles), "memory is back after %d cycles\n", cycles);
	ksft_finished();
}
