// PrivateAdapter: a causewayd of this program's own, in a runtime directory of its own.
//
// Threading: start it before the program has threads (it forks). Ownership: the daemon and its
// directory end with the object.
//
// Invariants:
//  1. A keeper process stands between this program and the daemon: it starts the daemon, stops it
//     when the program asks or dies (kill -9 included), and then removes the directory. So nothing
//     is left behind, however the program ends.
//  2. The keeper is in a session of its own: Ctrl-C reaches the program, which ends in its own
//     order, not the daemon under its hands.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.hpp"
#include "platform/fd.hpp"

namespace causeway::cli {

struct AdapterOptions {
    std::vector<std::string> entrances{};  // named entrances beside the open one
    unsigned movers = 1;
    std::vector<unsigned> mover_cores{};  // empty: where the system puts them
};

class PrivateAdapter {
public:
    // Returns when the open entrance answers. The error text of a daemon that did not come up ends
    // with what it said.
    [[nodiscard]] static Result<PrivateAdapter> start(const AdapterOptions& options);

    PrivateAdapter(PrivateAdapter&& other) noexcept;
    PrivateAdapter& operator=(PrivateAdapter&&) = delete;
    ~PrivateAdapter();

    // Stops the daemon, removes the directory. An error if the daemon did not end by itself.
    [[nodiscard]] Result<void> stop();

    [[nodiscard]] const std::string& directory() const { return directory_; }
    [[nodiscard]] std::string socket() const { return directory_ + "/fabric.sock"; }
    // What the daemon has logged so far.
    [[nodiscard]] std::string log() const;

private:
    PrivateAdapter() = default;
    [[nodiscard]] Result<void> learn_directory(int answer);
    [[nodiscard]] Result<void> wait_until_ready();

    std::string directory_;
    platform::UniqueFd log_;
    pid_t keeper_ = -1;
};

// Path of a program that was installed beside this one; its bare name if it is not there, so that
// $PATH is searched.
[[nodiscard]] std::string sibling_program(const std::string& name);

}  // namespace causeway::cli
