// SPDX-License-Identifier: GPL-2.0-only
#include "ledger.h"

#include <math.h>

static const char *const names[KVM_EXIT_STATS_NR_STATES] = {
	[KVM_EXIT_STATS_STATE_ELAPSED] = "elapsed",
	[KVM_EXIT_STATS_STATE_GUEST] = "guest",
	[KVM_EXIT_STATS_STATE_EXITS] = "exits",
	[KVM_EXIT_STATS_STATE_VMM] = "vmm",
	[KVM_EXIT_STATS_STATE_HALTED] = "halted",
	[KVM_EXIT_STATS_STATE_WAITING] = "waiting",
	[KVM_EXIT_STATS_STATE_ASLEEP] = "asleep",
};

static bool served(const struct exitstat_info *info, unsigned int further,
		   enum exitstat_whose whose)
{
	return info->further >= further &&
	       (whose == EXITSTAT_OF_THIS_VCPU || info->scope == KVM_EXIT_STATS_SCOPE_VM);
}

bool ledger_served(const struct exitstat_info *info, enum exitstat_whose whose)
{
	return served(info, 3, whose);
}

bool vmm_served(const struct exitstat_info *info)
{
	return served(info, 4, EXITSTAT_OF_ALL_VCPUS);
}

bool longest_served(const struct exitstat_info *info, enum exitstat_whose whose)
{
	return served(info, 5, whose);
}

bool histogram_served(const struct exitstat_info *info)
{
	return served(info, 6, EXITSTAT_OF_ALL_VCPUS);
}

const char *state_name(unsigned int state)
{
	return names[state];
}

void ledger_read(struct ledger *ledger, enum exitstat_whose whose,
		 const struct exitstat_info *info, unsigned int *reads)
{
	*ledger = (struct ledger){ .known = ledger_served(info, whose) };
	for (unsigned int i = 0; ledger->known && i < KVM_EXIT_STATS_NR_STATES; i++) {
		*reads += 1;
		ledger->known = exitstat_state_of(whose, i, &ledger->ns[i]);
	}
}

bool ledger_restarted(const struct ledger *now, const struct ledger *before)
{
	return now->known && before->known &&
	       now->ns[KVM_EXIT_STATS_STATE_ELAPSED] < before->ns[KVM_EXIT_STATS_STATE_ELAPSED];
}

void ledger_hold(struct ledger *now, const struct ledger *before)
{
	for (unsigned int i = 0; now->known && before->known && i < KVM_EXIT_STATS_NR_STATES; i++)
		if (now->ns[i] < before->ns[i])
			now->ns[i] = before->ns[i];
}

struct ledger ledger_since(const struct ledger *base, const struct ledger *now)
{
	struct ledger since = *now;

	if (!base)
		return since;
	since.known = now->known && base->known;
	for (unsigned int i = 0; i < KVM_EXIT_STATS_NR_STATES; i++)
		since.ns[i] -= base->ns[i];
	return since;
}

uint64_t ledger_sum(const struct ledger *ledger)
{
	uint64_t sum = 0;

	for (unsigned int i = KVM_EXIT_STATS_STATE_ELAPSED + 1; i < KVM_EXIT_STATS_NR_STATES; i++)
		sum += ledger->ns[i];
	return sum;
}

double ledger_percent(const struct ledger *ledger, unsigned int state)
{
	uint64_t sum = ledger_sum(ledger);

	return ledger->known && sum ? 100 * (double)ledger->ns[state] / (double)sum : NAN;
}
