# shellcheck shell=bash
# shellcheck disable=SC2154 # cache is common.sh's, and dir the caller's
# SPDX-License-Identifier: GPL-2.0-only
# Sourced by who runs Prometheus, or node_exporter, for a moment: on loopback, on ports that the
# kernel chooses, and with all that they write in $dir.  Who sources it calls stop_servers at exit.

PATH=$cache/unpacked/usr/bin:$PATH # by scripts/deps
servers=()

# server NAME COMMAND...: in the background, no longer than this shell is there
server() {
	local name=$1
	shift
	# What one before it has said says nothing of this one.
	: >"$dir/$name.log"
	setpriv --pdeathsig TERM "$@" >"$dir/$name.log" 2>&1 &
	servers+=($!)
}

stop_servers() {
	[ ${#servers[@]} -eq 0 ] || kill "${servers[@]}" 2>/dev/null || true
	wait "${servers[@]}" 2>/dev/null || true
	servers=()
}

# await COMMAND...: for 20 seconds at most, or else it says what the command did.  Once one has not
# come about, others are not waited for that long.
patience=20
await() {
	local until=$((SECONDS + patience))
	while ! "$@" >"$dir/awaited" 2>&1; do
		[ $SECONDS -lt $until ] || { patience=3 && cat "$dir/awaited" && return 1; }
		sleep 0.2
	done
}

# address NAME: where a server listens
address() { sed -n 's/.*Listening on.*address=\(127[0-9.:]*\).*/\1/p' "$dir/$1.log" | grep .; }

# start_prometheus OPTION...: as the server of that name, with $dir/prometheus.yml, and the data in
# $dir/data
start_prometheus() {
	mkdir -p "$dir/data"
	server prometheus prometheus --config.file="$dir/prometheus.yml" \
		--storage.tsdb.path="$dir/data" --web.listen-address=127.0.0.1:0 "$@"
	await ready_or_gone && ready || { tail -n 3 "$dir/prometheus.log" && return 1; }
}
ready() { address prometheus >"$dir/ready" && grep -q 'Server is ready' "$dir/prometheus.log"; }
ready_or_gone() { ready || ! kill -0 "${servers[-1]}"; }

# ask FILTER PATH [NAME VALUE]...: what jq finds in its answer, or else what it answered
ask() {
	local filter=$1
	shift
	python3 -c 'import sys, urllib.error, urllib.parse, urllib.request
server, path, *values = sys.argv[1:]
query = urllib.parse.urlencode(list(zip(values[::2], values[1::2])))
try:
    page = urllib.request.urlopen(f"http://{server}/api/v1/{path}?{query}")
except urllib.error.HTTPError as error:
    page = error
print(page.read().decode())' "$(address prometheus)" "$@" >"$dir/answer" 2>"$dir/asked" ||
		{ tail -n 1 "$dir/asked" && return 1; }
	jq -er "$filter" "$dir/answer" || { cut -c1-2000 "$dir/answer" && return 1; }
}
