// The copy plan of this process: what the direct executor copies by.
//
// Threading: any thread. Loaded once, by the first who asks; a forked child keeps its parent's.
#pragma once

#include "engine/copy_plan.hpp"

namespace causeway::client {

// From the usual places (engine::find_copies). Where memory is too short to say where from: the
// built-in one.
[[nodiscard]] const engine::LoadedCopies& copies() noexcept;
// copies().plan.describe(), for as long as the process lives.
[[nodiscard]] const char* copies_text() noexcept;

}  // namespace causeway::client
