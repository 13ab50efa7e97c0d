#include "platform/membarrier.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace causeway::platform {
namespace {

[[nodiscard]] bool membarrier(int command) noexcept {
    return ::syscall(SYS_membarrier, command, 0, 0) == 0;
}

}  // namespace

bool register_for_membarrier() noexcept {
    static const bool registered = membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED);
    return registered;
}

void membarrier_everywhere() noexcept { (void)membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED); }

}  // namespace causeway::platform
