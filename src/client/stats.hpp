// The adapter's own account of itself, for listings, without joining as a partition.
//
// Threading: may be called from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "base/result.hpp"
#include "control/channel.hpp"

namespace causeway::client {

// A connection that sees what a partition of its entrance sees, without being one: such a partition
// is undisturbed. `socket` may be empty: the usual places.
[[nodiscard]] Result<control::Channel> observe(const std::string& socket);

using RowSink = std::function<void(const void* data, std::size_t size)>;

// Rows of one abi::StatsKind, all pages, from the adapter at `socket` (empty: the usual places).
[[nodiscard]] Result<void> read_stats(const std::string& socket, std::uint32_t kind,
                                      const RowSink& row);

// Has the adapter read its configuration file again; a line for each change. Errors: denied,
// unsupported, and invalid_argument with all mistakes of the file.
[[nodiscard]] Result<std::string> reload_configuration(const std::string& socket);

}  // namespace causeway::client
