# SPDX-License-Identifier: GPL-2.0-only
# The bounds that exit accounting keeps, held against exits.json, or cost.json, which has
# not what it is compared with: KTAP.
#
# $gcc is the version of the kernel's compiler, 120200 for GCC 12.2.

def bound($name; $ok; $figure): { $name, $ok, $figure };

# From 6.12 on, and from version 13 on, GCC neither hides the three instructions that see if a leaf
# is one of the statistics', nor lays out the rest of kvm_cpuid() as well as without them.
(.kernel | startswith("6.1.") | not or $gcc >= 130000) as $worse
# And from version 13 on, it takes one instruction more for the hooks.
| (if $gcc >= 130000 then 1 else 0 end) as $one
| (.results | map({ key: "\(.build) \(.setting) \(.exit)", value: .instructions })
	| from_entries) as $v
| ($v | has("unpatched none vmmcall")) as $svm
# SVM keeps a copy of the exit code, has twice as many slots to add up, and finds that of a nested
# page fault, the codes of which begin at 0x400, with a search.
| (if $svm then
	{ exits: ["cpuid", "io", "msr_read", "msr_write", "vmmcall", "npf"],
	  off: 3, on: 25, npf: 65, total: 1100, each: 950, which: 3200, which_each: 1900,
	  state: 1400 }
   else
	{ exits: ["cpuid", "io", "msr_read", "msr_write", "vmcall", "msr_write_fast",
		"ept_misconfig"],
	  off: 3, on: 22, total: 850, each: 750, which: 2600, which_each: 1000, state: 1000 }
   end) as $isa
| def added($column; $exit): $v["\($column) \($exit)"] - $v["unpatched none \($exit)"];
  def compared: select($v | has("compiled-out none cpuid"));
[
	$isa.exits[] as $exit
	| ($one + if $worse and $exit == "cpuid" then 5 else 0 end) as $extra
	# The fast path does not get to where KVM itself reads the TSC, which is saved.
	| (if $exit == "msr_write_fast" then 25
	   elif $exit == "npf" then $isa.npf
	   else $isa.on + $extra end) as $most
	| ($isa.off + $extra) as $off
	| (if $exit == "npf" then 19 else 50 - 2 * $extra end) as $least
	| (compared | added("compiled-out none"; $exit)
		| bound("\($exit): compiled out, nothing"; . == 0; .)),
	  (added("patched off"; $exit)
		| bound("\($exit): off, at most \($off)"; . <= $off; .)),
	  (("vm", "host") as $scope | added("patched \($scope)"; $exit)
		| bound("\($exit): scope \($scope), at most \($most)"; . <= $most; .)),
	  (select($v | has("patched histogram cpuid")) | added("patched histogram"; $exit)
		| bound("\($exit): with histograms, at most 25 more"; . <= $most + 25; .)),
	  (compared | added("unpatched tracepoints"; $exit) / added("patched vm"; $exit)
		| bound("\($exit): the tracepoints, at least \($least) times scope vm";
			. >= $least; .))
] + [
	# With KVM_RUN again, of which the completion of the exit is accounted; and the ledger
	# is told of the return and of the call, for each of which it reads the clock.
	(compared | added("compiled-out none"; "user_space")
		| bound("user_space: compiled out, nothing"; . == 0; .)),
	(added("patched off"; "user_space") | bound("user_space: off, at most 30"; . <= 30; .)),
	(("vm", "host") as $scope | added("patched \($scope)"; "user_space")
		| bound("user_space: scope \($scope), at most 375"; . <= 375; .))
] + [
	# The exit that wakes the other task; the ledger is told of both switches.
	(compared | added("compiled-out none"; "preempted")
		| bound("preempted: compiled out, nothing"; . == 0; .)),
	(added("patched off"; "preempted") | bound("preempted: off, at most 25"; . <= 25; .)),
	(("vm", "host") as $scope | added("patched \($scope)"; "preempted")
		| bound("preempted: scope \($scope), at most 375"; . <= 375; .))
] + [
	# Four exits, and being put and loaded.
	compared | added("compiled-out none"; "hlt_wakeup")
	| bound("hlt_wakeup: compiled out, nothing"; . == 0; .)
] + [
	($isa.off + $one) as $off | ($isa.on + $one) as $on
	| (added("patched off"; "hlt_wakeup")
		| bound("hlt_wakeup: off, at most 4 * \($off) + 4"; . <= 4 * $off + 4; .)),
	  (("vm", "host") as $scope | added("patched \($scope)"; "hlt_wakeup")
		| bound("hlt_wakeup: scope \($scope), at most 4 * \($on) + 8"; . <= 4 * $on + 8; .))
] + [
	# A total is the sum of all slots of each vCPU, or of each CPU, here of one; to see which
	# have occurred, and to tell the guest's time from that of exits, takes all of them, too.
	# The ledger and the VMM's share are each vCPU's in either scope.
	(["total", $isa.total, $isa.each, 20], ["reason", 240, 20, 20], ["pair", 340, 40, 20],
		["which", $isa.which, $isa.which_each, 20],
		["state", $isa.state, $isa.each, $isa.each],
		["vmm", 240, 60, 60]) as [$leaf, $most, $each_vm, $each_host]
	| (["vm", $each_vm], ["host", $each_host]) as [$scope, $each]
	| "\($leaf): scope \($scope)" as $what
	| ($v["patched \($scope) \($leaf)_1"] - $v["patched \($scope) cpuid"]
		| bound("\($what), at most \($most) more than leaf 1"; . <= $most; .)),
	  (($v["patched \($scope) \($leaf)_4"] - $v["patched \($scope) \($leaf)_1"]) / 3
		| bound("\($what), at most \($each) for a further vCPU"; . <= $each; .))
]
| "TAP version 13", "1..\(length)",
  (to_entries[] | (.value.figure * 100 | round / 100) as $figure
	| "\(if .value.ok then "ok" else "not ok" end) \(.key + 1) \(.value.name): \($figure)")
