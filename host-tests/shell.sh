#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The verb shell: in a terminal, in which keys are typed, and from a pipe.  The kernel and the guest
# have to be built.
#
# usage: [KERNEL=X.Y] host-tests/shell.sh
. "$(dirname "$0")/lib.sh"
# It takes less than a minute, if nothing else runs; what hangs, fails.
[ -n "${LIMITED:-}" ] || LIMITED=1 exec timeout -k 5 600 "$0"
kernel=$(selected_kernel)
export KERNEL=$kernel
ktap_begin
export dir

# session IN: in a terminal of its own; what it reads from its standard input is expect's.  What it
# got to is in $dir/steps.
session() {
	cat >"$dir/keys" <<-'END'
		log_user 0
		log_file -noappend -a $env(dir)/screen
		set timeout 180
		set steps [open $env(dir)/steps w]
		# step NAME KEYS PATTERN: type the keys, and wait for the pattern.
		proc step {name keys pattern} {
			send -- $keys
			expect -re $pattern {} timeout {exit 1} eof {exit 1}
			puts $::steps $name
			flush $::steps
		}
		spawn -noecho bash -c {
			stty rows 33 cols 91
			stty -g >"$dir/before"
			"$verb"
			echo "ended with $?"
			stty -g >"$dir/after"
		}
	END
	cat >>"$dir/keys"
	echo 'expect eof' >>"$dir/keys"
	rm -f "$dir"/{before,after,steps}
	IN=$1 verb=$top/scripts/shell expect -f "$dir/keys" >&2 || true
}
step_done() { grep -xF "$1" "$dir/steps" || ! tail -n 9 "$dir/screen"; }
# got NAME...: a case for each of these steps, and for the terminal
got() {
	local name
	for name; do
		holds "$in: $name" step_done "$name"
	done
	holds "$in: the terminal is as it was" cmp "$dir/before" "$dir/after"
	holds "$in: no machine is left" none_left
}
none_left() {
	! grep -lzxF "$top/build/$kernel/shell/boot/bochsrc" /proc/[0-9]*/cmdline 2>/dev/null
}

in="the guest"
session l2 <<'END'
step boots "" {L2:[/~]# }
step "its size is the terminal's" "stty size\r" {\n33 91\r}
step exitstat "exitstat -n 1\r" { total .*L2:[/~]# }
step cpuid "cpuid -1 -r -l 0x4ffffffb\r" {ebx=0x454d564b .*L2:[/~]# }
send "sleep 1000\r"
sleep 2
step "Ctrl-C is the guest's" "\003" {L2:[/~]# }
step "what it interrupts, fails" "echo status \$?\r" {status 130\r}
step "poweroff ends it" "poweroff\r" {ended with 0\r}
END
got boots "its size is the terminal's" exitstat cpuid "Ctrl-C is the guest's" \
	"what it interrupts, fails" "poweroff ends it"

in="the machine"
session l1 <<'END'
step starts "" {booting Linux}
step "is there" "" {L1: Linux}
step "Ctrl-A x ends it" "\001x" {ended with 0\r}
END
got starts "is there" "Ctrl-A x ends it"

status=0
printf '%s\n' "for what in shell pipe; do" "echo \"a \$what\"" "done" \
	"head -n 3 /sys/kernel/debug/kvm/host/exit_stats" "/bin/stimuli CPUID" "(exit 7)" |
	IN=l1 "$top/scripts/shell" >"$dir/session" 2>"$dir/err" || status=$?
is "a pipe: the status is the shell's" "$status" 7
holds "a pipe: its lines are commands" grep '^a pipe' "$dir/session"
holds "a pipe: a test passes" grep '^ok 1 ' "$dir/session"
holds "a pipe: no machine is left" none_left

status=0
IN=l3 "$top/scripts/shell" </dev/null >"$dir/out" 2>&1 || status=$?
is "no other shell" "$status $(cat "$dir/out")" \
	"1 shell: error: there is no shell in IN=l3; choose l1, the machine, or l2, its guest"
ktap_end
