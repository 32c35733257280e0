/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the KVM selftest library differs between the supported kernels.  What is
 * used is the newest one's interface, or what is the same in all.
 */
#ifndef COMPAT_H
#define COMPAT_H

#include "kvm_util.h"
#include "processor.h"
#include "svm_util.h"
#include "vmx.h"

/* On 6.1, a test that handles exceptions has to set that up.  Later kernels always do. */
__attribute__((weak)) void vm_init_descriptor_tables(struct kvm_vm *vm);
__attribute__((weak)) void vcpu_init_descriptor_tables(struct kvm_vcpu *vcpu);

static inline void compat_init_exceptions(struct kvm_vcpu *vcpu)
{
	if (vm_init_descriptor_tables)
		vm_init_descriptor_tables(vcpu->vm);
	if (vcpu_init_descriptor_tables)
		vcpu_init_descriptor_tables(vcpu);
}

/* On 7.3, the library gives L2 a stack and ignores this one. */
static inline void compat_prepare_vmcs(struct vmx_pages *vmx, void *rip, void *stack)
{
	void (*prepare)(struct vmx_pages *, void *, void *) = (void *)prepare_vmcs;

	prepare(vmx, rip, stack);
}

/* The same for SVM */
static inline void compat_prepare_vmcb(struct svm_test_data *svm, void *rip, void *stack)
{
	void (*prepare)(struct svm_test_data *, void *, void *) = (void *)generic_svm_setup;

	prepare(svm, rip, stack);
}

#endif /* COMPAT_H */
