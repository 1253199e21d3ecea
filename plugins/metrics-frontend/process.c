/* SPDX-License-Identifier: Apache-2.0 */
/* This process, under the names that Prometheus' clients share. */
#include <config.h>

#include "metrics.h"

#include <gantry/api-introspection.h>
#include <gantry/file.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void gauge(struct metrics_text *t, const char *name, const char *help, double value)
{
	metrics_text_add(t, &(struct gt_sample){ .name = name, .help = help, .value = value });
}

static double boot_time(void)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;
	gt_autoptr(gt_error) e = gt_file_read(AT_FDCWD, "/proc/stat", 1024 * 1024, &b);
	const char *line = e ? NULL : strstr(b.s, "\nbtime ");

	return line ? strtod(line + strlen("\nbtime "), NULL) : 0;
}

static void stat_add(struct metrics_text *t)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;
	gt_autoptr(gt_error) e = gt_file_read(AT_FDCWD, "/proc/self/stat", 4096, &b);
	const char *p = e ? NULL : strrchr(b.s, ')'); /* behind the name, which may be anything */
	unsigned long long user, system, start, virtual;
	long long resident, threads;
	double ticks = (double)sysconf(_SC_CLK_TCK);

	if (!p || sscanf(p + 1,
			 " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d "
			 "%lld %*d %llu %llu %lld",
			 &user, &system, &threads, &start, &virtual, &resident) != 6)
		return;
	metrics_text_add(t, &(struct gt_sample){ .name = "process_cpu_seconds_total",
						 .help = "Total user and system CPU time spent in seconds.",
						 .type = GT_SAMPLE_COUNTER,
						 .value = (double)(user + system) / ticks });
	gauge(t, "process_resident_memory_bytes", "Resident memory size in bytes.",
	      (double)resident * (double)sysconf(_SC_PAGESIZE));
	gauge(t, "process_virtual_memory_bytes", "Virtual memory size in bytes.", (double)virtual);
	gauge(t, "process_start_time_seconds",
	      "Start time of the process since unix epoch in seconds.",
	      boot_time() + (double)start / ticks);
	gauge(t, "process_threads", "Number of threads.", (double)threads);
}

static void descriptors_add(struct metrics_text *t)
{
	struct rlimit r;
	DIR *d = opendir("/proc/self/fd");
	double n = -3; /* "." and "..", and the folder itself */

	while (d && readdir(d))
		n++;
	if (d) {
		closedir(d);
		gauge(t, "process_open_fds", "Number of open file descriptors.", n);
	}
	if (getrlimit(RLIMIT_NOFILE, &r) == 0)
		gauge(t, "process_max_fds", "Maximum number of open file descriptors.",
		      (double)r.rlim_cur);
}

void metrics_process(struct metrics_text *t)
{
	const char *const labels[] = { "version", gt_version(), "revision", gt_revision(), NULL };

	metrics_text_add(t, &(struct gt_sample){ .name = "containerd_build_info_total",
						 .help = "Which build of the daemon this is.",
						 .type = GT_SAMPLE_COUNTER,
						 .labels = labels,
						 .value = 1 });
	stat_add(t);
	descriptors_add(t);
}
