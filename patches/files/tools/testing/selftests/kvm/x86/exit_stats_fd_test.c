// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test that the statistics of VM exits in KVM's binary statistics are those that
 * the guest reads through CPUID, and those in debugfs.
 *
 * If it may, the test switches the accounting of the whole host off, and on again.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <asm/kvm_exit_stats.h>
#include <asm/svm.h>
#include <asm/vmx.h>

#include "kselftest.h"
#include "kvm_util.h"
#include "processor.h"
#include "test_util.h"

#define PARAM "/sys/module/kvm/parameters/exit_stats"
#define DEBUGFS "/sys/kernel/debug/kvm"

#define NR_VCPUS 2
/* How often the host may disturb a comparison by exits that it causes */
#define NR_TRIES 20
#define SLEEP_US 1000
/* Divides no descriptor and no value */
#define PIECE 499

/* What the files tell of each reason */
enum { EXITS, CYCLES, VMM_RETURNS, VMM_NS, MAX_CYCLES, NR_KINDS };

static const struct kind {
	const char *name;
	u32 flags;
	s16 exponent;
} kinds[NR_KINDS] = {
	[EXITS]	      = { "exits", KVM_STATS_TYPE_CUMULATIVE | KVM_STATS_UNIT_NONE, 0 },
	[CYCLES]      = { "cycles", KVM_STATS_TYPE_CUMULATIVE | KVM_STATS_UNIT_CYCLES, 0 },
	[VMM_RETURNS] = { "vmm_returns", KVM_STATS_TYPE_CUMULATIVE | KVM_STATS_UNIT_NONE, 0 },
	[VMM_NS]      = { "vmm_ns", KVM_STATS_TYPE_INSTANT | KVM_STATS_UNIT_SECONDS, -9 },
	[MAX_CYCLES]  = { "max_cycles", KVM_STATS_TYPE_PEAK | KVM_STATS_UNIT_CYCLES, 0 },
};

static const char * const states[KVM_EXIT_STATS_NR_STATES] = {
	"elapsed", "guest", "exits", "vmm", "halted", "waiting", "asleep",
};

struct reason {
	/* Its low 32 bits are the reason. */
	u64 number;
	const char *name;
};

static const struct reason vmx_reasons[] = { VMX_EXIT_REASONS };
static const struct reason svm_reasons[] = { SVM_EXIT_REASONS };

static const struct isa {
	const char *name;
	const struct reason *reasons;
	u32 nr_reasons, cpuid, interrupt, io;
} vmx = {
	"vmx", vmx_reasons, ARRAY_SIZE(vmx_reasons), EXIT_REASON_CPUID,
	EXIT_REASON_EXTERNAL_INTERRUPT, EXIT_REASON_IO_INSTRUCTION,
}, svm = {
	"svm", svm_reasons, ARRAY_SIZE(svm_reasons), SVM_EXIT_CPUID,
	SVM_EXIT_INTR, SVM_EXIT_IOIO,
}, *isa = &vmx;

#define MAX_REASONS (ARRAY_SIZE(vmx_reasons) > ARRAY_SIZE(svm_reasons) ? \
		     ARRAY_SIZE(vmx_reasons) : ARRAY_SIZE(svm_reasons))

/* A file, and the values that it held when it was read last */
struct stats_file {
	int fd;
	/* Of the names of its statistics of VM exits */
	const char *prefix;
	struct kvm_stats_header header;
	struct kvm_stats_desc *descs;
	u64 *data;
	size_t size_data;
};

/* What the guest has read of each vCPU: of each reason, of each state, in all */
static struct {
	u32 pair[MAX_REASONS][4];
	u32 vmm[MAX_REASONS][4];
	u32 longest[MAX_REASONS][4];
	u32 ledger[KVM_EXIT_STATS_NR_STATES][4];
	u32 interrupt[4];
	u32 total[4];
	u32 cpuid[4];
} seen[NR_VCPUS];

/* For the guest */
static u32 numbers[MAX_REASONS], nr_numbers, cpuid_number, interrupt_number;

static char policy[16];

static size_t desc_size(const struct stats_file *file)
{
	return sizeof(struct kvm_stats_desc) + file->header.name_size;
}

static struct kvm_stats_desc *nth_desc(const struct stats_file *file, u32 i)
{
	return (void *)file->descs + i * desc_size(file);
}

static void read_exactly(int fd, void *buffer, size_t size, off_t offset)
{
	ssize_t n = pread(fd, buffer, size, offset);

	TEST_ASSERT(n == size, "Read %zd of %zu bytes at %#lx", n, size, offset);
}

static void file_reread(struct stats_file *file)
{
	read_exactly(file->fd, file->data, file->size_data,
		     file->header.data_offset);
}

static void file_open(struct stats_file *file, int fd, const char *prefix)
{
	u32 i;

	file->fd = fd;
	file->prefix = prefix;
	read_exactly(fd, &file->header, sizeof(file->header), 0);
	file->descs = calloc(file->header.num_desc, desc_size(file));
	read_exactly(fd, file->descs, file->header.num_desc * desc_size(file),
		     file->header.desc_offset);
	file->size_data = 0;
	for (i = 0; i < file->header.num_desc; i++)
		file->size_data += nth_desc(file, i)->size * sizeof(u64);
	file->data = calloc(1, file->size_data);
	file_reread(file);
}

static void file_close(struct stats_file *file)
{
	close(file->fd);
	free(file->descs);
	free(file->data);
}

/* The name of the Nth statistic, without the prefix, if it is of VM exits, or NULL */
static const char *nth_name(const struct stats_file *file, u32 i)
{
	const char *name = nth_desc(file, i)->name;
	size_t n = strlen(file->prefix);

	if (strncmp(name, file->prefix, n))
		return NULL;
	name += n;
	return !strncmp(name, isa->name, 3) || !strncmp(name, "time_", 5) ? name : NULL;
}

static struct kvm_stats_desc *find(const struct stats_file *file, const char *name)
{
	u32 i;

	for (i = 0; i < file->header.num_desc; i++) {
		if (!strcmp(nth_name(file, i) ?: nth_desc(file, i)->name, name))
			return nth_desc(file, i);
	}
	return NULL;
}

static u64 value(const struct stats_file *file, const char *name)
{
	struct kvm_stats_desc *desc = find(file, name);

	TEST_ASSERT(desc, "There is no %s", name);
	return file->data[desc->offset / sizeof(u64)];
}

static const char *name_of(const char *reason, int kind)
{
	static char name[64];
	char *c;

	snprintf(name, sizeof(name), "%s_%s_%s", isa->name, reason, kinds[kind].name);
	for (c = name; *c; c++)
		*c = isalnum(*c) ? tolower(*c) : '_';
	return name;
}

static u64 of_reason(const struct stats_file *file, const char *reason, int kind)
{
	return value(file, name_of(reason, kind));
}

static u64 of_state(const struct stats_file *file, u32 state)
{
	char name[32];

	snprintf(name, sizeof(name), "time_%s_ns", states[state]);
	return value(file, name);
}

/* The uapi also has names of what is no exit reason. */
static bool is_told(const struct reason *reason)
{
	u32 number = reason->number;

	if (isa == &vmx)
		return number <= KVM_EXIT_STATS_VMX_REASON_MAX;
	return number < 0xa8 || (number >= SVM_EXIT_NPF && number <= SVM_EXIT_VMGEXIT) ||
	       number == (u32)SVM_EXIT_ERR;
}

static void ask(u32 leaf, u32 index, u32 regs[4])
{
	__cpuid(leaf - KVM_EXIT_STATS_VCPU_OFFSET, index, &regs[0], &regs[1],
		&regs[2], &regs[3]);
}

/*
 * Read all, and what goes on by itself at the end: the host's interrupts, the total,
 * and CPUID, which counts itself.  After it there is only the exit that stops the
 * guest.
 */
static void guest_code(u32 vcpu)
{
	u32 n;

	for (;;) {
		for (n = 0; n < KVM_EXIT_STATS_NR_STATES; n++)
			ask(KVM_EXIT_STATS_LEAF_LEDGER, n, seen[vcpu].ledger[n]);
		for (n = 0; n < nr_numbers; n++) {
			ask(KVM_EXIT_STATS_LEAF_VMM, numbers[n], seen[vcpu].vmm[n]);
			ask(KVM_EXIT_STATS_LEAF_LONGEST, numbers[n],
			    seen[vcpu].longest[n]);
			ask(KVM_EXIT_STATS_LEAF_PAIR, numbers[n], seen[vcpu].pair[n]);
		}
		ask(KVM_EXIT_STATS_LEAF_PAIR, interrupt_number, seen[vcpu].interrupt);
		ask(KVM_EXIT_STATS_LEAF_EXITS, 0, seen[vcpu].total);
		ask(KVM_EXIT_STATS_LEAF_PAIR, cpuid_number, seen[vcpu].cpuid);
		GUEST_SYNC(0);
	}
}

static u64 low_pair(const u32 regs[4])
{
	return (u64)regs[1] << 32 | regs[0];
}

static u64 high_pair(const u32 regs[4])
{
	return (u64)regs[3] << 32 | regs[2];
}

static struct kvm_vm *create_vm(struct kvm_vcpu *vcpus[NR_VCPUS])
{
	struct kvm_vm *vm = vm_create(NR_VCPUS);
	int i;

	vm_enable_cap(vm, KVM_CAP_X86_EXIT_STATS,
		      KVM_EXIT_STATS_SCOPE_HOST | KVM_EXIT_STATS_CAP_HISTOGRAM);

	for (i = 0; i < NR_VCPUS; i++) {
		vcpus[i] = vm_vcpu_add(vm, i, guest_code);
		vcpu_args_set(vcpus[i], 1, i);
		/* Older kernels leave it to user space to say that. */
		vcpu_set_cpuid_feature(vcpus[i], X86_FEATURE_HYPERVISOR);
	}

	for (i = 0; i < isa->nr_reasons; i++)
		numbers[i] = isa->reasons[i].number;
	nr_numbers = isa->nr_reasons;
	cpuid_number = isa->cpuid;
	interrupt_number = isa->interrupt;
	sync_global_to_guest(vm, numbers);
	sync_global_to_guest(vm, nr_numbers);
	sync_global_to_guest(vm, cpuid_number);
	sync_global_to_guest(vm, interrupt_number);
	return vm;
}

/* Have the guest read all, and stop. */
static void run(struct kvm_vcpu *vcpu)
{
	struct ucall uc;

	vcpu_run(vcpu);
	TEST_ASSERT(get_ucall(vcpu, &uc) == UCALL_SYNC, "Unexpected ucall %lu", uc.cmd);
	sync_global_from_guest(vcpu->vm, seen);
}

static u32 assert_desc(const struct stats_file *file, const char *name, u32 flags,
		       s16 exponent)
{
	struct kvm_stats_desc *desc = find(file, name);

	TEST_ASSERT(desc, "There is no %s", name);
	TEST_ASSERT(desc->flags == (flags | KVM_STATS_BASE_POW10) &&
		    desc->exponent == exponent && desc->size == 1 && !desc->bucket_size,
		    "%s: flags %#x, exponent %d, size %u, bucket size %u", name,
		    desc->flags, desc->exponent, desc->size, desc->bucket_size);
	return 1;
}

/*
 * There is what is documented, and no more of it.  All values are there once, with
 * nothing between them, which some user space relies on.
 */
static void test_descriptors(struct stats_file *file)
{
	u32 i, k, nr = 0, found = 0;
	char name[32];
	bool *taken;

	for (k = 0; k < NR_KINDS; k++) {
		nr += assert_desc(file, name_of("unnamed", k), kinds[k].flags, kinds[k].exponent);
		for (i = 0; i < isa->nr_reasons; i++) {
			if (is_told(&isa->reasons[i]))
				nr += assert_desc(file, name_of(isa->reasons[i].name, k),
						  kinds[k].flags, kinds[k].exponent);
		}
	}
	for (i = 0; i < KVM_EXIT_STATS_NR_STATES; i++) {
		snprintf(name, sizeof(name), "time_%s_ns", states[i]);
		nr += assert_desc(file, name, KVM_STATS_UNIT_SECONDS |
				  (i == KVM_EXIT_STATS_STATE_ELAPSED ?
				   KVM_STATS_TYPE_CUMULATIVE : KVM_STATS_TYPE_INSTANT), -9);
	}

	taken = calloc(file->size_data / sizeof(u64), sizeof(*taken));
	for (i = 0; i < file->header.num_desc; i++) {
		struct kvm_stats_desc *desc = nth_desc(file, i);

		found += !!nth_name(file, i);
		for (k = 0; k < desc->size; k++) {
			u32 n = desc->offset / sizeof(u64) + k;

			TEST_ASSERT(n < file->size_data / sizeof(u64) && !taken[n],
				    "%s is at %u", desc->name, desc->offset);
			taken[n] = true;
		}
	}
	free(taken);
	TEST_ASSERT(found == nr, "%u descriptors of VM exits, expected %u", found, nr);
}

/* Reads of any pieces have what a read of all has. */
static void test_pieces(struct stats_file *file)
{
	size_t size = file->header.data_offset + file->size_data, i;
	size_t size_descs = file->header.data_offset;
	char *whole = malloc(size), *pieces = malloc(size);
	void *nowhere;

	read_exactly(file->fd, whole, size, 0);
	for (i = 0; i < size_descs; i += PIECE)
		read_exactly(file->fd, &pieces[i], min(size_descs - i, (size_t)PIECE), i);
	/* Across the border */
	read_exactly(file->fd, &pieces[size_descs - 8], 16, size_descs - 8);
	for (i = size_descs + 8; i < size; i += PIECE)
		read_exactly(file->fd, &pieces[i], min(size - i, (size_t)PIECE), i);
	TEST_ASSERT(!memcmp(whole, pieces, size_descs), "The pieces' descriptors differ");

	/* No vCPU runs, so only time goes on. */
	for (i = 0; i < file->header.num_desc; i++) {
		struct kvm_stats_desc *desc = nth_desc(file, i);

		TEST_ASSERT(strstr(desc->name, "vmm_ns") || strstr(desc->name, "time_elapsed_ns") ||
			    !memcmp(&whole[size_descs + desc->offset],
				    &pieces[size_descs + desc->offset], desc->size * sizeof(u64)),
			    "%s differs in pieces", desc->name);
	}

	nowhere = mmap(NULL, getpagesize(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TEST_ASSERT(nowhere != MAP_FAILED, "Failed to map a page");
	TEST_ASSERT(pread(file->fd, whole, 8, size) == 0 &&
		    pread(file->fd, whole, 8, size + (1ul << 40)) == 0 &&
		    pread(file->fd, whole, 8, size - 3) == 3, "Reads beyond the end");
	TEST_ASSERT(pread(file->fd, nowhere, 8, size - 8) == -1 && errno == EFAULT,
		    "A read to a bad address: errno %d", errno);
	munmap(nowhere, getpagesize());
	free(whole);
	free(pieces);
}

/*
 * Compare with what the guest has read before it stopped.  Since then, there have
 * been the rest of the CPUID exit that it read last, and the exit that stopped it,
 * neither of which took more than @cycles, nor user space more than @ns.  Return
 * false if they differ, as they do if the host has caused exits meanwhile.
 */
static bool equals_seen(const struct stats_file *file, u32 vcpu, u64 cycles, u64 ns)
{
	u64 low, high, found, total = 0;
	u32 i, k;

	for (i = 0; i < isa->nr_reasons; i++) {
		const u32 *pair = seen[vcpu].pair[i], *vmm = seen[vcpu].vmm[i];
		u64 longest = low_pair(seen[vcpu].longest[i]);
		u32 number = isa->reasons[i].number;
		bool io = number == isa->io, cpuid = number == isa->cpuid;
		const char *reason = isa->reasons[i].name;

		if (!is_told(&isa->reasons[i]))
			continue;
		total += of_reason(file, reason, EXITS);
		/* The host may withhold it from guests. */
		if (pair[3] == KVM_EXIT_STATS_UNDEFINED)
			continue;
		if (cpuid)
			pair = seen[vcpu].cpuid;
		else if (number == isa->interrupt)
			pair = seen[vcpu].interrupt;

		for (k = 0; k < NR_KINDS; k++) {
			low = k == EXITS ? low_pair(pair) : k == CYCLES ? high_pair(pair) :
			      k == VMM_RETURNS ? low_pair(vmm) :
			      k == VMM_NS ? high_pair(vmm) : longest;
			if (io && (k == EXITS || k == VMM_RETURNS))
				low++;
			high = low;
			if (k == CYCLES && (io || cpuid))
				high += cycles;
			/* It was read before that which goes on by itself. */
			if (k == MAX_CYCLES && (io || cpuid || number == isa->interrupt))
				high = max(high, cycles);
			if (k == VMM_NS && io)
				high += ns;
			found = of_reason(file, reason, k);
			if (found >= low && found <= high)
				continue;
			ksft_print_msg("%s: %lu, expected %lu to %lu\n", name_of(reason, k),
				       found, low, high);
			return false;
		}
	}

	total += of_reason(file, "unnamed", EXITS);
	low = low_pair(seen[vcpu].total) + 2;
	if (total != low)
		ksft_print_msg("%lu exits in all, expected %lu\n", total, low);
	return total == low;
}

static u64 clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ul + ts.tv_nsec;
}

/* The states add up, and the guest has read them, at most @ns ago. */
static void assert_states(const struct stats_file *file, u32 vcpu, u64 ns)
{
	u64 sum = 0, found, read;
	u32 state;

	for (state = 1; state < KVM_EXIT_STATS_NR_STATES; state++) {
		found = of_state(file, state);
		read = low_pair(seen[vcpu].ledger[state]);
		sum += found;
		TEST_ASSERT(found >= read && found <= read + ns + ns / 100,
			    "%s: %lu ns, the guest read %lu, at most %lu before",
			    states[state], found, read, ns);
		TEST_ASSERT(state != KVM_EXIT_STATS_STATE_HALTED || found == read,
			    "A stopped guest halts");
	}
	found = of_state(file, KVM_EXIT_STATS_STATE_ELAPSED);
	TEST_ASSERT(sum == found, "%lu ns in states, %lu elapsed", sum, found);
}

static void test_guest(struct kvm_vcpu *vcpu, struct stats_file *file)
{
	u64 tsc, ns, elapsed, exits;
	int tries;

	for (tries = 0; tries < NR_TRIES; tries++) {
		ns = clock_ns();
		tsc = rdtsc();
		file_reread(file);
		elapsed = of_state(file, KVM_EXIT_STATS_STATE_ELAPSED);
		exits = value(file, "exits");
		run(vcpu);
		usleep(SLEEP_US);
		file_reread(file);
		tsc = rdtsc() - tsc;
		ns = clock_ns() - ns;
		elapsed = of_state(file, KVM_EXIT_STATS_STATE_ELAPSED) - elapsed;
		/* The clocks may differ a little. */
		TEST_ASSERT(elapsed > SLEEP_US * 990 && elapsed <= ns + ns / 100,
			    "%lu ns elapsed while %lu did", elapsed, ns);
		assert_states(file, vcpu->id, ns);
		/* KVM's own are still there. */
		TEST_ASSERT(value(file, "exits") > exits, "%lu exits, before %lu",
			    value(file, "exits"), exits);
		if (equals_seen(file, vcpu->id, tsc, ns))
			return;
	}
	TEST_FAIL("The guest and the file differ %u times of %u", tries, tries);
}

/* What a VM has of its vCPUs: the longest exit is one of theirs. */
static u64 vcpus_sum(struct stats_file vcpus[NR_VCPUS], const char *name)
{
	u64 a = value(&vcpus[0], name), b = value(&vcpus[1], name);

	return strstr(name, kinds[MAX_CYCLES].name) ? max(a, b) : a + b;
}

/* No vCPU runs, so the VM has the sum, but for the time that goes on. */
static void test_sum(struct stats_file *vm, struct stats_file vcpus[NR_VCPUS])
{
	u32 nr = vm->header.num_desc, i;
	u64 *low = calloc(nr, sizeof(*low)), found, high;

	for (i = 0; i < NR_VCPUS; i++)
		file_reread(&vcpus[i]);
	for (i = 0; i < nr; i++) {
		if (nth_name(vm, i))
			low[i] = vcpus_sum(vcpus, nth_name(vm, i));
	}
	file_reread(vm);
	for (i = 0; i < NR_VCPUS; i++)
		file_reread(&vcpus[i]);

	for (i = 0; i < nr; i++) {
		const char *name = nth_name(vm, i);

		if (!name)
			continue;
		found = value(vm, name);
		high = vcpus_sum(vcpus, name);
		TEST_ASSERT(low[i] <= found && found <= high,
			    "%s: the VM's is %lu, its vCPUs' %lu before, and %lu afterwards",
			    name, found, low[i], high);
		TEST_ASSERT(low[i] == high || strstr(name, "vmm_ns") ||
			    !strcmp(name, "time_elapsed_ns"), "%s goes on", name);
	}
	free(low);
}

/* Each line of the debugfs file is in the file, together if it has no name. */
static bool test_debugfs(struct kvm_vm *vm, struct stats_file *file)
{
	u64 exits, cycles, unnamed_exits = 0, unnamed_cycles = 0, unnamed_longest = 0;
	u64 lines = 0;
	char path[128], reason[16], name[64];
	FILE *f;

	snprintf(path, sizeof(path), DEBUGFS "/%d-%d/vcpu0/exit_stats", getpid(), vm->fd);
	f = fopen(path, "r");
	if (!f)
		return false;
	file_reread(file);
	while (fscanf(f, "%15s %63s %lu %lu", reason, name, &exits, &cycles) == 4) {
		if (!strcmp(name, "total"))
			continue;
		lines++;
		if (!strcmp(name, "other") || !strcmp(name, "unnamed")) {
			unnamed_exits += exits;
			unnamed_cycles += cycles;
			continue;
		}
		TEST_ASSERT(of_reason(file, name, EXITS) == exits &&
			    of_reason(file, name, CYCLES) == cycles,
			    "%s: %lu exits, %lu cycles, debugfs %lu, %lu", name,
			    of_reason(file, name, EXITS), of_reason(file, name, CYCLES),
			    exits, cycles);
	}
	fclose(f);
	TEST_ASSERT(lines > 1, "%lu lines in %s", lines, path);
	TEST_ASSERT(of_reason(file, "unnamed", EXITS) == unnamed_exits &&
		    of_reason(file, "unnamed", CYCLES) == unnamed_cycles,
		    "Unnamed: %lu exits, %lu cycles, debugfs %lu, %lu",
		    of_reason(file, "unnamed", EXITS), of_reason(file, "unnamed", CYCLES),
		    unnamed_exits, unnamed_cycles);

	snprintf(path, sizeof(path), DEBUGFS "/%d-%d/vcpu0/exit_stats_longest", getpid(),
		 vm->fd);
	f = fopen(path, "r");
	TEST_ASSERT(f, "Failed to open %s", path);
	for (lines = 0; fscanf(f, "%15s %63s %lu", reason, name, &cycles) == 3; lines++) {
		if (!strcmp(name, "other") || !strcmp(name, "unnamed"))
			unnamed_longest = max(unnamed_longest, cycles);
		else
			TEST_ASSERT(of_reason(file, name, MAX_CYCLES) == cycles,
				    "%s: the longest took %lu cycles, debugfs %lu", name,
				    of_reason(file, name, MAX_CYCLES), cycles);
	}
	fclose(f);
	TEST_ASSERT(of_reason(file, "unnamed", MAX_CYCLES) == unnamed_longest,
		    "Unnamed: the longest took %lu cycles, debugfs %lu",
		    of_reason(file, "unnamed", MAX_CYCLES), unnamed_longest);
	TEST_ASSERT(lines > 1, "%lu lines in %s", lines, path);
	return true;
}

/*
 * No vCPU runs, so all exits are in the histogram, and in the buckets that debugfs has,
 * which are one less, if that can be read.
 */
static void test_histogram(struct kvm_vm *vm, struct stats_file *file)
{
	u64 buckets[KVM_EXIT_STATS_NR_BUCKETS] = {}, exits, sum = 0, total;
	struct kvm_stats_desc *desc;
	char path[128], name[64];
	const u64 *data;
	FILE *f;
	u32 i;

	snprintf(name, sizeof(name), "%sexit_cycles_hist", file->prefix);
	desc = find(file, name);
	TEST_ASSERT(desc, "There is no %s", name);
	TEST_ASSERT(desc->flags == (KVM_STATS_TYPE_LOG_HIST | KVM_STATS_UNIT_CYCLES |
				    KVM_STATS_BASE_POW10) &&
		    desc->size == KVM_EXIT_STATS_NR_BUCKETS + 1 && !desc->bucket_size,
		    "%s: flags %#x, size %u, bucket size %u", name, desc->flags,
		    desc->size, desc->bucket_size);

	file_reread(file);
	data = &file->data[desc->offset / sizeof(u64)];
	for (i = 0; i < desc->size; i++)
		sum += data[i];
	total = of_reason(file, "unnamed", EXITS);
	for (i = 0; i < isa->nr_reasons; i++) {
		if (is_told(&isa->reasons[i]))
			total += of_reason(file, isa->reasons[i].name, EXITS);
	}
	TEST_ASSERT(sum == total && total, "%lu exits are in the histogram, of %lu", sum, total);
	TEST_ASSERT(!data[0], "%lu exits took no cycles", data[0]);

	snprintf(path, sizeof(path), DEBUGFS "/%d-%d/%sexit_stats_histogram", getpid(), vm->fd,
		 *file->prefix ? "" : "vcpu0/");
	f = fopen(path, "r");
	if (!f)
		return;
	while (fscanf(f, "%*s %*s %u %lu", &i, &exits) == 2) {
		TEST_ASSERT(i < ARRAY_SIZE(buckets), "Bucket %u", i);
		buckets[i] += exits;
	}
	fclose(f);
	for (i = 0; i < ARRAY_SIZE(buckets); i++)
		TEST_ASSERT(buckets[i] == data[i + 1], "Bucket %u has %lu exits, debugfs %lu",
			    i, data[i + 1], buckets[i]);
}

static void set_policy(const char *value)
{
	int fd = open(PARAM, O_WRONLY);

	TEST_ASSERT(fd >= 0 && write(fd, value, strlen(value)) == strlen(value),
		    "Failed to set %s to %s", PARAM, value);
	close(fd);
}

static void restore_policy(void)
{
	set_policy(policy);
}

/* Off, and on again: meanwhile nothing moves, and nothing is lost. */
static void test_off(struct kvm_vcpu *vcpu, struct stats_file *file)
{
	u64 *before = malloc(file->size_data), exits;
	u32 i;

	atexit(restore_policy);
	set_policy("off");
	file_reread(file);
	memcpy(before, file->data, file->size_data);
	run(vcpu);
	file_reread(file);
	for (i = 0; i < file->header.num_desc; i++) {
		const char *name = nth_name(file, i);

		TEST_ASSERT(!name || value(file, name) ==
				     before[nth_desc(file, i)->offset / sizeof(u64)],
			    "%s goes on", name);
	}

	set_policy(policy);
	exits = of_reason(file, "cpuid", EXITS);
	run(vcpu);
	file_reread(file);
	TEST_ASSERT(of_reason(file, "cpuid", EXITS) > exits, "It stays off");
	free(before);
}

int main(int argc, char *argv[])
{
	struct stats_file vm_file, files[NR_VCPUS];
	struct kvm_vcpu *vcpus[NR_VCPUS];
	struct kvm_vm *vm;
	int fd, i;

	if (this_cpu_has(X86_FEATURE_SVM))
		isa = &svm;
	else
		TEST_REQUIRE(this_cpu_has(X86_FEATURE_VMX));
	close(open_kvm_dev_path_or_exit());
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_BINARY_STATS_FD));
	fd = open(PARAM, O_RDONLY);
	__TEST_REQUIRE(fd >= 0, "CONFIG_KVM_EXIT_STATS is required");
	TEST_ASSERT(read(fd, policy, sizeof(policy) - 1) > 0, "Failed to read " PARAM);
	close(fd);
	policy[strcspn(policy, "\n")] = '\0';
	__TEST_REQUIRE(strcmp(policy, "off") && strcmp(policy, "ask"),
		       PARAM " is %s", policy);

	ksft_print_header();
	ksft_set_plan(7);

	vm = create_vm(vcpus);
	file_open(&vm_file, vm_get_stats_fd(vm), "vm_");
	for (i = 0; i < NR_VCPUS; i++)
		file_open(&files[i], vcpu_get_stats_fd(vcpus[i]), "");

	test_descriptors(&vm_file);
	for (i = 0; i < NR_VCPUS; i++)
		test_descriptors(&files[i]);
	ksft_test_result_pass("the descriptors are those documented\n");

	/* The first run brings the pages. */
	for (i = 0; i < NR_VCPUS; i++)
		run(vcpus[i]);
	for (i = 0; i < NR_VCPUS; i++)
		test_guest(vcpus[i], &files[i]);
	ksft_test_result_pass("a vCPU's file has what its guest reads\n");

	test_sum(&vm_file, files);
	ksft_test_result_pass("a VM's file has the sum of its vCPUs'\n");

	test_pieces(&vm_file);
	test_pieces(&files[0]);
	ksft_test_result_pass("reads in pieces have the same as one of all\n");

	if (test_debugfs(vm, &files[0]))
		ksft_test_result_pass("a vCPU's file has what debugfs has\n");
	else
		ksft_test_result_skip("a vCPU's file has what debugfs has\n");

	test_histogram(vm, &files[0]);
	test_histogram(vm, &vm_file);
	ksft_test_result_pass("all exits are in the histogram\n");

	if (access(PARAM, W_OK)) {
		ksft_test_result_skip("while accounting is off, nothing moves\n");
	} else {
		test_off(vcpus[1], &files[1]);
		ksft_test_result_pass("while accounting is off, nothing moves\n");
	}

	file_close(&vm_file);
	for (i = 0; i < NR_VCPUS; i++)
		file_close(&files[i]);
	kvm_vm_free(vm);
	ksft_finished();
}
