// SPDX-License-Identifier: GPL-2.0-only
#include "occurred.h"

void occurred_read(struct occurred *occurred, enum exitstat_whose whose,
		   const struct exitstat_info *info, unsigned int *reads)
{
	uint32_t reason = 0;

	occurred->n = 0;
	while (info->further >= 2 &&
	       occurred->n < sizeof(occurred->groups) / sizeof(occurred->groups[0])) {
		struct exitstat_which *which = &occurred->groups[occurred->n++];

		*which = exitstat_which_of(whose, reason);
		*reads += 1;
		if (which->next <= reason || which->next == KVM_EXIT_STATS_UNDEFINED)
			break;
		reason = which->next;
	}
}

bool may_have_occurred(const struct occurred *occurred, uint32_t reason)
{
	for (size_t i = 0; i < occurred->n; i++)
		if (exitstat_has_occurred(&occurred->groups[i], reason))
			return true;
	return !occurred->n;
}
