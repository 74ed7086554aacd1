/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of litmus_prelude.h, for the compiler that litmus_build() starts. */
	.section .rodata
	.global litmus_prelude
	.global litmus_prelude_end
litmus_prelude:
	.incbin "sim/script/litmus_prelude.h"
litmus_prelude_end:
	.byte 0
	.section .note.GNU-stack,"",%progbits
