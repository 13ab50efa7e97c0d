// The command line of causewayd.
//
// Threading: once, at the start of main().
#pragma once

#include <string>
#include <variant>

#include "adapter/log.hpp"
#include "adapter/server.hpp"

namespace causeway::adapter {

struct DaemonOptions {
    ServerOptions server;
    std::string copies;  // --copies: FILE; empty: the usual places
    std::string log_level = "info";
    LogFormat log_format = LogFormat::text;
    int ready_fd = -1;  // --ready-fd: a newline is written there once the daemon serves
};

// What is left to do where the arguments themselves say it all (--help, --version, a mistake).
struct EarlyExit {
    int status = 0;
};

// Parses the arguments; help, version and errors are printed.
[[nodiscard]] std::variant<DaemonOptions, EarlyExit> parse_options(int argc,
                                                                   const char* const* argv);

}  // namespace causeway::adapter
