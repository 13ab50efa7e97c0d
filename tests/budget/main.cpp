// GoogleTest's main, and `--built`: what the figures of instructions.txt belong to.
#include <gtest/gtest.h>

#include <cstdio>
#include <string_view>

#include "budget/built.hpp"

int main(int argc, char** argv) {
    if (argc == 2 && std::string_view(argv[1]) == "--built") {
        std::puts(causeway::test::built().c_str());
        return 0;
    }
    ::testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
