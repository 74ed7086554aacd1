/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Importer of the host kernel's kvm:* events, as three tools print them:
 *
 *	ftrace's trace and trace_pipe
 *	 CPU 0/KVM-7289    [023] d....  2925.640961: kvm_entry: vcpu 0
 *	trace-cmd report: the same without the flags, and the name of a buffer that is not the
 *	main one
 *	perf script: the process behind a blank, the event with its system
 *	 qemu-system-x86 17414 [000]  6868.995053:  kvm:kvm_exit: reason EPT_VIOLATION rip 0xfff0
 *
 * Arguments are found by their names, wherever they stand, as kernels differ; those that a kernel
 * does not print are -1.  Without one that matters the line is damaged: an error with file, line
 * and column.  Other events, comments and lines of stack traces are skipped and counted; lines
 * that say that events were lost are added up.
 */
#ifndef RINGSIDE_TRACE_FTRACE_H
#define RINGSIDE_TRACE_FTRACE_H

#include "trace/importer.h"

int
ftrace_recognise(const char *text, size_t size);
int
ftrace_import(struct recording *r, const char *text, size_t size, const struct trace_options *o,
	      struct error *err);

#endif
