// The commit that this program was built from. Defined in a file that the build writes
// (cmake/write_commit.cmake), so that a new commit recompiles only that one.
#pragma once

namespace causeway::cli {

// Twelve digits, with "+" behind them where the tree differed from it; "unknown" where there was no
// git to ask.
[[nodiscard]] const char* source_commit() noexcept;

}  // namespace causeway::cli
