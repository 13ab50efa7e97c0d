// Instructions per message of a path, by scripts/count_instructions.
//
// Threading: one thread.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include "support/command.hpp"

namespace causeway::test {

// A file of the source tree.
[[nodiscard]] inline std::string source_path(const std::string& name) {
    const char* const folder = std::getenv("CAUSEWAY_SOURCE");
    return std::string(folder != nullptr ? folder : ".") + "/" + name;
}

struct CountedInstructions {
    std::uint64_t each = 0;
    std::string unavailable;  // why nothing can be counted here; else empty
    std::string problem;      // what went wrong; else empty
};

[[nodiscard]] inline CountedInstructions count_instructions(const std::string& path) {
    constexpr int skipped = 77;
    const char* const build = std::getenv("CAUSEWAY_BUILD");
    std::vector<std::string> arguments{source_path("scripts/count_instructions"),
                                       build != nullptr ? build : source_path("build")};
    std::istringstream words(path);
    for (std::string word; words >> word;)
        arguments.push_back(word);
    const Finished result = run_command(arguments);
    CountedInstructions counted;
    if (result.status == skipped) {
        counted.unavailable = result.err;
    } else if (result.status != 0) {
        counted.problem = path + ": " + result.err;
    } else {
        counted.each = std::strtoull(result.out.c_str(), nullptr, 10);
    }
    return counted;
}

}  // namespace causeway::test
