#define _GNU_SOURCE
#include "CMappedFile.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

// A page of a mapped file that the kernel cannot read (the disk fails, or the file has become shorter) is a SIGBUS in the thread
// that reads it. The handler puts a page of zeros in its place and notes that it has, and the thread goes on. It is C because a
// signal handler may do next to nothing: this one loads and stores atomic numbers and makes system calls.

enum { MAXIMUM = 4096 };

struct guard {
    // Both 0: free. `end` is set last and cleared first.
    _Atomic uintptr_t start, end;
    _Atomic bool has_failed;
};

static struct guard guards[MAXIMUM];
// All guards in use are before this one.
static _Atomic int used;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct sigaction previous;
static uintptr_t page_size;

static bool replace_page(uintptr_t address) {
    int count = atomic_load(&used);
    for (int index = 0; index < count; index++) {
        uintptr_t end = atomic_load(&guards[index].end);
        if (address >= end || address < atomic_load(&guards[index].start)) continue;
        void *page = (void *)(address & ~(page_size - 1));
        if (mmap(page, page_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) return false;
        atomic_store(&guards[index].has_failed, true);
        return true;
    }
    return false;
}

static void handle(int number, siginfo_t *info, void *context) {
    int saved = errno;
    // Of the kernel, and not of kill(2).
    bool is_replaced = info->si_code > 0 && replace_page((uintptr_t)info->si_addr);
    errno = saved;
    if (is_replaced) return;
    if (previous.sa_flags & SA_SIGINFO && previous.sa_sigaction) {
        previous.sa_sigaction(number, info, context);
    } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
        previous.sa_handler(number);
    } else {
        // It comes again, and ends the process as it would have.
        sigaction(SIGBUS, &previous, NULL);
        if (info->si_code <= 0) raise(SIGBUS);
    }
}

static void install(void) {
    page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &previous);
}

int mapped_file_guard(const void *start, size_t length) {
    pthread_once(&once, install);
    int found = -1;
    pthread_mutex_lock(&lock);
    for (int index = 0; index < MAXIMUM && found < 0; index++)
        if (!atomic_load(&guards[index].start)) found = index;
    if (found >= 0) {
        atomic_store(&guards[found].has_failed, false);
        atomic_store(&guards[found].start, (uintptr_t)start);
        atomic_store(&guards[found].end, (uintptr_t)start + length);
        if (found >= atomic_load(&used)) atomic_store(&used, found + 1);
    }
    pthread_mutex_unlock(&lock);
    return found;
}

bool mapped_file_has_failed(int guard) {
    return guard >= 0 && atomic_load(&guards[guard].has_failed);
}

void mapped_file_release(int guard) {
    if (guard < 0) return;
    pthread_mutex_lock(&lock);
    atomic_store(&guards[guard].end, 0);
    atomic_store(&guards[guard].start, 0);
    pthread_mutex_unlock(&lock);
}

long mapped_file_pages_waited_for(void) {
    struct rusage usage;
    return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_majflt : 0;
}
