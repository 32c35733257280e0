// SPDX-License-Identifier: GPL-2.0-only
/* Compiled with the kernel's own headers: where it finds what it knows of a vCPU */
#include <linux/kbuild.h>
#include <linux/kvm_host.h>

static void __used layout(void)
{
	DEFINE(KERNELS_RUN, offsetof(struct kvm_vcpu, run));
	DEFINE(KERNELS_ARCH, offsetof(struct kvm_vcpu, arch));
	DEFINE(KERNELS_STAT, offsetof(struct kvm_vcpu, stat));
	DEFINE(KERNELS_STAT_SIZE, sizeof_field(struct kvm_vcpu, stat));
}
