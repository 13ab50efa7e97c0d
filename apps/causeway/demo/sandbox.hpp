// Launcher: starts this program as a partition, in a bubblewrap sandbox or, where those are
// refused, as a plain process.
//
// Threading: one thread. Ownership: the started processes belong to whoever asked for them.
//
// What a sandbox consists of:
//  1. Its own user, PID, IPC, UTS, network and mount namespace, no capability, no new privileges.
//  2. A read-only root with this program, the libraries that it needs, and one entrance directory
//  as
//     /fabric. No /proc, no /dev, no /tmp.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "demo/child.hpp"

namespace causeway::demo {

struct Partner {
    Child child;
    pid_t pid = -1;  // of the partition itself, as this program sees it
};

class Launcher {
public:
    enum class Wish { sandbox_if_possible, sandbox_or_fail, plain };

    // Tries a sandbox. Fails only where one was demanded.
    [[nodiscard]] static Result<Launcher> choose(Wish wish);

    [[nodiscard]] bool sandboxed() const noexcept { return why_plain_.empty(); }
    [[nodiscard]] const std::string& why_plain() const noexcept { return why_plain_; }
    // What the user can do about it.
    [[nodiscard]] const std::string& remedy() const noexcept { return remedy_; }
    [[nodiscard]] const std::string& version() const noexcept { return version_; }
    // This program, and what a sandbox shows of the file system beside it.
    [[nodiscard]] const std::string& self() const noexcept { return self_; }
    [[nodiscard]] const std::vector<std::string>& libraries() const noexcept { return libraries_; }

    // `causeway ARGUMENTS...` as the partition of `entrance`, a directory with its socket.
    [[nodiscard]] Result<Partner> start(const std::string& entrance,
                                        const std::vector<std::string>& arguments,
                                        Streams streams) const;

private:
    [[nodiscard]] std::vector<std::string> sandbox_arguments(const std::string& name) const;
    [[nodiscard]] Result<void> try_sandbox();

    std::string self_;
    std::vector<std::string> libraries_;
    std::string bwrap_;
    std::string version_;
    std::string why_plain_;
    std::string remedy_;
};

}  // namespace causeway::demo
