// libosip2's parsers of header values for Swift, with their memory from an arena.
#ifndef COSIP_H
#define COSIP_H

#include <stdbool.h>
#include <stddef.h>
#include <osipparser2/osip_parser.h>
#include <osipparser2/osip_message.h>

// Memory for one message at a time. While an arena is entered on a thread, libosip2 allocates from it on that thread,
// and leaving takes back everything at once; on other threads, and outside, libosip2 uses malloc as ever.
// What does not fit comes from malloc and is freed on leaving.
typedef struct cosip_arena cosip_arena;

// Null when there is no memory. Installs the process-wide allocators the first time.
cosip_arena *cosip_arena_create(size_t capacity);
void cosip_arena_destroy(cosip_arena *arena);
// Not nested: a thread has one active arena at most; false when it has one.
bool cosip_arena_enter(cosip_arena *arena);
void cosip_arena_leave(cosip_arena *arena);
// From the arena, which need not be entered; null when there is no memory. Valid until it is left.
void *cosip_arena_allocate(cosip_arena *arena, size_t size);

// Each parses one value (no list), NUL-terminated; null when libosip2 refuses it.
osip_uri_t *cosip_parse_uri(const char *text);
osip_via_t *cosip_parse_via(const char *text);
// From, To, Contact, Route and Record-Route have one shape, and libosip2 one type for them.
osip_from_t *cosip_parse_address(const char *text);

// The elements of a list one after the other.
typedef struct __node cosip_node;
static inline const cosip_node *cosip_first(const osip_list_t *list) { return list->node; }
static inline const cosip_node *cosip_next(const cosip_node *node) { return node->next; }
static inline const osip_uri_param_t *cosip_parameter(const cosip_node *node) {
    return (const osip_uri_param_t *)node->element;
}

#endif
