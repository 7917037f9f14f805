// zlib (Debian's zlib1g-dev): gzip for playlists.
#include <zlib.h>
