// Ready notification: to a service manager (sd_notify protocol) and to whoever holds a descriptor.
//
// Threading: control thread, at start and stop.
#pragma once

#include <string_view>

#include "base/result.hpp"

namespace causeway::adapter {

// Sends `state` ("READY=1", "STOPPING=1") to $NOTIFY_SOCKET; nothing to do where that is not set.
[[nodiscard]] Result<void> notify_manager(std::string_view state);

// Writes a newline to `fd` and closes it.
[[nodiscard]] Result<void> notify_ready_fd(int fd);

}  // namespace causeway::adapter
