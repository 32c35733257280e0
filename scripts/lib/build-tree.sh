# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154,SC2034 # top and cache are common.sh's; the rest is for the verb
# Sourced by the verbs that build: the working tree that is built from.
#
# It is one for all flavours and versions of the series, so that the compiler cache
# sees the same paths, and it is switched between them so that only the files that
# differ become newer.

# lock_tree: keep the tree for the rest of the verb
lock_tree() {
	mkdir -p "$cache/tree"
	exec 9>"$tree.lock"
	flock -n 9 || { say "waiting for another build to release $tree"; flock 9; }
	rm -f "$tree/.git/index.lock" # of a verb that was killed: the lock is ours
}

# build_tree X.Y: see that there is a tree, and the series in it.  Sets tree, base_commit,
# series_commit and name, which tells apart what is built from LINUX=.  The tree is only locked
# if there is something to do.
build_tree() {
	local kernel=$1 base patch file series
	base=$("$top/scripts/source")
	name=$kernel
	base_commit=base
	if [ -n "${LINUX:-}" ]; then
		name=$kernel-$(printf '%s' "$base" | sha256sum | cut -c1-8)
		base_commit=HEAD
	fi
	base_commit=$(git -C "$base" rev-parse --verify "$base_commit^{commit}")
	tree=$cache/tree/$name
	export CCACHE_BASEDIR=$cache
	# It compiles with other paths to the source than ccache does by default, and they
	# are in the strings of warnings: what one has cached is not what the other makes.
	unset CCACHE_DEPEND

	# The same patches make the same commits: once will do.  A file that is missing is
	# series-commit's to name.
	series=refs/exit-stats/$({
		echo "$base_commit $GIT_COMMITTER_NAME $GIT_COMMITTER_EMAIL"
		cat "$top/scripts/series-commit"
		for patch in "$top/patches/$kernel"/[0-9]*.patch; do
			cat "$patch"
			for file in $(adds "$patch"); do cat "$(kept_in "$file")" || true; done
			for file in $(edits "$patch"); do
				cat "$top/patches/edits/$file" || true
			done
		done
	} 2>&1 | sha256sum | cut -c1-16)
	! series_commit=$(git -C "$tree" rev-parse -q --verify "$series^{commit}" 2>/dev/null) ||
		! git -C "$tree" cat-file -e "HEAD^{tree}" 2>/dev/null || return 0

	lock_tree
	# Its objects are borrowed from LINUX, whose owner may have dropped them.
	if [ -d "$tree" ] && ! git -C "$tree" cat-file -e "HEAD^{tree}" 2>/dev/null; then
		say "$tree has lost its source, checking it out anew"
		rm -rf "$tree"
	fi
	if [ ! -d "$tree" ]; then
		need_space "$cache" 3500
		rm -rf "$tree.part"
		step "checking out the source to build" "$cache/log/checkout.log" \
			git clone -q --shared "$base" "$tree.part"
		mv "$tree.part" "$tree"
	fi
	plain_git -C "$tree" fetch -q "$base" "$base_commit"
	"$top/scripts/series-commit" "$base" "$base_commit" "$tree.series" >/dev/null
	plain_git -C "$tree" fetch -q "$tree.series" "+HEAD:$series"
	series_commit=$(git -C "$tree" rev-parse "$series")
	rm -rf "$tree.series"
}

# switch_tree COMMIT: have its files, leaving alone those that are the same.
switch_tree() {
	if ! git -C "$tree" diff --quiet "$1" -- 2>/dev/null; then
		git -C "$tree" checkout -q -f --detach "$1" ||
			die "switching $tree to another version of the series failed;" \
				"remove it and try again"
	fi
}
