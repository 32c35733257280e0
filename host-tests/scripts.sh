#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Every script is clean to shellcheck, and executable if it is to be run; a commit that one
# makes leaves nothing running.
#
# usage: host-tests/scripts.sh
. "$(dirname "$0")/lib.sh"

mapfile -t scripts < <(cd "$top" &&
	git ls-files scripts host-tests machine kvm-tests guest-tests report packaging .ci |
	while read -r f; do
		! head -n 1 "$f" | grep -qE '^#(!.*\b(ba)?sh$| shellcheck shell=)' || echo "$f"
	done)
ktap_begin
holds "there are scripts" [ ${#scripts[@]} -gt 20 ]
for f in "${scripts[@]}"; do
	# shellcheck disable=SC2317 # holds calls it
	clean() {
		shellcheck -x "$top/$f" &&
			{ [ -x "$top/$f" ] || ! head -n 1 "$top/$f" | grep '^#!'; }
	}
	holds "$f" clean
done

# In the foreground, a gc has packed when the commit returns.
repo=$dir/tree
commit() (
	git init -q "$repo" && cd "$repo" && git config gc.auto 1 && git config gc.autoDetach false
	seq 1000 | split -l 1
	plain_git add . && plain_git commit -q --author "test <test@localhost>" -m test
)
no_gc() { commit && [ -z "$(ls "$repo/.git/objects/pack")" ]; }
holds "a commit starts no gc, which would keep the caller's locks" no_gc
ktap_end
