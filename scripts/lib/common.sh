# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Sourced by the verbs: where things are, how a verb speaks, and how it fails.
# Nothing here does a verb's work.

set -euo pipefail

verb=$(basename "$0")
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${XDG_CACHE_HOME:-${HOME:?is not set, nor is XDG_CACHE_HOME}/.cache}/kvm-exit-stats
export CCACHE_DIR=${CCACHE_DIR:-$cache/ccache}
# The kernel's make is not a part of the make that calls the verb.
unset MAKEFLAGS MFLAGS MAKELEVEL
# Git refuses to commit without an identity, and a bare machine has none.
name=$(git config user.name || echo "KVM exit stats")
email=$(git config user.email || echo "exit-stats@localhost")
export GIT_COMMITTER_NAME=${GIT_COMMITTER_NAME:-$name}
export GIT_COMMITTER_EMAIL=${GIT_COMMITTER_EMAIL:-$email}
unset name email
mkdir -p "$cache"

# Commits are made as the project wants them, whatever the user's configuration.  And without
# a gc in the background, which would keep the caller's locks for minutes.
plain_git() {
	git -c commit.gpgSign=false -c core.hooksPath=/dev/null -c core.autocrlf=false \
		-c apply.whitespace=nowarn -c gc.auto=0 "$@"
}

# Paths within the checkout are said relative to it.
say() { printf '[%s] %s\n' "$verb" "${*//"$top/"/}" >&2; }
die() { printf '%s: error: %s\n' "$verb" "${*//"$top/"/}" >&2; exit 1; }

# kernel_field X.Y N: field N of the kernel's line in the table of kernels.
kernel_field() {
	awk -v k="$1" -v n="$2" '
		$1 "" == k "" { print $n; found = 1 }
		END { exit !found }' "$top/kernels"
}

default_kernel() { awk '!/^#/ && NF { print $1; exit }' "$top/kernels"; }
supported_kernels() { awk '!/^#/ && NF { printf "%s%s", sep, $1; sep = " " }' "$top/kernels"; }

# The kernel a verb works on: $KERNEL, or else that of $LINUX, or else the first one in the table.
selected_kernel() {
	local k=${KERNEL:-}
	if [ -n "$k" ]; then
		kernel_field "$k" 1 >/dev/null ||
			die "KERNEL=$k is not supported; choose one of: $(supported_kernels)"
	elif [ -n "${LINUX:-}" ] && k=$(tree_kernel "$LINUX") && [ -n "$k" ]; then
		kernel_field "$k" 1 >/dev/null ||
			die "$LINUX is Linux $k, but there are patches for" \
				"$(supported_kernels) only; check out one of these," \
				"or see docs/new-kernel.md"
	else
		k=$(default_kernel)
	fi
	echo "$k"
}

# tree_kernel TREE: the X.Y of the commit that is checked out, if it is a kernel's
tree_kernel() {
	git -C "$1" show HEAD:Makefile 2>/dev/null |
		awk '$1 == "VERSION" { v = $3 } $1 == "PATCHLEVEL" { print v "." $3 }' || true
}

# kept_in FILE: where this repository keeps a file that the series adds to the kernel, once for
# all kernels.  Where their paths differ, it has the newest kernel's.
kept_in() {
	case $1 in
	arch/x86/kvm/*) echo "$top/arch-x86-kvm/${1#arch/x86/kvm/}" ;;
	*) echo "$top/patches/files/${1/kvm\/x86_64/kvm/x86}" ;;
	esac
}

# adds PATCH: the files that its commit adds
adds() { sed -n '/^diff /q; s/^Adds: //p' "$1"; }

# edits PATCH: what its commit changes in files that an earlier one adds, also kept once for all
# kernels: the name of a file in patches/edits/, if any
edits() { sed -n '/^diff /q; s/^Edits: //p' "$1"; }

# config_fragments X.Y: the kernel's configuration, one file a line, the last word
# on a symbol counts.
config_fragments() {
	local fragment
	for fragment in "$top/Kconfig.fragment" "$top/patches/$1/Kconfig.fragment"; do
		[ ! -e "$fragment" ] || echo "$fragment"
	done
}

# last_line FILE: of a log or a console, which may be growing
last_line() { tail -n 1 "$1" 2>/dev/null | tr -d '\r' | cut -c1-100; }

# A long step: say what it is, show every half minute that it lives and at the end how
# long it took, keep its output in a log, and on failure name the step, the cause and
# the log.
#   step "WHAT" LOG COMMAND...
step() {
	local what=$1 log=$2 start=$SECONDS beat status=0
	shift 2
	mkdir -p "$(dirname "$log")"
	say "$what"
	(
		# Keep no lock, and don't outlive the verb: this job gets no ^C.
		exec 9>&- >/dev/null
		while sleep 1 && kill -0 $$ 2>/dev/null; do
			[ $(((SECONDS - start) % 30)) -eq 0 ] || continue
			say "  ... $((SECONDS - start)) s:" "$(last_line "$log")"
		done
	) &
	beat=$!
	"$@" >"$log" 2>&1 || status=$?
	kill "$beat" 2>/dev/null
	wait "$beat" 2>/dev/null || true
	if [ $status -eq 0 ]; then
		[ $((SECONDS - start)) -lt 5 ] || say "  ... done after $((SECONDS - start)) s"
		return
	fi
	grep -aiE 'error|fatal|cannot|failed|No space' "$log" | tail -n 5 >&2 ||
		tail -n 5 "$log" >&2
	die "$what: failed with status $status, see $log"
}

# need_space DIR MIB: fail early rather than with a half-written tree.
need_space() {
	local free
	mkdir -p "$1"
	free=$(df -Pm "$1" | awk 'NR == 2 { print $4 }')
	[ "$free" -ge "$2" ] ||
		die "$1 has $free MiB free, this step needs $2 MiB; free some space," \
			"or set XDG_CACHE_HOME to a larger disk for what is cached"
}
