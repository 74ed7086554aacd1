/* SPDX-License-Identifier: GPL-2.0-or-later */
/* void switch_stack(void **save, void *load): see engine/switch.h */
#if defined(__aarch64__) && !defined(SWITCH_UCONTEXT)
	.text
	.globl	switch_stack
	.type	switch_stack, %function
	.align	4
switch_stack:
	sub	sp, sp, #160
	stp	x19, x20, [sp, #0]
	stp	x21, x22, [sp, #16]
	stp	x23, x24, [sp, #32]
	stp	x25, x26, [sp, #48]
	stp	x27, x28, [sp, #64]
	stp	x29, x30, [sp, #80]
	stp	d8, d9, [sp, #96]
	stp	d10, d11, [sp, #112]
	stp	d12, d13, [sp, #128]
	stp	d14, d15, [sp, #144]
	mov	x9, sp
	str	x9, [x0]
	mov	sp, x1
	ldp	x19, x20, [sp, #0]
	ldp	x21, x22, [sp, #16]
	ldp	x23, x24, [sp, #32]
	ldp	x25, x26, [sp, #48]
	ldp	x27, x28, [sp, #64]
	ldp	x29, x30, [sp, #80]
	ldp	d8, d9, [sp, #96]
	ldp	d10, d11, [sp, #112]
	ldp	d12, d13, [sp, #128]
	ldp	d14, d15, [sp, #144]
	add	sp, sp, #160
	ret
	.size	switch_stack, . - switch_stack

	.globl	switch_entry
	.type	switch_entry, %function
	.align	4
switch_entry:
	mov	x0, x20
	blr	x19
	brk	#1
	.size	switch_entry, . - switch_entry
#endif
#if defined(__linux__)
	.section .note.GNU-stack,"",%progbits
#endif
