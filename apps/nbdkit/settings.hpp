// Settings: what `nbdkit causeway KEY=VALUE...` says.
//
// Threading: as nbdkit configures, one thread.
#pragma once

#include <causeway/block.hpp>
#include <chrono>
#include <string>

namespace causeway::nbd {

struct Settings {
    std::string unit{};    // "partition/disk"
    std::string socket{};  // empty: as the library finds it
    std::string attach{};  // empty: the entrance's name, or nbd-PID at the open one
    bool attach_given = false;
    block::Access access = block::Access::most;
    std::string executor = "any";
    std::chrono::nanoseconds timeout = std::chrono::seconds(60);  // block::kForever: never
    std::uint32_t depth = 0;                                      // 0: the library's
};

// Takes one parameter. False: it was wrong, and nbdkit was told why.
[[nodiscard]] bool set(Settings& settings, const std::string& key, const char* value);
// Is everything there? False: nbdkit was told what is not.
[[nodiscard]] bool complete(const Settings& settings);

extern const char* const kHelp;

}  // namespace causeway::nbd
