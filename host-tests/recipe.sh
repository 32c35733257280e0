#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# README's recipe for a kernel of one's own, on configurations as distributions have them: what it
# says about scripts/config and make is run as it stands.
#
# usage: [KERNEL=X.Y] host-tests/recipe.sh
. "$(dirname "$0")/lib.sh"
. "$top/scripts/lib/build-tree.sh"
kernel=$(selected_kernel)
export KERNEL=$kernel
build_tree "$kernel"
ktap_begin

# No more of the tree than a configuration takes
mkdir "$dir/linux"
git -C "$tree" archive "$series_commit" Makefile scripts arch/x86/Makefile* arch/x86/configs \
	arch/x86/*/Makefile* ':(glob)**/Kconfig*' | tar -x -C "$dir/linux"
cd "$dir/linux"
recipe=$(sed -n 's/^    \(scripts\/config .*\|make olddefconfig\)$/\1/p' "$top/README.md")
holds "README has a recipe" [ "$(grep -c '' <<<"$recipe")" -ge 4 ]

# configured SYMBOL...: by the recipe, where a distribution has these on
configured() {
	{
		echo 'CONFIG_KVM=m'
		echo 'CONFIG_KVM_INTEL=m'
		echo 'CONFIG_SYSTEM_TRUSTED_KEYRING=y'
		echo 'CONFIG_SYSTEM_TRUSTED_KEYS="debian/canonical-certs.pem"'
		echo 'CONFIG_SYSTEM_REVOCATION_LIST=y'
		echo 'CONFIG_SYSTEM_REVOCATION_KEYS="debian/canonical-revoked-certs.pem"'
		echo 'CONFIG_DEBUG_INFO_BTF=y'
		printf 'CONFIG_%s=y\n' "$@"
	} >"$dir/fragment"
	cat arch/x86/configs/x86_64_defconfig "$dir/fragment" >.config
	make -s olddefconfig
	# Or there would be nothing to switch off.
	grep -x 'CONFIG_DEBUG_INFO=y' .config || return 1
	eval "$recipe"
}
is_set() { grep -x "CONFIG_$1" .config; }
is_off() { ! grep "^CONFIG_$1=" .config; }
for choice in DEBUG_INFO_DWARF_TOOLCHAIN_DEFAULT DEBUG_INFO_DWARF4 DEBUG_INFO_DWARF5; do
	holds "$choice: configures" configured $choice
	holds "$choice: without debug information" is_off DEBUG_INFO
	holds "$choice: without what takes pahole" is_off DEBUG_INFO_BTF
	holds "$choice: with exit accounting" is_set KVM_EXIT_STATS=y
	holds "$choice: without others' keys" is_set 'SYSTEM_TRUSTED_KEYS=""'
done
ktap_end
