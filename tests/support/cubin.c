// SPDX-License-Identifier: Apache-2.0
// The sections are as NVIDIA's cuobjdump shows them: .text.NAME and .nv.shared.NAME for each kernel, and .nv.info with
// attributes of all functions, of which EIATTR_FRAME_SIZE (0x11) is a pair of symbol and bytes.
#include "support/cubin.h"

#include <elf.h>
#include <string.h>

#define FRAME_SIZE 0x11
#define FORMAT_SIZED 4 // the attribute's own bytes follow, as many as its last two say; else those two are its value

typedef struct elf {
    const unsigned char *data;
    size_t bytes;
    const Elf64_Ehdr *header;
    const Elf64_Shdr *sections;
} elf;

static bool open_elf(elf *e)
{
    e->header = (const Elf64_Ehdr *)e->data;
    if (e->bytes < sizeof *e->header || memcmp(e->data, ELFMAG, SELFMAG) != 0 || e->data[EI_CLASS] != ELFCLASS64)
        return false;
    const size_t table = (size_t)e->header->e_shnum * sizeof *e->sections;
    if (e->header->e_shoff > e->bytes || table > e->bytes - e->header->e_shoff) return false;
    e->sections = (const Elf64_Shdr *)(e->data + e->header->e_shoff);
    return e->header->e_shstrndx < e->header->e_shnum;
}

static const char *name_of(const elf *e, const Elf64_Shdr *s)
{
    const size_t at = e->sections[e->header->e_shstrndx].sh_offset + s->sh_name;
    return at < e->bytes ? (const char *)e->data + at : "";
}

static void read_frames(const unsigned char *p, size_t bytes, cubin_needs *out)
{
    for (size_t at = 0; at + 4 <= bytes;) {
        const uint32_t format = p[at], attribute = p[at + 1], size = p[at + 2] | (uint32_t)p[at + 3] << 8;
        at += 4;
        if (format != FORMAT_SIZED) continue;
        if (attribute == FRAME_SIZE && size == 8 && at + 8 <= bytes) {
            uint32_t frame = 0;
            memcpy(&frame, p + at + 4, sizeof frame);
            if (frame > out->frame_bytes) out->frame_bytes = frame;
        }
        at += size;
    }
}

bool cubin_read(const void *data, size_t bytes, cubin_needs *out)
{
    elf e = {.data = data, .bytes = bytes};
    *out = (cubin_needs){0};
    if (!open_elf(&e)) return false;
    for (unsigned i = 0; i < e.header->e_shnum; i++) {
        const Elf64_Shdr *s = &e.sections[i];
        const char *name = name_of(&e, s);
        out->kernels += strncmp(name, ".text.", 6) == 0;
        if (strncmp(name, ".nv.shared.", 11) == 0 && s->sh_size > out->shared_bytes)
            out->shared_bytes = (uint32_t)s->sh_size;
        if (strcmp(name, ".nv.info") == 0 && s->sh_offset <= bytes && s->sh_size <= bytes - s->sh_offset)
            read_frames(e.data + s->sh_offset, s->sh_size, out);
    }
    return out->kernels > 0;
}
