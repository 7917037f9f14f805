// crypt_r of libxcrypt (Debian's libcrypt): bcrypt for stream users' passwords.
#include <crypt.h>
