/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seccomp profile of containers that ask for the default one: containerd's, so that a container
 * moved from there finds the same system calls. What a capability is for comes with the capability.
 */
#include <config.h>

#include <oci/spec.h>

#include <oci/json.h>
#include <oci/spec-private.h>

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

/* Those that everybody may use. */
static const char always[] =
	"accept accept4 access adjtimex alarm bind brk capget capset chdir chmod chown "
	"chown32 clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 "
	"clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 close "
	"close_range connect copy_file_range creat dup dup2 dup3 epoll_create "
	"epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait "
	"epoll_wait_old eventfd eventfd2 execve execveat exit exit_group faccessat "
	"faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat "
	"fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock fork "
	"fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate "
	"ftruncate64 futex futex_time64 futex_waitv futimesat getcpu getcwd getdents "
	"getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups "
	"getgroups32 getitimer getpeername getpgid getpgrp getpid getppid getpriority "
	"getrandom getresgid getresgid32 getresuid getresuid32 getrlimit get_robust_list "
	"getrusage getsid getsockname getsockopt get_thread_area gettid gettimeofday "
	"getuid getuid32 getxattr inotify_add_watch inotify_init inotify_init1 "
	"inotify_rm_watch io_cancel ioctl io_destroy io_getevents io_pgetevents "
	"io_pgetevents_time64 ioprio_get ioprio_set io_setup io_submit io_uring_enter "
	"io_uring_register io_uring_setup ipc kill landlock_add_rule "
	"landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr link "
	"linkat listen listxattr llistxattr _llseek lremovexattr lseek lsetxattr lstat "
	"lstat64 madvise membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod "
	"mknodat mlock mlock2 mlockall mmap mmap2 mprotect mq_getsetattr mq_notify "
	"mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 "
	"mq_unlink mremap msgctl msgget msgrcv msgsnd msync munlock munlockall munmap "
	"nanosleep newfstatat _newselect open openat openat2 pause pidfd_open "
	"pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll "
	"ppoll_time64 prctl pread64 preadv preadv2 prlimit64 process_mrelease pselect6 "
	"pselect6_time64 pwrite64 pwritev pwritev2 read readahead readlink readlinkat "
	"readv recv recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages "
	"removexattr rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction "
	"rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend "
	"rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_getaffinity "
	"sched_getattr sched_getparam sched_get_priority_max sched_get_priority_min "
	"sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 "
	"sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield "
	"seccomp select semctl semget semop semtimedop semtimedop_time64 send sendfile "
	"sendfile64 sendmmsg sendmsg sendto setfsgid setfsgid32 setfsuid setfsuid32 "
	"setgid setgid32 setgroups setgroups32 setitimer setpgid setpriority setregid "
	"setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 "
	"setrlimit set_robust_list setsid setsockopt set_thread_area set_tid_address "
	"setuid setuid32 setxattr shmat shmctl shmdt shmget shutdown sigaltstack signalfd "
	"signalfd4 sigprocmask sigreturn socket socketcall socketpair splice stat stat64 "
	"statfs statfs64 statx symlink symlinkat sync sync_file_range syncfs sysinfo tee "
	"tgkill time timer_create timer_delete timer_getoverrun timer_gettime "
	"timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime "
	"timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill truncate "
	"truncate64 ugetrlimit umask uname unlink unlinkat utime utimensat "
	"utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write writev";

/* Values of personality(2): Linux, and what setarch and 32 bit programs ask for; the last reads it. */
static const uint32_t personalities[] = { 0x0, 0x8, 0x20000, 0x20008, 0xffffffff };

struct rule {
	const char *when; /* a machine as of uname(2), or a capability */
	const char *names;
};

static const struct rule by_machine[] = {
	{ "ppc64le", "sync_file_range2 swapcontext" },
	{ "arm", "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls" },
	{ "aarch64",
	  "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls" },
	{ "x86_64", "arch_prctl modify_ldt" },
	{ "i686", "modify_ldt" },
	{ "s390x", "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr" },
	{ "riscv64", "riscv_flush_icache" },
};

static const struct rule by_capability[] = {
	{ "CAP_DAC_READ_SEARCH", "open_by_handle_at" },
	{ "CAP_SYS_ADMIN",
	  "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount "
	  "mount_setattr move_mount name_to_handle_at open_tree perf_event_open quotactl "
	  "quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare" },
	{ "CAP_SYS_BOOT", "reboot" },
	{ "CAP_SYS_CHROOT", "chroot" },
	{ "CAP_SYS_MODULE", "delete_module init_module finit_module" },
	{ "CAP_SYS_PACCT", "acct" },
	{ "CAP_SYS_PTRACE",
	  "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace" },
	{ "CAP_SYS_RAWIO", "iopl ioperm" },
	{ "CAP_SYS_TIME", "settimeofday stime clock_settime clock_settime64" },
	{ "CAP_SYS_TTY_CONFIG", "vhangup" },
	{ "CAP_SYS_NICE", "get_mempolicy mbind set_mempolicy" },
	{ "CAP_SYSLOG", "syslog" },
	{ "CAP_BPF", "bpf" },
	{ "CAP_PERFMON", "perf_event_open" },
};

/* What a program of the machine may be built for besides. */
static const struct rule architectures[] = {
	{ "x86_64", "SCMP_ARCH_X86_64 SCMP_ARCH_X86 SCMP_ARCH_X32" },
	{ "aarch64", "SCMP_ARCH_ARM SCMP_ARCH_AARCH64" },
	{ "mips64", "SCMP_ARCH_MIPS SCMP_ARCH_MIPS64 SCMP_ARCH_MIPS64N32" },
	{ "mipsel64", "SCMP_ARCH_MIPSEL SCMP_ARCH_MIPSEL64 SCMP_ARCH_MIPSEL64N32" },
	{ "s390x", "SCMP_ARCH_S390 SCMP_ARCH_S390X" },
	{ "riscv64", "SCMP_ARCH_RISCV64" },
};

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define NEW_NAMESPACES                                                                             \
	(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | \
	 CLONE_NEWCGROUP)

static const char *find(const struct rule *r, size_t n, const char *when)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(r[i].when, when))
			return r[i].names;
	}
	return NULL;
}

static json_t *words(const char *text)
{
	gt_auto(gt_strv) list = { 0 };
	json_t *a = json_array();

	gt_strv_split(&list, text, ' ');
	for (size_t i = 0; i < list.n; i++)
		json_array_append_new(a, json_string(list.v[i]));
	return a;
}

static void allow(json_t *calls, const char *names)
{
	if (names)
		json_array_append_new(calls, json_pack("{s:o, s:s}", "names", words(names),
						       "action", "SCMP_ACT_ALLOW"));
}

/* Allowed where the argument compares so; a masked comparison is with 0. */
static void allow_if(json_t *calls, const char *name, int argument, uint32_t value, const char *op)
{
	json_array_append_new(calls, json_pack("{s:[s], s:s, s:[{s:i, s:I, s:s}]}", "names", name,
					       "action", "SCMP_ACT_ALLOW", "args", "index",
					       argument, "value", (json_int_t)value, "op", op));
}

/* ptrace could get round a filter before Linux 4.8. */
static bool ptrace_is_safe(const struct utsname *u)
{
	unsigned major = 0, minor = 0;

	return sscanf(u->release, "%u.%u", &major, &minor) == 2 &&
	       (major > 4 || (major == 4 && minor >= 8));
}

/* A process without CAP_SYS_ADMIN makes no namespaces; and clone3's flags are out of sight. */
static void restrict_clone(json_t *calls, const struct utsname *u)
{
	allow_if(calls, "clone", !strcmp(u->machine, "s390x"), NEW_NAMESPACES, "SCMP_CMP_MASKED_EQ");
	json_array_append_new(calls, json_pack("{s:[s], s:s, s:i}", "names", "clone3", "action",
					       "SCMP_ACT_ERRNO", "errnoRet", ENOSYS));
}

void gt_spec_set_default_seccomp(struct gt_spec *s)
{
	const json_t *caps = json_object_get(json_object_get(gt_spec_process(s), "capabilities"),
					     "bounding");
	json_t *calls = json_array(), *profile = json_object(), *j;
	bool admin = false;
	struct utsname u;
	const char *archs;
	size_t i;

	uname(&u);
	allow(calls, always);
	for (i = 0; i < COUNT(personalities); i++)
		allow_if(calls, "personality", 0, personalities[i], "SCMP_CMP_EQ");
	if (ptrace_is_safe(&u))
		allow(calls, "ptrace");
	allow(calls, find(by_machine, COUNT(by_machine), u.machine));
	json_array_foreach(caps, i, j) {
		const char *cap = json_string_value(j);

		if (!cap)
			continue;
		allow(calls, find(by_capability, COUNT(by_capability), cap));
		admin = admin || !strcmp(cap, "CAP_SYS_ADMIN");
	}
	if (!admin)
		restrict_clone(calls, &u);
	archs = find(architectures, COUNT(architectures), u.machine);
	json_object_set_new(profile, "defaultAction", json_string("SCMP_ACT_ERRNO"));
	if (archs)
		json_object_set_new(profile, "architectures", words(archs));
	json_object_set_new(profile, "syscalls", calls);
	json_object_set_new(gt_spec_linux(s), "seccomp", profile);
}

struct gt_error *gt_spec_set_seccomp(struct gt_spec *s, const void *text, size_t len)
{
	static const char what[] = "seccomp profile";
	gt_autojson doc = NULL;

	GT_TRY(gt_json_parse(what, text, len, GT_SPEC_MAX, GT_DOCUMENT_DEPTH, &doc));
	if (!json_is_string(json_object_get(doc, "defaultAction")))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: has no defaultAction", what);
	json_object_set(gt_spec_linux(s), "seccomp", doc);
	return NULL;
}
