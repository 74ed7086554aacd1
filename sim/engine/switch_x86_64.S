/* SPDX-License-Identifier: GPL-2.0-or-later */
/* void switch_stack(void **save, void *load): see engine/switch.h */
#if defined(__x86_64__) && !defined(SWITCH_UCONTEXT)
	.text
	.globl	switch_stack
	.type	switch_stack, @function
	.align	16
switch_stack:
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	ret
	.size	switch_stack, . - switch_stack

/* First code of a new stack: r12 holds the entry, r13 its argument; the stack is 16-byte aligned. */
	.globl	switch_entry
	.type	switch_entry, @function
	.align	16
switch_entry:
	.cfi_startproc
	.cfi_undefined rip
	movq	%r13, %rdi
	callq	*%r12
	ud2
	.cfi_endproc
	.size	switch_entry, . - switch_entry
#endif
#if defined(__linux__)
	.section .note.GNU-stack,"",%progbits
#endif
