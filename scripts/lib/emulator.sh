# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Sourced by the verbs that build an emulator from Debian's source with patches of ours, which is
# kept in the cache.  Debian's own stands in where that cannot be had.
# shellcheck disable=SC2154 # common.sh has top and cache, the caller settings and patches
. "$top/scripts/lib/apt.sh"

# download KIND: of the source package's files, e.g. "orig", as $work/KIND.tar.  The index, which is
# signed, has its hash.
download() {
	local uri file size hash
	read -r uri file size hash \
		< <(grep -E " ${package}_${version}[^ _]*\.$1\.tar\." "$work/uris") ||
		{ echo "error: $suite has no source of $package $version"; return 1; }
	echo "$file, $size bytes"
	uri=${uri#\'}
	/usr/lib/apt/apt-helper "${apt[@]}" download-file "${uri%\'}" "$work/$1.tar" "$hash"
}

# The source itself and, only if they are wanted, for a mirror may lack them, Debian's patches
get() {
	local apt
	private_apt "$work/apt" deb-src "$suite" ||
		{ echo "error: apt knows no package mirror"; return 1; }
	apt-get "${apt[@]}" update &&
		apt-get "${apt[@]}" source --print-uris "$package" >"$work/uris" &&
		download orig &&
		{ [ -z "$debians" ] || download debian; }
}

unpack_and_build() {
	local p src=$work/src all=()
	mkdir "$src" && tar -xf "$work/orig.tar" -C "$src" --strip-components=1 || return
	if [ -n "$debians" ]; then
		tar -xf "$work/debian.tar" -C "$work" || return
		mapfile -t all < <(grep -o '^[^# ][^ ]*' "$work/debian/patches/series")
		all=("${all[@]/#/$work/debian/patches/}")
	fi
	for p in "${all[@]}" "${patches[@]}"; do
		patch -d "$src" -p1 -s -f <"$p" || return
	done
	build "$src" &&
		rm -rf "$built" "$built.part" &&
		install -s -D "$src/$binary" "$built.part/${binary##*/}" &&
		mv "$built.part" "$built" &&
		works
}

# It may be another system's, whose cache this one has been given.
works() { "$emulator" --help >/dev/null 2>&1; }

# emulator PACKAGE VERSION SUITE BINARY MINUTES FAULT: print the path of the one that is built
# from that source as BINARY, or that the variable PACKAGE names.  FAULT is that of Debian's own.
# The caller has settings, patches, and whether Debian's are wanted, debians; and a function,
# build SOURCE.
emulator() {
	local package=$1 version=$2 suite=$3 binary=$4 minutes=$5 fault=$6 name built work emulator
	local log=$cache/log/$1 status=0 failed variable=${1^^}
	local given=${!variable:-}

	if [ -n "$given" ]; then
		command -v "$given" ||
			die "$variable=$given is no program; leave $variable out, or name one," \
				"e.g. $variable=${binary##*/}"
		return
	fi
	name=$version-$(cat <(echo "${settings[@]}") "${patches[@]}" | sha256sum | cut -c1-16)
	built=$cache/$package/$name
	emulator=$built/${binary##*/}
	work=$cache/download/$package-$name
	# Not anew for each of many machines
	failed=$built.failed
	stand_in() {
		say "using Debian's ${binary##*/}, $fault: $1"
		echo "${binary##*/}"
	}

	if works; then
		echo "$emulator"
		return
	fi
	mkdir -p "$cache/$package"
	exec 9>"$cache/$package.lock"
	flock -n 9 || { say "waiting for another verb that builds $package"; flock 9; }
	if works; then
		echo "$emulator"
		return
	fi
	if [ -n "$(find "$failed" -mmin -60 2>/dev/null)" ]; then
		stand_in "building $package $version has failed within the last hour, see $failed"
		return
	fi
	# In a shell of its own, which a step that fails ends.
	(
		need_space "$cache" 300
		rm -rf "$work"
		step "getting the source of $package $version from suite $suite" \
			"$log-source.log" get
		step "building $package $version ($minutes from empty caches)" \
			"$log-build.log" unpack_and_build
	) || status=$?
	rm -rf "$work"
	if [ $status -eq 0 ]; then
		rm -f "$failed"
		echo "$emulator"
	else
		echo "See $log-source.log and $log-build.log." >"$failed"
		stand_in "building $package $version has failed (above)"
	fi
}
