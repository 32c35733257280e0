#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The boot report's page has the figures of the samples that it is made from: recorded
# ones, the first of a real run and some of its phases.
#
# usage: host-tests/report.sh
. "$(dirname "$0")/lib.sh"
# Python's, so that jq does not check itself.
python=(python3 -c)

# page NAME: a copy of the recording, which may then be changed
page() { cp -r "$top/host-tests/report" "$dir/$1"; }
# refused NAME PATTERN: no page, for a reason
refused() {
	! "$top/scripts/report-page" "$dir/$1" 2>"$dir/err" && grep "$2" "$dir/err" &&
		[ ! -e "$dir/$1/index.html" ]
}
# sum RUN: of the exits in the samples
sum() {
	"${python[@]}" 'import json, sys
exits = sum(json.loads(l)["total"]["exits"] for l in open(sys.argv[1]))
print(format(exits, ","))' "$1/samples.json"
}
# total RUN: the row of the page that says that
total() { echo "<th scope=\"row\">total</th><td>$(sum "$1")</td>"; }

ktap_begin
page one
holds "a page is made" "$top/scripts/report-page" "$dir/one"
for run in ept no-ept; do
	holds "$run: the total is that of the samples" \
		grep "$(total "$dir/one/$run")" "$dir/one/index.html"
	# shellcheck disable=SC2317 # holds calls it
	phases() {
		"${python[@]}" 'import json, sys
page, dir = open(sys.argv[1]).read(), sys.argv[2]
for phase in open(dir + "/phases"):
    name = phase.split("\t")[0]
    report = json.load(open(f"{dir}/{name}.json"))
    cells = ["<td>" + format(report["total"][what], ",") + "</td>" for what in ("exits", "cycles")]
    rows = [row for row in page.split("<tr>")
            if row.startswith(f"<th scope=\"row\">{name}</th>") and all(c in row for c in cells)]
    assert len(rows) == 1, name' "$dir/one/index.html" "$dir/one/$run"
	}
	holds "$run: a phase is what its report says" phases
	# shellcheck disable=SC2317 # holds calls it
	reasons() {
		"${python[@]}" 'import collections, json, re, sys
page, dir, table = open(sys.argv[1]).read(), sys.argv[2], int(sys.argv[3])
exits, cycles = collections.Counter(), collections.Counter()
for sample in map(json.loads, open(dir + "/samples.json")):
    for reason in sample["reasons"]:
        exits[reason["name"]] += reason["exits"]
        cycles[reason["name"]] += reason["cycles"]
rows = re.findall("<details>.*?</details>", page, re.S)[table].split("<tr>")
cells = [re.sub("<[^>]*>", " ", row).split() for row in rows]
shown = {row[0]: [n for n in row[1:] if "%" not in n and n != "&lt;"]
         for row in cells if row and row[0].isupper()}
expected = {name: [format(n[name], ",") for n in (exits, cycles)] for name in exits if exits[name]}
assert {name: [row[0], row[2]] for name, row in shown.items()} == expected, shown' \
			"$dir/one/index.html" "$dir/one/$run" "$1"
	}
	holds "$run: each reason is what the samples have" \
		reasons "$([ $run = ept ] && echo 0 || echo 1)"
done
# charted WHAT CHART: its figures, from 100000 on as the chart rounds them
# shellcheck disable=SC2317 # holds calls it
charted() {
	"${python[@]}" 'import json, re, sys
dir, what, index = sys.argv[1], sys.argv[2], int(sys.argv[3])
chart = re.findall("<svg.*?</svg>", open(dir + "/index.html").read(), re.S)[index]
texts = re.findall("<text>(?:<tspan[^>]*>)? *([^< ]*)", chart)
for run in "ept", "no-ept":
    sums = {}
    for sample in map(json.loads, open(f"{dir}/{run}/samples.json")):
        for reason in sample["reasons"]:
            sums[reason["name"]] = sums.get(reason["name"], 0) + reason[what]
    assert sum(name in texts for name in sums) > 5
    for name, n in sums.items():
        unit, suffix = (1, "") if n < 1e5 else (1e3, "k") if n < 1e6 else (1e6, "M")
        # gnuplot rounds a half either way.
        near = {"%.*f%s" % (unit > 1, n / unit + d, suffix) for d in (-0.001, 0.001)}
        assert near & set(texts) or name not in texts, f"{name} {n}"' "$dir/one" "$1" "$2"
}
holds "the chart of exits shows them" charted exits 6
holds "the chart of cycles shows them" charted cycles 7
# shellcheck disable=SC2317 # holds calls it
same() {
	page two && "$top/scripts/report-page" "$dir/two" &&
		diff "$dir/one/index.html" "$dir/two/index.html"
}
holds "the same samples make the same page" same
# shellcheck disable=SC2317 # holds calls it
other() {
	page other && sed -i '5s/"total":{"exits":/&1000/' "$dir/other/ept/samples.json" &&
		"$top/scripts/report-page" "$dir/other" &&
		grep "$(total "$dir/other/ept")" "$dir/other/index.html" &&
		! grep -q "<td>$(sum "$dir/one/ept")</td>" "$dir/other/index.html"
}
holds "other samples make another" other
# charts NAME: how many a page has
charts() { grep -c '^<svg' "$dir/$1/index.html"; }
holds "eight charts" [ "$(charts one)" = 8 ]
# The table's shares of the states are those of the ledgers, which add up.
# shellcheck disable=SC2317 # holds calls it
shares() {
	"${python[@]}" 'import json, re, sys
dir, states = sys.argv[1], ("guest", "exits", "vmm", "halted", "waiting", "asleep")
page = open(dir + "/index.html").read().split("<h2>Where the time goes</h2>")[1].split("<h2>")[0]
rows = [[re.sub("<[^>]*>", "", cell) for cell in re.findall("<t[hd][^>]*>.*?</t[hd]>", row)]
        for row in page.split("<tr>") if "scope=\"row\"" in row]
assert len(rows) == 8, rows
for run, shown in ("ept", rows[:4]), ("no-ept", rows[4:]):
    for row in shown:
        ledger = json.load(open(f"{dir}/{run}/{row[0]}.json"))["ledger"]
        whole = sum(ledger[state + "_ns"] for state in states)
        for state, cell in zip(states, row[1:], strict=True):
            share = 100 * ledger[state + "_ns"] / whole
            figure = float(cell.replace("&lt;", "").replace("\u00a0%", ""))
            assert abs(figure - share) < 0.1001, (run, row[0], state, cell, share)' "$dir/one"
}
holds "where the time goes is what the ledgers say" shares
# shellcheck disable=SC2317 # holds calls it
older() {
	page older && : >"$dir/older/ledger.svg" &&
		sed -i 's/"ledger":{[^}]*},//' "$dir/older"/*/*.json &&
		! grep -q '"ledger"' "$dir/older"/*/*.json &&
		"$top/scripts/report-page" "$dir/older" && [ "$(charts older)" = 6 ] &&
		[ ! -e "$dir/older/ledger.svg" ] &&
		! grep -q 'Where the time goes' "$dir/older/index.html"
}
holds "a host without the ledger has no chart of it" older
# shellcheck disable=SC2317 # holds calls it
well_formed() {
	"${python[@]}" 'import re, sys, xml.dom.minidom
page = open(sys.argv[1]).read()
ids = re.findall(r"\bid=\"([^\"]*)\"", page)
assert len(ids) == len(set(ids)), "an id is there twice"
for svg in re.findall(r"<svg.*?</svg>", page, re.S):
    assert len(xml.dom.minidom.parseString(svg).getElementsByTagName("text")) > 5
for data in re.findall(r"(?:src|href|url)\s*[=(]\s*[\"\x27]?(?!#)([^\"\x27)>]*)", page):
    raise Exception("not self-contained: " + data)' "$dir/one/index.html"
}
holds "that are well-formed and refer to nothing outside" well_formed
# shellcheck disable=SC2317 # holds calls it
picture() {
	"${python[@]}" 'import sys, xml.dom.minidom
texts = xml.dom.minidom.parse(sys.argv[1]).getElementsByTagName("text")
assert any(sys.argv[2] in t.toxml() for t in texts), "it has no key"' "$dir/one/$1" "$2"
}
holds "the picture for other pages is well-formed and has a key" \
	picture picture.svg "other reasons"
holds "and so is the ledger's" picture ledger.svg waiting
unknown=$(sed 's/<[^>]*>//g' "$dir/one/index.html" | grep -cwiE 'null|nan|inf|undefined' || true)
holds "nothing is unknown" [ "$unknown" = 0 ]
holds "says what a cycle is on an emulated machine" \
	grep -q 'a cycle is one emulated instruction' "$dir/one/index.html"
# shellcheck disable=SC2317 # holds calls it
real() {
	page real && sed -i 's/"emulated": *true/"emulated":false/' "$dir/real/machine.json" &&
		"$top/scripts/report-page" "$dir/real" &&
		! grep -q 'emulated instruction' "$dir/real/index.html"
}
holds "and not where it is none" real
page restarted
sed -i '3s/"restarted":false/"restarted":true/' "$dir/restarted/ept/samples.json"
holds "counters that were restarted are refused" refused restarted "make no figures"
page missing
rm "$dir/missing/no-ept/idle.json"
holds "a phase without a report is refused" refused missing "error: "
page empty
: >"$dir/empty/ept/samples.json"
holds "no samples are refused" refused empty "has no samples"
ktap_end
