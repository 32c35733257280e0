// SPDX-License-Identifier: GPL-2.0-only
#include "reasons.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kvm_exit_stats.h"

struct name {
	uint32_t reason;
	const char *name;
};

#include "names.h"

/* SDM volume 3, appendix C; APM volume 2, appendix C */
#define VMX_CPUID 10
#define SVM_CPUID 0x72

static const struct isa {
	const struct name *names;
	size_t nr_names;
	/* Numbers are dense up to here; above, only those with names exist. */
	uint32_t dense;
	uint32_t cpuid;
} isas[] = {
	[KVM_EXIT_STATS_ISA_VMX] = {
		vmx_names, sizeof(vmx_names) / sizeof(vmx_names[0]),
		KVM_EXIT_STATS_VMX_REASON_MAX, VMX_CPUID,
	},
	[KVM_EXIT_STATS_ISA_SVM] = {
		svm_names, sizeof(svm_names) / sizeof(svm_names[0]),
		0xff, SVM_CPUID,
	},
};

_Static_assert(0xff + 1 + sizeof(svm_names) / sizeof(svm_names[0]) <= REASONS_MAX &&
	       KVM_EXIT_STATS_VMX_REASON_MAX + 1 + sizeof(vmx_names) / sizeof(vmx_names[0]) <=
	       REASONS_MAX, "REASONS_MAX is too small");

bool reasons_known(unsigned int isa)
{
	return isa < sizeof(isas) / sizeof(isas[0]) && isas[isa].nr_names;
}

size_t reasons_list(unsigned int isa, uint32_t reasons[static REASONS_MAX])
{
	const struct isa *i = &isas[isa];
	size_t n = 0;

	for (uint32_t reason = 0; reason <= i->dense; reason++)
		reasons[n++] = reason;
	for (size_t k = 0; k < i->nr_names; k++)
		if (i->names[k].reason > i->dense)
			reasons[n++] = i->names[k].reason;
	return n;
}

void reason_name(unsigned int isa, uint32_t reason, char name[static REASON_NAME_MAX])
{
	const struct isa *i = &isas[isa];

	for (size_t k = 0; k < i->nr_names; k++) {
		if (i->names[k].reason == reason) {
			snprintf(name, REASON_NAME_MAX, "%s", i->names[k].name);
			return;
		}
	}
	snprintf(name, REASON_NAME_MAX, "REASON_%u", reason);
}

bool reason_find(unsigned int isa, const char *text, size_t len, uint32_t *reason)
{
	const char prefix[] = "REASON_";
	const struct isa *i = &isas[isa];
	unsigned long long number;
	char copy[REASON_NAME_MAX];
	char *digits = copy, *end;

	if (!len || len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';

	for (size_t k = 0; k < i->nr_names; k++) {
		if (!strcasecmp(i->names[k].name, copy)) {
			*reason = i->names[k].reason;
			return true;
		}
	}

	if (!strncasecmp(copy, prefix, strlen(prefix)))
		digits += strlen(prefix);
	/* strtoull() also accepts blanks and signs. */
	if (*digits < '0' || *digits > '9')
		return false;
	number = strtoull(digits, &end, strncasecmp(digits, "0x", 2) ? 10 : 16);
	if (*end || number > UINT32_MAX)
		return false;
	*reason = (uint32_t)number;
	return true;
}

uint32_t reason_of_cpuid(unsigned int isa)
{
	return isas[isa].cpuid;
}
