#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The Debian packages: what is in them, and that they are the same when they are built again.
#
# usage: [KERNEL=X.Y] [LINUX=TREE] host-tests/packages.sh
# shellcheck disable=SC2317 # holds calls what seems not to be called
. "$(dirname "$0")/lib.sh"
kernel=$(selected_kernel)
for tool in lintian mandoc pkg-config; do
	command -v $tool >/dev/null || die "$tool is not on the PATH; run scripts/deps test"
done
ktap_begin

holds "they build" "$top/scripts/packages" "$dir/first"
holds "and once more" "$top/scripts/packages" "$dir/second"
holds "which makes the same" diff -r "$dir/first" "$dir/second"
is "three packages" "$(cd "$dir/first" && find . -name '*.deb' | sort | sed 's/_.*//')" \
	"$(printf './%s\n' exitstat kvm-exit-stats-dkms libexitstat-dev)"
holds "lintian finds neither errors nor warnings" \
	lintian --allow-root --fail-on error,warning "$dir/first"/*.deb
version=$(dpkg-deb -f "$dir/first"/exitstat_*.deb Version)
in_order() {
	local last=
	for v; do
		[ -z "$last" ] || dpkg --compare-versions "$last" lt "$v" || return
		last=$v
	done
}
if grep -m 1 '^## ' "$top/NEWS.md" | grep -q 'not yet released'; then
	holds "the version is before the release" in_order "0~" "$version" "$(cat "$top/VERSION")"
else
	is "the version is the release's" "$version" "$(cat "$top/VERSION")"
fi

root=$dir/root
for deb in "$dir/first"/*.deb; do dpkg-deb -x "$deb" "$root"; done
files() { (cd "$root" && find . "$@" \( -type f -o -type l \) | sort); }
is "exitstat and its library" \
	"$(files ! -path './usr/share/doc/*' ! -path './usr/src/*' | sed s,^./usr/lib/,./lib/,)" \
	"$(printf './%s\n' lib/systemd/system/exitstat.{service,timer} usr/bin/exitstat \
		usr/include/exitstat/{kvm_exit_stats,libexitstat}.h \
		usr/share/bash-completion/completions/exitstat \
		usr/share/man/man1/exitstat.1.gz usr/share/pkgconfig/libexitstat.pc)"
is "exitstat's version" "$("$root/usr/bin/exitstat" --version | cut -d, -f1)" \
	"exitstat $(cat "$top/VERSION")"
units=$root/usr/lib/systemd/system
[ -d "$units" ] || units=$root/lib/systemd/system
same_units() {
	sed s,/usr/local/bin/,/usr/bin/, "$top/fleet/exitstat.service" |
		diff - "$units/exitstat.service" &&
		diff "$top/fleet/exitstat.timer" "$units/exitstat.timer"
}
holds "its units are those of fleet/" same_units
same_examples() {
	local examples=$root/usr/share/doc/exitstat/examples
	for file in dashboard.json exitstat.rules.yml histogram.conf; do
		zcat -f "$examples/$file"* | diff "$top/fleet/$file" - || return
	done
}
holds "what else fleets take is among its examples" same_examples
compiles() {
	cat >"$dir/try.c" <<-'END'
		#include <libexitstat.h>
		int main(void)
		{
			struct exitstat_info info;

			return exitstat_detect(&info);
		}
	END
	flags=$(PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_PATH=$root/usr/share/pkgconfig \
		pkg-config --cflags --libs libexitstat) || return
	# shellcheck disable=SC2086 # words are wanted
	cc -Wall -Wextra -Werror -o "$dir/try" "$dir/try.c" $flags
}
holds "a program compiles by pkg-config" compiles

# The modules
name=kvm-exit-stats
home=$root/usr/src/$name-$version
is "kernels" "$(cd "$home/patches" && find . -mindepth 1 -type d | sort -V | sed s,./,, |
	paste -sd ' ')" "$(supported_kernels)"
is "the files that the series adds" "$(cd "$home/added" && find . -type f | sort)" \
	"$(cd "$top" && { find arch-x86-kvm -type f | sed s,^arch-x86-kvm,./arch/x86/kvm,
		find patches/files/arch -type f | sed s,^patches/files,.,; } | sort)"
conf() (
	kernelver=$1
	# shellcheck disable=SC1091 # the package has it
	. "$home/dkms.conf" && [[ $kernelver =~ $BUILD_EXCLUSIVE_KERNEL ]]
)
for k in $(supported_kernels); do
	holds "dkms: $k is for a point release" conf "$k.4+deb13-amd64"
	holds "and not for ${k}0" eval "! conf ${k}0.4-amd64"
done
holds "dkms: an ABI name of Debian 12" conf "$(default_kernel).0-56-rt-amd64"
holds "dkms: no other kernel" eval "! conf 5.10.0-30-amd64"
edits() {
	(cd / && git apply --numstat "$@") | awk '$3 ~ /^(arch|include|virt)\// { print }'
}
for k in $(supported_kernels); do
	is "$k: the patches' edits of modules and headers, and no others" \
		"$(cd / && git apply --numstat "$home/patches/$k"/*.patch)" \
		"$(edits "$top/patches/$k"/[0-9]*.patch)"
done

# That it makes of the kernel's source what the series makes of it
base=$("$top/scripts/source")
mapfile -t changed < <(cd / && git apply --numstat "$home/patches/$kernel"/*.patch |
	awk '{ print $3 }' | sort -u)
mkdir "$dir/plain"
git -C "$base" archive HEAD "${changed[@]}" | tar -x -C "$dir/plain"
applies() {
	local patch
	for patch in "$home/patches/$kernel"/*.patch; do
		patch -d "$dir/plain" -p1 -s -f -F 0 --no-backup-if-mismatch <"$patch" || return
	done
	cp -r "$home/added/." "$dir/plain"
}
holds "$kernel: patch applies them with exact context" applies
as_series() {
	"$top/scripts/series-commit" "$base" HEAD "$dir/clone" >/dev/null || return
	mkdir "$dir/series"
	mapfile -t files < <(cd "$dir/plain" && find . -type f)
	git -C "$dir/clone" archive HEAD "${files[@]#./}" | tar -x -C "$dir/series"
	diff -r "$dir/plain" "$dir/series"
}
holds "$kernel: and makes of them what the series makes" as_series
ktap_end
