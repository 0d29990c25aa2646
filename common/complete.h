/*
 * complete.h - completion for bash, zsh and fish.
 *
 * What is printed is a table of all applets, made from their options and usage forms, and the shell's own
 * script that reads it (common/completion/): the scripts know no applet.
 */
#ifndef COMPLETE_H
#define COMPLETE_H

#include "opts.h"

enum complete_shell { COMPLETE_BASH, COMPLETE_ZSH, COMPLETE_FISH };

/* `toolbox` is what ipcbox itself can be told. Applets are completed under prefix and their name; "" for
 * none. */
void complete_print(
    enum complete_shell shell, const struct cli *toolbox, const char *prefix, struct buf *out);

#endif
