// Ctrl-C and its like, for subcommands that have to tidy up.
//
// Threading: install once, from main's thread.
#pragma once

namespace causeway::cli {

// From now on SIGINT, SIGTERM and SIGHUP only leave their number here; blocking calls return EINTR.
void catch_interrupts();

// The signal that came; 0 if none.
[[nodiscard]] int interrupted() noexcept;

// The handlers' defaults again: for a child process.
void release_interrupts();

}  // namespace causeway::cli
