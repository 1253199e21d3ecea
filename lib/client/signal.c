/* SPDX-License-Identifier: Apache-2.0 */
/* Signals by name and number. */
#include <config.h>

#include <client/container.h>

#include <ctype.h>
#include <signal.h>
#include <string.h>
#include <strings.h>

/* SIGRTMIN+n in two digits, "" for none. */
static bool number(const char *s, int *out)
{
	int n = 0;

	if (!*s || strlen(s) > 2)
		return false;
	for (; *s; s++) {
		if (!isdigit((unsigned char)*s))
			return false;
		n = n * 10 + (*s - '0');
	}
	*out = n;
	return true;
}

/* The kernel's range, of which glibc keeps the first two for itself. */
#define KERNEL_RTMIN 34
#define KERNEL_RTMAX 64

static bool realtime(const char *s, int *out)
{
	int n = 0;

	if (!strncasecmp(s, "RTMIN", 5) && (!s[5] || (s[5] == '+' && number(s + 6, &n))))
		*out = KERNEL_RTMIN + n;
	else if (!strncasecmp(s, "RTMAX", 5) && (!s[5] || (s[5] == '-' && number(s + 6, &n))))
		*out = KERNEL_RTMAX - n;
	else
		return false;
	return *out >= KERNEL_RTMIN && *out <= KERNEL_RTMAX;
}

struct gt_error *gt_signal_parse(const char *s, int *out)
{
	static const struct {
		const char *name;
		int number;
	} more[] = { { "IOT", SIGIOT }, { "CLD", SIGCHLD }, { "POLL", SIGPOLL } };
	const char *name = strncasecmp(s, "SIG", 3) ? s : s + 3;
	int n;

	if (number(s, &n) && n >= 1 && n <= KERNEL_RTMAX) {
		*out = n;
		return NULL;
	}
	for (n = 1; n < 32; n++) {
		const char *abbrev = sigabbrev_np(n);

		if (abbrev && !strcasecmp(abbrev, name)) {
			*out = n;
			return NULL;
		}
	}
	for (size_t i = 0; i < sizeof(more) / sizeof(*more); i++) {
		if (!strcasecmp(more[i].name, name)) {
			*out = more[i].number;
			return NULL;
		}
	}
	if (realtime(name, out))
		return NULL;
	return gt_error_new(GT_INVALID_ARGUMENT, "unknown signal \"%s\"", s);
}

struct gt_error *gt_container_stop_signal(const struct gt_container *c, int *out)
{
	const char *label = gt_labels_get(&c->labels, GT_LABEL_STOP_SIGNAL);

	if (!label || !*label) {
		*out = SIGTERM;
		return NULL;
	}
	return gt_error_wrap(gt_signal_parse(label, out), "container %s", c->id);
}
