// What `causeway doctor` prints.
//
// Threading: pure.
#pragma once

#include <cstddef>
#include <string>

#include "doctor/subjects.hpp"
#include "json.hpp"

namespace causeway::doctor {

enum class Colour : std::uint8_t { no, yes };

// How many checks have that status.
[[nodiscard]] std::size_t count(const Checks& checks, Status status);

// A line for each check, below it what that costs and what mends it, at the end how many there
// are of which kind.
[[nodiscard]] std::string table(const Checks& checks, Colour colour);
[[nodiscard]] cli::json to_json(const Checks& checks);

}  // namespace causeway::doctor
