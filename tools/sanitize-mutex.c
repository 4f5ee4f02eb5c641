// Tells ThreadSanitizer of the locks that Swift's Mutex takes where threads meet at it. The short way through a Mutex is
// compiled into the tests and seen; the long one is in libswiftSynchronization, which knows nothing of sanitizers, so that
// every value behind a contended Mutex would count as raced for. Preloaded by tools/sanitize; the names are those of
// Swift 6 on Linux, and where they are others nothing is added.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>

#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define TRY_LOCK "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"
#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *handle

void __tsan_acquire(void *address) __attribute__((weak));
void __tsan_release(void *address) __attribute__((weak));

SWIFT void lock_slow(uint32_t thread, SELF) __asm__(LOCK);
SWIFT bool try_lock_slow(SELF) __asm__(TRY_LOCK);
SWIFT void unlock_slow(SELF) __asm__(UNLOCK);

typedef SWIFT void (*lock_function)(uint32_t thread, SELF);
typedef SWIFT bool (*try_lock_function)(SELF);
typedef SWIFT void (*unlock_function)(SELF);

static lock_function original_lock;
static try_lock_function original_try_lock;
static unlock_function original_unlock;

__attribute__((constructor)) static void find_originals(void) {
    original_lock = (lock_function)dlsym(RTLD_NEXT, LOCK);
    original_try_lock = (try_lock_function)dlsym(RTLD_NEXT, TRY_LOCK);
    original_unlock = (unlock_function)dlsym(RTLD_NEXT, UNLOCK);
}

SWIFT void lock_slow(uint32_t thread, SELF) {
    original_lock(thread, handle);
    if (__tsan_acquire) __tsan_acquire(handle);
}

SWIFT bool try_lock_slow(SELF) {
    bool taken = original_try_lock(handle);
    if (taken && __tsan_acquire) __tsan_acquire(handle);
    return taken;
}

SWIFT void unlock_slow(SELF) {
    if (__tsan_release) __tsan_release(handle);
    original_unlock(handle);
}
