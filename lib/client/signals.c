/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <client/signals.h>

#include <gantry/buf.h>

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>

struct gt_signals {
	int fd;
	sigset_t before;
};

struct gt_error *gt_signals_open(struct gt_signals **out)
{
	/* Faults of our own, and what stops or profiles this very process. */
	static const int ours[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS,
				    SIGPROF };
	gt_autoptr(gt_signals) g = gt_xcalloc(1, sizeof(*g));
	sigset_t set;
	int err;

	g->fd = -1;
	sigfillset(&set);
	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		sigdelset(&set, ours[i]);
	err = pthread_sigmask(SIG_SETMASK, &set, &g->before);
	if (err)
		return gt_error_errno(GT_UNKNOWN, err, "block signals");
	g->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (g->fd < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "make signal descriptor");
	*out = gt_steal(&g);
	return NULL;
}

int gt_signals_fd(const struct gt_signals *g)
{
	return g->fd;
}

int gt_signals_next(struct gt_signals *g)
{
	struct signalfd_siginfo i;

	for (;;) {
		if (read(g->fd, &i, sizeof(i)) != sizeof(i))
			return 0;
		/* Those that our own children and pipes cause, or Go's scheduler, say nothing. */
		if (i.ssi_signo != SIGCHLD && i.ssi_signo != SIGPIPE && i.ssi_signo != SIGURG)
			return i.ssi_signo;
	}
}

void gt_signals_free(struct gt_signals *g)
{
	if (!g)
		return;
	if (g->fd >= 0) {
		while (gt_signals_next(g)) /* not to be acted upon after the mask is back */
			;
		close(g->fd);
		pthread_sigmask(SIG_SETMASK, &g->before, NULL);
	}
	free(g);
}
