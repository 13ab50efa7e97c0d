#include "platform/fd.hpp"

#include <unistd.h>

#include <cerrno>

namespace causeway::platform {

void UniqueFd::reset(int fd) noexcept {
    const int old = std::exchange(fd_, fd);
    if (old < 0 || old == fd)
        return;
    const int saved = errno;
    ::close(old);  // EINTR has closed it all the same on Linux
    errno = saved;
}

}  // namespace causeway::platform
