#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Bad input ends with one sentence and a non-zero status, and a user's tree stays
# as it was.
#
# usage: [KERNEL=X.Y] host-tests/bad-input.sh
. "$(dirname "$0")/lib.sh"
tree=$("$top/scripts/source")
kernel=$(selected_kernel)
ktap_begin
export GIT_AUTHOR_NAME=test GIT_AUTHOR_EMAIL=test@localhost
export GIT_COMMITTER_NAME=test GIT_COMMITTER_EMAIL=test@localhost
unset KERNEL KERNELS TESTS LINUX BACKEND BOCHS QEMU EXTRA_CONFIG EXIT_STATS_MATRIX

# refuses NAME PATTERN COMMAND...: fails, and says PATTERN in a line "error: ..."
refuses() {
	local name=$1 pattern=$2 status=0
	shift 2
	"$@" >"$dir/out" 2>"$dir/err" </dev/null || status=$?
	[ $status -ne 0 ] && [ "$(grep -c 'error: ' "$dir/err")" -ge 1 ] &&
		tail -n 1 "$dir/err" | grep -qE "error: .*$pattern" && status=0 || status=1
	result $status "$name" "$dir/err"
}

# A tree as small as the series allows: the files that it edits.
small=$dir/small
git init -q "$small"
mkdir -p "$small/arch/x86/kvm"
edited=$(git -C / apply --numstat "$top/patches/$kernel"/*.patch | awk '{ print $3 }' | sort -u)
for f in Makefile $edited; do
	mkdir -p "$small/$(dirname "$f")"
	git -C "$tree" show "HEAD:$f" >"$small/$f"
done
git -C "$small" add -A -f .
git -C "$small" commit -q -m base
unchanged() {
	[ -z "$(git -C "$small" status --porcelain)" ] &&
		[ "$(git -C "$small" rev-parse HEAD)" = "$1" ] &&
		[ ! -e "$small/.git/rebase-apply" ]
}
head=$(git -C "$small" rev-parse HEAD)


refuses "unknown KERNEL" "KERNEL=5.4 is not supported; choose one of:" \
	env KERNEL=5.4 "$top/scripts/kernel"
refuses "KERNEL that is equal only as a number" "is not supported" \
	env KERNEL="${kernel}0" "$top/scripts/kernel"
refuses "KERNELS with an unknown one" "KERNELS names 5.4" \
	env KERNELS="$kernel 5.4" "$top/scripts/test"
refuses "MINUTES that are none" "MINUTES=soon is no number of minutes" \
	env MINUTES=soon "$top/scripts/test"
refuses "KERNELS and KERNEL" "leave one of them out" \
	env KERNELS="$kernel" KERNEL="$kernel" "$top/scripts/test"
refuses "KERNELS and LINUX" "leave one of them out" \
	env KERNELS="$kernel" LINUX="$top" "$top/scripts/test"
refuses "apply without LINUX" "which tree" "$top/scripts/apply"
refuses "LINUX that does not exist" "is not a directory" env LINUX="$dir/none" "$top/scripts/apply"
mkdir "$dir/plain"
refuses "LINUX that is no git tree" "not the top of a git tree" \
	env LINUX="$dir/plain" KERNEL="$kernel" "$top/scripts/apply"
if [ "$(id -u)" -eq 0 ]; then
	cp -r "$small" "$dir/theirs"
	chown -R nobody "$dir/theirs"
	refuses "LINUX of another user" \
		'"detected dubious ownership".* git config --global --add safe.directory' \
		env LINUX="$dir/theirs" "$top/scripts/apply"
	# shellcheck disable=SC2317 # holds calls it
	as_told() {
		local HOME=$dir XDG_CACHE_HOME=${cache%/*}
		export HOME XDG_CACHE_HOME
		eval "$(sed -n 's/.* run: //p' "$1")" && LINUX=$dir/theirs "$top/scripts/apply"
	}
	cp "$dir/err" "$dir/remedy"
	holds "what it says to run helps" as_told "$dir/remedy"
fi
refuses "LINUX that is no kernel" "not a Linux source tree" \
	env LINUX="$top" KERNEL="$kernel" "$top/scripts/apply"

sed -i 's/^PATCHLEVEL = .*/PATCHLEVEL = 99/' "$small/Makefile"
git -C "$small" commit -q -a -m other-version
refuses "LINUX of another version than KERNEL" \
	"is Linux [0-9]+.99, but the patches are for $kernel" \
	env LINUX="$small" KERNEL="$kernel" "$top/scripts/apply"
refuses "LINUX of an unsupported version" "is Linux [0-9]+.99, but there are patches for" \
	env LINUX="$small" "$top/scripts/apply"
git -C "$small" reset -q --hard "$head"

echo "/* mine */" >>"$small/arch/x86/kvm/x86.c"
refuses "dirty LINUX" "uncommitted changes" env LINUX="$small" "$top/scripts/apply"
holds "the user's change is still there" grep -q mine "$small/arch/x86/kvm/x86.c"
git -C "$small" checkout -q -f

# A context line of the hook behind the VM exit, in every kernel.
sed -i 's/vmx_vcpu_enter_exit(vcpu/vmx_vcpu_enter_exit (vcpu/' "$small/arch/x86/kvm/vmx/vmx.c"
git -C "$small" commit -q -a -m other
other=$(git -C "$small" rev-parse HEAD)
refuses "a patch that does not apply" "does not apply .*exact context" \
	env LINUX="$small" "$top/scripts/apply"
holds "it names file and line" grep -q 'arch/x86/kvm/vmx/vmx.c:[0-9]' "$dir/err"
holds "the tree is untouched" unchanged "$other"
git -C "$small" reset -q --hard "$head"

echo mine >"$small/arch/x86/kvm/exit_stats.c"
refuses "an untracked file in the way" "has an untracked arch/x86/kvm/exit_stats.c" \
	env LINUX="$small" "$top/scripts/apply"
holds "it is still there" grep -q mine "$small/arch/x86/kvm/exit_stats.c"
rm "$small/arch/x86/kvm/exit_stats.c"

nobody=(env -u GIT_AUTHOR_NAME -u GIT_AUTHOR_EMAIL -u GIT_COMMITTER_NAME -u GIT_COMMITTER_EMAIL
	GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null)
refuses "mails of nobody" "git does not know who you are; set your name and address" \
	"${nobody[@]}" LINUX="$small" "$top/scripts/series" "$dir/mails"
holds "there are none" [ ! -e "$dir/mails" ]

holds "the series applies to the clean tree" env LINUX="$small" "$top/scripts/apply"
holds "with the files it adds" \
	cmp "$small/arch/x86/kvm/exit_stats.c" "$top/arch-x86-kvm/exit_stats.c"
refuses "applying it twice" "has the series already" env LINUX="$small" "$top/scripts/apply"

mkdir "$dir/copy"
cp -r "$top"/{scripts,kernels,patches} "$dir/copy/"
another=$(awk -v k="$kernel" '!/^#/ && NF && $1 "" != k "" { print $1; exit }' "$top/kernels")
refuses "refresh with another KERNEL than the tree's" "is Linux $kernel, but KERNEL=$another" \
	env KERNEL="$another" "$dir/copy/scripts/refresh" "$small" HEAD~1
refuses "refresh without BASE" "say: make refresh TREE=" "$dir/copy/scripts/refresh" "$small" ""
refuses "refresh from no kernel" "is not a git tree of Linux" \
	"$dir/copy/scripts/refresh" "$top" HEAD
holds "the patches are still there" diff -r "$top/patches" "$dir/copy/patches"

# A mirror that is not there, and an empty cache.
mkdir -p "$dir/apt/lists/partial" "$dir/apt/parts" "$dir/cache"
cat >"$dir/apt/apt.conf" <<-END
	Dir::Etc::SourceList "/dev/null";
	Dir::Etc::SourceParts "$dir/apt/parts";
	Dir::State::Lists "$dir/apt/lists";
	Dir::Cache "$dir/cache";
END
refuses "no package mirror" "no package mirror" \
	env APT_CONFIG="$dir/apt/apt.conf" XDG_CACHE_HOME="$dir/cache" "$top/scripts/source"

# Tools that are missing or at their limit: a PATH that shadows one of them.
mkdir "$dir/bin"
cat >"$dir/bin/df" <<-'END'
	#!/bin/sh
	echo "Filesystem 1M-blocks Used Available Capacity Mounted"
	echo "/dev/full 100 90 10 90% /"
END
chmod +x "$dir/bin/df"
refuses "too little disk" "10 MiB free, this step needs" \
	env PATH="$dir/bin:$PATH" XDG_CACHE_HOME="$dir/cache2" "$top/scripts/source"

: >"$dir/image"
mkdir "$dir/only"
for tool in awk basename bash busybox cat cp cut dirname env git grep head mkdir mktemp rm sed \
	sha256sum sleep tail timeout tr; do
	ln -s "$(command -v $tool)" "$dir/only/$tool"
done
echo x >"$dir/image"
machine=("$top/scripts/machine" "$dir/m")
refuses "Bochs missing" "BOCHS=.*/none is no program" \
	env PATH="$dir/only" BACKEND=bochs BOCHS="$dir/none" "${machine[@]}" "$dir"/{image,image}
refuses "a QEMU for SVM that is missing" "QEMU=.*/none is no program" \
	env PATH="$dir/only" BACKEND=tcg QEMU="$dir/none" "${machine[@]}" "$dir"/{image,image}
cat >"$dir/old-qemu" <<-'END'
	#!/bin/sh
	[ "$1" != --version ] || { echo "QEMU emulator version 5.2.0"; exit; }
	echo "warning: TCG doesn't support requested feature: CPUID.8000000AH:EDX.npt [bit 0]" >&2
	exit 1
END
chmod +x "$dir/old-qemu"
refuses "a QEMU without nested paging" "nested paging, but QEMU.* 5.2.0 says: .*npt.*a newer one" \
	env BACKEND=tcg QEMU="$dir/old-qemu" "${machine[@]}" "$dir"/{image,image}
refuses "the whole suite on SVM" "choose rows with TESTS='svm" \
	env BACKEND=tcg "$top/scripts/test"
refuses "the whole benchmark on SVM" "is the machine of the part svm" \
	env BACKEND=tcg "$top/scripts/bench"
refuses "QEMU missing" "qemu-system-x86_64 is not on the PATH" \
	env PATH="$dir/only" "$top/scripts/image" l1-system
refuses "unknown BACKEND" "BACKEND=vbox is unknown" \
	env BACKEND=vbox "${machine[@]}" "$dir"/{image,image}
refuses "a CPU that Bochs lacks" "vax is no CPU of Bochs'; choose one of: .*haswell" \
	env BACKEND=bochs MACHINE_MODEL=vax "${machine[@]}" "$dir"/{image,image}
refuses "no image to boot" "run make kernel first" "${machine[@]}" "$dir"/{none,image}
# A boot disk without a kernel never gets anywhere.
refuses "a machine that hangs" "(hung: no end after 5 s|ended before its job did).*console.log" \
	env BACKEND=bochs MACHINE_TIMEOUT=5 "${machine[@]}" "$dir"/{image,image}
refuses "EXTRA_CONFIG that does not exist" "cannot be read" \
	env EXTRA_CONFIG="$dir/none" "$top/scripts/kernel"
ktap_end
