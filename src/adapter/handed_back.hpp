// Memory that an earlier daemon has made and a partition hands back.
//
// Threading: any thread.
#pragma once

#include <cstdint>

#include "adapter/journal_cells.hpp"
#include "base/result.hpp"
#include "platform/fd.hpp"

namespace causeway::adapter {

// What the journal keeps of a file. Errors: those of fstat.
[[nodiscard]] Result<JournaledFile> journaled(const platform::UniqueFd& file);
// Is this that file, of `size` bytes and sealed? A descriptor that does not prove by its seals that
// it is a memory file is not touched further. Errors: denied, invalid_argument.
[[nodiscard]] Result<void> require_file(const platform::UniqueFd& file, const JournaledFile& known,
                                        std::uint64_t size);

}  // namespace causeway::adapter
