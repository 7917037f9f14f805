// What glibc has since 2.34 and shows only where _GNU_SOURCE is defined, as it is not for Swift's Glibc module.
#include <spawn.h>

int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);
