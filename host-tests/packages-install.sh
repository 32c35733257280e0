#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The Debian packages in a fresh Debian: install, upgrades of the kernel and of the packages, what
# goes wrong, removal.
#
# usage: [ALSO="KERNEL ..."] host-tests/packages-install.sh SUITE
#
# ALSO are kernels whose headers are installed, too.
. "$(dirname "$0")/lib.sh"
. "$top/scripts/lib/chroot.sh"
[ $# -eq 1 ] || die "usage: host-tests/packages-install.sh SUITE"
release=$1
if ! in_namespace "$@"; then
	ktap_begin
	skips "packages in Debian $release" "takes root, and a mount namespace"
	ktap_end
	exit
fi

ktap_begin
cleanup() { remove_root; }
root=$top/build/chroot/$release
mkdir -p "${root%/*}"
make_root "$release" "$root" >&2
name=kvm-exit-stats
log=$dir/log

# apt_get ARGUMENT...: what it says is in $log
apt_get() { in_root apt-get -y --no-install-recommends "$@" >"$log" 2>&1; }
said() { grep "^$name: " "$log" | grep -vE ': building .* for [^ ]*$'; }
# says_nothing: but what it builds
says_nothing() { ! said; }
sound() { [ -z "$(in_root dpkg --audit)" ] && in_root apt-get check; }
listing() { (cd "$root" && find "$@" ! -type d -printf '%p %s %l\n' | sort); }
origin() { in_root dpkg-query -W -f '${source:Version}' "linux-headers-$1"; }
module() { compgen -G "$root/lib/modules/$1/updates/dkms/$2.ko*"; }
# ours KERNEL [VERSION]: modprobe takes our modules, made of that kernel's source
ours() {
	local version=${2:-$(installed)} m
	for m in kvm kvm-intel kvm-amd; do
		[ "$(in_root modinfo -k "$1" -F version $m)" = "$version+$(origin "$1")" ] || return
		[[ $(in_root modinfo -k "$1" -n $m) == */updates/dkms/* ]] || return
		[ -n "$(in_root modinfo -k "$1" -F signer $m)" ] || return
		[[ $(in_root modinfo -k "$1" -F vermagic $m) == "$1 "* ]] || return
		in_root modinfo -k "$1" -F parm kvm | grep '^exit_stats:' || return
	done
}
installed() { in_root dpkg-query -W -f '${Version}' $name-dkms; }
# stock KERNEL: modprobe takes the kernel's own
stock() {
	local m
	for m in kvm kvm-intel kvm-amd; do
		[[ $(in_root modinfo -k "$1" -n $m) == */kernel/arch/x86/kvm/* ]] || return
	done
	[ ! -e "$root/lib/modules/$1/updates" ]
}
# fits KERNEL: each symbol that they need is one of the kernel's or of kvm.ko, by its checksum
fits() {
	local m
	grep -q '^CONFIG_MODVERSIONS=y' "$root/lib/modules/$1/build/.config" || return 0
	for m in kvm kvm-intel kvm-amd; do
		in_root modprobe --dump-modversions "$(in_root modinfo -k "$1" -n $m)"
	done | awk '!($2 ~ /^__?kvm|exit_stats/) { print $1, $2 }' | sort -u >"$dir/needed"
	awk '{ print $1, $2 }' "$root/lib/modules/$1/build/Module.symvers" | sort -u >"$dir/offered"
	[ "$(wc -l <"$dir/needed")" -gt 100 ] || return
	comm -23 "$dir/needed" "$dir/offered" >"$dir/unknown"
	cat "$dir/unknown"
	# Others of kvm.ko, to the vendors' modules
	! grep -vf <(awk -F'\t' '$3 ~ /\/kvm$/ { print " " $2 "$" }' \
		"$root/lib/modules/$1/build/Module.symvers") "$dir/unknown"
}

# The kernels
headers=$(in_root apt-cache depends linux-headers-amd64 |
	sed -n 's/.*Depends: \(linux-headers-.*-amd64\)$/\1/p')
new=${headers#linux-headers-}
series=$(sed -E 's/^([0-9]+\.[0-9]+).*/\1/' <<<"$new")
old=$(in_root apt-cache pkgnames "linux-headers-$series." |
	sed -nE 's/^linux-headers-([^-]*(-[0-9]+)?-amd64)$/\1/p' | sort -V | grep -xB 1 -F "$new" |
	head -n 1)
# The newest of each other supported one
others() {
	local k
	for k in $(supported_kernels); do
		[ "$k" != "$series" ] || continue
		in_root apt-cache pkgnames "linux-headers-$k." |
			sed -nE 's/^linux-headers-([^-]*(-[0-9]+)?-amd64)$/\1/p' | sort -V |
			tail -n 1
	done
}
also=${ALSO-$(others | paste -sd ' ')}
say "$release: kernels $old, $new;" "$also"
holds "$release has two kernels that there are patches for" [ "$old" != "$new" ]

"$top/scripts/packages" "$dir/first" >/dev/null
# The next version: an empty commit later
git clone -q --shared "$top" "$dir/clone"
(cd "$top" && git ls-files -z | while read -rd '' f; do [ ! -f "$f" ] || printf '%s\0' "$f"; done |
	xargs -0 cp -p --parents -t "$dir/clone")
GIT_COMMITTER_DATE="$(($(git -C "$top" log -1 --format=%ct) + 1)) +0000" \
	GIT_AUTHOR_NAME=test GIT_AUTHOR_EMAIL=test@localhost \
	plain_git -C "$dir/clone" commit -q --allow-empty -m later
"$dir/clone/scripts/packages" "$dir/second" >/dev/null
cp -r "$dir/first" "$dir/second" "$root/root/"

# On a system that has all that they depend on
mapfile -t depends < <(dpkg-deb -f "$dir/first"/$name-dkms_*.deb Depends | tr -d ' ' | tr ',' '\n')
apt_get install "${depends[@]}" libncurses6 libc6-dev "linux-image-$old" "linux-headers-$old" ||
	result 1 "what they need is installed" "$log"
# everything: all files, but what packages' tools keep about packages
everything() {
	(cd "$root" && find . \( -path ./proc -o -path ./root -o -path ./tmp -o -path ./var/cache \
		-o -path ./var/log -o -path ./var/lib/apt -o -path ./var/lib/dpkg \
		-o -path ./var/lib/systemd -o -path './var/lib/dkms/mok.*' \) \
		-prune -o -print | sort)
}
everything >"$dir/before"

install_ours() {
	local debs=("$root/root/$1"/*.deb)
	apt_get install "${debs[@]#"$root"}"
}
status=0
install_ours first || status=$?
result $status "they install" "$log"
holds "without a word too much" says_nothing
holds "dpkg and apt find nothing wrong" sound
holds "the modules of $old are ours" ours "$old"
holds "its source was downloaded, and is gone" [ ! -e "$root/var/cache/$name" ]
holds "they need what this kernel has" fits "$old"
holds "exitstat runs" in_root exitstat --version
is "its units are there" \
	"$(in_root dpkg -L exitstat | grep -c '/systemd/system/exitstat\.')" 2
is "and not enabled" "$(find "$root/etc/systemd" -name 'exitstat*')" ""

status=0
apt_get install "linux-image-$new" "linux-headers-$new" "linux-source-$series" || status=$?
result $status "a newer kernel installs, with its source" "$log"
holds "without a word too much" says_nothing
holds "its modules are ours" ours "$new"
made_of() { grep "linux-source-$series $(origin "$new") is installed" "$1"; }
holds "made of the installed source" made_of \
	"$root/var/lib/dkms/$name/$(installed)/$new/x86_64/log/make.log"
holds "the older kernel's, too" ours "$old"
for k in $also; do
	status=0
	apt_get install "linux-headers-$k" "linux-image-$k" || status=$?
	result $status "$k installs" "$log"
	holds "its modules are ours" ours "$k"
	holds "they need what this kernel has" fits "$k"
	apt_get purge --auto-remove "linux-headers-$k" "linux-image-$k" || true
done
status=0
apt_get purge "linux-image-$old" "linux-headers-$old" || status=$?
result $status "the older kernel is purged" "$log"
holds "nothing of it is left" [ ! -e "$root/lib/modules/$old" ]
holds "nor in dkms" [ -z "$(in_root dkms status -k "$old" | grep -F "$old")" ]

# What can go wrong
in_root dkms remove -m $name -v "$(installed)" -k "$new" >"$log" 2>&1
in_root dkms add -m $name -v "$(installed)" >>"$log" 2>&1 || true
holds "without our modules, the kernel has its own" stock "$new"
update=/usr/src/$name-$(installed)/update
state() { listing lib/modules; in_root dkms status; }
state >"$dir/state"
# refuses NAME PATTERN: update ends with one sentence, and leaves all as it was
refuses() {
	local status=0
	in_root "$update" >"$log" 2>&1 || status=$?
	[ $status -eq 1 ] && [ "$(said | wc -l)" -eq 1 ] && said | grep -E "$2" >>"$dir/matched" &&
		state | diff "$dir/state" - >>"$log" 2>&1 && status=0 || status=1
	result $status "$1" "$log"
}
fake() { mkdir -p "$root/lib/modules/$1/build/include"; }
# As a pattern: some have a plus in their names.
keeps="no modules for ${new//+/.}, which keeps its own: "
version=$(origin "$new")
source=linux-source-$series
tarball=$root/usr/src/$source.tar.xz

fake 5.10.0-1-amd64
mv "$root/lib/modules/$new" "$root/lib/away"
state >"$dir/state"
refuses "a kernel without patches" \
	"5.10.0-1-amd64, .*it is Linux 5.10, but there are patches for 6.1, .* only; boot one"
rm -r "$root/lib/modules/5.10.0-1-amd64"
fake "$series.0-1-amd64"
state >"$dir/state"
refuses "no headers" "its headers are missing; install linux-headers-$series.0-1-amd64"
mkdir -p "$dir/own/DEBIAN"
printf '%s\n' "Package: linux-headers-$series.0-1-amd64" "Source: linux-upstream" "Version: 1" \
	"Architecture: amd64" "Maintainer: me <me@localhost>" "Description: a kernel of one's own" \
	>"$dir/own/DEBIAN/control"
mkdir -p "$dir/own/usr/src/linux-headers-$series.0-1-amd64"
dpkg-deb --build "$dir/own" "$root/root/own.deb" >"$log"
status=0
apt_get install /root/own.deb || status=$?
other="it is not of Debian's source package linux, but linux-upstream"
[ $status -eq 0 ] && said | grep "$other" >>"$dir/matched" || status=1
result $status "a kernel that is not Debian's: apt tells so, and is content" "$log"
refuses "and so does update" "$other"
in_root dpkg -P "linux-headers-$series.0-1-amd64" >"$log" 2>&1
rm -rf "$root/lib/modules/$series.0-1-amd64"
mv "$root/lib/away" "$root/lib/modules/$new"
state >"$dir/state"

cp -p "$tarball" "$dir/tarball"
truncate -s 1000000 "$tarball"
refuses "a source that is damaged" \
	"$keeps.*does not unpack; run: apt-get install --reinstall $source"
rm "$tarball"
refuses "a source that has lost its file" "$keeps.* is missing; run: apt-get install --reinstall"
cp -p "$dir/tarball" "$tarball"
cp -a "$root/var/lib/dkms" "$dir/dkms"
mount -t tmpfs -o size=64m tmpfs "$root/var/lib/dkms"
cp -a "$dir/dkms/." "$root/var/lib/dkms/"
refuses "no space" "$keeps.*/build has [0-9]+ MiB free, and this takes 150; free some space"
umount "$root/var/lib/dkms"
patch=("$root/usr/src/$name-"*/"patches/$series"/0001-*.patch)
cp "${patch[0]}" "$dir/patch"
awk '/^@@/ { on = 1 } on && /^ ./ { $0 = $0 " not so"; on = 0 } { print }' \
	"$dir/patch" >"${patch[0]}"
refuses "a source that the patches do not know" \
	"$keeps$(basename "${patch[0]}") does not apply to its source, $source $version, with exact"
cp "$dir/patch" "${patch[0]}"

dpkg_status=$root/var/lib/dpkg/status
cp "$dpkg_status" "$dir/status"
awk -v p="Package: $source" '
	$0 == p { on = 1 } on && /^Version: / { $2 = "1.2.3-4" } /^$/ { on = 0 } { print }
	' "$dir/status" >"$dpkg_status"
mv "$root/var/lib/apt/lists" "$root/var/lib/apt/lists.away"
refuses "a source of another version" \
	"$keeps.*its source, $source $version, is neither installed \(1.2.3-4 is\) nor in .*lists"
cp "$dir/status" "$dpkg_status"
apt_get purge "$source" || true
refuses "no source" "$keeps.*is neither installed nor in this machine's package lists; run apt-get"
rm -rf "$root/var/lib/apt/lists"
mv "$root/var/lib/apt/lists.away" "$root/var/lib/apt/lists"
echo 'Acquire::http::Proxy "http://127.0.0.1:9";' >"$root/etc/apt/apt.conf.d/zz-off"
mv "$root/var/cache/apt/archives" "$root/var/cache/apt/archives.away"
refuses "no network" "$keeps.*downloading its source, $source $version, failed; see above"
rm -rf "$root/var/cache/apt/archives" "$root/etc/apt/apt.conf.d/zz-off"
mv "$root/var/cache/apt/archives.away" "$root/var/cache/apt/archives"

# The next version, on a machine that would refuse its modules
mkdir -p "$root/sys/kernel/security"
echo "none [integrity] confidentiality" >"$root/sys/kernel/security/lockdown"
tool() {
	printf '%s\n' '#!/bin/sh' "$2" >"$root/usr/local/bin/$1"
	chmod +x "$root/usr/local/bin/$1"
}
tool mokutil 'echo "$2 is not enrolled"'
first=$(installed)
status=0
install_ours second || status=$?
result $status "the next version installs" "$log"
holds "Secure Boot does not know the key: told in one sentence" \
	[ "$(said | grep -c "for $new are built, but .* would refuse.*mokutil --import")" = 1 ]
holds "and the kernel keeps its own modules" stock "$new"
holds "nothing is left of the version before" \
	[ -z "$(ls -d "$root/usr/src/$name-$first" "$root/var/lib/dkms/$name/$first" 2>/dev/null)" ]
tool mokutil 'echo "$2 is already enrolled"'
# and guests run
tool uname "[ \"\$1\" != -r ] || exec echo $new; exec /bin/uname \"\$@\""
mkdir -p "$root/sys/module/kvm" "$root/sys/module/kvm_intel"
echo 2 >"$root/sys/module/kvm_intel/refcnt"
status=0
in_root "/usr/src/$name-$(installed)/update" >"$log" 2>&1 || status=$?
result $status "when it does, they are installed, and not built again" "$log"
holds "not built again" [ -z "$(grep building "$log")" ]
holds "guests run: told in one sentence" [ "$(said | grep -c \
	'the KVM that is loaded stays .*when no guest runs any more: rmmod kvm_intel kvm &&')" = 1 ]
rm -r "$root/sys/module" "$root/sys/kernel" "$root/usr/local/bin"/{uname,mokutil}
holds "its modules are ours" ours "$new"
holds "dpkg and apt find nothing wrong" sound

keep_downloads
status=0
in_root dpkg -r $name-dkms exitstat libexitstat-dev >"$log" 2>&1 || status=$?
result $status "they are removed" "$log"
holds "the kernel has its own modules" stock "$new"
status=0
in_root dpkg -P $name-dkms exitstat libexitstat-dev >"$log" 2>&1 || status=$?
result $status "and purged" "$log"
apt_get purge --auto-remove "linux-image-$new" "linux-headers-$new" "$source" || true
everything >"$dir/after"
left() { comm -13 "$dir/before" "$dir/after" | grep .; }
is "nothing of them is left" "$(left | head -n 5 || true)" ""
ktap_end
