/*
 * mark.c - see mark.h.
 */
#include "process/mark.h"

#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/version.h"

#define OWNER "ipcbox"

enum { MARK_TYPE = 1, HEADERS_MAX = 64, NOTES_SIZE = 4096, ALIGN = 4 };

#define ALIGNED(n) (((n) + ALIGN - 1) / ALIGN * ALIGN)

/* The names of note sections begin with .note: by that assemblers give them their type. */
__attribute__((used, section(".note.ipcbox"), aligned(ALIGN))) static const struct {
    uint32_t owner_size, version_size, type;
    char owner[ALIGNED(sizeof OWNER)], version[ALIGNED(sizeof IPCBOX_VERSION)];
} mark = {sizeof OWNER, sizeof IPCBOX_VERSION, MARK_TYPE, OWNER, IPCBOX_VERSION};

/* Where the fields are in the two classes of files. */
struct elf_class {
    size_t table_at, entry_size_at, entries_at, word; /* in the header; the size of an address */
    size_t entry_size, offset_at, size_at;            /* in an entry of the table */
};

static const struct elf_class classes[] = {
    {28, 42, 44, sizeof(uint32_t), sizeof(Elf32_Phdr), 4, 16},
    {32, 54, 56, sizeof(uint64_t), sizeof(Elf64_Phdr), 8, 32},
};

/* A number of the machine's own byte order: a file of another is not run by this kernel. */
static uint64_t number(const unsigned char *at, size_t size)
{
    uint64_t n = 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(&n, at, size);
#else
    memcpy((unsigned char *)&n + sizeof n - size, at, size);
#endif
    return n;
}

/* The version, up to the first character that is not printable. */
static void take_version(char *version, const unsigned char *text, size_t n)
{
    size_t i = 0;
    for (; i < n && i < MARK_VERSION_SIZE - 1 && text[i] > ' ' && text[i] < 0x7f; i++)
        version[i] = (char)text[i];
    version[i] = '\0';
}

static bool find_mark(const unsigned char *notes, size_t n, char *version)
{
    enum { HEAD = 3 * sizeof(uint32_t) };
    while (n >= HEAD) {
        uint64_t owner = number(notes, 4), text = number(notes + 4, 4);
        uint64_t text_at = HEAD + ALIGNED(owner), next = text_at + ALIGNED(text);
        if (next > n)
            return false;
        if (number(notes + 8, 4) == MARK_TYPE && owner == sizeof OWNER &&
            memcmp(notes + HEAD, OWNER, sizeof OWNER) == 0) {
            take_version(version, notes + text_at, (size_t)text);
            return true;
        }
        notes += next;
        n -= (size_t)next;
    }
    return false;
}

/* pread(2), of which the file has said where. */
static ssize_t read_at(int fd, unsigned char *to, size_t n, uint64_t at)
{
    return at <= (uint64_t)INT64_MAX - n ? pread(fd, to, n, (off_t)at) : 0;
}

bool mark_read(int fd, char version[static MARK_VERSION_SIZE])
{
    unsigned char head[sizeof(Elf64_Ehdr)], entry[sizeof(Elf64_Phdr)], notes[NOTES_SIZE];
    const unsigned char native = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
    errno = 0;
    if (read_at(fd, head, sizeof head, 0) != (ssize_t)sizeof head || memcmp(head, ELFMAG, SELFMAG) != 0 ||
        head[EI_CLASS] < ELFCLASS32 || head[EI_CLASS] > ELFCLASS64 || head[EI_DATA] != native)
        return false;
    const struct elf_class *c = &classes[head[EI_CLASS] - ELFCLASS32];
    uint64_t table = number(head + c->table_at, c->word), n = number(head + c->entries_at, 2);
    if (number(head + c->entry_size_at, 2) != c->entry_size || n > HEADERS_MAX)
        return false;
    for (uint64_t i = 0; i < n; i++) {
        if (read_at(fd, entry, c->entry_size, table + i * c->entry_size) != (ssize_t)c->entry_size)
            return false;
        if (number(entry, 4) != PT_NOTE)
            continue;
        uint64_t size = number(entry + c->size_at, c->word);
        ssize_t got = read_at(fd, notes, size < sizeof notes ? (size_t)size : sizeof notes,
            number(entry + c->offset_at, c->word));
        if (got > 0 && find_mark(notes, (size_t)got, version))
            return true;
    }
    return false;
}
