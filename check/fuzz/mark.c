/* mark.c - an executable of any kind that may have our note (elf(5)). */
#include "harness/fuzz.h"

#include <elf.h>
#include <string.h>
#include <unistd.h>

#include "process/mark.h"

/* An ELF file whose one segment of notes is the input. */
static size_t make(uint8_t *file, const uint8_t *notes, size_t n)
{
    Elf64_Ehdr head = {.e_phoff = sizeof head, .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 1};
    Elf64_Phdr segment = {.p_type = PT_NOTE, .p_offset = sizeof head + sizeof segment, .p_filesz = n};
    memcpy(head.e_ident, ELFMAG, SELFMAG);
    head.e_ident[EI_CLASS] = ELFCLASS64;
    head.e_ident[EI_DATA] = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
    memcpy(file, &head, sizeof head);
    memcpy(file + sizeof head, &segment, sizeof segment);
    memcpy(file + sizeof head + sizeof segment, notes, n);
    return sizeof head + sizeof segment + n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t file[8192 + sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr)];
    char version[MARK_VERSION_SIZE];
    if (!size || size > 8192)
        return 0;
    bool notes = data[0] & 1;
    size_t n = notes ? make(file, data + 1, size - 1) : size - 1;
    int fd = fuzz_memory_file(notes ? file : data + 1, n);
    memset(version, 'x', sizeof version);
    if (mark_read(fd, version)) {
        MUST(memchr(version, '\0', sizeof version) && fuzz_is_printable(version, strlen(version)));
        PLANTED(notes && version[0] == '1');
    }
    MUST(lseek(fd, 0, SEEK_CUR) == 0);
    close(fd);
    return 0;
}
