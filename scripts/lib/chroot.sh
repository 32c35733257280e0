# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Sourced by what needs a whole Debian: a fresh one in a directory, as root.
#
#	in_namespace "$@"		# anew, with mounts of its own; no root there: status 1
#	make_root SUITE DIR		# sets root
#	in_root apt-get install ...
#	keep_downloads; remove_root
#
# The system itself is kept in the cache for a week, and the packages of the last run for the next.
# shellcheck disable=SC2034,SC2154 # common.sh has top and cache, and apt is private_apt's
. "$top/scripts/lib/apt.sh"

# in_namespace ARGUMENT...: run this script in a mount namespace of its own, where nothing is left
# mounted if it is killed
in_namespace() {
	[ -z "${IN_NAMESPACE:-}" ] || return 0
	[ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null || return 1
	IN_NAMESPACE=1 exec unshare -m --propagation private "$0" "$@"
}

# suites SUITE: those whose packages it gets
suites() {
	echo "$1"
	echo "$1-security"
	[ "$1" != trixie ] || echo trixie-backports
}

# sources SUITE FILE: apt's, from the mirror that this machine uses
sources() {
	local suite apt work
	work=$(mktemp -d)
	for suite in $(suites "$1"); do
		private_apt "$work" deb "$suite" || die "apt knows no package mirror; configure one"
		cat "$work/sources.list"
	done >"$2"
	rm -rf "$work"
}

# base SUITE: the system, as a tar
base() {
	local tar=$cache/chroot/$1.tar
	mkdir -p "$cache/chroot"
	if [ -z "$(find "$tar" -mtime -7 2>/dev/null)" ]; then
		sources "$1" "$tar.list"
		step "making a fresh Debian: $1" "$cache/log/chroot-$1.log" \
			mmdebstrap --variant=apt "$1" "$tar.part.tar" "$tar.list"
		mv "$tar.part.tar" "$tar"
		rm "$tar.list"
	fi
	echo "$tar"
}

make_root() {
	local tar
	need_space "$(dirname "$2")" 4000
	tar=$(base "$1")
	suite=$1 root=$2
	remove_root
	mkdir -p "$root"
	tar -xf "$tar" -C "$root"
	rm -f "$root"/etc/apt/sources.list.d/*
	sources "$suite" "$root/etc/apt/sources.list"
	{
		apt-config dump Acquire | grep '^Acquire::[^ ]* ".' || true
		echo 'Binary::apt::APT::Keep-Downloaded-Packages "true";'
		echo 'Dpkg::Options { "--force-confold"; };'
	} >"$root/etc/apt/apt.conf.d/99machine"
	cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
	# No service is started, and no initramfs made.
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod +x "$root/usr/sbin/policy-rc.d"
	mkdir -p "$root/run/lock" "$cache/chroot/$suite.debs"
	find "$cache/chroot/$suite.debs" -name '*.deb' \
		-exec cp -l -t "$root/var/cache/apt/archives" {} + 2>/dev/null ||
		find "$cache/chroot/$suite.debs" -name '*.deb' \
			-exec cp -n -t "$root/var/cache/apt/archives" {} +
	mount -t proc proc "$root/proc"
	in_root apt-get -q update
}

in_root() {
	env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
		INITRD=No LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"
}

# keep_downloads: the packages that this run has used, for the next
keep_downloads() {
	local kept=$cache/chroot/$suite.debs
	rm -rf "$kept.old"
	mv "$kept" "$kept.old"
	mkdir "$kept"
	find "$root/var/cache/apt/archives" -maxdepth 1 -name '*.deb' \
		-exec cp -l -t "$kept" {} + 2>/dev/null ||
		find "$root/var/cache/apt/archives" -maxdepth 1 -name '*.deb' \
			-exec cp -n -t "$kept" {} +
	rm -rf "$kept.old"
}

remove_root() {
	[ -d "$root" ] || return 0
	! mountpoint -q "$root/proc" || umount "$root/proc"
	! mountpoint -q "$root/var/lib/dkms" || umount "$root/var/lib/dkms"
	rm -rf --one-file-system "$root"
}
