/*
 * words.h - the words of one string: split at blanks, with no quoting and no shell.
 */
#ifndef WORDS_H
#define WORDS_H

#define WORDS_BLANKS " \t\n"

/*
 * Splits in place: the words point into `line`, which must live as long as they do. The array ends with NULL
 * and is the caller's to free. NULL with ENOMEM.
 */
char **words_split(char *line);

/*
 * Replaces every `name` in the words of a list, which ends with NULL, by `value`, if it is not NULL. Words
 * that change are new strings, for good. 0, or -1 with ENOMEM.
 */
int words_replace(char **words, const char *name, const char *value);

#endif
