// Other processes, as far as /proc shows them.
//
// Threading: any thread.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace causeway::platform {

// When process `pid` was started, in clock ticks since boot: with its number, this tells it from
// every other. 0: there is none, or it is not to be seen.
[[nodiscard]] std::uint64_t process_start(pid_t pid) noexcept;

}  // namespace causeway::platform
