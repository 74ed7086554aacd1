/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of qemu-trace-events, for event_defs.c. */
	.section .rodata
	.global qemu_trace_events
	.global qemu_trace_events_end
qemu_trace_events:
	.incbin "sim/trace/qemu-trace-events"
qemu_trace_events_end:
	.byte 0
	.section .note.GNU-stack,"",%progbits
