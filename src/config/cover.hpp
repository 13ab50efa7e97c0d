// Does one rule allow all that another does?
//
// Threading: pure.
#pragma once

#include "config/config.hpp"

namespace causeway::config {

// True only where it is certain: patterns are compared as texts. Both rules are complete.
[[nodiscard]] bool covers(const Rule& rule, const Rule& other);

}  // namespace causeway::config
