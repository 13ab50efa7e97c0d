// The checks, one file per subject. Each looks at a Host and appends what it finds.
//
// Threading: pure, but for the files below Host::root.
#pragma once

#include <string>
#include <vector>

#include "doctor/check.hpp"
#include "doctor/host.hpp"

namespace causeway::doctor {

using Checks = std::vector<Check>;

// kernel.cpp
void check_kernel(const Host& host, Checks& checks);
void check_io_uring(const Host& host, Checks& checks);
void check_membarrier(const Host& host, Checks& checks);
// user_namespaces.cpp
void check_user_namespaces(const Host& host, Checks& checks);
// memory.cpp
void check_memory_files(const Host& host, Checks& checks);
void check_huge_pages(const Host& host, Checks& checks);
void check_memory_groups(const Host& host, Checks& checks);
// limits.cpp
void check_open_files(const Host& host, Checks& checks);
void check_locked_memory(const Host& host, Checks& checks);
void check_mappings(const Host& host, Checks& checks);
// Is the limit of open files too low for attaching? And what mends that.
[[nodiscard]] bool few_files(const Host& host);
[[nodiscard]] std::string more_files(const Host& host);
// places.cpp
void check_runtime_directory(const Host& host, Checks& checks);
void check_shared_memory(const Host& host, Checks& checks);
// processors.cpp
void check_processors(const Host& host, Checks& checks);
void check_clock(const Host& host, Checks& checks);
void check_scheduler(const Host& host, Checks& checks);

// What mends that system calls are filtered, where a container runtime does it.
inline constexpr char kWithoutFilter[] =
    "podman run --security-opt seccomp=unconfined IMAGE causeway doctor";

}  // namespace causeway::doctor
