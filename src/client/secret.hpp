// The secret that a partition brings where its entrance asks for one: what stands in the file
// $CAUSEWAY_TOKEN_FILE, read anew for each attaching.
//
// Threading: may be called from any thread.
#pragma once

#include <causeway/abi/control.hpp>

#include "base/result.hpp"

namespace causeway::client {

// Nothing is set: the request stays without. Errors: the file cannot be read, is empty or too long.
[[nodiscard]] Result<void> bring_secret(abi::AttachRequest& request);

}  // namespace causeway::client
