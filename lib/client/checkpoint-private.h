/* SPDX-License-Identifier: Apache-2.0 */
/* What checkpoint and restore share. Within lib/client. */
#ifndef GANTRY_LIB_CLIENT_CHECKPOINT_PRIVATE_H
#define GANTRY_LIB_CLIENT_CHECKPOINT_PRIVATE_H

/* Media types and annotations are containerd's. */
#define GT_CHECKPOINT_TYPE "application/vnd.containerd.container.checkpoint."
#define GT_CHECKPOINT_CRIU "application/vnd.containerd.container.criu.checkpoint.criu.tar"
#define GT_CHECKPOINT_IMAGE "org.opencontainers.image.ref.name"
#define GT_CHECKPOINT_RUNTIME "io.containerd.checkpoint.runtime"
#define GT_CHECKPOINT_SNAPSHOTTER "io.containerd.checkpoint.snapshotter"

#endif
