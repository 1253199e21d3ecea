/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GANTRY_PLUGIN_TEST_TAP_H
#define GANTRY_PLUGIN_TEST_TAP_H

/* Ends the TAP stream: "1..N". */
void tap_plan(void);

#endif
