// The version of this source tree; the shared library, the daemon and the CLI say the same.
#pragma once

namespace causeway {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace causeway
