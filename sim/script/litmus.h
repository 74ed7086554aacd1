/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * C litmus tests of the Linux kernel's memory model, as herd reads them: what a file says, as a
 * tree.
 *
 *	C SB+poonceonces			name
 *	(* Result: Sometimes *)			comments, one with what the model says
 *	{ x=1; int *p=&y; }			initial state
 *	P0(int *x, int *y) { … }		processes
 *	locations [0:r1; x]			more to print
 *	filter (0:r0=1)				what else to leave out
 *	exists (0:r0=0 /\ 1:r0=0)		the condition
 *
 * A body is a subset of C: declarations, assignments, `if`, blocks, and the calls of
 * litmus_calls.def.  Loops are not taken: what is explored must end.  Local variables are registers
 * of their process; a parameter is a pointer to the global variable of that name.
 *
 * The tree belongs to the test and goes with litmus_free(); strings in it too.
 */
#ifndef RINGSIDE_SCRIPT_LITMUS_H
#define RINGSIDE_SCRIPT_LITMUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Limits: what herd's own tests need is far below. A process is an actor, an outcome has a word for
 * each register and variable it shows. */
#define LITMUS_PROCS_MAX 16u
#define LITMUS_GLOBALS_MAX 64u
#define LITMUS_REGS_MAX 64u /* a process */
#define LITMUS_SHOWN_MAX 64u /* in the condition and in `locations` */
#define LITMUS_DEPTH_MAX \
	64u /* of nested statements, expressions, conditions: stack of the parser */
#define LITMUS_NODES_MAX \
	4096u /* of expressions, statements and conditions: all else is recursive */
#define LITMUS_STRIDE 64u /* bytes from one variable to the next */
#define LITMUS_FILE_MAX (256u << 10) /* bytes; the kernel's largest has 2 KiB */

/* --- types ---------------------------------------------------------------------------------- */

/* ORDER LITMUS_TYPE: litmus_type.c has the words. */
enum litmus_base {
	LITMUS_CHAR,
	LITMUS_SHORT,
	LITMUS_INT,
	LITMUS_LONG,
	LITMUS_UCHAR,
	LITMUS_USHORT,
	LITMUS_UINT,
	LITMUS_ULONG,
	LITMUS_ATOMIC, /* atomic_t */
	LITMUS_SPINLOCK, /* spinlock_t */
	LITMUS_BASES
};

struct litmus_type {
	uint8_t base; /* enum litmus_base */
	uint8_t stars; /* int ** has two */
};

/* Bytes in guest memory. */
uint32_t
litmus_type_size(struct litmus_type t);
/* "unsigned int", without stars. */
const char *
litmus_base_name(enum litmus_base base);
/* The low bytes of @raw as a value of the type: sign-extended if it is signed. */
int64_t
litmus_type_value(struct litmus_type t, uint64_t raw);

/* --- calls ---------------------------------------------------------------------------------- */

enum litmus_op {
	LITMUS_OP_LOAD,
	LITMUS_OP_STORE,
	LITMUS_OP_FENCE,
	LITMUS_OP_RMW, /* reads and writes at once, always */
	LITMUS_OP_CMPXCHG,
	LITMUS_OP_ADD_UNLESS,
	LITMUS_OP_LOCK,
	LITMUS_OP_UNLOCK,
	LITMUS_OP_TRYLOCK,
	LITMUS_OP_IS_LOCKED,
	LITMUS_OP_RCU_LOCK,
	LITMUS_OP_RCU_UNLOCK,
	LITMUS_OP_RCU_SYNC,
	LITMUS_OP_UNSUPPORTED /* known, but not modelled: the test is skipped */
};

enum litmus_order { LITMUS_ONCE, LITMUS_ACQUIRE, LITMUS_RELEASE, LITMUS_FULL };

/* What a fence orders; barrier() orders nothing that the models know of. */
enum litmus_fence { LITMUS_NO_FENCE, LITMUS_MB, LITMUS_RMB, LITMUS_WMB };

/* New value of an RMW, from the old one and the operand. */
enum litmus_fun { LITMUS_XCHG, LITMUS_ADD, LITMUS_SUB, LITMUS_AND, LITMUS_OR, LITMUS_XOR };

/* What a call gives. */
enum litmus_gives {
	LITMUS_NOTHING,
	LITMUS_OLD,
	LITMUS_NEW,
	LITMUS_IS_ZERO, /* of the new value */
	LITMUS_IS_NEGATIVE
};

struct litmus_call {
	const char *name;
	/* What the arguments are: l an lvalue, p a pointer, v a value. */
	const char *args;
	uint8_t op, order, fun, gives;
	bool one; /* the operand is 1: atomic_inc() */
};

/* Ended by a null name. */
extern const struct litmus_call litmus_calls[];

/* --- expressions and statements ------------------------------------------------------------- */

enum litmus_expr_kind {
	LITMUS_NUMBER,
	LITMUS_REG, /* a local variable: number is its index */
	LITMUS_GLOBAL, /* the address of a global: number is its index */
	LITMUS_DEREF, /* * of arg[0] */
	LITMUS_UNARY, /* text is the operator */
	LITMUS_BINARY,
	LITMUS_CAST, /* to type */
	LITMUS_CALL_EXPR
};

struct litmus_expr {
	enum litmus_expr_kind kind;
	long line, column;
	int64_t number;
	const char *text;
	struct litmus_type type; /* of a cast, and of what a dereference reads */
	const struct litmus_call *call;
	struct litmus_expr *arg[3];
	bool feeds; /* a load from which an address, a stored value or a condition comes */
};

enum litmus_stmt_kind {
	LITMUS_ASSIGN, /* left = right; left is a register or a dereference (a plain store) */
	LITMUS_CALL_STMT, /* right alone */
	LITMUS_IF /* right is the condition */
};

struct litmus_stmt {
	enum litmus_stmt_kind kind;
	long line, column;
	struct litmus_expr *left, *right;
	struct litmus_stmt *then, *otherwise; /* lists */
	struct litmus_stmt *next;
};

/* --- the condition -------------------------------------------------------------------------- */

enum litmus_prop_kind {
	LITMUS_TRUE,
	LITMUS_FALSE,
	LITMUS_ATOM,
	LITMUS_NOT,
	LITMUS_BOTH,
	LITMUS_EITHER
};

struct litmus_prop {
	enum litmus_prop_kind kind;
	unsigned shown; /* of an atom: index into litmus_test.shown */
	int64_t number; /* what it is compared with, unless it is an address */
	int global; /* its address is: index, or -1 */
	bool unequal; /* != */
	struct litmus_prop *arg[2];
};

enum litmus_quantifier { LITMUS_EXISTS, LITMUS_NOT_EXISTS, LITMUS_FORALL };

/* Something of the final state: a register, or (proc < 0) a global variable. */
struct litmus_shown {
	int proc;
	unsigned index;
};

/* --- a test --------------------------------------------------------------------------------- */

struct litmus_global {
	const char *name;
	struct litmus_type type;
	bool typed; /* by the initial state or a parameter; else it is an int */
	int64_t init;
	int init_global; /* its address is the initial value: index, or -1 */
	long line, column;
};

struct litmus_reg {
	const char *name;
	struct litmus_type type;
	int64_t init;
	int init_global;
	bool declared; /* in the body; else only the initial state or the condition has it */
	long line, column;
};

struct litmus_param {
	unsigned global;
	struct litmus_type type; /* of the pointer */
};

struct litmus_proc {
	struct litmus_param param[LITMUS_GLOBALS_MAX];
	unsigned params;
	struct litmus_reg reg[LITMUS_REGS_MAX];
	unsigned regs;
	struct litmus_stmt *body;
};

struct litmus_chunk;

struct litmus_test {
	char *path, *name;
	const char *result; /* "Never", of the comment; null if it has none */
	struct litmus_global global[LITMUS_GLOBALS_MAX];
	unsigned globals;
	struct litmus_proc *proc; /* LITMUS_PROCS_MAX of them */
	unsigned procs;
	struct litmus_shown shown[LITMUS_SHOWN_MAX]; /* in the order of printing */
	unsigned shows;
	struct litmus_prop *filter; /* or null */
	struct litmus_prop *condition;
	enum litmus_quantifier quantifier;
	const char *condition_text; /* as printed: "exists (0:r0=0 /\ 1:r0=0)" */
	const struct litmus_call *unsupported; /* the first such call, or null */
	bool has_rcu_sync;
	struct litmus_chunk *chunks; /* what all this is allocated from */
};

/* From text, of @size bytes, that came from @path. Null and @err (file:line:column) if it is not a
 * test. */
struct litmus_test *
litmus_parse(const char *path, const char *text, size_t size, struct error *err);

/* From a file. */
struct litmus_test *
litmus_load(const char *path, struct error *err);

/* Null is allowed. */
void
litmus_free(struct litmus_test *t);

/* "0:r1" or "x" */
void
litmus_shown_name(const struct litmus_test *t, unsigned shown, char *text, size_t size);

/*
 * Whether the condition's proposition holds of an outcome: @value has a word for each thing shown.
 * A pointer to global i is LITMUS_ADDRESS(i), wherever it was when the test ran.
 */
#define LITMUS_ADDRESS(i) (INT64_C(0x100000) + (int64_t)(i)*LITMUS_STRIDE)
bool
litmus_holds(const struct litmus_prop *p, const int64_t *value);

/*
 * The processes in C, to be compiled after litmus_prelude.h: `void litmus_NUMBER_P0(char *base,
 * long *out)` and so on.  Global i is at base + i * LITMUS_STRIDE; registers are copied to out at
 * the end.
 * @order_dependencies: loads that feed something are acquires.  The text is to be freed.
 */
char *
litmus_emit(const struct litmus_test *t, unsigned number, bool order_dependencies);

#endif
