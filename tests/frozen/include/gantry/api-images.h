/* SPDX-License-Identifier: Apache-2.0 */
/* The images service: names for descriptors. */
#ifndef GANTRY_API_IMAGES_H
#define GANTRY_API_IMAGES_H

#include <gantry/descriptor.h>
#include <gantry/services.h>

#include <time.h>

struct gt_image {
	char *name;
	struct gt_labels labels;
	struct gt_descriptor target;
	struct timespec created_at;
	struct timespec updated_at;
};
void gt_image_copy(struct gt_image *dst, const struct gt_image *src);
void gt_image_done(struct gt_image *i);

struct gt_images_ops {
	size_t size;
	/* NOT_FOUND "image \"NAME\"". The caller gt_image_done()s '*out'. */
	struct gt_error *(*get)(struct gt_services *s, struct gt_call *call, const char *name,
				struct gt_image *out);
	/* ALREADY_EXISTS "image \"NAME\"". Times of 'image' are ignored. '*out' may be NULL. */
	struct gt_error *(*create)(struct gt_services *s, struct gt_call *call,
				   const struct gt_image *image, struct gt_image *out);
	/* 'mask' NULL or empty: replaces labels and target. NOT_FOUND. '*out' may be NULL. */
	struct gt_error *(*update)(struct gt_services *s, struct gt_call *call,
				   const struct gt_image *image, const struct gt_strv *mask,
				   struct gt_image *out);
	struct gt_error *(*list)(struct gt_services *s, struct gt_call *call,
				 const struct gt_strv *filters,
				 struct gt_error *(*fn)(void *arg, const struct gt_image *i),
				 void *arg);
	/* NOT_FOUND. 'sync': what only it kept is gone when this answers. */
	struct gt_error *(*remove)(struct gt_services *s, struct gt_call *call, const char *name,
				   bool sync);
};

GT_MUST_USE struct gt_error *gt_images_get(struct gt_services *s, struct gt_call *call,
					   const char *name, struct gt_image *out);
GT_MUST_USE struct gt_error *gt_images_create(struct gt_services *s, struct gt_call *call,
					      const struct gt_image *image, struct gt_image *out);
GT_MUST_USE struct gt_error *gt_images_update(struct gt_services *s, struct gt_call *call,
					      const struct gt_image *image,
					      const struct gt_strv *mask, struct gt_image *out);
GT_MUST_USE struct gt_error *gt_images_list(struct gt_services *s, struct gt_call *call,
					    const struct gt_strv *filters,
					    struct gt_error *(*fn)(void *, const struct gt_image *),
					    void *arg);
GT_MUST_USE struct gt_error *gt_images_remove(struct gt_services *s, struct gt_call *call,
					      const char *name, bool sync);

#endif
