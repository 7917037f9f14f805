// libmaxminddb (Debian's libmaxminddb-dev): which country an address is in.
#include <maxminddb.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

// A file that is in memory only, closed in programs that this one starts; -1 and errno when there can be none. Swift's Glibc
// module leaves memfd_create out.
static inline int playhouse_memory_file(void) {
    return (int)syscall(SYS_memfd_create, "country database", 1u /* MFD_CLOEXEC */);
}
