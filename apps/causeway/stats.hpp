// Rows of the adapter's statistics, and the words for the numbers in them.
#pragma once

#include <algorithm>
#include <causeway/abi/control.hpp>
#include <causeway/error.hpp>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace causeway::cli {

// The rows of one kind. An adapter of another version may send longer or shorter ones: what this
// program does not know is left out, what the adapter does not know is zero.
template<typename Row>
[[nodiscard]] Result<std::vector<Row>> stats_rows(const std::string& socket, abi::StatsKind kind) {
    std::vector<Row> rows;
    const int code = cw_stats(
        socket.empty() ? nullptr : socket.c_str(), static_cast<std::uint32_t>(kind),
        [](const void* data, std::size_t size, void* user) {
            Row row{};
            std::memcpy(&row, data, std::min(size, sizeof row));
            static_cast<std::vector<Row>*>(user)->push_back(row);
        },
        &rows);
    if (code != CW_OK)
        return detail::last_error(code);
    return rows;
}

[[nodiscard]] std::string_view state_name(std::uint32_t state);        // abi::QueuePairState
[[nodiscard]] std::string_view executor_name(std::uint32_t executor);  // abi::Executor
[[nodiscard]] std::vector<std::string> right_names(std::uint32_t rights);

}  // namespace causeway::cli
