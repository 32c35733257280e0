// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_GET_SUPPORTED_CPUID and similar ioctls don't report the statistics, whatever the
 * module parameter says.  Prints their answers so that boots can be compared.
 *
 * usage: supported
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include "leaf_vm.h"

#define NR_ENTRIES_MAX 256

static const struct {
	const char *name;
	unsigned long ioctl;
} lists[] = {
	{ "KVM_GET_SUPPORTED_CPUID", KVM_GET_SUPPORTED_CPUID },
	{ "KVM_GET_EMULATED_CPUID", KVM_GET_EMULATED_CPUID },
};

static struct kvm_cpuid2 *get(unsigned long ioctl_nr)
{
	struct kvm_cpuid2 *cpuid = calloc(1, kvm_cpuid2_size(NR_ENTRIES_MAX));
	int kvm = open("/dev/kvm", O_RDWR);

	cpuid->nent = NR_ENTRIES_MAX;
	if (kvm < 0 || ioctl(kvm, ioctl_nr, cpuid))
		ksft_exit_fail_msg("cannot ask KVM: %s\n", strerror(errno));
	close(kvm);
	return cpuid;
}

static bool has_no_leaf(const char *name, const struct kvm_cpuid2 *cpuid)
{
	bool ok = cpuid->nent;

	for (uint32_t i = 0; i < cpuid->nent; i++) {
		const struct kvm_cpuid_entry2 *e = &cpuid->entries[i];

		ok &= e->function < LEAF_LOWEST || e->function > LEAF_HIGHEST;
		ksft_print_msg("answer: %s: 0x%08x 0x%x flags %x: "
			       "eax=%08x ebx=%08x ecx=%08x edx=%08x\n", name, e->function,
			       e->index, e->flags, e->eax, e->ebx, e->ecx, e->edx);
	}
	return ok;
}

int main(void)
{
	static const char * const scopes[] = { "off", "host", "vm" };
	bool has_parameter = !access(PARAM_EXIT_STATS, F_OK);

	setvbuf(stdout, NULL, _IOLBF, 0);
	pin(0);
	ksft_print_header();
	ksft_set_plan(2 * ARRAY_SIZE(lists));
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct kvm_cpuid2 *first = get(lists[i].ioctl);
		bool same = true;
		char name[64];

		ksft_test_result(has_no_leaf(lists[i].name, first),
				 "%s has none of the leaves\n", lists[i].name);
		snprintf(name, sizeof(name), "%s is the same off, vm and host", lists[i].name);
		if (!has_parameter) {
			skip(name, "this kernel has no such parameter");
			continue;
		}
		for (size_t s = 0; s < ARRAY_SIZE(scopes); s++) {
			set_scope(scopes[s]);
			same &= !memcmp(first, get(lists[i].ioctl),
					kvm_cpuid2_size(NR_ENTRIES_MAX));
		}
		ksft_test_result(same, "%s\n", name);
	}
	ksft_finished();
}
