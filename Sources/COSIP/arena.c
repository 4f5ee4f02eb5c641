#include "COSIP.h"
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// In front of each block that did not fit.
typedef struct overflow {
    struct overflow *next;
    size_t size;
} overflow;

struct cosip_arena {
    size_t capacity;
    size_t used;
    overflow *overflows;
    _Alignas(16) unsigned char memory[];
};

static _Thread_local cosip_arena *active;
static pthread_once_t installed = PTHREAD_ONCE_INIT;

static bool owns(const cosip_arena *arena, const void *pointer) {
    uintptr_t offset = (uintptr_t)pointer - (uintptr_t)arena->memory;
    return offset < arena->capacity;
}

void *cosip_arena_allocate(cosip_arena *arena, size_t size) {
    size_t rounded = (size + 15) & ~(size_t)15;
    if (rounded >= size && rounded <= arena->capacity - arena->used) {
        void *result = arena->memory + arena->used;
        arena->used += rounded;
        return result;
    }
    if (size > SIZE_MAX - sizeof(overflow)) return NULL;
    overflow *block = malloc(sizeof(overflow) + size);
    if (block == NULL) return NULL;
    block->next = arena->overflows;
    block->size = size;
    arena->overflows = block;
    return block + 1;
}

static overflow **find_overflow(cosip_arena *arena, const void *pointer) {
    for (overflow **link = &arena->overflows; *link != NULL; link = &(*link)->next)
        if (*link + 1 == pointer) return link;
    return NULL;
}

static void *allocate(size_t size) { return active != NULL ? cosip_arena_allocate(active, size) : malloc(size); }

static void release(void *pointer) {
    if (active == NULL) return free(pointer);
    if (pointer == NULL || owns(active, pointer)) return;
    overflow **link = find_overflow(active, pointer);
    if (link == NULL) return free(pointer);
    overflow *block = *link;
    *link = block->next;
    free(block);
}

static void *reallocate(void *pointer, size_t size) {
    if (active == NULL) return realloc(pointer, size);
    if (pointer == NULL) return cosip_arena_allocate(active, size);
    size_t known;
    if (owns(active, pointer)) {
        // The block's own size is not kept; what follows it in the arena may be copied too, and does no harm.
        known = (size_t)(active->memory + active->used - (unsigned char *)pointer);
    } else {
        overflow **link = find_overflow(active, pointer);
        if (link == NULL) return realloc(pointer, size);
        known = (*link)->size;
    }
    void *result = cosip_arena_allocate(active, size);
    if (result == NULL) return NULL;
    memcpy(result, pointer, known < size ? known : size);
    release(pointer);
    return result;
}

static void install(void) { osip_set_allocators(allocate, reallocate, release); }

cosip_arena *cosip_arena_create(size_t capacity) {
    pthread_once(&installed, install);
    if (capacity > SIZE_MAX / 2) return NULL;
    cosip_arena *arena = malloc(sizeof(cosip_arena) + capacity);
    if (arena == NULL) return NULL;
    arena->capacity = capacity;
    arena->used = 0;
    arena->overflows = NULL;
    return arena;
}

bool cosip_arena_enter(cosip_arena *arena) {
    if (active != NULL) return false;
    active = arena;
    return true;
}

static void reset(cosip_arena *arena) {
    arena->used = 0;
    while (arena->overflows != NULL) {
        overflow *block = arena->overflows;
        arena->overflows = block->next;
        free(block);
    }
}

void cosip_arena_leave(cosip_arena *arena) {
    if (active == arena) active = NULL;
    reset(arena);
}

void cosip_arena_destroy(cosip_arena *arena) {
    cosip_arena_leave(arena);
    free(arena);
}
