#ifndef CMAPPEDFILE_H
#define CMAPPEDFILE_H

#include <stdbool.h>
#include <stddef.h>

/// From now on a page of this mapping that cannot be read does not end the process: it becomes a page of zeros, and
/// `mapped_file_has_failed` says so. Returns a number for the other functions, or -1 when too many mappings are guarded.
int mapped_file_guard(const void *start, size_t length);

/// Whether a page could not be read since `mapped_file_guard`.
bool mapped_file_has_failed(int guard);

/// To be called before the mapping ends.
void mapped_file_release(int guard);

/// How many pages of mapped files the calling thread has waited for the disk for since it began.
long mapped_file_pages_waited_for(void);

#endif
