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
 * `word` with every `name` in it replaced by `value`: a new string, the caller's to free, or `word` itself
 * when there is none of them, or no value. NULL with ENOMEM.
 */
char *words_replace(char *word, const char *name, const char *value);

#endif
