# shellcheck shell=bash
# shellcheck disable=SC2154 # top is the verb's
# SPDX-License-Identifier: GPL-2.0-only
# Sourced by the verbs that test: what the table "boots" says.

# The columns of a row, which row_fields sets
columns=(name when variant machine arguments jobs programs results)

# matrix_rows: the table, a row a line, and fields with nothing but "|" between them
matrix_rows() {
	awk '/^[ \t]*(#|$)/ { next }
		/^[ \t]/ { row = row " " $0; next }
		{ if (row) print row; row = $0 }
		END { if (row) print row }' "$top/boots" | sed -E 's/[ \t]*\|[ \t]*/|/g'
}

# row_fields ROW: each of its columns as a variable
row_fields() { IFS='|' read -r "${columns[@]}" <<<"$1"; }

# applies WHEN KERNEL "KERNELS": is the row for that kernel, when these are tested?
applies() {
	local word said tags=" every " yes=no
	[ "$2" != "${3%% *}" ] || tags+="first "
	[ "$2" != "${3##* }" ] || tags+="last "
	[ "$2" != "$3" ] || tags+="alone "
	[ "$2" != "$(default_kernel)" ] || tags+="default "
	for word in $1; do
		said=no
		[[ $tags != *" ${word#!} "* ]] || said=yes
		case $word in
		!*) [ $said = no ] || return 1 ;;
		*) [ $said = no ] || yes=yes ;;
		esac
	done
	[ $yes = yes ]
}

# kernel_rows KERNEL "KERNELS": the rows for that kernel
kernel_rows() {
	local row
	matrix_rows | while read -r row; do
		row_fields "$row"
		if applies "$when" "$1" "$2"; then printf '%s\n' "$row"; fi
	done
}

# select_rows "PATTERN...": of the rows on stdin, those that a pattern names, each behind the
# results that are asked for ("-" for all of them) and a "|".  A pattern is the name of a row, of
# a result, or ROW-RESULT; with * or ?, it can be many.  Of a result that several rows have, it is
# the first one's.
select_rows() {
	awk -F'|' -v patterns="$1" '
		function pattern(glob) {
			gsub(/[.+^$(){}\\[\]]/, "\\\\&", glob)
			gsub(/\*/, ".*", glob)
			gsub(/\?/, ".", glob)
			return "^" glob "$"
		}
		{ row[++rows] = $0; name[rows] = $1; results[rows] = $8 }
		END {
			n = split(patterns, p, " ")
			for (i = 1; i <= n; i++) {
				many = p[i] ~ /[*?]/
				glob = pattern(p[i])
				found = 0
				for (r = 1; r <= rows; r++)
					if (name[r] ~ glob) { whole[r] = 1; found = 1 }
				for (r = 1; r <= rows && (many || !found); r++) {
					m = split(results[r], result, " ")
					for (j = 1; j <= m; j++) {
						if (result[j] ~ /^!|^-$/) continue
						full = name[r] "-" result[j]
					if (result[j] !~ glob && full !~ glob) continue
						if (found && !many) continue
						only[r] = only[r] (only[r] ? "," : "") result[j]
						found = 1
					}
				}
				if (!found) { print p[i] >"/dev/stderr"; bad = 1 }
			}
			for (r = 1; r <= rows; r++)
				if (whole[r]) print "-|" row[r]
				else if (only[r]) print only[r] "|" row[r]
			exit bad
		}'
}

# check_patterns "PATTERN..." ROW...: each of them names one of these rows, or a result of theirs
check_patterns() {
	local unknown
	if ! unknown=$({ printf '%s\n' "${@:2}" | select_rows "$1" >/dev/null; } 2>&1); then
		die "TESTS names ${unknown//$'\n'/, }, which is no test here; choose from:" \
			"$(printf '%s\n' "${@:2}" | cut -d'|' -f1 | uniq | paste -sd ' ')," \
			"or their results: make list"
	fi
}

# one_of "WHAT THE ROW DOES" WORD CHOICE...: the word has to be one of the choices
one_of() {
	local choice
	for choice in "${@:3}"; do [ "$2" != "$choice" ] || return 0; done
	die "boots: the row '$name' $1 '$2'; choose from: ${*:3}"
}

# check_matrix: every row is whole, and what it names is there
check_matrix() {
	local row word n whens variants l1_jobs l2_jobs programs_there above=()
	whens=(every first last default alone)
	mapfile -t variants < <("$top/scripts/kernel" --list)
	mapfile -t l1_jobs < <(ls "$top/kvm-tests/jobs")
	mapfile -t l2_jobs < <(cd "$top/guest-tests" && printf 'l2:%s\n' jobs/* *.c |
		sed 's,jobs/,,; s/\.c$//' | sort -u)
	mapfile -t programs_there < <(cd "$top/kvm-tests" && printf '%s\n' *.c | sed 's/\.c$//')
	programs_there+=(exit_stats_test exit_stats_fd_test selftests/ kvm_stat/ -)
	while read -r row; do
		n=$(tr -cd '|' <<<"$row" | wc -c)
		row_fields "$row"
		[ "$n" -eq $((${#columns[@]} - 1)) ] && [[ $row != *'||'* && $row != *'|' ]] ||
			die "boots: the row '${name:-$row}' has $((n + 1)) columns, or an empty" \
				"one, instead of ${#columns[@]}: ${columns[*]/variant/kernel}"
		for word in $when; do one_of "is for" "${word#!}" "${whens[@]}"; done
		case $machine in
		host | after\ *)
			[ -x "$top/${jobs%% *}" ] ||
				die "boots: the row '$name' calls ${jobs%% *}, which is not here," \
					"or not executable"
			for word in $machine; do
				[[ $word == host || $word == after ]] ||
					one_of "comes after" "$word" "${above[@]}"
			done
			one_of "needs the kernel" "$variant" - tree "${variants[@]}"
			;;
		*)
			one_of "boots the kernel" "$variant" "${variants[@]}"
			for word in $jobs; do
				# shellcheck disable=SC2086 # words are wanted
				case $word in
				l1:*) one_of "has a job for the program" "${word#l1:}" $programs ;;
				l2:*) one_of "has the job" "$word" "${l2_jobs[@]}" ;;
				*) one_of "has the job" "$word" "${l1_jobs[@]}" ;;
				esac
			done
			for word in $programs; do
				one_of "needs the program" "$word" "${programs_there[@]}"
			done
			;;
		esac
		above+=("$name")
	done < <(matrix_rows)
}
