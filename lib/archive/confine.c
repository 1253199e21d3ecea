/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <archive/confine.h>

#include <errno.h>
#include <seccomp.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

struct gt_error *layer_confine_root(int fd)
{
	if (fchdir(fd) < 0 || chroot(".") < 0 || chdir("/") < 0)
		return gt_error_errno(GT_PERMISSION_DENIED, errno, "change root into the target");
	return NULL;
}

/* SYS_ADMIN is what trusted.* and security.* attributes take; seccomp leaves nothing else of it. */
static const cap_value_t write_caps[] = { CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID,
					  CAP_MKNOD, CAP_SETFCAP,      CAP_SYS_ADMIN };
static const cap_value_t walk_caps[] = { CAP_DAC_OVERRIDE, CAP_SYS_ADMIN };

/* 'keep', as far as we have them. */
static struct gt_error *set_caps(const cap_value_t *keep, int n)
{
	cap_t have = cap_get_proc(), want = cap_init();
	struct gt_error *e = NULL;

	if (!have || !want)
		e = gt_error_errno(GT_UNKNOWN, errno, "read capabilities");
	for (int i = 0; !e && i < n; i++) {
		cap_flag_value_t on = CAP_CLEAR;

		cap_get_flag(have, keep[i], CAP_PERMITTED, &on);
		if (on == CAP_SET && (cap_set_flag(want, CAP_PERMITTED, 1, &keep[i], CAP_SET) < 0 ||
				      cap_set_flag(want, CAP_EFFECTIVE, 1, &keep[i], CAP_SET) < 0))
			e = gt_error_errno(GT_UNKNOWN, errno, "choose capabilities");
	}
	if (!e && cap_set_proc(want) < 0)
		e = gt_error_errno(GT_PERMISSION_DENIED, errno, "give up capabilities");
	cap_free(have);
	cap_free(want);
	return e;
}

struct gt_error *layer_confine_privileges(enum layer_job job, int64_t memory)
{
	struct rlimit l;

	if (job == LAYER_WRITES)
		GT_TRY(set_caps(write_caps, sizeof(write_caps) / sizeof(*write_caps)));
	else if (job == LAYER_WALKS)
		GT_TRY(set_caps(walk_caps, sizeof(walk_caps) / sizeof(*walk_caps)));
	else
		GT_TRY(set_caps(NULL, 0));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "give up new privileges");
	l = (struct rlimit){ 0, 0 };
	setrlimit(RLIMIT_CORE, &l); /* what it would hold is somebody's layer */
	if (getrlimit(RLIMIT_NOFILE, &l) == 0) {
		l.rlim_cur = l.rlim_max;
		setrlimit(RLIMIT_NOFILE, &l); /* deep trees: a descriptor a level */
	}
#if !defined(GT_SANITIZED)
	l = (struct rlimit){ memory, memory };
	if (setrlimit(RLIMIT_DATA, &l) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "limit memory");
#else
	(void)memory;
#endif
	return NULL;
}

static const int base_calls[] = {
	SCMP_SYS(read),		   SCMP_SYS(pread64),	     SCMP_SYS(write),
	SCMP_SYS(close),	   SCMP_SYS(fstat),	     SCMP_SYS(newfstatat),
	SCMP_SYS(lseek),	   SCMP_SYS(mmap),	     SCMP_SYS(munmap),
	SCMP_SYS(mremap),	   SCMP_SYS(mprotect),	     SCMP_SYS(madvise),
	SCMP_SYS(brk),		   SCMP_SYS(futex),	     SCMP_SYS(exit),
	SCMP_SYS(exit_group),	   SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigreturn),	   SCMP_SYS(sched_yield),    SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep), SCMP_SYS(getpid),	     SCMP_SYS(gettid),
	SCMP_SYS(getrandom),	   SCMP_SYS(fadvise64),	     SCMP_SYS(tgkill),
	SCMP_SYS(rseq),		   SCMP_SYS(set_robust_list), SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall), SCMP_SYS(set_tid_address), SCMP_SYS(writev),
	SCMP_SYS(prlimit64),	   SCMP_SYS(uname),
};

static const int walk_calls[] = {
	SCMP_SYS(openat),   SCMP_SYS(openat2),   SCMP_SYS(readlinkat), SCMP_SYS(getdents64),
	SCMP_SYS(statx),    SCMP_SYS(fgetxattr), SCMP_SYS(flistxattr), SCMP_SYS(fcntl),
	SCMP_SYS(fchdir),
};

static const int write_calls[] = {
	SCMP_SYS(mkdirat),   SCMP_SYS(mknodat),	  SCMP_SYS(symlinkat), SCMP_SYS(linkat),
	SCMP_SYS(unlinkat),  SCMP_SYS(ftruncate), SCMP_SYS(fchown),    SCMP_SYS(fchownat),
	SCMP_SYS(fchmod),    SCMP_SYS(utimensat), SCMP_SYS(fsetxattr), SCMP_SYS(lsetxattr),
	SCMP_SYS(pwrite64),  SCMP_SYS(syncfs),
};

static struct gt_error *allow(scmp_filter_ctx ctx, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);

		if (r < 0)
			return gt_error_errno(GT_UNKNOWN, -r, "allow system call %d", calls[i]);
	}
	return NULL;
}

struct gt_error *layer_confine_calls(enum layer_job job)
{
#if !defined(GT_SANITIZED)
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	struct gt_error *e;
	int r;

	if (!ctx)
		return gt_error_new(GT_UNKNOWN, "set up the system call filter");
	r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	e = r < 0 ? gt_error_errno(GT_UNKNOWN, -r, "filter system calls in all threads") : NULL;
	if (!e)
		e = allow(ctx, base_calls, sizeof(base_calls) / sizeof(*base_calls));
	if (!e && job >= LAYER_WALKS)
		e = allow(ctx, walk_calls, sizeof(walk_calls) / sizeof(*walk_calls));
	if (!e && job >= LAYER_WRITES)
		e = allow(ctx, write_calls, sizeof(write_calls) / sizeof(*write_calls));
	r = e ? 0 : seccomp_load(ctx);
	if (r < 0)
		e = gt_error_errno(GT_UNKNOWN, -r, "filter system calls");
	seccomp_release(ctx);
	return e;
#else
	(void)job; /* the sanitizers' own calls are many */
	(void)base_calls;
	(void)walk_calls;
	(void)write_calls;
	(void)allow;
	return NULL;
#endif
}
