/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "interrupt.h"

#include <signal.h>
#include <stdatomic.h>

static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
#define N_SIGNALS (sizeof(signals) / sizeof(signals[0]))

/* A handler is given nothing but the number: these are the process's, as its signals are. */
static _Atomic(struct gt_cancel *) target;
static atomic_int came;
static struct sigaction before[N_SIGNALS];

static void on_signal(int number)
{
	struct gt_cancel *c = atomic_load(&target);

	atomic_store(&came, number);
	if (c)
		gt_cancel_set(c);
}

void ctr_interrupt_begin(struct gt_cancel *cancel)
{
	struct sigaction a = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };

	atomic_store(&came, 0);
	atomic_store(&target, cancel);
	for (size_t i = 0; i < N_SIGNALS; i++) {
		sigaction(signals[i], NULL, &before[i]);
		/* what a parent wants ignored (nohup) stays so */
		if (before[i].sa_handler != SIG_IGN)
			sigaction(signals[i], &a, NULL);
	}
}

int ctr_interrupt_end(void)
{
	for (size_t i = 0; i < N_SIGNALS; i++)
		sigaction(signals[i], &before[i], NULL);
	atomic_store(&target, NULL);
	return atomic_load(&came);
}
