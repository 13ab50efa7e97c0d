// What a neighbour takes of the processors: its own time, and the adapter's for it.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace causeway::bench {

struct Cost {
    double seconds = 0;  // of processor time, since its start

    // The neighbour's processes, and the adapter's threads but for the one that serves the
    // partition `measured`.
    [[nodiscard]] static Cost of(const std::vector<pid_t>& neighbours, const std::string& measured,
                                 const std::string& socket);
};

}  // namespace causeway::bench
