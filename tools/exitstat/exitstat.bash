# SPDX-License-Identifier: GPL-2.0-only
# bash completion for exitstat                              -*- shell-script -*-
_exitstat() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} i
	COMPREPLY=()

	# After --, it is another command's line.
	for ((i = 1; i < COMP_CWORD; i++)); do
		[ "${COMP_WORDS[i]}" = -- ] || continue
		if declare -F _command_offset >/dev/null; then
			_command_offset $((i + 1))
		else
			mapfile -t COMPREPLY < <(compgen -c -- "$cur")
		fi
		return
	done

	# To bash, "--reason=HLT" is three words.
	case $cur,$prev in
	=,*) cur= prev+== ;;
	*,=) prev=${COMP_WORDS[COMP_CWORD - 2]}= ;;
	esac

	case $prev in
	-s | --sort | --sort=)
		mapfile -t COMPREPLY < <(compgen -W "exits cycles cost vmm reason name" -- "$cur")
		return
		;;
	-r | --reason | --reason= | --histogram=)
		# The tool knows the names, if there is anything to read.  Those of SVM
		# have blanks, which are escaped.
		local IFS=$'\n' before=
		[ "${cur%,*}" = "$cur" ] || before=${cur%,*},
		mapfile -t COMPREPLY < <(compgen -P "$before" -W "$(
			"${COMP_WORDS[0]}" -aH --csv 2>/dev/null | cut -d, -f6 |
				grep -vx 'total\|OTHER'
		)" -- "${cur##*,}" | sed 's/ /\\ /g')
		compopt -o nospace 2>/dev/null
		return
		;;
	-o | --output | --output=)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	-n | --top | --top=)
		return
		;;
	esac

	[[ $cur != -* ]] || mapfile -t COMPREPLY < <(compgen -W "-- $(
		"${COMP_WORDS[0]}" --help 2>/dev/null |
			grep -o -e '^ *\(-., \)\?--[a-z-]*' | grep -o -e '--.*'
	)" -- "$cur")
} &&
	complete -F _exitstat exitstat
