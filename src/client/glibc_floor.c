/* Keeps libcauseway.so.1 loadable with a glibc older than the one it was built with (2.34 instead
 * of 2.35). Part of the shared library only.
 *
 * The unwinder of GCC 12 and later, which is linked in statically, finds the frame table of an
 * address through _dl_find_object, new in glibc 2.35. This definition, hidden inside the library,
 * answers from dl_iterate_phdr, as every unwinder did before. It is slower (the loader's lock, a
 * walk over the loaded objects), and is used only while an exception is on its way inside the
 * library: none leaves it, and none is on the data path.
 *
 * Threading: any thread. Source: the glibc manual, "Dynamic Linker Introspection".
 */
#define _GNU_SOURCE
#include <link.h>
#include <stddef.h>
#include <stdint.h>

#ifdef DLFO_STRUCT_HAS_EH_DBASE /* a glibc whose unwinder asks for it */

#if DLFO_STRUCT_HAS_EH_DBASE
#error "this processor's unwinder also wants a data base address: leave this file out of the build"
#endif

struct search {
    uintptr_t address;
    struct dl_find_object* result;
};

/* One loaded object: 1 (stop) when the address lies in it. */
static int look_at(struct dl_phdr_info* object, size_t size, void* context) {
    const struct search* search = context;
    const ElfW(Phdr)* frames = NULL;
    uintptr_t start = UINTPTR_MAX;
    uintptr_t end = 0;
    int inside = 0;
    (void)size;
    for (ElfW(Half) i = 0; i < object->dlpi_phnum; ++i) {
        const ElfW(Phdr)* header = &object->dlpi_phdr[i];
        if (header->p_type == PT_GNU_EH_FRAME) {
            frames = header;
        } else if (header->p_type == PT_LOAD) {
            const uintptr_t from = object->dlpi_addr + header->p_vaddr;
            const uintptr_t to = from + header->p_memsz;
            start = from < start ? from : start;
            end = to > end ? to : end;
            inside |= search->address >= from && search->address < to;
        }
    }
    if (!inside) {
        return 0;
    }
    *search->result = (struct dl_find_object){0};
    search->result->dlfo_map_start = (void*)start;
    search->result->dlfo_map_end = (void*)end;
    if (frames != NULL) {
        search->result->dlfo_eh_frame = (void*)(object->dlpi_addr + frames->p_vaddr);
    }
    return 1;
}

__attribute__((visibility("hidden"))) int _dl_find_object(void* address,
                                                          struct dl_find_object* result) {
    struct search search = {(uintptr_t)address, result};
    if (dl_iterate_phdr(look_at, &search) == 0 || result->dlfo_eh_frame == NULL) {
        return -1;
    }
    return 0;
}

#endif
