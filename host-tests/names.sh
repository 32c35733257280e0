#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The names in tools/exitstat/names.h are those that the newest supported kernel has.
#
# usage: host-tests/names.sh
. "$(dirname "$0")/lib.sh"
ktap_begin
# shellcheck disable=SC2317 # holds calls it
current() {
	"$top/scripts/names" | diff "$top/tools/exitstat/names.h" - ||
		{ echo "make it anew: see scripts/names" && return 1; }
}
holds "names.h is what scripts/names makes of the kernel's headers" current
ktap_end
