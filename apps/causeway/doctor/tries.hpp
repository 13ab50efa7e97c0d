// Trying what a sysctl or a version alone does not tell: filters of system calls, security modules
// and limits have their say too.
//
// Threading: while the process has one thread only. Nothing stays of what is tried.
#pragma once

#include <string>

namespace causeway::doctor {

// Makes a user namespace, as bubblewrap and rootless containers do: in a child, without privileges
// even where this process has some, with its users mapped and a mount namespace in it. The error's
// number, 0: it works.
[[nodiscard]] int try_user_namespace();

// Makes memory as regions are made of, seals it, and has the kernel hold it to that. The error's
// text, empty: it works.
[[nodiscard]] std::string try_memory_file();

// Sets up a ring of one entry. The error's number, 0: it works.
[[nodiscard]] int try_io_uring();

}  // namespace causeway::doctor
