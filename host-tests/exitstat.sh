#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The tool exitstat, on recorded leaves: every option and error, and its formats by
# those who read them.  Builds with another implementation of tools/exitstat/machine.h,
# which plays the file that EXITSTAT_RECORDING names.
#
# usage: [UPDATE=1] host-tests/exitstat.sh
#
# With UPDATE=1, what exitstat/expected/ holds is written anew, for review.
. "$(dirname "$0")/../scripts/lib/common.sh"
. "$top/scripts/lib/ktap.sh"
# It takes less than a minute; what hangs, fails.
[ -n "${LIMITED:-}" ] || LIMITED=1 exec timeout -k 5 600 "$0"
here=$top/host-tests/exitstat
tool=$top/tools/exitstat
build=$top/build/exitstat-test
PATH=$cache/unpacked/usr/bin:$PATH # promtool and prometheus-node-exporter, by scripts/deps
ktap_begin
tmux=(tmux -f /dev/null -S "$dir/tmux-0")
exporter=
cleanup() {
	"${tmux[@]}" kill-server 2>/dev/null || true
	[ -z "$exporter" ] || kill "$exporter" 2>/dev/null || true
}
export EXITSTAT_RECORDING=$dir/recording
export TZ=UTC LC_ALL=C

{
	make -s -C "$tool" O="$build/shipped" install DESTDIR="$dir/root"
	make -s -C "$tool" O="$build/plain" NCURSES=0 install DESTDIR="$dir/plain"
	recorded=(STATIC=0 MACHINE="$here/recorded.c")
	make -s -C "$tool" O="$build/valgrind" "${recorded[@]}" CFLAGS="-O1 -g"
	make -s -C "$tool" O="$build/sanitized" "${recorded[@]}" \
		CFLAGS="-O1 -g -fsanitize=address,undefined -fno-sanitize-recover"
	make -s -C "$here" O="$build"
} >&2
shipped=$dir/root/usr/local/bin/exitstat
plain=$dir/plain/usr/local/bin/exitstat
exitstat=$build/sanitized/exitstat

# said: what a case that failed has left
said() {
	for f in out err diff; do
		[ ! -s "$dir/$f" ] || sed "s/^/$f: /; 20q" "$dir/$f"
	done >"$dir/said"
	echo "$dir/said"
}
# run COMMAND...: its output and errors to files, its status to $status
run() {
	status=0
	"$@" >"$dir/out" 2>"$dir/err" </dev/null || status=$?
	: >"$dir/diff"
}
# holds NAME COMMAND...
holds() {
	local name=$1
	shift
	run "$@"
	result "$status" "$name" "$(said)"
}
# also NAME COMMAND...: of what has been run
also() {
	local name=$1 bad=0
	shift
	"$@" >"$dir/diff" 2>&1 || bad=1
	result $bad "$name" "$(said)"
}
# as_expected EXPECTED FILE
as_expected() {
	[ -z "${UPDATE:-}" ] || cp "$2" "$here/expected/$1"
	diff -u "$here/expected/$1" "$2"
}
# prints NAME EXPECTED COMMAND...: just that, and nothing on stderr
printed() { [ "$status" -eq 0 ] && [ ! -s "$dir/err" ] && as_expected "$1" "$dir/out"; }
prints() {
	local name=$1 expected=$2
	shift 2
	run "$@"
	also "$name" printed "$expected"
}
# fails NAME STATUS PATTERN COMMAND...: no output, but a first line on stderr
failed() { [ "$status" -eq "$1" ] && [ ! -s "$dir/out" ] && sed 1q "$dir/err" | grep -qE -e "$2"; }
fails() {
	local name=$1 want=$2 pattern=$3
	shift 3
	run "$@"
	also "$name" failed "$want" "$pattern"
}
# ends STATUS NAME COMMAND...
ends() {
	local want=$1 name=$2
	shift 2
	run "$@"
	also "$name" [ "$status" -eq "$want" ]
}
# misused PATTERN ARGUMENT...: status 2, and the usage
refused() { failed 2 "$1" && [ "$(grep -c '^usage: ' "$dir/err")" = 1 ]; }
misused() {
	local pattern=$1
	shift
	run "$exitstat" "$@"
	also "refused: exitstat $(tr -d '#\n' <<<"$*" | cut -c1-60)" refused "$pattern"
}
# recorded PART...: what is to be read from now on
recorded() { cat "${@/#/$here/recordings/}" >"$dir/recording"; }
# await COMMAND...: for five seconds at most
await() {
	for ((i = 0; i < 100; i++)); do
		! "$@" || return 0
		sleep 0.05
	done
	return 1
}
# files: that -o wrote, or left
files() { (cd "$dir" && find . \( -name 'f*' -o -name '.exitstat-*' \) -type f | sort | xargs); }

# What is shipped.
installed() {
	diff -u - <(cd "$dir/root" && find . -type f | sort) <<-END
		./usr/local/bin/exitstat
		./usr/local/include/exitstat/kvm_exit_stats.h
		./usr/local/include/exitstat/libexitstat.h
		./usr/local/share/bash-completion/completions/exitstat
		./usr/local/share/man/man1/exitstat.1
	END
}
static() { ! ldd "$1"; }
unfoolable() { ! grep -q EXITSTAT_RECORDING "$1" && grep -q EXITSTAT_RECORDING "$exitstat"; }
# As this machine may be a guest of a host that serves the statistics
runs_here() {
	local status=0
	"$1" >"$dir/here" 2>"$dir/here.err" || status=$?
	case $status in
	0) grep -q ' total ' "$dir/here" ;;
	3) [ ! -s "$dir/here" ] && [ "$(wc -l <"$dir/here.err")" = 1 ] ;;
	*) return 1 ;;
	esac
}
compiles() {
	gcc -std=c11 -O2 -Wall -Wextra -Wpedantic -Wconversion -Werror \
		-I"$dir/root/usr/local/include" "$@" -o "$dir/library"
}
reads_library() { compiles "$here/library.c" && "$dir/library"; }
holds "make install installs what it should" installed
holds "the program is static" static "$shipped"
holds "the program without ncurses is static" static "$plain"
holds "the program has no way to be fooled" unfoolable "$shipped"
holds "it runs on this machine" runs_here "$shipped"
holds "so does the one without ncurses" runs_here "$plain"
with_blanks() {
	make -s -C "$tool" O="$dir/a b" NCURSES=0 install DESTDIR="$dir/c d" &&
		cmp "$dir/a b/exitstat" "$dir/c d/usr/local/bin/exitstat" &&
		runs_here "$dir/a b/exitstat"
}
holds "paths may have blanks" with_blanks
musl() {
	make -s -C "$tool" O="$build/musl" CC=musl-gcc NCURSES=0 &&
		runs_here "$build/musl/exitstat"
}
holds "another C library will do" musl
# A file of 2040 is one that 32 bits have no room for.
bits32() {
	local status=0
	make -s -C "$tool" O="$build/m32" CC="gcc -m32" NCURSES=0 || return
	touch -d 2040-01-01 "$dir/f2040"
	"$build/m32/exitstat" --prometheus -o "$dir/f2040" || status=$?
	[ $status -eq 0 ] || [ $status -eq 3 ] || return
	grep -q '^kvm_guest_exit_stats_up [01]$' "$dir/f2040"
	rm "$dir/f2040"
}
if echo 'int main(void) { return 0; }' | gcc -m32 -static -xc - -o "$dir/m32" 2>/dev/null; then
	holds "32 bits will do, also for files of 2040" bits32
else
	skips "32 bits will do, also for files of 2040" "there is no C library of 32 bits here"
fi
# Two machines that are not this one: terminfo is in ncurses, or there is no static one at all.
cat >"$dir/cc-merged" <<'END'
#!/bin/bash
args=()
for a; do
	case $a in
	-ltinfo) exit 1 ;;
	-lncurses) args+=(-Wl,--start-group -lncurses -l:libtinfo.a) ;;
	*) args+=("$a") ;;
	esac
done
exec gcc "${args[@]}"
END
printf '#!/bin/sh\ncase "$*" in *-lncurses*) exit 1 ;; esac\nexec gcc "$@"\n' >"$dir/cc-none"
chmod +x "$dir"/cc-*
merged() {
	make -s -C "$tool" O="$build/merged" CC="$dir/cc-merged" &&
		runs_here "$build/merged/exitstat"
}
holds "terminfo may be in ncurses" merged
no_ncurses() {
	! make -s -C "$tool" O="$build/none" CC="$dir/cc-none" 2>"$dir/err" && grep "$1" "$dir/err"
}
holds "without a static ncurses, there are two other ways" no_ncurses 'NCURSES=0, or .*STATIC=0'
fast_math() {
	! make -s -C "$tool" O="$build/fast" NCURSES=0 CFLAGS="-O2 -ffast-math" 2>"$dir/err" &&
		grep 'error: .*ffast-math' "$dir/err"
}
holds "-ffast-math is refused" fast_math

# What it reads from this machine, with each C library
read -r online present uptime < <("$build/moment")
listed() {
	echo "$online of $present"
	# A chroot may have no /sys.
	if [ ! -e /sys/devices/system/cpu ]; then
		[ "$online $present" = "0 0" ]
		return
	fi
	[ "$present" = "$(find /sys/devices/system/cpu -name "cpu[0-9]*" | wc -l)" ] &&
		[ "$online" = "$(grep -c ^processor /proc/cpuinfo)" ]
}
holds "as many vCPUs as Linux lists" listed
# near A B SECONDS
near() { echo "$1 and $2" && [ $(($1 - $2)) -le "$3" ] && [ $(($2 - $1)) -le "$3" ]; }
holds "the time since boot" near "$uptime" "$(cut -d. -f1 /proc/uptime)" 2
# The first of the CPUs that this test may use
cpu=$(taskset -cp $$ | sed 's/.*: //; s/[-,].*//')
for libc in "" -static -musl; do
	# shellcheck disable=SC2317 # holds calls it
	same() { "$@" "$build/moment$libc" | tee "$dir/seen" | grep "^$online $present "; }
	holds "moment$libc: whichever CPU it may use" same taskset -c "$cpu"
	if [ ! -e /sys/devices/system/cpu ] || ! unshare -m true 2>/dev/null; then
		skips "moment$libc: in containers" "no /sys, or no right to mount another one"
	else
		echo 0 >"$dir/online"
		# shellcheck disable=SC2016 # sh's
		holds "moment$libc: whatever CPUs a container is shown" same unshare -m sh -c \
			'mount --bind "$0" /sys/devices/system/cpu/online && "$@"' "$dir/online"
		# shellcheck disable=SC2317 # holds calls it
		unknown() {
			unshare -m sh -c "mount -t tmpfs none /sys && '$build/moment$libc'" |
				grep '^0 0 '
		}
		holds "moment$libc: without /sys, nobody knows" unknown
	fi
	if ! unshare -T --boottime 1 true 2>/dev/null; then
		skips "moment$libc: in a time namespace" "no right to make one, or no such thing"
	else
		# shellcheck disable=SC2317 # holds calls it
		namespace() {
			local found
			found=$(unshare -T --boottime 1000000000 "$build/moment$libc")
			near "${found##* }" "$uptime" 60
		}
		holds "moment$libc: whatever a time namespace says" namespace
	fi
done
# Where it goes to read: it may use what nproc counts, and is on one CPU after another.
for libc in "" -static -musl; do
	# shellcheck disable=SC2317 # holds calls these
	everywhere() {
		"$build/visit$libc" >"$dir/seen" && [ "$(wc -w <"$dir/seen")" = "$(nproc)" ]
	}
	# shellcheck disable=SC2317
	confined() {
		taskset -c "$cpu" "$build/visit$libc" >"$dir/seen" &&
			[ "$(cat "$dir/seen")" = "$cpu" ]
	}
	holds "visit$libc: all CPUs that it may use" everywhere
	holds "visit$libc: only those" confined
done
holds "the library can be embedded, and reads what it is given" reads_library
lint() {
	# Which other manuals are installed here says nothing about this one.
	mandoc -T lint "$tool/exitstat.1" |
		grep -v -e 'outdated mandoc.db' -e 'referenced manual not found' \
			>"$dir/lint" || true
	cat "$dir/lint"
	[ ! -s "$dir/lint" ]
}
holds "mandoc has nothing to say about the man page" lint
# in_man COUNT BEFORE: the man page has each word of stdin, of which there are so many at least
in_man() {
	local word n=0
	while read -r word; do
		grep -qE "$2$word( |$)" "$tool/exitstat.1" || { echo "$word" && return 1; }
		n=$((n + 1))
	done
	echo "$n of $1"
	[ $n -ge "$1" ]
}
documented() {
	# mdoc writes --all as "Fl Fl all".
	"$exitstat" --help | grep -o -e '--[a-z][a-z-]*' | sort -u | sed 's/^--//' |
		in_man 18 '^\.It .*Fl Fl '
}
holds "the man page has every option of --help" documented

recorded vmx-boot
holds "completion of options" "$here/complete" "$exitstat" "exitstat --o" "--openmetrics --output"
holds "completion of -m" "$here/complete" "$exitstat" "exitstat --m" "--max"
holds "completion of sort keys" "$here/complete" "$exitstat" "exitstat -s c" "cost cycles"
holds "completion of reasons" "$here/complete" "$exitstat" "exitstat -r HLT,EPT_" \
	"HLT,EPT_MISCONFIG HLT,EPT_VIOLATION"
holds "completion of reasons of --histogram" "$here/complete" "$exitstat" \
	"exitstat --histogram = HLT,EPT_V" "HLT,EPT_VIOLATION"
holds "completion of all reasons, after =" "$here/complete" "$exitstat" "exitstat --reason = " \
	"$("$exitstat" -aH --csv | cut -d, -f6 | grep -vx 'total' | sort | xargs)"
holds "completion of a command" "$here/complete" "$exitstat" "exitstat -- mktem" "mktemp"

# The table.
prints "since boot" boot.txt "$exitstat"
prints "--help" help.txt "$exitstat" --help
# fit FILE...: 80 columns, of files that are not empty
fit() {
	local file
	for file in "${@/#/$here/expected/}"; do
		[ -s "$file" ] && ! grep -HE '.{81}' "$file" || return
	done
}
fits_screen() { [ "$(wc -l <"$here/expected/help.txt")" -le 24 ] && fit help.txt; }
holds "--help fits a screen of 80 columns and 24 lines" fits_screen
holds "--version" grep -qxE 'exitstat [0-9.]+, interface version 1' <("$exitstat" --version)
prints "-H" no-header.txt "$exitstat" -H
prints "-n 3" top.txt "$exitstat" -n 3
for key in exits cycles cost reason name; do
	prints "-s $key" "sort-$key.txt" "$exitstat" -s $key
done
prints "--raw" raw.txt "$exitstat" --raw
prints "-a" all.txt "$exitstat" -a
prints "-r by name and number, in any case" select.txt \
	"$exitstat" -r hlt,48 --reason 0x1e,HLT -r REASON_2 -a
prints "long options" top.txt "$exitstat" --sort=exits --top=3
recorded vmx-boot vmx-later
prints "an interval, as vmstat" interval.txt "$exitstat" 0.01 3
prints "an interval with exact numbers" interval-raw.txt "$exitstat" --raw .01 3
prints "options after the interval" interval-top.txt "$exitstat" 0.01 2 -n 1
prints "-y, as iostat" skip-first.txt "$exitstat" -y 0.01 2
takes_its_time() {
	local begin=${EPOCHREALTIME/./}
	"$exitstat" 0.3 3
	local took=$((${EPOCHREALTIME/./} - begin))
	[ $took -ge 600000 ] && [ $took -lt 1500000 ]
}
holds "an interval takes its time" takes_its_time
recorded vmx-boot vmx-restarted
prints "a restart" restarted.txt "$exitstat" -n 2 0.01 3
recorded vmx-boot vmx-host
prints "a change of scope" host.txt "$exitstat" -n 2 0.01 3
sed 's/eax=0x00010101/eax=0x00020101/' "$here/recordings/vmx-boot" >"$dir/recording"
prints "scope host since the host began to count" host-boot.txt "$exitstat" -n 2
recorded svm
prints "SVM" svm.txt "$exitstat"
prints "SVM, by names with blanks" svm-select.txt "$exitstat" -r "PF excp,NPF" -r 4294967295
# Clocks.  sampled EDIT...: the recording, with these edits of the second sample's line
sampled() {
	recorded vmx-boot vmx-later
	sed -i "/^# sample tsc=3600000000/{$1}" "$dir/recording"
}
# second FILTER: it is true of the second report
second() { "$exitstat" --json 0.01 2 | jq -es ".[1] | $1"; }
sampled 's/tsc=[0-9]*/tsc=1199999999/'
holds "a TSC that goes back is no restart" second '.restarted == false and .elapsed == 1
	and .total.exits > 0 and .total.exits_per_second > 0
	and ([.total.time_percent, .reasons[].time_percent] | all(. == null))'
sampled 's/tsc=[0-9]*/tsc=1200000100/; s/uptime=[0-9.]*/uptime=12.504/'
prints "time that the clocks do not show" untimed.txt "$exitstat" 0.01 2
holds "in JSON" second '.untimed == true and .restarted == false and .elapsed == null
	and .total.exits > 0 and .total.exits_per_second == null and .total.time_percent == null'

# vCPUs that come and go
sampled 's/vcpus=2/vcpus=1 present=2/'
holds "a vCPU that goes: the greater number" second '.vcpus == 2 and .total.time_percent < 100'
sampled 's/vcpus=2/vcpus=8 present=8/'
holds "vCPUs that come: the greater number" second '.vcpus == 8'
sampled 's/vcpus=2/vcpus=0/'
holds "nobody knows how many: no share of their time" second '.vcpus == null and .elapsed == 1
	and .total.exits_per_second > 0 and .total.time_percent == null'
prints "which the table does not show either" no-vcpus.txt "$exitstat" -n 2 0.01 2
sed 's/vcpus=2/vcpus=1 present=8/' "$here/recordings/vmx-boot" >"$dir/recording"
holds "since boot: all there are" eval '"$exitstat" --json | jq -e ".vcpus == 8"'
busy() {
	recorded vmx-boot vmx-later
	# As many ticks as two vCPUs have cycles, and a few less, for they are read later.
	local cycles
	cycles=$("$exitstat" --json 0.01 2 | jq -s '.[1].total.cycles')
	sed -i "s/tsc=3600000000/tsc=$((1200000000 + cycles / 2 + $1))/" "$dir/recording"
	second ".untimed == ($1 < 0) and .total.time_percent == $2"
}
holds "vCPUs whose exits take all of their time" busy 1 100.0000
holds "more than that is impossible" busy -1 null

holds "tables fit 80 columns" fit {boot,interval,all,svm,host}.txt \
	sort-{exits,cycles,cost,reason,name}.txt {restarted,untimed,no-vcpus}.txt
recorded vmx-boot other
prints "exits for reasons that are in the total only" other.txt "$exitstat" -n 3 0.01 3

# Names: that names.h is the kernel's is the test names.
# names ISA RECORDING
names() {
	sed -n "/ $1_names/,/^}/s/^\t{ \(.*\), \"\(.*\)\" },/\1 \2/p" "$tool/names.h" |
		while read -r number name; do echo "$((number)),$name"; done | sort >"$dir/names"
	[ "$(wc -l <"$dir/names")" -gt 50 ] || return 1
	recorded "$2"
	"$exitstat" -aH --csv | cut -d, -f5,6 | grep -v 'REASON_\|total' | sort >"$dir/shown"
	diff "$dir/names" "$dir/shown"
}
holds "all of VMX's reasons have their names" names vmx vmx-boot
recorded vmx-boot
newest_name() { "$exitstat" -a -H -r MSR_WRITE_IMM | grep '^  85 MSR_WRITE_IMM '; }
holds "those of the newest kernel, too" newest_name

# Formats.
recorded vmx-boot vmx-later
prints "--json" json.txt "$exitstat" --json .01 3
prints "--csv" csv.txt "$exitstat" --csv .01 3
prints "--csv -H" csv-no-header.txt "$exitstat" --csv -H -n 1
# jq_holds NAME FILTER: it is true of every object that exitstat prints
jq_holds() { holds "$1" jq -es "length == 3 and all(.[]; $2)" <(exec "$exitstat" --json -a .01 3); }
jq_holds "JSON: each line is an object of version 1" \
	'.version == 1 and (.kind | IN("boot", "interval"))'
jq_holds "JSON: the total is the sum" '.total.exits == ([.reasons[].exits] | add)
	and .total.cycles == ([.reasons[].cycles] | add)'
jq_holds "JSON: shares add up to 100" '([.reasons[].exits_percent] | add - 100 | fabs < 0.01)
	and ([.reasons[].cycles_percent] | add - 100 | fabs < 0.01)'
jq_holds "JSON: rates are exits by seconds" '.elapsed as $s
	| all(.reasons[]; .exits_per_second - .exits / $s | fabs < 0.001)'
jq_holds "JSON: costs are cycles by exits" 'all(.reasons[];
	if .exits > 0 then .cycles_per_exit - .cycles / .exits | fabs < 0.01
	else .cycles_per_exit == null end)'
# The recording's guest has a TSC of 2.4 GHz, but had only half of it until booted.
jq_holds "JSON: shares of time are cycles by ticks and vCPUs" '
	(if .kind == "boot" then 1.2e9 else 2.4e9 * .elapsed end) as $t
	| all(.reasons[]; .time_percent - 100 * .cycles / $t / 2 | fabs < 0.0001)'
differences_add_up() {
	recorded vmx-boot vmx-later
	"$exitstat" --json -a .01 3 | jq '.total.exits' | paste -sd+ | bc >"$dir/sum"
	sed '/^# sample/d' "$dir/recording" |
		sed '1i # sample tsc=1 uptime=1 time=1 vcpus=1' >"$dir/last"
	EXITSTAT_RECORDING=$dir/last "$exitstat" --json | jq .total.exits | diff "$dir/sum" -
}
holds "differences add up to the counters" differences_add_up
documented_fields() {
	recorded vmx-boot vmx-ledger
	{ "$exitstat" --json -m && "$exitstat" --json -P; } >"$dir/json"
	recorded vmx-boot vmx-histogram
	"$exitstat" --json --histogram | cat "$dir/json" - |
		jq -r 'paths | map(strings) | last // empty' | sort -u | in_man 39 '(Cm|,) '
}
holds "the man page has every field of JSON" documented_fields
documented_metrics() {
	recorded vmx-boot vmx-ledger
	"$exitstat" --prometheus -mP >"$dir/metrics"
	recorded vmx-boot vmx-histogram
	"$exitstat" --prometheus --histogram | cat "$dir/metrics" - |
		sed -n 's/^# TYPE \([^ ]*\) .*/\1/p' | sort -u | in_man 12 '(Cm|,) '
}
holds "and every metric" documented_metrics
recorded vmx-boot vmx-restarted
prints "--json, a restart" json-restarted.txt "$exitstat" --json -n 1 .01 3
prints "--csv, a restart" csv-restarted.txt "$exitstat" --csv -n 1 .01 3
recorded vmx-boot vmx-host
prints "--json, scope host" json-host.txt "$exitstat" --json -n 1 .01 3

# The tool's own exits: every CPUID counts itself, as real ones do, and nothing else does.
counting() { { cat "$here/recordings/$1" && echo "# counting $2"; } >"$dir/recording"; }
# own FILTER ARGUMENT...: it is true of the last report
own() {
	local filter=$1
	shift
	"$exitstat" --json "$@" 2>&1 | jq -es ".[-1]
		| (.reasons[] | select(.name | ascii_downcase == \"cpuid\")) as \$cpuid
		| $filter"
}
counting vmx-boot 10
holds "own CPUIDs: an interval has as many as documented" own '.own_cpuids == 4 + 80 + 16
	and $cpuid.exits == .own_cpuids and .total.exits == .own_cpuids' .01 3
holds "own CPUIDs: so has a command" own '.kind == "command" and .own_cpuids > 0
	and $cpuid.exits == .own_cpuids' -- true
holds "own CPUIDs: since boot" own '$cpuid.exits == 1093 + .own_cpuids'
holds "own CPUIDs: since boot, with -r" own '$cpuid.exits == 1093 + .own_cpuids' -r HLT,CPUID
holds "own CPUIDs: -r reads no more than it shows" own '.own_cpuids == 4 + 2 + 2 + 1
	and $cpuid.exits == .own_cpuids' -r HLT,CPUID,INVD .01 3
total_only() {
	"$exitstat" --json -r HLT .01 2 |
		jq -es '.[-1] | .own_cpuids == 4 + 2 and .total.exits == .own_cpuids'
}
holds "own CPUIDs: in the total, if CPUID is not shown" total_only
counting svm 0x72
sed -i 's/counting 0x72/counting 114/' "$dir/recording"
holds "own CPUIDs: on SVM" own '$cpuid.exits == .own_cpuids' .01 3

# A host with the leaves PAIR and WHICH: the same figures, with fewer CPUIDs.
# further N: from now on, the recorded host has so many further leaves, and those of each vCPU
further() { sed -i "s/eax=0x0001\(0[12]01 ebx=0x454d564b\)/eax=0x8${1}01\1/" "$dir/recording"; }
# shellcheck disable=SC2317 # holds calls it
same_figures() {
	anonymous() { "$exitstat" "$@" | sed 's/[0-9]* CPUIDs are/N CPUIDs are/'; }
	anonymous "$@" >"$dir/older" && further 2 && anonymous "$@" | diff "$dir/older" -
}
for recording in vmx-boot svm; do
	for arguments in "" -a --csv "-r hlt,0" "-a --raw -s cost" "0.01 3"; do
		recorded $recording
		[[ $recording != vmx* ]] || recorded vmx-boot vmx-later
		read -ra words <<<"$arguments"
		holds "further leaves, the same figures: $recording ${arguments:-since boot}" \
			same_figures "${words[@]}"
	done
done
counting vmx-boot 10
further 2
holds "own CPUIDs: an interval, with further leaves" own '.own_cpuids == 4 + 1 + 16
	and $cpuid.exits == .own_cpuids and .total.exits == .own_cpuids' .01 3
holds "own CPUIDs: since boot, with further leaves" own '.own_cpuids <= 25
	and $cpuid.exits == 1093 + .own_cpuids'
counting svm 114
further 2
holds "own CPUIDs: on SVM, with further leaves" own '.own_cpuids == 4 + 4 + 8
	and $cpuid.exits == .own_cpuids' .01 3

# A host with all further leaves: where time goes, and what the VMM took.
recorded vmx-boot vmx-ledger
prints "the ledger, the VMM's share, what goes back, and a restart" ledger.txt "$exitstat" .01 5
prints "-s vmm" sort-vmm.txt "$exitstat" -s vmm
prints "the ledger in JSON" ledger-json.txt "$exitstat" --json -n 2 .01 5
prints "the ledger in CSV" ledger-csv.txt "$exitstat" --csv -n 2 .01 5
prints "each vCPU" vcpus.txt "$exitstat" -P .01 5
prints "each vCPU in JSON" vcpus-json.txt "$exitstat" --json -P .01 5
prints "each vCPU in CSV" vcpus-csv.txt "$exitstat" --csv -P .01 5
prints "the ledger in OpenMetrics" ledger-openmetrics.txt "$exitstat" --openmetrics
prints "each vCPU in OpenMetrics" vcpus-openmetrics.txt "$exitstat" --openmetrics -P
holds "-H leaves out the ledger" eval '! "$exitstat" -H | grep guest'
holds "these tables fit 80 columns, too" fit {ledger,sort-vmm,vcpus,vcpus-unreached,vcpus-host}.txt
# ledger FILTER: it is true of all reports but the last, which is of a restart
ledger() { "$exitstat" --json -a .01 5 | jq -es ".[:-1] | all(.[]; $1)"; }
holds "the ledger: elapsed is the sum, but for what is held back" ledger '.ledger as $l
	| [$l | to_entries[] | select(.key != "elapsed_ns").value] | add - $l.elapsed_ns
	| fabs <= 1e7'
holds "the VMM: the total is the sum of reasons, and the share one of the ledger" ledger '
	.total.vmm_ns == ([.reasons[].vmm_ns] | add)
	and ([.ledger | to_entries[] | select(.key != "elapsed_ns").value] | add) as $sum
	| all(.reasons[]; .vmm_percent - 100 * .vmm_ns / $sum | fabs < 0.0001)'
# Of the first line, six shares are rounded by 0.05 each, and of a row, by 0.005, or 0.05 if it is
# 100.0.  The last report has none.
whole_shares() {
	"$exitstat" -P .01 5 >"$dir/shares" && awk '
		/ vCPUs: / { n = split($0, share, /[ ,]+/); first = 1 }
		first { sum = share[4] + share[7] + share[9] + share[11] + share[13] + share[15] }
		NF == 9 && !first && $1 != "CPU" { sum = $4 + $5 + $6 + $7 + $8 + $9; row = 1 }
		first || row {
			print sum
			sums++
			by = first ? 0.31 : 0.09
			bad += sum < 100 - by || sum > 100 + by
			first = row = 0
		}
		END { exit bad || sums != 4 * (1 + 3) }' "$dir/shares"
}
holds "shares add up to 100, whatever is held back" whole_shares
adds_up() {
	"$exitstat" --json .01 4 | jq -es '([.[].ledger.vmm_ns] | add) == 2665000000
		and ([.[].total.vmm_ns] | add) == 2535000000 and all(.[]; .ledger.vmm_ns >= 0)'
}
holds "what goes back is made up for" adds_up
holds "with -r, the total of the VMM is not known" eval '"$exitstat" --json -r 30 |
	jq -e ".total.vmm_ns == null and .total.vmm_percent == null and .reasons[0].vmm_ns > 0"'
# In scope host, the sums are less when a VM has gone, as in the last sample.
recorded vmx-boot vmx-ledger
sed -i 's/eax=0x85010101/eax=0x85020101/' "$dir/recording"
prints "scope host: each vCPU has its ledger, all together have none" vcpus-host.txt \
	"$exitstat" -P .01 5
of_host() {
	"$exitstat" .01 5 >"$dir/host" && [ "$(grep -c '^scope host, ' "$dir/host")" = 5 ] &&
		[ "$(grep -c ' total ' "$dir/host")" = 5 ] &&
		! grep -e 'vCPUs: ' -e VMM% -e restarted "$dir/host"
}
holds "scope host: a VM that goes is no restart" of_host
holds "scope host: JSON" eval '"$exitstat" --json .01 5 | jq -es "length == 5 and all(.[];
	.restarted == false and (has(\"ledger\") | not) and (.total | has(\"vmm_ns\") | not))"'
holds "scope host: JSON of each vCPU" eval '"$exitstat" --json -P .01 5 | jq -es "length == 5
	and all(.[]; (has(\"ledger\") | not) and all(.per_vcpu[]; .ledger.elapsed_ns >= 0))"'
csv_of_host() {
	"$exitstat" --csv >"$dir/csv" && grep '^time,.*,time_percent$' "$dir/csv" &&
		grep ',,total,.*,[^,]*$' "$dir/csv" && "$exitstat" --csv -P >"$dir/csv" &&
		grep '^time,.*,ledger_asleep_ns$' "$dir/csv" &&
		grep ',0,.*,30000000$' "$dir/csv" && grep ',all,41694,,79376014,,,,,,,,$' "$dir/csv"
}
holds "scope host: CSV" csv_of_host
metrics_of_host() {
	"$exitstat" --prometheus -P >"$dir/metrics" && ! grep kvm_guest_vmm "$dir/metrics" &&
		[ "$(grep -c '^kvm_guest_vcpu_seconds_total{.*cpu=' "$dir/metrics")" = 12 ] &&
		"$exitstat" --prometheus >"$dir/metrics" && grep kvm_guest_exits "$dir/metrics" &&
		! grep -e kvm_guest_vmm -e seconds "$dir/metrics"
}
holds "scope host: metrics" metrics_of_host
echo "# counting 10" >>"$dir/recording"
holds "own CPUIDs: scope host" own '.own_cpuids == 4 + 1 + 16
	and $cpuid.exits == .own_cpuids and .total.exits == .own_cpuids' .01 6
# How many CPUIDs: a report costs least if only CPUID had exits, and two reasons ever had returns.
recorded vmx-boot vmx-ledger
sed -i '/^# sample tsc=36/,$d' "$dir/recording"
echo "# counting 10" >>"$dir/recording"
holds "own CPUIDs: since boot, with all further leaves" own '$cpuid.exits == 1093 + .own_cpuids'
# At the second sample, the exits of the others were new at the first one.
holds "own CPUIDs: an interval, with all further leaves" own '.own_cpuids == 12 + 16 + 16
	and $cpuid.exits == .own_cpuids and .total.exits == .own_cpuids' .01 2
holds "own CPUIDs: one in which the VMM had little to do" own '.own_cpuids == 12 + 16 + 3
	and $cpuid.exits == .own_cpuids and .total.exits == .own_cpuids' .01 5
holds "own CPUIDs: with -P" eval '"$exitstat" --json -P .01 3 |
	jq -es ".[2] | .own_cpuids == 11 + 2 * 9 and .total.exits == .own_cpuids"'
one_vcpu() { sed -i 's/vcpus=2.*/vcpus=1/' "$dir/recording"; }
recorded vmx-boot vmx-ledger
one_vcpu
holds "one vCPU is one" eval '"$exitstat" | grep "^1 vCPU: guest 60.0 %, exits 0.1, VMM 10.0,"'
holds "-P of one vCPU" eval '[ "$("$exitstat" -PH | wc -l)" = 2 ]'
recorded vmx-boot vmx-ledger
sed -i 's/\(0x4ffffff8 0x0[1-6]:\) eax=.*/\1 eax=0x54c1bc80 ebx=0x1 ecx=0x0 edx=0x0/
	s/vcpus=2/vcpus=8000/' "$dir/recording"
whole() { "$exitstat" | sed 1q | grep -x '8000 vCPUs: guest 17 %, exits 17, .* asleep 17'; }
holds "what would not fit 80 columns is whole" whole
recorded vmx-boot
further 4
cat >>"$dir/recording" <<-END
	$(for i in 0 1 2 3 4 5 6; do
		echo "   0x4ffffff8 0x0$i: eax=0x0 ebx=0x0 ecx=0x0 edx=0x0"
	done)
END
no_time() {
	"$exitstat" | sed 1q |
		grep -x '2 vCPUs: guest -, exits -, VMM -, halted -, waiting -, asleep -'
}
holds "no time, no shares" no_time
recorded vmx-boot
further 4
holds "a ledger that is not told" eval '! "$exitstat" | grep guest &&
	"$exitstat" --json | jq -e ".ledger == null"'
further_3() { "$exitstat" | sed 2q | grep -q guest && ! "$exitstat" | grep VMM%; }
recorded vmx-boot vmx-ledger
sed -i 's/eax=0x85010101/eax=0x83010101/' "$dir/recording"
holds "a host that tells where time goes, but not for what reason" further_3
# SVM's longest name
recorded svm
further 4
long_name() {
	! "$exitstat" -a | grep -E '.{81}' && "$exitstat" -a | grep ' avic_unaccelerated_~ ' &&
		"$exitstat" -a --raw | grep ' avic_unaccelerated_access '
}
holds "SVM's names fit beside VMM%" long_name

# The longest exits
recorded vmx-boot vmx-ledger
prints "-m" max.txt "$exitstat" -m .01 5
prints "-m of each vCPU" max-vcpus.txt "$exitstat" -mP .01 5
prints "-m in JSON" max-json.txt "$exitstat" --json -m -n 2 .01 5
prints "-m of each vCPU in JSON" max-vcpus-json.txt "$exitstat" --json -mP .01 5
prints "-m in CSV" max-csv.txt "$exitstat" --csv -m -n 2 .01 5
prints "-m of each vCPU in CSV" max-vcpus-csv.txt "$exitstat" --csv -mP .01 5
holds "with -m, tables fit 80 columns" fit {max,max-vcpus}.txt
# adds OPTION OPTION...: what the first one adds to metrics, which is all that it changes
adds() {
	"$exitstat" --openmetrics "${@:2}" >"$dir/without"
	"$exitstat" --openmetrics "$@" | { diff "$dir/without" - || true; } |
		grep -v '^[0-9,]*a[0-9,]*$'
}
prints "-m in metrics" max-metrics.txt adds -m -P
# left_out OPTION...: without the first one, metrics are the same, and of a host that serves
left_out() { [ -z "$(adds "$@")" ] && grep -x 'kvm_guest_exit_stats_up 1' "$dir/without"; }
# cpuids OPTION...: how many CPUIDs are in three reports' exits
cpuids() {
	"$exitstat" --prometheus "$@" -o "$dir/f.prom" .01 3 &&
		sed -n 's/^kvm_guest_exits_total{.*"CPUID"} //p' "$dir/f.prom"
}
# metrics COUNT OPTION...: of so many reports, the last one is of a host that serves
metrics() {
	"$exitstat" --prometheus "${@:2}" -o "$dir/f.prom" .01 "$1" &&
		grep -x 'kvm_guest_exit_stats_up 1' "$dir/f.prom"
}
# longest FILTER ARGUMENT...: it is true of the reasons' and the total's maxima, an object a report
longest() {
	local filter=$1
	shift
	"$exitstat" --json -m "$@" 2>&1 | jq -es "[.[]
		| [.total, .reasons[]?] | map({(.name // \"total\"): .max_cycles}) | add] | $filter"
}
holds "-m: the longest since the start, and then in each interval" longest '
	.[0].MSR_WRITE == 15300 and .[0].IO_INSTRUCTION == 131072
	and .[1] == { total: 2400000, IO_INSTRUCTION: 2400000, HLT: 1900000, EPT_MISCONFIG: 0 }
	and .[2].MSR_WRITE == 2000 and .[3].MSR_WRITE == 1000' .01 4
holds "-m: with -y, what was before an interval is not in it" longest '
	.[1] == { total: 2000, MSR_WRITE: 2000 }' -y .01 2
holds "-m: while a command runs" longest '.[0].IO_INSTRUCTION == 2400000' -- true
holds "-m: the total is the longest, whatever -n shows" longest '
	.[0] == { total: 2100000, IO_INSTRUCTION: 131072 }' -n 1
holds "-m: or that of the reasons of -r" longest '
	.[0] == { total: 15300, MSR_WRITE: 15300, HLT: 801 }' -r HLT,MSR_WRITE
keeps_max() {
	"$exitstat" --prometheus -m -o "$dir/f.prom" .01 4 &&
		grep -x 'kvm_guest_exit_max_cycles{.*"EPT_VIOLATION"} 2100000' "$dir/f.prom" &&
		grep -x 'kvm_guest_exit_max_cycles{.*"MSR_WRITE"} 15300' "$dir/f.prom"
}
holds "-m: metrics are since the start in each report" keeps_max
sed -i '/^# sample tsc=8400000000/{
	a \\   0x4fffffff 0x1e: eax=0x00000000 ebx=0x00000000 ecx=0x18e5ffff edx=0x00000000
	a \\   0x4ffffff6 0x1e: eax=0x002dc6c0 ebx=0x00000000 ecx=0x002dc6c0 edx=0x00000000
}' "$dir/recording"
holds "-m: an exit that was counted before, and ends later" longest '
	.[2].IO_INSTRUCTION == 3000000' .01 3
recorded vmx-boot other
further 5
holds "-m: not known of exits that are in the total only" longest '.[1].OTHER == null
	and .[1].total == 0' .01 2
recorded vmx-boot vmx-ledger
sed -i '/^# sample tsc=36/,$d' "$dir/recording"
echo "# counting 10" >>"$dir/recording"
holds "own CPUIDs: since boot, with -m" own '$cpuid.exits == 1093 + .own_cpuids' -m
holds "own CPUIDs: with -m, those of reasons that had exits" own '.own_cpuids == 12 + 16 + 3 + 1
	and $cpuid.exits == .own_cpuids and .total.exits == .own_cpuids' -m .01 5
holds "own CPUIDs: with -m and -P" eval '"$exitstat" --json -mP .01 3 |
	jq -es ".[2] | .own_cpuids == 11 + 2 * (9 + 1 + 3) and .total.exits == .own_cpuids"'
recorded vmx-boot
further 4
fails "-m: on an older host" 3 'does not tell the longest exits, .* newer KVM$' "$exitstat" -m
fails "-m: on an older host, of each vCPU" 3 'does not tell the longest exits' "$exitstat" -mP
fails "-m: on an older host, a command is not run" 3 'does not tell the longest' \
	"$exitstat" -m -- touch "$dir/ran"
holds "it is not run" [ ! -e "$dir/ran" ]
holds "-m: on an older host, metrics are the others" left_out -m
recorded vmx-boot vmx-ledger
sed -i 's/eax=0x85010101/eax=0x84010101/' "$dir/recording"
holds "-m: of each vCPU, too" left_out -m -P
sed -i '/^# sample tsc=36/,$d' "$dir/recording"
echo "# counting 10" >>"$dir/recording"
holds "own CPUIDs: then -m takes none" eval '[ "$(cpuids -mP)" = "$(cpuids -P)" ]'
recorded vmx-boot vmx-ledger
sed -i 's/eax=0x85010101/eax=0x85020101/' "$dir/recording"
fails "-m: in scope host" 3 'in scope host, .* each vCPU alone; add -P$' "$exitstat" -m
holds "-m: in scope host, of each vCPU" eval '"$exitstat" --json -mP .01 2 | jq -es "
	[.[].per_vcpu[].max_cycles] == [2100000, 90000, 2400000, 1900000]
	and .[0].total.max_cycles == 2100000"'
holds "-m: in scope host, metrics are the others" left_out -m
gauges_of_host() { adds -m -P | grep -v '^> # ' | cut -d'{' -f1 | uniq -c | xargs; }
holds "-m: in scope host, metrics" grep -x '2 > kvm_guest_vcpu_exit_max_cycles' <(gauges_of_host)
# signs EAX TSC: from that sample on, the signature says that of further leaves
signs() {
	local signature="eax=$1 ebx=0x454d564b ecx=0x53746978 edx=0x73746174"
	sed -i "/^# sample tsc=$2/a \\   0x4ffffffb 0x00: $signature" "$dir/recording"
}
# no_more EAX: so it does from the second sample on
no_more() {
	recorded vmx-boot vmx-ledger
	signs "$1" 3600000000
}
# longest_no_more: from the second sample on, the host does not tell the longest exits
longest_no_more() { no_more 0x84010101; }
longest_no_more
run "$exitstat" -m .01 5
longest_stopped() {
	[ "$status" -eq 3 ] && grep 'does not tell the longest' "$dir/err" &&
		[ "$(grep -c ' total ' "$dir/out")" = 1 ]
}
also "-m: not told any more between two reports" longest_stopped
no_gauges() { metrics 2 -mP && ! grep max_cycles "$dir/f.prom"; }
holds "-m: metrics then are the others" no_gauges
signs 0x85010101 10800000000
# What came meanwhile is read then, though it stands still.
gauges_again() {
	metrics 3 -mP &&
		grep -x 'kvm_guest_exit_max_cycles{.*"EPT_VIOLATION"} 2100000' "$dir/f.prom" &&
		grep -x 'kvm_guest_exit_max_cycles{.*"IO_INSTRUCTION"} 2400000' "$dir/f.prom" &&
		grep -x 'kvm_guest_vcpu_exit_max_cycles{.*"0"} 2400000' "$dir/f.prom"
}
holds "-m: told again, they are there again" gauges_again
rm -f "$dir/f.prom"

# Histograms
recorded vmx-boot vmx-histogram
prints "--histogram" histogram.txt "$exitstat" --histogram .01 4
prints "--histogram of some reasons" histogram-some.txt \
	"$exitstat" -mH --raw --histogram=io_instruction,32 .01 3
prints "--histogram in JSON" histogram-json.txt "$exitstat" --json --histogram -n 1 .01 2
prints "--histogram in metrics" histogram-metrics.txt adds --histogram -r MSR_WRITE
holds "with --histogram, what is drawn fits 80 columns" fit histogram.txt
# histograms FILTER ARGUMENT...: it is true of an array of reports, each an object of reasons
histograms() {
	local filter=$1
	shift
	"$exitstat" --json --histogram "$@" 2>&1 |
		jq -es "map(.reasons | map({(.name): .}) | add) | $filter"
}
holds "--histogram: there is each exit since the start" histograms '.[0] | length == 16
	and all(.[]; (.histogram | add) == .exits and (.histogram | length) == 32)'
# By the definition, from all exits one by one; a report of 3 billion has too many.
quantiles() {
	histograms 'all(.[] | .[] | select(.exits < 1e6);
		(.histogram | to_entries | map(.value as $n | .key | [range($n) as $i | .])
			| add) as $all
		| [.p50_cycles, .p99_cycles, .p999_cycles] == ([0.5, 0.99, 0.999]
			| map($all[(. * ($all | length) | ceil) - 1])
			| map(if . == 31 then null else pow(2; . + 1) - 1 end)))' "$@"
}
holds "--histogram: quantiles since the start" quantiles
holds "--histogram: quantiles of each interval" quantiles .01 4
holds "--histogram: in the last bucket, there is no bound" histograms '.[1].HLT
	| .p50_cycles == null and .histogram[31] == 1 and (.histogram | add) == 1' .01 2
holds "--histogram: a bucket that exits leave stays as it was until it has made up for that" \
	histograms '[.[].MSR_WRITE.histogram | .[9]] == [248, 0, 9, null]
	and .[1].MSR_WRITE.histogram[22] == 1' .01 4
holds "--histogram: a bucket that passes 32 bits" histograms '
	[.[].IO_INSTRUCTION.histogram[0]] == [0, 0, 2999999999, 3499999999]' .01 4
holds "--histogram: while a command runs" histograms '.[0].IO_INSTRUCTION
	| .histogram[21] == 1 and .p50_cycles == 2047' -- true
holds "--histogram: -a, in JSON" histograms '.[0].TRIPLE_FAULT
	| .p99_cycles == null and (.histogram | length == 32 and add == 0)' -a
holds "--histogram: and else not" eval '"$exitstat" --histogram -aH | grep -c ^cycles: | grep -x 16'
holds "--histogram: -s and -n" eval '"$exitstat" --histogram -H -s cycles -n 1 | grep EPT_VIOL'
metrics_of_all_time() {
	"$exitstat" --prometheus --histogram -o "$dir/f.prom" .01 6 &&
		sed -n 's/^kvm_guest_exit_duration_cycles_//p' "$dir/f.prom" >"$dir/durations" &&
		grep -x 'bucket{.*"IO_INSTRUCTION",le="1.0"} 6499999998' "$dir/durations" &&
		grep -x 'count{.*"IO_INSTRUCTION"} 6500023712' "$dir/durations" &&
		grep -x 'count{.*"MSR_WRITE"} 357' "$dir/durations" &&
		[ "$(wc -l <"$dir/durations")" = $((16 * 34)) ]
}
holds "--histogram: metrics are since the start in each report" metrics_of_all_time
# What Prometheus finds is in the bucket of which exitstat has the bound.
prometheus_agrees() {
	{
		printf 'tests:\n  - input_series:\n'
		"$exitstat" --prometheus --histogram |
			sed -n "s/^\(.*_bucket{.*\) \(.*\)/      - {series: '\1', values: '\2'}/p"
		echo '    promql_expr_test:'
		"$exitstat" --json --histogram | jq -r '.reasons[] | .name as $name
			| { "0.5": .p50_cycles, "0.99": .p99_cycles, "0.999": .p999_cycles }
			| to_entries[] | "      - expr: count((histogram_quantile(\(.key),"
			+ " kvm_guest_exit_duration_cycles_bucket{reason=\"\($name)\"})"
			+ " <= \(.value)) > \(.value - 1) / 2)\n"
			+ "        exp_samples: [{labels: \"{}\", value: 1}]"'
	} >"$dir/quantiles.test.yml"
	grep -c expr: "$dir/quantiles.test.yml" | grep -x $((16 * 3)) &&
		promtool test rules "$dir/quantiles.test.yml"
}
holds "--histogram: Prometheus finds the same quantiles" prometheus_agrees
cat >>"$dir/recording" <<-END
	# sample tsc=13200000000 uptime=17.5 time=1700000005.25 vcpus=2
	   0x4ffffffe 0x1e: eax=0x00000005 ebx=0x00000000 ecx=0x00000000 edx=0x00000000
	   0x4fffffff 0x1e: eax=0x00000000 ebx=0x00000000 ecx=0x00001000 edx=0x00000000
	$(for group in 0 1 2 3 4 5; do
		echo "   0x4ffffff5 0x0${group}00001e: eax=0x0 ebx=0x0 ecx=0x$((group / 2)) edx=0x0"
	done)
END
holds "--histogram: a restart" histograms '.[4] == null' .01 5
begins_anew() {
	"$exitstat" --prometheus --histogram -o "$dir/f.prom" .01 5 &&
		grep -x 'kvm_guest_exit_duration_cycles_count{.*"IO_INSTRUCTION"} 6' "$dir/f.prom"
}
holds "--histogram: in metrics, too" begins_anew
rm -f "$dir/f.prom"
recorded vmx-boot vmx-histogram
sed -i '/^# sample tsc=36/,$d' "$dir/recording"
cat "$here/recordings/other" >>"$dir/recording"
holds "--histogram: not known of exits that are in the total only" histograms '
	.[1].OTHER | .exits > 0 and .histogram == null and .p50_cycles == null' .01 2
recorded vmx-boot vmx-histogram
sed -i '/^# sample tsc=36/,$d' "$dir/recording"
echo "# counting 10" >>"$dir/recording"
holds "own CPUIDs: since boot, with --histogram" own '$cpuid.exits == 1093 + .own_cpuids' \
	--histogram
holds "own CPUIDs: with --histogram, those of reasons that had exits" own '
	.own_cpuids == 4 + 1 + 16 + 1 + 1 + 8
	and $cpuid.exits == .own_cpuids and .total.exits == .own_cpuids' --histogram .01 5
holds "own CPUIDs: without, there are none of them" own '.own_cpuids == 4 + 1 + 16 + 1 + 1' .01 5
recorded vmx-boot
further 5
fails "--histogram: on an older host" 3 'does not tell how long .* newer KVM$' \
	"$exitstat" --histogram
holds "--histogram: on an older host, metrics are the others" left_out --histogram
sed -i 's/eax=0x85/eax=0x86/' "$dir/recording"
fails "--histogram: on a host that has them off" 3 'exit_stats_histogram=Y$' "$exitstat" --histogram
also "that is one line" [ "$(wc -l <"$dir/err")" = 1 ]
fails "--histogram: and then a command is not run" 3 'exit_stats_histogram=Y$' \
	"$exitstat" --histogram -- touch "$dir/ran"
holds "it isn't" [ ! -e "$dir/ran" ]
fails "--histogram: nor is it told of a reason without exits" 3 'exit_stats_histogram=Y$' \
	"$exitstat" --histogram=TRIPLE_FAULT
holds "--histogram: metrics are the others" left_out --histogram
holds "--histogram: nor do they have a reason without exits" left_out --histogram=TRIPLE_FAULT \
	-ar TRIPLE_FAULT
echo "# counting 10" >>"$dir/recording"
holds "own CPUIDs: while they are off, metrics take 1, and 1 more before the first report" \
	eval '[ $(($(cpuids --histogram) - $(cpuids))) = 4 ]'
recorded vmx-boot vmx-histogram
sed -i 's/eax=0x86010101/eax=0x86020101/' "$dir/recording"
fails "--histogram: in scope host" 3 'in scope host, .* whoever runs it for scope vm$' \
	"$exitstat" --histogram
holds "--histogram: in scope host, metrics are the others" left_out --histogram
# switched OFF ON: histograms are off from the sample of the one TSC to that of the other one
switched() {
	recorded vmx-boot vmx-histogram
	cat >>"$dir/recording" <<-END
		# sample tsc=13200000000 uptime=17.5 time=1700000005.25 vcpus=2
		   0x4ffffffe 0x0a: eax=0x00000446 ebx=0x00000000 ecx=0x00000000 edx=0x00000000
		   0x4ffffffe 0x20: eax=0x00000166 ebx=0x00000000 ecx=0x00000000 edx=0x00000000
		   0x4fffffff 0x20: eax=0x00000000 ebx=0x00000000 ecx=0x0050ea00 edx=0x00000000
		   0x4ffffff5 0x02000020: eax=0x34 ebx=0x102 ecx=0x22 edx=0x0
		# sample tsc=15600000000 uptime=18.5 time=1700000006.25 vcpus=2
	END
	awk -v off="$1" -v on="$2" '
		function is(tsc) { return $1 " " $2 " " $3 == "# sample tsc=" tsc }
		$1 == "0x4ffffff5" && $2 ~ /^0x000000/ {
			told[$2] = $0
			if (is_off)
				next
		}
		{ print }
		is(off) {
			is_off = 1
			for (i in told)
				print "   0x4ffffff5", i, "eax=0x0 ebx=0x0 ecx=0x0 edx=0xffffffff"
		}
		is(on) {
			is_off = 0
			for (i in told)
				print told[i]
		}' "$dir/recording" >"$dir/switched"
	mv "$dir/switched" "$dir/recording"
}
# histogram_no_more: from the second sample on, the host has histograms off
histogram_no_more() { switched 3600000000 never; }
histogram_no_more
run "$exitstat" --histogram .01 5
histogram_stopped() {
	[ "$status" -eq 3 ] && grep 'exit_stats_histogram=Y$' "$dir/err" &&
		[ "$(grep -c '^scope ' "$dir/out")" = 1 ]
}
also "--histogram: switched off between two reports" histogram_stopped
no_durations() { metrics "$1" --histogram && ! grep duration "$dir/f.prom"; }
holds "--histogram: metrics then are the others" no_durations 4
switched 13200000000 15600000000
holds "--histogram: so they are, whenever" no_durations 5
# They go on with all 64 bits, and have what came before they were off, though it stands still.
goes_on() {
	metrics 6 --histogram &&
		sed -n 's/^kvm_guest_exit_duration_cycles_//p' "$dir/f.prom" >"$dir/durations" &&
		grep -x 'bucket{.*"IO_INSTRUCTION",le="1.0"} 6499999998' "$dir/durations" &&
		grep -x 'count{.*"MSR_WRITE"} 358' "$dir/durations" &&
		[ "$(wc -l <"$dir/durations")" = $((16 * 34)) ]
}
holds "--histogram: on again, they go on where they were" goes_on
switched 1200000000 15600000000
holds "--histogram: off at first, they are left out" no_durations 5
begins() {
	metrics 6 --histogram &&
		grep 'duration.*"IO_INSTRUCTION",le="1.0"} 2205032702' "$dir/f.prom"
}
holds "--histogram: and begin with 32 bits when they are on" begins
rm -f "$dir/f.prom"

# vCPUs that cannot be reached, or not any more
recorded vmx-boot vmx-ledger
sed -i 's/vcpus=2/vcpus=3 present=5/; 3i # may use 1 3 4\n# goes 3\n# gone 4' "$dir/recording"
prints "-P: vCPUs that are not reached" vcpus-unreached.txt "$exitstat" -P .01 2
holds "-P: which JSON names" eval '"$exitstat" --json -P | jq -e ".unreached == [0, 2, 3, 4]
	and [.per_vcpu[].cpu] == [1]"'
comes() {
	"$exitstat" --json -mP .01 4 | jq -es '[.[].per_vcpu | map(select(.cpu == 1))]
		| .[0] == [] and .[1][0].exits == null and .[1][0].ledger == null
			and .[1][0].max_cycles == null and .[2][0].exits == 10
			and .[2][0].max_cycles == 2000'
}
recorded vmx-boot vmx-ledger
sed -i '3i # may use 0' "$dir/recording"
sed -i '/^# sample tsc=3600000000/a # may use 0 1' "$dir/recording"
holds "-P: a vCPU that comes has no figures at first" comes
# Two series of metrics, of which the second is what a state that went back must not be less than
holds_over_gap() {
	recorded vmx-boot vmx-ledger
	# vCPU 1 waits outside while it loses time in asleep; 0.0390 s before, 0.0369 s afterwards.
	sed -i '/^# sample tsc=8400000000/a # may use 0
		/^# sample tsc=10800000000/a # may use 0 1
		/^# sample tsc=10800000000/,$s/\(0x4fffffe8 0x06: eax=\)0x02519120/\10x02330ca0/' \
		"$dir/recording"
	"$exitstat" --prometheus -P -o "$dir/f.prom" .01 3 && ! grep 'cpu="1"' "$dir/f.prom" &&
		"$exitstat" --prometheus -P -o "$dir/f.prom" .01 4 &&
		grep -x 'kvm_guest_vcpu_seconds_total{.*,cpu="1",state="asleep"} 0.038900000' \
			"$dir/f.prom"
}
holds "-P: times do not go back over a gap" holds_over_gap
own_time() {
	recorded vmx-boot vmx-ledger
	sed -i '/^# sample tsc=3600000000/a # late 1 1' "$dir/recording"
	"$exitstat" --json -P .01 2 |
		jq -es '[.[1].per_vcpu[].exits_per_second] == [1000, 400 / 2]'
}
holds "-P: exits per second are those of the vCPU's own time" own_time
recorded vmx-boot vmx-ledger
sed -i '3i # stuck 1' "$dir/recording"
ends 143 "-P: a vCPU that does not run can be given up" \
	timeout --preserve-status -k 5 0.5 "$exitstat" -P
recorded vmx-boot vmx-ledger
no_thread() { LD_PRELOAD=$build/nothread.so "$build/valgrind/exitstat" "$@"; }
for format in "" --json --prometheus; do
	# shellcheck disable=SC2086 # no word is wanted
	fails "-P $format: without another thread" 1 'cannot go to each vCPU: Resource temp' \
		no_thread -P $format
done
also "that is one line" [ "$(wc -l <"$dir/err")" = 1 ]
fails "-P: and then a command is not run" 1 'cannot go' no_thread -P -- touch "$dir/ran"
holds "it is not either" [ ! -e "$dir/ran" ]
fails "-P: nor a file written" 1 'cannot go' no_thread -P --prometheus -o "$dir/f.prom2" .01 3
holds "indeed" [ ! -e "$dir/f.prom2" ]
many() {
	sed -i 's/vcpus=2/vcpus=2 present=199/; s/# may use.*/# may use '"$(seq -s ' ' 0 2 198)/" \
		"$dir/recording"
	"$exitstat" -P >"$dir/many" && ! grep -E '.{81}' "$dir/many" &&
		grep '^not reached .* CPU 1, 3, 5, ' "$dir/many" && grep '^  .* 197$' "$dir/many"
}
recorded vmx-boot vmx-ledger
sed -i '3i # may use 0' "$dir/recording"
holds "-P: many of them fit 80 columns" many
headless() { "$exitstat" -PH >"$dir/headless" && [ "$(grep -c . "$dir/headless")" = 101 ]; }
holds "-P: -H does not name them" headless
recorded vmx-boot vmx-ledger
holds "-P: a command" eval '"$exitstat" -P -- true 2>&1 | grep "^   1    400 "'
# The affinity that this test was started with, or a part of it
affinity() {
	taskset -c "$cpu" "$exitstat" -P -o "$dir/f" -- sh -c 'taskset -cp $$' | grep ": $cpu\$"
}
holds "-P: a command keeps the affinity" affinity
rm -f "$dir/f"
recorded vmx-boot
fails "-P: on an older host" 3 'does not tell a vCPU its own figures' "$exitstat" -P
fails "-P: on an older host, a command is not run" 3 'does not tell a vCPU' \
	"$exitstat" -P -- touch "$dir/ran"
holds "it is not" [ ! -e "$dir/ran" ]
further 2
no_states() {
	"$exitstat" -P >"$dir/stateless" && sed -n 2p "$dir/stateless" |
		grep -x ' CPU  EXITS EXITS/s  TIME%' && tail -n 1 "$dir/stateless" |
		grep -x ' all  41694    3336   3.31'
}
holds "-P: a host that tells each vCPU, but not where time goes" no_states

# down_once: metrics are, and why is said once
down_once() {
	[ "$status" -eq 3 ] && [ "$(wc -l <"$dir/err")" = 1 ] &&
		[ "$(tail -n 1 "$dir/f.prom")" = 'kvm_guest_exit_stats_up 0' ]
}
# each_no_more: from the second sample on, the host tells no vCPU its own figures
each_no_more() { no_more 0x05010101; }
each_no_more
run "$exitstat" -P .01 5
each_stopped() {
	[ "$status" -eq 3 ] && grep 'does not tell a vCPU its own figures' "$dir/err" &&
		[ "$(grep -c '^ all ' "$dir/out")" = 1 ]
}
also "-P: not told any more between two reports" each_stopped
run "$exitstat" --prometheus -P -o "$dir/f.prom" .01 4
also "-P: metrics then are down, which is said once" down_once
rm -f "$dir/f.prom"

# gone: to be read once, and then not any more
gone() {
	recorded vmx-boot
	cat >>"$dir/recording" <<-END
		# sample tsc=3600000000 uptime=13.5 time=1700000001.25 vcpus=2
		   0x4ffffffb 0x00: eax=0x07080603 ebx=0x00000000 ecx=0x00000000 edx=0x9c000603
		   0x4ffffffe 0x1e: eax=0x07080603 ebx=0xffffffff ecx=0x00000000 edx=0x9c000603
	END
}

# A command.
recorded vmx-boot vmx-later
gone
run bash -c "'$exitstat' --csv -o '$dir/f' .01 5 <&- 2>&-"
only_reports() { grep total "$dir/f" && ! grep 'exitstat:' "$dir/f"; }
also "a closed stderr does not become the file" only_reports
recorded vmx-boot vmx-later
descriptors() {
	sh -c 'echo /proc/self/fd/*' >"$dir/without"
	"$exitstat" -o "$dir/f" -- sh -c 'echo /proc/self/fd/*' | diff "$dir/without" -
}
holds "a command gets no descriptor of exitstat's" descriptors
rm "$dir/f"
run "$exitstat" -- sh -c 'echo out; echo err >&2; exit 7'
as_perf_stat() {
	sed 1d "$dir/err" >"$dir/report"
	[ "$status" -eq 7 ] && [ "$(cat "$dir/out")" = out ] && [ "$(sed 1q "$dir/err")" = err ] &&
		as_expected command.txt "$dir/report"
}
also "a command: its status, its output, and the report on stderr" as_perf_stat
# shellcheck disable=SC2016 # its own process
ends 143 "a command that a signal ends" "$exitstat" -- sh -c 'kill -TERM $$'
ends 127 "a command that is not there" "$exitstat" -- "$dir/none"
ends 126 "a command that is not executable" "$exitstat" -- "$dir/recording"
ends 3 "a command that exits with 3 itself" "$exitstat" -- sh -c 'exit 3'
ends 5 "SIGCHLD being ignored" bash -c "trap '' CHLD; exec '$exitstat' -- sh -c 'exit 5'"
passes_on() {
	"$exitstat" -- sh -c "trap 'exit 9' TERM
		echo >'$dir/started'
		for i in \$(seq 100); do sleep 0.05; done" 2>/dev/null &
	local pid=$! status=0
	await [ -e "$dir/started" ] && kill -TERM $pid && wait $pid || status=$?
	[ $status -eq 9 ]
}
holds "SIGTERM is the command's" passes_on
# The kernel tells only the first process of a terminal that it has gone.
hangs_up() {
	python3 -c 'import os, pty, sys, time
pid, terminal = pty.fork()
if not pid:
    os.execv(sys.argv[1], [sys.argv[1], "--", "sleep", "30"])
time.sleep(0.5)
os.close(terminal)
for i in range(100):
    time.sleep(0.05)
    if os.waitpid(pid, os.WNOHANG)[0]:
        sys.exit(0)
os.kill(pid, 9)
sys.exit(1)' "$exitstat"
}
holds "so is the end of the terminal" hangs_up
ends 127 "with a file" "$exitstat" -o "$dir/f" -- "$dir/none"
nothing() { [ -z "$(files)" ]; }
also "which is not made for nothing" nothing
to_file() {
	[ "$("$exitstat" --json -o "$dir/f" -- echo -n out 2>&1)" = out ] &&
		jq -e '.kind == "command"' "$dir/f"
}
holds "the report of a command in a file" to_file
recorded vmx-boot vmx-restarted
run "$exitstat" -- true
also "a restart while a command runs" as_expected command-restarted.txt "$dir/err"

# Nothing to read, not any more, or nothing that is known.
recorded absent
fails "without the feature" 3 'does not serve VM-exit statistics' "$exitstat"
also "that is one line" [ "$(wc -l <"$dir/err")" = 1 ]
for args in "--json" "--csv 1" "-t" "-a"; do
	# shellcheck disable=SC2086 # words are wanted
	fails "without the feature: $args" 3 'does not serve' "$exitstat" $args
done
fails "without the feature, a command is not run" 3 'does not serve' "$exitstat" -- touch "$dir/ran"
holds "indeed not" [ ! -e "$dir/ran" ]
fails "without the feature, a file is not touched" 3 'does not serve' \
	"$exitstat" -o "$dir/untouched"
holds "indeed it is not" [ ! -e "$dir/untouched" ]
sed 's/eax=0x00010101/eax=0x00010102/' "$here/recordings/vmx-boot" >"$dir/recording"
fails "of a later version" 3 'version 2, .* does not know' "$exitstat"
sed 's/eax=0x00010101/eax=0x00010301/' "$here/recordings/vmx-boot" >"$dir/recording"
fails "of an unknown architecture" 3 'exit reasons 3, .* does not know' "$exitstat"
gone
run "$exitstat" --csv .01 5
stopped() {
	[ "$status" -eq 3 ] && grep 'does not serve' "$dir/err" &&
		[ "$(grep -c total, "$dir/out")" = 1 ]
}
also "switched off between two reports" stopped
ends 4 "switched off while a command runs" "$exitstat" -- sh -c 'exit 4'
also "which it says" grep 'does not serve' "$dir/err"

# Bad arguments.  On any host, so even here:
recorded absent
misused 'invalid option' -x
misused 'unrecognized option' --bogus
misused 'ambiguous' --r
misused 'requires an argument' -s
misused "doesn't allow an argument" --all=1
misused "'time' is no sort key" -s time
misused "whole number from 1, not '0'" -n 0
misused "whole number from 1, not '-1'" -n -1
misused "whole number from 1, not '1x'" -n 1x
misused "whole number from 1, not '99999999999999999999'" -n 99999999999999999999
for list in NONSENSE "" "HLT," ",HLT" 4294967296 0x REASON_ REASON_x -5 \
	99999999999999999999999999999999999999; do
	misused "is no list of exit reasons" -r "$list"
done
misused "invalid option" -1
for interval in "" 0 0.0009 1000001 0x10 1e1 nan " 1" . 1.1.1; do
	misused "no INTERVAL from 0.001 to 1000000 seconds" "$interval"
done
misused "no INTERVAL .* comes after --" sleep 1
misused "COUNT is a whole number from 1, not '0'" 1 0
misused "COUNT is a whole number from 1, not '1.5'" 1 1.5
misused "one argument too many" 1 2 3
misused "no COMMAND after --" --
misused "INTERVAL and a COMMAND" 1 -- true
misused "exclude each other" --json --csv
misused "metrics are counters" --openmetrics -- true
misused "metrics are counters" --prometheus -- true
misused "need -o FILE" --openmetrics 1
misused "need -o FILE" --prometheus -o - 1 2
misused "exclude each other" --prometheus --openmetrics
misused "y leaves out what metrics" -y --prometheus
misused "with a COMMAND there is none" -y -- true
misused "without an INTERVAL" -y
misused "t shows no COMMAND" -t -- true
misused "t writes no format" -t --json
misused "t writes no format" -t -o "$dir/x"
misused "t writes no format" -t -o -
misused "P shows no reasons" -P -s vmm
misused "P shows no reasons" -P -n 1
misused "P shows no reasons" -P -r HLT
misused "P shows no reasons" -P -a --json
misused "P shows no reasons" -P --histogram
misused "has no CSV" --csv --histogram
misused "is no list of exit reasons" --histogram=
misused "is no list of exit reasons" --histogram=HLT,x
misused "name of a file" -o ""
many=()
for ((i = 0; i < 65; i++)); do many+=(-r 1); done
misused "more than 64 times -r" "${many[@]}"
recorded vmx-boot
misused "no exit reason '35'" -r HLT,35
misused "no exit reason 'npf'" -r npf
misused "no exit reason '86'" -r 86
holds "a file that is called --" env -C "$dir" "$exitstat" -o --
holds "is a file" grep -q total "$dir/--"

# Files.
recorded vmx-boot vmx-later
rm -f "$dir"/f*
(umask 027 && exec "$exitstat" -o "$dir/f" -n 3 0.01 2) >"$dir/out" 2>&1
written() {
	as_expected file.txt "$dir/f" && [ ! -s "$dir/out" ] &&
		[ "$(stat -c %a "$dir/f")" = 640 ] && [ "$(files)" = ./f ]
}
also "a file has all reports, the mode that others have, and no remains beside it" written
# While it runs, the old file stays; at a signal, the new one is there, and complete.
at_signal() {
	local status=0
	echo old >"$dir/f"
	# A shell has its background jobs ignore SIGINT.
	env --default-signal="$1" "$exitstat" --csv -o "$dir/f" 0.05 &
	local pid=$!
	await eval '[ "$(files)" != ./f ]'
	sleep 0.2
	grep -qx old "$dir/f" && kill "-$1" $pid && wait $pid || status=$?
	[ $status -eq $((128 + $(kill -l "$1"))) ] && tail -n 1 "$dir/f" | grep -q ,total, &&
		[ "$(files)" = ./f ]
}
for signal in INT TERM HUP QUIT USR1 USR2 ALRM XCPU VTALRM PROF IO PWR \
	ABRT SEGV PIPE STKFLT RTMIN RTMAX; do
	holds "at SIG$signal, a file is completed" at_signal $signal
done
# Under valgrind, reading takes longer than that, so there is nothing to wait for.
late() {
	local status=0
	rm -f "$dir"/f*
	valgrind -q "$build/valgrind/exitstat" --csv -a -o "$dir/f" 0.001 &
	local pid=$!
	await eval '[ -n "$(files)" ]'
	sleep 0.3
	kill -TERM $pid && timeout 5 tail --pid=$pid -f /dev/null && wait $pid || status=$?
	[ $status -eq 143 ] || { kill -KILL $pid; return 1; }
}
holds "at a signal that comes while it is late" late
ignores() {
	local status=0
	(trap '' HUP && exec "$exitstat" -o "$dir/f" 0.1 4) &
	local pid=$!
	sleep 0.1
	kill -HUP $pid && wait $pid || status=$?
	[ $status -eq 0 ] && [ "$(grep -c ' total ' "$dir/f")" = 4 ]
}
holds "nohup is respected" ignores
echo old >"$dir/f"
# The limit is on files, so a pipe takes the message.
# shellcheck disable=SC2064 # an action, or none
too_large() {
	(trap "$1" XFSZ && ulimit -f "${2:-0}" && exec "$exitstat" -o "$dir/f" "${@:3}") 2>&1 |
		cat >&2
}
untouched() { [ "$(cat "$dir/f")" = old ] && [ "$(files)" = ./f ]; }
for action in '' -; do
	fails "a file that cannot be written" 1 'File too large' too_large "$action"
	also "leaves the old one, and nothing else" untouched
	fails "a file that cannot be written any more" 1 'File too large' \
		too_large "$action" 4 0.01 9999
	also "leaves them, too, and is noticed at once" untouched
done
fails "a directory that is not there" 1 'No such file' "$exitstat" -o "$dir/none/f"
fails "and then a command is not run" 1 'No such file' \
	"$exitstat" -o "$dir/none/f" -- touch "$dir/ran"
holds "indeed it isn't" [ ! -e "$dir/ran" ]
fails "a file that is a device" 1 'not a regular file' "$exitstat" -o /dev/null
fails "a file that is a directory" 1 'not a regular file' "$exitstat" -o "$dir"
full() { "$exitstat" >/dev/full; }
fails "no space for the output" 1 'No space left' full
full_help() { "$exitstat" "$1" >/dev/full; }
fails "no space for --help" 1 'No space left' full_help --help
fails "no space for --version" 1 'No space left' full_help -V
fails "no output at all" 1 'Bad file descriptor' bash -c "'$exitstat' >&-"
to_stdout() {
	(cd "$dir" && "$exitstat" -n 3 -o - 0.01 2) >"$dir/out" &&
		as_expected file.txt "$dir/out" && [ ! -e "$dir/-" ]
}
holds "-o - is stdout" to_stdout
command_to_stdout() { "$exitstat" -o - -n 1 -- true 2>/dev/null | grep total; }
holds "of a command, too" command_to_stdout
long() {
	local name
	name=$dir/$(printf 'f%.0s' {1..255})
	"$exitstat" -o "$name" && grep -q total "$name" && rm "$name"
}
holds "a name as long as can be" long
fails "a name that is longer" 1 'File name too long' \
	"$exitstat" -o "$dir/$(printf 'f%.0s' {1..256})" -- touch "$dir/ran"
holds "then a command is not run either" [ ! -e "$dir/ran" ]
keeps_mode() {
	rm -f "$dir/f" && install -m 600 /dev/null "$dir/f" && "$exitstat" -o "$dir/f" &&
		[ "$(stat -c %a "$dir/f")" = 600 ] && [ -s "$dir/f" ]
}
holds "the old file's mode is kept" keeps_mode
keeps_group() {
	rm -f "$dir/f" && install -m 640 -o nobody -g 12345 /dev/null "$dir/f" &&
		"$exitstat" -o "$dir/f" &&
		[ "$(stat -c '%a %U %g' "$dir/f")" = "640 nobody 12345" ] || return 1
	chmod 711 "$dir" && chmod 644 "$dir/recording" && mkdir -m 777 "$dir/open" &&
		install -m 660 -g 12345 /dev/null "$dir/open/f" &&
		cp "$build/valgrind/exitstat" "$dir/open/" &&
		setpriv --reuid nobody --regid 54321 --clear-groups \
			"$dir/open/exitstat" -o "$dir/open/f" &&
		[ "$(stat -c '%a %g' "$dir/open/f")" = "600 54321" ]
}
if [ "$(id -u)" -eq 0 ]; then
	holds "so are owner and group, and another group gets nothing" keeps_group
else
	skips "owner and group" "only root can give files away"
fi
modeless() {
	rm -f "$dir/f" && LD_PRELOAD=$build/fchmod.so "$build/valgrind/exitstat" -o "$dir/f" &&
		grep -q total "$dir/f"
}
holds "a file system without modes" modeless

# Metrics.  strict: what the reference parser of OpenMetrics makes of them
strict() {
	/usr/bin/python3 -c 'import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
for family in parse(sys.stdin.read()):
    for sample in family.samples:
        print(family.type, sample.name, sample.labels.get("reason", ""), int(sample.value))'
}
recorded vmx-boot
prints "--openmetrics" openmetrics.txt "$exitstat" --openmetrics
prints "--prometheus" prometheus.txt "$exitstat" --prometheus
for recording in vmx-boot svm absent "vmx-boot vmx-ledger" "vmx-boot vmx-histogram"; do
	# shellcheck disable=SC2086 # words are wanted
	recorded $recording
	# shellcheck disable=SC2317 # holds calls it
	prometheus() {
		"$exitstat" --prometheus "$@" >"$dir/metrics" || [ $? -eq 3 ]
		promtool check metrics <"$dir/metrics"
	}
	# shellcheck disable=SC2317 # holds calls it
	openmetrics() {
		"$exitstat" --openmetrics "$@" >"$dir/metrics" || [ $? -eq 3 ]
		strict <"$dir/metrics" >"$dir/parsed" &&
			grep 'gauge kvm_guest_exit_stats_up' "$dir/parsed"
	}
	for all in "" -a -P -mP --histogram; do
		# shellcheck disable=SC2086 # no word is wanted
		holds "promtool accepts --prometheus $all: $recording" prometheus $all
		# shellcheck disable=SC2086 # no word is wanted
		holds "the strict parser accepts --openmetrics $all: $recording" openmetrics $all
	done
done
recorded vmx-boot
same_figures() {
	"$exitstat" --prometheus -a |
		sed -n 's/^kvm_guest_\(.*\)_total{.*reason="\(.*\)"} /\1 \2 /p' >"$dir/plain.txt"
	"$exitstat" --openmetrics -a | strict |
		sed -n 's/^counter kvm_guest_\(.*\)_total /\1 /p' | diff "$dir/plain.txt" - &&
		[ "$(wc -l <"$dir/plain.txt")" = 160 ]
}
holds "both have the same figures" same_figures
recorded vmx-boot vmx-later
each_replaces() {
	local counter='kvm_guest_exits_total{scope="vm",reason="IO_INSTRUCTION"} 5000027712'
	"$exitstat" --prometheus -a -o "$dir/f.prom" .01 3
	[ "$(grep -c '^# TYPE' "$dir/f.prom")" = 4 ] && grep -qx "$counter" "$dir/f.prom"
}
holds "each report replaces the file, and has counters" each_replaces
# The host stops to serve statistics, and starts again.
is_down() { diff - "$1" <<-END; }
	# HELP kvm_guest_exit_stats_up Whether the host serves the statistics.
	# TYPE kvm_guest_exit_stats_up gauge
	kvm_guest_exit_stats_up 0
END
recorded absent
run "$exitstat" --prometheus
down() { [ "$status" -eq 3 ] && grep 'does not serve' "$dir/err" && is_down "$dir/out"; }
also "without the feature, the metric is that it is down" down
gone
run "$exitstat" --prometheus -o "$dir/f.prom" .01 4
goes_down() {
	[ "$status" -eq 3 ] && [ "$(grep -c 'does not serve' "$dir/err")" = 1 ] &&
		is_down "$dir/f.prom"
}
also "switched off, it is down, not what it was" goes_down
comes_up() {
	{ cat "$here/recordings/absent" && echo '# lasts 3' && cat "$here/recordings/vmx-boot"; } \
		>"$dir/recording"
	"$exitstat" --prometheus -o "$dir/f.prom" .01 4 2>"$dir/err" &&
		grep -qx 'kvm_guest_exit_stats_up 1' "$dir/f.prom" &&
		grep 'reason="HLT"' "$dir/f.prom"
}
holds "switched on again, it is up" comes_up
# So it does if nobody reads what it complains of, and if the host meanwhile was another one.
others() {
	{
		cat "$here/recordings/absent" && echo '# lasts 3'
		cat "$here/recordings/svm" && echo '# lasts 9' && cat "$here/recordings/vmx-boot"
	} >"$dir/recording"
}
reasons_come_back() {
	others
	"$exitstat" --prometheus -r HLT,EPT_VIOLATION -o "$dir/f.prom" .01 30 2> >(true) &&
		grep 'reason="EPT_VIOLATION"' "$dir/f.prom"
}
holds "it is up when the host has all reasons of -r" reasons_come_back
recorded vmx-boot vmx-later
mkdir "$dir/textfiles"
"$exitstat" --prometheus -a -o "$dir/textfiles/exitstat.prom" .01 2
GOMAXPROCS=1 prometheus-node-exporter --collector.disable-defaults --collector.textfile \
	--collector.textfile.directory="$dir/textfiles" --web.listen-address=127.0.0.1:0 \
	2>"$dir/exporter" &
exporter=$!
# address: of a socket that the exporter listens on
address() { sed -n 's/.*Listening on.*address=\(127[0-9.:]*\).*/\1/p' "$dir/exporter" | grep .; }
scrape() {
	python3 -c 'import sys, urllib.request
page = urllib.request.urlopen("http://" + sys.argv[1] + "/metrics")
print(page.read().decode(), end="")' "$1"
}
# It orders labels by name.  The figures are too small for it to give them an exponent.
scraped() {
	grep '^kvm_guest_exits_total' "$dir/textfiles/exitstat.prom" |
		sed 's/{\(.*\),\(.*\)}/{\2,\1}/' | sort >"$dir/written"
	[ "$(wc -l <"$dir/written")" = 80 ] &&
		await address && scrape "$(address)" >"$dir/scraped" &&
		grep -x 'node_textfile_scrape_error 0' "$dir/scraped" &&
		grep '^kvm_guest_exits_total' "$dir/scraped" | sort | diff "$dir/written" -
}
holds "node_exporter serves what was written" scraped

# The live view, in a terminal of 80 columns and 24 lines.
export ASAN_OPTIONS=detect_leaks=0 # ncurses keeps what it has
screen() { "${tmux[@]}" capture-pane -p; }
press() { "${tmux[@]}" send-keys "$@"; }
shows() { screen | grep -qE -e "$1"; }
# live ARGUMENT...: when it ends, its status is in a file, of which each has its own
live() {
	"${tmux[@]}" kill-server 2>/dev/null || true
	tmux[-1]=$dir/tmux-$ktap_n
	live_status=$dir/status-$ktap_n
	local complaint=$dir/complaint-$ktap_n
	live_terminal=$dir/terminal-$ktap_n
	"${tmux[@]}" new-session -d -x 80 -y 24 "stty -g >'$live_terminal'
		TERM=screen bash -c 'trap : QUIT INT; \"\$@\"; exit \$?' bash \
			'$exitstat' -t $* 2>'$complaint'
		echo \$? >'$live_status'
		stty -g >>'$live_terminal'
		cat '$complaint'
		sleep 9"
	await shows '^exitstat: every'
}
# looks_like NAME EXPECTED: what is on the screen, soon
looks_like() {
	[ -z "${UPDATE:-}" ] || sleep 1
	await eval "screen >'$dir/out'; as_expected $2 '$dir/out' >'$dir/diff'" || true
	also "live: $1" as_expected "$2" "$dir/out"
}
ended() { await [ -s "$live_status" ] && [ "$(cat "$live_status")" = "$1" ]; }
recorded vmx-boot vmx-later
live 60
looks_like "since boot" live-boot.txt
for key in c:cycles o:cost r:reason n:name e:exits; do
	press "${key%:*}"
	looks_like "sorted by ${key#*:}" "live-${key#*:}.txt"
done
press a
looks_like "all reasons, as many as there is room for" live-all.txt
press a
"${tmux[@]}" resize-window -x 60 -y 12
looks_like "resized to 60 columns and 12 lines" live-small.txt
"${tmux[@]}" resize-window -x 100 -y 30
looks_like "resized to 100 columns and 30 lines" live-large.txt
"${tmux[@]}" resize-window -x 80 -y 24
looks_like "resized back" live-boot.txt
press Space
looks_like "the next interval, at a key" live-interval.txt
press z
press C-Space
looks_like "the same, at a key that means nothing" live-interval.txt
press q
holds "live: quits" ended 0
live -a -r 0,1,2,3,4,7,8,9,10,12,13,14,15,16,18,19,20,21,22,23 60
holds "live: one line too few for all reasons, and the total has one" await shows '^     total '
press q
live 0.5 2
holds "live: updates by itself" await shows '1.000 s'
holds "live: ends after COUNT reports" ended 0
live 0.5
press p
sleep 1
holds "live: paused, it doesn't update" shows 'since boot'
press p
holds "live: resumed, it does" await shows '(1|2).000 s'
press q
gone
live 1
holds "live: says if the statistics have gone" ended 3
holds "live: where it can be seen" await shows 'does not serve VM-exit statistics'
# Whatever ends it, the terminal is as before.
both_times() { [ "$(wc -l <"$live_terminal")" = 2 ]; }
restored() { ended "$1" && await both_times && [ "$(uniq "$live_terminal" | wc -l)" = 1 ]; }
recorded vmx-boot vmx-later
live 60
press "C-\\"
holds "live: ended by Ctrl-\\" restored 131
live 60
press C-c
holds "live: ended by Ctrl-C" restored 130
for signal in HUP TERM USR1 ALRM; do
	live 60
	pkill "-$signal" -f "^$exitstat -t 60" || true
	holds "live: ended by SIG$signal" restored $((128 + $(kill -l $signal)))
done
recorded vmx-boot vmx-ledger
live 60
looks_like "the ledger" live-ledger.txt
press v
looks_like "sorted by what the VMM took" live-vmm.txt
press P
looks_like "each vCPU, since boot" live-vcpus.txt
press Space
looks_like "each vCPU, an interval" live-vcpus-interval.txt
press P
looks_like "reasons again, since boot" live-again.txt
"${tmux[@]}" resize-window -x 80 -y 9
looks_like "the ledger on few lines" live-ledger-small.txt
press q
holds "live: quits" ended 0
recorded vmx-boot vmx-ledger
live 60
await shows '^     total '
press m
looks_like "the longest exits, since boot" live-max.txt
press Space
looks_like "the longest exits, an interval" live-max-interval.txt
press P
holds "live: those of each vCPU" await shows '^ CPU  EXITS EXITS/s    MAX '
press m
holds "live: without them again" eval 'await shows "^ CPU  EXITS EXITS/s   guest "'
press q
live -P 60
holds "live: -P" await shows '^ CPU  EXITS'
press q
sed -i 's/vcpus=2/vcpus=199/' "$dir/recording"
live -P -n 1 60
looks_like "more vCPUs than lines, whatever -n says" live-vcpus-many.txt
press q
sed -i 's/vcpus=199/vcpus=18/' "$dir/recording"
live -P 60
holds "live: one line for each" eval 'await shows "^ all " && shows "^  17 " && ! shows "not shown"'
press q
sed -i 's/vcpus=18/vcpus=19/' "$dir/recording"
live -P 60
holds "live: one line too few" eval 'await shows "^ all " && shows "not shown: 2 vCPUs"'
press q
each_no_more
live -P 60
await shows '^ all '
press Space
holds "live: vCPUs that are not told any more" await shows '^     total '
holds "live: nor offered" eval '! shows "P vCPUs"'
press q
holds "live: quits" ended 0
longest_no_more
live -m 60
await shows ' MAX '
press Space
holds "live: longest exits that are not told any more" \
	eval 'await shows " CYC% " && ! shows " MAX "'
holds "live: nor offered, either" eval '! shows "m max"'
press q
holds "live: quits" ended 0
recorded vmx-boot vmx-histogram
live 60
await shows '^     total '
press h
looks_like "histograms, since boot" live-histogram.txt
press Space
looks_like "histograms, an interval" live-histogram-interval.txt
press P
holds "live: from histograms to vCPUs" await shows '^ CPU  EXITS'
press P
holds "live: and back" await shows '^cycles: p50'
press h
holds "live: without them again" await shows '^     total '
press q
histogram_no_more
live --histogram 60
await shows '^cycles: p50'
press Space
holds "live: histograms that are switched off" await shows '^     total '
holds "live: nor offered" eval '! shows "h histogram"'
press h
sleep 0.2
holds "live: nor at a key" shows '^     total '
press q
recorded vmx-boot
live 60
press v
press m
press h
press P
sleep 0.2
holds "live: an older host has no such keys" eval 'shows "by exits" && shows "REASON" &&
	! shows " MAX " && ! shows "P vCPUs"'
press q
recorded vmx-boot vmx-later
live -y 60
sleep 0.5
holds "live: -y" eval '! shows total'
press Space
holds "live: the first interval" await shows total
press q
unset ASAN_OPTIONS
fails "live: without a terminal" 1 'needs a terminal' "$exitstat" -t
for type in none dumb; do
	run env TERM=$type script -qec "'$exitstat' -t" /dev/null
	no_type() { [ "$status" -eq 1 ] && grep "TERM=$type names none" "$dir/out"; }
	also "live: on a terminal like TERM=$type" no_type
done
not_built() {
	make -s -C "$tool" O="$build/recorded-plain" NCURSES=0 "${recorded[@]}" &&
		"$build/recorded-plain/exitstat" -t
}
fails "live: not in a build without ncurses" 1 'without ncurses' not_built

# Memory.
recorded vmx-boot vmx-later
memcheck() {
	valgrind -q --leak-check=full --show-leak-kinds=all --errors-for-leak-kinds=all \
		--error-exitcode=99 "$build/valgrind/exitstat" "$@"
}
holds "valgrind: intervals and all options to a file" \
	memcheck -a -s name -n 99 -r HLT,48 --raw -o "$dir/f" .01 3
holds "valgrind: JSON of a command" memcheck --json -- true
recorded vmx-boot vmx-ledger
holds "valgrind: each vCPU" memcheck -mP .01 5
holds "valgrind: each vCPU, in metrics" memcheck --prometheus -mP -o "$dir/f" .01 3
recorded vmx-boot vmx-histogram
holds "valgrind: histograms" memcheck --histogram .01 4
holds "valgrind: histograms, in metrics" memcheck --prometheus --histogram -o "$dir/f" .01 4
recorded vmx-boot vmx-later
holds "valgrind: metrics" memcheck --openmetrics -a -o "$dir/f" .01 2
recorded absent
ends 3 "valgrind: none" memcheck --prometheus -o "$dir/f" .01 2
ends 2 "valgrind: bad arguments" memcheck -r HLT,NONSENSE
holds "fuzzed arguments" "$build/fuzz" 20231114 200000
ktap_end
