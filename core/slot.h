/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin's place in the host: what is known of it, and how far it has come. Internal to the core. */
#ifndef GANTRY_CORE_SLOT_H
#define GANTRY_CORE_SLOT_H

#include "core/host.h"

#include <gantry/plugin.h>

#include <pthread.h>
#include <sys/types.h>

struct gt_module;
struct gt_config;
struct gt_config_proxy;

enum slot_state { SLOT_NEW, SLOT_LOADED, SLOT_OPENING, SLOT_OPEN, SLOT_FAILED };

struct slot {
	struct gt_host *host;
	enum gt_kind kind;
	char *name; /* of the module; of a proxy plugin, of its entry */
	bool is_active; /* else only its options matter, or its line in a listing */
	const char *file; /* tests: the module's file, while it is being opened */
	const struct gt_strv *extra; /* options besides the configuration's */
	/* Of a proxy plugin, and of the services behind it, which nobody else finds. */
	const struct gt_config_proxy *proxy;
	struct slot *far; /* those services; NULL: this is not the proxy plugin, but them */
	struct gt_strv far_options; /* for 'extra' */
	enum slot_state state;
	struct gt_module *module;
	struct gt_error *error; /* why it FAILED */
	void *instance;
	void *config;
	struct gt_op_counts *counts; /* once it is being opened */
	char *root;
	char *state_dir;
	struct gt_init init;
};

struct gt_host {
	const struct gt_config *config;
	struct gt_config *own_config; /* freed with the host */
	enum gt_durability durability;
	struct gt_events *events;
	int lock_fd; /* of the root; -1 until the first plugin is opened */
	bool is_daemon; /* the lock is held alone */
	struct gt_host_hooks hooks;
	pthread_mutex_t samples_lock; /* held while the sources are asked */
	struct gt_sample_source *sources;
	struct gt_strv retired; /* strings that a reload has replaced, and somebody may still read */
	pthread_mutex_t lock; /* over all that follows, and over libltdl */
	struct slot **slots;
	size_t n, alloc;
	struct slot **opening;
	size_t opening_n, opening_alloc;
};

/* root.c: root, state and the root's lock; a folder with a mode, whatever it was before. */
struct gt_error *gt_folders_prepare(struct gt_host *h);
struct gt_error *gt_folder_make(const char *path, mode_t mode);

struct slot *gt_slot_of(const struct gt_init *init);
/* Whether these are the services behind a proxy plugin. */
static inline bool gt_slot_is_far(const struct slot *s)
{
	return s->proxy && !s->far;
}

struct gt_host *gt_host_new(const struct gt_config *config);
struct slot *gt_slot_add(struct gt_host *h, enum gt_kind kind, const char *name);
/* The slots of an entry of proxy_plugins; 'services' is a module. */
void gt_slot_add_proxy(struct gt_host *h, const struct gt_config_proxy *proxy);
struct slot *gt_slot_by_name(struct gt_host *h, const char *name);
/* Whether 'name' means it: its module, containerd's type and its id with a dot between, or its id alone. */
bool gt_slot_is_named(struct slot *s, const char *name);
/* The active one of that name; NULL: none. */
struct slot *gt_slot_named(struct gt_host *h, const char *name);
/* Has none be active that disabled_plugins names. */
void gt_slots_disable(struct gt_host *h);
/* All with the host's lock held, or before there are threads. */
void gt_slot_load(struct slot *s);
struct gt_error *gt_slot_open(struct slot *s);
struct gt_error *gt_slot_find(struct gt_host *h, enum gt_kind kind, const char *id,
			      struct slot **out);

#endif
