// Saving a plan where library and daemon will look for it.
//
// Threading: one thread.
#pragma once

#include <string>

#include "base/result.hpp"
#include "engine/copy_plan.hpp"

namespace causeway::calibrate {

// Where a plan goes if no file was named: for root that of the system, else the user's own.
[[nodiscard]] Result<std::string> default_copies_path();

// Replaces the file at `path` in one step, making its directories; it must then load.
[[nodiscard]] Result<void> save_plan(const std::string& path, const engine::CopyPlan& plan,
                                     const std::string& comment);

}  // namespace causeway::calibrate
