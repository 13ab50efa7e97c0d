# What a build can be told. The presets and the Makefile set these; the defaults suit a plain `cmake -B build`.

option(CAUSEWAY_WERROR "Treat warnings as errors (the continuous build does)" OFF)
option(CAUSEWAY_BENCH "Build the laboratory's peers that need libraries of their own (bench/peers/)" OFF)
option(CAUSEWAY_FUZZ "Build the fuzz targets for libFuzzer (needs clang)" OFF)

set(CAUSEWAY_SANITIZE "" CACHE STRING "Value for -fsanitize= (for example address,undefined)")

# AUTO: tests where GoogleTest is installed. ON: tests, and an error without it.
set(CAUSEWAY_TESTS AUTO CACHE STRING "Build the tests: AUTO, ON or OFF")
set_property(CACHE CAUSEWAY_TESTS PROPERTY STRINGS AUTO ON OFF)

# For working on one corner: only the test files whose path matches are built.
set(CAUSEWAY_TEST_FILTER "" CACHE STRING "Regular expression on test file paths; empty builds all")

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
endif()
# Line tables, no types: a stack trace needs no more, and everything builds a quarter faster.
foreach(language IN ITEMS C CXX)
    set(CMAKE_${language}_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
endforeach()

set(CAUSEWAY_TESTS_ENABLED OFF)
if(CAUSEWAY_TESTS STREQUAL "AUTO")
    find_package(GTest QUIET)
    set(CAUSEWAY_TESTS_ENABLED ${GTest_FOUND})
    if(NOT GTest_FOUND)
        message(STATUS "GoogleTest is not installed: no tests in this build (`make test` installs it)")
    endif()
elseif(CAUSEWAY_TESTS)
    find_package(GTest REQUIRED)
    set(CAUSEWAY_TESTS_ENABLED ON)
endif()

include(GNUInstallDirs)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
