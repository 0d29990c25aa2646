/* version.h - the one place of the version; CHANGELOG.md says what each brought. */
#ifndef VERSION_H
#define VERSION_H

#define IPCBOX_VERSION "1.0.0"

#endif
