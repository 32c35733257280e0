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
holds "the chart of exits shows them" charted exits 8
holds "the chart of cycles shows them" charted cycles 9
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
holds "ten charts" [ "$(charts one)" = 10 ]
# In a section of the page, the run and the cells of each phase
phase_rows='import re
def phase_rows(dir, title):
    page = open(dir + "/index.html").read().split(f"<h2>{title}</h2>")[1].split("<h2>")[0]
    rows = [[re.sub("<[^>]*>", "", cell) for cell in re.findall("<t[hd][^>]*>.*?</t[hd]>", row)]
            for row in page.split("<tr>") if "scope=\"row\"" in row]
    assert len(rows) == 8, rows
    return zip(4 * ["ept"] + 4 * ["no-ept"], rows)
'
# The table's shares of the states are those of the ledgers, which add up.
# shellcheck disable=SC2317 # holds calls it
shares() {
	"${python[@]}" "$phase_rows"'import json, sys
dir, states = sys.argv[1], ("guest", "exits", "vmm", "halted", "waiting", "asleep")
for run, row in phase_rows(dir, "Where the time goes"):
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
		"$top/scripts/report-page" "$dir/older" && [ "$(charts older)" = 8 ] &&
		[ ! -e "$dir/older/ledger.svg" ] &&
		! grep -q 'Where the time goes' "$dir/older/index.html"
}
holds "a host without the ledger has no chart of it" older
# A heat map's boxes are those of the buckets with exits, and the colour of each is where the key
# above has it, which goes from the lowest rate of both runs to 5 % above the highest.
# shellcheck disable=SC2317 # holds calls it
heat() {
	"${python[@]}" 'import json, math, re, sys
dir, runs = sys.argv[1], ("ept", "no-ept")
charts = re.findall("<svg.*?</svg>", open(dir + "/index.html").read(), re.S)[6:8]
rates, boxes, keys, texts = {}, {}, {}, {}
for run, chart in zip(runs, charts, strict=True):
    for i, line in enumerate(list(open(f"{dir}/{run}/samples.json"))[1:]):
        sample = json.loads(line)
        for bucket, n in enumerate(map(sum, zip(*[r["histogram"] for r in sample["reasons"]]))):
            if n:
                rates[run, i, bucket] = n / sample["elapsed"]
    drawn = re.findall("polygon fill = .(rgb.*?). points = .(.*?) ./", chart)
    drawn = [([*map(int, re.findall("[0-9]+", colour))], [*map(float, re.split("[ ,]", points))])
             for colour, points in drawn]
    boxes[run] = [box for box in drawn if box[1][1] > 100]
    keys[run] = [box for box in drawn if box[1][1] < 100]
    # A little below 1K, which is where bucket 10 begins
    texts[run] = float(re.search("([0-9.]*)[)][^<]*<text><tspan[^>]*>1K<", chart)[1])
lowest = min(rates.values())
scale = math.log(max(rates.values()) * 1.05 / lowest)
shown = {}
for run in runs:
    columns = sorted({at[0] for _, at in boxes[run]})
    begin, end = min(at[0] for _, at in keys[run]), max(at[2] for _, at in keys[run])
    for colour, at in boxes[run]:
        _, where = min(keys[run], key=lambda box: math.dist(box[0], colour))
        rate = lowest * math.exp(scale * ((where[0] + where[2]) / 2 - begin) / (end - begin))
        bucket = 10 + round((texts[run] - at[1]) / (at[1] - at[5]))
        shown[run, columns.index(at[0]), bucket] = rate
assert shown.keys() == rates.keys(), shown.keys() ^ rates.keys()
for at, rate in rates.items():
    assert abs(math.log(shown[at] / rate)) < 0.06, (at, rate, shown[at])' "$dir/one"
}
holds "the heat maps show the buckets" heat
# shellcheck disable=SC2317 # holds calls it
durations() {
	"${python[@]}" "$phase_rows"'import json, math, sys
dir = sys.argv[1]
for run, row in phase_rows(dir, "How long exits take"):
    reasons = json.load(open(f"{dir}/{run}/{row[0]}.json"))["reasons"]
    # Each exit by its bucket, the shortest first
    buckets = map(sum, zip(*[reason["histogram"] for reason in reasons]))
    exits = [bucket for bucket, n in enumerate(buckets) for _ in range(n)]
    for share, cell in zip((500, 990, 999), row[1:4]):
        limit = 2 << exits[math.ceil(share * len(exits) / 1000) - 1]
        limit = f"{limit // 1024}K" if limit >= 1024 else str(limit)
        assert cell == "&lt; " + limit, (run, row, share, limit)
    longest = max(reasons, key=lambda reason: reason["max_cycles"])
    longest = [format(longest["max_cycles"], ","), longest["name"]]
    assert row[4:] == longest, (run, row, longest)' "$dir/one"
}
holds "how long exits take is what the phases' reports say" durations
# shellcheck disable=SC2317 # holds calls it
no_histogram() {
	page no-histogram && : >"$dir/no-histogram/heat.svg" &&
		sed -Ei 's/,"histogram":(null|\[[^]]*\])//g' "$dir/no-histogram"/*/*.json &&
		! grep -q '"histogram"' "$dir/no-histogram"/*/*.json &&
		"$top/scripts/report-page" "$dir/no-histogram" &&
		[ "$(charts no-histogram)" = 8 ] && [ ! -e "$dir/no-histogram/heat.svg" ] &&
		! grep -q 'How long exits take' "$dir/no-histogram/index.html"
}
holds "nor one without histograms of those" no_histogram
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
holds "and the heat map's" picture heat.svg "exits per second"
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
