# SPDX-License-Identifier: GPL-2.0-only
# The bounds that exit accounting keeps, held against exits.json, or cost.json, which has
# not what it is compared with: KTAP.
#
# $gcc is the version of the kernel's compiler, 120200 for GCC 12.2.

def bound($name; $ok; $figure): { $name, $ok, $figure };

# On 6.12, and from version 13 on, GCC neither hides the three instructions that see if a leaf is
# one of the statistics', nor lays out the rest of kvm_cpuid() as well as without them.
(.kernel | startswith("6.12.") or $gcc >= 130000) as $worse
# And from then on, it takes one instruction more for the hooks.
| (if $gcc >= 130000 then 1 else 0 end) as $one
| (.results | map({ key: "\(.build) \(.setting) \(.exit)", value: .instructions })
	| from_entries) as $v
| ($v | has("unpatched none vmmcall")) as $svm
# SVM keeps a copy of the exit code, has twice as many slots to add up, and finds that of a nested
# page fault, the codes of which begin at 0x400, with a search.
| (if $svm then
	{ exits: ["cpuid", "io", "msr_read", "msr_write", "vmmcall", "npf"],
	  off: 3, on: 23, npf: 60, total: 1050, each: 950 }
   else
	{ exits: ["cpuid", "io", "msr_read", "msr_write", "vmcall", "msr_write_fast",
		"ept_misconfig"],
	  off: 3, on: 20, total: 850, each: 750 }
   end) as $isa
| def added($column; $exit): $v["\($column) \($exit)"] - $v["unpatched none \($exit)"];
  def compared: select($v | has("compiled-out none cpuid"));
[
	$isa.exits[] as $exit
	| ($one + if $worse and $exit == "cpuid" then 5 else 0 end) as $extra
	# The fast path does not get to where KVM itself reads the TSC, which is saved.
	| (if $exit == "msr_write_fast" then 24
	   elif $exit == "npf" then $isa.npf
	   else $isa.on + $extra end) as $most
	| ($isa.off + $extra) as $off
	| (if $exit == "npf" then 20 else 50 - 2 * $extra end) as $least
	| (compared | added("compiled-out none"; $exit)
		| bound("\($exit): compiled out, nothing"; . == 0; .)),
	  (added("patched off"; $exit)
		| bound("\($exit): off, at most \($off)"; . <= $off; .)),
	  (("vm", "host") as $scope | added("patched \($scope)"; $exit)
		| bound("\($exit): scope \($scope), at most \($most)"; . <= $most; .)),
	  (compared | added("unpatched tracepoints"; $exit) / added("patched vm"; $exit)
		| bound("\($exit): the tracepoints, at least \($least) times scope vm";
			. >= $least; .))
] + [
	# With KVM_RUN again, of which the completion of the exit is accounted.
	(compared | added("compiled-out none"; "user_space")
		| bound("user_space: compiled out, nothing"; . == 0; .)),
	(added("patched off"; "user_space") | bound("user_space: off, at most 30"; . <= 30; .)),
	(("vm", "host") as $scope | added("patched \($scope)"; "user_space")
		| bound("user_space: scope \($scope), at most 150"; . <= 150; .))
] + [
	# Four exits, and being put and loaded.
	compared | added("compiled-out none"; "hlt_wakeup")
	| bound("hlt_wakeup: compiled out, nothing"; . == 0; .)
] + [
	($isa.off + $one) as $off | ($isa.on + $one) as $on
	| (added("patched off"; "hlt_wakeup")
		| bound("hlt_wakeup: off, at most 4 * \($off)"; . <= 4 * $off; .)),
	  (("vm", "host") as $scope | added("patched \($scope)"; "hlt_wakeup")
		| bound("hlt_wakeup: scope \($scope), at most 4 * \($on) + 8"; . <= 4 * $on + 8; .))
] + [
	(("total", "reason") as $leaf | ("vm", "host") as $scope
		| "\($leaf): scope \($scope)" as $what
		# A total is the sum of all slots of each vCPU, or of each CPU, here of one.
		| (if $leaf == "total" then $isa.total else 200 end) as $most
		| (if $leaf == "total" and $scope == "vm" then $isa.each else 20 end) as $each
		| ($v["patched \($scope) \($leaf)_1"] - $v["patched \($scope) cpuid"]
			| bound("\($what), at most \($most) more than leaf 1"; . <= $most; .)),
		  (($v["patched \($scope) \($leaf)_4"] - $v["patched \($scope) \($leaf)_1"]) / 3
			| bound("\($what), at most \($each) for a further vCPU"; . <= $each; .)))
]
| "TAP version 13", "1..\(length)",
  (to_entries[] | (.value.figure * 100 | round / 100) as $figure
	| "\(if .value.ok then "ok" else "not ok" end) \(.key + 1) \(.value.name): \($figure)")
