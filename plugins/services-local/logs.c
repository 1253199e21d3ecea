/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "logs.h"

#include <gantry/buf.h>
#include <gantry/file.h>
#include <gantry/log.h>
#include <outlog/outlog.h>

#include <fcntl.h>

#define FOLDER "io.gantry.logs.v1"

struct gt_error *logs_uri(struct gt_services *s, struct gt_call *call, const char *id,
			  const char *exec_id, char **out)
{
	const struct local *l = local_of(s);
	struct gt_outlog_place p = { .size = l->config->log_size,
				     .files = (unsigned)l->config->log_files };

	p.path = gt_strf("%s/" FOLDER "/%s/%s/%s%s.log", l->init->base_root, call->ns, id,
			 *exec_id ? "exec-" : "init", exec_id);
	*out = gt_outlog_uri(&p);
	gt_outlog_place_done(&p);
	return NULL;
}

void logs_remove(struct local *l, const char *ns, const char *id)
{
	gt_autofree char *space = gt_strf("%s/" FOLDER "/%s", l->init->base_root, ns);
	gt_autofree char *folder = gt_strf("%s/%s", space, id);

	if (access(folder, F_OK) < 0) /* mostly: nothing of it was detached */
		return;
	gt_log_warn_take(gt_file_remove_tree(AT_FDCWD, folder), "remove logs of %s", id);
	rmdir(space); /* if that was the last */
}
