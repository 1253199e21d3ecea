/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <client/apparmor.h>

#include <gantry/buf.h>
#include <gantry/file.h>

#include <errno.h>
#include <fcntl.h>
#include <proc/proc.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define PROFILES "/sys/kernel/security/apparmor/profiles"
#define SAID_MAX 4096
#define LOAD_NS (10 * 1000000000LL)

/*
 * All may be done but what reaches the host through /proc and /sys; signals and tracing stay within
 * the profile. The same rules as containerd's. %s: the profile's name.
 */
static const char text[] =
	"#include <tunables/global>\n"
	"\n"
	"profile \"%s\" flags=(attach_disconnected,mediate_deleted) {\n"
	"  #include <abstractions/base>\n"
	"  network,\n"
	"  capability,\n"
	"  file,\n"
	"  umount,\n"
	"  signal (receive) peer=unconfined,\n"
	"  signal (send,receive) peer=\"%s\",\n"
	"  ptrace (trace,read,tracedby,readby) peer=\"%s\",\n"
	"  deny mount,\n"
	"  deny @{PROC}/* w,\n"
	"  deny @{PROC}/{[^1-9],[^1-9][^0-9],[^1-9s][^0-9y][^0-9s],[^1-9][^0-9][^0-9][^0-9]*}/** w,\n"
	"  deny @{PROC}/sys/[^k]** w,\n"
	"  deny @{PROC}/sys/kernel/{?,??,[^s][^h][^m]**} w,\n"
	"  deny @{PROC}/sysrq-trigger rwklx,\n"
	"  deny @{PROC}/mem rwklx,\n"
	"  deny @{PROC}/kmem rwklx,\n"
	"  deny @{PROC}/kcore rwklx,\n"
	"  deny /sys/[^f]*/** wklx,\n"
	"  deny /sys/f[^s]*/** wklx,\n"
	"  deny /sys/fs/[^c]*/** wklx,\n"
	"  deny /sys/fs/c[^g]*/** wklx,\n"
	"  deny /sys/fs/cg[^r]*/** wklx,\n"
	"  deny /sys/firmware/** rwklx,\n"
	"  deny /sys/devices/virtual/powercap/** rwklx,\n"
	"  deny /sys/kernel/security/** rwklx,\n"
	"}\n";

char *gt_apparmor_default(const char *name)
{
	return gt_strf(text, name, name, name);
}

/* The name goes into a profile's text. */
static struct gt_error *check_name(const char *name)
{
	static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

	if (!*name || strspn(name, good) != strlen(name) || strlen(name) > 128)
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "AppArmor profile \"%s\": a name has letters, digits and ._- only",
				    name);
	return NULL;
}

/* Lines "NAME (MODE)". */
static struct gt_error *is_loaded(const char *name, bool *out)
{
	FILE *f = fopen(PROFILES, "re");
	char *line = NULL;
	size_t size = 0, len = strlen(name);

	if (!f)
		return gt_error_errno(GT_UNAVAILABLE, errno, "open %s", PROFILES);
	*out = false;
	while (!*out && getline(&line, &size, f) > 0)
		*out = !strncmp(line, name, len) && !strncmp(line + len, " (", 2);
	free(line);
	fclose(f);
	return NULL;
}

struct gt_error *gt_apparmor_load_default(const struct gt_call *call, const char *name)
{
	static const char *const argv[] = { "apparmor_parser", "-Kr", NULL };
	const struct gt_proc_spec spec = { .argv = argv };
	gt_autofree char *profile = NULL;
	gt_auto(gt_buf) said = GT_BUF_INIT;
	struct gt_call limited = *call;
	bool loaded;
	int status;

	GT_TRY(check_name(name));
	GT_TRY(is_loaded(name, &loaded));
	if (loaded)
		return NULL;
	profile = gt_apparmor_default(name);
	limited.deadline = gt_now() + LOAD_NS;
	if (call->deadline && call->deadline < limited.deadline)
		limited.deadline = call->deadline;
	GT_TRY(gt_error_wrap(gt_proc_run(&spec, &limited, profile, strlen(profile), SAID_MAX, &said,
					 &status),
			     "load AppArmor profile %s", name));
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return gt_error_new(GT_UNKNOWN, "load AppArmor profile %s: apparmor_parser: %s", name,
				    said.s);
	return NULL;
}
