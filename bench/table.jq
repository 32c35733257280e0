# SPDX-License-Identifier: GPL-2.0-only
# The figures of scripts/bench as tables, from {exits, svm, reads, footprint, scaling}, of which
# any may be missing.  $form: "full", all tables that these are enough for; or the name of one of
# them, or "brief", the shortest one; all Markdown that can also be read as it is; "mail", what
# most want to know as plain text for the cover letter.

def pad($n): tostring | . + " " * ([$n - length, 0] | max);
def lpad($n): tostring | " " * ([$n - length, 0] | max) + .;

# table: an array of rows, the first one is the head, the first column left-aligned
def table:
	. as $rows
	| [range($rows[0] | length) as $c | [$rows[][$c] | tostring | length] | max] as $width
	| map([range(length) as $c | .[$c]
		| if $c == 0 then pad($width[$c]) else lpad($width[$c]) end])
	| if $form == "mail" then .[] | "  " + join("  ")
	  else
		["-" * ($width[0] + 2), ($width[1:][] | "-" * (. + 1) + ":")] as $rule
		| (.[0] | "| " + join(" | ") + " |"),
		  ("|" + ($rule | join("|")) + "|"),
		  (.[1:][] | "| " + join(" | ") + " |")
	  end;

def signed: round | if . < 0 then tostring else "+\(.)" end;
def decimals($n): . * pow(10; $n) | round | tostring
	| ("0" * ([$n + 1 - length, 0] | max) + .) | .[:length - $n] + "." + .[length - $n:];

def names:
	{ user_space: "OUT, to user space", hlt_wakeup: "HLT wake-up, 4 exits",
		preempted: "MMIO, preempted" } as $both
	| { cpuid: "CPUID", vmcall: "VMCALL", io: "IO_INSTRUCTION", msr_read: "MSR_READ",
		msr_write: "MSR_WRITE", msr_write_fast: "MSR_WRITE, fast path",
		ept_misconfig: "EPT_MISCONFIG" } as $vmx
	| { cpuid: "CPUID", vmmcall: "VMMCALL", io: "IOIO", msr_read: "MSR, read",
		msr_write: "MSR, write", npf: "NPF" } as $svm
	| { vmx: ($vmx + $both), svm: ($svm + $both) };
def columns: [
	["compiled-out none", "compiled out"], ["patched off", "off"],
	["patched vm", "vm"], ["patched host", "host"], ["patched histogram", "histogram"],
	["unpatched tracepoints", if $form == "mail" then "tracing" else "tracepoints" end],
	["unpatched bpf", "BPF"],
	["classic none", if $form == "mail" then "atomics" else "shared atomics" end]];

# measured: what there is of the exits; not every kernel has all builds
def measured:
	(.results | map({ key: "\(.build) \(.setting) \(.exit)", value: .instructions })
		| from_entries) as $v
	| names[if $v | has("unpatched none npf") then "svm" else "vmx" end] as $names
	| { kernel, machine: ({ bochs: "VMX, Bochs", tcg: "SVM, QEMU" }[.machine] // .machine),
		$v, $names, columns: [columns[] | select($v["\(.[0]) cpuid"])],
		kinds: [.results[] | select(.build == "unpatched" and .setting == "none").exit
			| select(in($names))] };
def unpatched($m; $kind): $m.v["unpatched none \($kind)"];
def added($m; $column; $kind): $m.v["\($column) \($kind)"] - unpatched($m; $kind);
# rows MEASURED HEAD ROW: a table with a row for each kind of exit
def rows($m; $head; row): [["exit"] + $head] + [$m.kinds[] | [$m.names[.]] + row] | table;
# more MEASURED COLUMNS: how many more instructions they are in these
def more($m; $columns):
	rows($m; ["unpatched"] + ($columns | map(.[1]));
		. as $k | [unpatched($m; $k) | round]
			+ [$columns[] | added($m; .[0]; $k) | signed]);

def exits:
	measured as $m
	| [$m.columns[] | select($form != "mail" or (.[1] | IN("compiled out", "histogram") | not))]
		as $columns
	| "Instructions of an exit's round trip, seen by the guest, and how many more",
	"they are with exit accounting or with what else counts exits",
	"(Linux \($m.kernel), \($m.machine)):",
	"",
	more($m; $columns);

def in_all:
	measured as $m
	| "In all:",
	"",
	rows($m; $m.columns | map(.[1]); . as $k | [$m.columns[] | $m.v["\(.[0]) \($k)"] | round]);

def multiples:
	measured as $m
	| [$m.columns[] | select(.[0] | startswith("patched ") or . == "compiled-out none" | not)]
	as $others
	| "As a multiple of what scope vm adds:",
	"",
	rows($m; ["host"] + ($others | map(.[1]));
		. as $k | added($m; "patched vm"; $k) as $vm
		| [("patched host", $others[][0]) | added($m; .; $k) / $vm | decimals(1)]);

def brief:
	measured as $m
	| ["patched off", "patched vm", "unpatched tracepoints", "unpatched bpf"] as $which
	| [$m.columns[] | select(.[0] | IN($which[]))] as $columns
	| ($m | .kinds = ["cpuid", "io", "msr_write_fast", "ept_misconfig"])
	| "Instructions of an exit's round trip, and how many more it takes " +
	  "(Linux \(.kernel), \(.machine)):",
	"",
	more(.; $columns);

def leaves:
	measured as $m
	| "Instructions for reading a leaf, more than for CPUID leaf 1:",
	"",
	([["leaf", "scope", "1 vCPU", "2 vCPUs", "4 vCPUs"]] +
	 [(["total", "of all exits"], ["reason", "of one reason"], ["pair", "both of one reason"],
		["which", "which reasons"], ["state", "a state"],
		["vmm", "VMM, of one reason"]) as [$leaf, $name]
	  | ("vm", "host") as $scope | select($m.v["patched \($scope) \($leaf)_1"])
	  | $m.v["patched \($scope) cpuid"] as $leaf_1
	  | [$name, $scope]
		+ [(1, 2, 4) | $m.v["patched \($scope) \($leaf)_\(.)"] - $leaf_1 | signed]]
	 | table);

# A read in scope host visits each possible CPU, in a loop: a straight line by two points.
def reads:
	def by_name: map(select(.build == "patched")
		| { key: "\(.setting) \(.exit)", value: .instructions }) | from_entries;
	.reads.possible_cpus as $n
	| (.exits.results | by_name) as $one | (.reads.results | by_name) as $many
	| def row($name; $what):
		$one[$what] as $a | $many[$what] as $b
		| (($b - $a) / ($n - 1) * 10 | round / 10) as $slope
		| ($a - $slope | round) as $base
		| [$name, ($a | round), ($b | round)]
			+ if $slope < 0.5 then ["\($a | round)", ($a | round)] else
				["\($base) + \($slope | decimals(1)) n",
				 ($base + $slope * 8192 | round)] end;
	"Instructions from a guest's CPUID until it goes on, by the host's possible CPUs",
	"(a CPUID for leaf 1 takes \($one["vm cpuid"] | round)):",
	"",
	([["scope, leaf", 1, $n, "n", "8192, by that formula"],
	  row("host, one reason"; "host reason_1"), row("host, a total"; "host total_1"),
	  row("vm, one reason, 1 vCPU"; "vm reason_1"), row("vm, a total, 1 vCPU"; "vm total_1")]
	 | table);

def footprint:
	"Memory, in bytes:",
	"",
	([["what", "bytes"], ["counters of a possible CPU", .cpu],
	  ["a vCPU, more than without", .vcpu], ["code, more than without", .text]] | table);

def scaling:
	"Nanoseconds of the RDTSC that KVM executes at an exit, of the accounting in its",
	"place, and of atomic counters beside it, on real CPUs that do nothing else",
	"(\(.cpu)):",
	"",
	([["CPUs", "unpatched", "this", "shared atomics", "this adds", "shared atomics add"]] +
	 [.threads[] | [.threads] + [.unpatched, .per_cpu, .shared, .per_cpu - .unpatched,
		.shared - .unpatched | decimals(1)]] | table);

# What grows with the host is its scope alone: a read visits each possible CPU.
def large_hosts:
	.footprint.cpu as $cpu | ($cpu / 64 | ceil) as $lines
	| .scaling.read_reason as $reason | .scaling.read_total as $total
	| "On paper, for large hosts: all CPUs' counters, and what a read in scope host takes if " +
	  "a cache line",
	"costs what it did here, just written by another CPU (\($reason | decimals(1)) ns; " +
	"all \($lines) of a total \($total | decimals(1)) ns), or 100 ns,",
	"as from another socket:",
	"",
	([["possible CPUs", "KiB", "one reason, us", "at 100 ns", "total, us", "at 100 ns"]] +
	 [(64, 640, 4096) as $n | [$n, ($n * $cpu / 1024 | round)]
		+ [$reason / 1000, 0.1, $total / 1000, $lines * 0.1 | $n * . | decimals(1)]]
	 | table);

# Each table: its name, what it is made of, and its lines
def tables: [
	["exits", ["exits"]], ["in-all", ["exits"]], ["multiples", ["exits"]],
	["leaves", ["exits"]], ["svm-exits", ["svm"]], ["svm-leaves", ["svm"]],
	["reads", ["exits", "reads"]], ["memory", ["footprint"]],
	["scaling", ["scaling"]],
	["large-hosts", ["footprint", "scaling"]]];
def lines($name):
	if $name == "exits" then .exits | exits
	elif $name == "in-all" then .exits | in_all
	elif $name == "multiples" then .exits | multiples
	elif $name == "svm-exits" then .svm | exits
	elif $name == "svm-leaves" then .svm | leaves
	elif $name == "brief" then .exits | brief
	elif $name == "leaves" then .exits | leaves
	elif $name == "reads" then reads
	elif $name == "memory" then .footprint | footprint
	elif $name == "scaling" then .scaling | scaling
	elif $name == "large-hosts" then large_hosts
	else error("there is no table \($name)") end;

. as $figures
| if $form == "full" or $form == "mail" then
	[tables[] | select(.[1] | all(in($figures)))[0]
	 | select($form == "full" or IN("exits", "leaves", "svm-exits", "memory"))]
  else [$form] end
| [.[] as $name | ($figures | lines($name)), ""] | .[:-1][]
