# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Sourced by the verbs that get sources: apt, for a suite that this machine has not configured.
# It is read through a private configuration, derived from the machine's own mirror.

# private_apt DIR deb|deb-src SUITE: sets apt, the options for a configuration in DIR that has only
# that suite.  Fails if apt knows no mirror.
private_apt() {
	local archive=debian uris uri key=/usr/share/keyrings/debian-archive-keyring.gpg
	[[ $3 != *-security ]] || archive=debian-security
	uris=$(apt-get indextargets --no-release-info --format '$(REPO_URI)' 2>/dev/null) || return
	uri=$(grep -m 1 -E "/$archive/?\$" <<<"$uris") ||
		uri=$(sed -E "s,/debian(-security)?/*\$,/$archive/,; 1q" <<<"$uris")
	[ -n "$uri" ] || return
	mkdir -p "$1/lists/partial" "$1/cache/archives/partial"
	echo "$2 [signed-by=$key] $uri $3 main" >"$1/sources.list"
	# shellcheck disable=SC2034 # for the caller
	apt=(-o "Dir::Etc::SourceList=$1/sources.list" -o Dir::Etc::SourceParts=/dev/null
		-o "Dir::State::Lists=$1/lists" -o "Dir::Cache=$1/cache")
}
