# SPDX-License-Identifier: GPL-2.0-only
# The content of the page, from the figures.  A chart's place is a line "<!-- chart NAME -->".
def group: tostring | [match("\\d{1,3}(?=(\\d{3})*$)"; "g").string] | join(",");
def n: if . == null then "–" else round | group end;
def percent: if . > 0 and . < 0.1 then "&lt; 0.1\u00a0%" else "\(. * 10 | round / 10)\u00a0%" end;
def of($part; $whole): if $whole > 0 then 100 * $part / $whole | percent else "–" end;
def times:
	if . >= 10 then round | group
	elif . >= 0.95 then . * 10 | round / 10 | tostring
	else . * 100 | round / 100 | tostring end;
def ms: if . >= 10 then round | group | "\(.) s" else "\(. * 1000 | round | group) ms" end;
def esc: tostring | @html;
def cap: (.[:1] | ascii_upcase) + .[1:];
def listed: if length < 2 then .[0] // "none" else (.[:-1] | join(", ")) + " and " + .[-1] end;
def plural($one; $many): if . == 1 then $one else $many end;
# Cells of a table: what names the row, a figure, and text
def th: "<th scope=\"row\">\(.)</th>";
def td: "<td>\(.)</td>";
def left: "<td class=\"text\">\(.)</td>";

. as $f
| def colour: . as $name | ([$f.colours[] | select(.name == $name)][0] // $f.colours[-1]).colour;
  def swatch: "<span class=\"swatch\" style=\"background:\(colour)\"></span>";
  def reason: "<span class=\"reason\">\(swatch)\(esc)</span>";
  def legend: "<p class=\"legend\">" + ([$f.colours[] | .name | reason] | join(" ")) + "</p>";
  def state: "<span class=\"reason\"><span class=\"swatch\" style=\"background:\(.colour)\"></span>"
	+ "\(.name | esc)</span>";
  def states_legend: "<p class=\"legend\">" + ([$f.states[] | state] | join(" ")) + "</p>";
  def chart($name; $caption): "<figure><div class=\"scroll\">\n<!-- chart \($name) -->\n</div>"
	+ "<figcaption>\($caption)</figcaption></figure>";
  def named($name): [.reasons[] | select(.name == $name)][0] // {exits: 0, cycles: 0};
  def top($key; $n): (if $key == "exits" then .exits else .cycles end) as $whole
	| [.reasons[] | select(.exits > 0)] | sort_by(-.[$key], .name) | .[:$n]
	| map("\(.name | reason) (\(of(.[$key]; $whole)))") | listed;
  def rarest: [.reasons[] | select(.exits > 0)] | sort_by(.exits, .name) | .[0].exits as $least
	| map(select(.exits == $least) | .name | reason)
	| "\(listed), \($least | n) \($least | plural("exit"; "exits"))"
	+ if length > 1 then " each" else "" end;
  def dearest: [.reasons[] | select(.exits > 0)] | max_by(.cycles / .exits)
	| "\(.name | reason) at \(.cycles / .exits | n) cycles each";

  # What a reason did from one run to the other
  def compared($a; $b): [$a.reasons[], $b.reasons[]] | map(.name) | unique
	| map(. as $name
		| {name: $name, a: ($a | named($name)).exits, b: ($b | named($name)).exits});

  # A table: a column of text has its name behind a "<".
  def table($class; $head; $body): "<div class=\"scroll\"><table\($class)><thead><tr>"
	+ ($head | map(if .[:1] == "<" then "<th class=\"text\">\(.[1:])</th>"
		else "<th>\(.)</th>" end) | join(""))
	+ "</tr></thead><tbody>\($body)</tbody></table></div>";

  def phase_row($is_boot): "<tr>" + (.name | esc | th)
	+ ([(.elapsed | ms), (.exits | n),
		if $is_boot then "–" else .rate | n end,
		if .lowest == null or $is_boot then "–"
		else "\(.lowest | n) – \(.highest | n)" end,
		(.cycles | n), (.cycles / .exits | n), of(.own; .exits)] | map(td) | join(""))
	+ ([.reasons[:3][] | "\(.name | reason) \(.exits | n)"] | join("<br>") | left) + "</tr>";
  def phase_table: table(""; ["Phase", "Time", "Exits", "per second", "lowest – highest",
		"Cycles", "per exit", "exitstat’s own", "<Most frequent"];
	.phases | to_entries | map(.key as $i | .value | phase_row($i == 0)) | join("\n"));
  def share: if . == null then "–" else percent end;
  def ledger_row: "<tr>" + (.name | esc | th)
	+ (.shares // [range($f.states | length) | null] | map(share | td) | join("")) + "</tr>";
  def ledger_table: table(""; ["<Phase"] + ($f.states | map(.name | cap));
	.phases | map(ledger_row) | join("\n"));
  def has_ledger: any(.samples[]; .shares);
  # A bucket's upper bound, which the last one has not, in exitstat's words
  def power_of_two: "\(. % 10 | exp2)\(["", "K", "M", "G"][. / 10 | floor])";
  def quantile: if . < 31 then "&lt; \(. + 1 | power_of_two)" else "≥ \(power_of_two)" end;
  def durations_row: "<tr>" + (.name | esc | th)
	+ (.durations | (.quantiles | map(quantile | td) | join(""))
		+ (.longest.cycles | n | td) + (.longest.name | reason | left)) + "</tr>";
  def durations_table: table(" class=\"narrow\""; ["<Phase", "p50", "p99", "p99.9", "Longest",
		"<Its reason"]; .phases | map(durations_row) | join("\n"));
  def has_durations: any(.samples[]; .buckets);
  def reason_row($whole): "<tr>" + (.name | reason | th)
	+ ([(.exits | n), of(.exits; $whole.exits), (.cycles | n),
		of(.cycles; $whole.cycles), (.cycles / .exits | n)] | map(td) | join("")) + "</tr>";
  def total_row: "<tr class=\"total\">" + ("total" | th)
	+ ([(.exits | n), "", (.cycles | n), "", (.cycles / .exits | n)] | map(td) | join(""))
	+ "</tr>";
  def reason_table: table(""; ["<Reason", "Exits", "Share", "Cycles", "Share", "per exit"];
	.whole as $whole
	| ([$whole.reasons[] | select(.exits > 0) | reason_row($whole)] | join("\n"))
		+ ($whole | total_row));
  # Rates leave out exitstat's own exits, which are about the same in each phase.
  def steadiness: .phases[1:] as $p
	| ($p | max_by(.without_own)) as $high | ($p | min_by(.without_own)) as $low
	| ($high.without_own / ([$low.without_own, 1] | max)) as $ratio
	| "<strong>"
	+ (if $ratio < 1.5 then "At a stable rate" else "With certain operations" end)
	+ "</strong> \(.title): from \($low.without_own | n) exits per second in "
	+ "<em>\($low.name | esc)</em> to \($high.without_own | n) in "
	+ "<em>\($high.name | esc)</em>, \($ratio | times) times as many, "
	+ "exitstat’s own left out. "
	+ (.quarters | add as $all | if length == 0 or $all == 0 then "" else
		"The boot itself is \(if max > 1.5 * min then "no steadier" else "steady" end): "
		+ "the four quarters of its time took \(map(of(.; $all)) | listed) "
		+ "of its exits." end);
  def mostly: [.reasons[] | select(.name | ascii_upcase != "CPUID")][0]
	| "\(.name | reason) (\(.exits | n))";
  def tile($what): "<div class=\"tile\"><b>\(n)</b>\($what)</div>";

  $f.runs[0] as $with | $f.runs[1] as $without
| (if $f.machine.isa == "SVM" then ["NPT", "nested page tables"]
	else ["EPT", "extended page tables"] end) as [$ept, $long]
| ($with.phases[0]) as $boot | ($without.phases[0]) as $boot0
| "<p class=\"lead\">What a Linux guest reads about its own VM exits while it boots and then "
	+ "works, with \($long) (\($ept)) and without.</p>",
  "<dl>" + ([["Guest and host kernel", "Linux \($f.machine.kernel)"],
	["Guest", "\($f.machine.cpu), \($with.vcpus) vCPU, QEMU/KVM"],
	["Machine", $f.machine.backend]]
	| map("<dt>\(.[0] | esc)</dt><dd>\(.[1] | esc)</dd>") | join("")) + "</dl>",
  (if $f.machine.emulated then
	"<p class=\"note\">On this machine <strong>a cycle is one emulated instruction</strong>: "
	+ "it says how much code handling an exit runs through, not how long that takes on real "
	+ "hardware. "
	+ "Numbers of exits per second are per second of the emulated clock.</p>" else empty end),
  "<h2>Answers</h2>",
  "<h3>How many exits does a full boot take?</h3>",
  "<div class=\"tiles\">" + ($boot.exits | tile("exits with \($ept)"))
	+ ($boot0.exits | tile("exits without"))
	+ ($boot.cycles / $boot.exits | tile("cycles per exit with \($ept)"))
	+ ($boot0.cycles / $boot0.exits | tile("cycles per exit without")) + "</div>",
  "<p>\($boot.exits | n) with \($ept), from the guest’s first instruction until init has mounted "
	+ "its file systems, and \($boot0.exits | n) without: "
	+ "\($boot0.exits / $boot.exits | times) times as many. "
	+ "KVM spent \($boot.cycles | n) cycles on them with \($ept), "
	+ "\($boot0.cycles | n) without. "
	+ "Most frequent with \($ept): \($boot | top("exits"; 3)); "
	+ "without: \($boot0 | top("exits"; 3)).</p>",
  "<h3>Do exits grow at a stable rate, or with certain operations?</h3>",
  "<p>\($with | steadiness)</p>", "<p>\($without | steadiness)</p>",
  "<p>What the phases add most of, CPUID, which exitstat itself executes, left out:</p>",
  table(" class=\"narrow\""; ["<Phase", "<With \($ept)", "<Without"];
	[[$with.phases, $without.phases] | transpose[]
		| "<tr>" + (.[0].name | esc | th) + (map(mostly | left) | join("")) + "</tr>"]
	| join("")),
  "<h3>Which reasons are the most and the least frequent?</h3>",
  ([$with, $without][]
	| "<p>\(.title | cap), of \(.whole.exits | n) exits in boot and all phases:</p>",
	"<dl><dt>most frequent</dt><dd>\(.whole | top("exits"; 3))</dd>"
	+ "<dt>least frequent</dt><dd>\(.whole | rarest); "
	+ "\([.whole.reasons[] | select(.exits > 0)] | length) of the \(.phases[0].defined) "
	+ "defined reasons happened at all</dd>"
	+ "<dt>most cycles</dt><dd>\(.whole | top("cycles"; 3))</dd>"
	+ "<dt>most cycles per exit</dt><dd>\(.whole | dearest)</dd></dl>"),
  "<h3>What does \($ept) change?</h3>",
  ("<p>In all, there were \($without.whole.exits | n) exits without it and "
	+ "\($with.whole.exits | n) with it; they took \($without.whole.cycles | n) and "
	+ "\($with.whole.cycles | n) cycles, "
	+ "\($without.whole.cycles / $with.whole.cycles | times) times as many without. "
	+ (def changes: map("\(.name | reason) (\(.a | n) to \(.b | n))") | listed;
		compared($with.whole; $without.whole)
		| (sort_by(.a - .b) | .[:3] | map(select(.b > .a * 1.1)) | changes) as $more
		| (sort_by(.b - .a) | .[:3] | map(select(.a > .b * 1.1)) | changes) as $fewer
		| "Without \($ept) there are more of \($more), and fewer of \($fewer). ")
	+ ([$with.phases, $without.phases] | transpose
		| map({name: .[0].name, ratio: (.[1].exits / .[0].exits)})
		| max_by(.ratio) as $most | min_by(.ratio) as $least
		| "It is the most for <em>\($most.name | esc)</em> "
		+ "(\($most.ratio | times) times the exits) and the least for "
		+ "<em>\($least.name | esc)</em> "
		+ "(\($least.ratio | times | if . == "1" then "as many" else "\(.) times" end)).")
	+ "</p>"),
  "<h2>Over time</h2>", legend,
  ([$with, $without][] | (if .boot == [] then empty else
	chart("boot-\(.id)"; "The boot \(.title | esc), as the host’s debugfs shows it "
		+ "(a guest can’t watch itself before it has a user space): "
		+ "exits so far, up to the first process.") end),
	chart("time-\(.id)"; "From the first process on, \(.title | esc): exits per second "
		+ "of each interval of \(.interval | ms), as the guest reads them itself.")),
  (select(any($with, $without; has_ledger)) | "<h2>Where the time goes</h2>",
	"<p>Where the vCPUs’ time went: the guest itself, exits, the VMM (here, QEMU), halted, "
	+ "waiting for a CPU of the host, or asleep there.</p>", states_legend,
	([$with, $without][] | select(has_ledger)
		| chart("ledger-\(.id)"; "\(.title | cap): shares of the vCPUs’ time, "
			+ "in each interval of \(.interval | ms)."), ledger_table)),
  (select(any($with, $without; has_durations)) | "<h2>How long exits take</h2>",
	"<p>How many exits per second took how many cycles, for whichever reason. A row of the "
	+ "charts is for those from one power of two to the next; K and M are powers of 1024. "
	+ "exitstat’s own CPUIDs are among them, too.</p>",
	([$with, $without][] | select(has_durations)
		| chart("heat-\(.id)"; "From the first process on, \(.title | esc): "
			+ "exits per second by their cycles, in each interval of "
			+ "\(.interval | ms)."), durations_table),
	"<p class=\"small\">p50, p99, p99.9: at least 50, 99, 99.9\u00a0% of the phase’s exits "
	+ "took less than that. Longest: the cycles of the one that took the most.</p>"),
  "<h2>By reason</h2>",
  chart("exits"; "Exits in boot and all phases: full colour with \($ept), pale without."),
  chart("cycles"; "Cycles in boot and all phases: full colour with \($ept), pale without."),
  ([$with, $without][]
	| "<details><summary>All reasons, \(.title | esc)</summary>\(reason_table)</details>"),
  "<h2>By phase</h2>",
  ([$with, $without][] | "<h3>\(.title | cap | esc)</h3>", phase_table),
  "<p class=\"small\">Lowest – highest: of the intervals that end within the phase. The boot’s "
	+ "time is that of its kernel’s clock, which starts after the firmware, "
	+ "so there is no rate.</p>",
  "<h3>What the phases do</h3>",
  "<dl>" + ([$with.phases[] | "<dt>\(.name | esc)</dt><dd>\(.what | esc)</dd>"] | join(""))
	+ "</dl>",
  "<h2>What measuring costs</h2>",
  "<p>Reading is not free: each CPUID is an exit. exitstat took \($with.whole.samples) samples "
	+ "with \($ept), of about \([$with.samples[].own] | sort | .[length / 2 | floor]) CPUIDs "
	+ "each: "
	+ "\($with.whole.own | n) exits, \(of($with.whole.own; $with.whole.exits)) of all "
	+ "(without \($ept) \($without.whole.samples) samples, \($without.whole.own | n) exits, "
	+ "\(of($without.whole.own; $without.whole.exits))). "
	+ "They are the grey band \($f.colours[0].name | reason) of the charts, and the column "
	+ "<em>exitstat’s own</em> of the tables, where those of the sampler are told to within "
	+ "one interval; they are included in all other figures, as CPUID, as are the exits that "
	+ "waking up and writing a sample causes. In an idle guest they are most of what is seen. "
	+ "While the guest boots, the host reading debugfs takes host time, but causes the guest "
	+ "no exits other than those that interrupting it for that takes.</p>",
  "<h2>The data</h2>",
  "<p>Beside this page lies what exitstat and debugfs wrote, as they wrote it: for each run "
	+ "(<code>ept/</code>, <code>no-ept/</code>) the samples, a report per phase (JSON), "
	+ "the host’s readings, and <code>console.log</code>. <code>figures.json</code> is "
	+ "computed from it, and this page from that: "
	+ "<code>scripts/report-page build/report</code> makes both again.</p>"
