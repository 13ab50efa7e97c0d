// What this process holds: descriptors and mappings, counted before and after by the tests that
// look for what was left behind.
#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/sanitizers.hpp"

namespace causeway::test {

[[nodiscard]] inline std::size_t open_files() {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
        ++count;
    return count;
}

namespace detail {

[[nodiscard]] inline std::size_t mappings_with(const char* text) {
    std::ifstream maps("/proc/self/maps");
    std::size_t count = 0;
    for (std::string line; std::getline(maps, line);) {
        if (line.find(text) != std::string::npos)
            ++count;
    }
    return count;
}

}  // namespace detail

// Mappings of memory files: regions, queue pairs and doorbells, of both sides.
[[nodiscard]] inline std::size_t shared_mappings() { return detail::mappings_with("/memfd:"); }

// All mappings, also reservations of addresses; only the shared ones under a sanitizer, whose
// allocator makes mappings of its own whenever a size of block is asked for the first time.
[[nodiscard]] inline std::size_t countable_mappings() {
#if CW_ADDRESS_SANITIZER || CW_THREAD_SANITIZER
    return shared_mappings();
#else
    return detail::mappings_with("");
#endif
}

}  // namespace causeway::test
