# SPDX-License-Identifier: GPL-2.0-only
# Every verb is one script in scripts/, whose header says how it is used.
#
#   KERNEL=X.Y            one of the supported kernels (see the file "kernels")
#   KERNELS="X.Y ..."     several of them, or all, for make test and make list
#   TESTS="NAME ..."      some of the tests that make list prints, for make test
#   MINUTES=N             begin no test later than that, for make test
#   LINUX=TREE            a git tree of yours instead of Debian's source
#   BACKEND=bochs|qemu|tcg
#                         instead of what the machine offers; tcg is an AMD machine
#   EXTRA_CONFIG=FILE     a kernel config fragment to add
#   IN=l1|l2              where the shell of make shell is: in the machine, or in its guest
#   GATES="NAME ..."      some of them, for make check
#   TREE=TREE BASE=COMMIT the commits since BASE, for make refresh

export KERNEL KERNELS TESTS MINUTES LINUX BACKEND EXTRA_CONFIG IN

.DEFAULT_GOAL := help
.PHONY: help demo report test list shell bench packages kernel apply series check refresh clean

help: ## this list
	@echo "usage: make VERB [VARIABLE=VALUE]..."
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 12
	@echo
	@sed -n 's/^#   \(.*\)/  \1/p' Makefile

demo: ## everything from a bare machine to a guest's table of its own VM exits
	@scripts/demo

report: ## a page about the VM exits of a boot and of some work: build/report/index.html
	@scripts/report

test: ## the test suite, or TESTS="NAME ..." of it, for one kernel or for KERNELS="X.Y ..."|all
	@scripts/test

list: ## the tests there are, with the boot that runs each
	@scripts/list

shell: ## a shell in the emulated machine, or with IN=l2 in its guest; Ctrl-A x ends it
	@scripts/shell

bench: ## what exit accounting costs: build/X.Y/bench/
	@scripts/bench

packages: ## Debian packages: the modules by dkms, exitstat and its library: build/packages/
	@scripts/packages

kernel: ## build the patched kernel: build/X.Y/arch/x86/boot/bzImage
	@scripts/kernel

apply: ## apply the series to a tree of yours, as commits: LINUX=TREE
	@scripts/apply

series: ## export the series as mails: build/X.Y/series/
	@scripts/series

check: ## the gates of the series, or GATES="NAME ...", of which scripts/check has a list
	@scripts/check $(GATES)

refresh: ## patches/ and the added files anew from commits: TREE=... BASE=...
	@scripts/refresh "$(TREE)" "$(BASE)"

clean: ## remove what was built here, not the cache
	rm -rf build
