/* SPDX-License-Identifier: Apache-2.0 */
/* gantryd config default, dump and check. */
#ifndef GANTRY_CMD_GANTRYD_CONFIG_H
#define GANTRY_CMD_GANTRYD_CONFIG_H

/* The arguments behind "config"; returns an exit status. 'over' is the layer of the command line. */
int gantryd_config(int argc, char **argv, const char *file, const char *over);

#endif
