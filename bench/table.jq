# The figures of scripts/bench as tables, from {exits, reads, footprint, scaling}, of which
# any may be missing.  $form: "full", all there is; "readme", what most want to know;
# "reads", what a read costs; all Markdown that can also be read as it is; "mail", what most
# want to know as plain text for the cover letter.

def pad($n): tostring | . + " " * ([$n - length, 0] | max);
def lpad($n): tostring | " " * ([$n - length, 0] | max) + .;

# table: an array of rows, the first one is the head, the first column left-aligned
def table:
	. as $rows
	| [range($rows[0] | length) as $c | [$rows[][$c] | tostring | length] | max] as $width
	| map([range(length) as $c | .[$c] | if $c == 0 then pad($width[$c]) else lpad($width[$c]) end])
	| if $form == "mail" then .[] | "  " + join("  ")
	  else
		(.[0] | "| " + join(" | ") + " |"),
		("|" + ([range($width | length) as $c | if $c == 0 then "-" * ($width[$c] + 2) else "-" * ($width[$c] + 1) + ":" end] | join("|")) + "|"),
		(.[1:][] | "| " + join(" | ") + " |")
	  end;

def signed: round | if . < 0 then tostring else "+\(.)" end;
def decimals($n): . * pow(10; $n) | round | tostring
	| ("0" * ([$n + 1 - length, 0] | max) + .) | .[:length - $n] + "." + .[length - $n:];

def names: {
	cpuid: "CPUID", vmcall: "VMCALL", io: "IO_INSTRUCTION", msr_read: "MSR_READ", msr_write: "MSR_WRITE",
	msr_write_fast: "MSR_WRITE, fast path", ept_misconfig: "EPT_MISCONFIG",
	hlt_wakeup: "HLT wake-up, 4 exits" };
def columns: [
	["compiled-out none", "compiled out"], ["patched off", "off"],
	["patched vm", "vm"], ["patched host", "host"],
	["unpatched tracepoints", if $form == "mail" then "tracing" else "tracepoints" end],
	["unpatched bpf", "BPF"], ["classic none", if $form == "mail" then "atomics" else "shared atomics" end]];

def exits:
	.kernel as $kernel | .machine as $machine
	| (.results | map({ key: "\(.build) \(.setting) \(.exit)", value: .instructions }) | from_entries) as $v
	| [.results[] | select(.build == "unpatched" and .setting == "none").exit | select(in(names))] as $kinds
	# Not every kernel has all builds.
	| (columns | if $form == "mail" then .[1:] else . end | map(select($v["\(.[0]) cpuid"]))) as $columns
	| def unpatched($kind): $v["unpatched none \($kind)"];
	def added($column; $kind): $v["\($column) \($kind)"] - unpatched($kind);
	def rows($head; row): [["exit"] + $head] + [$kinds[] | [names[.]] + row] | table;
	"Instructions of an exit's round trip, seen by the guest, and how many more",
	"they are with exit accounting or with what else counts exits",
	"(Linux \($kernel), \($machine)):",
	"",
	rows(["unpatched"] + ($columns | map(.[1]));
		. as $k | [unpatched($k) | round] + [$columns[] | added(.[0]; $k) | signed]),
	"",
	if $form == "full" then
		"In all:",
		"",
		rows($columns | map(.[1]); . as $k | [$columns[] | $v["\(.[0]) \($k)"] | round]),
		"",
		"As a multiple of what scope vm adds:",
		"",
		rows($columns[3:] | map(.[1]);
			. as $k | [$columns[3:][] | added(.[0]; $k) / added("patched vm"; $k) | decimals(1)]),
		""
	else empty end,
	"Instructions for reading a leaf, more than for CPUID leaf 1:",
	"",
	([["leaf", "scope", "1 vCPU", "2 vCPUs", "4 vCPUs"]] +
	 [(["total", "of all exits"], ["reason", "of one reason"]) as [$leaf, $name] | ("vm", "host") as $scope
	  | [$name, $scope] + [(1, 2, 4) | $v["patched \($scope) \($leaf)_\(.)"] - $v["patched \($scope) cpuid"] | signed]] | table);

# A read in scope host visits each possible CPU, in a loop: a straight line by two points.
def reads:
	def by_name: map(select(.build == "patched") | { key: "\(.setting) \(.exit)", value: .instructions }) | from_entries;
	.reads.possible_cpus as $n | (.exits.results | by_name) as $one | (.reads.results | by_name) as $many
	| def row($name; $what):
		$one[$what] as $a | $many[$what] as $b
		| (($b - $a) / ($n - 1) * 10 | round / 10) as $slope | ($a - $slope | round) as $base
		| [$name, ($a | round), ($b | round)]
			+ if $slope < 0.5 then ["\($a | round)", ($a | round)]
			  else ["\($base) + \($slope | decimals(1)) n", ($base + $slope * 8192 | round)] end;
	"Instructions from a guest's CPUID until it goes on, by the host's possible CPUs",
	"(a CPUID for leaf 1 takes \($one["vm cpuid"] | round)):",
	"",
	([["scope, leaf", 1, $n, "n", "8192, by that formula"],
	  row("host, one reason"; "host reason_1"), row("host, a total"; "host total_1"),
	  row("vm, one reason, 1 vCPU"; "vm reason_1"), row("vm, a total, 1 vCPU"; "vm total_1")] | table);

def footprint:
	"Memory, in bytes:",
	"",
	([["what", "bytes"], ["counters of a possible CPU", .cpu], ["a vCPU, more than without", .vcpu],
	  ["code, more than without", .text]] | table);

def scaling:
	"Nanoseconds of the accounting alone, on real CPUs that do nothing else",
	"(\(.cpu)):",
	"",
	([["CPUs", "two RDTSC", "this", "shared atomics", "shared atomics / this"]] +
	 [.threads[] | [.threads, (.rdtsc | decimals(1)), (.per_cpu | decimals(1)), (.shared | decimals(1)),
		(.shared / .per_cpu | decimals(1))]] | table);

# What grows with the host is its scope alone: a read visits each possible CPU.
def model($cpu; $s):
	($cpu / 64 | ceil) as $lines
	| "On paper, for large hosts: all CPUs' counters, and what a read in scope host takes if a cache line",
	"costs what it did here, just written by another CPU (\($s.read_reason | decimals(1)) ns; all \($lines) of a total \($s.read_total | decimals(1)) ns), or 100 ns,",
	"as from another socket:",
	"",
	([["possible CPUs", "KiB", "one reason, us", "at 100 ns", "total, us", "at 100 ns"]] +
	 [(64, 640, 4096) as $n | [$n, ($n * $cpu / 1024 | round), ($n * $s.read_reason / 1000 | decimals(1)),
		($n * 0.1 | decimals(1)), ($n * $s.read_total / 1000 | decimals(1)), ($n * $lines * 0.1 | decimals(1))]] | table);

def part(f): if . then f, "" else empty end;

if $form == "reads" then reads else
[
	(.exits | part(exits)),
	if $form == "full" and .reads and .exits then reads, "" else empty end,
	(.footprint | part(footprint)),
	if $form == "mail" then empty else
		(.scaling | part(scaling)),
		(if .scaling and .footprint then model(.footprint.cpu; .scaling), "" else empty end)
	end
] | .[:-1][] end
