# SPDX-License-Identifier: GPL-2.0-only
# Of a reason in a report, its histogram as Prometheus has it: {le, count} of all up to each bound.
def buckets: foreach (.histogram | to_entries[]) as {$key, $value} (0; . + $value;
	{le: (if $key == 31 then "+Inf" else "\(pow(2; $key + 1) - 1).0" end), count: .});
