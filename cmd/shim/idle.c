/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "idle.h"

#include <gantry/call.h>

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#define PATIENCE INT64_C(1000000000)

/* Unmaps what was never written to, which the next use maps again. The first object is the program. */
static int program_release(struct dl_phdr_info *info, size_t size, void *arg)
{
	uintptr_t page = sysconf(_SC_PAGESIZE);

	(void)size;
	(void)arg;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t begin = info->dlpi_addr + p->p_vaddr;

		if (p->p_type != PT_LOAD || p->p_flags & PF_W)
			continue;
		begin -= begin % page;
		madvise((void *)begin, info->dlpi_addr + p->p_vaddr + p->p_memsz - begin,
			MADV_DONTNEED);
	}
	return 1;
}

static void idle_now(struct gt_timer *t)
{
	gt_container_of(t, struct idle, timer)->over = true;
	malloc_trim(0);
	dl_iterate_phdr(program_release, NULL);
}

void idle_after(struct idle *i, struct gt_loop *loop)
{
	i->timer.fn = idle_now;
	if (!i->over)
		gt_loop_at(loop, &i->timer, gt_now() + PATIENCE);
	i->over = false;
}
