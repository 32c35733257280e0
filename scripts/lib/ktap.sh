# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-only
# KTAP for tests that are shell scripts: on the host, in L1 and in L2.
#
#	ktap_begin
#	holds "two and two make four" [ $((2 + 2)) -eq 4 ]
#	result "$status" "a case decided before" [FILE...]
#	ktap_end
#
# The cases are printed when the shell exits, their number first, so that nobody has to count
# them.  A test that does not get to ktap_end has failed.  $dir is a directory for the test, which
# goes with it.  If the test defines cleanup(), that is called at exit, too.

ktap_begin() {
	ktap_n=0 ktap_failed=0 ktap_ended=
	dir=$(mktemp -d)
	ktap_results=$(mktemp)
	trap ktap_exit EXIT
}

# result STATUS NAME [FILE...]: a case.  The files say why it failed.
result() {
	ktap_n=$((ktap_n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $ktap_n $2" >>"$ktap_results"
		return
	fi
	ktap_failed=$((ktap_failed + 1))
	ktap_line="not ok $ktap_n $2"
	shift 2
	for ktap_file; do
		[ ! -s "$ktap_file" ] ||
			tail -n 20 "$ktap_file" | tr -d '\r' | awk '{ print "# " $0 }' \
				>>"$ktap_results"
	done
	echo "$ktap_line" >>"$ktap_results"
}

# skips NAME WHY: a case that can't be run here
skips() {
	ktap_n=$((ktap_n + 1))
	echo "ok $ktap_n $1 # SKIP $2" >>"$ktap_results"
}

# holds NAME COMMAND...: a case, whether the command succeeds
holds() {
	ktap_name=$1 ktap_status=0
	shift
	"$@" >"$dir/out" 2>&1 || ktap_status=$?
	result $ktap_status "$ktap_name" "$dir/out"
}

# is NAME FOUND EXPECTED: a case, whether both are the same
is() {
	printf "found '%s', expected '%s'\n" "$2" "$3" >"$dir/out"
	ktap_status=0
	[ "$2" = "$3" ] || ktap_status=1
	result $ktap_status "$1" "$dir/out"
}

ktap_end() {
	ktap_ended=yes
	[ "$ktap_failed" -eq 0 ]
}

ktap_exit() {
	ktap_status=$?
	[ -n "$ktap_ended" ] ||
		result 1 "the test runs to its end, not to an exit with status $ktap_status"
	echo "TAP version 13"
	echo "1..$ktap_n"
	cat "$ktap_results"
	if command -v cleanup >/dev/null; then cleanup; fi
	rm -rf "$dir" "$ktap_results"
}
