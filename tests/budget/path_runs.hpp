// Running causeway_path and reading what it prints.
//
// Threading: one thread.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "support/command.hpp"

namespace causeway::test {

[[nodiscard]] inline std::vector<std::string> path_arguments(const std::string& words) {
    std::vector<std::string> arguments{program("causeway_path")};
    std::istringstream in(words);
    for (std::string word; in >> word;)
        arguments.push_back(word);
    return arguments;
}

// The lines that begin with `kind`: "changed 64 a sends" -> {"a sends", 64}.
[[nodiscard]] inline std::map<std::string, int> printed_by_path(const std::string& words,
                                                                const std::string& kind) {
    const Finished result = run_command(path_arguments(words));
    EXPECT_EQ(result.status, 0) << words << ": " << result.err;
    std::map<std::string, int> found;
    std::istringstream lines(result.out);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream in(line);
        std::string first;
        int count = 0;
        std::string rest;
        in >> first >> count >> std::ws;
        std::getline(in, rest);
        if (first == kind)
            found[rest] = count;
    }
    return found;
}

}  // namespace causeway::test
