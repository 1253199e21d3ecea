/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICES_LOCAL_SUITES_TEST_H
#define SERVICES_LOCAL_SUITES_TEST_H

#include <check.h>

TCase *objects_tests(void); /* namespaces, images, containers, sandboxes, leases */
TCase *content_tests(void);
TCase *isolation_tests(void);
TCase *snapshots_native_tests(void);
TCase *snapshots_overlay_tests(void);
TCase *diffs_tests(void);
TCase *gc_rules_tests(void);
TCase *others_tests(void); /* tasks, introspection, events */

#endif
